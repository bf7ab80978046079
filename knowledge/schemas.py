"""The registry of schemas: checked on arrival, kept in versions, offered by title."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Json, Jsonb

from grammars.extraction.check import Report, SchemaRefused, check, parse_schema
from grammars.extraction.question import words
from grammars.schemas import built_in

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from knowledge.database import Pool

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
VERBS = frozenset({"batch", "channel", "help", "schemas"})  # what `/extract` takes for a command of its own
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON
_COLUMNS = "id, name, version, title, description, definition, report, created_at"


class SchemaUnknown(Exception):  # noqa: N818 - it reads as what happened
    """There is no schema of that name; the message lists those there are."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of a schema.

    Attributes:
        report: what the check found, as `Report.as_json` says it.
    """

    id: int
    name: str
    version: int
    title: str
    description: str
    definition: dict[str, Any]
    report: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GivenSchema:
    """A schema that came along with its text, checked, and is not kept."""

    definition: dict[str, Any]
    id: None = None
    version: None = None

    @property
    def name(self) -> str:
        """Its title."""
        return str(self.definition.get("title") or "")


async def given_schema(definition: Any) -> GivenSchema:
    """Check a schema that is used once.

    Raises:
        SchemaRefused: it cannot be used.
    """
    _check_characters(definition)
    await check(definition)
    return GivenSchema(definition)


async def add_schema(pool: Pool, name: str, definition: Any) -> Schema:
    """Check and keep a schema; a definition that is there already makes no new version.

    Raises:
        SchemaRefused: it cannot be used, or its name cannot.
    """
    check_name(name)
    _check_characters(definition)
    report = await check(definition)
    return await _keep(pool, name, definition, report)


def check_name(name: str) -> None:
    """Check what a schema is to be called.

    Raises:
        SchemaRefused: nobody could ask for it by that name.
    """
    if not NAME.fullmatch(name):
        raise SchemaRefused(
            f"{name!r} is no name for a schema: use a-z, 0-9, - and _, at most 40 characters."
        )
    if name in VERBS:
        raise SchemaRefused(
            f"{name!r} is no name for a schema: `/extract {name}` means something else. Choose another."
        )


def _check_characters(definition: Any) -> None:
    """Refuse what JSON's escapes can write and Postgres cannot keep."""
    try:
        written = json.dumps(definition, ensure_ascii=False, allow_nan=False)
        written.encode()
    except (ValueError, RecursionError):
        raise SchemaRefused(
            "The schema is refused: it holds half a character, a number without an end, or too many levels."
        ) from None
    if _NUL.search(written):
        raise SchemaRefused("The schema is refused: it holds the character NUL (\\u0000). Take it out.")


async def _keep(pool: Pool, name: str, definition: dict[str, Any], report: Report) -> Schema:
    title = str(definition.get("title") or words(name).capitalize())
    row = {
        "name": name,
        "title": title,
        "description": str(definition.get("description") or ""),
        "definition": Json(definition),
        "same": Jsonb(definition),
        "report": Jsonb(report.as_json()),
    }
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Schema)) as cursor:
        # Two who add at once wait for one another, so that versions have no gaps and no twins.
        await cursor.execute("select pg_advisory_xact_lock(hashtext('schemas:' || %s))", (name,))
        await cursor.execute(_REVIVE, row)
        if found := await cursor.fetchone():
            return found
        await cursor.execute(_ADD, row)
        added = await cursor.fetchone()
    assert added is not None
    return added


_REVIVE = f"""
update schemas set retired_at = null
 where name = %(name)s and definition::jsonb = %(same)s
   and version = (select max(version) from schemas where name = %(name)s)
returning {_COLUMNS}
"""  # noqa: S608 - our own columns
_ADD = f"""
insert into schemas (name, version, title, description, definition, report)
select %(name)s, coalesce(max(version), 0) + 1, %(title)s, %(description)s, %(definition)s, %(report)s
  from schemas where name = %(name)s
returning {_COLUMNS}
"""  # noqa: S608 - our own columns


async def list_schemas(pool: Pool) -> list[Schema]:
    """Return the newest version of each schema that is offered, by title."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Schema)) as cursor:
        await cursor.execute(_LIST)
        return await cursor.fetchall()


_LIST = f"""
select {_COLUMNS} from (
    select distinct on (name) * from schemas where retired_at is null order by name, version desc
) newest order by title
"""  # noqa: S608 - our own columns


async def find_schema(pool: Pool, name: str, version: int | None = None) -> Schema:
    """Return a schema's newest version, or one that is asked for, retired or not.

    Raises:
        SchemaUnknown: there is none.
    """
    condition = "retired_at is null" if version is None else "version = %(version)s"
    query = (
        f"select {_COLUMNS} from schemas where name = %(name)s and {condition} order by version desc limit 1"  # noqa: S608 - our own columns
    )
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Schema)) as cursor:
        await cursor.execute(query, {"name": name, "version": version})
        found = await cursor.fetchone()
    if found is None:
        known = ", ".join(schema.name for schema in await list_schemas(pool)) or "none"
        raise SchemaUnknown(f"There is no schema {name!r}. There are: {known}. See `almanac schemas list`.")
    return found


async def remove_schema(pool: Pool, name: str) -> Schema:
    """Retire a schema: it is no longer offered; records made by it stay.

    Raises:
        SchemaUnknown: there is none.
    """
    found = await find_schema(pool, name)
    async with pool.connection() as connection:
        await connection.execute("update schemas set retired_at = now() where name = %s", (name,))
    return found


async def load_schemas(pool: Pool, folder: Path | None = None) -> dict[str, str]:
    """Bring the registry up to date with what comes along and with a folder of `NAME.json` files.

    A built-in schema that somebody changed or removed stays so.

    Returns:
        What could not be used: the reason, by file name.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute("select distinct name from schemas")
        known = {row[0] for row in await cursor.fetchall()}
    for name, definition in built_in().items():
        if name not in known:
            await _keep(pool, name, definition, Report(enforced=True))
    refused = {}
    for path in await asyncio.to_thread(_files, folder) if folder else ():
        try:
            await _load(pool, path.stem, parse_schema(await asyncio.to_thread(read_schema, path)))
        except (SchemaRefused, OSError) as error:
            refused[path.name] = str(error)
    return refused


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if path.is_file())


def read_schema(path: Path) -> str:
    """Return the text of a schema's file.

    Raises:
        SchemaRefused: it is no text.
        OSError: it cannot be read.
    """
    return schema_text(path.read_bytes(), str(path))


def schema_text(data: bytes, name: str) -> str:
    """Return a file's content as text.

    Raises:
        SchemaRefused: it is none.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SchemaRefused(f"{name} is not UTF-8 text, which a JSON Schema has to be.") from None


async def _load(pool: Pool, name: str, definition: Any) -> None:
    """Add a schema whose newest version says something else; an older one that says the same is past."""
    _check_characters(definition)
    async with pool.connection() as connection:
        cursor = await connection.execute(_IS_NEWEST, (Jsonb(definition), name))
        row = await cursor.fetchone()
    if row is None or not row[0]:
        await add_schema(pool, name, definition)


_IS_NEWEST = """
select definition::jsonb = %s and retired_at is null from schemas where name = %s
 order by version desc limit 1
"""


def as_row(schema: Schema) -> dict[str, Any]:
    """Return a schema for `json.dumps`, its moment in ISO 8601."""
    row = {name: getattr(schema, name) for name in ("name", "version", "title", "description", "report")}
    return {**row, "created_at": schema.created_at.isoformat(), "definition": schema.definition}
