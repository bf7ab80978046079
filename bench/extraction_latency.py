"""How long records take: python bench/extraction_latency.py [--runs N] [--clicks N] [--worker COMMAND].

- one extraction of a text of some 200 words by a schema of 10 fields, in this process, the model warm;
- from a click on *Extract from this message* to its modal on the screen, and to the form that follows, over
  a real socket with `almanac serve` and `almanac worker` as processes of their own. Every click is on
  another message: nothing was read before.

Prints p50 and p95; exits 1 where a p50 is over 2 s (extraction) or 1 s (modal).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from metrics import percentile
from processes import SERVE, WORKER, command_line, processes, run

from bot.demo import App, local_workspace
from bot.documentation import MANIFEST
from grammars.engine import open_engine
from grammars.extraction.extract import extract
from handlers.extract import FROM_MESSAGE
from handlers.extract_views import CHOOSE_SCHEMA
from knowledge.embed import open_embedder

if TYPE_CHECKING:
    from bot.demo import LocalWorkspace

EXTRACTION_SECONDS, MODAL_SECONDS = 2.0, 1.0
REFERENCE = date(2026, 5, 1)
TEXT = """\
Incident review, ticket {number}. The parcel tracking page of the customer portal was not reachable
on 12 March 2026 from 09:40 UTC until 11:05 UTC. Severity was sev2. About 3,400 customers tried to
open it in that time and were shown "503 Service Unavailable"; nobody lost any data, and parcels
went out as planned. It began when a colleague renewed the certificates of the load balancer by
hand, as we do twice a year. The new chain lacked an intermediate certificate, so the portal's back
end refused every connection of the balancer. Our monitoring noticed it only after a quarter of an
hour, because the check for the tracking page was still switched off from last week's move. Kirsten
Aalto took the lead as soon as the first complaint came in by telephone. She put the old certificate
back, which is good until the end of the month, and the page came up again at once. We then built a
new chain, tried it out on the test system, and rolled it out at noon without any trouble. What is
left to do: switch the check on again, write down how a chain is put together, and ask the network
team whether the renewal could be done by a machine. Lars Ehn will report on it on 20 March 2026.
"""
FIELDS: dict[str, tuple[str | None, str]] = {
    "service": (None, "Service that was affected"),
    "severity": (None, "Severity"),
    "incident_date": ("date", "Day of the incident"),
    "report_date": ("date", "Day on which somebody will report"),
    "users_affected": ("integer", "Number of customers affected"),
    "error_message": (None, "Error message as written"),
    "cause": (None, "Cause as written"),
    "data_lost": ("boolean", "Whether data were lost"),
    "lead": (None, "Who led the response"),
    "resolved": ("boolean", "Whether it is over"),
}


async def main() -> int:
    """Run and report; return the exit status."""
    given = _arguments()
    read = await _extractions(given.runs)
    _print("an extraction", read)
    shown, ready = await _clicks(given)
    _print("click to modal", shown)
    _print("click to form", ready)
    on_time = percentile(read, 50) <= EXTRACTION_SECONDS and percentile(shown, 50) <= MODAL_SECONDS
    return 0 if on_time else 1


def schema() -> dict[str, Any]:
    """Return a schema of ten fields, each of which may be null."""
    return {
        "title": "Incident",
        "type": "object",
        "properties": {name: _member(kind, told) for name, (kind, told) in FIELDS.items()},
        "required": list(FIELDS),
        "additionalProperties": False,
    }


def _member(kind: str | None, told: str) -> dict[str, Any]:
    form = {"format": "date"} if kind == "date" else {}
    plain = kind if kind in ("integer", "boolean") else "string"
    return {"type": [plain, "null"], "description": told, **form}


async def _extractions(runs: int) -> list[float]:
    """Return the seconds of each extraction; every text is another, after one that warms up."""
    taken = []
    async with open_embedder("embedded") as embedder, open_engine("embedded") as engine:
        for number in range(runs + 1):
            text = TEXT.format(number=f"INC-{4700 + number}")
            began = time.perf_counter()
            await extract(engine, embedder.embed, schema(), text, reference=REFERENCE)
            taken.append(time.perf_counter() - began)
    return taken[1:]


async def _clicks(given: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Return the seconds from each click to its modal, and to its form; the first click warms up."""
    app = App.from_manifest(yaml.safe_load(MANIFEST.read_text("utf-8")))
    shown, ready = [], []
    with tempfile.TemporaryDirectory(prefix="almanac-latency-") as home:
        async with local_workspace(app=app) as workspace, processes(workspace, Path(home)) as bot:
            await bot.run("migrate")
            await bot.start("serve", SERVE)
            await bot.start("worker", given.worker)
            await workspace.wait_for(lambda w: w.slack.socket.connected.is_set(), 60)
            for number in range(given.clicks + 1):
                modal, form = await _click(workspace, TEXT.format(number=f"INC-{4700 + number}"))
                shown.append(modal)
                ready.append(form)
    return shown[1:], ready[1:]


async def _click(workspace: LocalWorkspace, text: str) -> tuple[float, float]:
    ts = await workspace.say("jonas", "#ops", text)
    began = time.monotonic()
    await workspace.shortcut("maya", FROM_MESSAGE, "#ops", ts)
    view = await workspace.wait_for(lambda w: w.modal("maya"), 60)
    shown = time.monotonic() - began
    assert view is not None
    chosen = time.monotonic()
    await workspace.click_view("maya", view["id"], CHOOSE_SCHEMA, value="incident")
    await workspace.wait_for(lambda w: (w.modal("maya") or {}).get("submit"), 120)
    ready = shown + time.monotonic() - chosen
    await workspace.close("maya")
    return shown, ready


def _print(what: str, seconds: list[float]) -> None:
    p50, p95 = percentile(seconds, 50), percentile(seconds, 95)
    print(f"{what:16} p50 {p50:.2f} s, p95 {p95:.2f} s over {len(seconds)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--clicks", type=int, default=10)
    parser.add_argument("--worker", type=command_line, default=WORKER)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run(main()))
