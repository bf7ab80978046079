"""Files that break what reads them: each with whether it can be read all the same."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOOD = "The answer of this file is aubergine.\n"
LARGE = 50 << 20  # bytes


def generate(folder: Path, count: int) -> dict[str, bool]:
    """Write `count` files into a new folder; return each path, and whether it is to be answered from.

    One of them is a link to the folder itself, and one a link that leads to itself.
    """
    folder.mkdir()
    expected: dict[str, bool] = {}
    kinds = _kinds()
    for number in range(count - 2):
        name, content, readable = kinds[number % len(kinds)](number)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        expected[_shown(name)] = readable
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "itself.md").symlink_to("itself.md")
    return expected | {"loop": False, "itself.md": False}


def _write(path: Path, content: bytes | int) -> None:
    with path.open("wb") as opened:
        if isinstance(content, bytes):
            opened.write(content)
        else:
            opened.truncate(content)  # as large as that, and no place on the disk


def _shown(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


File = tuple[str, bytes | int, bool]


def _kinds() -> list[Callable[[int], File]]:
    good = GOOD.encode()
    return [
        lambda n: (f"good-{n}.md", good, True),
        lambda n: (f"empty-{n}.md", b"", False),
        lambda n: (f"blank-{n}.txt", b" \n\t\n", False),
        lambda n: (f"large-{n}.md", LARGE, False),
        lambda n: (f"binary-{n}.md", bytes(range(256)) * 8, False),
        lambda n: (f"wrong-{n}.pdf", good, False),
        lambda n: (f"wrong-{n}.docx", good, False),
        lambda n: (f"broken-{n}.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 9 0 R", False),
        lambda n: (f"broken-{n}.docx", _zip({"word/document.xml": b"<w:document><w:body>"}), False),
        lambda n: (f"bomb-{n}.docx", _zip({"word/document.xml": b"<a>" + b" " * (200 << 20)}), False),
        lambda n: (f"image-{n}.html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", False),
        lambda n: (f"nested-{n}.html", b"<div>" * 20_000 + good, False),
        lambda n: (f"quoted-{n}.md", b"> " * 5_000 + good, True),
        lambda n: (f"latin-{n}.txt", "Über den Fluß, señor: aubergine, café.\n".encode("cp1252") * 9, True),
        lambda n: (f"utf16-{n}.txt", GOOD.encode("utf-16"), True),
        lambda n: (f"half-{n}.md", b"\xff\xfe\x00", False),
        lambda n: (f"name\nof-{n}.md", good, True),
        lambda n: (os.fsdecode(b"bytes\xff-%d.md" % n), good, True),
        lambda n: ("/".join(f"d{depth}" for depth in range(40)) + f"/deep-{n}.md", good, True),
        lambda n: (f"line-{n}.md", b"aubergine" * 200_000, True),
    ]


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def names(expected: dict[str, bool], *, readable: bool) -> Iterator[str]:
    """Yield the paths that can, or cannot, be read."""
    return (name for name, is_readable in expected.items() if is_readable is readable)
