"""files.*: the three steps of an upload, and what became of it."""

from __future__ import annotations

import base64
import mimetypes
import time
from typing import TYPE_CHECKING

from bot.demo.errors import ApiError
from bot.demo.methods.chat import composed
from bot.demo.methods.method import Method, channel_of
from bot.demo.workspace import Json, new_id

if TYPE_CHECKING:
    from bot.demo.slack import Slack

MAX_BYTES = 50_000_000  # kept in memory


def new_file(slack: Slack, name: str, owner: str, content: bytes | None = None) -> Json:
    """Return a file object; its `content` (base64) is the server's own and never sent."""
    file_id = new_id("F")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    address = f"{slack.url}/files/{file_id}/{name}"
    slack.workspace.files[file_id] = {
        "id": file_id,
        "created": int(time.time()),
        "name": name,
        "title": name,
        "mimetype": kind,
        "filetype": name.rpartition(".")[2].lower(),
        "user": owner,
        "size": len(content or b""),
        "mode": "hosted",
        "url_private": address,
        "url_private_download": address,
        "permalink": address,
        "content": base64.b64encode(content).decode() if content is not None else None,
    }
    return slack.workspace.files[file_id]


def public(file: Json) -> Json:
    """Return a file object as the API shows it."""
    return {key: value for key, value in file.items() if key != "content"}


def get_upload_url(slack: Slack, given: Json) -> Json:
    if int(given["length"]) > MAX_BYTES:
        raise ApiError("file_too_large")
    file = new_file(slack, given["filename"], slack.app.user_id)
    return {"file_id": file["id"], "upload_url": f"{slack.url}/upload/{file['id']}"}


def complete_upload(slack: Slack, given: Json) -> Json:
    files = []
    for row in given["files"]:
        file = slack.workspace.files.get(row["id"])
        if file is None or file["content"] is None:
            raise ApiError("file_not_found")
        file["title"] = row.get("title") or file["name"]
        files.append(public(file))
    for name in filter(None, (given.get("channels") or given.get("channel_id") or "").split(",")):
        channel = channel_of(slack, name)
        comment = {
            "text": given.get("initial_comment") or "",
            "thread_ts": given.get("thread_ts"),
            "files": files,
        }
        slack.workspace.post(channel, composed(slack, channel, comment) | {"files": files, "upload": True})
    return {"files": files}


def info(slack: Slack, given: Json) -> Json:
    if given["file"] not in slack.workspace.files:
        raise ApiError("file_not_found")
    return {"file": public(slack.workspace.files[given["file"]])}


METHODS = {
    "files.getUploadURLExternal": Method(get_upload_url, "files:write"),
    "files.completeUploadExternal": Method(complete_upload, "files:write"),
    "files.info": Method(info, "files:read"),
}
