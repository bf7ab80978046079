"""Train the embedded model.

    python -m grammars.tuning.reader --data ../shared/data/qa --more runs/rows --out runs/reader

Reads `train.jsonl` and `dev.jsonl` of the data folder, and of the `--more` folder what is there of
`documents-train.jsonl`, `documents-dev.jsonl`, `fields-train.jsonl`, `fields-dev.jsonl` (made by
`grammars.tuning.documents` and `grammars.tuning.fields`); runs on the CPU (the encoder in bfloat16 where
the processor has it) or on CUDA where there is one; resumes from its last checkpoint when it is run again.
Writes into the output folder:
`checkpoint.pt`, `log.jsonl`, `curve.png`, and at the end `decoder.safetensors` and `adapter/` (LoRA),
with the run's configuration. Then `python -m grammars.tuning.calibrate` chooses the threshold, on
development data.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from grammars.embedded.loading import build
from grammars.embedded.precision import native_bfloat16
from grammars.embedded.readings import Readings
from grammars.engine.protocol import PassageText
from grammars.tuning.batches import Collator, endless
from grammars.tuning.curve import draw
from grammars.tuning.examples import read_rows
from grammars.tuning.features import Featurizer
from grammars.tuning.loss import Batch, correct, decision_losses, evidence_losses
from grammars.tuning.mixture import Pool, epoch
from grammars.tuning.negatives import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

DECISIONS = ("answerable", "start", "more", "end", "span start", "span end")  # all but the plain ones
HELD_OUT = 12  # batches of each kind of row that are looked at in between
REMEMBERED = 12_000  # passages whose frozen reading is kept, 4 GB: each comes back with other questions
COOLING = 0.5  # share of the steps over which the learning rate sinks
LAYER = re.compile(r"\.layer\.(\d+)\.")
ADAPTED = r"encoder\.minilm\.encoder.*\.(query|key|value|dense)"


@dataclass(frozen=True)
class Run:
    """The configuration of a run, saved beside its weights."""

    data: str
    out: str
    more: str = ""
    start: str = ""  # a folder with trained parts to begin from, as far as they fit
    epochs: float = 3.0
    segments: int = 24  # passages in one batch, over all its prompts
    rank: int = 32
    alpha: int = 64
    adapter_rate: float = 5e-4
    decoder_rate: float = 5e-4
    evidence_rate: float = 2e-3  # of what judges the sentences
    still: int = 0  # MiniLM's first layers, whose adapter is left alone: nothing goes back through them
    warmup: int = 60
    evidence: float = 0.3  # weight of the sentences' own loss
    decoys: float = 0.2  # share of the answers that begin with a wrong quote
    seed: int = 1
    limit: int = 0  # rows, for a trial; 0 is all
    workers: int = 0  # processes that make batches meanwhile: a GPU waits for them
    every: int = 100  # steps between checkpoints


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    train(_run(arguments))


def train(run: Run) -> None:
    """Train, from the last checkpoint on where there is one, and write the trained parts."""
    out = Path(run.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.json").write_text(json.dumps(asdict(run), indent=1))
    torch.manual_seed(run.seed)
    model, tokenizer = build()
    model.encoder.glance.readings = Readings(REMEMBERED)
    make = Featurizer(tokenizer, model.config.own_token_ids, decoys=run.decoys)
    lora = LoraConfig(r=run.rank, lora_alpha=run.alpha, target_modules=ADAPTED)
    adapted: Any = get_peft_model(model, lora)
    if run.start:
        begin(adapted, Path(run.start))
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad = trained(name, run.still)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    Trainer(run, adapted.to(device), make, device).train()
    save(adapted, out)


def trained(name: str, still: int) -> bool:
    """Whether a parameter learns, where the first `still` layers and what lies below them do not."""
    if still and name.partition("encoder.")[2].startswith(("form_embeddings", "match_embeddings")):
        return False
    layer = LAYER.search(name)
    return ".minilm." not in name or ("lora_" in name and layer is not None and int(layer[1]) >= still)


def _run(arguments: Sequence[str] | None) -> Run:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    defaults = Run("", "")
    for name, value in asdict(defaults).items():
        if name not in {"data", "out"}:
            parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    return Run(**vars(parser.parse_args(arguments)))


def begin(adapted: Any, weights: Path) -> None:
    """Load the decoder's and the adapter's weights that an earlier run left, where name and shape fit.

    An adapter of a lower rank fits: what a higher one adds begins at nothing.
    """
    own = {f"base_model.model.{n}": t for n, t in load_file(weights / "decoder.safetensors").items()}
    lora = load_file(weights / "adapter" / "adapter_model.safetensors")
    own |= {n.replace(".weight", ".default.weight"): t for n, t in lora.items()}
    state = adapted.state_dict()
    fitting = {n: _widened(t.float(), state[n]) for n, t in own.items() if _fits(n, t, state)}
    adapted.load_state_dict(fitting, strict=False)
    print(f"began from {weights}: {len(fitting)} of {len(own)} tensors fit", flush=True)


def _fits(name: str, tensor: torch.Tensor, state: dict[str, torch.Tensor]) -> bool:
    if name not in state:
        return False
    wanted = state[name].shape
    within = tensor.dim() == len(wanted) and all(a <= b for a, b in zip(tensor.shape, wanted, strict=True))
    return tensor.shape == wanted or ("lora_" in name and within)


def _widened(tensor: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the tensor as a corner of the wanted one, whose other rows and columns stay as they are."""
    whole = wanted.detach().clone()
    whole[tuple(slice(size) for size in tensor.shape)] = tensor
    return whole


def load_pool(path: Path, limit: int, cache: Path, more: Path | None = None) -> Pool:
    """Return the rows with their distinct passages and hard negatives; the latter are computed once.

    Args:
        path: `train.jsonl` or `dev.jsonl`.
        limit: rows of each kind; 0 is all.
        cache: where the hard negatives are kept.
        more: the folder with rows of documents and of fields.
    """
    rows = read_rows(path)[: limit or None]
    passages = {p["text"]: PassageText(p["title"], "", p["text"]) for row in rows for p in row["passages"]}
    known = list(passages.values())
    found = json.loads(cache.read_text()) if cache.exists() else []
    if len(found) != len(rows):  # none yet, or those of a run over other rows
        found = nearest([row["question"] for row in rows], [p.text for p in known], 12)
        cache.write_text(json.dumps(found))
    kinds = [more / f"{kind}-{path.name}" for kind in ("documents", "fields")] if more else []
    others = [read_rows(p)[: limit or None] if p.exists() else [] for p in kinds] or [[], []]
    return Pool(rows, [_cut(p) for p in known], found, *others)


def _cut(passage: PassageText) -> PassageText:
    """A distractor is as long as an indexed passage."""
    return PassageText(passage.title, "", passage.text[:1000])


class Trainer:
    """One run over the epochs, with its log and its checkpoints."""

    def __init__(self, run: Run, model: Any, make: Featurizer, device: str) -> None:
        self.run, self.model, self.device = run, model, device
        config = model.config
        pad, start = config.pad_token_id, config.decoder_start_token_id
        self.collator = Collator(make, run.segments, pad, start)
        self.short = device != "cpu" or native_bfloat16()
        self.out = Path(run.out)
        groups = [
            {"params": self._parameters("lora_"), "lr": run.adapter_rate},
            {"params": self._parameters(".evidence."), "lr": run.evidence_rate, "weight_decay": 0.01},
            {"params": self._parameters(""), "lr": run.decoder_rate, "weight_decay": 0.01},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.step, self.began = 0, time.time()

    def _parameters(self, part: str) -> list[torch.nn.Parameter]:
        """Return what is trained of a part; the empty name stands for what is in neither other part."""
        trained = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        if part:
            return [p for n, p in trained if part in n]
        return [p for n, p in trained if "lora_" not in n and ".evidence." not in n]

    def train(self) -> None:
        """Run all epochs, from the last checkpoint on."""
        pool, development = self._pool("train"), self._pool("dev")
        held_out = {
            "qa": self._held_out(replace(development, documents=(), fields=())),
            "documents": self._held_out(replace(development, rows=(), fields=())),
            "fields": self._held_out(replace(development, rows=(), documents=())),
        }
        total = max(1, int(self.run.epochs * self.collator.steps(pool)))
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda s: _rate(s, self.run.warmup, total)
        )
        self.resume(scheduler)
        batches = endless(self.collator, pool, seed=self.run.seed, workers=self.run.workers)
        for batch in islice(batches, self.step, total):
            self.update(batch, scheduler, total)
            if self.step % self.run.every == 0:
                self.checkpoint(scheduler)
                self.evaluate(held_out)
        self.checkpoint(scheduler)
        self.evaluate(held_out)

    def _pool(self, name: str) -> Pool:
        more = Path(self.run.more) if self.run.more else None
        path = Path(self.run.data) / f"{name}.jsonl"
        return load_pool(path, self.run.limit, self.out / f"nearest-{name}.json", more)

    def _held_out(self, pool: Pool) -> list[Batch]:
        return list(islice(self.collator.batches(epoch(pool, 0)), HELD_OUT))

    def scores(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the scores of places (B, T, N) and own tokens (B, T, O), and the sentences' losses (B,)."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.short):
            source = self.model.encoder(batch.source.to(self.device), batch.source_mask.to(self.device))
        source.last_hidden_state = source.last_hidden_state.float()
        target, mask = batch.target.to(self.device), batch.target_mask.to(self.device)
        pointed, own, _ = self.model.score(source, target, mask)
        return pointed, own, evidence_losses(batch, source.judged.scores, source.judged.firsts)

    def update(self, batch: Batch, scheduler: Any, total: int) -> None:
        """Take one optimiser step."""
        self.model.train()
        pointed, own, evidence = self.scores(batch)
        losses = decision_losses(batch, pointed, own)
        weighed = losses * batch.weights.to(losses.device)
        loss = weighed.sum() / len(batch.source) + self.run.evidence * evidence.mean()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        scheduler.step()
        self.step += 1
        if self.step % 10 == 0:
            parts = {name: round(_mean(losses, batch, name), 3) for name in sorted(DECISIONS)}
            parts |= {
                "evidence": round(evidence.mean().item(), 3),
                "norm": round(float(norm), 2),
                "s": round(time.time() - self.began),
            }
            self.log(step=self.step, of=total, loss=round(loss.item(), 3), **parts)

    @torch.inference_mode()
    def evaluate(self, held_out: dict[str, list[Batch]]) -> None:
        """Log how many of the decisions on held-out rows are right, by kind of row."""
        self.model.eval()
        for kind, batches in held_out.items():
            right: dict[str, list[bool]] = {}
            for batch in batches:
                hits = correct(batch, *self.scores(batch)[:2]).tolist()
                for name, hit in zip(batch.names, hits, strict=True):
                    right.setdefault(name, []).append(hit)
            shares = {name: round(sum(h) / len(h), 4) for name, h in right.items() if name != "free"}
            if shares:
                self.log(step=self.step, kind=kind, dev=shares)
        draw(self.out, 2, plot)

    def log(self, **entry: Any) -> None:
        """Print an entry and add it to the log."""
        print(entry, flush=True)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def checkpoint(self, scheduler: Any) -> None:
        """Save everything that a resumed run needs."""
        state = {
            "step": self.step,
            "trained": {n: p for n, p in self.model.named_parameters() if p.requires_grad},
            "optimizer": self.optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(state, self.out / "checkpoint.new")
        (self.out / "checkpoint.new").replace(self.out / "checkpoint.pt")

    def resume(self, scheduler: Any) -> None:
        """Continue from the last checkpoint, where there is one."""
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["trained"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["random"])
        self.step = state["step"]


def _mean(losses: torch.Tensor, batch: Batch, name: str) -> float:
    chosen = [i for i, known in enumerate(batch.names) if known == name]
    return losses[chosen].mean().item() if chosen else math.nan


def _rate(step: int, warmup: int, total: int) -> float:
    """Return the share of the learning rate: linear warm-up, level, and over the last half down to nothing.

    (Hu et al. 2024, arXiv:2404.06395: a run can be ended early, or prolonged, before it cools down.)
    """
    return min(1.0, (step + 1) / warmup, max(0.02, (total - step) / (COOLING * total)))


def plot(entries: list[dict[str, Any]], panels: Any) -> None:
    """Draw the loss, and how many decisions are right."""
    left, right = panels
    steps = [e for e in entries if "loss" in e]
    left.plot([e["step"] for e in steps], [e["loss"] for e in steps], lw=0.8)
    left.set(title="Training loss", xlabel="step", ylabel="loss a prompt")
    for kind, style in (("qa", ":"), ("documents", "-"), ("fields", "--")):
        marks = [e for e in entries if e.get("kind") == kind]
        for number, name in enumerate(DECISIONS[:3]):
            shares = [e["dev"].get(name) for e in marks]
            right.plot([e["step"] for e in marks], shares, style, color=f"C{number}", label=f"{kind}: {name}")
    right.set(title="Right decisions on held-out rows", xlabel="step", ylim=(0.3, 1))
    right.legend(fontsize=7)


def save(model: Any, out: Path) -> None:
    """Write the trained parts: the decoder in bfloat16, the adapter as peft does."""
    own = {
        name.removeprefix("base_model.model."): parameter.detach().to("cpu", torch.bfloat16).contiguous()
        for name, parameter in model.named_parameters()
        if ".minilm." not in name
    }
    save_file(own, out / "decoder.safetensors")
    model.cpu().to(torch.bfloat16).save_pretrained(str(out / "adapter"))


if __name__ == "__main__":
    main()
