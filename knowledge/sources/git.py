"""A git repository: fetched through git itself, read commit by commit, never checked out.

`git+https://host/repository.git@branch#subdirectory=docs`; branch and subdirectory may be left out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from knowledge.parse import MAX_BYTES, too_large
from knowledge.sources.addresses import check_public
from knowledge.sources.globs import wanted
from knowledge.sources.origin import Content, File, GoneError, Listing, UnreachableError, visible

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from knowledge.sources.origin import Reach
    from knowledge.sources.registry import Source

HEAD = "refs/almanac/head"
SECONDS = 900  # that one command of git may take
REDIRECTED = " It is redirected, which is not followed: give the final address."
LINK, SUBMODULE = "120000", "160000"

_REDIRECT = re.compile(r"returned error: 30\d")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the repository is, and what of it is wanted; an empty branch is the repository's own choice."""

    url: str
    branch: str
    folder: str


def parse_address(uri: str) -> Address:
    """Return what a `git+…` URI says."""
    bare, _, fragment = uri.removeprefix("git+").partition("#")
    at = bare.rfind("@")
    has_branch = at > bare.rfind("/") or (at > 0 and "/" in urlsplit(bare[:at]).path)
    url, branch = (bare[:at], bare[at + 1 :]) if has_branch else (bare, "")
    folder = unquote(fragment.removeprefix("subdirectory=")).strip("/")
    return Address(url, branch, folder)


@asynccontextmanager
async def open_git(source: Source, options: dict[str, Any], reach: Reach) -> AsyncIterator[GitOrigin]:
    """Fetch what is new, and open the commit that the branch is at.

    Raises:
        UnreachableError: there is no such repository or branch, or it cannot be reached.
    """
    address = parse_address(source.uri)
    pins: list[str] = []
    if urlsplit(address.url).scheme in {"http", "https"} and not reach.private_addresses:
        pins = [pin(address.url, await check_public(address.url))]
    async with AsyncExitStack() as stack:
        folder = _folder(source, reach) or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        git = Git(folder, reach, options, pins)
        await git.run("init", "--quiet", "--bare", str(folder))
        await git.run(
            "fetch",
            "--quiet",
            "--no-tags",
            "--force",
            "--",
            address.url,
            f"+{address.branch or 'HEAD'}:{HEAD}",
        )
        commit = (await git.run("rev-parse", HEAD)).decode().strip()
        reader = await stack.enter_async_context(git.reading())
        yield GitOrigin(source, git, address, commit, reader)


def _folder(source: Source, reach: Reach) -> Path | None:
    """Return the folder of the source's own copy; it is no more than a cache."""
    if reach.home is None:
        return None
    folder = reach.home / "git" / hashlib.sha256(source.uri.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pin(url: str, addresses: Sequence[str]) -> str:
    """Return what has git connect to these addresses of a URL's host, and to no other it may have by then."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.hostname}:{port}:{','.join(dict.fromkeys(addresses))}"


class Git:
    """The git command line on one bare repository; it runs no hooks, follows no redirects and asks nobody."""

    def __init__(self, folder: Path, reach: Reach, options: dict[str, Any], pins: Sequence[str] = ()) -> None:
        self._folder, self._reach = folder, reach
        settings = {"core.hooksPath": "/dev/null", "gc.auto": "0", "http.followRedirects": "false"}
        pairs = [*settings.items(), *(("http.curloptResolve", pin) for pin in pins)]
        self._settings = [word for name, value in pairs for word in ("-c", f"{name}={value}")]
        # All else is git's own: proxies, certificates, the agent of ssh.
        self._environment = os.environ | {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
            **_credential(options),
        }

    async def run(self, *arguments: str) -> bytes:
        """Return what a command prints.

        Raises:
            UnreachableError: it failed; with its own words.
        """
        process = await self._start(*arguments, stderr=PIPE)
        try:
            async with asyncio.timeout(SECONDS):
                said, complaint = await process.communicate()
        except TimeoutError:
            raise UnreachableError(f"git {arguments[0]} took longer than {SECONDS} seconds.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            words = " ".join(complaint.decode(errors="replace").split())[:300]
            words += REDIRECTED if _REDIRECT.search(words) else ""
            raise UnreachableError(self._reach.hide(f"git {arguments[0]} failed: {words}"))
        return said

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Open one process that reads blobs for as long as it is needed."""
        process = await self._start("cat-file", "--batch", stdin=PIPE, stderr=DEVNULL)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _start(self, *arguments: str, **pipes: Any) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *("git", "-C", str(self._folder), *self._settings),
                *arguments,
                stdout=PIPE,
                env=self._environment,
                limit=MAX_BYTES + 1024,
                **({"stdin": DEVNULL} | pipes),
            )
        except FileNotFoundError:
            raise UnreachableError("git is not installed on this machine.") from None


class GitOrigin:
    """The documents of one commit."""

    def __init__(
        self, source: Source, git: Git, address: Address, commit: str, reader: asyncio.subprocess.Process
    ) -> None:
        self._source, self._git, self._address, self._commit = source, git, address, commit
        self._reader = reader
        self._times: dict[str, int] | None = None  # of every file, once they are asked for

    async def list(self) -> Listing:
        """Return the commit's files, each with the time of the last commit that touched it."""
        tree = await self._git.run(
            "ls-tree", "-r", "-z", "-l", "--full-tree", self._commit, *filter(None, [self._address.folder])
        )
        times = await self._new_times()
        entries = (entry for entry in tree.decode(errors="surrogateescape").split("\0") if entry)
        files = [self._file(*entry.partition("\t")[::2], times) for entry in entries]
        chosen = [file for file in files if wanted(file.path, self._source)]
        return Listing(chosen, self._commit)

    def _file(self, facts: str, name: str, times: dict[str, int]) -> File:
        mode, _, blob, size = facts.split()
        path = name.removeprefix(self._address.folder).lstrip("/")
        error = "A link is not followed." if mode == LINK else None
        error = "A submodule is a source of its own." if mode == SUBMODULE else error
        length = int(size) if size.isdigit() else 0
        error = error or (too_large(length) if length > MAX_BYTES else None)
        return File(self._uri(path), visible(path), length, times.get(name, 0), blob, error)

    def _uri(self, path: str) -> str:
        return f"{self._source.uri.partition('#')[0]}#{quote(self._inside(path), errors='surrogateescape')}"

    def _inside(self, path: str) -> str:
        return f"{self._address.folder}/{path}" if self._address.folder else path

    async def _new_times(self) -> dict[str, int]:
        """Return when each file last changed, in nanoseconds, of those that changed since the last run."""
        seen = self._source.revision
        if seen and await self._is_ancestor(seen):
            return await self._log(f"{seen}..{self._commit}")
        return await self._all_times()

    async def _all_times(self) -> dict[str, int]:
        if self._times is None:
            self._times = await self._log(self._commit)
        return self._times

    async def _log(self, commits: str) -> dict[str, int]:
        form = ("-z", "-m", "--first-parent", "--name-only", "--format=%x01%ct")
        return _parse_log((await self._git.run("log", *form, commits)).decode(errors="surrogateescape"))

    async def _is_ancestor(self, commit: str) -> bool:
        try:
            await self._git.run("merge-base", "--is-ancestor", commit, self._commit)
        except UnreachableError:
            return False
        return True

    async def read(self, file: File, version: str | None) -> Content:  # noqa: ARG002 - the listing has it
        """Read a blob, with its time, which the listing has only if it is new."""
        assert file.version is not None
        assert self._reader.stdin is not None
        assert self._reader.stdout is not None
        self._reader.stdin.write(f"{file.version}\n".encode())
        await self._reader.stdin.drain()
        header = (await self._reader.stdout.readline()).decode().split()
        if len(header) != 3:  # noqa: PLR2004 - blob, type and size; else it is missing
            raise GoneError
        data = await self._reader.stdout.readexactly(int(header[2]) + 1)
        if not file.mtime_ns:
            name = unquote(file.uri.rpartition("#")[2], errors="surrogateescape")
            file = replace(file, mtime_ns=(await self._all_times()).get(name, 0))
        return Content(data[:-1], file)


def _parse_log(log: str) -> dict[str, int]:
    """Return the newest time of each name; the log has the newest commit first."""
    times: dict[str, int] = {}
    moment = 0
    for token in log.split("\0"):
        entry = token.lstrip("\n")
        if entry.startswith("\x01"):
            stamp, _, entry = entry[1:].partition("\n")
            moment = int(stamp) * 1_000_000_000
            entry = entry.lstrip("\n")
        if entry:
            times.setdefault(entry, moment)
    return times


def _credential(options: dict[str, Any]) -> dict[str, str]:
    """Return the environment that hands git a password: neither its arguments nor its files show it."""
    password = options.get("password") or options.get("token")
    if not password:
        return {}
    pair = f"{options.get('username', 'x-access-token')}:{password}"
    header = f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": header}
