"""A leaf as it is compared with a text: its question, and the stems of what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grammars.extraction.candidates import group
from grammars.extraction.layout import stems
from grammars.extraction.question import leaf_question, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from grammars.extraction.fields import Field

    Rows = Mapping[str, NDArray[np.float32]]  # vectors (D,) by text


@dataclass(frozen=True, slots=True)
class Asked:
    """A leaf.

    Attributes:
        leaf: itself.
        kind: of its candidates, as `group` says.
        question: what it asks of a text.
        alone: the same beside the schema's title, without it.
        name: stems of its name.
        told: stems of its description and of the names above it, but for those of its name.
        wording: all that the schema says of it.
    """

    leaf: Field
    kind: str
    question: str
    alone: str
    name: frozenset[str]
    told: frozenset[str]
    wording: str

    @classmethod
    def of(cls, title: str, leaf: Field) -> Asked:
        """Prepare a leaf of the schema `title`."""
        question = leaf_question(title, leaf.path, leaf.description)
        name = stems(words(leaf.name))
        path = stems(" ".join(map(words, leaf.path[:-1])))
        told = (stems(leaf.description) | path) - name
        alone = leaf_question("", leaf.path, leaf.description)
        return cls(leaf, group(leaf), question, alone, name, told, f"{words(leaf.name)} {leaf.description}")

    @property
    def called(self) -> str:
        """What it is called, for comparing it with what things are called."""
        return self.leaf.description.partition(";")[0] or words(self.leaf.name)

    def option(self, value: object) -> str:
        """Return how an option of a choice reads."""
        return f"{words(self.leaf.name)}: {words(str(value)) or value}"
