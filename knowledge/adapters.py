"""Which adapter of its model answers: chosen once, in the database, and followed by every process."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grammars.engine.adapters import AdapterError, Manifest
from grammars.engine.protocol import Adaptable

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from grammars.engine.protocol import Engine
    from knowledge.database import Pool

log = logging.getLogger(__name__)


class NoEarlierChoiceError(Exception):
    """No adapter was chosen for this model, so there is nothing to return from: `almanac adapters list`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An adapter's name, None for the model as it is, and since when it answers."""

    adapter: str | None
    chosen_at: datetime


async def chosen(pool: Pool, model: str) -> Choice | None:
    """Return the choice that holds for a model; None where there never was one, or all were rolled back."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_CHOSEN, [model])).fetchone()
    return Choice(*row) if row else None


async def choose(pool: Pool, model: str, adapter: str | None) -> None:
    """Choose the adapter of the answers to come; those in the making keep theirs."""
    async with pool.connection() as connection:
        await connection.execute(_CHOOSE, [model, adapter])


async def roll_back(pool: Pool, model: str) -> Choice | None:
    """Take the last choice back; return the one that now holds, as `chosen` does.

    Raises:
        NoEarlierChoiceError: there is none to take back.
    """
    async with pool.connection() as connection:
        if not (await connection.execute(_ROLL_BACK, [model])).rowcount:
            raise NoEarlierChoiceError(str(NoEarlierChoiceError.__doc__))
    return await chosen(pool, model)


def installed(folder: Path) -> dict[str, Manifest]:
    """Return the adapters in a folder by name; what is no adapter is left out, and said in the log."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            found[path.name] = Manifest.read(path)
        except AdapterError as error:
            log.warning("%s", error)
    return found


class Following:
    """Keeps an engine at the choice that holds for its model.

    Args:
        pool: of the database with the choices.
        engine: what is asked; one without adapters is left alone.
        folder: where adapters lie, each in a folder of its name.
    """

    def __init__(self, pool: Pool, engine: Engine, folder: Path) -> None:
        self._pool = pool
        self._engine = engine
        self._folder = folder
        self._own = engine.adapter if isinstance(engine, Adaptable) else None
        self._lock = asyncio.Lock()

    async def __call__(self) -> None:
        """Load and use what is chosen; an adapter that is not here is logged, and the one before goes on."""
        if not isinstance(self._engine, Adaptable):
            return
        async with self._lock:
            choice = await chosen(self._pool, self._engine.name)
            wanted = choice.adapter if choice else self._own
            if wanted != self._engine.adapter:
                await self._use(self._engine, wanted)

    async def _use(self, engine: Adaptable, name: str | None) -> None:
        try:
            if name is not None and name not in engine.adapters:
                await engine.load_adapter(name, self._folder / name)
        except AdapterError:
            log.exception(
                "The chosen adapter cannot be used; %s goes on.", engine.adapter or "the bare model"
            )
        else:
            engine.use_adapter(name)


_CHOSEN = """
select adapter, chosen_at from adapter_choices
 where model = %s and rolled_back_at is null order by id desc limit 1
"""

_CHOOSE = "insert into adapter_choices (model, adapter) values (%s, %s)"

_ROLL_BACK = """
update adapter_choices set rolled_back_at = now()
 where id = (select max(id) from adapter_choices where model = %s and rolled_back_at is null)
"""
