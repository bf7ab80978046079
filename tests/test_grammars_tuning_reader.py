"""Runs of three steps; the encoder is the real one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from grammars.embedded.loading import load
from grammars.tuning.reader import Run, Trainer, train

if TYPE_CHECKING:
    from pathlib import Path

TOWNS = ("Porto", "Lyon", "Ghent", "Turin", "Graz", "Cork")


def row(town: str, hour: int) -> dict[str, Any]:
    text = f"The office in {town} opens at {hour}. Its door is on the left. Ask Ana for the key of {town}."
    start = text.index(f"{hour}.")
    return {
        "question": f"When does {town} open?",
        "kind": "span",
        "answerable": True,
        "evidence": [{"passage": 0, "start": start, "end": start + len(str(hour))}],
        "passages": [{"title": town, "text": text}],
    }


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [row(town, hour) for hour, town in enumerate(TOWNS, 7)]
    for name, chosen in (("train", rows), ("dev", rows)):
        lines = "".join(json.dumps(entry) + "\n" for entry in chosen)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    return tmp_path


def run(data: Path, out: str) -> Run:
    return Run(str(data), str(data / out), epochs=1, segments=5, rank=2, alpha=4, warmup=1, every=2)


def killed(*_: object) -> None:
    raise InterruptedError


def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(data: Path, monkeypatch: Any) -> None:
    train(run(data, "whole"))
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "evaluate", killed)  # comes right after the checkpoint of step 2
        with pytest.raises(InterruptedError):
            train(run(data, "broken"))
    assert torch.load(data / "broken/checkpoint.pt", weights_only=True)["step"] == 2
    train(run(data, "broken"))
    whole, resumed = (load_file(data / out / "decoder.safetensors") for out in ("whole", "broken"))
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, msg=lambda text, name=name: f"{name}: {text}")


def test_a_run_writes_what_the_embedded_model_is_loaded_from(data: Path) -> None:
    train(run(data, "out"))
    out = data / "out"
    assert json.loads((out / "run.json").read_text())["segments"] == 5
    dev = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()][-1]
    assert dev["step"] == 3
    assert {"answerable", "start"} <= dev["dev"].keys()
    assert (out / "adapter" / "adapter_model.safetensors").exists()
    (out / "calibration.json").write_text(json.dumps({"answer_scale": 2.0, "answer_bias": 0.5}))
    model, _ = load(out)
    assert model.config.answer_scale == 2.0
    trained = load_file(out / "decoder.safetensors")["own.weight"].float()
    assert torch.equal(dict(model.named_parameters())["base_model.model.own.weight"], trained)
