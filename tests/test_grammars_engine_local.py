from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING

import pytest
import tiny
import torch
from peft import LoraConfig, get_peft_model

from grammars.answer import write_answer
from grammars.engine import open_engine, prefix
from grammars.engine.adapters import AdapterError
from grammars.engine.errors import (
    EngineBusy,
    EngineClosed,
    EngineError,
    EngineTimeout,
    PromptTooLong,
    UnknownAdapter,
)
from grammars.engine.generator import Loaded
from grammars.engine.local import LocalEngine
from grammars.engine.protocol import AnswerPrompt, PassageText, Request
from grammars.engine.worker import Task, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PASSAGES = (
    PassageText("Guide", "", "The office opens at nine. It closes at five. Ring the bell. Say hello."),
)
PROMPT = AnswerPrompt("When does it open?", PASSAGES)
LONG = Request(PROMPT, 'start: "[" /[a-z ]{900}/ "]"', {}, max_tokens=1000)
SHORT = Request(PROMPT, 'start: "[" /[a-z]{2}/ "]"', {}, max_tokens=100)


class Gate:
    """A worker's run that waits until it is let go."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []
        self.joining = False

    def __call__(
        self, batch: Sequence[Task[str, str]], more: Callable[[int], Sequence[Task[str, str]]]
    ) -> None:
        self.batches.append([task.item for task in batch])
        self.running.set()
        assert self.go.wait(30)
        joined = more(len(batch)) if self.joining else ()
        for task in (*batch, *joined):
            if task.item == "bad":
                raise ValueError("bad")
            task.finish(task.item.upper())


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def worker(gate: Gate) -> Worker[str, str]:
    return Worker("test", gate, max_batch=3, max_waiting=4)


async def started(worker: Worker[str, str], gate: Gate) -> asyncio.Task[str]:
    """Start the worker on a first item, and wait until it runs."""
    worker.start()
    first = asyncio.create_task(worker.submit("first"))
    await asyncio.to_thread(gate.running.wait, 30)
    return first


async def test_what_waits_runs_together_where_it_may(worker: Worker[str, str], gate: Gate) -> None:
    first = await started(worker, gate)
    waiting = [asyncio.create_task(worker.submit(item, key=item[0])) for item in ("a1", "b1", "a2", "a3")]
    await asyncio.sleep(0)
    gate.go.set()

    assert await asyncio.gather(first, *waiting) == ["FIRST", "A1", "B1", "A2", "A3"]
    assert gate.batches == [["first"], ["a1", "a2", "a3"], ["b1"]]
    worker.stop()


async def test_one_too_many_is_refused_and_the_rest_are_served(worker: Worker[str, str], gate: Gate) -> None:
    first = await started(worker, gate)
    waiting = [asyncio.create_task(worker.submit(item)) for item in "abcd"]
    await asyncio.sleep(0)
    with pytest.raises(EngineBusy, match="4 requests"):
        await worker.submit("e")
    gate.go.set()

    assert await asyncio.gather(first, *waiting) == ["FIRST", *"ABCD"]
    worker.stop()


async def test_what_is_given_up_while_it_waits_does_not_run(worker: Worker[str, str], gate: Gate) -> None:
    first = await started(worker, gate)
    given_up, other = (asyncio.create_task(worker.submit(item)) for item in ("a", "b"))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(EngineTimeout):
        await worker.submit("c", seconds=0.001)
    gate.go.set()

    assert await asyncio.gather(first, other) == ["FIRST", "B"]
    assert gate.batches == [["first"], ["b"]]
    worker.stop()


async def test_one_that_fails_does_not_spoil_its_batch(worker: Worker[str, str], gate: Gate) -> None:
    first = await started(worker, gate)
    waiting = [asyncio.create_task(worker.submit(item)) for item in ("a", "bad", "b")]
    await asyncio.sleep(0)
    gate.go.set()

    results = await asyncio.gather(first, *waiting, return_exceptions=True)

    assert [str(result) for result in results] == ["FIRST", "A", "bad", "B"]
    worker.stop()


async def test_stopping_ends_what_runs_and_refuses_what_waits(worker: Worker[str, str], gate: Gate) -> None:
    first = await started(worker, gate)
    waiting = asyncio.create_task(worker.submit("a"))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
    with pytest.raises(EngineClosed):
        await waiting
    gate.go.set()

    assert await first == "FIRST"
    await stopping
    with pytest.raises(EngineClosed):
        await worker.submit("b")


async def test_an_engine_that_is_not_open_says_so() -> None:
    engine = tiny.engine()
    with pytest.raises(EngineClosed, match="async with"):
        await engine.generate(SHORT)


async def test_a_cancelled_request_stops_its_row_and_the_next_is_served() -> None:
    async with tiny.engine() as engine:
        running = asyncio.create_task(engine.generate(LONG))
        after = asyncio.create_task(engine.generate(SHORT))
        await asyncio.sleep(0.05)
        running.cancel()

        assert len((await after).text) == 4
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_prompt_beyond_the_context_is_refused_and_its_batch_is_not() -> None:
    loaded = Loaded(tiny.causal(), tiny.tokenizer(), tiny.render, context=200)
    too_long = Request(AnswerPrompt("why " * 300, PASSAGES), SHORT.grammar, {}, max_tokens=20)
    fits = Request(AnswerPrompt("why", ()), SHORT.grammar, {}, max_tokens=20)
    async with LocalEngine("tiny", lambda: loaded) as engine:
        results = await asyncio.gather(
            *(engine.generate(asked) for asked in (fits, too_long, fits)), return_exceptions=True
        )

    assert [type(result).__name__ for result in results] == ["Generation", "PromptTooLong", "Generation"]
    assert isinstance(results[1], PromptTooLong)


async def test_a_grammar_that_llguidance_refuses_is_an_error() -> None:
    async with tiny.engine() as engine:
        with pytest.raises(EngineError, match="grammar was refused"):
            await engine.generate(Request(PROMPT, "start: nowhere", {}, max_tokens=10))


async def test_what_a_model_cannot_take_is_refused_with_its_reason() -> None:
    loaded = Loaded(tiny.causal(), tiny.tokenizer(), tiny.render, unable=lambda _: "I read English only.")
    async with LocalEngine("tiny", lambda: loaded) as engine:
        draft = await write_answer(engine, "Quando abre?", PASSAGES)

    assert not draft.answerable
    assert draft.generation.extra == {"note": "I read English only."}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two adapters of the tiny model, `one` and `two`, and a folder that is none."""
    folder = tmp_path_factory.mktemp("adapters")
    for seed, name in enumerate(("one", "two")):
        model = get_peft_model(tiny.causal(), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
        torch.manual_seed(seed)
        for parameter in (p for n, p in model.named_parameters() if "lora_" in n):
            torch.nn.init.normal_(parameter, std=0.5)
        model.save_pretrained(folder / name)
        manifest = {"base": "tiny", "data": "none", "date": "2026-11-22", "metrics": {"f1": 0.5}}
        (folder / name / "manifest.json").write_text(json.dumps(manifest))
    (folder / "none").mkdir()
    return folder


async def test_adapters_are_loaded_chosen_named_and_rolled_back_while_the_model_runs(adapters: Path) -> None:
    def asked(adapter: str | None) -> Request:
        return Request(PROMPT, "start: /[a-z ]{40}/", {}, max_tokens=60, adapter=adapter)

    async with tiny.engine() as engine:
        alone = {None: (await engine.generate(asked(None))).text}
        for name in ("one", "two"):
            assert (await engine.load_adapter(name, adapters / name)).metrics == {"f1": 0.5}
            alone[name] = (await engine.generate(asked(name))).text
        names = [None, "one", "two"] * 3
        running = [asyncio.create_task(engine.generate(asked(name))) for name in names]
        await asyncio.sleep(0)
        engine.use_adapter("one")
        engine.use_adapter("two")
        together = await asyncio.gather(*running)

        assert len(set(alone.values())) == 3
        assert [generation.text for generation in together] == [alone[name] for name in names]
        assert [generation.adapter for generation in together] == names
        assert (await engine.generate(asked(None))).text == alone["two"]
        assert engine.roll_back() == "one"
        assert (await engine.generate(asked(None))).adapter == "one"
        assert engine.roll_back() is None
        assert engine.roll_back() is None
        assert (await engine.generate(asked(None))).text == alone[None]


async def test_each_adapter_reads_what_prompts_begin_with_for_itself(
    adapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(prompt: AnswerPrompt) -> str:
        return "Answer from the passages, and from nothing else. " * 3 + tiny.render(prompt)

    async def answers() -> list[str]:
        loaded = Loaded(tiny.causal(), tiny.tokenizer(), render)
        async with LocalEngine("tiny", lambda: loaded) as engine:
            for name in ("one", "two"):
                await engine.load_adapter(name, adapters / name)
            asked = [
                Request(PROMPT, "start: /[a-z ]{40}/", {}, max_tokens=60, adapter=name)
                for name in (None, "one", "two", "one", None)
            ]
            return [(await engine.generate(one)).text for one in asked]

    shared = await answers()
    monkeypatch.setattr(prefix, "SHORTEST", 10_000)
    assert shared == await answers()
    assert len(set(shared)) == 3


async def test_an_adapter_is_replaced_while_it_is_chosen_and_stays_where_that_fails(adapters: Path) -> None:
    asked = Request(PROMPT, "start: /[a-z ]{40}/", {}, max_tokens=60, adapter="v1.2")
    async with tiny.engine() as engine:
        await engine.load_adapter("v1.2", adapters / "one")
        one = (await engine.generate(asked)).text
        (adapters / "two" / "adapter_model.safetensors").rename(adapters / "two" / "aside")
        with pytest.raises(AdapterError, match="does not fit"):
            await engine.load_adapter("v1.2", adapters / "two")
        assert (await engine.generate(asked)).text == one
        (adapters / "two" / "aside").rename(adapters / "two" / "adapter_model.safetensors")
        await engine.load_adapter("v1.2", adapters / "two")
        two = (await engine.generate(asked)).text
        await engine.load_adapter("v1.2", adapters / "one")
        assert (await engine.generate(asked)).text == one != two


async def test_what_waits_joins_a_running_batch_until_another_s_turn_comes(
    worker: Worker[str, str], gate: Gate
) -> None:
    gate.joining = True
    first = await started(worker, gate)
    keys = [None, None, "b", None]
    waiting = [asyncio.create_task(worker.submit(f"{n}", key=key)) for n, key in enumerate(keys)]
    await asyncio.sleep(0)
    gate.go.set()

    assert await asyncio.gather(first, *waiting) == ["FIRST", "0", "1", "2", "3"]
    assert gate.batches == [["first"], ["2"], ["3"]]
    worker.stop()


async def test_what_is_not_an_adapter_of_the_model_is_refused(adapters: Path) -> None:
    async with tiny.engine() as engine:
        with pytest.raises(AdapterError, match=r"no manifest\.json"):
            await engine.load_adapter("none", adapters / "none")
        with pytest.raises(UnknownAdapter, match="almanac adapters list"):
            engine.use_adapter("three")
        (adapters / "none" / "manifest.json").write_text('{"base":"other","data":"","date":"2026-11-22"}')
        with pytest.raises(AdapterError, match="is for 'other'"):
            await engine.load_adapter("none", adapters / "none")


async def test_a_model_from_a_folder_answers_with_an_adapter(tmp_path: Path, adapters: Path) -> None:
    folder = tmp_path / "a model"
    tiny.causal(1).save_pretrained(folder)
    tokenizer = tiny.tokenizer()
    tokenizer.save_pretrained(folder)
    adapter = tmp_path / "adapter"
    adapter.symlink_to(adapters / "one")
    manifest = {"base": str(folder), "data": "none", "date": "2026-11-22"}
    (adapters / "one" / "manifest.json").write_text(json.dumps(manifest))

    async with open_engine(str(folder), adapter=str(adapter)) as engine:
        draft = await write_answer(engine, PROMPT.question, PASSAGES, max_tokens=100)

    assert engine.name == str(folder)
    assert draft.generation.adapter == "adapter"
    assert all(quote.text in PASSAGES[0].text for quote in draft.quotes)


@pytest.mark.parametrize("spec", ["/nowhere/at/all", "openai:http://localhost:1/v1"])
async def test_what_is_no_model_is_an_error_that_says_what_to_do(spec: str) -> None:
    with pytest.raises(EngineError, match=r"hub name|URL#MODEL"):
        async with open_engine(spec):
            pass
