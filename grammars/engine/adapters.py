"""LoRA adapters of a local model: folders with a manifest, loaded and chosen while the model runs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from grammars.engine.errors import EngineError, UnknownAdapter

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

MANIFEST = "manifest.json"


class AdapterError(EngineError):
    """An adapter's folder cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an adapter is: the model it belongs to, what it was trained on, when, and how well it does."""

    base: str
    data: str
    trained: date
    metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read `manifest.json`: `{"base", "data", "date", "metrics"}`.

        Raises:
            AdapterError: there is none, or it lacks something.
        """
        try:
            row = json.loads((folder / MANIFEST).read_text())
            return cls(
                row["base"], row["data"], date.fromisoformat(row["date"]), dict(row.get("metrics", {}))
            )
        except FileNotFoundError:
            raise AdapterError(f"{folder} has no {MANIFEST}: it is not an adapter's folder.") from None
        except (ValueError, TypeError, KeyError) as error:
            raise AdapterError(f"{folder / MANIFEST} cannot be read ({error!r}): mend it.") from error


class Adapters:
    """The adapters of one model. Only the thread that runs the model may call it."""

    def __init__(self, model: Any) -> None:
        self._base = model
        self._peft = model if hasattr(model, "peft_config") else None
        self._own = model.active_adapter if self._peft else None
        self._loaded: dict[str, str] = {}  # by an adapter's name, peft's, new each time that it is loaded
        self._count = 0
        self.manifests: dict[str, Manifest] = {}

    def load(self, name: str, folder: Path, *, base: str) -> Manifest:
        """Load an adapter beside the others, or replace the one of that name, which stays where this fails.

        Raises:
            AdapterError: the folder is not an adapter of the model `base`.
        """
        manifest = Manifest.read(folder)
        if manifest.base != base:
            raise AdapterError(f"The adapter in {folder} is for {manifest.base!r}; the model is {base!r}.")
        self._count += 1
        fresh = f"adapter_{self._count}"
        try:
            peft = self._load(fresh, folder)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise AdapterError(f"The adapter in {folder} does not fit the model: {error}") from error
        before = self._loaded.get(name)
        self._loaded[name] = fresh
        self.manifests[name] = manifest
        if before:
            peft.set_adapter(fresh)  # peft warns of deleting what is active
            peft.delete_adapter(before)
        return manifest

    def _load(self, fresh: str, folder: Path) -> Any:
        if self._peft is None:
            from peft import PeftModel

            self._peft = PeftModel.from_pretrained(self._base, str(folder), adapter_name=fresh)
        else:
            self._peft.load_adapter(str(folder), adapter_name=fresh)
        return self._peft.eval()

    def active(self, name: str | None) -> AbstractContextManager[Any]:
        """Return a context in which the model runs with an adapter; None is the model as it was loaded.

        Raises:
            UnknownAdapter: there is none of that name.
        """
        if name is not None and name not in self.manifests:
            raise UnknownAdapter(name, tuple(self.manifests))
        if self._peft is None:
            return nullcontext()
        if name is None and self._own is None:
            return self._peft.disable_adapter()  # type: ignore[no-any-return]  # peft is untyped
        chosen = self._own if name is None else self._loaded[name]
        if self._peft.active_adapter != chosen:  # peft walks through the whole model
            self._peft.set_adapter(chosen)
        return nullcontext()
