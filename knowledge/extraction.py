"""Extract a record: the schema's, from a text, by the engine; validated, cited, kept."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from grammars.engine.errors import EngineError
from grammars.extraction.extract import extract
from grammars.extraction.record import ExtractionError
from knowledge.records import save_record

if TYPE_CHECKING:
    from datetime import date

    from grammars.engine.protocol import Engine
    from grammars.extraction.record import Evidence
    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.schemas import GivenSchema, Schema


@dataclass(frozen=True, slots=True)
class Extraction:
    """A record and where it came from.

    Attributes:
        schema: the schema's name, or its title where it was given along.
        version: None where the schema was given along.
        record: the JSON that the schema admits.
        evidence: by JSON pointer, the verbatim span a leaf came from.
        missing: pointers of leaves that the text does not state and that may not be null.
        margins: by JSON pointer, how far a choice lay before the next, 0 to 1.
    """

    schema: str
    version: int | None
    record: Any
    evidence: dict[str, Evidence]
    missing: tuple[str, ...]
    truncated: bool
    margins: dict[str, float]
    model: str
    trace_id: str
    timings_ms: dict[str, float] = field(default_factory=dict)
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for `json.dumps`, `missing` left out where nothing is."""
        row = asdict(self)
        return {key: value for key, value in row.items() if key not in ("missing", "note") or value}


class ExtractRecord(Protocol):
    """`extract_record` with its parts given: a schema and a text to an extraction."""

    async def __call__(self, schema: Schema | GivenSchema, text: str, *, reference: date) -> Extraction: ...


async def extract_record(
    pool: Pool,
    embedder: Embedder,
    engine: Engine,
    schema: Schema | GivenSchema,
    text: str,
    *,
    reference: date,
) -> Extraction:
    """Extract a record by a schema of the registry, or by a definition that was checked.

    Args:
        pool: of the database, where the record is kept.
        embedder: what compares a leaf with the text.
        engine: the model.
        schema: one of the registry's, or what `given_schema` returned.
        text: what is read; it is not stored.
        reference: the day of the message, that `yesterday` is counted from.

    Raises:
        ExtractionError: no record could be made; kept with its reason.
        EngineError: the model could not answer; likewise.
    """
    trace_id, began = str(uuid.uuid4()), time.perf_counter()
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    save = partial(save_record, pool, id=trace_id, schema_id=schema.id, text_hash=digest, model=engine.name)
    try:
        made = await extract(engine, embedder.embed, schema.definition, text, reference=reference)
    except (ExtractionError, EngineError) as error:
        await save(error=str(error))
        raise
    extraction = Extraction(
        schema=schema.name,
        version=schema.version,
        record=made.record,
        evidence=made.evidence,
        missing=made.missing,
        truncated=made.truncated,
        margins=made.margins,
        model=engine.name,
        trace_id=trace_id,
        timings_ms={"total": (time.perf_counter() - began) * 1000},
        note=made.note,
    )
    await save(extraction=extraction.as_json())
    return extraction
