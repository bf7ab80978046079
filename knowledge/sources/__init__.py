"""Where documents come from: the registry of sources, and one module for each kind of origin."""

from knowledge.sources.registry import (
    Source,
    add_source,
    check_link,
    edit_source,
    find_source,
    list_sources,
    remove_source,
)
from knowledge.sources.uri import SourceError, refuse_credentials

__all__ = [
    "Source",
    "SourceError",
    "add_source",
    "check_link",
    "edit_source",
    "find_source",
    "list_sources",
    "refuse_credentials",
    "remove_source",
]
