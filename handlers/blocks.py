"""An answer as Slack messages: the answer, its numbered quotes, and where they stand. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from handlers.message import PIECE, Message, Piece, paginate
from handlers.rich import bullets, inline, link, quote, rich_text, section, text
from handlers.text import clip, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlers.rich import Block
    from knowledge.answers import Answer, Citation, Retrieved

SHOW_RETRIEVED = "show_retrieved"
SHARE = "share_answer"
FEEDBACK = "feedback"
HELPFUL, UNHELPFUL = "helpful", "unhelpful"

LEAD = "Here is what the documents say:"
UNANSWERABLE = "I couldn't find the answer to that in the documents I know."
NEAREST = "These come closest:"
NOTHING_KNOWN = "I don't know any documents yet. An administrator can add some with `almanac sources add`."
HELP = (
    "Hi! Ask me a question and I'll answer from our documents, with the exact quotes. "
    "Mention me in a channel, write to me directly, or type `/ask` for an answer only you can see. "
    "What would you like to know?"
)
WRITING = "Still writing…"
CUT = "The answer was cut at its length limit."
SHOW_LABEL = "Show what was retrieved"
SHARE_LABEL = "Share in this channel"
ASKED = " asked: "

STEP = "\u203a"  # between the headings that lead to a passage
NEAREST_DOCUMENTS = 3
LONGEST_LABEL = 200
LONGEST_ASKED = 1_000

_MARKER = re.compile(r"\[(\d+)\]")


def answer_messages(question_id: int, answer: Answer) -> list[Message]:
    """Return the messages that give an answer in a thread."""
    return paginate(_body(answer), [_footnote(answer), _buttons(question_id, answer), _feedback(question_id)])


def unfinished_message(answer: Answer) -> Message:
    """Return what stands of an answer that is still being written; of a long one, its beginning."""
    words = {"type": "plain_text", "text": WRITING, "emoji": False}
    return paginate(_body(answer), [Piece({"type": "context", "elements": [words]})])[0]


def private_messages(question_id: int, answer: Answer) -> list[Message]:
    """Return the messages that give an answer to one person, with a button that shares it."""
    return paginate(_body(answer), [_footnote(answer), _buttons(question_id, answer, share=True)])


def shared_messages(question_id: int, answer: Answer, asker: str) -> list[Message]:
    """Return the messages that show a channel what `asker` (a user id) asked, and the answer."""
    asked = clip(answer.question, LONGEST_ASKED)
    runs = [{"type": "user", "user_id": asker}, text(ASKED), text(asked, italic=True)]
    opening = Piece(rich_text(section(*runs)), f"Asked: {asked}")
    footer = [_footnote(answer), _buttons(question_id, answer), _feedback(question_id)]
    return paginate([opening, *_body(answer)], footer)


def notice(sentence: str) -> list[Message]:
    """Return a message that says one thing."""
    return paginate([Piece(rich_text(section(*inline(sentence))), sentence)])


def label(title: str, heading: str) -> str:
    """Return title and headings, each leading to the next, without saying the title twice."""
    steps = [step.strip() for step in heading.split(STEP) if step.strip()]
    if steps and steps[0].casefold() == title.strip().casefold():
        steps = steps[1:]
    return clip(f" {STEP} ".join([title.strip() or "Untitled", *steps]), LONGEST_LABEL)


def _body(answer: Answer) -> Iterator[Piece]:
    if answer.note:
        yield Piece(rich_text(section(text(answer.note, italic=True))), answer.note)
    if not answer.answerable:
        yield from _unanswerable(answer)
        return
    yield from _prose(LEAD if _only_quotes(answer) else answer.answer, answer)
    for citation in answer.citations:
        yield from _citation(citation)


def _prose(content: str, answer: Answer) -> Iterator[Piece]:
    links = {citation.marker: citation.link for citation in answer.citations}
    for part in split(content or LEAD, PIECE):
        yield Piece(rich_text(section(*_with_markers(part, links))), part)


def _with_markers(content: str, links: dict[int, str | None]) -> Iterator[Block]:
    """Yield the runs of an answer; each marker leads to the document that it quotes."""
    end = 0
    for match in _MARKER.finditer(content):
        marker = int(match.group(1)) if len(match.group(1)) < 4 else 0  # noqa: PLR2004 - no answer has 1000 quotes
        if marker in links:
            yield from inline(content[end : match.start()]) if match.start() > end else ()
            yield link(links[marker], match.group())
            end = match.end()
    if end < len(content):
        yield from inline(content[end:])


def _citation(citation: Citation) -> Iterator[Piece]:
    name = label(citation.title, citation.heading)
    since = [text(f" · {day(citation.changed_at)}")] if citation.changed_at else []
    head = section(text(f"[{citation.marker}] ", bold=True), link(citation.link, name), *since)
    first, *rest = split(citation.quote, PIECE) or ["…"]
    yield Piece(rich_text(head, *quote(first)), f"[{citation.marker}] {name}\n> {first}")
    for part in rest:
        yield Piece(rich_text(*quote(part)), f"> {part}")


def day(moment: str) -> str:
    """Return the day of an ISO moment as people write it: `as of 3 Mar 2026`."""
    return f"as of {datetime.fromisoformat(moment):%-d %b %Y}"


def _only_quotes(answer: Answer) -> bool:
    """Whether the answer's text would only say what its quotes say again."""
    said = _MARKER.sub("", answer.answer).split()
    return not said or said == " ".join(citation.quote for citation in answer.citations).split()


def _unanswerable(answer: Answer) -> Iterator[Piece]:
    nearest = _documents(answer.retrieved)
    if not nearest:
        yield Piece(rich_text(section(*inline(NOTHING_KNOWN))), NOTHING_KNOWN)
        return
    opening = f"{UNANSWERABLE} {NEAREST}"
    labels = [label(passage.title, passage.heading) for passage in nearest]
    lines = [section(link(one.link, name)) for one, name in zip(nearest, labels, strict=True)]
    spoken = "\n".join([opening, *(f"• {name}" for name in labels)])
    yield Piece(rich_text(section(text(opening)), bullets(*lines)), spoken)


def _documents(retrieved: tuple[Retrieved, ...]) -> list[Retrieved]:
    """Return the best passage of each of the nearest documents."""
    best: dict[str, Retrieved] = {}
    for passage in sorted(retrieved, key=lambda passage: passage.rank):
        best.setdefault(passage.uri, passage)
    return list(best.values())[:NEAREST_DOCUMENTS]


def _footnote(answer: Answer) -> Piece:
    """Return what was searched and who answered."""
    passages = len(answer.retrieved)
    documents = len({passage.uri for passage in answer.retrieved})
    searched = f"Looked at {passages} {_plural('passage', passages)}"
    facts = [f"{searched} from {documents} {_plural('document', documents)}"] if passages else []
    name = answer.model.rpartition("#")[2]  # without the address of a server
    model = f"{name} + {answer.adapter}" if answer.adapter else name
    facts.append(f"Model: {clip(model, 100)}")
    if answer.confidence is not None and answer.answerable:
        facts.append(f"Confidence: {answer.confidence:.0%}")
    facts += [CUT] if answer.truncated else []
    words = {"type": "plain_text", "text": " · ".join(facts), "emoji": False}
    return Piece({"type": "context", "elements": [words]})


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _buttons(question_id: int, answer: Answer, *, share: bool = False) -> Piece:
    buttons = [_button(SHOW_RETRIEVED, SHOW_LABEL, question_id)]
    if share and answer.answerable:
        buttons.append(_button(SHARE, SHARE_LABEL, question_id) | {"style": "primary"})
    return Piece({"type": "actions", "elements": buttons})


def _button(action: str, words: str, question_id: int) -> Block:
    shown = {"type": "plain_text", "text": words}
    return {"type": "button", "action_id": action, "text": shown, "value": str(question_id)}


def _feedback(question_id: int) -> Piece:
    def button(words: str, verdict: str, spoken: str) -> Block:
        shown = {"type": "plain_text", "text": words}
        return {"text": shown, "value": f"{verdict}:{question_id}", "accessibility_label": spoken}

    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": button("👍", HELPFUL, "This helped"),
        "negative_button": button("👎", UNHELPFUL, "This didn't help"),
    }
    return Piece({"type": "context_actions", "elements": [buttons]})
