from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from grammars.answer.grammar import json_escape
from grammars.embedded.layout import render
from grammars.embedded.loading import minilm_folder
from grammars.embedded.tokenizer import (
    END,
    PAD,
    PASSAGE,
    START,
    TEXT,
    Vocabulary,
    build_tokenizer,
    build_vocabulary,
)
from grammars.engine.protocol import AnswerPrompt, PassageText, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ANY_TEXT = st.text(st.characters())  # lone surrogates included
MARKS = (PASSAGE, TEXT, PAD, START, END, r"\u001e", "\ud800", "a", "é", " ", "\n", '"', "\\")
HOSTILE = st.lists(st.sampled_from(MARKS)).map("".join)


@cache
def vocabulary() -> Vocabulary:
    return build_vocabulary(minilm_folder())


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(vocabulary())


def ids(text: str) -> list[int]:
    found: list[int] = tokenizer()(text)["input_ids"]
    return found


@given(ANY_TEXT)
@example(' a .  b !\n\n\tc\'s \U0001f469\u200d\U0001f680 \u65e5\u672c\u8a9e \\ "q" \x00\x1e\x7f\u2028 ')
def test_any_escaped_text_round_trips(text: str) -> None:
    escaped = json_escape(text)
    assert tokenizer().decode(ids(escaped)) == escaped


def test_a_run_without_white_space_is_neither_lost_nor_slow() -> None:
    for text in ("\u6f22" * 12_000, "-" * 12_000, "x" * 12_000):
        assert tokenizer().decode(ids(text)) == text


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_text_forges_a_separator_or_a_special_token(a: str, b: str, c: str, d: str) -> None:
    passages = (PassageText(a, b, c), PassageText(d, a, b))
    tokens = ids(render(AnswerPrompt(c, passages, (Turn("user", d), Turn("assistant", a)))))
    (passage,), (text,) = ids(PASSAGE), ids(TEXT)
    assert tokens.count(passage) == 2
    assert tokens.count(text) == 3
    assert not {vocabulary().ids[special] for special in (PAD, START, END)} & set(tokens)


@cache
def minilm_tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(minilm_folder())


@cache
def minilm_words() -> list[str]:
    words = minilm_tokenizer().get_vocab()
    return sorted(word for word in words if word.isascii() and word.isalpha() and word.islower())


@given(
    st.lists(
        st.deferred(lambda: st.sampled_from(minilm_words())) | st.sampled_from((",", ".", "?", "(", ")", "7"))
    )
)
def test_what_minilm_knows_is_cut_where_minilm_cuts_it(words: list[str]) -> None:
    text = "".join(f" {word}" for word in words)
    theirs = minilm_tokenizer()(text)["input_ids"][1:-1]
    assert [vocabulary().piece[token] for token in ids(text)] == theirs


def test_other_words_are_cut_into_no_more_pieces_than_minilm_makes() -> None:
    theirs = minilm_tokenizer()
    for word in ("misconfigured", "hyperparameters", "kubernetes", "preapproval", "Rollbacks", "EUR"):
        assert len(ids(f" {word}")) <= len(theirs(word)["input_ids"]) - 2


@given(st.text(st.sampled_from('ab n\n\r\t"\\1,')))
def test_an_escape_is_one_token(text: str) -> None:
    tokens = tokenizer().convert_ids_to_tokens(ids(json_escape(text)))
    assert all(token in {r"\n", r"\r", r"\t", r"\"", "\\\\"} for token in tokens if "\\" in token)
    assert sum("\\" in token for token in tokens) == sum(char in '\n\r\t"\\' for char in text)
