"""How a prompt is laid out for the embedded model: one string, every text in it JSON-escaped.

    history ␟ question ␞ title ␟ ␝a sentence.␝␝ another one.␝ ␞ title ␟ passage …

Escaped, a passage reads exactly as it will stand inside the JSON string that quotes it, so that the pointer
copies it token for token; and raw control characters cannot occur in it, so that no document can forge a
separator. Each sentence that may be quoted stands between two marks, which the model takes out again: they
say where the sentences are, and are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammars.answer.grammar import json_escape
from grammars.answer.sentences import statements
from grammars.embedded.tokenizer import PASSAGE, SENTENCE, TEXT

if TYPE_CHECKING:
    from grammars.engine.protocol import AnswerPrompt, PassageText, Turn

_HISTORY_TURNS = 2  # the encoder reads some 96 tokens of question and history together


def render(prompt: AnswerPrompt) -> str:
    """Return the prompt as the one string that the embedded model reads."""
    return _question(prompt.question, prompt.history) + "".join(_passage(p) for p in prompt.passages)


def _question(question: str, history: tuple[Turn, ...]) -> str:
    asked = [turn.text for turn in history if turn.speaker == "user"][-_HISTORY_TURNS:]
    return json_escape(" ".join(asked)) + TEXT + json_escape(question)


def _passage(passage: PassageText) -> str:
    return PASSAGE + _title(passage) + TEXT + marked(passage.text)


def alone(passage: PassageText) -> str:
    """Return a passage as it is read when it is read alone: without separator and marks."""
    return _title(passage) + TEXT + json_escape(passage.text)


def _title(passage: PassageText) -> str:
    return json_escape(" › ".join(part for part in (passage.title, passage.heading) if part))  # noqa: RUF001 - a heading path


def marked(text: str) -> str:
    """Return the text JSON-escaped, a mark before and after each sentence.

    The space before a sentence is taken along: without the marks, the text has the same tokens.
    """
    pieces, end = [], 0
    for unit in statements(text):
        begin = unit.content - (end < unit.content and text[unit.content - 1] == " ")
        pieces += [json_escape(text[end:begin]), SENTENCE, json_escape(text[begin : unit.end]), SENTENCE]
        end = unit.end
    return "".join([*pieces, json_escape(text[end:])])
