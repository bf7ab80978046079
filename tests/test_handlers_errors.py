from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from grammars.engine.errors import EngineBusy, EngineTimeout, RemoteError
from handlers.client import SlackUnavailableError
from handlers.errors import NOT_INVITED, SENTENCES, UNKNOWN, guarded, hopeless, report, tell


class RefusalError(RemoteError):
    """A kind of error that nobody listed."""


class Client:
    """Keeps what is whispered."""

    def __init__(self) -> None:
        self.whispered: list[dict[str, Any]] = []

    async def chat_postEphemeral(self, **message: Any) -> None:  # noqa: N802 - Slack's own name
        self.whispered.append(message)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (EngineBusy(9), SENTENCES[EngineBusy]),
        (EngineTimeout(30), SENTENCES[EngineTimeout]),
        (RefusalError("http://10.0.0.1 said no"), SENTENCES[RemoteError]),
        (ValueError("password=hunter2"), UNKNOWN),
    ],
)
def test_an_error_is_one_sentence_with_the_reference_that_the_log_has(
    error: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        told = report(error, "Answering")
    assert told.startswith(sentence)
    assert str(error) not in told
    reference = re.search(r"reference (\w{8})", told)
    assert reference is not None
    assert reference.group(1) in caplog.text
    assert str(error) in caplog.text


async def test_the_person_is_told_in_the_thread_where_they_asked() -> None:
    client: Any = Client()
    event = {"user": "U1", "channel": "C1", "ts": "2.0", "thread_ts": "1.0"}
    await tell(ValueError(), {"event": event}, client)
    (message,) = client.whispered
    assert (message["user"], message["channel"], message["thread_ts"]) == ("U1", "C1", "1.0")


async def test_a_button_that_is_not_welcome_says_what_to_do() -> None:
    client: Any = Client()

    async def press(body: dict[str, Any], client: Any) -> None:
        raise SlackApiError("no", {"error": "not_in_channel"})

    body = {"type": "block_actions", "user": {"id": "U1"}, "channel": {"id": "C1"}}
    await guarded(press)(body=body, client=client)
    assert client.whispered[0]["text"] == NOT_INVITED


async def test_a_person_who_cannot_be_told_is_no_second_error(caplog: pytest.LogCaptureFixture) -> None:
    await tell(ValueError("first"), {"event": {"user": "U1", "channel": "C1"}}, None)  # type: ignore[arg-type]  # no client at all
    assert "could not be told" in caplog.text


def test_what_cannot_get_better_is_not_tried_again() -> None:
    assert hopeless(SlackApiError("", {"error": "is_archived"}))
    assert not hopeless(SlackApiError("", {"error": "ratelimited"}))
    assert not hopeless(SlackApiError("", {"error": "internal_error"}))


def test_why_slack_is_not_available_names_the_next_step() -> None:
    assert str(SlackUnavailableError("invalid_auth")).endswith("Run `almanac doctor`.")
