from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.chunk import chunk
from knowledge.sentences import sentence_starts
from knowledge.structure import (
    PATH_SEPARATOR,
    Kind,
    markdown_structure,
    plain_structure,
    restructured_structure,
)
from knowledge.tokens import load_ruler

TOKEN_STARTS = load_ruler()

MARKDOWN = """---
title: "Kube: the proxy"
tags: [a]
---

# KubeProxyDown

Intro *here*.

## Mitigation {#fix}

| a | b |
|---|---|
| 1 | 2 |

### [AWS](https://example.org) `EKS`

```console
# not a heading

kubectl get pods
```

- one
  - nested
- two
"""


def _markdown_chunks(text: str, limit: int = 200) -> list[tuple[str, str]]:
    chunks = chunk(text, markdown_structure(text), TOKEN_STARTS(text), limit=limit)
    return [(piece.heading, text[piece.start : piece.end]) for piece in chunks]


def test_heading_paths_tables_code_and_lists_survive() -> None:
    assert markdown_structure(MARKDOWN).title == "Kube: the proxy"
    assert _markdown_chunks(MARKDOWN, limit=25) == [
        (path("KubeProxyDown"), "Intro *here*."),
        (path("KubeProxyDown", "Mitigation"), "| a | b |\n|---|---|\n| 1 | 2 |"),
        (
            path("KubeProxyDown", "Mitigation", "AWS EKS"),
            "```console\n# not a heading\n\nkubectl get pods\n```\n\n- one\n  - nested\n- two",
        ),
    ]


def test_small_sections_stand_together_under_the_headings_they_share() -> None:
    text = "# T\n\n## A\n\n### B\n\nb.\n\n### C\n\nc.\n\n## D\n\n" + "d " * 190
    assert _markdown_chunks(text) == [("A", text[: text.index("\n\n## D")]), ("D", ("d " * 190).strip())]
    whole = text[: text.index("## D")]
    assert _markdown_chunks(whole) == [("A", whole.strip())]


def test_the_heading_that_is_the_title_is_not_repeated_in_the_path() -> None:
    text = "# The *title*\n\nA.\n\n## Part\n\n" + "B. " * 100
    assert markdown_structure(text).title == "The title"
    assert [heading for heading, _ in _markdown_chunks(text)] == ["", "Part"]


def path(*headings: str) -> str:
    return PATH_SEPARATOR.join(headings)


@pytest.mark.parametrize(
    ("front_matter", "title"),
    [("title: Plain\n", "Plain"), ("title: 'Quoted: x'\n", "Quoted: x"), ("a: 1\n", ""), ("", "")],
)
def test_the_title_of_front_matter(front_matter: str, title: str) -> None:
    assert markdown_structure(f"---\n{front_matter}---\ntext\n").title == title


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentences = [f"Sentence number {n} ends here, e.g. Now, at 3.5 percent." for n in range(40)]
    pieces = [text for _, text in _markdown_chunks(" ".join(sentences), limit=60)]
    assert len(pieces) > 5
    assert " ".join(pieces) == " ".join(sentences)
    assert all(piece.endswith("3.5 percent.") for piece in pieces)


def test_a_long_table_is_cut_between_rows_and_a_list_between_items() -> None:
    table = "| name | value |\n|---|---|\n" + "".join(f"| row {n} | some value |\n" for n in range(60))
    items = "".join(f"- item {n} of the list. It has two sentences.\n" for n in range(60))
    for text, first in ((table, "|"), (items, "-")):
        pieces = [piece for _, piece in _markdown_chunks(text, limit=50)]
        assert len(pieces) > 5
        assert "\n".join(pieces) == text.rstrip()
        assert all(piece.startswith(first) for piece in pieces)


def test_restructured_sections_nest_by_their_underlines() -> None:
    text = (
        "====\nBook\n====\n\nIntro.\n\nOne\n---\n\nText::\n\n    code\n\nDeep\n~~~~\n\nx\n\nTwo\n---\n\ny\n"
    )
    structure = restructured_structure(text)
    assert structure.title == "Book"
    found = [
        (block.path, text[block.start : block.end])
        for block in structure.blocks
        if block.kind != Kind.HEADING
    ]
    assert found == [
        ((), "Intro."),
        (("One",), "Text::\n\n    code"),
        (("One", "Deep"), "x"),
        (("Two",), "y"),
    ]


def test_sentences_end_where_a_reader_would_say() -> None:
    text = 'Use it, e.g. Foo. "Why?" she asked. 本当。はい。\nNext one! See v1.2.3 now.'
    edges = [*sentence_starts(text), len(text)]
    assert [text[a:b].strip() for a, b in pairwise(edges)] == [
        "Use it, e.g. Foo.", '"Why?" she asked.', "本当。", "はい。", "Next one!", "See v1.2.3 now.",
    ]  # fmt: skip


MARKS = (
    "# A|## B *b*|plain words. And more!|- item|  - nested|1. one|---|```|> quoted|    indented||===|"
    "\ttab|\x0b|\u2028|<div>|[a]: b|\\|~~~|.. note::|Title|*****"
)
LONG = ["| a | b |", "x" * 300, "\u65e5\u672c\u8a9e\u3002" * 30, "word " * 80]
LINES = st.sampled_from([*MARKS.split("|"), *LONG])
TEXTS = st.lists(
    st.one_of(LINES, st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS.map("\n".join), st.integers(8, 200))
def test_passages_are_ordered_spans_that_fit_and_lose_no_word(text: str, limit: int) -> None:
    starts = TOKEN_STARTS(text)
    assert list(starts) == sorted(starts)
    for structure in (markdown_structure(text), plain_structure(text), restructured_structure(text)):
        chunks = chunk(text, structure, starts, limit=limit)
        assert all(a.end <= b.start for a, b in pairwise(chunks))
        for piece in chunks:
            assert text[piece.start : piece.end].strip()
            assert bisect_left(starts, piece.end) - bisect_left(starts, piece.start) <= limit
    covered = "".join(text[piece.start : piece.end] for piece in chunk(text, plain_structure(text), starts))
    assert "".join(covered.split()) == "".join(text.split())
