"""`almanac worker`: owns the model, answers what was recorded, and keeps the index up to date."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from bot import administration, records, wiring
from bot.processes.serve import MIGRATION_SECONDS, introduced
from bot.processes.together import until_one_ends
from grammars.embedded.readings import Readings
from handlers.reply import Delivery
from handlers.stale import Marking
from knowledge import administering, reindexing
from knowledge.administering import work_on_administration
from knowledge.jobs import open_jobs, work
from knowledge.reindexing import work_on_sources
from knowledge.stale import stale_quotes
from knowledge.watch import keep_current

if TYPE_CHECKING:
    from bot.config import Settings
    from handlers.extract_services import ExtractText
    from handlers.services import AnswerQuestion
    from knowledge.database import Pool
    from knowledge.serving import Serving

CONCURRENCY = 4  # answers in the making; the engine decodes them together
PAUSE = 1.0  # seconds before a queue that was lost is taken up again

log = logging.getLogger(__name__)


async def run_worker(settings: Settings, *, concurrency: int = CONCURRENCY) -> None:
    """Work until the task is cancelled; a database that went away is waited for.

    Raises:
        SettingsError: there is no bot token.
        SlackUnavailableError: Slack refuses it.
    """
    wiring.slack_client(settings)  # fail before the model is loaded
    size, read = pool_size(concurrency), Readings()
    async with (
        wiring.database(settings, size=size, patience=MIGRATION_SECONDS) as pool,
        wiring.serving(settings, pool, read) as serving,
        wiring.engine(settings, read) as engine,
    ):
        answer = wiring.answerer(settings, pool, serving, engine)
        extract = wiring.extractor(pool, serving.own, engine)
        await answer_questions(
            settings, pool, answer, extract=extract, serving=serving, concurrency=concurrency
        )


async def answer_questions(
    settings: Settings,
    pool: Pool,
    answer: AnswerQuestion,
    *,
    extract: ExtractText | None = None,
    serving: Serving | None = None,
    concurrency: int = CONCURRENCY,
) -> None:
    """Take jobs from the queue and bring each question's thread up to date, until cancelled.

    With something that extracts, records are read, posted and delivered as well; with an embedder, sources
    are watched, their schedules kept, their runs carried out, and administrators served.
    """
    client = wiring.slack_client(settings)
    identity = await introduced(client)
    log.info("Answering as %s with %s", identity.user, settings.almanac_model)
    while True:
        async with open_jobs(pool) as jobs:
            services = wiring.services(pool, jobs, answer)
            delivery = Delivery(client, services, identity.bot_user_id or "")
            marking = Marking(client, services, partial(stale_quotes, pool))
            duties = [work(jobs, delivery.settle, concurrency=concurrency, mark=marking.mark)]
            if extract:
                may = records.record_services(settings, pool, jobs, extract)
                me = identity.bot_user_id or ""
                duties.append(records.work_on_records(pool, jobs, client, me, may))
            if serving:
                duties.append(work_on_sources(jobs, pool, serving, wiring.reach(settings)))
                duties.append(keep_current(pool, jobs))
                may_do = administration.kb_services(settings, pool, jobs)
                found = administration.worker_duties(client, services, may_do, pool, serving)
                duties.append(work_on_administration(jobs, found))
            await until_one_ends(*duties)
        log.warning("The job queue was lost; taking it up again.")
        await asyncio.sleep(PAUSE)


def pool_size(concurrency: int) -> int:
    """Return how many connections a worker needs: for questions, records, runs, queues and the watch."""
    runs = (reindexing.CONCURRENCY + 1) * reindexing.CONNECTIONS  # and for a new index
    return 2 * concurrency + records.CONNECTIONS + administering.CONNECTIONS + runs + 5
