"""HTML, PDF and DOCX to Markdown in a child process: hostile input can hang or crash that one only."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

TIME_LIMIT_SECONDS = 30


class ParseError(Exception):
    """The file cannot be read as a document; the message is the reason that `status` shows."""


class Converter:
    """One child process, started at the first file that needs it and again after one that killed it.

    A question: `suffix size seconds` on a line, then the bytes. An answer: its size on a line, then JSON.
    """

    def __init__(self, time_limit: int) -> None:
        self._time_limit = time_limit
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, time_limit: int = TIME_LIMIT_SECONDS) -> AsyncIterator[Converter]:
        """Open a converter that gives up on a file after `time_limit` seconds."""
        converter = cls(time_limit)
        try:
            yield converter
        finally:
            await converter._stop()

    async def convert(self, data: bytes, suffix: str) -> tuple[str, str]:
        """Return the title (or an empty string) and the Markdown of a file.

        Raises:
            ParseError: it is broken, protected, or took too long or too much memory.
        """
        async with self._turn:
            try:
                answer = await self._ask(data, suffix)
            except BaseException:
                await self._stop()  # half an answer would be taken for the next file's
                raise
        if "error" in answer:
            raise ParseError(answer["error"])
        return answer["title"], answer["text"]

    async def _ask(self, data: bytes, suffix: str) -> dict[str, str]:
        process = self._process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{suffix} {len(data)} {self._time_limit}\n".encode() + data)
            await process.stdin.drain()
            answer: dict[str, str] = json.loads(await _line(process.stdout))
        except (ConnectionError, asyncio.IncompleteReadError):
            raise ParseError(self._why(await process.wait())) from None
        return answer

    def _why(self, returncode: int) -> str:
        if returncode == -signal.SIGALRM:
            return f"Reading it took longer than {self._time_limit} seconds."
        return "Its content crashed the converter."

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "knowledge.convert_child", stdin=PIPE, stdout=PIPE, stderr=None, env={}
        )

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Read an answer: its length on a line, then itself; a line alone would meet the reader's limit."""
    return await stream.readexactly(int(await stream.readuntil(b"\n")))
