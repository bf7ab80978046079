from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hashing import HashingEmbedder

from knowledge.audience import Audience
from knowledge.embed import EmbeddingError
from knowledge.generations import GenerationError
from knowledge.index import reindex
from knowledge.search import DENSE_WEIGHT, search
from knowledge.sources import SourceError, add_source, list_sources, remove_source
from knowledge.status import status

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from knowledge.database import Pool
    from knowledge.reports import SourceReport


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "my docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "proxy.md").write_text("---\ntitle: Proxy\n---\n# Proxy\n\nRestart the proxy.\n")
    (folder / "sub" / "leave.txt").write_text("Ask your manager for leave.\r\n")
    (folder / "notes.html").write_text("<h1>Notes</h1><p>The cluster is blue.</p>")
    return folder


async def _one(pool: Pool, embedder: HashingEmbedder, **options: Any) -> SourceReport:
    (report,) = await reindex(pool, embedder, **options)
    assert report.seen == report.indexed + report.unchanged + report.failed
    return report


async def _fetch(pool: Pool, statement: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def _assert_sound(pool: Pool) -> None:
    """Every passage is its span of its document, every count exact, every posting a passage's."""
    rows = await _fetch(
        pool,
        "select d.content, start_char, end_char, text from passages join documents d on d.id = document_id",
    )
    assert all(content[start:end] == text for content, start, end, text in rows)
    counts = await _fetch(
        pool,
        "select passage_count, g.term_count, count(p.id), coalesce(sum(p.term_count), 0) from generations g"
        " left join passages p on p.generation_id = g.id group by g.id",
    )
    assert all((passages, terms) == (found, found_terms) for passages, terms, found, found_terms in counts)


async def test_documents_become_passages_that_are_found(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs), name="docs", link_base="https://example.org/kb/")
    steps: list[tuple[str, int, int]] = []
    report = await _one(pool, embedder, progress=lambda *step: steps.append(step))
    assert (report.seen, report.indexed, report.failures) == (3, 3, ())
    assert steps == [("docs", 3, 3)]
    (best, *_) = await search(pool, embedder, "how do I restart the proxy?")
    assert (best.text, best.title, best.source) == ("Restart the proxy.", "Proxy", "docs")
    assert best.uri == (docs / "proxy.md").as_uri()
    assert best.link == "https://example.org/kb/proxy.md"
    assert set(best.scores) == {"dense", "lexical", "fused"}
    assert best.scores["lexical"] > 0
    await _assert_sound(pool)


async def test_unchanged_documents_cost_no_embedding(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    await reindex(pool, embedder)
    embedder.embedded.clear()
    os.utime(docs / "proxy.md")
    report = await _one(pool, embedder)
    assert (report.unchanged, embedder.embedded) == (3, [])


async def test_a_changed_document_replaces_its_passages_and_a_deleted_one_disappears(
    pool: Pool, docs: Path
) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    await reindex(pool, embedder)
    (docs / "proxy.md").write_text("# Proxy\n\nNever touch the proxy.\n")
    (docs / "notes.html").unlink()
    report = await _one(pool, embedder)
    assert (report.seen, report.indexed, report.unchanged, report.removed) == (2, 1, 1, 1)
    found = await search(pool, embedder, "proxy cluster", k=10)
    assert sorted(passage.text for passage in found) == [
        "Ask your manager for leave.",
        "Never touch the proxy.",
    ]
    await _assert_sound(pool)


async def test_equal_text_is_embedded_once(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    await reindex(pool, embedder)
    embedder.embedded.clear()
    (docs / "copy").mkdir()
    (docs / "copy" / "proxy.md").write_text((docs / "proxy.md").read_text() + "\n")
    assert (await _one(pool, embedder)).indexed == 1
    assert embedder.embedded == []


async def test_what_cannot_be_read_is_named_and_the_rest_goes_on(pool: Pool, docs: Path) -> None:
    (docs / "empty.md").touch()
    (docs / "picture.md").write_bytes(b"\x89PNG\0\0")
    (docs / "two\nlines.md").write_text("Named with a newline.")
    (docs / "loop.md").symlink_to("loop.md")
    (docs / "loop").symlink_to(docs)
    (docs / "out.md").symlink_to("/etc/hostname")
    (docs / "inside.md").symlink_to("proxy.md")
    (docs / os.fsdecode(b"bad\xff.md")).write_text("A name that is not UTF-8.")
    (docs / ".hidden.md").write_text("hidden")
    await add_source(pool, str(docs), name="docs")
    report = await _one(pool, HashingEmbedder())
    assert {failure.path: failure.reason for failure in report.failures} == {
        "empty.md": "It is empty.",
        "picture.md": "It is not text: it holds binary data.",
        "loop.md": "It cannot be read: a link that leads nowhere.",
        "loop": "A link to a folder is not followed.",
        "out.md": "A link out of the source is not followed.",
    }
    assert report.indexed == 6
    again = await _one(pool, HashingEmbedder())
    assert (again.unchanged, again.failures) == (6, report.failures)
    (shown,) = (await status(pool)).sources
    assert (shown.documents, shown.failures, shown.failed) == (6, report.failures, 5)
    assert shown.finished_at is not None


async def test_a_document_that_breaks_loses_its_passages_and_one_that_is_mended_returns(
    pool: Pool, docs: Path
) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    await reindex(pool, embedder)
    (docs / "proxy.md").write_bytes(b"\0\0")
    assert (await _one(pool, embedder)).failed == 1
    assert "Restart the proxy." not in {passage.text for passage in await search(pool, embedder, "proxy")}
    (docs / "proxy.md").write_text("Restart it twice.")
    assert (await _one(pool, embedder)).failed == 0
    assert (await search(pool, embedder, "restart"))[0].text == "Restart it twice."


async def test_a_source_that_is_gone_keeps_its_documents_and_says_so(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    await reindex(pool, embedder)
    await asyncio.to_thread(docs.rename, docs.with_name("elsewhere"))
    (report,) = await reindex(pool, embedder)
    assert report.error is not None
    assert "cannot be read" in report.error
    assert await search(pool, embedder, "proxy")


async def test_runs_that_coincide_do_each_document_once(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    reports = await asyncio.gather(_one(pool, embedder), _one(pool, embedder))
    assert sorted(report.indexed for report in reports) == [0, 3]
    await _assert_sound(pool)


async def test_an_interrupted_run_keeps_what_is_finished(pool: Pool, docs: Path) -> None:
    for number in range(300):
        (docs / f"{number}.md").write_text(f"Number {number}. " + f"word{number} " * 40)
    await add_source(pool, str(docs))
    with pytest.raises(EmbeddingError, match="gone"):
        await reindex(pool, HashingEmbedder(fail_after=100))
    embedder = HashingEmbedder()
    report = await _one(pool, embedder)
    assert report.indexed + report.unchanged == 303
    assert report.unchanged > 10
    assert len(embedder.embedded) < 303
    await _assert_sound(pool)


async def test_another_embedder_is_refused_until_the_index_is_rebuilt_beside(pool: Pool, docs: Path) -> None:
    old, new = HashingEmbedder(), HashingEmbedder("other", 32)
    await add_source(pool, str(docs))
    await reindex(pool, old)
    with pytest.raises(GenerationError, match="almanac reindex"):
        await search(pool, new, "proxy")
    with pytest.raises(EmbeddingError):
        await reindex(pool, HashingEmbedder("other", 32, fail_after=0))
    assert len(await search(pool, old, "proxy")) == 3
    report = await _one(pool, new)
    assert report.unchanged == 3
    assert len(await search(pool, new, "proxy")) == 3
    assert await _fetch(pool, "select embedder, is_current from generations") == [("other", True)]
    await _assert_sound(pool)


async def test_full_replaces_every_document(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs))
    await reindex(pool, embedder)
    assert (await _one(pool, embedder, full=True)).indexed == 3
    await _assert_sound(pool)


async def test_sources_are_added_changed_and_removed(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    source = await add_source(pool, docs.as_uri(), include=["*.md", "sub/*"], exclude=["notes*"])
    assert (source.name, source.path) == ("my docs", docs)
    assert (await _one(pool, embedder)).seen == 2
    changed = await add_source(pool, str(docs), name="kb")
    assert (changed.id, changed.name, changed.include) == (
        source.id,
        "kb",
        source.include,
    )  # what is not given stays
    with pytest.raises(SourceError, match="already"):
        await add_source(pool, str(docs / "sub"), name="kb")
    with pytest.raises(SourceError, match="does not exist"):
        await add_source(pool, str(docs / "nowhere"))
    with pytest.raises(SourceError, match="http"):
        await add_source(pool, str(docs), link_base="javascript:alert(1)")
    with pytest.raises(SourceError, match="there is: kb"):
        await reindex(pool, embedder, ["unknown"])
    await remove_source(pool, "kb")
    assert await list_sources(pool) == []
    assert await search(pool, embedder, "proxy") == []
    await _assert_sound(pool)


async def test_a_single_file_is_a_source(pool: Pool, docs: Path) -> None:
    await add_source(pool, str(docs / "proxy.md"))
    assert (await _one(pool, HashingEmbedder())).indexed == 1


async def test_nothing_outside_the_audience_is_found(pool: Pool, docs: Path) -> None:
    embedder = HashingEmbedder()
    await add_source(pool, str(docs / "sub"), name="all")
    await add_source(pool, str(docs / "proxy.md"), name="ops", audience=["C1", "C2"])
    await reindex(pool, embedder)

    async def sources(*readers: set[str]) -> set[str]:
        audience = Audience.of(readers) if readers else None
        return {found.source for found in await search(pool, embedder, "proxy leave", audience=audience)}

    assert await sources({"everyone"}) == {"all"}
    assert await sources({"C3"}) == set()
    assert await sources({"everyone", "C2"}) == {"all", "ops"}
    assert await sources({"everyone", "C2"}, {"everyone"}) == {"all"}
    assert await sources() == {"all", "ops"}


async def test_the_statement_ranks_as_its_two_legs_and_uses_the_vector_index(
    pool: Pool, tmp_path: Path
) -> None:
    embedder = HashingEmbedder()
    words = ["proxy", "leave", "cluster", "alert", "budget", "travel", "node", "disk"]
    rng = np.random.default_rng(1)
    for number in range(400):
        (tmp_path / f"{number}.txt").write_text(" ".join(rng.choice(words, 12)) + f" id{number}")
    await add_source(pool, str(tmp_path))
    await reindex(pool, embedder)
    found = await search(pool, embedder, "proxy disk id7", k=100)
    assert "id7" in found[0].text.split()
    fused = [passage.scores["fused"] for passage in found]
    assert all(a >= b for a, b in pairwise(fused))
    best = max(passage.scores["lexical"] for passage in found)
    for passage in found:
        lexical = passage.scores["lexical"] / best
        expected = DENSE_WEIGHT * passage.scores["dense"] + (1 - DENSE_WEIGHT) * lexical
        assert passage.scores["fused"] == pytest.approx(expected, abs=1e-3)
    query = (await embedder.embed(["proxy disk id7"]))[0]
    exact = await _exact(pool, embedder, query)
    assert len({passage.passage_id for passage in found} & set(exact[:50])) >= 48


async def _exact(pool: Pool, embedder: HashingEmbedder, query: NDArray[np.float32]) -> list[int]:
    rows = await _fetch(
        pool, "select p.id, text, title from passages p join documents d on d.id = document_id"
    )
    vectors = await embedder.embed([f"{title}\n{text}" for _, text, title in rows])
    return [rows[row][0] for row in np.argsort(-(vectors @ query))]
