from __future__ import annotations

import json
import os
import subprocess
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from aiohttp import web
from indexing import PRIVATE, counts, run, served, texts

from knowledge.sources import SourceError, add_source, edit_source, find_source
from knowledge.sources.git import parse_address
from knowledge.sources.origin import Reach
from knowledge.sources.schedule import check_schedule, next_due
from knowledge.status import status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knowledge.database import Pool


# What is registered


@pytest.mark.parametrize(
    "uri",
    [
        "https://user:hunter2@wiki.example.com/docs/",
        "git+https://x:hunter2@host/repository.git",
        "s3://bucket/docs?token=hunter2",
        "zip://a.zip::sftp://me:hunter2@host/a.zip",
    ],
)
async def test_an_address_with_a_credential_is_refused_without_repeating_it(pool: Pool, uri: str) -> None:
    with pytest.raises(SourceError, match="--secret") as refused:
        await add_source(pool, uri)
    assert "hunter2" not in str(refused.value)


async def test_a_source_that_is_added_again_keeps_what_is_not_given(pool: Pool) -> None:
    given: dict[str, Any] = {
        "audience": ["C1"],
        "exclude": ["drafts/*"],
        "schedule": "never",
        "options": {"anon": True},
    }
    first = await add_source(pool, "s3://bucket/docs", link_base="https://wiki.example.com", **given)
    assert await add_source(pool, "s3://bucket/docs") == first
    changed = await add_source(pool, "s3://bucket/docs", audience=["everyone"], schedule="1h")
    assert (changed.audience, changed.exclude, changed.schedule) == (["everyone"], ["drafts/*"], "1h")


async def test_the_branch_of_a_repository_at_github_is_no_password(pool: Pool) -> None:
    source = await add_source(pool, "github://org:kb@main/docs")
    assert (source.name, source.uri) == ("docs", "github://org:kb@main/docs")


async def test_a_secret_is_kept_as_the_name_of_its_setting(pool: Pool) -> None:
    source = await add_source(
        pool,
        "s3://bucket/docs",
        options={"anon": False},
        secrets={"key": "WIKI_KEY"},
        audience=["C1", "S1", "C1"],
    )
    assert (source.name, source.audience, source.schedule) == ("docs", ["C1", "S1"], "1h")
    assert source.options == {"anon": False, "key": {"setting": "WIKI_KEY"}}
    with pytest.raises(SourceError, match="ALMANAC_SOURCE_SECRETS"):
        await add_source(pool, "s3://bucket/other", options={"secret": "hunter2"})
    with pytest.raises(SourceError, match="NAME") as refused:
        await edit_source(pool, "docs", secrets={"key": "hunter2"})
    assert "hunter2" not in str(refused.value)
    with pytest.raises(SourceError, match="channels"):
        await edit_source(pool, "docs", audience=["#general"])
    assert (await edit_source(pool, "docs", audience=None, schedule="0 3 * * *")).audience is None
    assert (await find_source(pool, "docs")).schedule == "0 3 * * *"


def test_schedules_are_intervals_cron_expressions_or_never() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert next_due(check_schedule("15 m"), noon) == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    assert next_due(check_schedule("30 3 * * *"), noon) == datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
    assert next_due(check_schedule("Never"), noon) is None
    for wrong in ("soon", "5s", "61 * * * *", ""):
        with pytest.raises(SourceError):
            check_schedule(wrong)


def test_a_schedule_that_never_comes_or_counts_seconds_is_refused() -> None:
    with pytest.raises(SourceError, match="no calendar"):
        check_schedule("0 0 30 2 *")
    with pytest.raises(SourceError, match="five fields"):
        check_schedule("* * * * * *")
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert next_due("0 0 30 2 *", noon) is None  # as it may be stored
    assert next_due(check_schedule("0 0 29 2 *"), noon) == datetime(2028, 2, 29, tzinfo=UTC)


# What fsspec reaches


async def test_an_archive_is_a_source_and_a_hostile_one_harms_nothing(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "handbook.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("guide.md", "# Guide\n\nAbout the guide.\n")
        archive.writestr("../../escape.md", "# Escape\n\nAbout nothing.\n")
        archive.writestr("bomb.txt", b"a" * (30 << 20))
        archive.writestr("picture.png", b"\x89PNG")
    await add_source(pool, str(path))
    report = await run(pool)
    assert counts(report) == (2, 0, 1, 0)
    assert [failure.path for failure in report.failures] == ["bomb.txt"]
    assert "About the guide." in await texts(pool)
    assert counts(await run(pool)) == (0, 2, 1, 0)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("guide.md", "# Guide\n\nAbout the new guide.\n")
    assert counts(await run(pool)) == (1, 0, 0, 2)
    assert await texts(pool) == {"About the new guide."}


async def test_an_archive_on_a_server_is_read_where_it_lies(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "handbook.zip"

    def pack(words: str) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("guides/guide.md", f"# Guide\n\nAbout {words}.\n")
            archive.writestr("notes.txt", "About notes.\n")

    pack("the guide")
    app = web.Application()
    app.router.add_static("/files", tmp_path)
    async with served(app) as url:
        await add_source(pool, f"zip://::{url}/files/handbook.zip", name="handbook")
        assert "ALMANAC_PRIVATE_SOURCES" in str((await run(pool)).error)
        assert counts(await run(pool, PRIVATE)) == (2, 0, 0, 0)
        assert await texts(pool) == {"About the guide.", "About notes."}
        pack("the new guide, which is longer")
        assert counts(await run(pool, PRIVATE))[::3] == (1, 0)
        assert "About the new guide, which is longer." in await texts(pool)
        path.unlink()
        assert "FileNotFoundError" in str((await run(pool, PRIVATE)).error)
        assert len(await texts(pool)) == 2  # what is indexed stays


@pytest.fixture
def store() -> Iterator[Any]:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/kb/a.md", b"# A\n\nAbout A.\n")
    filesystem.pipe("/kb/drafts/b.md", b"# B\n\nAbout B.\n")
    yield filesystem
    filesystem.rm("/kb", recursive=True)


async def test_a_store_is_read_through_its_driver(pool: Pool, store: Any) -> None:
    await add_source(pool, "memory://kb", exclude=["drafts/*"])
    assert counts(await run(pool)) == (1, 0, 0, 0)
    store.pipe("/kb/c.md", b"# C\n\nAbout C.\n")
    store.pipe("/kb/a.md", b"# A\n\nAbout A, again.\n")
    assert counts(await run(pool)) == (2, 0, 0, 0)
    store.rm("/kb/c.md")
    assert (await run(pool)).removed == 1
    assert await texts(pool) == {"About A, again."}


async def test_a_driver_that_is_missing_is_named_with_what_installs_it(pool: Pool) -> None:
    await add_source(pool, "gs://bucket/docs")
    report = await run(pool)
    assert report.error == "The driver of gs:// is not installed: pip install 'almanac[gcs]'."
    await edit_source(pool, "docs", secrets={"token": "WIKI_TOKEN"})
    assert "WIKI_TOKEN" in str((await run(pool)).error)
    assert (await status(pool)).sources[0].state == "failed"


# A git repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    (folder / "docs").mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main")
    (folder / "docs" / "a.md").write_text("# A\n\nAbout A.\n")
    (folder / "docs" / "b c.md").write_text("# B\n\nAbout B.\n")
    (folder / "docs" / "link.md").symlink_to("/etc/hostname")
    (folder / "README.md").write_text("# Readme\n\nNot in the folder.\n")
    commit(folder, "2026-01-01T00:00:00Z")
    return folder


def git(folder: Path, *arguments: str, **environment: str) -> None:
    names = {
        f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=os.environ | names | environment)


def commit(folder: Path, moment: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "change", GIT_COMMITTER_DATE=moment, GIT_AUTHOR_DATE=moment)


async def test_a_repository_is_read_commit_by_commit_with_the_time_of_each_change(
    pool: Pool, repository: Path, tmp_path: Path
) -> None:
    reach = Reach(tmp_path / "home")
    await add_source(pool, f"git+{repository.as_uri()}@main#subdirectory=docs", name="handbook")
    report = await run(pool, reach)
    assert counts(report) == (2, 0, 1, 0)
    assert report.failures[0].reason == "A link is not followed."
    first = (await find_source(pool, "handbook")).revision
    (repository / "docs" / "a.md").write_text("# A\n\nAbout A, again.\n")
    (repository / "docs" / "b c.md").rename(repository / "docs" / "d.md")
    commit(repository, "2026-02-03T00:00:00Z")
    assert counts(await run(pool, reach)) == (2, 0, 1, 1)
    assert (await find_source(pool, "handbook")).revision != first
    assert await texts(pool) == {"About A, again.", "About B."}
    async with pool.connection() as connection:
        rows = await connection.execute("select path, mtime_ns from documents where content is not null")
        times = {
            path: datetime.fromtimestamp(ns / 1e9, UTC).date().isoformat()
            for path, ns in await rows.fetchall()
        }
    assert times == {"a.md": "2026-02-03", "d.md": "2026-02-03"}
    assert counts(await run(pool, reach)) == (0, 2, 1, 0)


async def test_a_repository_whose_history_was_rewritten_is_read_all_the_same(
    pool: Pool, repository: Path, tmp_path: Path
) -> None:
    await add_source(pool, f"git+{repository.as_uri()}", include=["docs/*.md"])
    await run(pool, Reach(tmp_path / "home"))
    git(repository, "checkout", "--quiet", "--orphan", "fresh")
    (repository / "docs" / "a.md").write_text("# A\n\nAbout another A.\n")
    commit(repository, "2026-03-04T00:00:00Z")
    git(repository, "branch", "--quiet", "-M", "main")
    assert counts(await run(pool, Reach(tmp_path / "home"))) == (1, 1, 1, 0)


async def test_a_repository_that_is_not_there_is_an_error_that_hides_the_password(
    pool: Pool, tmp_path: Path
) -> None:
    await add_source(pool, f"git+{(tmp_path / 'hunter2').as_uri()}", secrets={"password": "GIT_PASSWORD"})
    report = await run(pool, Reach(tmp_path / "home", {"GIT_PASSWORD": "hunter2"}))
    assert report.error is not None
    assert report.error.startswith("git fetch failed")
    assert "hunter2" not in report.error


def test_what_a_git_address_says() -> None:
    plain = parse_address("git+https://host/org/kb.git")
    assert (plain.url, plain.branch, plain.folder) == ("https://host/org/kb.git", "", "")
    full = parse_address("git+ssh://git@host/org/kb.git@feature/x#subdirectory=a/b")
    assert (full.url, full.branch, full.folder) == ("ssh://git@host/org/kb.git", "feature/x", "a/b")
    assert parse_address("git+ssh://git@host/org/kb.git").branch == ""


async def test_a_repository_on_this_machine_is_not_fetched_over_http_unless_allowed(pool: Pool) -> None:
    await add_source(pool, "git+http://127.0.0.1:9/kb.git")
    assert "ALMANAC_PRIVATE_SOURCES" in str((await run(pool)).error)


# An export of Slack


@pytest.fixture
def export(tmp_path: Path) -> Path:
    days = {
        "users.json": [{"id": "U1", "name": "maya", "profile": {"display_name": "Maya"}}],
        "channels.json": [{"id": "C1", "name": "ops"}],
        "ops/2026-01-05.json": [
            {
                "type": "message",
                "user": "U1",
                "ts": "1767603600.0",
                "text": "About the &lt;proxy&gt; <@U1>",
                "thread_ts": "1767603600.0",
            },
            {
                "type": "message",
                "subtype": "channel_join",
                "user": "U1",
                "ts": "1767603601.0",
                "text": "joined",
            },
            {
                "type": "message",
                "user": "U2",
                "ts": "1767603660.0",
                "text": "Restarted",
                "thread_ts": "1767603600.0",
            },
        ],
        "D1/2026-01-05.json": [{"type": "message", "user": "U1", "ts": "1767603600.0", "text": "private"}],
        "ops/2026-01-06.json": {"no": "day"},
    }
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in days.items():
            archive.writestr(name, json.dumps(value))
    return path


async def test_an_export_of_slack_is_read_only_where_a_setting_allows_it(pool: Pool, export: Path) -> None:
    await add_source(pool, f"slack-export://{export}", name="slack")
    assert "ALMANAC_SLACK_EXPORTS" in str((await run(pool)).error)
    report = await run(pool, Reach(slack_exports=True))
    assert counts(report) == (1, 0, 1, 0)
    assert report.failures[0].path == "ops/2026-01-06.md"
    (text,) = await texts(pool)
    assert "**Maya** (09:00): About the <proxy> @Maya" in text
    assert "**Someone** (09:01): Restarted" in text
    assert "joined" not in text
