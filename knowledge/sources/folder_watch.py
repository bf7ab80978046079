"""What changes in a local source, told by the operating system; hidden files and folders are passed over.

Links are not followed: what they lead to is no part of the source, and may be the whole disk.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles._rust_notify import RustNotify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

SETTLE_MS = 100  # without a further change, before a burst of changes becomes one run
LONGEST_BURST_MS = 1_000
POLL_MS = 300  # where the operating system tells nothing


@asynccontextmanager
async def watching(root: Path) -> AsyncIterator[FolderWatch]:
    """Watch a folder with those below it, or a file, in a thread of its own: large ones take a while.

    A folder below that cannot be read is not watched.

    Raises:
        FileNotFoundError: it is not there, or a part of it went away meanwhile.
        OSError: it cannot be watched.
    """
    thread = ThreadPoolExecutor(1, "watch")
    watch = FolderWatch(root, thread)
    try:
        await watch.open()
        yield watch
    finally:
        watch.close()
        thread.shutdown(wait=False)


class FolderWatch:
    """The watch of a folder or file.

    Attributes:
        outdated: the folders are not those that are watched any more; another watch must take over.
    """

    def __init__(self, root: Path, thread: ThreadPoolExecutor) -> None:
        self._root, self._thread = root, thread
        self._ended = threading.Event()
        self._folders: frozenset[Path] = frozenset()
        self._watcher: RustNotify | None = None
        self.outdated = False

    async def open(self) -> None:
        """Begin to watch."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    def _open(self) -> None:
        folders = list_folders(self._root)
        self._folders = frozenset(folders)
        # Each folder by itself: a recursive watch would follow links.
        self._watcher = RustNotify(
            [str(folder) for folder in folders],
            debug=False,
            force_polling=False,
            poll_delay_ms=POLL_MS,
            recursive=False,
            ignore_permission_denied=True,
        )

    def close(self) -> None:
        """End the watch, a moment later."""
        self._ended.set()
        self._thread.submit(self._close)

    def _close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()

    async def changes(self) -> set[Path]:
        """Wait for a burst of changes, and return what changed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._changes)

    def _changes(self) -> set[Path]:
        assert self._watcher is not None
        told = self._watcher.watch(LONGEST_BURST_MS, SETTLE_MS, 0, self._ended)
        if isinstance(told, str):  # it ended
            return set()
        changed = {path for _, name in told if self._is_own(path := Path(name))}
        self.outdated = any(path in self._folders or _is_folder(path) for path in changed)
        return changed

    def _is_own(self, path: Path) -> bool:
        if path in self._folders:
            return True
        inside = path.relative_to(self._root).parts if path.is_relative_to(self._root) else (".",)
        return not any(part.startswith(".") for part in inside)


def list_folders(root: Path) -> Sequence[Path]:
    """Return the folders to watch: the root and what lies below it; of a file, the one that it lies in.

    A file is replaced more often than written to, which only its folder notices.

    Raises:
        OSError: the root cannot be read.
    """
    if not root.is_dir():
        root.stat()
        return [root.parent]
    os.scandir(root).close()
    found: list[Path] = []
    for folder, folders, _ in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.append(Path(folder))
    return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
