"""Decoding compared on one model and the same prompts: ours, outlines' own, and without a grammar.

    python bench/decoding.py QA.jsonl [--model embedded|HUB NAME|FOLDER|random] [--rows 20]

`QA.jsonl` holds `{"question", "passages": [{"title", "text"}]}`. Outlines' generator has one grammar a
call, so it is measured one answer at a time; the others run in batches too. Without a grammar, the model
writes as many tokens as our answer had, whatever they say. Below the table: what the grammar of five
passages of 200 tokens costs, beside the prompt's forward pass that it is compiled next to; and how much of
an answer must be written before something of it can be shown, as it is, and were its text to come first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import outlines
import torch
from llguidance import LLMatcher, grammar_from
from outlines.backends.llguidance import LLGuidanceBackend
from outlines.generator import SteerableGenerator
from rich.console import Console
from rich.table import Table

from grammars.answer.grammar import SHORTEST, Quotable, answer_grammar
from grammars.engine.local import Loaded, LocalEngine
from grammars.engine.protocol import AnswerPrompt, Generation, PassageText, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TOKENS = 256


@dataclass
class Measured:
    """One way of decoding, over all prompts: totals."""

    name: str
    concurrency: int
    answers: int
    tokens: int
    passes: float
    seconds: float

    @property
    def speed(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds

    def cells(self, reference: Measured, free: Measured | None) -> list[str]:
        """Return a row of the table; the last cells are the speed over outlines' and over no grammar's."""
        return [
            self.name,
            str(self.concurrency),
            f"{self.passes / self.answers:.1f}",
            f"{1000 * self.seconds / self.answers:.0f}",
            f"{self.speed:.0f}",
            f"{self.answers / self.seconds:.2f}",
            f"{self.speed / reference.speed:.2f}",
            f"{self.speed / free.speed:.2f}" if free else "",
        ]


def load(name: str) -> Loaded:
    """Load a model by its setting; `random` is a small Llama over the embedded model's tokenizer."""
    from grammars.embedded.layout import render
    from grammars.embedded.loading import build
    from grammars.embedded.loading import load as load_trained
    from grammars.engine.pretrained import load_pretrained

    if name == "embedded":
        return Loaded(*load_trained(), render)
    if name != "random":
        return load_pretrained(name, dtype="float32")
    return Loaded(_llama(tokenizer := build()[1]), tokenizer, render)


def _llama(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=8,
        initializer_range=0.2,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config).eval()


def requests(path: Path, rows: int, *, extractive: bool) -> list[Request]:
    """Return answerable requests; their grammar admits no refusal, so that every answer has a quote."""
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        passages = tuple(PassageText(p.get("title", ""), "", p["text"]) for p in row["passages"])
        if row.get("answerable", True) and len(found) < rows:
            grammar = answer_grammar([Quotable.of(p) for p in passages], max_quotes=3, extractive=extractive)
            grammar = grammar.replace(' | "false}")', ")", 1)
            prompt = AnswerPrompt(row["question"], passages)
            found.append(Request(prompt, grammar, {}, MAX_TOKENS, shortest=SHORTEST))
    return found


async def ours(loaded: Loaded, asked: list[Request], concurrency: int) -> tuple[Measured, list[Generation]]:
    """Measure the engine; return the answers too."""
    gate = asyncio.Semaphore(concurrency)
    async with LocalEngine("bench", lambda: loaded, max_batch=concurrency, max_waiting=len(asked)) as engine:

        async def one(request: Request) -> Any:
            async with gate:
                return await engine.generate(request)

        await one(replace(asked[0], max_tokens=32))
        with counted(loaded.model) as passes:
            began = time.perf_counter()
            done = await asyncio.gather(*map(one, asked))
            seconds = time.perf_counter() - began
    lengths = [generation.completion_tokens for generation in done]
    return Measured("ours", concurrency, len(done), sum(lengths), passes[0], seconds), done


def outlines_own(loaded: Loaded, asked: list[Request]) -> Measured:
    """Measure outlines' generator with its llguidance back end, built once."""
    model = outlines.from_transformers(loaded.model, loaded.tokenizer)
    backend = LLGuidanceBackend(model)
    tokens = 0
    with torch.compiler.set_stance("force_eager"), counted(loaded.model) as passes:
        began = time.perf_counter()
        for request in asked:
            processor = backend.get_cfg_logits_processor(request.grammar)
            generator = SteerableGenerator.from_processor(model, processor)
            text = generator(loaded.render(request.prompt), max_new_tokens=MAX_TOKENS, do_sample=False)
            tokens += len(loaded.tokenizer(text)["input_ids"])
        seconds = time.perf_counter() - began
    return Measured("outlines", 1, len(asked), tokens, passes[0], seconds)


def unconstrained(loaded: Loaded, asked: list[Request], lengths: list[int], concurrency: int) -> Measured:
    """Measure `generate` without a grammar, each batch as long as the longest of our answers in it."""
    model = outlines.from_transformers(loaded.model, loaded.tokenizer)
    with counted(loaded.model) as passes:
        began = time.perf_counter()
        for first in range(0, len(asked), concurrency):
            batch = slice(first, first + concurrency)
            count = max(lengths[batch])
            prompts = [loaded.render(request.prompt) for request in asked[batch]]
            model.generate_batch(prompts, max_new_tokens=count, min_new_tokens=count, do_sample=False)
        seconds = time.perf_counter() - began
    return Measured("unconstrained", concurrency, len(asked), sum(lengths), passes[0], seconds)


class counted:  # noqa: N801 - used as a function
    """Count a model's forward passes inside a `with`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __enter__(self) -> list[int]:
        passes = [0]

        def count(*_: Any) -> None:
            passes[0] += 1

        base = self._model.get_base_model() if hasattr(self._model, "get_base_model") else self._model
        self._hook = base.register_forward_hook(count)
        return passes

    def __exit__(self, *_: object) -> None:
        self._hook.remove()


def measured(
    loaded: Loaded, asked: list[Request]
) -> Iterator[tuple[Measured, Measured | None, list[Generation]]]:
    """Yield each way at each concurrency, with the free one beside it; outlines' own comes first."""
    yield outlines_own(loaded, asked), None, []
    for concurrency in (1, 4, 16):
        result, done = asyncio.run(ours(loaded, asked, concurrency))
        free = unconstrained(loaded, asked, [one.completion_tokens for one in done], concurrency)
        yield result, free, done
        yield free, None, []


def grammar_cost(loaded: Loaded) -> tuple[float, float]:
    """Return the median ms to write and compile the grammar of five passages, and to read their prompt."""
    words = re.findall(
        r"\S+", "Restart the pod in Porto at nine, then check its logs and wait for its approval."
    )
    draw = random.Random(0)
    count = 200 // len(loaded.tokenizer(" ".join(words))["input_ids"])
    passages = tuple(
        PassageText(
            "Guide", "", " ".join(f"The {' '.join(draw.sample(words, len(words)))}." for _ in range(count))
        )
        for _ in range(5)
    )
    vocabulary = LLGuidanceBackend(outlines.from_transformers(loaded.model, loaded.tokenizer)).llg_tokenizer
    compiled, read = [], []
    for _ in range(20):
        began = time.perf_counter()
        grammar = answer_grammar([Quotable.of(p) for p in passages], max_quotes=3, extractive=False)
        LLMatcher(vocabulary, grammar_from("lark", grammar)).compute_ff_tokens()
        compiled.append(1000 * (time.perf_counter() - began))
    prompt = loaded.render(AnswerPrompt("Where is the pod?", passages))
    model = outlines.from_transformers(loaded.model, loaded.tokenizer)
    for _ in range(5):
        began = time.perf_counter()
        model.generate_batch([prompt], max_new_tokens=1, do_sample=False)
        read.append(1000 * (time.perf_counter() - began))
    return statistics.median(compiled), statistics.median(read)


def first_shown(answers: list[str]) -> tuple[float, float]:
    """Return the mean shares of an answer after which something of it stands: quotes first, and answer first.

    A quote stands once its passage's number does; a statement once a quote that supports it does.
    """
    quotes, texts = [], []
    for text in answers:
        until = text.find("}") + 1
        answer = len(text) - text.find('"answer":')
        quotes.append(until / len(text))
        texts.append((until + answer) / len(text))
    return statistics.mean(quotes), statistics.mean(texts)


def show(title: str, results: list[tuple[Measured, Measured | None, list[Generation]]]) -> None:
    """Print the table."""
    table = Table(title=title)
    for heading in (
        "",
        "at once",
        "passes/answer",
        "ms/answer",
        "tokens/s",
        "answers/s",
        "over outlines",
        "over free",
    ):
        table.add_column(heading, justify="right" if heading else "left")
    for result, free, _ in results:
        table.add_row(*result.cells(results[0][0], free))
    Console().print(table)


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("questions", type=Path)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--rows", type=int, default=20)
    arguments = parser.parse_args()
    loaded = load(arguments.model)
    extractive = arguments.model in {"embedded", "random"}
    asked = requests(arguments.questions, arguments.rows, extractive=extractive)
    results = list(measured(loaded, asked))
    show(f"{arguments.model}: {len(asked)} answers", results)
    compiled, read = grammar_cost(loaded)
    print(
        f"The grammar of 5 passages of 200 tokens: {compiled:.1f} ms, beside a prompt read in {read:.0f} ms"
    )
    whole = [one.text for one in results[1][2] if not one.truncated]
    if whole:
        quotes, texts = first_shown(whole)
        print(f"Something stands after {quotes:.0%} of an answer; with its text first, after {texts:.0%}")


if __name__ == "__main__":
    main()
