"""The consumer that makes mails about changes, and the rules for mail to people who have not agreed to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from open311.domain.events import (
    Event,
    NoteAdded,
    ProgressMade,
    Received,
    ReporterAsked,
    StatusChanged,
    Suspected,
    Transferred,
    VisibilityChanged,
    VisitScheduled,
)
from open311.domain.mails import (
    MOST_UNASKED_A_DAY,
    MOST_UNASKED_AN_HOUR,
    DepartmentMail,
    Follower,
    MailKind,
    QueuedMail,
    counted_as,
    recipient_of,
)
from open311.domain.requests import Visibility
from open311.observe import logger
from open311.operations.mailing.rules import can_mail, mailbox_of, mails_followers, mails_reporters
from open311.operations.platform import Platform
from open311.outgoing import read_mailbox
from open311.plugins import Jurisdiction
from open311.storage import followers, mails, origins, requests
from open311.storage.engine import Connection
from open311.storage.outbox import RecordedChange

log = logger(__name__)

_NEWS = (StatusChanged, NoteAdded, ReporterAsked, VisitScheduled, Transferred)


class Mailing:
    """Makes mails to reporters of new requests, followers of changed ones, and departments that get a request."""

    name = "mail"

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        """Make the mails of these changes. Nothing is stored if the server or the city sends none."""
        by_city: dict[str, list[RecordedChange]] = {}
        for change in changes if can_mail(platform.settings) else ():
            by_city.setdefault(change.jurisdiction_id, []).append(change)
        for jurisdiction_id, own in by_city.items():
            city = platform.registry.get(jurisdiction_id)
            if city is not None:
                _queue(MailDesk(connection, city, now), platform, own)


@dataclass(frozen=True)
class MailDesk:
    """What all mails of one transaction share."""

    connection: Connection
    city: Jurisdiction
    now: datetime

    @cached_property
    def key(self) -> str:
        """The key of digests. The first mail of a transaction reads it."""
        return mails.make_key(self.connection)

    def new_mail(self, kind: MailKind, address: str, **values: Any) -> QueuedMail:
        """A mail that is due after the minutes in which the city collects changes; an invitation is due at once."""
        wait = timedelta() if kind.is_unasked else timedelta(minutes=self.city.mail.collect_minutes)
        return QueuedMail(
            jurisdiction_id=self.city.id,
            kind=kind,
            recipient=recipient_of(self.key, self.city.id, counted_as(address)),
            created_at=self.now,
            due_at=self.now + wait,
            **values,
        )


def _queue(desk: MailDesk, platform: Platform, changes: Sequence[RecordedChange]) -> None:
    city = desk.city
    if mails_reporters(platform.settings, city):
        _greet(desk, changes)
    if mails_reporters(platform.settings, city) or mails_followers(platform.settings, city):
        numbers = list(dict.fromkeys(change.number for change in changes if is_news(change.events)))
        for one in followers.of_requests(desk.connection, city.id, numbers, is_confirmed=True) if numbers else ():
            mails.add(desk.connection, desk.new_mail(MailKind.CHANGES, one.email, follower_id=one.id))
    if city.mail.departments and DepartmentMail.NEW in city.mail.about:
        tell_departments(desk, MailKind.WORK, by_department(_arrived(desk, changes)))


def is_news(events: Iterable[Event]) -> bool:
    """Whether followers get mail about a change. What others have commented is not in mails."""
    return any(isinstance(one, _NEWS) or (isinstance(one, ProgressMade) and bool(one.new)) for one in events)


# --- Reporters


def _greet(desk: MailDesk, changes: Sequence[RecordedChange]) -> None:
    """Make the first mail to the reporter of each new request.

    A suspected report gets its mail when a person has released it. A request that another server has forwarded gets
    none, because that server writes to the reporter.
    """
    connection, city = desk.connection, desk.city
    new = {change.number: change.version for change in changes if has_begun(change.events)}
    wanted = followers.wanting(connection, city.id, list(new)) if new else []
    numbers = [number for number, _, _ in wanted]
    forwarded = origins.load(connection, city.id, numbers) if wanted else {}
    records = requests.load_numbers(connection, city.id, numbers) if wanted else {}
    for number, email, language in wanted:
        record = records.get(number)
        if record is None or record.is_test or number in forwarded:
            continue
        one = Follower(
            jurisdiction_id=city.id,
            number=number,
            email=email,
            language=language,
            is_reporter=True,
            told_version=new[number],
            created_at=desk.now,
        )
        invite(desk, one, MailKind.RECEIVED)


def has_begun(events: Iterable[Event]) -> bool:
    """Whether a request has come in and is not suspected, or whether a person has released it.

    To hide a held request is no release.
    """
    found = list(events)
    if any(
        isinstance(one, VisibilityChanged) and one.old == Visibility.HELD and one.new != Visibility.WITHDRAWN
        for one in found
    ):
        return True
    return any(isinstance(one, Received) for one in found) and not any(isinstance(one, Suspected) for one in found)


def invite(desk: MailDesk, new: Follower, kind: MailKind) -> int:
    """Store a follower who has not agreed to mail yet, and make the mail that asks for the agreement.

    Returns the id of the follower; 0 if none is stored.

    Nothing is stored if the address cannot get mail, if its owner wants none, or if the limit of the address or of
    the city is reached. Without these limits, reports could be used to flood somebody's mailbox.
    """
    connection, city = desk.connection, desk.city
    box = mailbox_of(new.email)
    if box is None:
        return 0
    mail = desk.new_mail(kind, box.address)
    day, hour = desk.now - timedelta(days=1), desk.now - timedelta(hours=1)
    why = mails.stopped_for(connection, city.id, recipient_of(desk.key, city.id, box.address))
    if not why and (
        mails.count_to(connection, city.id, mail.recipient, day, is_unasked=True) >= MOST_UNASKED_A_DAY
    ):
        why = "the limit of an address"
    if not why and mails.count_unasked(connection, city.id, hour, MOST_UNASKED_AN_HOUR) >= MOST_UNASKED_AN_HOUR:
        why = "the limit of the city"
    if why:
        log.info("nobody is asked to follow by mail", city=city.id, cause=why)
        return 0
    id = followers.add(connection, replace(new, email=box.address))
    if id:
        mails.add(connection, replace(mail, follower_id=id))
    return id


# --- Departments


def by_department(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """The numbers of requests by department. `pairs`: the code of a department and the number of a request."""
    found: dict[str, list[int]] = {}
    for department, number in pairs:
        found.setdefault(department, []).append(number)
    return found


def tell_departments(desk: MailDesk, kind: MailKind, found: Mapping[str, Sequence[int]]) -> None:
    """Make a mail for each department that has an address. `found`: numbers of requests by department."""
    for department, numbers in found.items():
        address = desk.city.mail.departments.get(department)
        if address:
            box = read_mailbox(address)
            new = desk.new_mail(kind, box.address, department=department, numbers=tuple(numbers))
            mails.add_work(desk.connection, new)


def _arrived(desk: MailDesk, changes: Iterable[RecordedChange]) -> Iterator[tuple[str, int]]:
    """The requests that these changes have brought to a department with mail: pairs of its code and a number."""
    for change in changes:
        for event in change.events:
            department = _department_of(event)
            if department in desk.city.mail.departments:
                yield department, change.number


def _department_of(event: Event) -> str:
    """The department to which an event brings the request; "" for none."""
    if isinstance(event, Received):
        return event.department
    return event.new if isinstance(event, Transferred) and event.new != event.old else ""
