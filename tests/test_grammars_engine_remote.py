from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import tiny
from aiohttp import web

from grammars.answer import write_answer
from grammars.engine import open_engine
from grammars.engine.errors import EngineClosed, EngineError, EngineTimeout, RemoteError
from grammars.engine.protocol import AnswerPrompt, PassageText, Request
from grammars.engine.remote import RemoteEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from grammars.answer import Draft
    from grammars.engine.local import LocalEngine

PASSAGES = [PassageText("Guide", "", "The office opens at nine. It closes at five.")]
KEY = "sk-secret-of-the-tests"
GOOD = json.dumps(
    {
        "answerable": True,
        "citations": [{"quote": "It closes at five.", "passage": 1}],
        "answer": "At five [1].",
    }
)


@dataclass
class Server:
    """An OpenAI-compatible server; `reply` makes the answer of a request's body."""

    reply: Callable[[dict[str, Any]], Any]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        self.bodies.append(body := await request.json())
        reply = self.reply(body)
        if asyncio.iscoroutine(reply):
            reply = await reply
        if reply is None:
            request.transport.abort()
        if isinstance(reply, web.Response):
            return reply
        if body.get("stream"):
            return await self.stream(request, reply)
        message = {"role": "assistant", "content": reply, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [choice],
            }
        )

    async def stream(self, request: web.Request, reply: str) -> web.StreamResponse:
        """Send a reply in pieces of eight characters; where it holds a null, the connection breaks there."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sent, broken, _ = reply.partition("\0")
        for start in range(0, len(sent), 8):
            delta = {"role": "assistant", "content": sent[start : start + 8]}
            chunk = {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "small",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            }
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        if broken:
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(b"data: [DONE]\n\n")
        return response


@asynccontextmanager
async def serving(reply: Callable[[dict[str, Any]], Any]) -> AsyncIterator[Server]:
    server = Server(reply)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"{site.name.replace('0.0.0.0', '127.0.0.1').rpartition(':')[0]}:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def remote(server: Server, kind: str = "openai", **options: Any) -> RemoteEngine:
    return RemoteEngine(kind, server.url, "small", api_key=KEY, **options)


def over(engine: LocalEngine) -> Callable[[dict[str, Any]], Any]:
    """Reply as vLLM does, with a model of ours under the grammar that was sent."""

    async def reply(body: dict[str, Any]) -> str:
        prompt = AnswerPrompt(body["messages"][-1]["content"], ())
        grammar = body["structured_outputs"]["grammar"]
        request = Request(prompt, grammar, {}, body["max_tokens"], temperature=body["temperature"])
        return (await engine.generate(request)).text

    return reply


async def test_a_server_that_takes_the_grammar_is_sent_all_of_it() -> None:
    async with (
        tiny.engine(tiny.causal(1)) as local,
        serving(over(local)) as server,
        open_engine(f"vllm:{server.url}#small", api_key=KEY) as engine,
    ):
        questions = ("Hm?", "x", "?")
        drafts = [await write_answer(engine, question, PASSAGES, max_tokens=400) for question in questions]

    assert engine.name == f"vllm:{server.url}#small"
    assert any(draft.quotes for draft in drafts)
    assert all(quote.text in PASSAGES[0].text for draft in drafts for quote in draft.quotes)
    assert len(server.peers) == 1, "the connection is kept"


async def test_a_server_that_refuses_the_grammar_is_sent_the_schema_from_then_on() -> None:
    def reply(body: dict[str, Any]) -> Any:
        refused = "grammar" in body["structured_outputs"]
        return web.json_response({"error": {"message": "no"}}, status=400) if refused else GOOD

    async with serving(reply) as server, remote(server, "vllm") as engine:
        drafts = [await write_answer(engine, "When?", PASSAGES) for _ in range(2)]

    assert [draft.answer for draft in drafts] == ["At five [1]."] * 2
    assert ["grammar" in body["structured_outputs"] for body in server.bodies] == [True, False, False]


async def test_another_server_is_sent_the_schema_in_strict_mode_and_its_quotes_are_checked() -> None:
    replies = iter([GOOD.replace("five.", "six."), GOOD])
    async with serving(lambda _: next(replies)) as server, remote(server) as engine:
        draft = await write_answer(engine, "When?", PASSAGES)

    schema = server.bodies[0]["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    assert draft.quotes[0].text == "It closes at five."
    assert len(server.bodies) == 2, "the first quote was not verbatim"


async def test_a_server_that_dies_in_the_middle_is_an_error_at_once_and_not_a_hang() -> None:
    async with serving(lambda _: None) as server, remote(server, retries=1) as engine:
        with pytest.raises(RemoteError, match="went away"):
            await asyncio.wait_for(write_answer(engine, "When?", PASSAGES), 20)

    assert len(server.bodies) == 2


async def test_a_server_that_is_not_there_is_an_error_and_one_that_comes_back_is_used() -> None:
    async with serving(lambda _: GOOD) as server:
        pass
    async with remote(server, retries=0) as engine:
        with pytest.raises(RemoteError, match="is not there"):
            await write_answer(engine, "When?", PASSAGES)


async def test_a_busy_server_is_asked_again() -> None:
    replies = iter([web.json_response({}, status=503), web.json_response({}, status=429), GOOD])
    async with serving(lambda _: next(replies)) as server, remote(server) as engine:
        assert (await write_answer(engine, "When?", PASSAGES)).answerable


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "ALMANAC_MODEL_KEY"), (404, "ALMANAC_MODEL"), (429, "overloaded"), (500, "status 500")],
)
async def test_what_is_wrong_is_said_without_the_key(
    status: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    async with (
        serving(lambda _: web.json_response(error, status=status)) as server,
        remote(server, retries=0) as engine,
    ):
        with pytest.raises(RemoteError, match=words) as raised:
            await write_answer(engine, "When?", PASSAGES)

    assert KEY not in str(raised.value)
    assert KEY not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("grammars")
    )


async def test_a_server_that_takes_too_long_is_given_up() -> None:
    done = asyncio.Event()
    async with serving(lambda _: done.wait()) as server, remote(server, seconds=0.2, retries=0) as engine:
        with pytest.raises(EngineTimeout):
            await write_answer(engine, "When?", PASSAGES)
        done.set()


async def test_what_a_server_cannot_do_is_refused() -> None:
    engine = RemoteEngine("openai", "http://someone:pass@127.0.0.1:1/v1", "small")
    assert engine.name == "openai:http://127.0.0.1:1/v1#small"
    with pytest.raises(EngineClosed):
        await write_answer(engine, "When?", PASSAGES)
    async with engine:
        with pytest.raises(EngineError, match="takes no adapter"):
            await write_answer(engine, "When?", PASSAGES, adapter="mine")


@pytest.mark.parametrize("kind", ["openai", "vllm"])
async def test_what_stands_is_told_while_the_server_writes(kind: str) -> None:
    drafts: list[Draft] = []
    async with serving(lambda _: GOOD) as server, remote(server, kind) as engine:
        draft = await write_answer(engine, "When?", PASSAGES, on_draft=drafts.append)

    assert [(len(one.quotes), one.answer) for one in drafts] == [(1, ""), (1, "At five [1].")]
    assert draft.answer == "At five [1]."
    assert len(server.bodies) == 1


async def test_what_is_not_in_the_passages_is_never_told() -> None:
    drafts: list[Draft] = []
    replies = iter([GOOD.replace("five.", "six."), GOOD])
    async with serving(lambda _: next(replies)) as server, remote(server) as engine:
        await write_answer(engine, "When?", PASSAGES, on_draft=drafts.append)

    assert {quote.text for draft in drafts for quote in draft.quotes} == {"It closes at five."}


async def test_a_stream_that_breaks_off_is_asked_for_again_as_a_whole() -> None:
    drafts: list[Draft] = []
    replies = iter([GOOD[:70] + "\0", GOOD])
    async with serving(lambda _: next(replies)) as server, remote(server) as engine:
        draft = await write_answer(engine, "When?", PASSAGES, on_draft=drafts.append)

    assert draft.answer == "At five [1]."
    assert not draft.truncated
    assert [bool(body.get("stream")) for body in server.bodies] == [True, False]


async def test_a_server_that_dies_while_it_streams_is_an_error_at_once_and_not_a_hang() -> None:
    replies = iter([GOOD[:70] + "\0"])
    async with serving(lambda _: next(replies, None)) as server, remote(server, retries=1) as engine:
        with pytest.raises(RemoteError, match="went away"):
            await asyncio.wait_for(write_answer(engine, "When?", PASSAGES, on_draft=lambda _: None), 20)

    assert len(server.bodies) == 3
