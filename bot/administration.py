"""The parts of `/kb`, put together: what its listeners may do, and what the worker does for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from procrastinate import App
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.config import Settings
    from handlers.audience import Audiences
    from handlers.kb_services import KbServices, Search
    from handlers.services import Services
    from knowledge.administering import Duty
    from knowledge.answers import Retrieved
    from knowledge.audience import Audience
    from knowledge.database import Pool
    from knowledge.embed import Embedder
    from knowledge.runs import Run
    from knowledge.serving import Serving


def kb_services(settings: Settings, pool: Pool, jobs: App) -> KbServices:
    """Return what `/kb` may do."""
    from handlers.kb_services import KbServices
    from knowledge import administering, calls, runs, sources, status
    from knowledge.changes import changes_since
    from knowledge.jobs import Marker
    from knowledge.reindexing import request_reindex
    from knowledge.sources.schedule import check_schedule

    return KbServices(
        admins=frozenset(settings.almanac_admins),
        folders=settings.almanac_folders,
        record_call=partial(calls.record_call, pool),
        status=partial(status.status, pool),
        sources=partial(sources.list_sources, pool),
        find_source=partial(sources.find_source, pool),
        add_source=partial(sources.add_source, pool),
        edit_source=partial(sources.edit_source, pool),
        remove_source=partial(sources.remove_source, pool, defer=Marker(jobs)),
        check_schedule=check_schedule,
        reindex=partial(request_reindex, pool, jobs, cause="slack"),
        find_runs=_find_runs(pool),
        cancel_run=partial(runs.cancel_run, pool),
        changes=partial(changes_since, pool),
        defer=partial(administering.defer, jobs),
    )


def _find_runs(pool: Pool) -> Callable[[Sequence[int]], Awaitable[Sequence[Run]]]:
    from knowledge.runs import find_run

    async def find_runs(numbers: Sequence[int]) -> Sequence[Run]:
        async with pool.connection() as connection:
            found = [await find_run(connection, number) for number in numbers]
        return [run for run in found if run is not None]

    return find_runs


def kb_duties(
    client: AsyncWebClient,
    services: Services,
    audiences: Audiences,
    kb: KbServices,
    search: Search,
) -> Mapping[str, Duty]:
    """Return what carries out each job of the administration, by the task's name."""
    from handlers.kb_progress import Following
    from handlers.kb_search import Searching
    from knowledge.administering import FOLLOW, SEARCH

    searching, following = Searching(services, audiences, search), Following(client, kb)
    return {SEARCH: searching.run, FOLLOW: following.run}


def worker_duties(
    client: AsyncWebClient, services: Services, kb: KbServices, pool: Pool, serving: Serving
) -> Mapping[str, Duty]:
    """Return the duties of a worker that has an embedder."""
    from handlers.audience import Audiences
    from knowledge.search import search

    async def search_now(question: str, *, audience: Audience) -> Sequence[Retrieved]:
        async def search_with(embedder: Embedder) -> Sequence[Retrieved]:
            return await search(pool, embedder, question, audience=audience)

        return await serving.use(search_with)

    return kb_duties(client, services, Audiences(client, services.reading), kb, search_now)
