"""The curve of a run as a picture, where matplotlib is installed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def draw(out: Path, panels: int, fill: Callable[[list[dict[str, Any]], Any], None]) -> None:
    """Write `curve.png` from the log of an output folder; without matplotlib do nothing.

    Args:
        out: the folder that holds `log.jsonl`.
        panels: how many stand side by side.
        fill: draws the log's entries into the panels, a sequence of matplotlib's axes.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    figure, axes = plt.subplots(1, panels, figsize=(5.5 * panels, 4), layout="constrained", squeeze=False)
    fill(entries, axes[0])
    figure.savefig(out / "curve.png", dpi=110)
    plt.close(figure)
