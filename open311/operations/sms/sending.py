"""Send the text messages that wait, one after the other.

A transaction claims a message with a lease. No transaction is open while the gateway is called. If the worker dies
meanwhile, the message is sent again after the lease, under the same id.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from open311.domain.events import Suspected, VisibilityChanged
from open311.domain.mails import (
    PAUSE,
    TAKEN,
    MailState,
    Tried,
    given_up,
    postponed,
    settled,
    skipped,
    too_old,
    unserved,
)
from open311.domain.notices import SMS_GATEWAY
from open311.domain.people import number_for_sms, phone_digits
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.results import Accepted, Rejected, Result, Retry, sound
from open311.domain.sms import LEASE, QueuedSms, SmsOccasion, digest_of_number, end_of_quiet, webhook_id
from open311.errors import Misconfigured, NotFound
from open311.observe import logger
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.sms.composing import message_text
from open311.operations.sms.rules import can_text, sender_for
from open311.plugins import Jurisdiction
from open311.plugins.sms import Sms
from open311.storage import deliveries, history, mails, requests, sms
from open311.storage.engine import Connection

log = logger(__name__)

_DAY = timedelta(days=1)
_LEAST_DIGITS = 6
"""A cause with this many of the last digits of the number is not kept."""
_RELEASED = (Visibility.PUBLIC, Visibility.PRIVATE, Visibility.UNLISTED)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that is composed. `lease`: when the claim ends."""

    queued: QueuedSms
    lease: datetime
    city: Jurisdiction
    message: Sms


def send_all(platform: Platform, clock: Callable[[], datetime]) -> int:
    """Send all messages that are due, and return how many were handled."""
    done = 0
    while send_next(platform, clock):
        done += 1
    return done


def send_next(platform: Platform, clock: Callable[[], datetime]) -> bool:
    """Handle the next message that is due. Returns False if there is none, or if no message can be sent now."""
    if not can_text(platform.settings):
        return False
    now = clock()
    with platform.database.transaction() as connection:
        circuit = deliveries.load_circuit(connection, SMS_GATEWAY, is_locked=False)
        if circuit.rests_until is not None and now < circuit.rests_until:
            return False
        queued = sms.QUEUE.claim(connection, now)
        if queued is None:
            return False
        ready = _prepared(platform, connection, queued, now)
    if ready is not None:
        _settle(platform, ready, _sent(platform, ready, now), clock())
    return True


# --- Claim and compose


def _prepared(platform: Platform, connection: Connection, queued: QueuedSms, now: datetime) -> _Ready | None:
    """Claim a message and compose it; None if it is not sent now."""
    if queued.state is MailState.SENDING:
        queued = replace(queued, attempts=queued.attempts + 1, cause="the worker ended while it was sending")
    try:
        city = platform.registry.find(queued.jurisdiction_id)
    except NotFound:
        sms.QUEUE.save(connection, unserved(queued, now))
        return None
    if not city.sms.kind:
        sms.QUEUE.save(connection, skipped(queued, "the city sends no text messages any more", now))
        return None
    if too_old(queued, now):
        sms.QUEUE.save(connection, given_up(queued, now))
        return None
    if until := end_of_quiet(city.sms.quiet, now.astimezone(city.zone)):
        sms.QUEUE.save(connection, postponed(queued, until, "the city sends none at this hour"))
        return None
    found = _composed(platform, connection, city, queued, now)
    if isinstance(found, QueuedSms):
        sms.QUEUE.save(connection, found)
        return None
    sms.QUEUE.save(connection, found.queued)
    return found


def _composed(
    platform: Platform, connection: Connection, city: Jurisdiction, queued: QueuedSms, now: datetime
) -> _Ready | QueuedSms:
    """The message that is ready to be sent, or the state of one that is not sent now."""
    phone, language = sms.reporter_of(connection, city.id, queued.number)
    if not phone:
        return skipped(queued, "the reporter is erased", now)
    number = number_for_sms(phone, city.privacy.phone_region, abroad=city.sms.abroad)
    if not number:
        return skipped(queued, "no message can be sent to the number", now)
    mails.lock_key(connection)  # so that two workers do not both send the last message below a limit
    key = mails.make_key(connection)
    recipient = digest_of_number(key, number)
    if sms.is_stopped(connection, recipient):
        return skipped(queued, "the owner of the number wants no messages", now)
    if why := _limit(connection, city, queued, recipient, now):
        if queued.occasion is SmsOccasion.RECEIVED and queued.recipient is None:
            return skipped(queued, why, now)
        return postponed(queued, now + PAUSE, why)
    record = requests.load_record(connection, city.id, number=queued.number, is_locked=False)
    if record is None or _is_suspected(connection, city, record):
        return skipped(queued, "the request is gone or not released", now)
    is_first = not sms.has_sent(connection, city.id, queued.number)
    if queued.occasion is SmsOccasion.RECEIVED and not is_first:
        return skipped(queued, "the reporter has got a message about the report already", now)
    own = platform.settings.public_url.rstrip("/")
    text = message_text(
        city,
        names_for(connection, city),
        record,
        queued.occasion,
        language=language,
        own=own,
        is_first=is_first,
    )
    if not text:
        return skipped(queued, "there is nothing to tell", now)
    lease = now + LEASE
    claimed = replace(queued, state=MailState.SENDING, recipient=recipient, due_at=lease)
    message = Sms(
        id=webhook_id(key, queued),
        to=number,
        text=text,
        language=language,
        service_request_id=record.service_request_id,
    )
    return _Ready(claimed, lease, city, message)


def _limit(connection: Connection, city: Jurisdiction, queued: QueuedSms, recipient: bytes, now: datetime) -> str:
    """The limit that a message exceeds; "" for none. A message that may have been sent before exceeds none."""
    if queued.state is MailState.SENDING:
        return ""
    rules, since = city.sms, now - _DAY
    if sms.count_sent(connection, city.id, since, rules.per_number, recipient=recipient) >= rules.per_number:
        return "the number has got many messages today"
    if sms.count_sent(connection, city.id, since, rules.per_city) >= rules.per_city:
        return "the city has sent many messages today"
    return ""


def _is_suspected(connection: Connection, city: Jurisdiction, record: RequestRecord) -> bool:
    """Whether a report broke a rule against abuse and was not released. Its phone number may belong to a victim."""
    if record.visibility not in (Visibility.HELD, Visibility.WITHDRAWN):
        return False
    events = history.load_events(connection, city.id, record.number)
    first = events[0].version  # later events `Suspected` are about updates
    is_suspected = any(isinstance(one, Suspected) and one.version == first for one in events)
    return is_suspected and not any(isinstance(one, VisibilityChanged) and one.new in _RELEASED for one in events)


# --- Send and settle


def _sent(platform: Platform, ready: _Ready, now: datetime) -> Result:
    """Hand a message to the sender of its city. One that may have arrived is sent again, under the same id."""
    try:
        sender = sender_for(platform.settings, ready.city)
    except Misconfigured as error:
        return Retry(cause=str(error))
    try:
        result = sound(sender.send(ready.message, now=now))
    except Exception as error:  # a plugin may raise anything, and the text of the error may have the number
        log.error("a sender of text messages raised an exception", city=ready.city.id, error=type(error).__name__)
        return Retry(cause=f"the sender raised {type(error).__name__}", is_uncertain=True, is_down=False)
    finally:
        sender.close()
    if not isinstance(result, Accepted | Rejected | Retry):
        return Retry(cause="the sender gave a result that no message can have", is_uncertain=True, is_down=False)
    return result


def _tried(result: Result, number: str) -> Tried:
    """What a result means for the message. No cause with a part of the number is kept."""
    if isinstance(result, Accepted):
        return TAKEN
    is_final = isinstance(result, Rejected)
    told = result.reason if isinstance(result, Rejected) else getattr(result, "cause", "")
    digits = phone_digits(number)[-_LEAST_DIGITS:]
    cause = "the gateway did not take it" if not told or digits in phone_digits(told) else told
    return Tried(cause, is_final=is_final, is_down=isinstance(result, Retry) and result.is_down)


def _settle(platform: Platform, ready: _Ready, result: Result, now: datetime) -> None:
    """Store what became of a message. A worker whose lease has ended does not change the message."""
    queued, city = ready.queued, ready.city
    chance = random.random()  # noqa: S311  # it spreads waits
    tried = _tried(result, ready.message.to)
    after = settled(queued, tried, now, chance=chance)
    if isinstance(result, Retry):
        result = replace(result, cause=tried.cause)
        if after.state is MailState.WAITING and result.after_s:
            after = replace(after, due_at=max(after.due_at, now + timedelta(seconds=result.after_s)))
    with platform.database.transaction() as connection:
        circuit = deliveries.load_circuit(connection, SMS_GATEWAY)
        deliveries.save_circuit(connection, SMS_GATEWAY, circuit.after(result, now, chance=chance))
        if not sms.QUEUE.save(connection, after, due_at=ready.lease):
            return
    if tried.cause:
        log.warning(
            "a text message was not sent", city=city.id, sms=queued.id, occasion=queued.occasion, cause=tried.cause
        )
