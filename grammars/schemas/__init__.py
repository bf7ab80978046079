"""The schemas that come along, as JSON Schema files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def built_in() -> dict[str, dict[str, Any]]:
    """Return the schemas that come along, by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
