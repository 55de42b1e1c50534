"""Send the mails that wait, one after the other.

A transaction claims a mail with a lease. No transaction is open while the mail server is called. If the worker dies
meanwhile, the mail is sent again after the lease, with the same Message-ID. A mail about one request then tells
the same changes; a mail about a filter tells those that wait at that time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from open311.domain.mails import (
    LEASE,
    MOST_A_DAY,
    MOST_NUMBERS,
    PAUSE,
    TAKEN,
    Follower,
    MailKind,
    MailState,
    QueuedMail,
    Stop,
    Tried,
    bounce_token,
    postponed,
    recipient_of,
    settled,
    skipped,
    thread_mark,
    unserved,
)
from open311.domain.notices import MAIL_SERVER
from open311.domain.results import Accepted, Retry
from open311.errors import NotFound
from open311.federation.mail import Mail, Mailer, MailError, MailRefused, MailUncertain
from open311.observe import logger
from open311.operations.mailing.composing import Subject, Work, invitation, news, page_of_follower, work_letter
from open311.operations.mailing.filters import FilterNews, filter_invitation, filter_news
from open311.operations.mailing.letters import Letter
from open311.operations.mailing.rules import can_mail, language_of
from open311.operations.mailing.stopping import stop_mail
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.outgoing import Mailbox, SmtpServer, read_mailbox
from open311.plugins import Jurisdiction
from open311.storage import deliveries, followers, history, mails, notifications, requests, subscriptions
from open311.storage.engine import Connection

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A mail that is composed.

    lease  when the claim ends
    place  the subscription whose filter the mail is about; None if the mail is not about a filter
    told   the notifications that this mail reports; they are settled when it is sent
    """

    queued: QueuedMail
    lease: datetime
    city: Jurisdiction
    mail: Mail
    sender: Mailbox
    place: notifications.Place | None = None
    told: Sequence[notifications.Waiting] = ()


def send_all(platform: Platform, clock: Callable[[], datetime]) -> int:
    """Send all mails that are due, and return how many were handled."""
    done = 0
    while send_next(platform, clock):
        done += 1
    return done


def send_next(platform: Platform, clock: Callable[[], datetime]) -> bool:
    """Handle the next mail that is due. Returns False if there is none, or if no mail can be sent now."""
    if not can_mail(platform.settings):
        return False
    now = clock()
    with platform.database.transaction() as connection:
        circuit = deliveries.load_circuit(connection, MAIL_SERVER, is_locked=False)
        if circuit.rests_until is not None and now < circuit.rests_until:
            return False
        queued = mails.QUEUE.claim(connection, now)
        if queued is None:
            return False
        ready = _prepared(platform, connection, queued, now)
    if ready is not None:
        _settle(platform, ready, _tried(platform, ready, now), clock())
    return True


# --- Claim and compose


def _prepared(platform: Platform, connection: Connection, queued: QueuedMail, now: datetime) -> _Ready | None:
    """Claim a mail and compose it; None if it is not sent now."""
    try:
        city = platform.registry.find(queued.jurisdiction_id)
    except NotFound:
        mails.QUEUE.save(connection, unserved(queued, now))
        return None
    if queued.state is MailState.SENDING:
        queued = replace(queued, attempts=queued.attempts + 1, cause="the worker ended while it was sending")
    day = now - timedelta(days=1)
    if not queued.kind.is_unasked and mails.count_to(connection, city.id, queued.recipient, day) >= MOST_A_DAY:
        mails.QUEUE.save(connection, postponed(queued, now + PAUSE, "the recipient has got many mails today"))
        return None
    claimed, ready = (_to_department if queued.department else _to_follower)(
        platform, connection, city, queued, now
    )
    mails.QUEUE.save(connection, claimed)
    return ready


def _to_follower(
    platform: Platform, connection: Connection, city: Jurisdiction, queued: QueuedMail, now: datetime
) -> tuple[QueuedMail, _Ready | None]:
    one = followers.load(connection, city.id, queued.follower_id)
    if one is None:  # the follower has left meanwhile; this mail will be deleted too
        return skipped(queued, "the follower has left", now), None
    if why := _stopped(connection, city, one.email):
        return skipped(queued, why, now), None
    if not one.number:
        return _to_subscriber(platform, connection, city, one, queued, now)
    record = requests.load_record(connection, city.id, number=one.number, is_locked=False)
    if record is None:
        return skipped(queued, "the request is gone", now), None
    upto = queued.upto_version or record.version
    claimed = replace(queued, since_version=one.told_version, upto_version=upto)
    if claimed.kind is MailKind.CHANGES and one.told_version >= upto:
        return skipped(claimed, "there is nothing to tell", now), None
    repeats = [record.possible_duplicate_of] if record.possible_duplicate_of else []
    about = Subject(
        city=city,
        names=names_for(connection, city),
        follower=one,
        record=record,
        key=mails.make_key(connection),
        own=platform.settings.public_url.rstrip("/"),
        hidden=frozenset(requests.hidden_among(connection, city.id, repeats)),
    )
    letter = _letter(connection, about, claimed, now)
    if letter is None:
        return skipped(claimed, "there is nothing to tell", now), None
    mail = _follower_mail(platform, city, one, about.key, letter, claimed)
    return _claim(platform, city, claimed, mail, now)


def _stopped(connection: Connection, city: Jurisdiction, address: str) -> str:
    """Why an address gets no mail; "" if it may get some."""
    why = mails.stopped_for(connection, city.id, recipient_of(mails.make_key(connection), city.id, address))
    return f"the address gets no mail: {why}" if why else ""


def _to_subscriber(
    platform: Platform, connection: Connection, city: Jurisdiction, one: Follower, queued: QueuedMail, now: datetime
) -> tuple[QueuedMail, _Ready | None]:
    """A mail to somebody who follows the requests of a filter.

    If such a mail is sent again, it is composed anew from what waits at that time.
    """
    found = subscriptions.of_followers(connection, city.id, [one.id]).get(one.id)
    if found is None:
        return skipped(queued, "the follower has left", now), None
    earliest = one.not_before(city.zone)
    if not queued.kind.is_unasked and earliest is not None and now < earliest:
        return postponed(queued, earliest, "the follower has got a mail about this filter not long ago"), None
    place = (city.id, found.id)
    notifications.drop_gone(connection, place)
    waiting = notifications.due(connection, place, now, MOST_NUMBERS + 1)
    if len(waiting) > MOST_NUMBERS:  # the mail says that there are more
        notifications.drop_others(connection, place, waiting)
    about = FilterNews(
        city=city,
        names=names_for(connection, city),
        follower=one,
        wanted=found.wanted,
        waiting=waiting,
        key=mails.make_key(connection),
        own=platform.settings.public_url.rstrip("/"),
    )
    claimed = replace(queued, upto_version=1)
    letter = _filter_letter(about, claimed, now)
    if letter is None:
        return skipped(claimed, "there is nothing to tell", now), None
    mail = _follower_mail(platform, city, one, about.key, letter, claimed)
    claimed, ready = _claim(platform, city, claimed, mail, now)
    return claimed, replace(ready, place=place, told=() if claimed.kind.is_unasked else tuple(waiting))


def _filter_letter(about: FilterNews, claimed: QueuedMail, now: datetime) -> Letter | None:
    """The content of a mail about a filter; None if there is nothing to tell."""
    if claimed.kind.is_unasked:
        return filter_invitation(about) if about.follower.confirmed_at is None else None
    return filter_news(about, now) if about.follower.confirmed_at is not None else None


def _follower_mail(
    platform: Platform, city: Jurisdiction, one: Follower, key: str, letter: Letter, claimed: QueuedMail
) -> Mail:
    """A mail with a one-click link to unsubscribe. The mails of a follower are a thread."""
    mark = f"{thread_mark(key, city.id, one.id)}@{_domain(platform)}"
    return replace(
        _mail(letter, Mailbox(one.email), city, message_id=_id(mark, claimed)),
        references=() if claimed.kind.is_unasked else (f"<{mark}>",),
        list_unsubscribe=f"{page_of_follower(platform.settings.public_url.rstrip('/'), key, one)}/leave",
        is_one_click=True,
        return_path=_return_path(platform, key, one),
    )


def _letter(connection: Connection, about: Subject, claimed: QueuedMail, now: datetime) -> Letter | None:
    """The content of a mail to a follower; None if there is nothing to tell."""
    one, record = about.follower, about.record
    if claimed.kind.is_unasked:
        return invitation(about, claimed.kind) if one.confirmed_at is None else None
    if one.confirmed_at is None or not (one.is_reporter or record.visibility.is_shown):
        return None
    events = history.load_events(connection, about.city.id, record.number)
    since, upto = claimed.since_version, claimed.upto_version
    return news(about, [event for event in events if since < event.version <= upto], now)


def _id(mark: str, claimed: QueuedMail) -> str:
    """The Message-ID, the same at each try. Later mails of the thread refer to the Message-ID of the first mail."""
    own = "" if claimed.kind.is_unasked else f"{claimed.id}."
    return f"<{own}{mark}>"


def _to_department(
    platform: Platform, connection: Connection, city: Jurisdiction, queued: QueuedMail, now: datetime
) -> tuple[QueuedMail, _Ready | None]:
    address = city.mail.departments.get(queued.department)
    if not address:
        return skipped(queued, "the department has no address any more", now), None
    if why := _stopped(connection, city, read_mailbox(address).address):
        return skipped(queued, why, now), None
    numbers = list(dict.fromkeys(queued.numbers))
    is_daily = queued.kind is MailKind.DAILY
    about = Work(
        city=city,
        names=names_for(connection, city),
        department=queued.department,
        numbers=numbers,
        records=requests.load_numbers(connection, city.id, numbers),
        language=language_of(city),
        own=platform.settings.public_url.rstrip("/"),
        counts=requests.count_work(connection, city.id, queued.department, now) if is_daily else (0, 0),
    )
    letter = work_letter(about, queued.kind)
    if letter is None:
        return skipped(queued, "there is nothing to tell", now), None
    mark = thread_mark(mails.make_key(connection), city.id, queued.id)
    mail = _mail(letter, read_mailbox(address), city, message_id=f"<work.{mark}@{_domain(platform)}>")
    return _claim(platform, city, replace(queued, upto_version=1), mail, now)


def _mail(letter: Letter, to: Mailbox, city: Jurisdiction, *, message_id: str) -> Mail:
    return Mail(
        to=(to,),
        subject=letter.heading,
        text=letter.text,
        html=letter.html,
        message_id=message_id,
        reply_to=read_mailbox(city.mail.reply_to) if city.mail.reply_to else None,
    )


def _claim(
    platform: Platform, city: Jurisdiction, queued: QueuedMail, mail: Mail, now: datetime
) -> tuple[QueuedMail, _Ready]:
    lease = now + LEASE
    claimed = replace(queued, state=MailState.SENDING, due_at=lease)
    sender = Mailbox(read_mailbox(platform.settings.mail_from).address, city.mail.sender or city.name)
    return claimed, _Ready(claimed, lease, city, mail, sender)


def _domain(platform: Platform) -> str:
    return read_mailbox(platform.settings.mail_from).domain


def _return_path(platform: Platform, key: str, one: Follower) -> Mailbox | None:
    """The address to which this follower's mail comes back (VERP); None if the settings name none."""
    if not platform.settings.bounce_mail:
        return None
    local, _, domain = read_mailbox(platform.settings.bounce_mail).address.rpartition("@")
    return Mailbox(f"{local}+{bounce_token(key, one.jurisdiction_id, one.id)}@{domain}")


# --- Send and settle


def _tried(platform: Platform, ready: _Ready, now: datetime) -> Tried:
    """Hand a mail to the mail server. A mail that may have arrived is sent again, with the same Message-ID."""
    mailer = Mailer(SmtpServer.from_url(platform.settings.smtp_url), ready.sender)
    try:
        mailer.send(ready.mail, now=now)
    except MailRefused as error:
        return Tried(str(error), is_final=True, is_recipient=error.is_recipient)
    except MailUncertain as error:
        return Tried(str(error))
    except MailError as error:
        return Tried(str(error), is_down=error.code is None or getattr(error, "is_setup", False))
    return TAKEN


def _settle(platform: Platform, ready: _Ready, result: Tried, now: datetime) -> None:
    """Store what became of a mail. A worker whose lease has ended does not change the mail."""
    queued, city = ready.queued, ready.city
    chance = random.random()  # noqa: S311  # it spreads waits
    after = settled(queued, result, now, chance=chance)
    outcome = Retry(cause=result.cause) if result.is_down else Accepted()
    with platform.database.transaction() as connection:
        circuit = deliveries.load_circuit(connection, MAIL_SERVER)
        deliveries.save_circuit(connection, MAIL_SERVER, circuit.after(outcome, now, chance=chance))
        # The notifications are locked before the follower, in the same order as in the dispatcher.
        if ready.place is not None and after.state is MailState.DONE:
            notifications.settle(connection, ready.place, ready.told)
        # The follower is locked before the mail, in the same order as when a follower leaves.
        wanted = queued.follower_id
        one = followers.load(connection, city.id, wanted, is_locked=True) if wanted else None
        if not mails.QUEUE.save(connection, after, due_at=ready.lease):
            return
        if one is not None and after.state is MailState.DONE:
            if one.number:
                followers.tell(connection, one, max(one.told_version, queued.upto_version))
            elif ready.told:
                followers.told(connection, one, now)
        if one is not None and result.is_recipient:
            stop_mail(connection, one, Stop.BOUNCED, now)
    if result.cause:
        log.warning("a mail was not sent", city=city.id, mail=queued.id, kind=queued.kind, cause=result.cause)
