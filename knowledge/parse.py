"""A file's bytes to the stored document: text as it is, everything else through a converter to Markdown."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from charset_normalizer import from_bytes

from knowledge.convert import ParseError
from knowledge.structure import markdown_structure, plain_structure, restructured_structure

if TYPE_CHECKING:
    from collections.abc import Callable

    from knowledge.convert import Converter
    from knowledge.structure import Structure

MAX_BYTES = 20 * 1024 * 1024

_STRUCTURES: dict[str, Callable[[str], Structure]] = {
    ".md": markdown_structure,
    ".markdown": markdown_structure,
    ".mdx": markdown_structure,
    ".rst": restructured_structure,
    ".txt": plain_structure,
    ".text": plain_structure,
}
MARKED_UP = frozenset({".html", ".htm", ".xhtml"})
CONVERTED = MARKED_UP | {".pdf", ".docx"}
SUFFIXES = CONVERTED | frozenset(_STRUCTURES)
INDEX_NAMES = frozenset({"readme", "index", "_index"})  # a folder's own page is named by the folder

BINARY = "It is not text: it holds binary data."
COMMONEST = "cp1252"  # of the encodings that are not UTF-8

_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Document:
    """The stored document: its text, which every offset counts in, its title and its structure."""

    text: str
    title: str
    structure: Structure


async def parse(data: bytes, path: str, converter: Converter) -> Document:
    """Return the document that `data`, the content of the file at `path`, holds.

    Raises:
        ParseError: it is empty, too large, broken, or not what its name says.
    """
    if not data.strip():
        raise ParseError("It is empty.")
    if len(data) > MAX_BYTES:
        raise ParseError(too_large(len(data)))
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in MARKED_UP and b"\0" in data[: 1 << 16] and not data.startswith(tuple(_BYTE_ORDER_MARKS)):
        raise ParseError(BINARY)
    if suffix in CONVERTED:
        title, text = await converter.convert(data, suffix)
        if (size := len(text.encode())) > MAX_BYTES:  # a small PDF can show one page a thousand times
            raise ParseError(too_large(size, "Its text"))
    else:
        title, text = "", await asyncio.to_thread(decode, data)
    if not text.strip():
        raise ParseError("It holds no text (a scan, perhaps).")
    structure = await asyncio.to_thread(structure_of, path, text)
    return Document(text, title or structure.title or title_of(path), structure)


def structure_of(path: str, text: str) -> Structure:
    """Return the structure of a stored document, whose kind its path tells; converted ones are Markdown."""
    suffix = PurePosixPath(path).suffix.lower()
    fallback = markdown_structure if suffix in CONVERTED else plain_structure
    return _STRUCTURES.get(suffix, fallback)(text)


def too_large(size: int, what: str = "It") -> str:
    """Return the reason for refusing a file, or its text, of `size` bytes."""
    return f"{what} is too large: {size / 1024**2:.0f} MB; the limit is {MAX_BYTES // 1024**2} MB."


def decode(data: bytes) -> str:
    r"""Return the text of `data`, line ends as `\n`, without a byte-order mark.

    Raises:
        ParseError: it is not text in any encoding that can be told.
    """
    text = _decoded(data).removeprefix("\ufeff")
    if _CONTROL.search(text, 0, 1 << 16) or "\0" in text:
        raise ParseError(BINARY)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str:
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if b"\0" in data[: 1 << 16]:
            raise ParseError(BINARY) from None
    return _guessed(data)


def _guessed(data: bytes) -> str:
    """Return the likeliest reading; of those that read as equally good language, the commonest."""
    matches = from_bytes(data)
    best = matches.best()
    if best is None:
        raise ParseError("It is not text in any encoding that can be told.")
    as_likely = [match for match in matches if match.coherence >= best.coherence]
    return str(next((match for match in as_likely if COMMONEST in match.could_be_from_charset), best))


def title_of(path: str) -> str:
    """Return a readable title from a file's name: `kube-proxy_down.md` is *Kube proxy down*."""
    name = PurePosixPath(path)
    stem = name.parent.name if name.stem.lower() in INDEX_NAMES and name.parent.name else name.stem
    words = " ".join(re.split(r"[-_\s]+", stem)).strip() or stem
    return words[:1].upper() + words[1:]
