"""What a reindex costs beyond the embedding: passages a second, beside the raw embedder and two frameworks.

    python bench/throughput.py [--folders ../shared/data/handbook ../shared/data/runbooks] [--rounds 3]
                               [--frameworks runs/frameworks]

The reindex is a whole one: it lists, reads, parses, cuts, embeds and stores with both indexes. The raw
embedder and the frameworks get the texts that it embedded, each once, as one list, so that batches fill.
Rounds alternate and the median counts, since a machine may be shared. Processor seconds, which others do not
stretch, are those of this process, without the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from frameworks import INSTALLED, compare, installed

from knowledge.database import migrate, open_pool
from knowledge.embed import open_embedder
from knowledge.index import reindex
from knowledge.server import embedded_server
from knowledge.sources import add_source, list_sources, remove_source

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from knowledge.database import Pool
    from knowledge.embed import Embedder

FOLDERS = [Path("../shared/data/handbook"), Path("../shared/data/runbooks")]


async def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        async with embedded_server(Path(scratch)) as conninfo, open_embedder("embedded") as embedder:
            await migrate(conninfo)
            async with open_pool(conninfo, size=4) as pool:
                noting = Noting(embedder)
                await whole(pool, noting, options.folders)  # warm: the first batch of a shape compiles
                texts = list(noting.texts)
                await embedder.embed(texts)
                rounds = []
                for _ in range(options.rounds):
                    raw = await timed(embedder.embed(texts))
                    rounds.append((raw, await timed(whole(pool, embedder, options.folders))))
            others = await compare(options.frameworks, conninfo, texts) if options.frameworks else []
    print(table(len(texts), rounds, {other.name: other.seconds for other in others}))


class Noting:
    """The embedder, keeping what it was given."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self.texts: dict[str, None] = {}
        self._embedder = embedder

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts |= dict.fromkeys(texts)
        return await self._embedder.embed(texts)


async def whole(pool: Pool, embedder: Embedder, folders: Sequence[Path]) -> None:
    """Index the folders from nothing."""
    for source in await list_sources(pool):
        await remove_source(pool, source.name)
    for folder in folders:
        await add_source(pool, str(folder.absolute()))
    await reindex(pool, embedder)


async def timed(work: Awaitable[object]) -> tuple[float, float]:
    """Return the seconds that the work takes, by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - clock, time.process_time() - processor


def table(count: int, rounds: Sequence[tuple[tuple[float, float], ...]], others: dict[str, float]) -> str:
    """Return the figures as a Markdown table."""
    raw, ours = ([done[place][0] for done in rounds] for place in (0, 1))
    seconds = {"embedder alone": statistics.median(raw), "reindex": statistics.median(ours), **others}
    shares = {name: seconds["embedder alone"] / taken for name, taken in seconds.items()}
    shares["reindex"] = statistics.median(one / other for one, other in zip(raw, ours, strict=True))
    rows = [
        f"| {name} | {taken:.1f} | {count / taken:.1f} | {shares[name]:.2f} |"
        for name, taken in seconds.items()
    ]
    processor = statistics.median(raw[1] / ours[1] for raw, ours in rounds)
    head = f"{count} texts\n\n| | seconds | passages a second | share of the embedder |\n|---|---|---|---|"
    return "\n".join([head, *rows, f"\nOf processor seconds, the embedder takes {processor:.2f}."])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folders", type=Path, nargs="+", default=FOLDERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frameworks", type=Path, default=INSTALLED, help="where they are installed")
    options = parser.parse_args()
    if not installed(options.frameworks):
        options.frameworks = None
    return options


if __name__ == "__main__":
    asyncio.run(main())
