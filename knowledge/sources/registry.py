"""The registry of what is indexed: each source with its name, filters, schedule, link and audience."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from psycopg import errors, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from knowledge.sources.schedule import DEFAULTS, check_schedule, next_due
from knowledge.sources.uri import (
    Kind,
    SourceError,
    default_name,
    kind_of,
    local_path,
    names_credential,
    normalised,
    refuse_credentials,
    setting_of,
)
from knowledge.stale import forget_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from knowledge.database import Pool
    from knowledge.stale import DeferMark

# A channel, a user group or a person; the words are those of `knowledge.audience`.
_READER = re.compile(r"[CGSUW][A-Z0-9]+|everyone|guests")
_OLDEST = 100_000  # days
PLAIN = (
    "The option {!r} is a credential, which would be stored and shown. Put it into ALMANAC_SOURCE_SECRETS"
    " under a name, and give that: {}."
)
NO_SETTING = "A secret is given as its NAME in ALMANAC_SOURCE_SECRETS, in capitals."
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
_COLUMNS = "id, name, uri, include, exclude, link_base, audience, schedule, options, revision, half_life_days"


@dataclass(frozen=True, slots=True)
class Source:
    """Where documents come from.

    Attributes:
        uri: its address, without credentials; `knowledge.sources.uri` says which there are.
        include: globs on the path within the source; none means every supported kind of file.
        exclude: globs that win over `include`.
        link_base: the http(s) prefix under which a document can be opened, or None.
        audience: who may read it: ids of channels, user groups and people; None is everyone.
        schedule: an interval, a cron expression or `never`.
        options: what its driver is given; `{"setting": NAME}` stands for the value of a setting.
        revision: what the last finished run saw, such as a git commit.
        half_life_days: after how many days a document's passages count half; None: age does not matter.
    """

    id: int
    name: str
    uri: str
    include: list[str]
    exclude: list[str]
    link_base: str | None
    audience: list[str] | None
    schedule: str | None
    options: dict[str, Any]
    revision: str | None
    half_life_days: float | None = None

    @property
    def kind(self) -> Kind:
        """What kind of origin it is."""
        return kind_of(self.uri)

    @property
    def path(self) -> Path:
        """The folder or file of a local source."""
        return local_path(self.uri)


async def add_source(
    pool: Pool,
    uri: str,
    *,
    name: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    link_base: str | None = None,
    audience: Sequence[str] | None = None,
    schedule: str | None = None,
    options: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    half_life_days: float | None = None,
) -> Source:
    """Register a source; adding it again changes what is given then, and leaves the rest.

    Args:
        pool: of the database.
        uri: a local path, or an address of any kind that `knowledge.sources` has.
        name: what to call it; else its own.
        include: globs of what to index; none means every supported kind of file.
        exclude: globs that win over `include`.
        link_base: the http(s) prefix under which its documents can be opened.
        audience: ids of the channels, user groups and people who may read it; None is everyone.
        schedule: when to look again; None takes the kind's own.
        options: what the driver is given.
        secrets: options whose value is one of ALMANAC_SOURCE_SECRETS, by its name there.
        half_life_days: after how many days a document's passages count half; None: age does not matter.

    Raises:
        SourceError: it does not exist, cannot be, or the name belongs to another source.
    """
    address = normalised(uri)
    kept = check_schedule(schedule or DEFAULTS[kind_of(address)])
    row = {
        "name": name or default_name(address),
        "uri": address,
        "include": list(include),
        "exclude": list(exclude),
        "link_base": check_link(link_base),
        "audience": _checked_audience(audience),
        "schedule": kept,
        "due_at": next_due(kept, datetime.now(UTC)) and datetime.now(UTC),
        "options": Jsonb(_checked_options(options or {}, secrets or {})),
        "named": name is not None,
        "scheduled": schedule is not None,
        "half_life_days": _checked_half_life(half_life_days),
    }
    return await _write(pool, _ADD, row)


async def edit_source(pool: Pool, known_as: str, /, **changes: Any) -> Source:
    """Change any of a source's name, include, exclude, link_base, audience, schedule and half_life_days.

    Or its `options` and `secrets`, which go together: they replace what there was. `audience=None` is
    everyone.

    Raises:
        SourceError: there is no such source, or a value cannot be.
    """
    source = await find_source(pool, known_as)
    row = _checked(changes)
    if not row:
        return source
    if "schedule" in row:
        row["due_at"] = next_due(row["schedule"], datetime.now(UTC))
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in row
    )
    statement = sql.SQL("update sources set {} where id = %(id)s returning {}").format(
        assignments, sql.SQL(_COLUMNS)
    )
    return await _write(pool, statement, {**row, "id": source.id})


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that the changes set."""
    row: dict[str, Any] = {key: changes[key] for key in ("name", "include", "exclude") if key in changes}
    if "link_base" in changes:
        row["link_base"] = check_link(changes["link_base"])
    if "audience" in changes:
        row["audience"] = _checked_audience(changes["audience"])
    if "schedule" in changes:
        row["schedule"] = check_schedule(changes["schedule"])
    if "half_life_days" in changes:
        row["half_life_days"] = _checked_half_life(changes["half_life_days"])
    if "options" in changes or "secrets" in changes:
        options = _checked_options(changes.get("options") or {}, changes.get("secrets") or {})
        row["options"] = Jsonb(options)
    return row


async def _write(pool: Pool, statement: str | sql.Composed, row: dict[str, Any]) -> Source:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Source)) as cursor:
        try:
            await cursor.execute(statement, row)
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
    """Return the source of that name, URI or local path.

    Raises:
        SourceError: there is none; the message lists those that exist.
    """
    sources = await list_sources(pool)
    for source in sources:
        if name in {source.name, source.uri} or (source.kind is Kind.LOCAL and name == str(source.path)):
            return source
    known = ", ".join(source.name for source in sources) or "none yet"
    raise SourceError(f"There is no source {name!r}; there is: {known}.")


async def remove_source(pool: Pool, name: str, *, defer: DeferMark | None = None) -> Source:
    """Forget the source of that name with its documents and passages, at once.

    Answers that quote them are marked by the jobs that `defer` defers.

    Raises:
        SourceError: there is none.
    """
    source = await find_source(pool, name)
    async with pool.connection() as connection:
        await forget_source(connection, source.id, defer)
        await connection.execute("delete from sources where id = %s", [source.id])
    return source


def document_link(link_base: str | None, path: str, uri: str = "") -> str | None:
    """Return where a person can open the document at `path` within its source, or None.

    A document of a website is opened where it is.
    """
    if link_base is None:
        return uri if urlsplit(uri).scheme in {"http", "https"} else None
    return f"{link_base.rstrip('/')}/{quote(path)}"


def check_link(link_base: str | None) -> str | None:
    """Return the prefix of links as it is kept.

    Raises:
        SourceError: it is no http(s) address, or one that holds a credential; which is not repeated then.
    """
    if link_base is None:
        return None
    refuse_credentials(link_base)
    if urlsplit(link_base).scheme not in {"http", "https"}:
        raise SourceError(f"The link base {link_base!r} is no http(s) address.")
    return link_base


def _checked_audience(audience: Sequence[str] | None) -> list[str] | None:
    if audience is None:
        return None
    if not audience or (wrong := [reader for reader in audience if not _READER.fullmatch(reader)]):
        shown = repr(wrong[0]) if audience else "nobody"
        raise SourceError(
            "An audience lists ids of channels (C…), user groups (S…) and people (U…), and the words everyone"
            f" (the members of the workspace) and guests: not {shown}."
        )
    return list(dict.fromkeys(audience))


def _checked_half_life(days: float | None) -> float | None:
    if days is not None and not 0 < days < _OLDEST:
        raise SourceError(f"A half-life is a number of days above 0, such as 180: not {days}.")
    return days


def _checked_options(options: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    for name, value in options.items():
        _refuse_plain(name, value)
    if not all(_SETTING.fullmatch(setting) for setting in secrets.values()):
        raise SourceError(NO_SETTING)
    return {**options, **{name: {"setting": setting} for name, setting in secrets.items()}}


def _refuse_plain(name: str, value: Any, *, nested: bool = False) -> None:
    """Refuse a credential that stands in an option itself, however deep, or in an address that one holds."""
    if setting := setting_of(value):
        if not _SETTING.fullmatch(setting):
            raise SourceError(NO_SETTING)
    elif names_credential(name):
        remedy = 'in its place {"setting": "NAME"}' if nested else f"--secret {name}=NAME"
        raise SourceError(PLAIN.format(name, remedy))
    elif isinstance(value, dict):
        for inner, of in value.items():
            _refuse_plain(str(inner), of, nested=True)
    elif isinstance(value, list):
        for of in value:
            _refuse_plain(name, of, nested=True)
    elif isinstance(value, str) and "://" in value:
        refuse_credentials(value)


# A source that is known keeps what is not given: above all, who may read it.
_ADD = f"""
    insert into sources (name, uri, include, exclude, link_base, audience, schedule, due_at, options,
                         half_life_days)
    values (%(name)s, %(uri)s, %(include)s, %(exclude)s, %(link_base)s, %(audience)s, %(schedule)s,
            %(due_at)s, %(options)s, %(half_life_days)s)
    on conflict (uri) do update set
        name = case when %(named)s then excluded.name else sources.name end,
        include = case when excluded.include = '{{}}' then sources.include else excluded.include end,
        exclude = case when excluded.exclude = '{{}}' then sources.exclude else excluded.exclude end,
        link_base = coalesce(excluded.link_base, sources.link_base),
        audience = coalesce(excluded.audience, sources.audience),
        schedule = case when %(scheduled)s then excluded.schedule else sources.schedule end,
        due_at = case when %(scheduled)s then excluded.due_at else sources.due_at end,
        options = case when excluded.options = '{{}}' then sources.options else excluded.options end,
        half_life_days = coalesce(excluded.half_life_days, sources.half_life_days)
    returning {_COLUMNS}"""  # noqa: S608 the columns are ours
