"""A batch over messages: asked for, shown, resumed after its worker went away, and given as files."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import io
import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict
from recording_bot import Reading, RecordingBot, recording_bot
from running_bot import until

from grammars.engine.errors import EngineBusy, RemoteError
from handlers import extract_batch_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.demo import LocalWorkspace
    from knowledge.schemas import Schema

WORKER = Path(__file__).parent.parent / "quick_recorder.py"


@pytest.fixture
async def bot(workspace: LocalWorkspace, conninfo: str) -> AsyncIterator[RecordingBot]:
    async with recording_bot(workspace, conninfo) as bot:
        yield bot


def contents(bot: RecordingBot) -> dict[str, str]:
    """Return the text of each file in the workspace, by its ending."""
    files = bot.workspace.state.files.values()
    return {file["name"].partition(".")[2]: base64.b64decode(file["content"]).decode() for file in files}


def table(bot: RecordingBot) -> list[dict[str, Any]]:
    """Return the tables that the bot posted in #ops."""
    posted = [block for one in bot.ours("#ops") for block in one.get("blocks") or []]
    return [block for block in posted if block["type"] == "table"]


async def say(bot: RecordingBot, count: int, thread_ts: str | None = None) -> list[str]:
    """Let Jonas report `count` incidents in #ops; return their ts."""
    return [
        await bot.workspace.say("jonas", "#ops", f"mail{n}-api is down, sev2, {n} users, Ana", thread_ts)
        for n in range(1, count + 1)
    ]


async def finished(bot: RecordingBot) -> None:
    """Wait until the last part of the result is posted."""
    await bot.workspace.wait_for(lambda _: len(contents(bot)) == 2 and None not in contents(bot).values(), 20)
    await bot.idle()


@asynccontextmanager
async def worker(workspace: LocalWorkspace, conninfo: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker in a process of its own, which ends with SIGKILL."""
    settings = {
        "DATABASE_URL": psycopg_url(conninfo),
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_API_URL": workspace.api_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WORKER), env={**os.environ, **settings}
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def psycopg_url(conninfo: str) -> str:
    """Return a connection string as an address, which the setting asks for."""
    part = conninfo_to_dict(conninfo)
    return f"postgresql://{part['user']}@/{part['dbname']}?host={quote(str(part['host']), safe='')}"


async def by_process(bot: RecordingBot, pid: int) -> list[int]:
    """Return the numbers of the messages that a process has read."""
    rows = await bot.rows("select number, result ->> 'trace_id' from batch_rows order by number")
    return [number for number, reader in rows if reader == str(pid)]


async def test_a_batch_over_forty_messages_is_killed_and_goes_on_where_it_was(
    workspace: LocalWorkspace, conninfo: str
) -> None:
    async with recording_bot(workspace, conninfo, work=False) as bot:
        stamps = await say(bot, 40)
        async with worker(workspace, conninfo) as first:
            await bot.workspace.command("maya", "#ops", "/extract batch incident 40")
            await until(lambda: _reached(bot, 12))
            first.kill()
            await first.wait()
        done = await by_process(bot, first.pid)
        assert 12 <= len(done) < 40
        async with worker(workspace, conninfo):
            await finished(bot)
        assert await by_process(bot, first.pid) == done  # nothing that was done is done again
        rows = list(csv.DictReader(io.StringIO(contents(bot)["csv"])))
        assert [row["ts"] for row in rows] == stamps
        assert [row["Service"] for row in rows] == [f"mail{n}-api" for n in range(1, 41)]
        lines = [json.loads(line) for line in contents(bot)["jsonl"].splitlines()]
        assert [line["record"]["users"] for line in lines] == list(range(1, 41))
        assert lines[0]["evidence"]["/service"]["quote"] == "mail1-api"
        (shown,) = table(bot)
        assert len(shown["rows"]) == 41
        (progress,) = announcements(bot)  # one message, however often the batch was taken up
        assert progress["text"] == "Incident report: 40 messages read, 40 records."


async def _reached(bot: RecordingBot, count: int) -> bool:
    return len(await bot.rows("select 1 from batch_rows where result is not null")) >= count


def announcements(bot: RecordingBot) -> list[dict[str, Any]]:
    """Return what the bot said in the channel itself."""
    return [one for one in bot.ours("#ops") if one.get("thread_ts", one["ts"]) == one["ts"]]


async def test_a_threads_messages_are_read_by_its_link(bot: RecordingBot) -> None:
    first = await bot.workspace.say("maya", "#ops", "Two incidents: Ana knows")
    await say(bot, 2, first)
    link = f"{bot.workspace.url}/archives/{bot.workspace.channel('#ops').id}/p{first.replace('.', '')}"
    await bot.workspace.command("maya", "#ops", f"/extract batch incident {link}")
    await finished(bot)
    assert bot.reading.texts[1:] == [
        "mail1-api is down, sev2, 1 users, Ana",
        "mail2-api is down, sev2, 2 users, Ana",
    ]
    assert all(one["thread_ts"] == first for one in bot.ours("#ops"))
    lines = [json.loads(line) for line in contents(bot)["jsonl"].splitlines()]
    assert lines[0]["link"] == link
    assert f"?thread_ts={first}&cid=" in lines[1]["link"]
    assert lines[1]["evidence"]["/service"] == {"quote": "mail1-api", "start": 0, "end": 9}


async def test_a_message_that_cannot_be_read_does_not_end_the_batch(bot: RecordingBot) -> None:
    await bot.workspace.say("jonas", "#ops", "=unreadable <!channel>")
    await say(bot, 1)
    await bot.workspace.command("maya", "#ops", "/extract batch incident")
    await finished(bot)
    (progress,) = announcements(bot)
    assert progress["text"] == "Incident report: 2 messages read, 1 records, 1 could not be read."
    rows = list(csv.DictReader(io.StringIO(contents(bot)["csv"])))
    assert rows[0]["error"] == "There is no text to extract from <!channel>."


@pytest.mark.parametrize(
    ("words", "said"),
    [("", "/extract batch SCHEMA"), ("incident 9999", "At most 500"), ("nope 3", "There are: incident")],
)
async def test_what_cannot_be_a_batch_is_explained(bot: RecordingBot, words: str, said: str) -> None:
    await bot.workspace.command("maya", "#ops", f"/extract batch {words}")
    (whisper,) = await bot.whispers("#ops")
    assert said in whisper["text"]
    assert bot.ours("#ops") == []


async def test_another_channels_thread_is_not_read(bot: RecordingBot) -> None:
    ts = await bot.workspace.say("maya", "#general", "secret")
    link = f"{bot.workspace.url}/archives/{bot.workspace.channel('#general').id}/p{ts.replace('.', '')}"
    await bot.workspace.command("maya", "#ops", f"/extract batch incident {link}")
    (whisper,) = await bot.whispers("#ops")
    assert "another channel" in whisper["text"]


@dataclass(slots=True)
class Tripping(Reading):
    """Raises `errors` in turn, and at every text that says so."""

    errors: list[Exception] = field(default_factory=list)

    async def __call__(self, schema: Schema, text: str, **given: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        if "trip" in text:
            raise TypeError("unhashable type: 'dict'")
        return await Reading.__call__(self, schema, text, **given)


async def test_a_message_that_trips_the_program_does_not_end_the_batch(
    workspace: LocalWorkspace, conninfo: str
) -> None:
    async with recording_bot(workspace, conninfo, extract=Tripping()) as bot:
        await bot.workspace.say("jonas", "#ops", "trip over this")
        await say(bot, 1)
        await bot.workspace.command("maya", "#ops", "/extract batch incident")
        await finished(bot)
        tripped, read = csv.DictReader(io.StringIO(contents(bot)["csv"]))
    assert "something went wrong on my side" in tripped["error"]
    assert (read["Service"], read["error"]) == ("mail1-api", "")


async def test_a_model_that_is_out_is_waited_for(workspace: LocalWorkspace, conninfo: str) -> None:
    out: list[Exception] = [RemoteError("The model server cannot be reached."), EngineBusy(8)]
    async with recording_bot(workspace, conninfo, extract=Tripping(errors=out)) as bot:
        await say(bot, 2)
        await bot.workspace.command("maya", "#ops", "/extract batch incident")
        await finished(bot)
        (progress,) = announcements(bot)
    assert progress["text"] == "Incident report: 2 messages read, 2 records."


def refused(status: int) -> RemoteError:
    """Return what the engine raises where its server answers with a status."""
    cause = RuntimeError()
    cause.status_code = status  # type: ignore[attr-defined]  # as the client library's errors have it
    error = RemoteError("The model server failed.")
    error.__cause__ = cause
    return error


async def test_a_message_that_the_models_server_refuses_does_not_hold_up_the_rest(
    workspace: LocalWorkspace, conninfo: str
) -> None:
    errors: list[Exception] = [refused(400) for _ in range(3)]
    async with recording_bot(workspace, conninfo, extract=Tripping(errors=errors)) as bot:
        await say(bot, 2)
        await bot.workspace.command("maya", "#ops", "/extract batch incident")
        await finished(bot)
        (progress,) = announcements(bot)
    assert progress["text"] == "Incident report: 2 messages read, 1 records, 1 could not be read."


async def test_where_the_bot_is_not_invited_whoever_asked_is_told(bot: RecordingBot) -> None:
    await bot.workspace.move("almanac", "#ops", join=False)
    await bot.workspace.command("maya", "#ops", "/extract batch incident")
    (told,) = await bot.said("maya")
    place = bot.workspace.channel("#ops").id
    assert told["text"].startswith(f"The messages in <#{place}> that you asked to have read by `incident`")
    assert "Invite me" in told["text"]
    assert await bot.rows("select finished_at is not null, error like '%%Invite me%%' from batches") == [
        (True, True)
    ]


async def test_a_batch_that_cannot_be_finished_says_so_and_forgets_the_messages(
    bot: RecordingBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*_: Any) -> str:
        raise RuntimeError("the files tripped")

    monkeypatch.setattr(extract_batch_run, "as_csv", trip)
    monkeypatch.setattr(extract_batch_run, "GIVE_UP_AT", 1)
    await say(bot, 2)
    await bot.workspace.command("maya", "#ops", "/extract batch incident")
    (told,) = await bot.said("maya")
    assert "something went wrong on my side" in told["text"]
    assert "could not be finished" in announcements(bot)[0]["text"]
    assert await bot.rows("select text from batch_rows") == [("",), ("",)]
    assert await bot.rows("select finished_at is not null from batches") == [(True,)]
