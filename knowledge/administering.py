"""The jobs of the administration, which only a worker can do: searching, and showing how far runs are.

None of them lasts: who follows runs looks at them once, and has the next look deferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knowledge.jobs import Backoff, run_queue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from procrastinate import App

    # Carries out one job; its arguments are those that it was deferred with.
    Duty = Callable[..., Awaitable[None]]

ADMINISTRATION = "administration"
SEARCH, FOLLOW = "kb_search", "kb_follow"
CONCURRENCY = 4
CONNECTIONS = CONCURRENCY + 2  # that the queue may need
PATIENCE = 1.0  # seconds that a stopping worker gives a job, which goes on elsewhere


async def defer(jobs: App, task: str, *, seconds: float = 0, **arguments: Any) -> None:
    """Have a worker carry out a task, some seconds from now."""
    later = jobs.configure_task(
        task, queue=ADMINISTRATION, schedule_in={"seconds": seconds} if seconds else None
    )
    await later.defer_async(**arguments)


async def work_on_administration(jobs: App, duties: Mapping[str, Duty]) -> None:
    """Carry out jobs until cancelled; it returns only where the queue was lost."""
    for name, duty in duties.items():
        jobs.task(name=name, queue=ADMINISTRATION, retry=Backoff())(duty)
    await run_queue(jobs, ADMINISTRATION, concurrency=CONCURRENCY, patience=PATIENCE)
