"""Values that a schema's grammar lets be written, for schemas whose shortest value is not plain to see."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from llguidance import LLMatcher

from grammars.extraction.grammar import OPTIONS, byte_tokenizer, enforceable

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 2_000  # bytes
TRIES = 8
_CLOSING = b'}]",'  # the earlier, the better; within a string only its own end
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BYTES = 256
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def witnesses(schema: Any) -> Iterator[Any]:
    """Yield short values of a schema; what its grammar cannot enforce, they may miss."""
    loose, _ = enforceable(schema)
    guided = {**loose, "x-guidance": OPTIONS | {"lenient": True}} if isinstance(loose, dict) else loose
    grammar = LLMatcher.grammar_from_json_schema(json.dumps(guided))
    for attempt in range(TRIES):
        written = _written(grammar, random.Random(attempt) if attempt else None)  # noqa: S311 - no secret
        try:
            yield json.loads(written)
        except ValueError:  # it came to no end
            continue


def _written(grammar: str, draws: random.Random | None) -> bytes:
    """Return what is written by closing what can be closed, and by leaving what repeats itself.

    With `draws`, every second byte is any that is admitted.
    """
    matcher = LLMatcher(byte_tokenizer(), grammar)
    written, before = bytearray(), frozenset[int]()
    while len(written) < LONGEST and not matcher.is_error() and not matcher.is_accepting():
        if not (admitted := _admitted(matcher)):
            break
        token = _choice(admitted, before, draws, quoted=_in_string(written))
        matcher.consume_token(token)
        written.append(token)
        before = admitted
    return bytes(written)


def _choice(
    admitted: frozenset[int], before: frozenset[int], draws: random.Random | None, *, quoted: bool
) -> int:
    if draws and draws.random() < 0.5:  # noqa: PLR2004 - even odds
        return draws.choice(sorted(admitted & _PLAIN or admitted))
    if closing := [token for token in (b'"' if quoted else _CLOSING) if token in admitted]:
        return closing[0]
    return min((admitted - before) & _PLAIN or admitted - before or admitted & _PLAIN or admitted)


def _in_string(written: bytearray) -> bool:
    return _STRING.sub(b"", written).count(b'"') > 0


def _admitted(matcher: LLMatcher) -> frozenset[int]:
    bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    return frozenset(np.flatnonzero(bits[:_BYTES]).tolist())
