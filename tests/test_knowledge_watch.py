"""Folders that are watched, schedules that are kept, and the changes that nobody has brought in yet."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hashing import HashingEmbedder
from psycopg.conninfo import conninfo_to_dict
from running_bot import until
from unprivileged import unprivileged

from knowledge.alone import WATCH, alone_now
from knowledge.database import open_pool
from knowledge.index import reindex
from knowledge.jobs import open_jobs
from knowledge.reindexing import request_reindex, work_on_sources
from knowledge.runs import recent_runs
from knowledge.search import search
from knowledge.serving import Serving
from knowledge.sources import add_source, edit_source
from knowledge.sources.origin import Reach
from knowledge.status import status
from knowledge.watch import keep_current, request_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from procrastinate import App

    from knowledge.database import Pool


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    async with open_pool(conninfo, size=12) as pool:
        yield pool


@pytest.fixture
async def jobs(pool: Pool) -> AsyncIterator[App]:
    async with open_jobs(pool) as jobs:
        yield jobs


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("proxy", "leave", "budget"):
        (folder / f"{name}.md").write_text(f"# {name.title()}\n\nEverything about the {name}.\n")
    return folder


@contextlib.asynccontextmanager
async def going(*duties: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(duty) for duty in duties]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended), ended


async def finished(pool: Pool, runs: int) -> bool:
    return sum(run.state == "finished" for run in await recent_runs(pool)) >= runs


async def test_what_is_due_is_asked_for_once(pool: Pool, jobs: App, docs: Path) -> None:
    await add_source(pool, str(docs), name="docs", schedule="1h")
    now = datetime.now(UTC)
    async with pool.connection() as connection:
        assert await request_due(connection, jobs, now) == 1
        assert await request_due(connection, jobs, now) == 0
        assert await request_due(connection, jobs, now + timedelta(hours=1, seconds=1)) == 1
    await edit_source(pool, "docs", schedule="never")
    async with pool.connection() as connection:
        assert await request_due(connection, jobs, now + timedelta(days=400)) == 0
    assert len(await recent_runs(pool)) == 1


async def test_a_change_in_a_watched_folder_is_found_within_seconds(
    pool: Pool, jobs: App, docs: Path
) -> None:
    await add_source(pool, str(docs), name="docs", schedule="never")
    alone = docs.with_name("alone.md")
    alone.write_text("# Alone\n\nA file of its own.\n")
    await add_source(pool, str(alone), name="alone", schedule="never")
    embedder = HashingEmbedder()

    async def texts() -> set[str]:
        return {found.text for found in await search(pool, embedder, "about", k=20)}

    async def shows(*sentences: str) -> None:
        async def there() -> bool:
            return await texts() == set(sentences)

        await until(there)

    leave, budget, single = (
        "Everything about the leave.",
        "Everything about the budget.",
        "A file of its own.",
    )
    async with going(work_on_sources(jobs, pool, Serving(pool, embedder), Reach()), keep_current(pool, jobs)):
        await shows("Everything about the proxy.", leave, budget, single)
        (docs / "proxy.md").write_text("# Proxy\n\nNever touch it.\n")
        await shows("Never touch it.", leave, budget, single)
        (docs / "proxy.md").unlink()
        await shows(leave, budget, single)
        (docs / "sub").mkdir()
        (docs / "sub" / "new.md").write_text("# New\n\nFresh news.\n")
        await shows(leave, budget, single, "Fresh news.")
        (docs / "leave.md").rename(docs / "sub" / "holidays.md")
        replacing = alone.with_name("alone.md.new")
        replacing.write_text("# Alone\n\nReplaced.\n")
        replacing.rename(alone)
        await shows(leave, budget, "Fresh news.", "Replaced.")

        async def all_seen() -> bool:
            return all(source.oldest_unseen is None for source in (await status(pool)).sources)

        await until(all_seen)  # the last run ends a moment after what it stored is found


async def test_a_folder_that_took_the_place_of_another_is_watched(pool: Pool, jobs: App, docs: Path) -> None:
    await add_source(pool, str(docs), name="docs", schedule="never")
    embedder = HashingEmbedder()

    async def shows(sentence: str) -> None:
        async def there() -> bool:
            return {found.text for found in await search(pool, embedder, "about", k=20)} == {sentence}

        await until(there)

    following = docs.with_name("following")
    (following / "sub").mkdir(parents=True)
    (following / "sub" / "page.md").write_text("The first edition.")
    async with going(work_on_sources(jobs, pool, Serving(pool, embedder), Reach()), keep_current(pool, jobs)):
        await until(lambda: finished(pool, 1))
        await asyncio.to_thread(docs.rename, docs.with_name("previous"))
        await asyncio.to_thread(following.rename, docs)
        await shows("The first edition.")
        (docs / "sub" / "page.md").write_text("The second edition.")
        await shows("The second edition.")


@pytest.fixture
def reachable(conninfo: str) -> Iterator[Path]:
    """A folder that everybody may read, beside a database that everybody may connect to."""
    Path(str(conninfo_to_dict(conninfo)["host"])).parent.chmod(0o711)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_a_source_that_cannot_be_watched_leaves_the_others_watched(
    pool: Pool, jobs: App, reachable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for mode, source in ((0o755, "open"), (0, "locked")):
        (reachable / source).mkdir(mode=mode)
        await add_source(pool, str(reachable / source), name=source, schedule="never")

    async def noticed() -> bool:
        return any(run.source == "open" and run.changed_at for run in await recent_runs(pool))

    async def both_tried() -> bool:
        opened = any(run.source == "open" for run in await recent_runs(pool))
        return opened and "locked cannot be watched" in caplog.text

    async with AsyncExitStack() as stack:
        with unprivileged():
            await stack.enter_async_context(going(keep_current(pool, jobs)))
            await until(both_tried)
        (reachable / "open" / "page.md").write_text("About a page.")
        await until(noticed)


async def test_one_process_watches_and_another_takes_over(pool: Pool) -> None:
    async with alone_now(pool, WATCH) as first:
        assert first is not None
        async with alone_now(pool, WATCH) as second:
            assert second is None
    async with alone_now(pool, WATCH) as third:
        assert third is not None


async def test_the_oldest_change_that_no_run_brought_in_is_known(pool: Pool, jobs: App, docs: Path) -> None:
    await add_source(pool, str(docs), name="docs")
    noticed = datetime.now(UTC) - timedelta(minutes=5)
    await request_reindex(pool, jobs, cause="watch", changed_at=noticed)
    await request_reindex(pool, jobs, cause="watch", changed_at=datetime.now(UTC))
    (shown,) = (await status(pool)).sources
    assert (shown.waiting, shown.oldest_unseen) == (True, noticed)
    await reindex(pool, HashingEmbedder())
    (shown,) = (await status(pool)).sources
    assert shown.oldest_unseen is None
