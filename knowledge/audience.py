"""Who will see a reply, and which sources every one of them may read.

A source lists its readers: ids of channels, user groups and people, and the words `everyone` (the members of
the workspace) and `guests` (its guests). Without a list it is for everyone. Somebody of another workspace is
meant by neither word: they read what lists them, or a channel or group that they are in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from knowledge.database import Pool

Place = tuple[str, str]  # of a document: its source's name, and its URI there

EVERYONE = "everyone"
GUESTS = "guests"
WORDS = frozenset({EVERYONE, GUESTS})

# Of a source `s`: whether each reader bears a name that it lists. Nobody at all may read nothing.
MAY_READ = """(%(readers)s::jsonb is null
               or jsonb_array_length(%(readers)s::jsonb) > 0
              and not exists (select from jsonb_array_elements(%(readers)s::jsonb) as reader (names)
                               where not reader.names ?| coalesce(s.audience, array['everyone'])))"""


@dataclass(frozen=True, slots=True)
class Audience:
    """Those who will see a reply, each by the names under which a source may list them.

    Make it with `of`: readers who may read more than another one of them change nothing, and are left out.
    """

    readers: frozenset[frozenset[str]]

    @classmethod
    def of(cls, readers: Iterable[Iterable[str]], listed: Collection[str] | None = None) -> Audience:
        """Return the audience of these readers; of nobody, one that may read nothing.

        Args:
            readers: the names of each.
            listed: the names that any source lists; only they matter. None keeps all.
        """
        kept = None if listed is None else WORDS.union(listed)
        everyone = {frozenset(names) if kept is None else kept.intersection(names) for names in readers}
        everyone = everyone or {frozenset()}
        return cls(frozenset(one for one in everyone if not any(other < one for other in everyone)))

    @property
    def of_members(self) -> bool:
        """Whether each reader is a member of the workspace."""
        return all(EVERYONE in names for names in self.readers)

    def as_json(self) -> list[list[str]]:
        """Return the names of each reader, in a fixed order."""
        return sorted(sorted(names) for names in self.readers)


def readers_parameter(audience: Audience | None) -> Jsonb | None:
    """Return what `MAY_READ` takes; None, which is for the operator, leaves nothing out."""
    return None if audience is None else Jsonb(audience.as_json())


async def listed_readers(pool: Pool) -> frozenset[str]:
    """Return every name that a source lists."""
    async with pool.connection() as connection:
        rows = await connection.execute("select distinct unnest(audience) from sources")
        return frozenset(name for (name,) in await rows.fetchall())


async def readable_sources(pool: Pool, audience: Audience | None) -> frozenset[str]:
    """Return the names of the sources that all of the audience may read."""
    async with pool.connection() as connection:
        rows = await connection.execute(_SOURCES, {"readers": readers_parameter(audience)})
        return frozenset(name for (name,) in await rows.fetchall())


async def readable_documents(
    pool: Pool, audience: Audience | None, documents: Collection[Place]
) -> frozenset[Place]:
    """Return which of these documents are there, and may be read by all of the audience.

    The same URI may stand in two sources, of another text and for other readers: a document is its source's.
    """
    sources, uris = zip(*documents, strict=True) if documents else ((), ())
    values = {"readers": readers_parameter(audience), "sources": list(sources), "uris": list(uris)}
    async with pool.connection() as connection:
        rows = await connection.execute(_DOCUMENTS, values)
        return frozenset(await rows.fetchall())


async def note_membership(pool: Pool, subject: str) -> None:
    """Note that a channel's or group's members, or a person's standing, are not what they were."""
    async with pool.connection() as connection:
        await connection.execute(_NOTE, [subject])


async def membership_versions(pool: Pool, subjects: Collection[str]) -> Mapping[str, int]:
    """Return how often each of these changed; what is not named never did."""
    async with pool.connection() as connection:
        rows = await connection.execute(_VERSIONS, [list(subjects)])
        return dict(await rows.fetchall())


_SOURCES = f"select name from sources s where {MAY_READ}"  # noqa: S608 - the condition is ours
_DOCUMENTS = f"""
select s.name, d.uri
  from unnest(%(sources)s::text[], %(uris)s::text[]) asked (source, uri)
  join sources s on s.name = asked.source
  join documents d on d.source_id = s.id and d.uri = asked.uri
 where d.content is not null and {MAY_READ}"""  # noqa: S608 - as above

# Processes remember what Slack said: the one that hears of a change tells the others by this number.
_NOTE = """
insert into membership_changes (subject, version) values (%s, 1)
on conflict (subject) do update set version = membership_changes.version + 1"""

_VERSIONS = "select subject, version from membership_changes where subject = any(%s)"
