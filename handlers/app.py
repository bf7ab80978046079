"""The Slack app: one module a feature, joined here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers import (
    ask,
    audience,
    direct_message,
    edits,
    errors,
    extract,
    extract_edit,
    extract_schemas,
    feedback,
    home,
    kb,
    mention,
    retrieved,
    stale,
    thread,
    triage,
)
from handlers.audience import Audiences
from handlers.client import authorizing

if TYPE_CHECKING:
    from handlers.extract_services import ExtractServices
    from handlers.kb_services import KbServices
    from handlers.services import Services

FEATURES = (mention, direct_message, edits, thread, feedback, stale, audience)
SHOWING = (ask, retrieved)  # what there is, to whoever may read it

RECORDS = (extract_edit, extract_schemas, triage)


def build_app(
    services: Services,
    client: AsyncWebClient,
    *,
    records: ExtractServices | None = None,
    administration: KbServices | None = None,
    signing_secret: str | None = None,
) -> AsyncApp:
    """Return the app; its listeners have recorded what there is to do when Slack gets its acknowledgement.

    Args:
        services: What the listeners may do.
        client: With the bot token (`handlers.client.build_client`).
        records: What the listeners of `/extract` may do; None leaves them out.
        administration: What the listeners of `/kb` may do; None leaves them out.
        signing_secret: Of HTTP mode; Socket Mode needs none.
    """
    app = AsyncApp(
        name="almanac",
        client=AsyncWebClient(
            base_url=client.base_url, timeout=client.timeout, retry_handlers=client.retry_handlers
        ),
        authorize=authorizing(client),
        signing_secret=signing_secret or "",
        process_before_response=True,
    )
    for feature in FEATURES:
        feature.join(app, services)
    audiences = Audiences(client, services.reading)
    for showing in SHOWING:
        showing.join(app, services, audiences)
    home.join(app, services, audiences, administration)
    if administration:
        kb.join(app, administration, audiences)
    if records:
        extract.join(app, records, audiences)
        for record_feature in RECORDS:
            record_feature.join(app, records)
    errors.join(app)
    app.event(re.compile(".*"))(ignore)
    return app


async def ignore() -> None:
    """Acknowledge what concerns no feature: else Slack would deliver it again."""
