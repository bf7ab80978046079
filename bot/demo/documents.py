"""The document viewer: a stored document's text, with the quoted characters marked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path

from aiohttp import web

Documents = Callable[[str], Awaitable[str | None]]
"""Returns a document's stored text by what a link names: its path, or its URI; None where there is none."""

TEMPLATE = Path(__file__).parent / "static" / "document.html"
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
NO_DOCUMENT = "No document named {} is indexed."


def documents_routes(documents: Documents | None) -> list[web.RouteDef]:
    """Return the viewer's routes: `/documents/PATH#START-END` and `/documents?uri=URI#START-END`.

    START and END are character offsets (code points) in the stored text; the fragment stays in the browser,
    which marks the range and scrolls to it.
    """

    async def show(request: web.Request) -> web.Response:
        name = request.query.get("uri") or request.match_info.get("path", "")
        text = await documents(name) if documents else None
        if text is None:
            return web.Response(status=404, text=NO_DOCUMENT.format(name))
        page = TEMPLATE.read_text("utf-8").replace("{{name}}", escape(name)).replace("{{text}}", escape(text))
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    return [web.get("/documents", show), web.get("/documents/{path:.+}", show)]
