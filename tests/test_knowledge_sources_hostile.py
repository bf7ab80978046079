"""One document that fits nowhere: it is named, and the others are read."""

from __future__ import annotations

import hashlib
import os
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import quote

import fsspec
from indexing import counts, run, texts

from knowledge.sources import add_source

if TYPE_CHECKING:
    from pathlib import Path

    from knowledge.database import Pool


async def test_a_file_from_the_far_future_is_read(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "future.md"
    path.write_text("About the future.")
    os.utime(path, (0, 10_413_792_000))  # the year 2300
    await add_source(pool, str(tmp_path))
    assert counts(await run(pool)) == (1, 0, 0, 0)
    assert await texts(pool) == {"About the future."}


async def test_a_file_of_the_31st_of_february_is_read(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "handbook.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("never.md", (2026, 2, 31, 0, 0, 0)), "About never.")
        archive.writestr(zipfile.ZipInfo("once.md", (2026, 2, 28, 23, 59, 58)), "About once.")
    await add_source(pool, str(path))
    assert counts(await run(pool)) == (2, 0, 0, 0)
    async with pool.connection() as connection:
        rows = await connection.execute("select path, mtime_ns from documents")
        assert dict(await rows.fetchall()) == {"never.md": 0, "once.md": 1_772_323_198_000_000_000}


async def test_an_address_that_is_too_long_is_named_and_the_rest_is_read(pool: Pool) -> None:
    store = fsspec.filesystem("memory")
    name = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(100))
    store.pipe({f"/long/{name}.md": b"About length.", "/long/short.md": b"About brevity."})
    try:
        await add_source(pool, "memory://long")
        report = await run(pool)
        assert counts(report) == (1, 0, 1, 0)
        assert [(failure.path, failure.reason) for failure in report.failures] == [
            (f"{name}.md", "Its address is too long.")
        ]
        assert counts(await run(pool))[2:] == (1, 0)
        store.rm(f"/long/{name}.md")
        assert counts(await run(pool))[2:] == (0, 1)
    finally:
        store.rm("/long", recursive=True)


async def test_long_names_of_a_folder_are_refused_alike(pool: Pool, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(
        *("".join(chr(0x4E00 + hash((n, i)) % 20_000) for i in range(80)) for n in range(4))
    )
    assert len(quote(str(deep))) > 2_600
    deep.mkdir(parents=True)
    (deep / "page.md").write_text("About depth.")
    (tmp_path / "page.md").write_text("About the surface.")
    await add_source(pool, str(tmp_path))
    report = await run(pool)
    assert counts(report) == (1, 0, 1, 0)
    assert await texts(pool) == {"About the surface."}
