"""Where documents come from: the registry of sources, and one module for each kind of origin."""

from knowledge.sources.registry import (
    Source,
    add_source,
    edit_source,
    find_source,
    list_sources,
    remove_source,
)
from knowledge.sources.uri import SourceError

__all__ = [
    "Source",
    "SourceError",
    "add_source",
    "edit_source",
    "find_source",
    "list_sources",
    "remove_source",
]
