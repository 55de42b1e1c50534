"""The state of text messages, for operators, health checks and metrics. It has no phone numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from open311.domain.deliveries import Circuit
from open311.domain.notices import SMS_GATEWAY
from open311.domain.people import number_for_sms
from open311.domain.results import Rejected, Retry
from open311.domain.sms import SmsOccasion, digest_of_number
from open311.errors import Invalid, Misconfigured
from open311.federation.addresses import host_of
from open311.operations.platform import Platform
from open311.operations.sms.rules import can_text, sender_for
from open311.plugins import Jurisdiction
from open311.plugins.sms import Sms
from open311.storage import deliveries, mails, sms
from open311.storage.engine import Connection
from open311.storage.message_queues import QueueCount
from schemas.texts import tell

LATE = timedelta(minutes=5)
"""How long a due message may wait for a worker."""
_MOST_CAUSES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsState:
    """The state of text messages of all cities.

    waiting  what waits or is being sent
    ended    what has ended within the last day
    circuit  the circuit of the gateway
    stopped  how many numbers get no messages
    causes   the most common causes why messages wait, or were not sent within the last day, each with the count of
             messages
    late_s   for how many seconds the earliest message has been due; 0 if none is due
    """

    waiting: Sequence[QueueCount[SmsOccasion]]
    ended: Sequence[QueueCount[SmsOccasion]]
    circuit: Circuit
    stopped: int
    causes: Sequence[tuple[str, int]]
    late_s: float


def read_state(connection: Connection, now: datetime) -> SmsState:
    """The state of text messages now."""
    day = now - timedelta(days=1)
    return SmsState(
        waiting=sms.QUEUE.count_open(connection),
        ended=sms.QUEUE.count_ended(connection, day),
        circuit=deliveries.load_circuit(connection, SMS_GATEWAY, is_locked=False),
        stopped=sms.count_stopped(connection),
        causes=sms.QUEUE.causes(connection, day, _MOST_CAUSES, with_skipped=True),
        late_s=sms.QUEUE.late_s(connection, now),
    )


def sms_fault(connection: Connection, platform: Platform, now: datetime) -> str:
    """What is wrong with text messages, in a sentence for everybody; "" if nothing is."""
    circuit = deliveries.load_circuit(connection, SMS_GATEWAY, is_locked=False)
    if circuit.is_resting:
        return "the gateway for text messages is down; `open311 sms status` says more"
    wait_s = sms.QUEUE.late_s(connection, now)
    if wait_s >= LATE.total_seconds():
        if not can_text(platform.settings):
            return "text messages wait, but OPEN311_SMS_URL or OPEN311_PUBLIC_URL is not set any more"
        return f"a text message has been due for {wait_s:.0f} s; is `open311 worker` running? Its log says more"
    return ""


def setup_faults(platform: Platform) -> Iterator[tuple[str, str]]:
    """What is missing so that cities with `[sms]` send messages: the city, and a sentence."""
    settings = platform.settings
    for city in platform.registry:
        if not city.sms.kind:
            continue
        if not settings.sms_url:
            yield city.id, "[sms] has no effect, because OPEN311_SMS_URL is not set"
        elif not settings.public_url:
            yield city.id, "[sms] has no effect, because OPEN311_PUBLIC_URL is not set"
        else:
            try:
                sender_for(settings, city).close()
            except Misconfigured as error:
                yield city.id, f"[sms] has no effect: {str(error).rstrip('.')}"


def retry_all(platform: Platform, *, now: datetime) -> int:
    """Make all messages that wait for another try due now. Returns their number.

    If the gateway rests after failures, this ends its rest, so that the worker calls it again at once.
    """
    with platform.database.transaction() as connection:
        circuit = deliveries.load_circuit(connection, SMS_GATEWAY)
        deliveries.save_circuit(connection, SMS_GATEWAY, replace(circuit, rests_until=None))
        return sms.QUEUE.retry_now(connection, now)


def try_sms(platform: Platform, city: Jurisdiction, phone: str, *, now: datetime) -> str:
    """Send a message to a number. Returns why that failed, with what to do if a later try may succeed, or "".

    Raises Invalid for what is no usable number.
    """
    number = _number(city, phone)
    try:
        sender = sender_for(platform.settings, city)
    except Misconfigured as error:
        return str(error).rstrip(".")
    message = Sms(
        id=f"sms-test-{int(now.timestamp())}", to=number, text="A test of Open311. It works.", language="en"
    )
    try:
        result = sender.send(message, now=now)
    finally:
        sender.close()
    if isinstance(result, Retry):
        host, port = host_of(platform.settings.sms_url)
        return (
            f"{result.cause}; check OPEN311_SMS_URL, which names {host}:{port}, OPEN311_SMS_PRIVATE and"
            " OPEN311_SMS_SECRET, and that no firewall blocks the gateway"
        )
    return result.reason if isinstance(result, Rejected) else ""


def stop_number(platform: Platform, city: Jurisdiction, phone: str, *, now: datetime) -> bool:
    """Send no messages to a number any more. Returns False if it was stopped already.

    Raises Invalid for what is no usable number.
    """
    with platform.database.transaction() as connection:
        return sms.stop(connection, digest_of_number(mails.make_key(connection), _number(city, phone)), now)


def allow_number(platform: Platform, city: Jurisdiction, phone: str) -> bool:
    """Let a number get messages again. Returns whether it was stopped.

    Raises Invalid for what is no usable number.
    """
    with platform.database.transaction() as connection:
        return sms.start(connection, digest_of_number(mails.make_key(connection), _number(city, phone)))


def _number(city: Jurisdiction, phone: str) -> str:
    number = number_for_sms(phone, city.privacy.phone_region, abroad=True)
    if not number:
        raise Invalid(tell("is no phone number to which a text message can be sent; correct it."), "phone")
    return number
