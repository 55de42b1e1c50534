"""The state of mail, for operators, health checks and metrics. MailState contains no email addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from open311.domain.deliveries import Circuit
from open311.domain.mails import MailKind, Stop, recipient_of
from open311.domain.notices import MAIL_SERVER
from open311.errors import Invalid
from open311.federation.mail import Mail, MailDeferred, Mailer, MailError
from open311.operations.mailing.rules import can_mail, mailbox_of
from open311.operations.platform import Platform
from open311.outgoing import SmtpServer, read_mailbox
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage import deliveries, mails
from open311.storage.engine import Connection
from open311.storage.message_queues import QueueCount
from schemas.texts import tell

LATE = timedelta(minutes=5)
"""How long a due mail may wait for a worker."""
_MOST_CAUSES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MailState:
    """The state of mail of all cities.

    waiting  what waits or is being sent
    ended    what has ended within the last day
    circuit  the circuit of the mail server
    stopped  how many addresses get no mail, by city and reason
    causes   the most common causes why mails wait, or failed within the last day, each with the count of mails
    late_s   for how many seconds the earliest mail has been due; 0 if none is due
    """

    waiting: Sequence[QueueCount[MailKind]]
    ended: Sequence[QueueCount[MailKind]]
    circuit: Circuit
    stopped: Mapping[tuple[str, str], int]
    causes: Sequence[tuple[str, int]]
    late_s: float


def read_state(connection: Connection, now: datetime) -> MailState:
    """The state of mail now."""
    day = now - timedelta(days=1)
    return MailState(
        waiting=mails.QUEUE.count_open(connection),
        ended=mails.QUEUE.count_ended(connection, day),
        circuit=deliveries.load_circuit(connection, MAIL_SERVER, is_locked=False),
        stopped=mails.count_stopped(connection),
        causes=mails.QUEUE.causes(connection, day, _MOST_CAUSES, with_skipped=False),
        late_s=mails.QUEUE.late_s(connection, now),
    )


def mail_fault(connection: Connection, settings: Settings, now: datetime) -> str:
    """What is wrong with mail, in a sentence for everybody; "" if nothing is."""
    circuit = deliveries.load_circuit(connection, MAIL_SERVER, is_locked=False)
    if circuit.is_resting:
        return "the mail server is down; `open311 mail status` says more"
    wait_s = mails.QUEUE.late_s(connection, now)
    if wait_s >= LATE.total_seconds():
        if not can_mail(settings):
            return "mails wait, but OPEN311_SMTP_URL or OPEN311_PUBLIC_URL is not set any more"
        return f"a mail has been due for {wait_s:.0f} s; is `open311 worker` running? Its log says more"
    return ""


def retry_all(platform: Platform, *, now: datetime) -> int:
    """Make all mails that wait for another try due now. Returns their number.

    If the mail server rests after failures, this ends its rest, so that the worker calls it again at once.
    """
    with platform.database.transaction() as connection:
        circuit = deliveries.load_circuit(connection, MAIL_SERVER)
        deliveries.save_circuit(connection, MAIL_SERVER, replace(circuit, rests_until=None))
        return mails.QUEUE.retry_now(connection, now)


def stop_address(platform: Platform, city: Jurisdiction, address: str, *, now: datetime) -> None:
    """Send no mail to an address any more. Raises Invalid for what is no address."""
    with platform.database.transaction() as connection:
        mails.stop(connection, city.id, _recipient(connection, city, address), Stop.REFUSED, now)


def allow_address(platform: Platform, city: Jurisdiction, address: str) -> bool:
    """Let an address get mail again. Returns whether it was stopped or had bounces.

    Raises Invalid for what is no address.
    """
    with platform.database.transaction() as connection:
        return bool(mails.forget(connection, city.id, _recipient(connection, city, address)))


def try_mail(settings: Settings, address: str, *, now: datetime) -> str:
    """Send a mail to an address. Returns why that failed and what to do, or "".

    Raises Invalid if the text is not an address.
    """
    box = mailbox_of(address)
    if box is None:
        raise Invalid(tell("is not an email address to which mail can be sent; correct it."), "address")
    if not settings.smtp_url:
        return "OPEN311_SMTP_URL is not set"
    server, sender = SmtpServer.from_url(settings.smtp_url), read_mailbox(settings.mail_from)
    text = "This is a test of the mail server of an Open311 server. It works.\n"
    try:
        Mailer(server, sender).send(Mail(to=(box,), subject="Open311: a test", text=text), now=now)
    except MailDeferred as error:
        return f"{error}; {_cure(server, error)}"
    except MailError as error:
        return str(error)
    return ""


def _cure(server: SmtpServer, error: MailDeferred) -> str:
    """What the operator can do. The user and the password are not named."""
    where = f"OPEN311_SMTP_URL, which names {server.host}:{server.port}"
    if error.is_setup:
        return f"correct host, user, password and options in {where}"
    if error.code is None:
        return f"check host and port in {where}, and that no firewall blocks them"
    return "try again later"


def _recipient(connection: Connection, city: Jurisdiction, address: str) -> bytes:
    box = mailbox_of(address)
    if box is None:
        raise Invalid(tell("is not an email address to which mail can be sent; correct it."), "address")
    return recipient_of(mails.make_key(connection), city.id, box.address)
