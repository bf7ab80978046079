"""Who may read what: over random audiences and readers, never a passage outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hashing import HashingEmbedder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge import search as searching
from knowledge.audience import (
    EVERYONE,
    GUESTS,
    Audience,
    listed_readers,
    membership_versions,
    note_membership,
    readable_documents,
    readable_sources,
)
from knowledge.index import reindex
from knowledge.search import search
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from knowledge.database import Pool

WORDS = ("roses", "pods", "ledger", "salary", "deploy", "water", "restart", "approve")
CHANNELS, GROUPS = ("C1", "C2", "C3"), ("S1", "S2")
PEOPLE = {"U1": EVERYONE, "U2": EVERYONE, "U3": EVERYONE, "U4": GUESTS, "U5": None}
NAMES = (EVERYONE, GUESTS, *CHANNELS, *GROUPS, *PEOPLE)
SOURCES = 6

audiences = st.none() | st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
members = st.dictionaries(
    st.sampled_from((*CHANNELS, *GROUPS)), st.sets(st.sampled_from(sorted(PEOPLE)), min_size=1), max_size=5
)


@pytest.fixture
async def indexed(pool: Pool, tmp_path: Path) -> Pool:
    """Several sources, each of which holds something about every word."""
    for number in range(SOURCES):
        folder = tmp_path / f"source{number}"
        folder.mkdir()
        for word in WORDS:
            (folder / f"{word}.md").write_text(
                f"# {word}\n\nSource {number} says of {word}: {word} {number}.\n"
            )
        await add_source(pool, str(folder))
    await reindex(pool, HashingEmbedder())
    return pool


async def listed(pool: Pool, lists: Sequence[list[str] | None]) -> dict[str, list[str] | None]:
    """Give the sources these audiences."""
    given = {f"source{number}": names for number, names in enumerate(lists)}
    async with pool.connection() as connection:
        for source, names in given.items():
            await connection.execute("update sources set audience = %s where name = %s", [names, source])
    return given


def names_of(person: str, inside: dict[str, set[str]]) -> set[str]:
    word = PEOPLE[person]
    return {person, *(place for place, who in inside.items() if person in who), *([word] if word else [])}


def may_read(person: str, names: list[str] | None, inside: dict[str, set[str]]) -> bool:
    """Decide person by person and name by name, as the documentation has it."""
    for name in [EVERYONE] if names is None else names:
        if name in WORDS_OF_PEOPLE:
            allowed = PEOPLE[person] == name
        else:
            allowed = name == person or person in inside.get(name, set())
        if allowed:
            return True
    return False


WORDS_OF_PEOPLE = {EVERYONE, GUESTS}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lists=st.lists(audiences, min_size=SOURCES, max_size=SOURCES),
    inside=members,
    readers=st.sets(st.sampled_from(sorted(PEOPLE)), min_size=1),
    word=st.sampled_from(WORDS),
    exactly=st.booleans(),
)
async def test_every_reader_may_read_whatever_is_found_and_nothing_they_may_is_missing(
    indexed: Pool,
    *,
    lists: list[list[str] | None],
    inside: dict[str, set[str]],
    readers: set[str],
    word: str,
    exactly: bool,
) -> None:
    given = await listed(indexed, lists)
    audience = Audience.of((names_of(one, inside) for one in readers), await listed_readers(indexed))
    allowed = {s for s, names in given.items() if all(may_read(one, names, inside) for one in readers)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "COMPARED", 10_000 if exactly else 0)
        found = await search(indexed, HashingEmbedder(), f"What of {word}?", k=100, audience=audience)
    assert {passage.source for passage in found} == allowed
    assert await readable_sources(indexed, audience) == allowed


async def test_nobody_may_read_nothing(indexed: Pool) -> None:
    for audience in (Audience.of([]), Audience.of([[]]), Audience(frozenset())):
        assert await search(indexed, HashingEmbedder(), "roses", audience=audience) == []
        assert await readable_sources(indexed, audience) == frozenset()


async def test_the_operator_may_read_everything(indexed: Pool) -> None:
    await listed(indexed, [["U9"]] * SOURCES)
    assert len(await readable_sources(indexed, None)) == SOURCES
    assert await search(indexed, HashingEmbedder(), "roses")


def test_only_the_narrowest_readers_count() -> None:
    audience = Audience.of([{"U1", EVERYONE}, {"U2", EVERYONE, "C1"}, {"U3", EVERYONE}], {"C1"})
    assert audience.as_json() == [[EVERYONE]]
    assert audience.of_members
    assert not Audience.of([{EVERYONE}, {GUESTS}]).of_members
    assert len(Audience.of([{"C1"}, {GUESTS}]).readers) == 2


async def test_a_document_is_readable_where_its_source_is(indexed: Pool, tmp_path: Path) -> None:
    await listed(indexed, [["U1"], *[None] * (SOURCES - 1)])
    places = [(f"source{number}", (tmp_path / f"source{number}" / "pods.md").as_uri()) for number in (0, 1)]
    gone, elsewhere = ("source1", "file:///gone.md"), ("source1", places[0][1])
    outsider = Audience.of([{EVERYONE}])
    assert await readable_documents(indexed, outsider, [*places, gone, elsewhere]) == {places[1]}
    assert await readable_documents(indexed, Audience.of([{"U1", EVERYONE}]), places) == set(places)
    assert await readable_documents(indexed, outsider, []) == frozenset()


async def test_the_same_uri_in_two_sources_is_readable_only_in_the_one_that_is(
    indexed: Pool, tmp_path: Path
) -> None:
    uri = (tmp_path / "source0" / "pods.md").as_uri()
    async with indexed.connection() as connection:
        await connection.execute(
            "insert into documents (source_id, uri, path, content, size, mtime_ns)"
            " select id, %s, 'pods.md', 'Another text.', 0, 0 from sources where name = 'source1'",
            [uri],
        )
    await listed(indexed, [["U1"], *[None] * (SOURCES - 1)])
    places = [("source0", uri), ("source1", uri)]
    assert await readable_documents(indexed, Audience.of([{EVERYONE}]), places) == {places[1]}


async def test_an_audience_holds_in_a_generation_that_is_built_anew(indexed: Pool) -> None:
    await listed(indexed, [["U1"], *[None] * (SOURCES - 1)])
    other = HashingEmbedder("another", 32)
    await reindex(indexed, other, full=True)
    for names, count in (({EVERYONE}, SOURCES - 1), ({EVERYONE, "U1"}, SOURCES)):
        found = await search(indexed, other, "roses", k=100, audience=Audience.of([names]))
        assert len({passage.source for passage in found}) == count


async def test_a_narrow_audience_is_searched_exactly(indexed: Pool) -> None:
    await listed(indexed, [["U1"], *[["U2"]] * (SOURCES - 1)])
    embedder = HashingEmbedder()
    found = await search(indexed, embedder, "salary", k=100, audience=Audience.of([{"U1"}]))
    (question,) = await embedder.embed(["salary"])
    async with indexed.connection() as connection:
        rows = await connection.execute("select id, embedding from passages where source_id = 1")
        exact = {
            number: float(np.dot(vector.to_numpy(), question)) for number, vector in await rows.fetchall()
        }
    assert {passage.passage_id for passage in found} == exact.keys()
    for passage in found:
        assert passage.scores["dense"] == pytest.approx(exact[passage.passage_id], abs=2e-3)


async def test_changes_of_membership_are_counted(pool: Pool) -> None:
    assert await membership_versions(pool, ["C1"]) == {}
    for subject in ("C1", "C1", "S1"):
        await note_membership(pool, subject)
    assert await membership_versions(pool, ["C1", "S1", "C2"]) == {"C1": 2, "S1": 1}
