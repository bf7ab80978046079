"""What `/kb` shows: status, sources and changes, a page at a time. Pure."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from handlers.rich import Block, bullets, rich_text, section, text
from handlers.text import clip
from knowledge.sources.uri import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from knowledge.changes import Changes
    from knowledge.reports import Failure
    from knowledge.runs import Run
    from knowledge.sources import Source
    from knowledge.status import SourceStatus, Status

PAGE = "kb_page"
REINDEX, EDIT, REMOVE, ADD = "kb_reindex", "kb_edit", "kb_remove", "kb_add"
CANCEL_RUNS, CANCEL_LABEL = "kb_cancel", "Cancel"

STATUS_TITLE, SOURCES_TITLE, CHANGES_TITLE = "Status", "Sources", "What changed"
FAILURES_TITLE = "What cannot be read"
NO_SOURCES = "There are no sources yet. Add one with `/kb add`."
NO_CHANGES = "Nothing changed since then."
NO_FAILURES = "Every document can be read."
MORE_FAILURES = "and {:,} more: /kb failures {}"
NEVER_RUN = "not indexed yet"
EVERYONE = "everyone in the workspace"
WORDS = {"everyone": "members of the workspace", "guests": "its guests"}
COMPLETE = "{seen} seen = {indexed} indexed + {unchanged} unchanged + {failed} failed; {removed} removed"
OLDEST = "A change waits since "
BUILDING = "A new index is being built with {}: {} so far. The old one answers until then."
COMPLETING = "Completing the new index: {} to go"
NEWER, OLDER = "\u2190 Before", "More \u2192"

SOURCES_A_PAGE = 5
CHANGES_A_PAGE = 20
FAILURES_A_PAGE = 20
MOST_FAILURES = 3  # of a source, in the status
LONGEST = 120  # characters of a name, path or reason


def status_page(status: Status, page: int = 1) -> list[Block]:
    """Return how each source is doing."""
    shown, buttons = paged("status", status.sources, SOURCES_A_PAGE, page)
    return status_blocks(status, shown) + buttons


def status_blocks(status: Status, shown: Sequence[SourceStatus]) -> list[Block]:
    """Return the whole in a line, and how each of the shown sources is doing."""
    if not status.sources:
        return [header(STATUS_TITLE), rich_text(section(text(NO_SOURCES)))]
    documents = sum(source.documents for source in status.sources)
    passages = sum(source.passages for source in status.sources)
    total = f"{count(documents, 'document')} in {count(passages, 'passage')}. Embedder: {status.embedder}"
    blocks = [header(STATUS_TITLE), context(total if status.embedder else NEVER_RUN)]
    if status.building:
        built = count(status.building.passages, "passage")
        blocks.append(context(BUILDING.format(status.building.embedder, built)))
    for source in shown:
        blocks += _status(source)
    return blocks


def _status(source: SourceStatus) -> list[Block]:
    counted = f"  {count(source.documents, 'document')}, {count(source.passages, 'passage')}"
    lines = [section(text(clip(source.name, LONGEST), bold=True), text(counted)), section(*_last_run(source))]
    if source.finished_at:
        lines.append(section(text(_counts(source))))
    if source.oldest_unseen:
        lines.append(section(text(OLDEST), moment(source.oldest_unseen)))
    if source.error:
        lines.append(section(text(f"\u26a0 {clip(source.error, LONGEST)}")))
    blocks: list[Block] = [{"type": "divider"}, rich_text(*lines)]
    if source.failures:
        more = len(source.failures) - MOST_FAILURES
        shown = [_failure(one) for one in source.failures[:MOST_FAILURES]]
        if more > 0:
            shown.append(section(text(MORE_FAILURES.format(more, clip(source.name, LONGEST)), italic=True)))
        said = f"{count(len(source.failures), 'document')} cannot be read:"
        blocks.append(rich_text(section(text(said)), bullets(*shown)))
    if source.state == "running":
        cancel = button(CANCEL_LABEL, CANCEL_RUNS, str(source.run_id), style="danger")
        blocks.append({"type": "actions", "elements": [cancel]})
    return blocks


def _failure(one: Failure) -> Block:
    return section(text(f"{clip(one.path, LONGEST)}: {clip(one.reason, LONGEST)}"))


def failures_page(sources: Sequence[SourceStatus], filters: str, page: int = 1) -> list[Block]:
    """Return every document of these sources that cannot be read; `filters` brings another page of them."""
    failures = [(source, one) for source in sources for one in source.failures]
    if not failures:
        return [header(FAILURES_TITLE), rich_text(section(text(NO_FAILURES)))]
    shown, buttons = paged(f"failures {filters}".strip(), failures, FAILURES_A_PAGE, page)
    blocks = [header(FAILURES_TITLE)]
    for source, rows in groupby(shown, itemgetter(0)):
        said = f": {count(len(source.failures), 'document')}"
        title = section(text(clip(source.name, LONGEST), bold=True), text(said))
        blocks.append(rich_text(title, bullets(*(_failure(one) for _, one in rows))))
    return blocks + buttons


def _last_run(source: SourceStatus) -> list[Block]:
    if source.started_at is None:
        return [text(NEVER_RUN + (", waiting for a worker" if source.waiting else ""))]
    if source.state == "running":
        done = source.indexed + source.unchanged + source.failed
        return [text("Reindexing since "), moment(source.started_at), text(f": {done:,} of {source.seen:,}")]
    parts = [text(f"Last run {source.state} "), moment(source.finished_at or source.started_at)]
    return [*parts, text(". Next "), moment(source.due_at)] if source.due_at else parts


def _counts(run: Run | SourceStatus) -> str:
    """Return a run's counts, which add up."""
    counts = {
        name: f"{getattr(run, name):,}" for name in ("seen", "indexed", "unchanged", "failed", "removed")
    }
    return COMPLETE.format(**counts)


def sources_page(sources: Sequence[Source], page: int = 1) -> list[Block]:
    """Return each source with its filters and readers, and what can be done with it."""
    if not sources:
        return [rich_text(section(text(NO_SOURCES)))]
    shown, buttons = paged("sources", sources, SOURCES_A_PAGE, page)
    blocks = [header(SOURCES_TITLE)]
    for source in shown:
        blocks += _source(source)
    return blocks + buttons


def _source(source: Source) -> list[Block]:
    lines = [
        section(
            text(clip(source.name, LONGEST), bold=True),
            text("  "),
            text(clip(source.uri, LONGEST), code=True),
        ),
        section(text("For "), *readers(source.audience), text(f". {_kept_up(source)}.")),
    ]
    if source.include or source.exclude:
        globs = [*source.include, *(f"not {glob}" for glob in source.exclude)]
        lines.append(section(text(f"Files: {clip(', '.join(globs), LONGEST)}")))
    actions = [
        button("Reindex", REINDEX, source.name),
        button("Edit", EDIT, source.name),
        button("Remove", REMOVE, source.name, style="danger"),
    ]
    return [{"type": "divider"}, rich_text(*lines), {"type": "actions", "elements": actions}]


def _kept_up(source: Source) -> str:
    looked = f"ooked at {schedule(source.schedule)}"
    return f"Watched, and l{looked}" if source.kind is Kind.LOCAL else f"L{looked}"


def schedule(value: str | None) -> str:
    """Return a schedule in words."""
    if value is None or value == "never":
        return "only when asked"
    return f"by the schedule {value}" if " " in value else f"every {value}"


def readers(audience: Sequence[str] | None) -> list[Block]:
    """Return who may read a source, as runs of rich text."""
    if audience is None:
        return [text(EVERYONE)]
    parts: list[Block] = []
    for name in audience:
        parts += [text(", ")] if parts else []
        parts.append(_reader(name))
    return parts


def _reader(name: str) -> Block:
    if name in WORDS:
        return text(WORDS[name])
    if name[0] == "S":
        return {"type": "usergroup", "usergroup_id": name}
    return {"type": "channel", "channel_id": name} if name[0] in "CG" else {"type": "user", "user_id": name}


def changes_page(changes: Changes, since: datetime, filters: str, page: int = 1) -> list[Block]:
    """Return what changed; `filters` brings the same list back on another page."""
    if not changes.latest:
        return [header(CHANGES_TITLE), rich_text(section(text(NO_CHANGES)))]
    said = f"{count(changes.count, 'document')} changed since "
    if changes.count > len(changes.latest):
        said = f"The latest {len(changes.latest):,} of {changes.count:,} documents that changed since "
    told = rich_text(section(text(said), moment(since)))
    shown, buttons = paged(f"diff {filters}".strip(), changes.latest, CHANGES_A_PAGE, page)
    lines = [
        section(
            text(f"{one.change} "),
            text(clip(one.path, LONGEST), bold=True),
            text("  "),
            text(f"{clip(one.source, LONGEST)}, ", italic=True),
            moment(one.changed_at),
        )
        for one in shown
    ]
    return [header(CHANGES_TITLE), told, rich_text(bullets(*lines)), *buttons]


def paged(call: str, rows: Sequence[Any], size: int, page: int) -> tuple[Sequence[Any], list[Block]]:
    """Return a page's rows, and the buttons that lead to its neighbours; `call` is what shows them."""
    pages = max(1, -(-len(rows) // size))
    page = min(max(page, 1), pages)
    ways = [(NEWER, page - 1)] * (page > 1) + [(OLDER, page + 1)] * (page < pages)
    buttons = [button(words, f"{PAGE}_{number}", f"{number} {call}") for words, number in ways]
    footer = [context(f"Page {page} of {pages}"), {"type": "actions", "elements": buttons}] if buttons else []
    return rows[(page - 1) * size : page * size], footer


def run_line(run: Run) -> Block:
    """Return how far a run is."""
    if run.state == "waiting":
        return section(text(clip(run.source, LONGEST), bold=True), text("  waiting for a worker"))
    if run.state == "running":
        share = run.done / run.seen if run.seen else 0.0
        told = text(f"  {run.done:,} of {run.seen:,}{_completing(run)}")
        return section(
            text(clip(run.source, LONGEST), bold=True), text("  "), text(bar(share), code=True), told
        )
    error = f". {clip(run.error, LONGEST)}" if run.error else ""
    return section(text(clip(run.source, LONGEST), bold=True), text(f"  {run.state}: {_counts(run)}{error}"))


def _completing(run: Run) -> str:
    """Return what is left once everything is read, of a whole rebuild that this run completes."""
    return f". {COMPLETING.format(count(run.lacking, 'document'))}" if run.lacking else ""


def bar(share: float, width: int = 20) -> str:
    """Return a bar that is filled to a share of 0 to 1."""
    filled = int(min(max(share, 0.0), 1.0) * width)
    return "\u25a0" * filled + "\u00b7" * (width - filled)


def header(words: str) -> Block:
    """Return a heading."""
    return {"type": "header", "text": {"type": "plain_text", "text": clip(words, 150)}}


def context(words: str) -> Block:
    """Return a line in small print."""
    return {
        "type": "context",
        "elements": [{"type": "plain_text", "text": clip(words, 2_000), "emoji": False}],
    }


def button(words: str, action: str, value: str, **more: Any) -> Block:
    """Return a button."""
    shown = {"type": "plain_text", "text": words}
    return {"type": "button", "action_id": action, "text": shown, "value": clip(value, 2_000), **more}


def moment(when: datetime) -> Block:
    """Return a moment, shown in the reader's own time."""
    return {
        "type": "date",
        "timestamp": int(when.timestamp()),
        "format": "{date_short_pretty} at {time}",
        "fallback": when.strftime("%Y-%m-%d %H:%M UTC"),
    }


def count(number: int, word: str) -> str:
    """Return a number of things."""
    return f"1 {word}" if number == 1 else f"{number:,} {word}s"
