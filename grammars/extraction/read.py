"""A record read from a text leaf by leaf, for engines that can only quote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from grammars.extraction.candidates import Candidate, candidates, group
from grammars.extraction.features import Asked, features, texts
from grammars.extraction.fields import Field, read_fields
from grammars.extraction.layout import Layout
from grammars.extraction.rank import Choice, choose
from grammars.extraction.record import Evidence, Record, pointer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from grammars.engine.protocol import Engine


class Embed(Protocol):
    """Texts to L2-normalised vectors (N, D)."""

    async def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]: ...


@dataclass
class Draft:
    """A record in the making."""

    evidence: dict[str, Evidence] = field(default_factory=dict)
    margins: dict[str, float] = field(default_factory=dict)
    unstated: list[str] = field(default_factory=list)


async def read_record(engine: Engine, embed: Embed, definition: Any, text: str, *, reference: date) -> Record:
    """Ask a text for every leaf of a schema, all at once, and put together what it states."""
    reader = Reading(engine, embed, Layout.of(text), str(_title(definition)), reference)
    root = read_fields(definition)
    chosen = await reader.choose([leaf for leaf in root.leaves() if leaf.kind not in ("array", "other")])
    draft = Draft()
    value = _put(root, (), chosen, draft, text)
    return Record(value, draft.evidence, tuple(draft.unstated), margins=draft.margins)


def _title(definition: Any) -> Any:
    return definition.get("title", "") if isinstance(definition, dict) else ""


@dataclass(frozen=True)
class Reading:
    """One text that is read by one schema."""

    engine: Engine
    embed: Embed
    layout: Layout
    title: str
    reference: date

    async def choose(self, leaves: Sequence[Field]) -> dict[tuple[str, ...], Choice]:
        """Return each leaf's likeliest value, by its path."""
        asked = [Asked.of(self.title, leaf) for leaf in leaves]
        found = [candidates(leaf, self.layout, self.reference) for leaf in leaves]
        needed: dict[str, None] = {}
        for one, its in zip(asked, found, strict=True):
            needed |= dict.fromkeys(texts(one, self.layout, its))
        rows = await self.embed(list(needed))
        vectors = dict(zip(needed, rows, strict=True))
        return {
            one.leaf.path: choose(group(one.leaf), its, features(one, self.layout, its, vectors))
            for one, its in zip(asked, found, strict=True)
        }


def _put(
    part: Field, path: tuple[str | int, ...], chosen: dict[tuple[str, ...], Choice], draft: Draft, text: str
) -> Any:
    """Return a node's value, `_ABSENT` where it is to be left out."""
    if part.kind == "object":
        members = {
            name: _put(member, (*path, name), chosen, draft, text) for name, member in part.members.items()
        }
        return {name: value for name, value in members.items() if value is not ABSENT}
    if part.kind == "array":
        return []
    choice = chosen.get(part.path)
    if choice is None or choice.candidate is None or not (choice.stated or _demanded(part)):
        return _unstated(part, path, draft)
    _cite(choice.candidate, pointer(path), draft, text)
    draft.margins[pointer(path)] = round(choice.margin, 4)
    return choice.candidate.value


ABSENT: Any = object()


def _demanded(part: Field) -> bool:
    return part.required and not part.nullable


def _unstated(part: Field, path: tuple[str | int, ...], draft: Draft) -> Any:
    if part.nullable:
        return None
    if part.required:
        draft.unstated.append(pointer(path))
    return ABSENT


def _cite(candidate: Candidate, at: str, draft: Draft, text: str) -> None:
    draft.evidence[at] = Evidence(text[slice(*candidate.span)], *candidate.span)
