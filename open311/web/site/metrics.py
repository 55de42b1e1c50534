"""/metrics for Prometheus, behind a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from werkzeug.wrappers import Response

from open311 import __version__
from open311.domain.deliveries import MOVING, STOPPED
from open311.domain.photos import PhotoState
from open311.errors import Unavailable
from open311.operations.delivery.watching import Watched
from open311.operations.mailing.watching import MailState
from open311.operations.platform import Platform
from open311.operations.replica import View
from open311.operations.sms.watching import SmsState
from open311.operations.subscriptions.overseeing import count_subscriptions
from open311.operations.upkeep.metering import BOUNDS_S, CallRow
from open311.operations.upkeep.readiness import Background, check_readiness, read_background
from open311.storage.webhooks import Load
from open311.web.access import METRICS_TOKEN
from open311.web.calls import Call
from open311.web.endpoints import City, endpoint
from open311.web.surfaces import METRICS
from schemas.arguments import NoArguments

_LABELS = ("method", "route", "status", "key")


@endpoint(METRICS, "", reads=NoArguments, access=METRICS_TOKEN, city=City.NONE)
def metrics(call: Call) -> Response:
    """Counts and times of calls, background work, database connections and readiness, for Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Collector(call.platform, call.now))
    response = Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    response.headers["Cache-Control"] = "no-store"
    return response


class _Collector(Collector):
    """Reads everything when Prometheus asks."""

    def __init__(self, platform: Platform, now: datetime) -> None:
        self._platform, self._now = platform, now

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield InfoMetricFamily("open311_server", "The release of this server", value={"version": __version__})
        checks = GaugeMetricFamily("open311_check_ok", "1 if a check of /readyz is in order", labels=["check"])
        for check in check_readiness(self._platform, self._now):
            checks.add_metric([check.name], float(check.is_ok))
        yield checks
        calls = self._platform.process.calls
        if calls is not None:
            rows, (in_use, idle) = calls.read()
            yield _calls(rows)
            pool = GaugeMetricFamily(
                "open311_database_connections", "Database connections of all web processes", labels=["state"]
            )
            pool.add_metric(["in use"], in_use)
            pool.add_metric(["idle"], idle)
            yield pool
            yield CounterMetricFamily(
                "open311_lost_photos", "Photos that the media store did not accept", value=calls.lost_photos()
            )
        replica = self._platform.replica
        yield from _replica(None if replica is None else replica.view)
        try:
            found = read_background(self._platform, self._now)
            yield from (*_background(found), *_deliveries(found.backends), _photos(found.photos))
            yield from _subscriptions(count_subscriptions(self._platform))
            yield from _mail(found.mail)
            yield from _sms(found.sms)
        except Unavailable:  # the check "database" says so
            return


def _replica(view: View | None) -> Iterator[Metric]:
    """What this process knows about the replica.

    A value that is not known has no sample. Without a replica, none of these metrics has a sample.
    """
    answers = GaugeMetricFamily("open311_replica_answers", "1 if the replica answers public reads", labels=[])
    down = GaugeMetricFamily("open311_primary_down", "1 if the primary does not answer", labels=[])
    seconds = GaugeMetricFamily("open311_replica_lag_seconds", "How far the replica is behind at most", labels=[])
    missing = GaugeMetricFamily("open311_replica_lag_bytes", "What the replica has not replayed", labels=[])
    if view is not None:
        answers.add_metric([], float(view.may_answer))
        down.add_metric([], float(view.is_primary_down))
        if view.lag_s is not None:
            seconds.add_metric([], view.lag_s)
        if view.lag_bytes is not None:
            missing.add_metric([], view.lag_bytes)
    yield from (answers, down, seconds, missing)


def _calls(rows: Iterable[CallRow]) -> Metric:
    family = HistogramMetricFamily(
        "open311_call_seconds", "Times of calls until their answer begins, by endpoint and key", labels=_LABELS
    )
    for row in rows:
        total, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), row.buckets, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(row.labels, buckets=buckets, sum_value=row.seconds)
    return family


def _background(found: Background) -> Iterator[Metric]:
    jobs, changes = found.jobs, found.changes
    states = GaugeMetricFamily("open311_jobs", "Jobs of the worker that are not done", labels=["state"])
    for state in ("todo", "doing", "failed", "late", "failing"):
        states.add_metric([state], getattr(jobs, state))
    yield states
    yield GaugeMetricFamily("open311_oldest_job_seconds", "Age of the oldest due job", value=jobs.oldest_s)
    waiting = GaugeMetricFamily("open311_changes", "Changes that are not dispatched", labels=["state"])
    waiting.add_metric(["waiting"], changes.waiting)
    waiting.add_metric(["held"], changes.held)
    yield waiting
    yield GaugeMetricFamily("open311_oldest_change_seconds", "Age of the oldest change", value=changes.oldest_s)


def _photos(counts: Mapping[tuple[str, PhotoState], int]) -> Metric:
    family = GaugeMetricFamily(
        "open311_photos", "Photos that wait to be prepared, are held, or were refused", labels=["city", "state"]
    )
    for (city, state), count in counts.items():
        family.add_metric([city, state.value], count)
    return family


def _subscriptions(found: Sequence[Load]) -> Iterator[Metric]:
    labels = ["city", "state"]
    counts = GaugeMetricFamily("open311_subscriptions", "Subscriptions of the holders of keys", labels=labels)
    failing = GaugeMetricFamily(
        "open311_failing_subscriptions", "Subscriptions whose receiver failed at the last try", labels=labels
    )
    waiting = GaugeMetricFamily("open311_notifications", "What subscribers are still to be told", labels=labels)
    oldest = GaugeMetricFamily(
        "open311_oldest_notification_seconds", "Age of the oldest of these notifications", labels=labels
    )
    for one in found:
        place = [one.jurisdiction_id, one.state]
        counts.add_metric(place, one.subscriptions)
        failing.add_metric(place, one.failing)
        waiting.add_metric(place, one.waiting)
        oldest.add_metric(place, one.oldest_s)
    yield from (counts, failing, waiting, oldest)


def _mail(found: MailState) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "open311_mails", "Mails to people that wait or are being sent", labels=["city", "kind", "state"]
    )
    for one in found.waiting:
        waiting.add_metric([one.jurisdiction_id, one.kind.value, one.state.value], one.count)
    ended = GaugeMetricFamily(
        "open311_mails_of_last_day", "Mails to people that ended within a day", labels=["city", "kind", "state"]
    )
    for one in found.ended:
        ended.add_metric([one.jurisdiction_id, one.kind.value, one.state.value], one.count)
    stopped = GaugeMetricFamily(
        "open311_stopped_addresses", "Mail addresses that get no mail", labels=["city", "reason"]
    )
    for place, count in found.stopped.items():
        stopped.add_metric(place, count)
    down = float(found.circuit.is_resting)
    yield from (waiting, ended, stopped)
    yield GaugeMetricFamily("open311_mail_server_down", "1 if the mail server is down", value=down)
    yield GaugeMetricFamily("open311_late_mail_seconds", "For how long a mail is due", value=found.late_s)


def _sms(found: SmsState) -> Iterator[Metric]:
    labels = ["city", "occasion", "state"]
    waiting = GaugeMetricFamily("open311_sms", "Text messages that wait or are being sent", labels=labels)
    for one in found.waiting:
        waiting.add_metric([one.jurisdiction_id, one.kind.value, one.state.value], one.count)
    ended = GaugeMetricFamily("open311_sms_of_last_day", "Text messages that ended within a day", labels=labels)
    for one in found.ended:
        ended.add_metric([one.jurisdiction_id, one.kind.value, one.state.value], one.count)
    yield from (waiting, ended)
    down = float(found.circuit.is_resting)
    yield GaugeMetricFamily("open311_stopped_numbers", "Numbers that get no text messages", value=found.stopped)
    yield GaugeMetricFamily("open311_sms_gateway_down", "1 if the gateway for text messages is down", value=down)
    yield GaugeMetricFamily("open311_late_sms_seconds", "For how long a text message is due", value=found.late_s)


def _deliveries(backends: Sequence[Watched]) -> Iterator[Metric]:
    labels = ["city", "backend"]
    counts = GaugeMetricFamily("open311_deliveries", "Deliveries that have not ended", labels=[*labels, "state"])
    down = GaugeMetricFamily("open311_back_office_down", "1 if a back office is down", labels=labels)
    oldest = GaugeMetricFamily(
        "open311_oldest_delivery_seconds", "Age of the oldest delivery on its way", labels=labels
    )
    quarantined = GaugeMetricFamily(
        "open311_quarantined_updates", "Updates of back offices that wait for a person", labels=labels
    )
    delivered = CounterMetricFamily(
        "open311_delivered", "Deliveries that back offices have accepted", labels=labels
    )
    for one in backends:
        delivered.add_metric(one.place, one.delivered)
        for state in (*MOVING, *STOPPED):
            counts.add_metric([*one.place, state.value], one.states.get(state.value, 0))
        down.add_metric(one.place, float(one.circuit.is_resting))
        oldest.add_metric(one.place, one.oldest_s)
        quarantined.add_metric(one.place, one.quarantined)
    yield from (counts, delivered, down, oldest, quarantined)
