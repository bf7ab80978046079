"""Train the locator: where a text states what the leaves of a schema ask for.

    python -m grammars.tuning.locator --out runs/locator --cases grammars/tuning/corpus/fields-*.jsonl \
        --questions runs/rows/documents-train.jsonl ../shared/data/qa/train.jsonl

First questions about passages, then extraction cases; MiniLM's adapter begins as the reader's, which has
learnt to read questions and passages together. Resumes from its last checkpoint when it is run again; with
`--begin` goes on from where another run ended. Writes into the output folder `checkpoint.pt`, `log.jsonl`,
`curve.png`, and at the end `adapter/` (LoRA) and `head.safetensors`.

Every fifth schema is left out (`--fold` says from which on), and it is shown how well these are read; what
the locator says of them is what `grammars.tuning.ranker` weighs. `--fold -1` leaves out none.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from grammars.embedded.loading import WEIGHTS, minilm, minilm_folder
from grammars.embedded.locator import Asker, Locator, LocatorHead
from grammars.tuning.curve import draw
from grammars.tuning.examples import read_rows
from grammars.tuning.sheets import Sheet, sheets_of_cases, sheets_of_questions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDS = 5
ADAPTED = r"encoder.*\.(query|key|value|dense)"
LEFT_OUT = "left-out.json"
CHECKPOINT = "checkpoint.pt"
STEP = 32  # tokens: rows are padded to a multiple
WARM_UP = 0.06  # share of the steps
ALIKE = 200  # characters by which the texts of one batch may differ, about


@dataclass(frozen=True)
class Run:
    """The configuration of a run, saved beside its weights."""

    out: str
    questions: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    passages: int = 2_400  # that questions are asked of, once
    epochs: int = 6  # over the cases
    batch: int = 8  # sheets
    rank: int = 32
    alpha: int = 64
    adapter_rate: float = 3e-4
    head_rate: float = 1e-3
    dropout: float = 0.05
    fold: int = 0  # which fifth of the schemas is left out; -1: none
    begin: str = ""  # the folder of a run that this one goes on from
    every: int = 50  # steps between checkpoints
    seed: int = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    train(_run(arguments))


def train(run: Run) -> None:
    """Train, from the last checkpoint on where there is one, and write the trained parts."""
    out = Path(run.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.json").write_text(json.dumps(asdict(run), indent=1) + "\n")
    torch.manual_seed(run.seed)
    cases = [case for path in run.cases for case in read_rows(Path(path))]
    out_of_fold = titles(cases)[run.fold :: FOLDS] if run.fold >= 0 else []
    (out / LEFT_OUT).write_text(json.dumps(out_of_fold) + "\n")
    kept = [case for case in cases if title(case) not in out_of_fold]
    trainer = Trainer(run)
    if run.begin:
        trainer.load(Path(run.begin))
    if run.questions:
        questions = sheets_of_questions(list(map(Path, run.questions)), most=run.passages, seed=run.seed)
        trainer.stage("questions", questions, 1, varied=False)
    if kept:
        trainer.stage("cases", list(sheets_of_cases(kept)), run.epochs, varied=True)
    trainer.save(out)
    if held := [case for case in cases if title(case) in out_of_fold]:
        trainer.log(left_out=evaluate(trainer.locator(), list(sheets_of_cases(held))))
    draw(out, 1, plot)


def titles(cases: Sequence[dict[str, Any]]) -> list[str]:
    """Return the titles of the cases' schemas, sorted."""
    return sorted({title(case) for case in cases})


def title(case: dict[str, Any]) -> str:
    """Return the title of a case's schema."""
    return str(case["schema"].get("title", ""))


def _run(arguments: Sequence[str] | None) -> Run:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True)
    parser.add_argument("--questions", nargs="+", default=())
    parser.add_argument("--cases", nargs="+", default=())
    for name, value in asdict(Run("")).items():
        if name not in {"out", "questions", "cases"}:
            parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    given = vars(parser.parse_args(arguments))
    return Run(**given | {name: tuple(given[name]) for name in ("questions", "cases")})


@dataclass(frozen=True)
class Batch:
    """Rows of sheets: ids, what is real, whose (B, T); begins and ends (B, Q, 1 + T), place 0 nowhere."""

    ids: torch.Tensor
    real: torch.Tensor
    owner: torch.Tensor
    begins: torch.Tensor
    ends: torch.Tensor


class Trainer:
    """The model in training, with its log and its checkpoints."""

    def __init__(self, run: Run) -> None:
        from transformers import AutoTokenizer

        self.run, self.out = run, Path(run.out)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer: Any = AutoTokenizer.from_pretrained(minilm_folder())
        self.asker = Asker(self.tokenizer)
        lora = LoraConfig(r=run.rank, lora_alpha=run.alpha, lora_dropout=run.dropout, target_modules=ADAPTED)
        self.model: Any = get_peft_model(minilm(), lora).to(self.device)
        self.head = LocatorHead(self.model.config.hidden_size).to(self.device)
        as_the_reader(self.model)
        self.done: dict[str, int] = {}
        self.began = time.time()

    def stage(self, name: str, sheets: Sequence[Sheet], epochs: int, *, varied: bool) -> None:
        """Run over sheets, from the last checkpoint on."""
        total = epochs * math.ceil(len(sheets) / self.run.batch)
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": [p for p in self.model.parameters() if p.requires_grad],
                    "lr": self.run.adapter_rate,
                },
                {"params": list(self.head.parameters()), "lr": self.run.head_rate},
            ],
            weight_decay=0.01,
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / (WARM_UP * total + 1), (total - step) / total)
        )
        self.resume(name, optimizer, scheduler)
        losses: list[float] = []
        for step, batch in enumerate(self.batches(sheets, epochs, varied=varied), 1):
            if step <= self.done.get(name, 0):
                continue
            losses.append(self.update(batch, optimizer))
            scheduler.step()
            self.done[name] = step
            if step % self.run.every == 0 or step == total:
                loss, seconds = round(sum(losses) / len(losses), 3), round(time.time() - self.began)
                self.log(stage=name, step=step, of=total, loss=loss, s=seconds)
                losses = []
                self.checkpoint(name, optimizer, scheduler)

    def batches(self, sheets: Sequence[Sheet], epochs: int, *, varied: bool) -> Iterator[Batch]:
        """Yield batches of sheets of like length, in the same order each time."""
        rng = random.Random(self.run.seed)  # noqa: S311 - sampling, not secrets
        for _ in range(epochs):
            order = sorted(sheets, key=lambda sheet: len(sheet.text) + rng.random() * ALIKE)
            parts = [order[at : at + self.run.batch] for at in range(0, len(order), self.run.batch)]
            rng.shuffle(parts)
            for part in parts:
                yield self.batch([sheet.varied(rng) if varied else sheet for sheet in part])

    def batch(self, sheets: Sequence[Sheet]) -> Batch:
        """Return sheets as tensors; of a long text or many questions what the first reading holds."""
        read = [self.asker.tokens(sheet.text) for sheet in sheets]
        rows = [
            self.asker(sheet.title, sheet.questions, tokens)[0]
            for sheet, (tokens, _) in zip(sheets, read, strict=True)
        ]
        width = -(-max(len(row.ids) for row in rows) // STEP) * STEP
        shape = (len(rows), max(len(row.questions) for row in rows), 1 + width)
        ids, real, owner = (torch.zeros(len(rows), width, dtype=torch.long) for _ in range(3))
        begins, ends = torch.zeros(shape), torch.zeros(shape)
        for number, (sheet, (_, offsets), row) in enumerate(zip(sheets, read, rows, strict=True)):
            ids[number, : len(row.ids)] = torch.tensor(row.ids)
            real[number, : len(row.ids)] = 1
            owner[number, : len(row.ids)] = torch.tensor(row.owner)
            firsts = {
                at: 1 + place for place, (s, e) in zip(row.text, offsets, strict=False) for at in range(s, e)
            }
            for line, question in enumerate(row.questions):
                places = sheet.places[question]
                for start, end in places or ():
                    if start in firsts and end - 1 in firsts:
                        begins[number, line, firsts[start]] = ends[number, line, firsts[end - 1]] = 1
                if places == ():
                    begins[number, line, 0] = ends[number, line, 0] = 1
        return Batch(*(part.to(self.device) for part in (ids, real, owner, begins, ends)))

    def update(self, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
        """Take one optimiser step."""
        self.model.train()
        states = self.model(
            input_ids=batch.ids, attention_mask=batch.real, token_type_ids=(batch.owner == -1).long()
        ).last_hidden_state
        begins, ends = self.head(states, batch.owner)
        loss = (_loss(begins, batch.begins) + _loss(ends, batch.ends)) / 2
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.head.parameters()], 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def locator(self) -> Locator:
        """Return what was trained, ready to read."""
        self.model.eval()
        return Locator.of(self.model.base_model.model, self.head, self.tokenizer, torch.float32)

    def log(self, **entry: Any) -> None:
        """Print an entry and add it to the log."""
        print(entry, flush=True)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def checkpoint(self, stage: str, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
        """Save everything that a resumed run needs."""
        state = {
            "done": self.done,
            "stage": stage,
            "trained": self._trained(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(state, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / CHECKPOINT)

    def resume(self, stage: str, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
        """Continue from the last checkpoint, where there is one; of an earlier stage with its weights."""
        path = self.out / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self._load(state["trained"])
        self.done = state["done"]
        if state["stage"] == stage:
            optimizer.load_state_dict(state["optimizer"])
            scheduler.load_state_dict(state["scheduler"])
            torch.set_rng_state(state["random"])

    def load(self, folder: Path) -> None:
        """Take over the weights that another run ended with."""
        self._load(torch.load(folder / CHECKPOINT, map_location=self.device, weights_only=True)["trained"])

    def _trained(self) -> dict[str, torch.Tensor]:
        adapter = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        return adapter | {f"head.{n}": p for n, p in self.head.named_parameters()}

    def _load(self, trained: dict[str, torch.Tensor]) -> None:
        head = {n.removeprefix("head."): p for n, p in trained.items() if n.startswith("head.")}
        self.head.load_state_dict(head)
        adapter = {n: p for n, p in trained.items() if not n.startswith("head.")}
        self.model.load_state_dict(adapter, strict=False)

    def save(self, out: Path) -> None:
        """Write the trained parts in bfloat16: the adapter as peft does, and the head."""
        model, head = deepcopy(self.model), deepcopy(self.head)
        adapter = model.cpu().to(torch.bfloat16)
        adapter.save_pretrained(str(out / "adapter"), save_embedding_layers=False)
        save_file(head.cpu().to(torch.bfloat16).state_dict(), out / "head.safetensors")


def as_the_reader(model: Any) -> None:
    """Let an adapter begin as that of the embedded model that ships, where it is of the same rank."""
    path = WEIGHTS / "adapter" / "adapter_model.safetensors"
    found = {
        name.replace("encoder.minilm.", "").replace(".weight", ".default.weight"): tensor.float()
        for name, tensor in (load_file(path) if path.exists() else {}).items()
    }
    state = model.state_dict()
    fitting = {n: t for n, t in found.items() if n in state and state[n].shape == t.shape}
    model.load_state_dict(fitting, strict=False)
    print(f"began as the reader: {len(fitting)} of {len(found)} tensors fit", flush=True)


def _loss(scores: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of questions (B, Q, 1 + T), each right place of one alike."""
    count = right.sum(-1, keepdim=True)
    shares = scores.log_softmax(-1).masked_fill(right == 0, 0.0) * right / count.clamp(min=1)
    return -shares.sum() / (count > 0).sum().clamp(min=1)


def evaluate(locator: Locator, sheets: Sequence[Sheet]) -> dict[str, float]:
    """Return how often the likeliest span is right where there is one, and nowhere is likelier where not."""
    right: list[bool] = []
    quiet: list[bool] = []
    for sheet in sheets:
        found = locator(sheet.title, sheet.questions, sheet.text)
        if not len(found.offsets):
            continue
        for number, places in enumerate(sheet.places):
            pairs = found.begins[number][:, None] + found.ends[number]
            pairs = np.where(np.triu(np.ones_like(pairs)) > 0, pairs, -np.inf)
            first, last = divmod(int(pairs.argmax()), len(found.offsets))
            span = int(found.offsets[first, 0]), int(found.offsets[last, 1])
            if places:
                right.append(span in places)
            elif places == ():
                quiet.append(bool(pairs.max() < found.absent[number]))
    return {"right": sum(right) / max(len(right), 1), "quiet": sum(quiet) / max(len(quiet), 1)}


def plot(entries: list[dict[str, Any]], panels: Any) -> None:
    """Draw the loss of both stages."""
    (axes,) = panels
    for stage in ("questions", "cases"):
        steps = [entry for entry in entries if entry.get("stage") == stage]
        axes.plot([entry["step"] for entry in steps], [entry["loss"] for entry in steps], label=stage)
    axes.set(title="Training loss", xlabel="step of the stage", ylabel="loss a question")
    axes.legend()


if __name__ == "__main__":
    main()
