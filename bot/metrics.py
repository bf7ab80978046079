"""What Prometheus reads: the counts and latencies that the database holds, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from knowledge.health import BUCKETS, Activity, Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric


def metrics_text(health: Health, activity: Activity) -> bytes:
    """Return both in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(health, activity))
    return generate_latest(registry)


class _Snapshot(Collector):
    """One scrape's numbers; made anew for each, so that nothing is kept between two."""

    def __init__(self, health: Health, activity: Activity) -> None:
        self._health = health
        self._activity = activity

    def collect(self) -> Iterator[Metric]:
        yield from _gauges(self._health)
        yield from _counters(self._activity)
        yield _latencies(self._activity)


def _gauges(health: Health) -> Iterator[Metric]:
    yield GaugeMetricFamily("almanac_sources", "Sources that are indexed.", value=health.sources)
    yield GaugeMetricFamily("almanac_documents", "Documents in the index.", value=health.documents)
    yield GaugeMetricFamily(
        "almanac_documents_failed", "Documents that could not be read.", value=health.failed_documents
    )
    yield GaugeMetricFamily("almanac_passages", "Passages in the index.", value=health.passages)
    yield GaugeMetricFamily("almanac_workers", "Workers that give signs of life.", value=health.workers)
    yield GaugeMetricFamily(
        "almanac_questions_waiting", "Questions whose thread is not up to date.", value=health.waiting
    )
    yield GaugeMetricFamily(
        "almanac_questions_waiting_seconds", "Age of the oldest of them.", value=health.oldest_waiting
    )
    if health.heartbeat_age is not None:
        yield GaugeMetricFamily(
            "almanac_worker_heartbeat_seconds", "Age of the latest sign of life.", value=health.heartbeat_age
        )


def _counters(activity: Activity) -> Iterator[Metric]:
    questions = CounterMetricFamily("almanac_questions", "Questions, by how they came.", labels=["surface"])
    for surface, count in activity.questions.items():
        questions.add_metric([surface], count)
    answers = CounterMetricFamily(
        "almanac_answers", "Answers, by whether there was one.", labels=["answerable"]
    )
    for answerable, count in activity.answers.items():
        answers.add_metric([str(answerable).lower()], count)
    feedback = CounterMetricFamily("almanac_feedback", "Verdicts of people on answers.", labels=["helpful"])
    for helpful, count in activity.feedback.items():
        feedback.add_metric([str(helpful).lower()], count)
    yield from (questions, answers, feedback)


def _latencies(activity: Activity) -> Metric:
    seconds = HistogramMetricFamily("almanac_answer_seconds", "How long an answer took.", labels=["stage"])
    for latency in activity.latencies:
        buckets = [(str(bound), count) for bound, count in zip(BUCKETS, latency.buckets, strict=True)]
        seconds.add_metric([latency.stage], [*buckets, ("+Inf", latency.count)], latency.seconds)
    return seconds
