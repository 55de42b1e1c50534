"""Compose mails from what the public reads of a request at this moment, so that no erased or masked text leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from open311.domain.events import (
    Event,
    NoteAdded,
    ProgressMade,
    ReporterAsked,
    StatusChanged,
    Transferred,
    VisitScheduled,
)
from open311.domain.mails import MOST_NUMBERS, Follower, MailKind, link_token
from open311.domain.page_paths import desk_path, follower_path, request_path
from open311.domain.places import Place
from open311.domain.public_words import CLOSED, NOTES, OUTCOMES, REOPENED, STATES
from open311.domain.requests import Note, Progress, RequestRecord, Status, Visibility
from open311.domain.services import Translation
from open311.domain.workflow import SCHEDULED_TEXT
from open311.operations.mailing.letters import Letter, Part, Style, time_in
from open311.operations.mailing.queueing import is_news
from open311.operations.masking import masked_request
from open311.operations.publishing import Names, without_hidden
from open311.operations.workflow.texts import server_text
from open311.plugins import Jurisdiction
from open311.translations import in_language
from schemas.texts import Message, tell, tell_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a mail to a follower is about.

    key     the key of signatures
    own     the address of this server, without a slash at its end
    hidden  the ids of other requests that the public cannot read
    """

    city: Jurisdiction
    names: Names
    follower: Follower
    record: RequestRecord
    key: str
    own: str
    hidden: frozenset[str] = frozenset()

    @property
    def language(self) -> str:
        """The language of the follower."""
        return self.follower.language

    @property
    def page(self) -> str:
        """The address of the follower's own page."""
        return page_of_follower(self.own, self.key, self.follower)

    @property
    def page_in_language(self) -> str:
        """The address of the follower's own page, in the follower's language."""
        return f"{self.page}?locale={self.language}"

    @property
    def title(self) -> Message:
        """The name of the request in the subject lines of mails. `news` uses it unchanged."""
        service = service_name(self.city, self.names, self.record.service_code, self.language)
        if not self.record.service_request_id:
            return tell("Your report to {city}: {service}", city=self.city.name, service=service)
        return tell("Report {id}: {service}", id=self.record.service_request_id, service=service)


def page_of_follower(own: str, key: str, one: Follower) -> str:
    """The address of a follower's own page. `own`: the address of this server, without a slash at its end."""
    token = link_token(key, one.jurisdiction_id, one.id)
    return f"{own}{follower_path(one.jurisdiction_id, token)}"


def service_name(city: Jurisdiction, names: Names, code: str, language: str) -> str:
    """The name of a service in a language; in the city's first language if the catalogue lacks it."""
    texts = city.translations.get(language, Translation()).services.get(code)
    return (texts.name if texts else "") or names.service(code)


# --- To followers


def invitation(about: Subject, kind: MailKind) -> Letter:
    """The mail that asks the owner of an address to agree. It has no text of the report."""
    city, record = about.city, about.record
    parts = [
        Part(tell("{city} has received a report with your email address.", city=city.name))
        if kind is MailKind.RECEIVED
        else Part(tell("Somebody wants to follow a report to {city} with your email address.", city=city.name)),
        *_facts(about),
        Part(tell("Do you want to get mail when something happens? Then confirm that this is your address:")),
        Part(tell("Confirm the address"), Style.LINK, about.page_in_language),
        Part(tell("If you do not know about this report, do nothing. Then you get no more mail about it.")),
        *end_of(city),
    ]
    first = tell("Please confirm: {title}", title=about.title) if record.service_request_id else about.title
    return Letter(about.language, first, parts)


def news(about: Subject, events: Sequence[Event], now: datetime) -> Letter | None:
    """The mail about what has happened; None if the reader may not know any of it now.

    events  the events since the last mail
    """
    told = _without_repeats(about, [one for one in events if is_news([one])])
    parts = [part for one in _shown(about, told) for part in _part_of(about, one)]
    if not parts:
        return None
    record, city = about.record, about.city
    if asks_for_feedback(about, told):
        parts.append(Part(tell("Is the problem solved? Please tell the city:")))
        parts.append(Part(tell("Answer the question"), Style.LINK, about.page_in_language))
        if (until := reopens_until(city, record)) and now < until:
            day = time_in(until, city.zone, about.language)
            parts.append(Part(tell("You can open the report again there until {day}.", day=day)))
    if record.visibility.is_shown and record.service_request_id:
        address = about.own + request_path(city.id, record.service_request_id) + f"?locale={about.language}"
        parts.append(Part(tell("The public page of the report"), Style.LINK, address))
    why = tell("You get this mail because you have confirmed that you want it.")
    leave = Part(tell("Get no more mail about this report"), Style.SMALL, about.page_in_language)
    return Letter(about.language, about.title, [*parts, *end_of(city), Part(why, Style.SMALL), leave])


def _without_repeats(about: Subject, events: Sequence[Event]) -> list[Event]:
    """The events without those that only say again that a visit is planned.

    The mail says when the visit is, in the reader's language. So it lacks the state "a visit is planned" and the
    server's own text about the day. A text of the city or of staff stays, because it may say more.
    """
    visits = [one.visit for one in events if isinstance(one, VisitScheduled)]
    said = {server_text(about.city, about.record, SCHEDULED_TEXT, visit) for visit in visits}
    return [one for one in events if not (visits and _repeats_visit(one, said))]


def _repeats_visit(event: Event, said: Collection[str]) -> bool:
    if isinstance(event, ProgressMade):
        return event.new == Progress.SCHEDULED and not event.detail
    return isinstance(event, NoteAdded) and event.note in said


def asks_for_feedback(about: Subject, events: Sequence[Event]) -> bool:
    """Whether the mail asks the reporter about the result."""
    is_closed = any(isinstance(one, StatusChanged) and one.new == Status.CLOSED for one in events)
    is_still = about.record.status is Status.CLOSED and not about.record.merged_into
    return is_closed and is_still and about.follower.is_reporter and about.city.mail.feedback


def reopens_until(city: Jurisdiction, record: RequestRecord) -> datetime | None:
    """Until when the reporter can open a request again; None if that is not possible."""
    if not city.mail.reopen_days or record.status is not Status.CLOSED or record.merged_into:
        return None
    return record.updated_at + timedelta(days=city.mail.reopen_days)


def _facts(about: Subject) -> Iterator[Part]:
    record, city, language = about.record, about.city, about.language
    if record.service_request_id:
        yield Part(tell("Number: {id}", id=record.service_request_id), Style.FACT)
    service = service_name(city, about.names, record.service_code, language)
    yield Part(tell("About: {service}", service=service), Style.FACT)
    at = time_in(record.requested_at, city.zone, language)
    yield Part(tell("Reported: {time}", time=at), Style.FACT)


def _shown(about: Subject, events: Sequence[Event]) -> Iterator[Event]:
    """The events with their notes as the public reads them."""
    own = replace(about.record, visibility=Visibility.PUBLIC)
    notes = [Note(one.at, one.kind, one.note) for one in events]
    record, said = without_hidden(own, notes, about.names, about.hidden)
    _, masked, _ = masked_request(record, said, about.city)
    for event, note in zip(events, masked, strict=True):
        yield replace(event, note=note.description) if event.has_text else event


def _part_of(about: Subject, event: Event) -> Iterator[Part]:
    """What a mail says about an event."""
    city, record = about.city, about.record
    match event:
        case StatusChanged(new=Status.CLOSED):
            yield Part(CLOSED)
            if outcome := OUTCOMES.get(event.outcome):
                yield Part(outcome)
        case StatusChanged():
            yield Part(REOPENED)
        case NoteAdded() | ReporterAsked():
            if event.note:
                yield Part(NOTES[event.kind])
                yield Part(event.note, Style.SAID)
        case Transferred():
            yield Part(tell("Another department has the report now: {name}", name=event.name or event.agency))
        case VisitScheduled():
            yield Part(tell("A visit to the place is planned for {time}.", time=_time(about, event.visit)))
        case ProgressMade():
            as_then = replace(record, progress=Progress(event.new), progress_detail=event.detail)
            word = city.progress_name(as_then) if event.new else ""
            yield Part(STATES.get(word, word))


def _time(about: Subject, at: datetime) -> str:
    return time_in(at, about.city.zone, about.language)


def end_of(city: Jurisdiction) -> Iterator[Part]:
    """The sentence of the city at the end of each mail."""
    if city.mail.footer:
        yield Part(city.mail.footer, Style.SMALL)


# --- To departments


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a mail to a department is about.

    numbers  the requests, in the order of the mail
    counts   the numbers of open and overdue requests, for the daily mail
    """

    city: Jurisdiction
    names: Names
    department: str
    numbers: Sequence[int]
    records: Mapping[int, RequestRecord]
    language: str
    own: str
    counts: tuple[int, int] = (0, 0)


def work_letter(about: Work, kind: MailKind) -> Letter | None:
    """The mail to a department.

    None if none of the requests is still open there, except for the daily mail, which is always written.
    """
    records = [about.records[number] for number in about.numbers if number in about.records]
    mine = [one for one in records if one.department == about.department and one.status is Status.OPEN]
    if not mine and kind is not MailKind.DAILY:
        return None
    try:
        name = about.city.department(about.department).name
    except KeyError:
        name = about.department
    count, has_more = len(mine), len(about.numbers) > MOST_NUMBERS
    parts: list[Part] = []
    if kind is MailKind.DAILY:
        is_open, is_late = about.counts
        title: Message = tell("{department}: the work of today", department=name)
        parts.append(Part(tell("Open requests: {count}", count=is_open), Style.FACT))
        parts.append(Part(tell("Overdue: {count}", count=is_late), Style.FACT))
        if mine:
            parts.append(Part(tell("New since yesterday:")))
    elif kind is MailKind.OVERDUE and has_more:
        title = tell("{department}: at least {count} requests are overdue", count=count, department=name)
    elif kind is MailKind.OVERDUE:
        title = tell_count(
            "{department}: {count} request is overdue",
            "{department}: {count} requests are overdue",
            count=count,
            department=name,
        )
    elif has_more:
        title = tell("{department}: at least {count} new requests", count=count, department=name)
    else:
        title = tell_count(
            "{department}: {count} new request", "{department}: {count} new requests", count=count, department=name
        )
    parts += [_line_of(about, one) for one in mine[:MOST_NUMBERS]]
    if has_more:
        parts.append(Part(tell("There are more. The queue has all of them.")))
    return Letter(about.language, title, [*parts, *end_of(about.city)])


def _line_of(about: Work, record: RequestRecord) -> Part:
    """A request in a list: its service, its place, its due time, and its page for staff.

    It has no text of the report and nothing about its reporter.
    """
    city = about.city
    masked, _, _ = masked_request(record, (), city)
    name = record.service_request_id or str(record.number)
    service = service_name(city, about.names, record.service_code, about.language)
    address = about.own + desk_path(city.id, record.number)
    facts = [service, masked.place.address or _point_of(masked.place)]
    if record.expected_at is not None:
        facts.append(_due(about, record.expected_at))
    return Part(f"{name}: {'; '.join(filter(None, facts))}", Style.PLAIN, address)


def _point_of(place: Place) -> str:
    """The point of a place without an address; "" without a point."""
    return "" if place.lat is None or place.long is None else f"{place.lat:.5f}, {place.long:.5f}"


def _due(about: Work, at: datetime) -> str:
    """By when a request should be done, in the language of the mail."""
    told = tell("due {time}", time=time_in(at, about.city.zone, about.language))
    return in_language(told, about.language)
