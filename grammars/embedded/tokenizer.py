"""A reversible, cased tokenizer over MiniLM's own word pieces.

MiniLM's tokenizer lower-cases and drops white space, so text cannot be rebuilt from its tokens, and a model
that must quote verbatim needs exactly that. This one is byte-level and loses nothing: its vocabulary holds
MiniLM's pieces in the forms in which they occur (after a space or not, lower case, Capitalised, short ones in
CAPITALS) and all 256 bytes, so that it cuts text where MiniLM does, and each entry knows the piece whose
embedding stands for it. It is built from the installed weights' vocabulary at load; nothing of it is stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import PreTrainedTokenizerFast

PASSAGE = "\x1e"  # before each passage; raw control characters cannot occur in JSON-escaped text
TEXT = "\x1f"  # between a passage's title and its text, and between the history and the question
SENTENCE = "\x1d"  # where a sentence that may be quoted begins, and where it ends
PAD, START, END = "\x00pad\x00", "\x00start\x00", "\x00end\x00"

_MINILM_PAD, _MINILM_UNK, _MINILM_SEP = 0, 100, 102
_SHORT = 4  # pieces up to this length also occur in CAPITALS: units, acronyms
# Words with the space before them, numbers, punctuation and white space, as in GPT-2's pre-tokenizer; a JSON
# escape and a separator stay whole. Runs are bounded: WordPiece's time grows with the cube of their length.
_PRE_TOKEN = Regex(
    r"\\(?:u[0-9a-fA-F]{4}|.)|[\x1d-\x1f]"
    r"| ?\p{L}{1,64}| ?\p{N}{1,64}| ?[^\s\p{L}\p{N}\\\x1d-\x1f]{1,64}"
    r"|\s{1,64}(?!\S)|\s{1,64}"
)
_ESCAPES = {"\\n": ".", "\\t": "[SEP]", "\\r": "[SEP]", '\\"': '"', "\\\\": "\\"}

LOWER, CAPITALISED, UPPER = range(3)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens, and what each is made from.

    Attributes:
        ids: token to id.
        piece: for each id, the MiniLM piece whose embedding stands for it.
        form: for each id, how the piece is written: LOWER, CAPITALISED or UPPER.
    """

    ids: dict[str, int]
    piece: list[int]
    form: list[int]

    @property
    def bare(self) -> list[int]:
        """Return for each id the id of the token without its leading space."""
        return [self.ids.get(token.removeprefix("Ġ"), i) for token, i in self.ids.items()]


def _to_bytes(text: str) -> str:
    """Return the text in the printable byte alphabet of byte-level tokenizers."""
    return "".join(
        piece for piece, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    )


def _forms(word: str) -> Iterator[tuple[str, int]]:
    yield word, LOWER
    if word.capitalize() != word:
        yield word.capitalize(), CAPITALISED
    if len(word) <= _SHORT and word.upper() not in {word, word.capitalize()}:
        yield word.upper(), UPPER


def _entries(pieces: dict[str, int]) -> Iterator[tuple[str, int, int]]:
    """Yield every token with its piece and form; where a token comes twice, the first one counts."""
    for token, piece in ((PAD, _MINILM_PAD), (START, _MINILM_SEP), (END, _MINILM_SEP)):
        yield token, piece, LOWER
    for escape, stand_in in _ESCAPES.items():
        yield _to_bytes(escape), pieces[stand_in], LOWER
    words = [word for word in pieces if len(word) == 1 or not word.startswith("[")]
    for char in (word for word in words if len(word) == 1 and word.isascii()):
        yield _to_bytes(char), pieces[char], LOWER
    for byte in sorted(ByteLevel.alphabet()):
        yield byte, _MINILM_UNK, LOWER
    for word in words:
        if word.startswith("##"):
            yield _to_bytes(word[2:]), pieces[word], LOWER
    for word in words:
        if not word.startswith("##"):
            for text, form in _forms(word):
                yield _to_bytes(" " + text), pieces[word], form
                yield _to_bytes(text), pieces[word], form


def build_vocabulary(minilm: Path) -> Vocabulary:
    """Return the vocabulary made from the pieces of `minilm/tokenizer.json`."""
    pieces: dict[str, int] = json.loads((minilm / "tokenizer.json").read_text())["model"]["vocab"]
    ids: dict[str, int] = {}
    piece_of: list[int] = []
    form_of: list[int] = []
    for token, piece, form in _entries(pieces):
        if token not in ids:
            ids[token] = len(ids)
            piece_of.append(piece)
            form_of.append(form)
    return Vocabulary(ids, piece_of, form_of)


def build_tokenizer(vocabulary: Vocabulary) -> PreTrainedTokenizerFast:
    """Return the tokenizer over the vocabulary, padding on the left as generation wants it."""
    from transformers import PreTrainedTokenizerFast

    model = models.WordPiece(
        vocabulary.ids, unk_token=PAD, continuing_subword_prefix="", max_input_chars_per_word=1_000
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = Sequence(
        [Split(_PRE_TOKEN, "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=START, eos_token=END, padding_side="left"
    )
