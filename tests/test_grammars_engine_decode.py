from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import llguidance
import llguidance.hf
import outlines
import pytest
import tiny
import torch
from llguidance import LLMatcher
from outlines.types import CFG

from grammars.answer.grammar import SHORTEST, Quotable, answer_grammar
from grammars.engine.local import Loaded, LocalEngine
from grammars.engine.protocol import AnswerPrompt, PassageText, Request

if TYPE_CHECKING:
    from collections.abc import Callable

PASSAGES = (
    PassageText(
        "Guide", "Hours", "The office opens at nine. It closes at five.\n\n- Ring the bell\n- Say hello"
    ),
    PassageText("Pods", "", 'Restart the "api" pod. Then wait. 漢字です。終わり。'),
)
QUESTIONS = (
    "When does it open?",
    "Why?",
    "What to do about the pod that is stuck again?",
    "x",
    "And then, how?",
)


def request(question: str, *, extractive: bool = True, max_tokens: int = 60) -> Request:
    grammar = answer_grammar(
        [Quotable.of(passage) for passage in PASSAGES], max_quotes=3, extractive=extractive
    )
    return Request(AnswerPrompt(question, PASSAGES), grammar, {}, max_tokens, shortest=SHORTEST)


REQUESTS = [
    request(question, extractive=extractive) for question in QUESTIONS for extractive in (True, False)
]


@torch.inference_mode()
def token_by_token(
    model: Any, asked: Request, render: Callable[[AnswerPrompt], str] = tiny.render
) -> list[int]:
    """The reference: no cache, no batch; the whole sequence is read again for each token that is chosen."""
    tokenizer = tiny.tokenizer(model.config.vocab_size)
    vocabulary = llguidance.hf.from_tokenizer(tokenizer)
    matcher = LLMatcher(vocabulary, llguidance.grammar_from("lark", asked.grammar))
    prompt = tokenizer(render(asked.prompt), return_tensors="pt")["input_ids"]
    written: list[int] = []
    while len(written) < asked.max_tokens and not matcher.is_stopped():
        if not (step := matcher.compute_ff_tokens()):
            logits = last_logits(model, prompt, written)
            admitted = torch.tensor(list(matcher.compute_logit_bias())) > 0
            step = [int(logits[: len(admitted)].masked_fill(~admitted, -torch.inf).argmax())]
        matcher.consume_tokens(step)
        written += step
    return written[: asked.max_tokens]


def last_logits(model: Any, prompt: torch.Tensor, written: list[int]) -> torch.Tensor:
    if not model.config.is_encoder_decoder:
        return model(torch.cat([prompt, torch.tensor([written], dtype=torch.long)], 1)).logits[0, -1]
    begun = torch.tensor([[model.config.decoder_start_token_id, *written]])
    return model(input_ids=prompt, decoder_input_ids=begun).logits[0, -1]


@pytest.mark.parametrize(
    "model", [tiny.causal(1), tiny.causal(4), tiny.seq2seq(4)], ids=["llama", "llama-2", "bart"]
)
async def test_the_output_is_that_of_token_by_token_greedy_decoding_alone_and_in_a_batch(model: Any) -> None:
    expected = [token_by_token(model, asked) for asked in REQUESTS]
    tokenizer = tiny.tokenizer()

    async with tiny.engine(model) as engine:
        alone = [await engine.generate(asked) for asked in REQUESTS]
        together = await asyncio.gather(*(engine.generate(asked) for asked in REQUESTS))

    texts = [tokenizer.decode(tokens, clean_up_tokenization_spaces=False) for tokens in expected]
    assert [generation.text for generation in alone] == [text.rstrip("\ufffd") for text in texts]
    assert [generation.text for generation in together] == [text.rstrip("\ufffd") for text in texts]
    assert len(set(texts)) > 2, "the model says different things"


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # llguidance's own masks import it
@pytest.mark.parametrize(
    "model", [tiny.causal(7, tiny.BYTES), tiny.seq2seq(3, tiny.BYTES)], ids=["llama", "bart"]
)
async def test_the_output_is_that_of_outlines_own_generator_in_fewer_passes(model: Any) -> None:
    tokenizer = tiny.tokenizer(tiny.BYTES)
    wrapped = outlines.from_transformers(model, tokenizer)
    asked = request("When does it open?", max_tokens=300)
    generator = outlines.Generator(wrapped, CFG(asked.grammar), backend="llguidance")
    with torch.compiler.set_stance(
        "force_eager"
    ):  # its masks would be compiled, for which CI has no compiler
        expected = generator(tiny.render(asked.prompt), max_new_tokens=300, do_sample=False)

    async with tiny.engine(model) as engine:
        generation = await engine.generate(asked)

    assert generation.text == expected
    assert generation.forward_passes < generation.completion_tokens / 2


async def test_each_choice_has_its_probability_and_the_first_is_the_decision_to_answer() -> None:
    asked = request("When does it open?")
    async with tiny.engine(tiny.causal(1)) as engine:
        greedy = await engine.generate(asked)
        sampled = [await engine.generate(replace(asked, temperature=1.0)) for _ in range(20)]

    refusals = [generation for generation in sampled if generation.text == SHORTEST]
    assert 0 < greedy.probabilities[0] <= 1
    assert all(generation.probabilities for generation in sampled)
    assert len({generation.text for generation in sampled}) > 1
    assert all(len(generation.probabilities) <= 5 for generation in refusals)


@pytest.mark.parametrize("budget", [8, 17, 33, 64])
async def test_the_budget_ends_a_row_and_says_so(budget: int) -> None:
    asked = request("x", extractive=False, max_tokens=budget)

    async with tiny.engine(tiny.causal(1)) as engine:
        whole = await engine.generate(replace(asked, max_tokens=512))
        cut = await engine.generate(asked)

    assert whole.completion_tokens > 64
    assert cut.truncated
    assert cut.completion_tokens == budget
    assert whole.text.startswith(cut.text)


INSTRUCTIONS = "Answer from the passages. Quote them, and say nothing else. " * 3


def instructed(prompt: AnswerPrompt) -> str:
    return INSTRUCTIONS + tiny.render(prompt)


def instructed_engine(model: Any, **options: Any) -> LocalEngine:
    loaded = Loaded(model, tiny.tokenizer(model.config.vocab_size), instructed)
    return LocalEngine("tiny", lambda: loaded, **options)


async def test_rows_that_join_and_leave_a_batch_write_what_they_write_alone() -> None:
    model = tiny.causal(1)
    asked = [replace(one, max_tokens=20 + 17 * (number % 4)) for number, one in enumerate(REQUESTS)]
    expected = [token_by_token(model, one, instructed) for one in asked]

    async with instructed_engine(model, max_batch=3) as engine:
        together = await asyncio.gather(*(engine.generate(one) for one in asked))

    texts = [tiny.tokenizer().decode(tokens, clean_up_tokenization_spaces=False) for tokens in expected]
    assert [generation.text for generation in together] == [text.rstrip("\ufffd") for text in texts]
    assert len(set(texts)) > 2


async def test_what_prompts_begin_with_is_read_once() -> None:
    model, read = tiny.causal(1), []
    model.register_forward_pre_hook(
        lambda _module, _args, named: read.append(named["input_ids"].numel()), with_kwargs=True
    )
    shared = len(tiny.tokenizer()(INSTRUCTIONS)["input_ids"]) - 1
    async with instructed_engine(model) as engine:
        first = await engine.generate(REQUESTS[0])
        read.clear()
        again = await engine.generate(REQUESTS[0])

    assert shared > 40
    assert again.text == first.text
    assert sum(read) <= again.prompt_tokens + again.completion_tokens - shared


async def test_a_short_answer_does_not_wait_for_a_long_one_in_its_batch() -> None:
    long = Request(AnswerPrompt("x", ()), "start: /[a-z ]{900}/", {}, 1000)
    short = Request(AnswerPrompt("y", ()), "start: /[a-z]{4}/", {}, 20)
    async with tiny.engine(tiny.causal(1)) as engine:
        begun = asyncio.Event()
        running = asyncio.create_task(engine.generate(replace(long, on_text=lambda _: begun.set())))
        await begun.wait()
        await engine.generate(short)
        assert not running.done()
        running.cancel()


@pytest.mark.parametrize("model", [tiny.causal(1), tiny.seq2seq(4)], ids=["llama", "bart"])
async def test_text_streams_as_it_is_written_and_ends_whole(model: Any) -> None:
    told: list[str] = []
    async with tiny.engine(model) as engine:
        generation = await engine.generate(replace(request("Why?", extractive=False), on_text=told.append))

    assert len(told) > 5
    assert all(after.startswith(before) for before, after in itertools.pairwise(told))
    assert told[-1] == generation.text


async def test_a_grammar_that_is_not_ready_is_waited_for_after_the_prompt() -> None:
    asked = request("When does it open?")
    async with tiny.engine(tiny.causal(1)) as engine:
        expected = await engine.generate(asked)
        assert engine._generator is not None
        matcher = engine._generator._matcher
        engine._generator._matcher = lambda grammar: time.sleep(0.3) or matcher(grammar)  # type: ignore[method-assign]  # a slow one
        late = await engine.generate(asked)

    assert late.text == expected.text
    assert late.forward_passes in {expected.forward_passes, expected.forward_passes + 1}
