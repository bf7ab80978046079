"""Texts that MiniLM read alone, the last ones remembered: the search and the model read the same passages."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch

Line: TypeAlias = tuple[int, ...]  # a text's pieces, between the marks at both ends

_MOST = 512  # texts, at most 200 MB


@dataclass(frozen=True)
class Reading:
    """A text read alone.

    Attributes:
        states: (pieces, H), float16, one a piece, without the marks at both ends.
        whole: (H,), the L2-normalised mean of all states, marks included: the text's embedding.
    """

    states: torch.Tensor
    whole: torch.Tensor

    @classmethod
    def of(cls, states: torch.Tensor) -> Reading:
        """Return what the states (pieces + 2, H) of a text come to."""
        return cls(states[1:-1].half(), states.sum(0) / states.sum(0).norm().clamp(min=1e-12))

    def on(self, device: torch.device) -> Reading:
        """Return the reading on a device, its states float32."""
        return Reading(self.states.to(device).float(), self.whole.to(device))


class Readings:
    """What was read last, `most` texts of it; threads may share it."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: OrderedDict[Line, Reading] = OrderedDict()
        self._lock = Lock()

    def of(self, lines: Iterable[Line]) -> dict[Line, Reading]:
        """Return the readings of those lines that are remembered."""
        with self._lock:
            found = {line: self._known[line] for line in lines if line in self._known}
            for line in found:
                self._known.move_to_end(line)
            return found

    def keep(self, read: Mapping[Line, Reading]) -> None:
        """Remember what was read, and forget what was not asked for longest."""
        with self._lock:
            self._known.update(read)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
