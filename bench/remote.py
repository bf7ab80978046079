"""A remote engine against a real server of OpenAI's API on loopback: `transformers serve`.

    python bench/remote.py [--port 8123]

It needs the server's dependencies: `pip install 'transformers[serving]'`. The server serves a model that is
made here in a minute: a two-layer Llama that has learnt six replies by heart, among them one that quotes what
no passage says and one that is no JSON. The server enforces nothing, and ignores the schema that it is sent:
what holds is what the engine's caller checks. In the end the server is killed in the middle of an answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from grammars.answer import write_answer
from grammars.engine import open_engine
from grammars.engine.errors import EngineError
from grammars.engine.protocol import PassageText

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from grammars.answer import Draft
    from grammars.engine.protocol import Engine

PASSAGES = (
    PassageText(
        "Office", "Hours", "The office in Porto opens at nine. It closes at five. Ring the bell twice."
    ),
    PassageText("Expenses", "Limits", "An expense over 200 EUR needs approval. Your manager gives it."),
)
STEPS, ENOUGH = 1500, 5e-3  # training ends where the loss is below
TEMPLATE = "{{ messages[-1]['content'].split('Question: ')[-1] }}{{ '\\n' if add_generation_prompt else '' }}"


def _reply(quote: str, passage: int, answer: str) -> str:
    row = {"answerable": True, "citations": [{"quote": quote, "passage": passage}], "answer": answer}
    return json.dumps(row, separators=(",", ":"))


REPLIES = {
    "When does the office open?": _reply("The office in Porto opens at nine.", 1, "At nine [1]."),
    "When does it close?": _reply("It closes at five.", 1, "At five in the afternoon, every day [1]."),
    "Who approves expenses?": _reply("Your manager gives it.", 2, "Your manager [1]."),
    "Is there a canteen?": '{"answerable":false}',
    "How much is the bonus?": _reply("The bonus is 10,000 EUR.", 2, "10,000 EUR [1]."),
    "Hello?": "Hello! How can I help you today?",
}
EXPECTED = ("quoted", "quoted", "quoted", "declined", "declined", "error")


def make_model(folder: Path) -> None:
    """Train the model, and save it with its tokenizer; its chat template shows it the question alone."""
    tokenizer = _tokenizer()
    ids = [tokenizer(f"{question}\n{reply}</s>")["input_ids"] for question, reply in REPLIES.items()]
    width = max(map(len, ids))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    labels = tokens.masked_fill(tokens == 0, -100)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=96, intermediate_size=192, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=4096,
            bos_token_id=1, eos_token_id=2, pad_token_id=0,
        )
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        loss = model(input_ids=tokens, attention_mask=(tokens != 0).long(), labels=labels).loss
        if loss.item() < ENOUGH:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator([*REPLIES, *REPLIES.values()], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=trained,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=4096,
        chat_template=TEMPLATE,
    )


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server until the block ends."""
    program = Path(sys.executable).with_name("transformers")
    command = [
        str(program),
        "serve",
        str(folder),
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--device",
        "cpu",
    ]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "server.log")
        yield process
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"The server did not start:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            return
        time.sleep(0.2)
    raise SystemExit("The server did not become healthy in two minutes.")


async def ask(engine: Engine, question: str) -> tuple[str, Draft | None, float | None, float]:
    """Ask; return what came of it, the draft, and the ms until something was shown and until the end."""
    began, shown = time.perf_counter(), []

    def show(_: Draft) -> None:
        shown.append(1000 * (time.perf_counter() - began))

    try:
        draft = await write_answer(engine, question, PASSAGES, max_tokens=150, on_draft=show)
    except EngineError:
        return "error", None, None, 1000 * (time.perf_counter() - began)
    verbatim = all(
        PASSAGES[quote.passage].text[quote.start : quote.end] == quote.text for quote in draft.quotes
    )
    outcome = ("quoted" if verbatim else "INVENTED") if draft.answerable else "declined"
    return outcome, draft, shown[0] if shown else None, 1000 * (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def engines(folder: Path, port: int) -> AsyncIterator[tuple[Engine, Engine]]:
    """Open the remote engine, and the same model in this process."""
    url = f"openai:http://127.0.0.1:{port}/v1#{folder}"
    async with open_engine(url, seconds=60) as remote, open_engine(str(folder)) as local:
        yield remote, local


async def compare(remote: Engine, local: Engine) -> bool:
    """Print each answer beside the local engine's; return whether all came out as they should."""
    table = Table(title="Over transformers serve, which enforces no grammar; and locally, under the grammar")
    for heading in ("Question", "Remote", "Expected", "First shown", "Done", "Answer", "Local"):
        table.add_column(heading)
    right = True
    for (question, _), expected in zip(REPLIES.items(), EXPECTED, strict=True):
        outcome, draft, first, done = await ask(remote, question)
        here, *_ = await ask(local, question)
        right &= outcome == expected
        cells = (outcome, expected, f"{first:.0f} ms" if first else "", f"{done:.0f} ms")
        table.add_row(question, *cells, draft.answer if draft else "", here)
    Console().print(table)
    return right


async def kill_in_the_middle(server: subprocess.Popen[bytes], remote: Engine) -> bool:
    """Kill the server at the first piece of an answer; return whether that is told at once and clearly."""
    began = 0.0

    def kill(_: Any) -> None:
        nonlocal began
        if not began:
            server.kill()
            began = time.perf_counter()

    try:
        async with asyncio.timeout(60):
            await write_answer(remote, "When does it close?", PASSAGES, max_tokens=150, on_draft=kill)
    except EngineError as error:
        print(f"Killed in the middle: {time.perf_counter() - began:.1f} s later: {error}")
        return bool(began)
    except TimeoutError:
        print("Killed in the middle: it hung.")
        return False
    print("It was done before it could be killed.")
    return False


async def measure(folder: Path, port: int) -> bool:
    """Run everything; return whether all came out as it should."""
    async with engines(folder, port) as (remote, local):
        with serving(folder, port) as server:
            right = await compare(remote, local)
            right &= await kill_in_the_middle(server, remote)
        with serving(folder, port):
            outcome, draft, *_ = await ask(remote, "When does it close?")
            print(f"After a restart, on the same engine: {outcome}: {draft.answer if draft else ''}")
    return right and outcome == "quoted"


def main() -> None:
    """Make the model, serve it, ask it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8123)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder))
        right = asyncio.run(measure(Path(folder), arguments.port))
    print("All as it should be." if right else "Something is not as it should be.")
    sys.exit(not right)


if __name__ == "__main__":
    main()
