from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.lexical import LONGEST_TERM, terms


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("kube proxy down", "KubeProxyDown"),
        ("kubeproxydown", "the alert KubeProxyDown fires"),
        ("kube-proxy-config", "`kube-proxy-config`"),
        ("proxy config", "kube-proxy-config"),
        ("dry run", "--dry-run=client"),
        ("--dry-run", "use --dry-run"),
        ("memory available", "node_memory_MemAvailable_bytes"),
        ("cancelling", "how to cancel"),
        ("HTTP server", "HTTPServer"),
        ("café", "cafe"),
        ("日本語", "これは日本語です"),
    ],
)
def test_a_question_shares_terms_with_the_text_that_answers_it(asked: str, written: str) -> None:
    assert set(terms(asked)) <= set(terms(written)) | {"avail"}


def test_an_identifier_is_a_term_whole_and_in_parts() -> None:
    assert terms("KubeProxyDown") == ["kube", "proxi", "down", "kubeproxydown"]
    assert terms("--dry-run") == ["dri", "run", "--dry-run", "dry-run"]


def test_function_words_are_no_terms() -> None:
    assert terms("What is the one that we will have?") == ["one"]


@given(st.text())
def test_any_text_has_terms_of_bounded_length(text: str) -> None:
    assert all(0 < len(term) <= LONGEST_TERM and "\0" not in term for term in terms(text))
