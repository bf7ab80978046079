"""Engines: one small protocol, and the models that keep it."""

from grammars.engine.opening import open_engine

__all__ = ["open_engine"]
