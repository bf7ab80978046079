"""The child that converts: reads files from stdin and answers with Markdown; see `knowledge.convert`."""

from __future__ import annotations

import io
import json
import re
import resource
import signal
import sys
import zipfile
from typing import Any

MEMORY_BYTES = 1 << 30
UNPACKED_BYTES = 200 << 20  # a DOCX is a zip: what it may unpack to
DROPPED_TAGS = ("script", "style", "noscript", "template", "svg", "nav", "footer", "iframe")


def main() -> None:
    """Answer questions until the parent closes the pipe, or one of them exceeds its time."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := questions.readline():
        suffix, size, seconds = header.decode().split()
        data = questions.read(int(size))
        signal.alarm(int(seconds))  # its default is to end the process, wherever it hangs
        answer = json.dumps(_answer(data, suffix)).encode()
        signal.alarm(0)
        answers.write(b"%d\n%b" % (len(answer), answer))
        answers.flush()


def _answer(data: bytes, suffix: str) -> dict[str, str]:
    convert = {".pdf": _pdf, ".docx": _docx}.get(suffix, _html)
    try:
        title, text = convert(data)
    except RecursionError:
        return {"error": "It is nested too deeply."}
    except MemoryError:
        return {"error": "Reading it takes too much memory."}
    except Exception as error:  # noqa: BLE001 the libraries raise whatever broken input makes them raise
        return {
            "error": f"It cannot be read as {suffix[1:].upper()}: {str(error) or type(error).__name__}"[:300]
        }
    return {"title": " ".join(_tidy(title).split()), "text": _tidy(text)}


def _html(data: bytes | str) -> tuple[str, str]:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(data, "html.parser")
    title = soup.title.get_text() if soup.title else ""
    for tag in soup([*DROPPED_TAGS, "title"]):
        tag.decompose()
    plain = {"escape_asterisks": False, "escape_underscores": False, "escape_misc": False}
    options: dict[str, Any] = {"heading_style": "ATX", "bullets": "-", "table_infer_header": True, **plain}
    text: str = MarkdownConverter(**options).convert_soup(soup)
    return title, text


def _docx(data: bytes) -> tuple[str, str]:
    import mammoth

    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("it is not a DOCX file")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > UNPACKED_BYTES:
            raise ValueError(f"it unpacks to more than {UNPACKED_BYTES >> 20} MB")
    images = mammoth.images.img_element(lambda _: {"src": ""})
    return _html(mammoth.convert_to_html(io.BytesIO(data), convert_image=images).value)


def _pdf(data: bytes) -> tuple[str, str]:
    import pypdfium2

    with pypdfium2.PdfDocument(data) as pdf:
        levels = _bookmarks(pdf)
        pages = [page.get_textpage().get_text_range() for page in pdf]
        title = pdf.get_metadata_dict().get("Title", "")
    lines = [_pdf_line(line, levels) for page in pages for line in [*page.splitlines(), ""]]
    return title, "\n".join(lines)


def _bookmarks(pdf: Any) -> dict[str, int]:
    """Return the level of each title in the outline, by its text without spaces."""
    return {_squeezed(mark.get_title()): mark.level for mark in pdf.get_toc(max_depth=5)}


def _pdf_line(line: str, levels: dict[str, int]) -> str:
    """Return the line, as a heading where the outline lists it; U+FFFE and U+0002 are hyphens."""
    line = re.sub(r"[\ufffe\x02]", "-", line).strip()
    level = levels.get(_squeezed(line)) if line else None
    return line if level is None else f"\n{'#' * min(level + 2, 6)} {line}\n"


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def _tidy(text: str) -> str:
    """Drop what Postgres cannot store and what a reader cannot see, and runs of blank lines."""
    text = re.sub(
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "", text.replace("\r\n", "\n").replace("\r", "\n")
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


if __name__ == "__main__":
    main()
