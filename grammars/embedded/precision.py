"""How numbers are kept while MiniLM reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@cache
def native_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 itself; elsewhere it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def reading_type(device: torch.device | None = None) -> torch.dtype:
    """Return what MiniLM's weights are multiplied as there: bfloat16 where it is fast (cosine .9999).

    Args:
        device: where the weights are; None is this processor.
    """
    import torch

    short = (device is not None and device.type != "cpu") or native_bfloat16()
    return torch.bfloat16 if short else torch.float32
