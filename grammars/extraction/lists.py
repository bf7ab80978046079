"""Lists in a text: the items beside one that was found, and the parts of a text that are items themselves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from grammars.extraction.candidates import BEFORE, Candidate, group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammars.extraction.fields import Field
    from grammars.extraction.layout import Layout, Span
    from grammars.extraction.rank import Choice
    from grammars.extraction.scored import Scored

_SEPARATOR = re.compile(r"\s*(?:,\s*(?:and|or)\s+|[,;/]\s*|\s+(?:and|or)\s+|\s+&\s+)")
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+")
_TRIM = " \t.,;:!?\"'()"
MOST_ITEMS = 50
LONGEST_ITEM = 80  # characters of an item within a sentence
LONGEST_WORDS = 6  # of an item of an enumeration within a sentence, on average
_SURE = 0.3  # probability of the first item of a list: a list that is wrong is wrong in every item
_LEAST = 0.5  # probability that a member is stated, for its part to be an item


def item_leaf(array: Field) -> Field:
    """Return the leaf that stands for an array's items, asked with the array's own words."""
    assert array.items is not None
    told = {"description": array.description or array.items.description}
    return replace(
        array.items, path=array.path, schema={**array.items.schema, **told}, nullable=True, required=False
    )


def simple_items(scored: Scored, layout: Layout, taken: Sequence[Span]) -> list[Candidate]:
    """Return the items of an array whose items are no objects, once each, in the order of the text."""
    found = _simple_items(scored, layout, taken)
    unique = {json.dumps(one.value): one for one in reversed(found)}
    return sorted(unique.values(), key=lambda one: one.start)[:MOST_ITEMS]


def _simple_items(scored: Scored, layout: Layout, taken: Sequence[Span]) -> list[Candidate]:
    best = scored.best(taken=taken)
    if best.candidate is None or not best.stated or best.probability < _SURE:
        return []
    kind = group(scored.leaf)
    if kind == "choice":
        return _options(scored, layout)
    if kind in ("number", "date"):
        return _near(scored.found, best.candidate, layout, taken)
    if best.candidate.unit:  # of the shape that is asked for
        like = [one for one in scored.found if one.unit == best.candidate.unit]
        return [one for one in like if one.span not in taken][:MOST_ITEMS]
    return [Candidate(*span, layout.text[slice(*span)]) for span in _beside(layout, best.candidate.span)]


def _options(scored: Scored, layout: Layout) -> list[Candidate]:
    """Return the options whose name stands in the text, once each."""
    found = {}
    for option in scored.leaf.options:
        name = re.escape(str(option).replace("_", " "))
        if match := re.search(rf"(?<!\w){name}(?!\w)", layout.text.replace("_", " "), re.IGNORECASE):
            found[str(option)] = Candidate(*match.span(), option)
    return sorted(found.values(), key=lambda one: one.start)


def _near(
    found: Sequence[Candidate], best: Candidate, layout: Layout, taken: Sequence[Span]
) -> list[Candidate]:
    sentence = layout.within(best.span, layout.sentences)
    inside = [one for one in found if sentence[0] <= one.start and one.end <= sentence[1]]
    meant = [one for one in inside if one.unit != BEFORE or best.unit == BEFORE]
    return [one for one in meant if one.span not in taken][:MOST_ITEMS]


def _beside(layout: Layout, span: Span) -> list[Span]:
    """Return the items of the list that a span is one of: bulleted lines, or words between commas."""
    if bullets := _bullets(layout, span):
        return bullets[:MOST_ITEMS]
    line = layout.lines[layout.line(span[0])]
    sentence = layout.within(span, layout.sentences)
    start, end = max(sentence[0], line.span[0]), min(sentence[1], line.span[1])
    if line.label and span[0] >= line.value:
        region = (line.value, end)
    else:
        region = _enumeration(layout.text, (start, end), span)
    items = [item for item in _split(layout.text, region) if item][:MOST_ITEMS]
    words = len(layout.text[slice(*region)].split())
    return items if words <= LONGEST_WORDS * len(items) else [span]


def _bullets(layout: Layout, span: Span) -> list[Span]:
    place = layout.line(span[0])
    if not _BULLET.match(layout.text[slice(*layout.lines[place].span)]):
        return []
    first = last = place
    while first and _BULLET.match(layout.text[slice(*layout.lines[first - 1].span)]):
        first -= 1
    while last + 1 < len(layout.lines) and _BULLET.match(layout.text[slice(*layout.lines[last + 1].span)]):
        last += 1
    found = []
    for line in layout.lines[first : last + 1]:
        begin = line.span[0] + len((_BULLET.match(layout.text[slice(*line.span)]) or [""])[0])
        found.append(_trimmed(layout.text, begin, line.span[1]))
    return [span for span in found if span]


def _enumeration(text: str, sentence: Span, span: Span) -> Span:
    """Return the run of short pieces between commas that a span is one of; else the span itself."""
    marks = [match.span() for match in _SEPARATOR.finditer(text, *sentence)]
    start, end = span
    for mark in reversed([mark for mark in marks if mark[1] <= span[0] + 1]):
        before = max((other[1] for other in marks if other[1] <= mark[0]), default=sentence[0])
        if start - mark[1] > LONGEST_ITEM or before == sentence[0]:
            break
        start = before
    for mark in (mark for mark in marks if mark[0] >= span[1] - 1):
        if mark[0] - end > LONGEST_ITEM:
            break
        end = min((other[0] for other in marks if other[0] >= mark[1]), default=sentence[1])
    return start, end


def _split(text: str, region: Span) -> list[Span]:
    found, start = [], region[0]
    for match in [*_SEPARATOR.finditer(text, *region), None]:
        end = match.start() if match else region[1]
        if span := _trimmed(text, start, end):
            found.append(span)
        start = match.end() if match else end
    return found


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    stripped = piece.strip(_TRIM)
    begin = start + piece.find(stripped)
    return (begin, begin + len(stripped)) if stripped else ()  # type: ignore[return-value]  # empty is false


def object_items(
    members: Sequence[Scored], layout: Layout, taken: Sequence[Span]
) -> list[dict[tuple[str, ...], Choice]]:
    """Return the items of an array of objects: per item, each member's choice by its path.

    An item is a line, sentence or clause that states most of what must be told of one, by values that nothing
    else in the record has.
    """
    found = []
    for part in _item_parts(members, layout):
        chosen = {one.leaf.path: one.best(part) for one in members}
        sure = [
            one
            for one in members
            if (choice := chosen[one.leaf.path]).candidate
            and choice.absent < _LEAST
            and choice.candidate.span not in taken
        ]
        if len(sure) >= min(2, len(members)) and any(chosen[one.leaf.path].stated for one in sure):
            found.append(chosen)
    return found[:MOST_ITEMS]


def _item_parts(members: Sequence[Scored], layout: Layout) -> list[Span]:
    """Return the clauses where several hold what one item has once, else the sentences."""
    anchors = [one for one in members if group(one.leaf) in ("number", "date", "shaped")] or members[:1]
    spans = [candidate.span for one in anchors[:1] for candidate in one.found]
    parts: list[Span] = []
    for sentence in layout.sentences:
        inside = [span for span in spans if sentence[0] <= span[0] and span[1] <= sentence[1]]
        clauses = [part for part in layout.clauses if sentence[0] <= part[0] and part[1] <= sentence[1]]
        parts += clauses if len(inside) > 1 and len(clauses) > 1 else [sentence]
    return parts
