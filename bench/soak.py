"""Sixteen askers at once, with cancellations and adapter switches: is any answer not what it is alone?

    python bench/soak.py [--minutes 10] [--model tiny|embedded|HUB NAME|FOLDER] [--plot soak.png]

Every request is first run alone, in float32, with each adapter. Then sixteen askers repeat them in random
order for as long as is said; every sixth gives up somewhere on the way, and every second another adapter is
chosen, rolled back or loaded anew. Each answer is compared with the one that its request got alone with the
adapter that it says it had. `tiny` is a random Llama of two layers with two random adapters.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the small models are the tests'
import tiny

from grammars.answer.grammar import SHORTEST, Quotable, answer_grammar
from grammars.engine.local import Loaded, LocalEngine
from grammars.engine.protocol import AnswerPrompt, PassageText, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ASKERS = 16
GIVE_UP = 1 / 6  # of the requests
SWITCH_SECONDS = 1.0
SAMPLE_SECONDS = 0.5
ADAPTERS = ("one", "two")
FLAT = 1.05  # the last quarter's memory over the second's
SENTENCES = (
    "The office in Porto opens at nine.", "It closes at five.", "Ring the bell twice, then wait.",
    'Restart the "api" pod.', "An expense over 200 EUR needs approval.", "Your manager gives it.",
    "漢字です。", "Logs are kept for 30 days.", "Then they are removed: nobody can bring them back.",
)  # fmt: skip
INSTRUCTIONS = "Answer from the passages, with their own words, and from nothing else. " * 3


@dataclass
class Soaked:
    """What came of it; `memory` holds (seconds, MiB of resident memory)."""

    answers: int = 0
    given_up: int = 0
    switches: int = 0
    streamed: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Memory of the last quarter over that of the second quarter, when everything was warm."""
        quarter = max(len(self.memory) // 4, 1)
        used = [mib for _, mib in self.memory]
        return (sum(used[-quarter:]) / quarter) / (sum(used[quarter : 2 * quarter]) / quarter or 1)


def requests(count: int) -> list[Request]:
    """Return requests that differ in question, passages, length and kind of grammar."""
    draw = random.Random(0)
    found = []
    for number in range(count):
        passages = tuple(
            PassageText("Guide", "", " ".join(draw.sample(SENTENCES, draw.randint(1, 6))))
            for _ in range(draw.randint(1, 4))
        )
        grammar = answer_grammar(
            [Quotable.of(p) for p in passages],
            max_quotes=3,
            extractive=bool(number % 2),
            min_quotes=number % 3,
        )
        prompt = AnswerPrompt(f"{number}: {draw.choice(SENTENCES)}", passages)
        budget = draw.choice((24, 60, 120))
        found.append(Request(prompt, grammar, {}, budget, shortest=SHORTEST))
    return found


def load(model: str) -> Loaded:
    """Load a model in float32."""
    if model == "tiny":
        torch.set_num_threads(1)  # more only wait for one another
        return Loaded(tiny.causal(1), tiny.tokenizer(), lambda prompt: INSTRUCTIONS + tiny.render(prompt))
    if model == "embedded":
        from grammars.embedded.layout import render
        from grammars.embedded.loading import load as load_embedded

        return Loaded(*load_embedded(), render)
    from grammars.engine.pretrained import load_pretrained

    return load_pretrained(model, dtype="float32")


def make_adapters(folder: Path) -> None:
    """Save two random adapters of the tiny model."""
    from peft import LoraConfig, get_peft_model

    for seed, name in enumerate(ADAPTERS):
        model = get_peft_model(tiny.causal(1), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
        torch.manual_seed(seed)
        for parameter in (value for key, value in model.named_parameters() if "lora_" in key):
            torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(folder / name)
        manifest = {"base": "soak", "data": "none", "date": "2026-11-22"}
        (folder / name / "manifest.json").write_text(json.dumps(manifest))


@contextlib.asynccontextmanager
async def opened(model: str, folder: Path, **options: Any) -> AsyncIterator[LocalEngine]:
    """Open an engine with its adapters loaded."""
    async with LocalEngine("soak", lambda: load(model), seconds=600, **options) as engine:
        for name in _adapters(model):
            await engine.load_adapter(name, folder / name)
        yield engine


def _adapters(model: str) -> tuple[str, ...]:
    return ADAPTERS if model == "tiny" else ()


async def alone(model: str, folder: Path, asked: list[Request]) -> dict[tuple[int, str | None], str]:
    """Return each request's answer with each adapter, one at a time."""
    answers: dict[tuple[int, str | None], str] = {}
    async with opened(model, folder, max_batch=1) as engine:
        for name in (None, *_adapters(model)):
            for number, request in enumerate(asked):
                answers[number, name] = (await engine.generate(replace(request, adapter=name))).text
    return answers


class Soak:
    """The askers, who share an engine and a deadline."""

    def __init__(
        self, engine: LocalEngine, asked: list[Request], expected: dict[tuple[int, str | None], str]
    ) -> None:
        self.result = Soaked()
        self._engine = engine
        self._asked = asked
        self._expected = expected
        self._draw = random.Random(1)

    async def run(self, seconds: float, folder: Path) -> Soaked:
        """Ask until the time is up."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(ASKERS):
                group.create_task(self._ask(end))
            group.create_task(self._switch(end, folder))
            group.create_task(self._sample(end))
        return self.result

    async def _ask(self, end: float) -> None:
        names = [None, *self._engine.adapters]
        while time.monotonic() < end:
            number = self._draw.randrange(len(self._asked))
            told: list[str] = []
            request = replace(self._asked[number], adapter=self._draw.choice(names), on_text=told.append)
            if self._draw.random() < GIVE_UP:
                await self._give_up(request)
                continue
            generation = await self._engine.generate(request)
            self.result.answers += 1
            self.result.streamed += len(told)
            right = self._expected[number, generation.adapter]
            if generation.text != right or not all(right.startswith(text) for text in told):
                self.result.wrong.append(
                    f"{number} with {generation.adapter}: {generation.text!r} != {right!r}"
                )

    async def _give_up(self, request: Request) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._draw.uniform(0, 0.2)):
                await self._engine.generate(request)
        self.result.given_up += 1

    async def _switch(self, end: float, folder: Path) -> None:
        names = [*self._engine.adapters]
        while names and time.monotonic() < end:
            await asyncio.sleep(min(SWITCH_SECONDS, max(end - time.monotonic(), 0)))
            name = self._draw.choice(names)
            if self._draw.random() < 0.3:  # noqa: PLR2004 - now and then
                await self._engine.load_adapter(name, folder / name)
            if self._draw.random() < 0.7:  # noqa: PLR2004 - more often than not
                self._engine.use_adapter(name)
            else:
                self._engine.roll_back()
            self.result.switches += 1

    async def _sample(self, end: float) -> None:
        process, began = psutil.Process(), time.monotonic()
        while time.monotonic() < end:
            used = process.memory_info().rss / 2**20
            self.result.memory.append((time.monotonic() - began, used))
            await asyncio.sleep(SAMPLE_SECONDS)


async def soak(model: str, seconds: float, count: int = 40) -> Soaked:
    """Run each request alone, then all of them together for some seconds."""
    asked = requests(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if model == "tiny":
            make_adapters(folder)
        expected = await alone(model, folder, asked)
        async with opened(model, folder, max_batch=ASKERS) as engine:
            return await Soak(engine, asked, expected).run(seconds, folder)


def plot(memory: list[tuple[float, float]], path: Path) -> None:
    """Draw memory over time, where matplotlib is installed."""
    if find_spec("matplotlib") is None:
        print(f"matplotlib is not installed (pip install --group plots): {path} is not drawn")
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.add_subplot(
        ylabel="MiB resident", xlabel="seconds", ylim=(0, 1.2 * max(m for _, m in memory))
    )
    axes.plot([second for second, _ in memory], [used for _, used in memory])
    figure.savefig(path, dpi=120)


def main() -> None:
    """Soak, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--plot", type=Path, default=Path("soak.png"))
    arguments = parser.parse_args()
    result = asyncio.run(soak(arguments.model, 60 * arguments.minutes))
    print(f"{arguments.model}, {arguments.minutes:g} minutes, {ASKERS} at once")
    print(f"answers {result.answers}, pieces streamed {result.streamed}, given up {result.given_up}")
    print(f"adapter switches {result.switches}")
    print(f"not what they are alone: {len(result.wrong)}")
    print(f"memory of the last quarter over the second: {result.growth:.3f} (plot: {arguments.plot})")
    for line in result.wrong[:5]:
        print(f"  {line}")
    plot(result.memory, arguments.plot)
    sys.exit(bool(result.wrong) or result.growth > FLAT)


if __name__ == "__main__":
    main()
