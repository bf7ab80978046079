"""Where the documentation lies, in a checkout and in an installed package alike."""

from pathlib import Path

DOCS = Path(__file__).parent / "docs"
MANIFEST = DOCS / "slack-app-manifest.yaml"
