"""A record in the making: what changes in it takes its evidence along."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from grammars.extraction.minimal import minimal_of
from grammars.extraction.record import Path, Record, pointer
from grammars.extraction.resolve import Node, root

if TYPE_CHECKING:
    from collections.abc import Callable

    from grammars.extraction.record import Evidence

T = TypeVar("T")


@dataclass
class Draft:
    """A record's value, its schema, and by JSON pointer what is known of its leaves."""

    value: Any
    node: Node
    evidence: dict[str, Evidence]
    margins: dict[str, float]
    missing: dict[str, None]

    @classmethod
    def of(cls, record: Record, definition: Any) -> Draft:
        """Return a draft that changes without the record."""
        return cls(
            deepcopy(record.record),
            root(definition),
            dict(record.evidence),
            dict(record.margins),
            dict.fromkeys(record.missing),
        )

    def kept(self, record: Record) -> Record:
        """Return it as the record that it was made from."""
        return replace(
            record,
            record=self.value,
            evidence=self.evidence,
            margins={at: margin for at, margin in self.margins.items() if at in self.evidence},
            missing=tuple(sorted(self.missing)),
        )

    def at(self, path: Path) -> tuple[Any, Node]:
        """Return the value at a path, and its schema."""
        value, node = self.value, self.node
        for part in path:
            value, node = value[part], node.at(part)
        return value, node

    def dispensable(self, path: Path) -> bool:
        """Whether it may be left out: an item whose place says nothing, or a member that is not required."""
        if not path:
            return False
        last, (parent, node) = path[-1], self.at(path[:-1])
        if isinstance(last, int):
            return last >= len(node.schema.get("prefixItems", ()))
        return isinstance(parent, dict) and last not in node.schema.get("required", ())

    def leave_out(self, path: Path) -> None:
        """Take out an item or a member; where it must be there, put null or else its shortest value."""
        value, node = self.at(path)
        if not self.dispensable(path):
            self.put(path, minimal_of(node))
        elif isinstance(path[-1], int):
            self._remove_item(path[:-1], path[-1])
        elif node.nullable and value is not None:
            self.put(path, None)
        else:
            self._forget(path)
            del self.at(path[:-1])[0][path[-1]]

    def put(self, path: Path, value: Any) -> None:
        """Put in what the text does not state; its leaves are missing."""
        self._forget(path)
        if not path:
            self.value = value
        elif isinstance(parent := self.at(path[:-1])[0], list) and path[-1] == len(parent):
            parent.append(value)
        else:
            parent[path[-1]] = value
        self.missing |= dict.fromkeys(pointer((*path, *leaf)) for leaf in _leaves(value))

    def _remove_item(self, path: Path, place: int) -> None:
        """Remove an item of a list; pointers to those behind it count one less."""
        self._forget((*path, place))
        del self.at(path)[0][place]
        head = pointer(path) + "/"

        def moved(at: str) -> str:
            number, slash, rest = at.removeprefix(head).partition("/")
            behind = at.startswith(head) and int(number) > place
            return f"{head}{int(number) - 1}{slash}{rest}" if behind else at

        self._rename(moved)

    def _forget(self, path: Path) -> None:
        """Drop what is known of a value and its parts."""
        gone = pointer(path)
        self._rename(lambda at: None if within(at, gone) else at)

    def _rename(self, name: Callable[[str], str | None]) -> None:
        self.evidence = _renamed(self.evidence, name)
        self.margins = _renamed(self.margins, name)
        self.missing = _renamed(self.missing, name)


def within(at: str, place: str) -> bool:
    """Whether a pointer is another, or leads further."""
    return at == place or at.startswith(f"{place}/")


def _renamed(known: dict[str, T], name: Callable[[str], str | None]) -> dict[str, T]:
    return {renamed: told for at, told in known.items() if (renamed := name(at)) is not None}


def _leaves(value: Any) -> list[Path]:
    if isinstance(value, dict) and value:
        return [(name, *leaf) for name, member in value.items() for leaf in _leaves(member)]
    return [] if value in (None, [], {}) else [()]
