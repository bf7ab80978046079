"""The terms that a text is found by: stemmed words, and identifiers both whole and in their parts."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import snowballstemmer

if TYPE_CHECKING:
    from collections.abc import Iterator

# Function words: BM25 would rank them low anyway, but they would make most of the postings.
STOP_WORDS = frozenset(
    """
    a about after all also am an and any are as at be because been before being but by can could did
    do does doing don for from get had has have having he her here him his how i if in into is it
    its just let me might my no nor not now of off on once only or other our out over own s same she
    should so some such t than that the their them then there these they this those through to too
    up us very was we were what when where which while who whom why will with would you your ll re
    ve m d isn doesn didn won
    """.split()  # noqa: SIM905 a list of words reads best as words
)
LONGEST_TERM = 64  # characters; longer ones are blobs (keys, base64), not words

# `--dry-run`, `kube-proxy-config`, `node_memory`, `a.b/c`, `KubeProxyDown`, `v1.30`, and plain words.
TOKEN = re.compile(r"-{0,2}\w+(?:[-_./:@]\w+)*")
CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# A part of an identifier: an acronym, a Capitalised or lower word, digits, a run of ideographs.
PART = re.compile(rf"[{CJK}]+|[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_{CJK}]+|[A-Z]|\d+")
IDEOGRAPHS = re.compile(rf"[{CJK}]+")


def terms(text: str) -> list[str]:
    """Return the terms of `text` in order, with repetitions; documents and questions share this."""
    return [term for token in TOKEN.findall(_plain(text)) for term in _token_terms(token)]


def _token_terms(token: str) -> Iterator[str]:
    parts = PART.findall(token)
    for part in parts:
        yield from _part_terms(part)
    whole = token.lower().strip("_")
    if (len(parts) > 1 or whole.startswith("-")) and not IDEOGRAPHS.search(whole):
        forms = dict.fromkeys((whole, whole.lstrip("-")))
        known = {part.lower() for part in parts}
        yield from (form for form in forms if form not in known and 1 < len(form) <= LONGEST_TERM)


def _part_terms(part: str) -> Iterator[str]:
    if IDEOGRAPHS.match(part):
        yield from (part[i : i + 2] for i in range(max(1, len(part) - 1)))
    elif part.lower() not in STOP_WORDS and len(part) <= LONGEST_TERM:
        yield _stem(part.lower())


def _plain(text: str) -> str:
    """Drop accents and compatibility forms; ASCII, the common case, is returned as it is."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))


_stemmer = snowballstemmer.stemmer("english")
_stemmer_lock = Lock()  # the stemmer keeps the word it works on


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    with _stemmer_lock:
        stem: str = _stemmer.stemWord(word)
    return stem
