"""The batches of a run, made in the background where there are processes to spare."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from grammars.tuning.loss import Batch, collate
from grammars.tuning.mixture import epoch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grammars.tuning.examples import Example
    from grammars.tuning.features import Features, Featurizer
    from grammars.tuning.mixture import Pool

FILLED = 0.93  # share of a batch's room that is used
_SORTED = 96  # examples, of which those of about one length come together
_LENGTH = 64  # tokens: segments of lengths that differ by less are alike


@dataclass(frozen=True)
class Collator:
    """Makes batches of prompts of about one length, up to `segments` passages in each."""

    make: Featurizer
    segments: int
    pad: int
    start: int

    def batches(self, examples: Iterator[Example]) -> Iterator[Batch]:
        """Yield the batches of the examples."""
        while pool := [self.make(example) for example in islice(examples, _SORTED)]:
            pool.sort(key=lambda f: (f.longest + _LENGTH - 1) // _LENGTH)
            chosen: list[Features] = []
            for features in pool:
                if chosen and sum(f.segments for f in chosen) + features.segments > self.segments:
                    yield self._collate(chosen)
                    chosen = []
                chosen.append(features)
            yield self._collate(chosen)

    def _collate(self, features: list[Features]) -> Batch:
        return collate(features, pad=self.pad, start=self.start)

    def steps(self, pool: Pool) -> float:
        """Return about how many batches an epoch has."""
        passages = sum(max(1, len(example.passages)) for example in epoch(pool, 0))
        return passages / (FILLED * self.segments)


class Endless(IterableDataset[Batch]):
    """The batches of one epoch after another; each process makes those of its share of the examples."""

    def __init__(self, collator: Collator, pool: Pool, seed: int) -> None:
        super().__init__()
        self.collator, self.pool, self.seed = collator, pool, seed

    def __iter__(self) -> Iterator[Batch]:
        """Yield without end."""
        worker = get_worker_info()
        first, every = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in count():
            examples = epoch(self.pool, self.seed * 1000 + number)
            yield from self.collator.batches(islice(examples, first, None, every))


def endless(collator: Collator, pool: Pool, *, seed: int, workers: int) -> Iterator[Batch]:
    """Yield the batches of one epoch after another, always the same ones, from `workers` processes.

    None makes them in this process.
    """
    own = torch.Generator()  # torch's own belongs to the training: a resumed run goes on with its numbers
    loader = DataLoader(Endless(collator, pool, seed), batch_size=None, num_workers=workers, generator=own)
    yield from loader
