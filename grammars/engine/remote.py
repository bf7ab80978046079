"""A model behind a server that speaks OpenAI's API: vLLM, or any compatible one, through outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit, urlunsplit

import openai
import outlines
from outlines import exceptions
from outlines.inputs import Chat
from outlines.types import CFG, JsonSchema

from grammars.answer.prompt import messages
from grammars.engine.errors import EngineClosed, EngineError, EngineTimeout, RemoteError
from grammars.engine.protocol import Generation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from grammars.engine.protocol import Request

CONNECT_SECONDS = 5.0
_WORDS = {
    exceptions.AuthenticationError: "it refused the API key: check ALMANAC_MODEL_KEY",
    exceptions.PermissionDeniedError: "the API key may not use this model",
    exceptions.NotFoundError: "it does not know the model or the address: check ALMANAC_MODEL",
    exceptions.RateLimitError: "it is overloaded: try again in a moment",
    exceptions.BadRequestError: "it refused the request",
    exceptions.APIConnectionError: "it is not there, or it went away: check that it runs, or try again",
}


class RemoteEngine:
    """A model server; use it inside `async with`, which keeps its connections.

    No server is trusted to enforce the grammar: what it returns is checked.

    Args:
        kind: `vllm`, which is sent the grammar, or `openai`, which is sent the schema; a server that refuses
            either is sent what is less strict.
        url: the API's base, such as `http://localhost:8000/v1`.
        model: the model's name there.
        api_key: sent as a bearer token; never shown.
        seconds: a request takes at most this long, each attempt.
        retries: further attempts after a refused connection, an overload or a server error.
    """

    extractive = False
    enforces_grammar = False

    def __init__(
        self,
        kind: str,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        seconds: float = 120.0,
        retries: int = 2,
    ) -> None:
        self.name = f"{kind}:{_without_credentials(url)}#{model}"
        ways: tuple[Callable[[Request], Any], ...] = (_grammar, _schema, _freely)
        self._ways = ways if kind == "vllm" else ways[1:]
        self._seconds = seconds
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=api_key or "none",
            timeout=openai.Timeout(seconds, connect=CONNECT_SECONDS),
            max_retries=retries,
        )
        adapt = outlines.from_vllm if kind == "vllm" else outlines.from_openai
        self._model: Any = adapt(self._client, model)
        self._opened = False

    async def __aenter__(self) -> Self:
        """Open the engine; the server is first asked at the first request."""
        self._opened = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._opened = False
        await self._client.close()

    async def generate(self, request: Request) -> Generation:
        """Ask the server; cancelling the task closes the connection.

        Raises:
            EngineError: RemoteError, which says what is wrong with the server, EngineTimeout or EngineClosed.
        """
        if not self._opened:
            raise EngineClosed(self.name)
        if request.adapter is not None:
            raise EngineError(f"{self.name} takes no adapter: name the server's own model for it instead.")
        try:
            text = await self._ask(request)
        except exceptions.APITimeoutError as error:
            raise EngineTimeout(self._seconds) from error
        except exceptions.OutlinesError as error:
            raise RemoteError(f"The model server {self.name} failed: {_reason(error)}.") from error
        return Generation(text, truncated=not _closed(text))

    async def _ask(self, request: Request) -> str:
        """Ask in the strictest way that the server takes: what it refuses it is not asked again."""
        for asking in self._ways[:-1]:
            try:
                text = await self._send(request, asking(request))
            except exceptions.BadRequestError:
                continue
            self._ways = self._ways[self._ways.index(asking) :]
            return text
        text = await self._send(request, self._ways[-1](request))
        self._ways = self._ways[-1:]
        return text

    async def _send(self, request: Request, output_type: Any) -> str:
        """Return the output: streamed where somebody watches, and once more, whole, where that broke off.

        A stream does not say whether the budget ended it or the connection: an object that is not closed is
        asked for again either way.
        """
        limits = {"max_tokens": request.max_tokens, "temperature": request.temperature}
        chat = Chat(messages(request.prompt))
        if request.on_text:
            text = await _streamed(self._model.generate_stream(chat, output_type, **limits), request.on_text)
            if _closed(text):
                return text
        whole: str | None = await self._model.generate(chat, output_type, **limits)
        return whole or ""


async def _streamed(pieces: AsyncIterator[str], on_text: Callable[[str], None]) -> str:
    """Return a stream's text, told as it comes; what there was of it where it broke off."""
    text = ""
    try:
        async for piece in pieces:
            text += piece
            on_text(text)
    except exceptions.APIConnectionError:
        if not text:
            raise
    return text


def _closed(text: str) -> bool:
    return text.rstrip().endswith("}")


def _grammar(request: Request) -> CFG:
    return CFG(request.grammar)


def _schema(request: Request) -> JsonSchema:
    return JsonSchema(request.schema)


def _freely(_: Request) -> None:
    """Ask for text alone: the prompt says what it should look like, and the caller checks it."""


def _reason(error: Exception) -> str:
    """Say what went wrong in words of our own: a server's may repeat the key."""
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    status = getattr(error, "status_code", None)
    return f"it answered with status {status}" if status else "its reply made no sense"


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
