"""Tells the operator about trouble with back offices, receivers, the mail server and the SMS gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from open311.domain.deliveries import wait_after
from open311.domain.notices import (
    CONNECTION,
    MAIL_SERVER,
    RECEIVERS,
    SMS_GATEWAY,
    Notice,
    NoticeKind,
    connection_notice,
    stopped_notice,
)
from open311.federation.mail import Mailer
from open311.federation.notifying import ByMail, ByWebhook, Message, Notifier
from open311.observe import logger
from open311.operations.delivery.watching import Watched, watch_backends
from open311.operations.platform import Platform
from open311.outgoing import SmtpServer, read_mailbox
from open311.settings import Settings
from open311.storage import deliveries, notices, webhooks
from open311.storage.engine import Connection
from schemas.values import format_instant

log = logger(__name__)

MOST = 50
"""How many notices one message has at most."""
LEASE = timedelta(minutes=10)
"""If a worker dies while it sends a notice, another worker sends the notice again after this time."""


def tell_operator(platform: Platform, now: datetime) -> int:
    """Find out what the operator does not know yet, and send what is due by mail and webhook.

    Returns the number of notices sent; 0 if one of the notifiers has failed. Does nothing if the settings name no
    recipient. Raises Unavailable.
    """
    notifiers = notifiers_of(platform.settings)
    if not notifiers:
        return 0
    with platform.database.transaction() as connection:
        if not notices.try_lock(connection):
            return 0
        _note(platform, connection, now)
        due = notices.due(connection, now, MOST)
        for one in due:
            notices.save(connection, replace(one, due_at=now + LEASE))
    return _send(platform, due, notifiers, now) if due else 0


def notifiers_of(settings: Settings) -> dict[str, Notifier]:
    """The notifiers, by their names in `operator_notice`."""
    notifiers: dict[str, Notifier] = {}
    if settings.operator_mail:
        mailer = Mailer(SmtpServer.from_url(settings.smtp_url), read_mailbox(settings.mail_from))
        notifiers["mail"] = ByMail(mailer, read_mailbox(settings.operator_mail))
    if settings.operator_webhook:
        secrets = settings.operator_webhook_secrets
        notifiers["webhook"] = ByWebhook(settings.operator_webhook, secrets, settings.proxy)
    return notifiers


# --- What is new


def _note(platform: Platform, connection: Connection, now: datetime) -> None:
    """Store a notice about everything that is new."""
    after = timedelta(seconds=platform.settings.back_office_down_after_s)
    by_hand = deliveries.count_parked_by_hand(connection)
    for one in watch_backends(connection, platform, now):
        last = notices.last(connection, one.place, CONNECTION)
        _add(connection, connection_notice(one.place, one.circuit, last, now, after=after), CONNECTION)
        _note_stopped(connection, one, by_hand.get(one.place, 0), now)
    _note_receivers(connection, now, now - after)
    for place in (MAIL_SERVER, SMS_GATEWAY):
        last = notices.last(connection, place, CONNECTION)
        circuit = deliveries.load_circuit(connection, place, is_locked=False)
        _add(connection, connection_notice(place, circuit, last, now, after=after), CONNECTION)


def _note_receivers(connection: Connection, now: datetime, failing_since: datetime) -> None:
    """Store a notice for each city about receivers that have failed for a long time or were given up."""
    dead = webhooks.dead(connection, failing_since)
    known = notices.places(connection, RECEIVERS)
    for city in sorted({*dead, *known}):
        _note_waiting(connection, (city, RECEIVERS), dead.get(city, {}), now)


def _note_stopped(connection: Connection, one: Watched, by_hand: int, now: datetime) -> None:
    """Store a notice about what waits for a person, apart from what a person has parked."""
    stopped = one.stopped
    stopped["parked"] = max(0, stopped.get("parked", 0) - by_hand)
    _note_waiting(connection, one.place, stopped, now)


def _note_waiting(connection: Connection, place: tuple[str, str], counts: Mapping[str, int], now: datetime) -> None:
    stopped = {name: count for name, count in counts.items() if count}
    last = notices.last(connection, place, (NoticeKind.STOPPED,))
    _add(connection, stopped_notice(place, stopped, last, now), (NoticeKind.STOPPED,))
    total = sum(stopped.values())
    if last is not None and total < last.known:
        # A person has decided about some deliveries. Store the lower number, so that more of them are news again.
        notices.save(connection, replace(last, known=total))


def _add(connection: Connection, new: Notice | None, kinds: Sequence[NoticeKind]) -> None:
    if new is not None:
        notices.supersede(connection, (new.jurisdiction_id, new.backend), kinds, new.created_at)
        notices.add(connection, new)


# --- Sending


def _send(platform: Platform, due: Sequence[Notice], notifiers: Mapping[str, Notifier], now: datetime) -> int:
    """Send notices by each notifier that has not sent them yet. No transaction is open meanwhile."""
    faults: dict[str, str] = {}
    for name, notifier in notifiers.items():
        new = [one for one in due if name not in one.sent_by]
        fault = notifier.send(_message(new), now=now) if new else ""
        if fault:
            faults[name] = fault
            log.error("the operator could not be told", notifier=name, cause=fault, notices=len(new))
    with platform.database.transaction() as connection:
        for one in due:
            notices.save(connection, _settled(one, notifiers, faults, now))
    return 0 if faults else len(due)


def _settled(one: Notice, notifiers: Mapping[str, Notifier], faults: Mapping[str, str], now: datetime) -> Notice:
    sent_by = tuple(name for name in notifiers if name in one.sent_by or name not in faults)
    if len(sent_by) == len(notifiers):
        return replace(one, sent_by=sent_by, sent_at=now, due_at=now, cause="")
    attempts = one.attempts + 1
    due_at = now + timedelta(seconds=max(60.0, wait_after(attempts, 0.5)))
    cause = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
    return replace(one, sent_by=sent_by, due_at=due_at, attempts=attempts, cause=cause)


def _message(found: Sequence[Notice]) -> Message:
    ids = sorted(one.id for one in found)
    return Message(
        id=f"open311-notices-{ids[0]}-{ids[-1]}-{len(ids)}",
        lines=[one.text for one in found],
        data=[_plain(one) for one in found],
    )


def _plain(one: Notice) -> dict[str, object]:
    return {
        "id": one.id,
        "jurisdiction_id": one.jurisdiction_id,
        "backend": one.backend,
        "kind": one.kind.value,
        "text": one.text,
        "at": format_instant(one.created_at),
    }
