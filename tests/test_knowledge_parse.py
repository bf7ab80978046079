from __future__ import annotations

import asyncio
import io
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from knowledge import parse as parsing
from knowledge.convert import Converter, ParseError
from knowledge.parse import MAX_BYTES, parse, title_of
from knowledge.structure import DEEPEST, restructured_structure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HTML = """<html><head><title>The  page</title><script>evil()</script></head><body><nav>menu</nav>
<h1>Top</h1><p>It <b>is</b> a_b * c.</p><h2>Part</h2><table><tr><th>k</th><th>v</th></tr><tr><td>1</td>
<td>2</td></tr></table><pre><code>x = 1
y = 2</code></pre><ul><li>one</li></ul></body></html>"""


@pytest.fixture
async def converter() -> AsyncIterator[Converter]:
    async with Converter.opened() as converter:
        yield converter


async def test_text_is_stored_as_it_is_but_for_line_ends(converter: Converter) -> None:
    document = await parse(
        b"\xef\xbb\xbf---\r\ntitle: T\r\n---\r\n# H\r\rtext \xe2\x80\x9cx\xe2\x80\x9d", "a.md", converter
    )
    assert document.text == "---\ntitle: T\n---\n# H\n\ntext “x”"
    assert document.title == "T"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-8-sig", "cp1252", "shift_jis"])
async def test_encodings_are_told(encoding: str, converter: Converter) -> None:
    text = (
        "これは日本語の文書です。テストのための文。" * 5
        if encoding == "shift_jis"
        else "Le café est fermé; déjà vu, à bientôt ! " * 5
    )
    assert (await parse(text.encode(encoding), "a.txt", converter)).text == text


async def test_html_keeps_headings_tables_and_code(converter: Converter) -> None:
    document = await parse(HTML.encode(), "a.html", converter)
    assert document.title == "The page"
    assert "# Top" in document.text
    assert "It **is** a_b * c." in document.text
    assert "| k | v |\n| --- | --- |\n| 1 | 2 |" in document.text
    assert "```\nx = 1\ny = 2\n```" in document.text
    assert "evil" not in document.text
    assert "menu" not in document.text


async def test_docx_keeps_headings_and_tables(converter: Converter) -> None:
    document = await parse(docx(), "a.docx", converter)
    assert document.title == "Leave"
    assert "# Leave\n\nAsk your manager." in document.text
    assert "| kind | days |\n| --- | --- |\n| sick | 12 |" in document.text


async def test_pdf_keeps_its_text(converter: Converter) -> None:
    document = await parse(pdf("Restart the proxy first."), "runbook_one.pdf", converter)
    assert document.text.strip() == "Restart the proxy first."
    assert document.title == "Runbook one"


def _bomb() -> bytes:
    buffer = io.BytesIO(docx())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/zeros", bytes(201 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.md", b" \n", "It is empty."),
        ("large.md", b"x" * (MAX_BYTES + 1), "too large: 20 MB"),
        ("binary.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        ("controls.txt", b"a\x01\x02b", "binary"),
        ("text.pdf", b"not a PDF", "cannot be read as PDF"),
        ("cut.pdf", b"%PDF-1.7\n1 0 obj <<", "cannot be read as PDF"),
        ("text.docx", b"not a zip", "not a DOCX file"),
        ("other.docx", b"PK\x05\x06" + bytes(18), "cannot be read as DOCX"),
        ("deep.html", b"<div>" * 20_000 + b"x", "nested too deeply"),
        ("tags.html", b"<p> </p>", "no text"),
    ],
)
async def test_what_is_no_document_is_named_with_its_reason(
    name: str, data: bytes, reason: str, converter: Converter
) -> None:
    with pytest.raises(ParseError, match=reason):
        await parse(data, name, converter)
    assert (await parse(b"<p>next</p>", "next.html", converter)).text == "next\n"


async def test_a_zip_bomb_is_refused_unopened(converter: Converter) -> None:
    with pytest.raises(ParseError, match="unpacks to more than 200 MB"):
        await parse(_bomb(), "bomb.docx", converter)


async def test_a_file_that_takes_too_long_is_given_up() -> None:
    slow = b"<table>" + b"<tr><td>" * 400_000
    async with Converter.opened(time_limit=1) as converter:
        with pytest.raises(ParseError, match=r"longer than 1 seconds|nested too deeply"):
            await parse(slow, "slow.html", converter)
        assert (await parse(b"<p>next</p>", "next.html", converter)).text == "next\n"


async def test_a_file_that_grows_too_large_when_it_is_converted_is_named(
    converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "MAX_BYTES", 20_000)
    bomb = pdf("Restart the proxy first. " * 20, pages=300)
    assert len(bomb) < 5_000
    with pytest.raises(ParseError, match="Its text is too large"):
        await parse(bomb, "bomb.pdf", converter)


async def test_a_large_document_is_parsed_beside_the_loop(converter: Converter) -> None:
    for name in ("large.md", "large.rst"):
        work = asyncio.create_task(parse(b"# Part\n\nSome *words* here.\n\n" * 10_000, name, converter))
        turns = 0
        while not work.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10


def test_restructured_text_is_read_in_time_that_grows_with_its_length() -> None:
    text = "Part\n====\n\nSome words here.\n\n" * 16_000  # 480 kB
    began = time.process_time()
    structure = restructured_structure(text)
    assert time.process_time() - began < 3
    assert len(structure.blocks) == 32_000


def test_restructured_headings_are_no_deeper_than_those_of_markdown() -> None:
    marks = "=-~^*+#<>_`:."
    structure = restructured_structure("".join(f"Part {mark}\n{mark * 6}\n\nText.\n\n" for mark in marks))
    assert max(block.level for block in structure.blocks) == DEEPEST
    assert max(len(block.path) for block in structure.blocks) <= DEEPEST


@pytest.mark.parametrize(
    ("path", "title"),
    [("a/kube-proxy_down.md", "Kube proxy down"), ("KubeProxyDown.md", "KubeProxyDown"),
     ("etcd/README.md", "Etcd"), ("README.md", "README"), ("x/-.md", "-")],
)  # fmt: skip
def test_a_title_from_the_files_name(path: str, title: str) -> None:
    assert title_of(path) == title


def docx() -> bytes:
    body = (
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Leave</w:t></w:r></w:p>'
        "<w:p><w:r><w:t>Ask your manager.</w:t></w:r></w:p><w:tbl>"
        + "".join(
            "<w:tr>"
            + "".join(f"<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>" for cell in row)
            + "</w:tr>"
            for row in (("kind", "days"), ("sick", "12"))
        )
        + "</w:tbl>"
    )
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def pdf(text: str, pages: int = 1) -> bytes:
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{'3 0 R ' * pages}]/Count {pages}>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(stream)}>>stream\n{stream}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = "".join(f"{number} 0 obj{content}endobj\n" for number, content in enumerate(objects, 1))
    return f"%PDF-1.4\n{body}trailer<</Root 1 0 R>>\n%%EOF".encode()
