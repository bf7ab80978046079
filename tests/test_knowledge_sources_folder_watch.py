"""What the operating system tells of a folder: of what is in it, and of nothing that a link leads to."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from unprivileged import unprivileged

from knowledge.sources.folder_watch import list_folders, watching

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may read, with one inside that nobody may."""
    root = Path(tempfile.mkdtemp())
    for folder in (root, root / "open"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    (root / "locked").mkdir(mode=0)
    yield root
    shutil.rmtree(root)


def inotify_watches() -> int:
    counted = 0
    for entry in Path("/proc/self/fdinfo").iterdir():
        try:
            counted += entry.read_text().count("inotify wd:")
        except OSError:  # closed meanwhile
            continue
    return counted


async def test_one_folder_that_cannot_be_read_does_not_end_the_watch_of_the_others(shared: Path) -> None:
    with unprivileged(), pytest.raises(PermissionError):
        os.scandir(shared / "locked")
    async with AsyncExitStack() as stack:
        with unprivileged():
            watch = await stack.enter_async_context(watching(shared))
        (shared / "open" / "a.md").write_text("A")
        assert await watch.changes() == {shared / "open" / "a.md"}
        assert not watch.outdated


async def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    for number in range(100):
        (outside / str(number)).mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    before = inotify_watches()
    async with watching(inside) as watch:
        assert inotify_watches() - before == 1
        (outside / "7" / "a.md").write_text("A")
        (inside / "b.md").write_text("B")
        assert await watch.changes() == {inside / "b.md"}


async def test_hidden_files_change_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    async with watching(tmp_path) as watch:
        (tmp_path / ".index.swp").write_text("x")
        (tmp_path / ".git" / "objects" / "x.md").write_text("x")
        (tmp_path / "a.md").write_text("A")
        assert await watch.changes() == {tmp_path / "a.md"}
    assert list_folders(tmp_path) == [tmp_path]


@pytest.mark.parametrize("change", ["added", "replaced", "removed", "moved away"])
async def test_other_folders_need_another_watch(tmp_path: Path, change: str) -> None:
    root, sub = tmp_path / "root", tmp_path / "root" / "sub"
    sub.mkdir(parents=True)
    async with watching(root) as watch:
        if change == "added":
            (root / "new").mkdir()
        elif change == "replaced":
            sub.rename(tmp_path / "old")
            sub.mkdir()
        elif change == "removed":
            sub.rmdir()
        else:
            root.rename(tmp_path / "old")
        assert await watch.changes()
        assert watch.outdated


async def test_a_file_is_watched_by_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "alone.md"
    path.write_text("A")
    async with watching(path) as watch:
        (tmp_path / "other.md").write_text("B")
        (tmp_path / "new").write_text("C")
        (tmp_path / "new").rename(path)
        assert await watch.changes() == {path}
        assert not watch.outdated
    with pytest.raises(FileNotFoundError):
        async with watching(tmp_path / "gone.md"):
            pass
