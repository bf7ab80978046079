"""Whatever happens to people, channels, groups and sources: nobody is shown a passage that they may not read.

The workspace is asked over HTTP and what it said is remembered, so the caches are warm throughout. It is held
with one generation, while another is built, and after the switch.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hashing import HashingEmbedder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.demo.people import CAST, CHANNELS, GROUPS
from bot.wiring import reading
from handlers.audience import Audiences
from handlers.client import build_client
from knowledge import pipeline
from knowledge.audience import EVERYONE, GUESTS
from knowledge.database import open_pool
from knowledge.index import reindex
from knowledge.search import search
from knowledge.serving import Serving
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bot.demo import LocalWorkspace
    from handlers.services import Reading
    from knowledge.database import Pool

PEOPLE = [person.id for person in CAST]
PLACES = [channel for channel, *_ in CHANNELS]
(GROUP,) = [str(group["id"]) for group in GROUPS]
WORDS = ("roses", "ledger", "salary")
SOURCES = [f"source{number}" for number in range(5)]
HALF = 7  # of the 15 documents

names = st.sampled_from([EVERYONE, GUESTS, GROUP, *PEOPLE, *PLACES])
audiences = st.lists(names, min_size=1, max_size=3)
people = st.sampled_from(PEOPLE)
steps = st.one_of(
    st.tuples(
        st.just("relist"), st.sampled_from(SOURCES), st.none() | st.lists(names, min_size=1, max_size=3)
    ),
    st.tuples(st.just("move"), st.sampled_from(PLACES), st.sets(people)),
    st.tuples(st.just("regroup"), st.just(GROUP), st.sets(people)),
    st.tuples(st.just("become"), people, st.sampled_from(["member", "guest"])),
    st.tuples(st.just("ask"), st.sampled_from([*PLACES, *PEOPLE]), st.sampled_from(WORDS)),
)


class Stuck(HashingEmbedder):
    """Embeds half of the documents, and hangs until it may go on."""

    def __init__(self, *named: Any) -> None:
        super().__init__(*named)
        self.reached, self.gate = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if len(self.embedded) >= HALF:
            self.reached.set()
            await self.gate.wait()
        return await super().embed(texts)


@dataclass
class World:
    """A workspace, an index, and whoever tells who may read what in between."""

    workspace: LocalWorkspace
    pool: Pool
    reading: Reading
    audiences: Audiences
    serving: Serving

    async def reset(self) -> None:
        for source in SOURCES:
            await self.relist(source, None)
        for place in PLACES:
            await self.move(place, {*PEOPLE[:3], *(PEOPLE if place == PLACES[-1] else [])})
        await self.regroup(GROUP, set(PEOPLE[:2]))
        for person in CAST:
            await self.become(person.id, person.kind)

    async def relist(self, source: str, audience: list[str] | None) -> None:
        async with self.pool.connection() as connection:
            await connection.execute("update sources set audience = %s where name = %s", [audience, source])

    async def move(self, channel: str, members: set[str]) -> None:
        found = self.workspace.state.channels[channel]
        if set(found.members) != {*members, self.workspace.state.bot.id}:
            found.members[:] = [*sorted(members), self.workspace.state.bot.id]
            await self.reading.note_membership(channel)

    async def regroup(self, name: str, members: set[str]) -> None:
        (group,) = self.workspace.state.groups
        if set(group["users"]) != members:
            group["users"] = sorted(members)
            await self.reading.note_membership(name)

    async def become(self, person: str, kind: str) -> None:
        before = self.workspace.state.people[person]
        if before.kind != kind:
            self.workspace.state.people[person] = replace(before, kind=kind)
            await self.reading.note_membership(person)

    async def ask(self, place: str, word: str) -> None:
        told = self.audiences.of_person if place in PEOPLE else self.audiences.in_channel
        audience = (await told(place)).audience
        question = f"What of {word}?"
        found = await self.serving.use(
            lambda embedder: search(self.pool, embedder, question, k=100, audience=audience)
        )
        assert {passage.source for passage in found} == await self.allowed(place)

    async def allowed(self, place: str) -> set[str]:
        """Decide person by person and name by name, as the documentation has it."""
        inside = [place] if place in PEOPLE else self.workspace.state.channels[place].members
        viewers = [person for person in inside if person in PEOPLE]
        async with self.pool.connection() as connection:
            rows = await (await connection.execute("select name, audience from sources")).fetchall()
        return {
            name
            for name, audience in rows
            if viewers and all(self.may_read(person, audience or [EVERYONE]) for person in viewers)
        }

    def may_read(self, person: str, audience: list[str]) -> bool:
        state = self.workspace.state
        is_guest = state.people[person].kind == "guest"
        bears = {person, GUESTS if is_guest else EVERYONE}
        bears |= {channel for channel in PLACES if person in state.channels[channel].members}
        bears |= {str(group["id"]) for group in state.groups if person in group["users"]}
        return bool(bears.intersection(audience))


@pytest.fixture(params=["rebuilding", "renewing", "switched"])
async def world(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    workspace: LocalWorkspace,
    conninfo: str,
    tmp_path: Path,
) -> AsyncIterator[World]:
    """An index with half a rebuilt one beside, half another embedder's, or just switched."""
    monkeypatch.setattr(pipeline, "BATCH_PASSAGES", 4)
    async with open_pool(conninfo, size=12) as pool:
        await index_all(pool, tmp_path)
        own = HashingEmbedder()
        beside = Stuck("another", 32) if request.param == "renewing" else Stuck()
        building = asyncio.create_task(reindex(pool, beside, full=True))
        if request.param == "switched":
            beside.gate.set()
            await building
        else:
            await asyncio.wait_for(beside.reached.wait(), 15)
        client = build_client(workspace.bot_token, workspace.api_url)
        may = reading(pool)
        audiences = Audiences(client, may, now=lambda: 0.0)  # what is remembered never expires
        yield World(workspace, pool, may, audiences, Serving(pool, own))
        beside.gate.set()
        await building


async def index_all(pool: Pool, folder: Path) -> None:
    for source in SOURCES:
        (folder / source).mkdir()
        for word in WORDS:
            (folder / source / f"{word}.md").write_text(f"# {word}\n\n{source} says {word} of {word}.\n")
        await add_source(pool, str(folder / source))
    await reindex(pool, HashingEmbedder())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happening=st.lists(steps, max_size=8), place=st.sampled_from([*PLACES, *PEOPLE]))
async def test_nobody_is_shown_what_they_may_not_read_and_nothing_that_they_may_is_missing(
    world: World, happening: list[tuple[str, str, Any]], place: str
) -> None:
    await world.reset()
    for what, subject, value in happening:
        await getattr(world, what)(subject, value)
    await world.ask(place, WORDS[0])
