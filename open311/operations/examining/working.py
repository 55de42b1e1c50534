"""The checks of `open311 doctor` about the work in the background.

It checks the queue, back offices, receivers, mail, text messages, the media store, and neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from open311.domain.mails import MailState
from open311.domain.notices import commands_for, in_words
from open311.domain.remotes import PULL_EVERY, Remote
from open311.media.stores import StoreUnavailable
from open311.operations.delivery.watching import Watched, watch_backends
from open311.operations.examining.findings import Finding, Trouble, fault, findings, warning
from open311.operations.mailing.watching import mail_fault
from open311.operations.media.files import is_own_store
from open311.operations.platform import Platform
from open311.operations.sms.watching import setup_faults, sms_fault
from open311.operations.upkeep.readiness import LATE_S
from open311.storage import health, mails, media_files, remotes, sms, webhooks
from open311.storage.engine import Connection
from open311.storage.outbox import backlog
from open311.storage.queue import count_jobs
from schemas.values import format_instant

ALIVE_S = 40.0
"""If the last sign of life of any worker is older, no worker is running. Workers give one every ten seconds."""
BOUNCED_WITHIN = timedelta(days=7)
FAILED_WITHIN = timedelta(days=1)
FAILING_FOR = timedelta(hours=1)
LATE_PULLS = 6
_WORKER = "open311 worker"
_MAIL = "open311 mail status"
_SMS = "open311 sms status"


def check_queue(connection: Connection) -> Iterator[Finding]:
    """A worker that does not run, jobs that are stuck or fail, changes that are not dispatched."""
    return findings("queue", "a worker is alive, and nothing waits for long", _queue(connection))


def _queue(connection: Connection) -> Iterator[Trouble]:
    alive_s = health.heartbeat_s(connection)
    if alive_s is None or alive_s > ALIVE_S:
        since = "no worker runs" if alive_s is None else f"no worker has given a sign of life for {alive_s:.0f} s"
        yield fault(since, _WORKER)
    jobs, waiting = count_jobs(connection, LATE_S), backlog(connection)
    if jobs.late:
        yield fault(f"stuck jobs: {jobs.late}; the oldest has waited for {jobs.oldest_s:.0f} s", _WORKER)
    if jobs.failing:
        yield warning(
            f"jobs that fail again and again: {', '.join(jobs.failing_tasks)}", "journalctl --unit open311-worker"
        )
    if waiting.oldest_s >= LATE_S:
        count = waiting.waiting + waiting.held
        yield fault(
            f"changes that are not dispatched: {count}; the oldest has waited for {waiting.oldest_s:.0f} s", _WORKER
        )
    elif waiting.held:
        yield warning(
            f"changes that failed and wait for another try: {waiting.held}", "journalctl --unit open311-worker"
        )


def check_back_offices(connection: Connection, platform: Platform, now: datetime) -> Iterator[Finding]:
    """Back offices that are down, deliveries that are late or wait for a person."""
    watched = watch_backends(connection, platform, now)
    troubles = (trouble for one in watched for trouble in _back_office(one))
    return findings("back offices", f"{len(watched)} in order", troubles)


def _back_office(one: Watched) -> Iterator[Trouble]:
    city, backend = one.place
    name = f"{backend} of {city}"
    if one.circuit.is_resting and one.circuit.failing_since is not None:
        since = format_instant(one.circuit.failing_since)
        yield fault(f"{name} is down since {since}", f"open311 deliveries test {backend} --jurisdiction {city}")
    if one.is_late:
        yield fault(f"no worker tries the deliveries to {name}", _WORKER)
    if one.is_gone and one.moving:
        yield warning(
            f"deliveries that wait for {name}, which is not a back end any more: {one.moving}",
            "open311 deliveries list",
        )
    for kind, count in one.stopped.items():
        (command,) = commands_for({kind: count})
        yield warning(f"{name}: {in_words({kind: count})}", command.strip("`"))


def check_receivers(connection: Connection, now: datetime) -> Iterator[Finding]:
    """Receivers of webhooks that fail or were disabled."""
    return findings("webhooks", "no receiver fails or is disabled", _receivers(connection, now))


def _receivers(connection: Connection, now: datetime) -> Iterator[Trouble]:
    for city, counts in webhooks.dead(connection, now - FAILING_FOR).items():
        shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        yield warning(
            f"receivers of subscriptions of {city}: {shown}", f"open311 subscriptions list --jurisdiction {city}"
        )


def check_mail(connection: Connection, platform: Platform, now: datetime) -> Iterator[Finding]:
    """A mail server that is down, mail that is late, fails or comes back."""
    return findings("mail", "in order", _mail(connection, platform, now))


def _mail(connection: Connection, platform: Platform, now: datetime) -> Iterator[Trouble]:
    if trouble := mail_fault(connection, platform.settings, now):
        yield fault(trouble.partition("; ")[0], _MAIL)
    ended = mails.QUEUE.count_ended(connection, now - FAILED_WITHIN)
    failed = sum(one.count for one in ended if one.state is MailState.FAILED)
    if failed:
        yield warning(f"mails that failed for good within the last day: {failed}", _MAIL)
    for city, count in mails.count_bounced(connection, now - BOUNCED_WITHIN).items():
        yield warning(f"addresses of {city} whose mail came back within the last week: {count}", _MAIL)


def check_sms(connection: Connection, platform: Platform, now: datetime) -> Iterator[Finding]:
    """What is missing for text messages, a gateway that is down, and messages that are late or fail."""
    return findings("sms", "in order", _sms(connection, platform, now))


def _sms(connection: Connection, platform: Platform, now: datetime) -> Iterator[Trouble]:
    for city, trouble in setup_faults(platform):
        yield fault(f"{city}: {trouble}", _SMS)
    if trouble := sms_fault(connection, platform, now):
        yield fault(trouble.partition("; ")[0], _SMS)
    ended = sms.QUEUE.count_ended(connection, now - FAILED_WITHIN)
    if failed := sum(one.count for one in ended if one.state is MailState.FAILED):
        yield warning(f"text messages that failed for good within the last day: {failed}", _SMS)


def check_media(platform: Platform, connection: Connection) -> Iterator[Finding]:
    """A media store that belongs to another database, or that cannot be read."""
    return findings("media", "the store is that of this database", _media(platform, connection))


def _media(platform: Platform, connection: Connection) -> Iterator[Trouble]:
    known = media_files.find_store(connection)
    if known is None or known.marked_at is None:
        return
    try:
        if not is_own_store(platform, known.marker):
            yield fault("OPEN311_MEDIA is not where the photos of this database are", "open311 media check")
    except StoreUnavailable:
        yield fault("the media store cannot be read", "open311 media check")


def check_neighbours(connection: Connection, platform: Platform, now: datetime) -> Iterator[Finding]:
    """Neighbours whose requests cannot be read or have not been read for a long time."""
    found = [one for one in remotes.load_all(connection) if platform.registry.get(one.jurisdiction_id) is not None]
    troubles = (trouble for one in found if one.pulls for trouble in _neighbour(connection, one, now))
    return findings("neighbours", f"{len(found)} in order", troubles)


def _neighbour(connection: Connection, one: Remote, now: datetime) -> Iterator[Trouble]:
    name, city = one.name, one.jurisdiction_id
    state = remotes.load_pull(connection, (city, name))
    if state.failures:
        yield warning(
            f"the requests of {name} of {city} could not be read {state.failures} times in a row",
            f"open311 federate status {name} --jurisdiction {city}",
        )
    elif state.due_at is not None and now - state.due_at > LATE_PULLS * PULL_EVERY:
        yield fault(f"the requests of {name} of {city} are due since {format_instant(state.due_at)}", _WORKER)
