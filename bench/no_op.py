"""How long a reindex takes where nothing, or one document, changed.

    python bench/no_op.py [--documents 10000]

The vectors are made up: what is measured is everything but the embedder.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from knowledge.database import migrate, open_pool
from knowledge.index import reindex
from knowledge.server import embedded_server
from knowledge.sources import add_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from knowledge.database import Pool


class RandomEmbedder:
    """Vectors without meaning, at no cost."""

    name = "random"
    dimensions = 384

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.random.default_rng(len(texts)).normal(size=(len(texts), self.dimensions))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


async def main(documents: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "documents"
        await asyncio.to_thread(generate, folder, documents)
        async with embedded_server(Path(scratch) / "home") as conninfo:
            await migrate(conninfo)
            async with open_pool(conninfo, size=4) as pool:
                await add_source(pool, str(folder))
                print("| run | seconds | indexed | unchanged |\n|---|---|---|---|")
                await timed("first", pool)
                await timed("nothing changed", pool)
                await asyncio.to_thread((folder / "7.md").write_text, "# Changed\n\nAnother text.\n")
                await timed("one changed", pool)


def generate(folder: Path, documents: int) -> None:
    folder.mkdir()
    for number in range(documents):
        (folder / f"{number}.md").write_text(
            f"# Document {number}\n\nAbout the number {number}, in a sentence.\n"
        )


async def timed(run: str, pool: Pool) -> None:
    start = time.perf_counter()
    (report,) = await reindex(pool, RandomEmbedder())
    print(
        f"| {run} | {time.perf_counter() - start:.2f} | {report.indexed} | {report.unchanged} |", flush=True
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=10_000)
    asyncio.run(main(parser.parse_args().documents))
