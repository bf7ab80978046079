"""`almanac` with an engine and embedder that load nothing: for tests of the processes, not of answers."""

from __future__ import annotations

from quoting import quoting_engine, word_embedder

from bot import wiring
from bot.cli import main

wiring.engine = quoting_engine  # type: ignore[assignment]  # a stand-in of the same shape
wiring.embedder = word_embedder  # type: ignore[assignment]  # likewise

if __name__ == "__main__":
    main()
