"""How numbers are kept while MiniLM reads."""

from __future__ import annotations

from pathlib import Path


def native_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 itself; elsewhere it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
