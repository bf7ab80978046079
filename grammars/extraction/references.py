"""The references of a schema, each followed to where it leads: nothing is ever fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from referencing.exceptions import Unresolvable

from grammars.extraction.grammar import parts
from grammars.extraction.record import pointer
from grammars.extraction.resolve import resolver_of, within

if TYPE_CHECKING:
    from referencing._core import Resolver

_WORDS = ("$ref", "$dynamicRef", "$recursiveRef")


def lost_reference(definition: Any) -> str | None:
    """Return which reference leads out of a schema or nowhere; None where all are found."""
    try:
        return _lost(definition)
    except ValueError as error:
        return f"a reference or an $id in it is no address ({str(error)[:80]})."


def _lost(definition: Any) -> str | None:
    """Follow the references of a schema, and those of what they lead to."""
    todo: list[tuple[tuple[str | int, ...], Any, Resolver[Any]]] = [((), definition, resolver_of(definition))]
    seen: set[int] = set()
    while todo:
        path, schema, resolver = todo.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        resolver = within(schema, resolver)
        for word in _WORDS:
            if word in schema:
                try:
                    found = resolver.lookup(schema[word])
                except (Unresolvable, TypeError, AttributeError):
                    return _told((*path, word), schema[word])
                todo.append(((*path, word), found.contents, found.resolver))
        todo += [((*path, *step), part, resolver) for step, part in parts(schema)]
    return None


def _told(path: tuple[str | int, ...], ref: Any) -> str:
    if isinstance(ref, str) and not ref.startswith("#"):
        return f"{pointer(path)} leads out of it ({ref[:80]}): bring its target into $defs."
    return f"{pointer(path)} leads nowhere ({str(ref)[:80]})."
