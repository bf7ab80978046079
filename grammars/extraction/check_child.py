"""The child that compiles a schema; see `grammars.extraction.check`. It may hang or die: nobody minds."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from grammars.extraction.complete import complete
from grammars.extraction.example import catastrophic
from grammars.extraction.fields import read_fields
from grammars.extraction.grammar import compiles, enforceable, subschemas
from grammars.extraction.minimal import minimal
from grammars.extraction.modern import modern
from grammars.extraction.record import ExtractionError, Record, pointer
from grammars.extraction.record_grammar import record_grammar
from grammars.extraction.references import lost_reference
from grammars.extraction.validate import Validator, check_meta

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 4
SAMPLE = "A text of some words."
NO_VALUE = "no value that it admits was found: its keywords contradict one another, or cannot be met."


def main() -> None:
    """Read a schema from stdin and write what was found about it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        found = inspect(json.load(sys.stdin))
    except RecursionError:
        found = {"refused": "it refers to itself without an end."}
    except MemoryError:
        found = {"refused": "it takes too much memory."}
    json.dump(found, sys.stdout)


def inspect(definition: Any) -> dict[str, Any]:
    """Return `{"enforced", "validated"}`, or `{"refused"}` with why."""
    definition = modern(definition)
    if wrong := check_meta(definition) or lost_reference(definition) or _slow_pattern(definition):
        return {"refused": wrong}
    strict = compiles(definition)
    if strict is None:
        return _usable(definition, {"enforced": True, "validated": []})
    if "nsatisfiable" in strict:
        return {"refused": f"nothing can satisfy it ({strict[:200]})."}
    loose, left = enforceable(definition)
    if (still := compiles(loose, lenient=True)) is not None:
        return {"refused": f"it cannot be compiled ({still[:200]})."}
    validated = [one.pointer for one in left] or ["/"]
    return _usable(definition, {"enforced": False, "validated": validated})


def _slow_pattern(definition: Any) -> str | None:
    """Return which pattern takes too long on some strings; None where none was found to."""
    for path, schema in subschemas(definition):
        for pattern in [schema.get("pattern"), *schema.get("patternProperties", ())]:
            if isinstance(pattern, str) and catastrophic(pattern):
                at = pointer(path) or "the root"
                return f"{at}: the pattern {pattern[:80]!r} takes too long on some strings. Simplify it."
    return None


def _usable(definition: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found, unless not even the shortest value satisfies the schema.

    Fields and grammar are made too: what takes too long here would take it again with each text.
    """
    try:
        complete(Record(minimal(definition)), definition, Validator(definition))
    except ExtractionError:
        return {"refused": NO_VALUE}
    read_fields(definition)
    record_grammar(definition, SAMPLE)
    return found


if __name__ == "__main__":
    main()
