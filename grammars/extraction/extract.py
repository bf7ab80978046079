"""A text to a record that a schema admits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from grammars.extraction.complete import complete
from grammars.extraction.modern import modern
from grammars.extraction.read import Embed, read_record
from grammars.extraction.record import ExtractionError, Record
from grammars.extraction.validate import Validator
from grammars.extraction.write import write_record

if TYPE_CHECKING:
    from datetime import date

    from grammars.engine.protocol import Engine, Extractive

LONGEST = 200_000  # characters
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what neither JSON in a database nor UTF-8 can hold
EMPTY = "There is no text to extract from. Paste a message, or name a file that holds text."
TOO_LONG = "The text has {:,} characters, and at most {:,} can be read at once. Give the part that matters."


async def extract(
    engine: Engine, embed: Embed, definition: Any, text: str, *, reference: date, max_tokens: int = 1024
) -> Record:
    """Return what a text states, as a schema asks for it.

    Args:
        engine: the model; an extractive one says where the text states each leaf, another writes the record.
        embed: texts to L2-normalised vectors; only an extractive engine needs it.
        definition: a JSON Schema that was checked.
        text: any; a null character or half of a surrogate pair in it is read as U+FFFD.
        reference: the day that `yesterday` and dates without a year are counted from.
        max_tokens: the budget of an engine that writes the record at once.

    Raises:
        ExtractionError: there is no text, or too much of it, or no valid record could be made.
        EngineError: the model could not answer.
    """
    text = _NO_TEXT.sub("\ufffd", text)
    if not text.strip("\ufffd \t\r\n"):
        raise ExtractionError(EMPTY)
    if len(text) > LONGEST:
        raise ExtractionError(TOO_LONG.format(len(text), LONGEST))
    definition = modern(definition)
    validator = Validator(definition)
    if engine.extractive:
        record = await read_record(cast("Extractive", engine), embed, definition, text, reference=reference)
        return complete(record, definition, validator)
    return await write_record(engine, definition, text, validator, reference=reference, max_tokens=max_tokens)
