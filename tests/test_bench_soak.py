"""The soak's short form: the full one is `python bench/soak.py`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


async def test_no_answer_is_another_than_alone_through_joins_cancellations_and_switches() -> None:
    spec = importlib.util.spec_from_file_location(
        "bench_soak", Path(__file__).parent.parent / "bench/soak.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["bench_soak"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    result = await module.soak("tiny", 4, count=6)

    assert result.wrong == []
    assert min(result.answers, result.streamed, result.given_up, result.switches) > 0
