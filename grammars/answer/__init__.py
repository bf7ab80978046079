"""Answers under a grammar: verbatim quotes from numbered passages, and text that rests on them."""

from grammars.answer.citations import Quote
from grammars.answer.write import Draft, write_answer

__all__ = ["Draft", "Quote", "write_answer"]
