"""Git over http leads nowhere else, and every document has the time of its last change."""

from __future__ import annotations

import os
import subprocess
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from hashing import HashingEmbedder
from indexing import PRIVATE, counts, run, served

from knowledge.index import reindex
from knowledge.sources import add_source, edit_source
from knowledge.sources.git import Git, pin
from knowledge.sources.origin import Reach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from knowledge.database import Pool

DAYS = {"a.md": "2026-01-01", "b.md": "2026-02-02"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    git(folder, "init", "--quiet", "-b", "main")
    for name, day in DAYS.items():
        (folder / name).write_text(f"About {name}.")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", "change", moment=f"{day}T00:00:00Z")
    git(folder, "update-server-info")
    return folder


def git(folder: Path, *arguments: str, moment: str = "") -> None:
    names = {
        f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    dates = {"GIT_COMMITTER_DATE": moment, "GIT_AUTHOR_DATE": moment} if moment else {}
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=os.environ | names | dates)


@asynccontextmanager
async def hosted(repository: Path) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_static("/kb.git", repository / ".git")
    async with served(app) as url:
        yield f"{url}/kb.git"


async def days(pool: Pool) -> dict[str, str]:
    async with pool.connection() as connection:
        rows = await connection.execute("select path, mtime_ns from documents")
        return {
            path: datetime.fromtimestamp(ns / 1e9, UTC).date().isoformat()
            for path, ns in await rows.fetchall()
        }


async def test_a_redirect_of_a_repository_is_not_followed(pool: Pool, repository: Path) -> None:
    async with hosted(repository) as final:

        async def lead_on(request: web.Request) -> web.Response:
            raise web.HTTPMovedPermanently(f"{final}/{request.match_info['path']}?{request.query_string}")

        app = web.Application()
        app.router.add_get("/moved.git/{path:.*}", lead_on)
        async with served(app) as url:
            await add_source(pool, f"git+{url}/moved.git", name="moved")
            assert "give the final address" in str((await run(pool, PRIVATE)).error)
    assert await days(pool) == {}


async def test_a_repository_over_http_is_read(pool: Pool, repository: Path) -> None:
    async with hosted(repository) as url:
        await add_source(pool, f"git+{url}")
        assert counts(await run(pool, PRIVATE)) == (2, 0, 0, 0)


async def test_git_connects_to_the_address_that_was_checked(repository: Path, tmp_path: Path) -> None:
    async with hosted(repository) as url:
        elsewhere = url.replace("127.0.0.1", "kb.invalid")
        git = Git(tmp_path / "copy", Reach(), {}, [pin(elsewhere, ["127.0.0.1"])])
        (tmp_path / "copy").mkdir()
        await git.run("init", "--quiet", "--bare")
        await git.run("fetch", "--quiet", elsewhere, "HEAD")
        assert await git.run("show", "FETCH_HEAD:a.md") == b"About a.md."


@pytest.mark.parametrize("kept", [True, False])
async def test_a_full_run_keeps_the_time_of_each_change(
    pool: Pool, repository: Path, tmp_path: Path, *, kept: bool
) -> None:
    reach = Reach(tmp_path / "home" if kept else None)
    await add_source(pool, f"git+{repository.as_uri()}", name="handbook")
    await run(pool, reach)
    assert await days(pool) == DAYS
    (report,) = await reindex(pool, HashingEmbedder(), ["handbook"], full=True, reach=reach)
    assert counts(report) == (2, 0, 0, 0)
    assert await days(pool) == DAYS


async def test_a_file_that_is_asked_for_later_has_its_time(pool: Pool, repository: Path) -> None:
    await add_source(pool, f"git+{repository.as_uri()}", name="handbook", exclude=["a.md"])
    await run(pool)
    await edit_source(pool, "handbook", exclude=[])
    assert counts(await run(pool)) == (1, 1, 0, 0)
    assert await days(pool) == DAYS
