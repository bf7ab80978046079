"""Passwords and tokens: no address and no option may hold one, and what names a setting gets its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from knowledge.sources import SourceError, add_source, edit_source
from knowledge.sources.opening import resolved
from knowledge.sources.origin import Reach, UnreachableError
from knowledge.sources.uri import default_name, refuse_credentials

if TYPE_CHECKING:
    from knowledge.database import Pool


@pytest.mark.parametrize(
    "uri",
    [
        "https://ghp_hunter2@wiki.example.com/docs/",
        "git+https://ghp_hunter2@host/repository.git@main",
        "zip://::https://hunter2@host/a.zip",
        "simplecache::zip::https://host/a.zip?sig=hunter2",
        "https://host/docs/?private_token=hunter2",
        "https://host/docs/?page=1&X-Amz-Signature=hunter2",
        "https://host/docs/?AWSAccessKeyId=hunter2",
        "https://host/docs/?access_key=hunter2",
        "https://host/docs/?api%5Fkey=hunter2",
        "https://host/docs/#access_token=hunter2",
        "az://container/docs?SAS=hunter2",
        "https://user:hun/ter2@host/docs/",
        "ftp://me:hunter2@host/docs",
    ],
)
async def test_whatever_holds_a_credential_is_refused(pool: Pool, uri: str) -> None:
    with pytest.raises(SourceError) as refused:
        await add_source(pool, uri)
    assert "hun" not in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "git+ssh://git@github.com/org/repository.git@main",
        "ssh://git@host/repository.git",
        "git@github.com:org/repository.git",
        "sftp://reader@host/docs",
        "abfs://container@account.dfs.core.windows.net/docs",
        "github://org:kb@main/docs",
        "https://host/docs/?page=1&keyword=monkey#signatures",
    ],
)
def test_a_name_to_log_in_with_is_no_credential(uri: str) -> None:
    refuse_credentials(uri)


def test_a_name_of_a_source_does_not_say_who_logs_in() -> None:
    assert default_name("https://ghp_hunter2@wiki.example.com/docs/") == "wiki.example.com/docs"
    assert default_name("sftp://reader@host") == "host"
    assert default_name("github://org:kb@main") == "org:kb@main"


@pytest.mark.parametrize(
    "options",
    [
        {"account_key": "hunter2"},
        {"sas_token": "hunter2"},
        {"connection_string": "AccountKey=hunter2"},
        {"client_kwargs": {"aws_secret_access_key": "hunter2"}},
        {"client_kwargs": {"headers": {"Authorization": "Bearer hunter2"}}},
        {"targets": [{"privateToken": "hunter2"}]},
        {"proxy": "http://me:hunter2@proxy"},
    ],
)
async def test_an_option_that_is_a_credential_is_refused_however_deep(
    pool: Pool, options: dict[str, Any]
) -> None:
    with pytest.raises(SourceError, match="ALMANAC_SOURCE_SECRETS") as refused:
        await add_source(pool, "s3://bucket/docs", options=options)
    assert "hunter2" not in str(refused.value)


async def test_what_is_no_credential_and_what_names_a_setting_is_taken(pool: Pool) -> None:
    options = {
        "key_filename": "/home/bot/.ssh/id",
        "anon": False,
        "client_kwargs": {"headers": {"Authorization": {"setting": "WIKI"}}, "endpoint_url": "https://host"},
    }
    source = await add_source(pool, "s3://bucket/docs", options=options)
    given = resolved(source, Reach(secrets={"WIKI": "Bearer hunter2"}))
    assert given["client_kwargs"]["headers"] == {"Authorization": "Bearer hunter2"}
    with pytest.raises(UnreachableError, match="has no WIKI"):
        resolved(source, Reach())
    with pytest.raises(SourceError, match="in capitals"):
        await edit_source(pool, "docs", options={"key": {"setting": "hunter2"}})


async def test_a_link_that_everyone_sees_holds_no_credential(pool: Pool) -> None:
    with pytest.raises(SourceError) as refused:
        await add_source(pool, "s3://bucket/docs", link_base="https://hunter2@wiki.example.com")
    assert "hunter2" not in str(refused.value)
