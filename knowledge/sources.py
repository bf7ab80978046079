"""The registry of what is indexed: folders and files, each with its name, filters and link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from psycopg import errors
from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowledge.database import Pool

_COLUMNS = "id, name, uri, include, exclude, link_base, audience"


@dataclass(frozen=True, slots=True)
class Source:
    """Where documents come from.

    Attributes:
        uri: a folder or a file, as `file://…`.
        include: globs on the path within the source; none means every supported kind of file.
        exclude: globs that win over `include`.
        link_base: the http(s) prefix under which a document can be opened, or None.
        audience: who may read it; None is everyone.
    """

    id: int
    name: str
    uri: str
    include: list[str]
    exclude: list[str]
    link_base: str | None
    audience: list[str] | None

    @property
    def path(self) -> Path:
        """The local folder or file."""
        return Path(unquote(urlsplit(self.uri).path))


class SourceError(ValueError):
    """The source cannot be added or found; the message says why and what to do."""


async def add_source(
    pool: Pool,
    uri: str,
    *,
    name: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    link_base: str | None = None,
    audience: Sequence[str] | None = None,
) -> Source:
    """Register a folder or file; adding it again changes its name, filters and link.

    Raises:
        SourceError: it does not exist, its link is not http(s), or the name belongs to another source.
    """
    path = _local_path(uri)
    if link_base is not None and urlsplit(link_base).scheme not in {"http", "https"}:
        raise SourceError(f"The link base {link_base!r} is no http(s) address.")
    row = {
        "name": name or path.name or str(path),
        "uri": path.as_uri(),
        "include": list(include),
        "exclude": list(exclude),
        "link_base": link_base,
        "audience": None if audience is None else list(audience),
    }
    # Without a name given, a source that is known keeps the one it has.
    statement = f"""
        insert into sources (name, uri, include, exclude, link_base, audience)
        values (%(name)s, %(uri)s, %(include)s, %(exclude)s, %(link_base)s, %(audience)s)
        on conflict (uri) do update set
            name = case when %(named)s then excluded.name else sources.name end,
            include = excluded.include, exclude = excluded.exclude,
            link_base = excluded.link_base, audience = excluded.audience
        returning {_COLUMNS}"""  # noqa: S608 the columns are ours
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Source)) as cursor:
        try:
            await cursor.execute(statement, {**row, "named": name is not None})
        except errors.UniqueViolation:
            raise SourceError(
                f"There is a source called {row['name']!r} already; give this one a name."
            ) from None
        source = await cursor.fetchone()
    assert source is not None
    return source


async def list_sources(pool: Pool) -> list[Source]:
    """Return all sources by name."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Source)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from sources order by name")  # noqa: S608 the columns are ours
        return await cursor.fetchall()


async def find_source(pool: Pool, name: str) -> Source:
    """Return the source of that name or URI.

    Raises:
        SourceError: there is none; the message lists those that exist.
    """
    sources = await list_sources(pool)
    for source in sources:
        if name in {source.name, source.uri, str(source.path)}:
            return source
    known = ", ".join(source.name for source in sources) or "none yet"
    raise SourceError(f"There is no source {name!r}; there is: {known}.")


async def remove_source(pool: Pool, name: str) -> Source:
    """Forget the source of that name with its documents and passages, at once.

    Raises:
        SourceError: there is none.
    """
    source = await find_source(pool, name)
    async with pool.connection() as connection:
        await connection.execute("delete from sources where id = %s", [source.id])
    return source


def document_link(link_base: str | None, path: str) -> str | None:
    """Return where a person can open the document at `path` within its source, or None."""
    return None if link_base is None else f"{link_base.rstrip('/')}/{quote(path)}"


def _local_path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"}:
        raise SourceError(f"{uri!r}: only local folders and files can be added.")
    path = Path(unquote(parts.path) if parts.scheme else uri).expanduser().resolve()
    if not path.exists():
        raise SourceError(f"{path} does not exist.")
    return path
