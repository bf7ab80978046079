"""Coverage of JSON Schema: python bench/schemas.py [--generated N] [--models N] [--seed S].

Three sets: the JSON Schemas that ship inside installed packages and those of their Pydantic models, as people
really write them, and schemas drawn by Hypothesis from all keywords of draft 2020-12. Of each set: the share
that is accepted with full enforcement, accepted with validation afterwards, and refused, the commonest
reasons, and the slowest check. From every accepted schema's grammar a sampler with random logits then writes
records of a text: of those that came to an end, how many validation admits. The same schemas are read by the
extractive way too, which must give a valid record or an error, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import pkgutil
import random
import re
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from sysconfig import get_paths
from typing import TYPE_CHECKING, Any

import llguidance
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as fix_seed
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from grammars.engine.protocol import Located
from grammars.extraction.check import LONGEST, SchemaRefused, check
from grammars.extraction.complete import complete
from grammars.extraction.read import read_record
from grammars.extraction.record import ExtractionError, Record
from grammars.extraction.record_grammar import record_grammar
from grammars.extraction.validate import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

TEXT = "Anna Bell asked on 3 March 2026 for 12 licences of Orbit 4.2, at 43.20 EUR each; see INC-4711."
DAY = date(2026, 3, 9)
LONGEST_RECORD = 3000  # bytes; a random writer seldom ends by itself
SAMPLES = 3
SLOW = 5.0  # seconds


@dataclass
class Tally:
    """What came of a set of schemas."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    written: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)


async def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--generated", type=int, default=300)
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    _print("files of installed packages", await _tally(list(_installed())))
    models = list(_models())
    random.Random(arguments.seed).shuffle(models)
    _print("Pydantic models of installed packages", await _tally(models[: arguments.models]))
    _print("generated", await _tally(_generated(arguments.generated, arguments.seed)))


def _installed() -> Iterator[Any]:
    """Yield the files of installed packages that are JSON Schemas of some object."""
    for path in sorted(Path(get_paths()["purelib"]).rglob("*.json")):
        if path.stat().st_size > LONGEST:
            continue
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            continue
        declared = isinstance(value, dict) and "json-schema.org" in str(value.get("$schema"))
        if declared or (isinstance(value, dict) and value.get("type") == "object" and "properties" in value):
            yield value


def _models() -> Iterator[Any]:
    """Yield the schemas of the Pydantic models of an API's client: requests, events, tool definitions."""
    import openai
    from pydantic import BaseModel

    for module in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
        members = vars(importlib.import_module(module.name)).values()
        for member in members:
            if (
                isinstance(member, type)
                and issubclass(member, BaseModel)
                and member.__module__ == module.name
            ):
                yield member.model_json_schema()


def _generated(count: int, seed: int) -> list[Any]:
    found: list[Any] = []

    @fix_seed(seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(_schemas())
    def collect(definition: Any) -> None:
        found.append(definition)

    collect()
    return found[:count]


_NAMES = st.sampled_from(["id", "name", "size", "when", "tags", "a b", "x/y", "über"])
_SMALL = st.integers(0, 5)
_VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "red", "Orbit"])
_FORMATS = st.sampled_from(
    [
        "date",
        "date-time",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "uuid",
        "json-pointer",
        "regex",
        "uri-template",
        "made-up",
    ]
)
_PATTERNS = st.sampled_from(
    ["^a", "b$", "^[A-Z]{2,4}-[0-9]+$", r"^\d{3}$", "(?=a)a", "^(a|b)*$", r"\p{L}+", "^.{0,8}$"]
)


def _schemas() -> st.SearchStrategy[Any]:
    leaf = st.one_of(
        st.booleans(),
        st.fixed_dictionaries(
            {"type": st.just("string")},
            optional={
                "minLength": _SMALL,
                "maxLength": st.integers(5, 9),
                "pattern": _PATTERNS,
                "format": _FORMATS,
            },
        ),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["integer", "number"])},
            optional={
                "minimum": st.integers(-9, 0),
                "exclusiveMaximum": st.integers(1, 9),
                "multipleOf": st.sampled_from([1, 2, 0.5]),
            },
        ),
        st.fixed_dictionaries({"enum": st.lists(_VALUES, min_size=1, max_size=4, unique_by=json.dumps)}),
        st.fixed_dictionaries({"const": _VALUES}),
        st.fixed_dictionaries(
            {"type": st.lists(st.sampled_from(["string", "null", "integer"]), min_size=1, unique=True)}
        ),
        st.just({"$ref": "#/$defs/part"}),
    )
    inner = st.recursive(leaf, _composed, max_leaves=8)
    roots = st.builds(
        lambda members, needed: {
            "type": "object",
            "properties": members,
            "required": sorted(needed & members.keys()),
        },
        st.dictionaries(_NAMES, inner, min_size=1, max_size=5),
        st.sets(_NAMES, max_size=3),
    )
    part = {
        "$defs": {
            "part": {
                "type": "object",
                "properties": {"next": {"$ref": "#/$defs/part"}, "n": {"type": "integer"}},
            }
        }
    }
    return roots.map(lambda schema: {**schema, **part})


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(_NAMES, inner, max_size=4)},
        optional={
            "required": st.lists(_NAMES, max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
            "patternProperties": st.dictionaries(_PATTERNS, inner, max_size=1),
            "minProperties": _SMALL,
            "maxProperties": st.integers(4, 8),
            "propertyNames": st.just({"maxLength": 12}),
            "dependentRequired": st.just({"id": ["name"]}),
            "unevaluatedProperties": st.booleans(),
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(2, 5),
            "uniqueItems": st.booleans(),
            "contains": inner,
        },
    )
    several = st.lists(inner, min_size=1, max_size=3)
    logic = st.one_of(
        *(st.fixed_dictionaries({key: several}) for key in ("allOf", "anyOf", "oneOf")),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner, "then": inner}, optional={"else": inner}),
    )
    return objects | arrays | logic


async def _tally(definitions: Sequence[Any]) -> Tally:
    tally = Tally()
    for definition in definitions:
        began = time.perf_counter()
        try:
            report = await check(definition)
        except SchemaRefused as error:
            tally.outcomes["refused"] += 1
            tally.reasons[_reason(str(error))] += 1
            continue
        finally:
            tally.seconds.append(time.perf_counter() - began)
        kind = "enforced" if report.enforced else "validated"
        tally.outcomes[kind] += 1
        _write(definition, kind, tally)
        await _read(definition, tally)
    return tally


def _reason(message: str) -> str:
    return re.sub(r"[\d,]+|'[^']*'|\"[^\"]*\"|/\S*", "…", message.removeprefix("The schema is refused: "))[
        :90
    ]


def _write(definition: Any, kind: str, tally: Tally) -> None:
    """Let random logits write records, and validate those that came to an end."""
    validator = Validator(definition)
    for number in range(SAMPLES):
        written = _sample(record_grammar(definition, TEXT), np.random.default_rng(number))
        if written is None:
            tally.written[f"{kind}: not ended"] += 1
        else:
            tally.written[f"{kind}: {_judged(json.loads(written), definition, validator)}"] += 1


def _judged(value: Any, definition: Any, validator: Validator) -> str:
    """Return what becomes of a value as it was written: numbers such as 1e999 are in the grammar of JSON."""
    if validator.admits(value):
        return "valid"
    try:
        mended = complete(Record(value), definition, validator)
    except ExtractionError:
        return "refused"
    return "valid once mended" if validator.admits(mended.record) else "not valid"


def _sample(grammar: str, draws: np.random.Generator) -> bytes | None:
    """Return what a writer of random bytes makes of a grammar; it likes to close what is open."""
    tokenizer = LLTokenizer("byte")
    matcher = LLMatcher(tokenizer, llguidance.grammar_from("lark", grammar))
    if matcher.is_error():
        raise RuntimeError(f"the grammar of an accepted schema was refused: {matcher.get_error()[:300]}")
    written: list[int] = []
    while len(written) < LONGEST_RECORD:
        if matcher.is_accepting():
            return bytes(tokenizer.decode_bytes(written))
        admitted = _tokens(matcher.compute_bitmask())
        closing = [token for token in admitted if token < 256 and chr(token) in '"]},']  # noqa: PLR2004 - bytes
        choice = closing if closing and draws.random() < 0.5 else admitted  # noqa: PLR2004 - even odds
        token = int(draws.choice(choice))
        if not matcher.consume_token(token):
            raise RuntimeError(f"an admitted token was refused: {matcher.get_error()[:300]}")
        written.append(token)
    return None


def _tokens(bitmask: bytes) -> NDArray[np.int64]:
    return np.flatnonzero(np.unpackbits(np.frombuffer(bitmask, np.uint8), bitorder="little"))


class _Silent:
    """An extractive engine that never finds anything, so that only the rest is measured."""

    name, extractive, enforces_grammar = "silent", True, False

    async def generate(self, _: Any) -> Any:
        raise NotImplementedError

    async def locate(self, _: str, questions: Sequence[str], __: str) -> Located:
        """Say of one word in the whole text that it states nothing."""
        never = np.full((len(questions), 1), -np.inf, np.float32)
        return Located(np.array([[0, 1]]), never, never, np.zeros(len(questions), np.float32))


async def _embed(texts: Sequence[str], /) -> NDArray[np.float32]:
    rows = np.array([np.random.default_rng(abs(hash(text))).normal(size=16) for text in texts], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def _read(definition: Any, tally: Tally) -> None:
    validator = Validator(definition)
    try:
        record = await read_record(_Silent(), _embed, definition, TEXT, reference=DAY)
        record = complete(record, definition, validator)
    except ExtractionError:
        tally.read["error"] += 1
    else:
        tally.read["valid" if validator.admits(record.record) else "not valid"] += 1


def _print(name: str, tally: Tally) -> None:
    total = sum(tally.outcomes.values())
    print(f"\n{name}: {total} schemas")
    for kind in ("enforced", "validated", "refused"):
        print(f"  {kind:10} {tally.outcomes[kind]:5}  {tally.outcomes[kind] / max(total, 1):.3f}")
    print(
        f"  check p50 {np.median(tally.seconds):.2f} s, slowest {max(tally.seconds):.2f} s, "
        f"over {SLOW:g} s: {sum(s > SLOW for s in tally.seconds)}"
    )
    for kind, count in sorted(tally.written.items()):
        print(f"  written, {kind}: {count}")
    for kind, count in sorted(tally.read.items()):
        print(f"  read, {kind}: {count}")
    for reason, count in tally.reasons.most_common(8):
        print(f"  refused {count:4} {reason}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asyncio.run(main())
