"""Hard negatives: for each question the passages that untrained MiniLM takes for the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import AutoTokenizer

from grammars.embedded.loading import minilm, minilm_folder
from grammars.embedded.precision import native_bfloat16

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = 32
_LONGEST = 256  # tokens, as MiniLM was trained


@torch.inference_mode()
def embed(texts: Sequence[str]) -> torch.Tensor:
    """Return L2-normalised mean-pooled embeddings (n, 384) in the order of the texts."""
    tokenizer, model = AutoTokenizer.from_pretrained(minilm_folder()), minilm()
    model.train(mode=False)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = torch.empty(len(texts), model.config.hidden_size)
    for at in range(0, len(order), _BATCH):
        chosen = order[at : at + _BATCH]
        batch = tokenizer(
            [texts[i] for i in chosen],
            padding=True,
            pad_to_multiple_of=64,
            truncation=True,
            max_length=_LONGEST,
            return_tensors="pt",
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16()):
            states = model(**batch).last_hidden_state.float()
        mask = batch["attention_mask"][..., None]
        out[chosen] = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    return out


def nearest(questions: Sequence[str], passages: Sequence[str], count: int) -> list[list[int]]:
    """Return for each question the indices of its `count` nearest passages, nearest first."""
    similarity = embed(questions) @ embed(passages).T
    return similarity.topk(min(count, len(passages)), dim=1).indices.tolist()
