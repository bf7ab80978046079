"""A record read from a text, for engines that can only say where it states something."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from grammars.extraction.asked import Asked
from grammars.extraction.candidates import group
from grammars.extraction.fields import MOST, Field, read_fields
from grammars.extraction.focus import Excerpt, focus
from grammars.extraction.layout import Layout
from grammars.extraction.lists import item_leaf, object_items, simple_items
from grammars.extraction.rank import DEMANDED_AT, STATED_AT
from grammars.extraction.record import Evidence, Record, pointer
from grammars.extraction.scored import Scored, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from grammars.engine.protocol import Extractive
    from grammars.extraction.candidates import Candidate
    from grammars.extraction.layout import Span
    from grammars.extraction.rank import Choice
    from grammars.extraction.record import Path

ABSENT: Any = object()  # a member that is left out
FOCUSED = "The text is long: only the parts that come nearest to the fields were read."


class Embed(Protocol):
    """Texts to L2-normalised vectors (N, D)."""

    async def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]: ...


async def read_record(
    engine: Extractive, embed: Embed, definition: Any, text: str, *, reference: date
) -> Record:
    """Ask a text for every leaf of a schema, all at once, and put together what it states.

    Raises:
        EngineError: the model could not answer.
    """
    title = str(definition.get("title", "")) if isinstance(definition, dict) else ""
    root = read_fields(definition)
    leaves = list(asked_of(root))[:MOST]
    excerpt = await focus(embed, [Asked.of(title, leaf).question for leaf in leaves], text)
    layout = Layout.of(excerpt.text)
    scored = await score(engine, embed, title, leaves, layout, reference=reference)
    draft = Draft(scored, layout, excerpt)
    value = draft.put(root, (), {})
    note = None if excerpt.whole else FOCUSED
    return Record(None if value is ABSENT else value, draft.evidence, margins=draft.margins, note=note)


def asked_of(part: Field) -> list[Field]:
    """Return the leaves below a field that a text is asked for, those of arrays' items included."""
    if part.kind == "object":
        return [leaf for member in part.members.values() for leaf in asked_of(member)]
    if part.kind == "array":
        assert part.items is not None
        if part.items.kind == "object":
            return [leaf for leaf in asked_of(part.items) if leaf.kind != "array"]
        return [item_leaf(part)] if part.items.kind not in ("array", "other") else []
    return [part] if part.kind != "other" else []


@dataclass
class Draft:
    """A record in the making."""

    scored: Mapping[tuple[str, ...], Scored]
    layout: Layout
    excerpt: Excerpt
    evidence: dict[str, Evidence] = field(default_factory=dict)
    margins: dict[str, float] = field(default_factory=dict)
    taken: list[Span] = field(default_factory=list)

    def put(self, part: Field, path: Path, chosen: Mapping[tuple[str, ...], Choice]) -> Any:
        """Return a field's value; `chosen` holds the leaves of the array's item that it belongs to."""
        if part.kind == "object":
            return self._object(part, path, chosen)
        if part.kind == "array":
            return self._array(part, path, nested=bool(chosen))
        choice = chosen.get(part.path) or (
            self.scored[part.path].best() if part.path in self.scored else None
        )
        demanded = part.required and not part.nullable
        threshold = DEMANDED_AT.get(group(part), 0.0) if demanded else STATED_AT
        if choice is None or choice.candidate is None or not choice.reaches(threshold):
            return None if part.nullable else ABSENT
        self.margins[pointer(path)] = round(choice.margin, 4)
        return self._cite(choice.candidate, path)

    def _object(self, part: Field, path: Path, chosen: Mapping[tuple[str, ...], Choice]) -> Any:
        """Return the members in their order; arrays are put last, of what no other leaf has."""
        ordered = sorted(part.members.items(), key=lambda item: item[1].kind == "array")
        values = {name: self.put(member, (*path, name), chosen) for name, member in ordered}
        held = {name: values[name] for name in part.members if values[name] is not ABSENT}
        if not any(_states(value) for value in held.values()) and path:
            if part.nullable:
                return None
            if not part.required:
                return ABSENT
        return held

    def _array(self, part: Field, path: Path, *, nested: bool) -> Any:
        assert part.items is not None
        if nested or not asked_of(part):
            return ABSENT if not part.required else None if part.nullable else []
        if part.items.kind == "object":
            members = [self.scored[leaf.path] for leaf in asked_of(part) if leaf.path in self.scored]
            found = object_items(members, self.layout, self.taken)
            put = self.put
            return [put(part.items, (*path, place), chosen) for place, chosen in enumerate(found)]
        if part.path not in self.scored:
            return []
        items = simple_items(self.scored[part.path], self.layout, self.taken)
        return [self._cite(item, (*path, place)) for place, item in enumerate(items)]

    def _cite(self, candidate: Candidate, path: Path) -> Any:
        self.taken.append(candidate.span)
        start = self.excerpt.original(candidate.start)
        quote = self.layout.text[slice(*candidate.span)]
        self.evidence[pointer(path)] = Evidence(quote, start, start + len(quote))
        return candidate.value


def _states(value: Any) -> bool:
    return value not in (None, [], {})
