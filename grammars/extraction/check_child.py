"""The child that compiles a schema; see `grammars.extraction.check`. It may hang or die: nobody minds."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from grammars.extraction.complete import complete
from grammars.extraction.grammar import compiles, enforceable, subschemas
from grammars.extraction.modern import modern
from grammars.extraction.record import ExtractionError, Record, pointer
from grammars.extraction.resolve import root
from grammars.extraction.validate import Validator, check_meta

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 4
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
    if wrong := check_meta(definition) or _references(definition):
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


def _references(definition: Any) -> str | None:
    """Return which reference leads out of the schema or nowhere; None where all are found."""
    for path, schema in subschemas(definition):
        ref = schema.get("$ref")
        if isinstance(ref, str) and not ref.startswith("#") and "$id" not in json.dumps(definition):
            return f"{pointer((*path, '$ref'))} leads out of it ({ref[:80]}): bring its target into $defs."
    return None


def _usable(definition: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found, unless not even the shortest value satisfies the schema."""
    validator = Validator(definition)
    try:
        complete(Record(_empty(definition)), definition, validator)
    except ExtractionError:
        return {"refused": NO_VALUE}
    return found


def _empty(definition: Any) -> Any:
    from grammars.extraction.minimal import minimal_of

    return minimal_of(root(definition))


if __name__ == "__main__":
    main()
