from __future__ import annotations

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from handlers.text import clean, clip, clip_escaped, escape, plain, split


def test_what_a_person_wrote_is_read_without_markup() -> None:
    text = "<@U0BOT> see <#C1|general>, <@U2|maya>, <!here> &amp; <https://a.example|the docs> <mailto:a@b>"
    assert plain(text, "U0BOT") == "see #general, @maya, @here & the docs a@b"


def test_hostile_characters_never_reach_the_database() -> None:
    assert clean("a\x00b\ud83dc\u202ed\ne\tf") == "ab\ufffdcd\ne\tf"
    assert plain("\x00 \ud83d") == "\ufffd"


def test_a_mention_is_taken_out_wherever_it_stands() -> None:
    assert plain("<@U0BOT>: how?", "U0BOT") == "how?"
    assert plain("hey <@U0BOT|almanac>, how?", "U0BOT") == "hey how?"
    assert plain("<@U0BOT>", "U0BOT") == ""


@given(st.text())
def test_escaped_text_pings_nobody_and_reads_the_same(text: str) -> None:
    assert "<" not in escape(text)
    assert unescape(escape("<!channel> & <@U1>")) == "<!channel> & <@U1>"


@given(st.text(), st.integers(5, 60))
def test_escaped_text_is_clipped_between_escapes(text: str, limit: int) -> None:
    clipped = clip_escaped(text, limit)
    assert len(clipped) <= limit
    assert clipped.count("&") == clipped.count("&amp;") + clipped.count("&lt;") + clipped.count("&gt;")


@given(st.text(), st.integers(1, 60))
def test_pieces_add_up_to_the_text(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= limit for piece in pieces)


def test_text_is_split_after_lines_and_words() -> None:
    assert split("one two three four", 9) == ["one two ", "three ", "four"]
    assert split("first line\nsecond line", 16) == ["first line\n", "second line"]


def test_clipping_shows_that_something_is_missing() -> None:
    assert clip("a sentence", 6) == "a sen…"
    assert clip("short", 6) == "short"
