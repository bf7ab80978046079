"""`almanac doctor`: what works, what does not, and how to mend it."""

from dataclasses import asdict
from typing import Annotated

import typer

from bot.cli.console import data, plain, print_json
from bot.cli.edge import FAILED, run

EXAMPLES = ("almanac doctor", "almanac doctor --json | jq '.[] | select(.ok == false)'")
MARKS = {True: ("ok", "green"), False: ("broken", "red"), None: ("not set", "yellow")}


def doctor(
    *, json: Annotated[bool, typer.Option("--json", help="Print the findings as one line of JSON.")] = False
) -> None:
    """Find what is broken, and how to mend it.

    Looks at settings, database, extension, schema, index, embedder, model and Slack. Anything broken
    makes it exit with 1.
    """
    run(_doctor(as_json=json))


async def _doctor(*, as_json: bool) -> int:
    from bot.doctor import examine

    findings = []
    async for finding in examine():
        findings.append(finding)
        if not as_json:
            mark, style = MARKS[finding.ok]
            data().print(plain(f"{mark:8}", style) + plain(f"{finding.what}: {finding.detail}"))
            if finding.remedy:
                data().print(plain(f"         {finding.remedy}", "dim"))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    return FAILED if any(finding.ok is False for finding in findings) else 0
