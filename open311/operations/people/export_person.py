"""Export what a city has about a person, so that the person can read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from open311.domain.access import Principal
from open311.domain.events import Event, FeedbackGiven
from open311.domain.mails import Follower
from open311.domain.people import Person
from open311.domain.photos import Photo, is_address_of
from open311.domain.requests import Reporter, RequestRecord
from open311.domain.subscriptions import RequestFilter
from open311.operations.desk.rendering import plain_photo
from open311.operations.masking import Mask
from open311.operations.people.named import Recipient, checked_reason, recipients_of
from open311.operations.platform import Platform
from open311.operations.publishing import notes_of
from open311.plugins import Jurisdiction
from open311.storage import (
    audit,
    followers,
    history,
    media,
    people,
    requests,
    sms,
    subscriptions,
    supporters,
    tokens,
)
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.updates import Received

EXPORT_PERSON = "reporter.export"
AT_ONCE = 200
"""How many requests one page has at most."""


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Some of a person's requests, as plain data.

    subscriptions  the filters for which the person gets mail; all of them on the first page
    last           the number of the last request; 0 if no page follows
    """

    requests: Sequence[dict[str, Any]]
    subscriptions: Sequence[dict[str, Any]]
    last: int


def export_person(
    platform: Platform,
    city: Jurisdiction,
    person: Person,
    *,
    reason: str,
    principal: Principal,
    now: datetime,
    after: int = 0,
) -> Iterator[ExportPage]:
    """Read what the city has about a person, page by page. The audit trail keeps who read it and why.

    Of a request that somebody else sent, the page has its number, service, status and times, and what the person
    did with it: the updates and photos sent, the mail asked for, and the support given. It has no report.

    after  the number of a request: only requests with higher numbers are read
    Raises Forbidden and Invalid: see `checked_reason`.
    """
    why = checked_reason(principal, city, person, reason)
    with platform.database.transaction() as connection:
        entry = Entry(
            jurisdiction_id=city.id,
            at=now,
            actor=str(principal),
            act=EXPORT_PERSON,
            reason=why,
            details={"found_by": list(person.named_by), "after": after},
        )
        audit.add_entry(connection, entry)
    while True:
        with platform.database.snapshot() as connection:
            page = _page(platform, connection, city, person, after)
        yield page
        if not page.last:
            return
        after = page.last


def _page(platform: Platform, connection: Connection, city: Jurisdiction, person: Person, after: int) -> ExportPage:
    found = people.numbers_of(connection, city.id, person, after=after, rows=AT_ONCE + 1)
    numbers = found[:AT_ONCE]
    records = requests.load_numbers(connection, city.id, numbers)
    own = people.reporters_of(connection, city.id, numbers, person)
    recipients: dict[int, list[Recipient]] = {}
    for one in recipients_of(platform, connection, city, own):
        recipients.setdefault(one.number, []).append(one)
    sent: dict[int, list[Received]] = {}
    for update in people.updates_of(connection, city.id, numbers, person):
        sent.setdefault(update.request_id, []).append(update)
    following = {one.number: one for one in followers.of_person(connection, city.id, person, numbers)}
    following |= {
        one.number: one for one in followers.of_requests(connection, city.id, list(own)) if one.is_reporter
    }
    supported = supporters.supported_by(connection, city.id, person, numbers)
    languages = people.languages_of(connection, city.id, list(own))
    texted = _plain_sms(connection, city, list(own))
    histories = history.load_histories(connection, city.id, numbers)
    known = tokens.tokens_of(connection, city.id, list(own))
    plain = [
        _plain_request(
            city,
            records[number],
            own.get(number),
            known.get(number, ""),
            histories.get(number, ()),
            sent.get(number, ()),
            recipients.get(number, ()),
            media.load_all(connection, city.id, number),
        )
        | {
            "mail": _plain_mail(following.get(number), languages.get(number, "")),
            "sms": texted.get(number),
            "supported_datetime": supported.get(number),
        }
        for number in numbers
        if number in records
    ]
    subscribed = [] if after else _plain_subscriptions(connection, city, person)
    return ExportPage(plain, subscribed, numbers[-1] if len(found) > AT_ONCE else 0)


def _plain_sms(connection: Connection, city: Jurisdiction, own: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The text messages that the person has asked for, by the number of the request (PersonSmsSchema)."""
    messages: dict[int, list[dict[str, Any]]] = {}
    for one in sms.of_requests(connection, city.id, own):
        plain = {
            "occasion": one.occasion.value,
            "state": one.state.value,
            "datetime": one.ended_at or one.created_at,
        }
        messages.setdefault(one.number, []).append(plain)
    languages = sms.languages_of(connection, city.id, own)
    return {
        number: {"language": language, "messages": messages.get(number, [])}
        for number, language in languages.items()
    }


def _plain_subscriptions(connection: Connection, city: Jurisdiction, person: Person) -> list[dict[str, Any]]:
    """The filters for which a person gets mail (PersonSubscriptionSchema)."""
    mine = followers.subscribed(connection, city.id, person.email)
    known = subscriptions.of_followers(connection, city.id, [one.id for one in mine])
    return [_plain_subscription(one, known[one.id].wanted) for one in mine if one.id in known]


def _plain_subscription(one: Follower, wanted: RequestFilter) -> dict[str, Any]:
    box, near = wanted.box, wanted.near
    return {
        "email": one.email,
        "language": one.language,
        "how_often": "daily" if one.is_daily else "hourly",
        "since": one.created_at,
        "confirmed_datetime": one.confirmed_at,
        "service_code": list(wanted.service_codes),
        "group": wanted.group or None,
        "status": list(wanted.statuses),
        "department": wanted.department or None,
        "area": wanted.area or None,
        "bbox": f"{box.west},{box.south},{box.east},{box.north}" if box else None,
        "lat": near.lat if near else None,
        "long": near.long if near else None,
        "radius": near.radius_m if near else None,
    }


def _plain_request(
    city: Jurisdiction,
    record: RequestRecord,
    reporter: Reporter | None,
    token: str,
    events: Sequence[Event],
    sent: Sequence[Received],
    recipients: Sequence[Recipient],
    photos: Sequence[Photo],
) -> dict[str, Any]:
    """A request of a person (PersonRequestSchema).

    sent    the person's updates
    photos  all photos of the request, also those of others
    """
    updated = {one.version for one in sent}
    own = [photo for photo in photos if photo.version in updated or not (photo.version or reporter is None)]
    by_others = {event.version for event in events if event.kind in history.COMMENTS} - updated
    of_others = [photo for photo in photos if photo.version in by_others]
    service = city.service(record.service_code)
    return {
        "number": record.number,
        "service_request_id": record.service_request_id or None,
        "token": token or None,
        "service_code": record.service_code,
        "service_name": service.name if service else record.service_code,
        "status": str(record.status),
        "requested_datetime": record.requested_at,
        "updated_datetime": record.updated_at,
        "report": None if reporter is None else _plain_report(city, record, reporter, events, of_others),
        "updates": [_plain_update(record, one, events, own) for one in sent],
        "photos": [_plain_photo(record, photo) for photo in own],
        "systems": [
            {"system": one.system, "shared": None if one.shared is None else list(one.shared)} for one in recipients
        ],
    }


def _plain_mail(one: Follower | None, language: str) -> dict[str, Any] | None:
    """How the person follows a request by mail (PersonMailSchema); None if the person does not.

    language  the language of a report that asked for mail; "" without one
    """
    if one is None and not language:
        return None
    return {
        "email": one.email if one else None,
        "language": one.language if one else language,
        "since": one.created_at if one else None,
        "confirmed_datetime": one.confirmed_at if one else None,
    }


def _plain_photo(record: RequestRecord, photo: Photo) -> dict[str, Any]:
    """A photo (PersonPhotoSchema)."""
    address = next((url for url in record.media_urls if is_address_of(photo, url)), None)
    return {**plain_photo(photo), "media_url": address}


def _plain_report(
    city: Jurisdiction,
    record: RequestRecord,
    reporter: Reporter,
    events: Sequence[Event],
    of_others: Sequence[Photo],
) -> dict[str, Any]:
    """What the person reported, and what the city answered (PersonReportSchema).

    The comments of others are left out, and so are their photos. In the texts of the city, personal data are masked
    as for the public, unless the person has given them.
    """
    place, mask = record.place, Mask.of(record, city)
    given = (reporter.email, reporter.phone, record.description)
    mask = replace(mask, privacy=mask.privacy.with_own(given))
    return {
        **_plain_fields(asdict(reporter)),
        "description": record.description or None,
        "address": place.address or None,
        "zipcode": place.zipcode or None,
        "lat": place.lat,
        "long": place.long,
        "answers": [{"code": one.code, "values": list(one.values)} for one in record.answers],
        "media_urls": [url for url in record.media_urls if not _is_among(of_others, url)],
        "status_notes": mask.masked(record.status_notes) or None,
        "notes": [
            {"datetime": note.at, "type": note.type, "description": mask.masked(note.description) or None}
            for note in notes_of(event for event in events if event.kind not in history.COMMENTS)
        ],
        "feedback": [
            {"datetime": event.at, "answer": event.answer} for event in events if isinstance(event, FeedbackGiven)
        ],
    }


def _is_among(photos: Iterable[Photo], url: str) -> bool:
    return any(is_address_of(photo, url) for photo in photos)


def _plain_update(
    record: RequestRecord, one: Received, events: Sequence[Event], photos: Sequence[Photo]
) -> dict[str, Any]:
    """An update that the person sent (PersonUpdateSchema). `photos`: the photos that the person sent."""
    own = [photo for photo in photos if photo.version == one.version]
    texts = [event.note for event in events if event.version == one.version and event.note]
    names = ("email", "first_name", "last_name", "phone", "account_id")
    return {
        "update_id": one.update_id,
        "updated_datetime": one.at,
        "description": "\n".join(texts) or None,
        "media_urls": [*one.media_urls, *(url for url in record.media_urls if _is_among(own, url))],
        **_plain_fields({name: getattr(one, name) for name in names}),
    }


def _plain_fields(values: Mapping[str, str]) -> dict[str, str | None]:
    return {name: value or None for name, value in values.items()}
