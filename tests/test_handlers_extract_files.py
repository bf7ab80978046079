"""The bot's token goes to Slack's own servers, and nowhere else."""

from __future__ import annotations

from uuid import uuid4

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from grammars.extraction.record import ExtractionError
from handlers.extract_files import files_of, with_files
from knowledge.drafts import Draft


async def parse(data: bytes, name: str) -> str:
    return data.decode()


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/files-pri/x",
        "http://files.slack.com/x",
        "https://files.slack.com.evil.example/x",
        "https://files.slack.com:444/x",
        "https://files.slack.com@evil.example/x",
        "file:///etc/passwd",
        "http://127.0.0.1:9/x",
    ],
)
async def test_a_file_that_lies_elsewhere_is_not_fetched(url: str) -> None:
    client = AsyncWebClient(token="xoxb-1", base_url="https://slack.com/api/")
    draft = Draft(uuid4(), "T", "C", "U", files=({"name": "a.txt", "url": url},))
    with pytest.raises(ExtractionError, match=r"a\.txt does not lie with Slack"):
        await with_files(client, draft, parse)


def test_a_message_has_at_most_five_files_that_count() -> None:
    files = [{"name": f"{n}.txt", "url_private": "https://files.slack.com/x"} for n in range(9)]
    assert len(files_of({"files": [{"name": "gone"}, *files]})) == 5
    assert files_of({}) == ()
