"""Taking a new request: checked, routed and stored in one transaction; sent on later (A03, A04, A09, A15, A59)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson

from open311.domain.attributes import AnswerPolicy, check_answers
from open311.domain.ids import new_token
from open311.domain.places import read_place
from open311.domain.requests import (
    MAX_DESCRIPTION_CHARACTERS,
    Event,
    Receipt,
    Record,
    Submission,
    Visibility,
)
from open311.domain.routing import Draft, Route
from open311.domain.services import Service, ServiceType
from open311.errors import Invalid, Problem
from open311.observe import logger
from open311.operations.platform import Platform
from open311.operations.publishing import Names, publish
from open311.plugins import Jurisdiction
from open311.storage import repeats, requests, tokens
from open311.storage.engine import Connection
from open311.storage.keys import Key

log = logger(__name__)

MAX_URL_CHARACTERS = 2_000
MAX_FIELD_CHARACTERS = 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A draft that may be stored, and what routing does not look at."""

    draft: Draft
    is_outside: bool


def submit_request(
    platform: Platform,
    submission: Submission,
    *,
    jurisdiction: Jurisdiction,
    key: Key,
    now: datetime,
    problems: tuple[Problem, ...] = (),
) -> Receipt:
    """Store a request and answer with its id, its token, or a notice, as its service's type wants.

    problems  what was wrong already before the catalogue was looked at
    Raises NotFound for an unknown service_code, Invalid with every problem found (A59), Unavailable.
    """
    checked = _check(platform, submission, jurisdiction, now, problems)
    service = checked.draft.service
    route = _route(jurisdiction, checked.draft, key)
    with platform.database.transaction() as connection:
        number = platform.numbers.next(connection)
        repeated = _repeated(connection, submission, jurisdiction, key, number, now)
        if repeated is not None:
            return repeated
        record = _record(jurisdiction, submission, checked, route, number=number, key=key, now=now)
        record = _insert(platform, connection, jurisdiction, record, service, now)
        requests.insert_reporter(connection, record, submission.reporter)
        requests.insert_events(connection, record, _events(record, route, now))
        publish(connection, [record], Names(jurisdiction, {}))
        token = _give_token(platform, connection, record) if service.type is ServiceType.BATCH else ""
    return Receipt(
        service_request_id=record.service_request_id,
        token=token,
        service_notice=record.service_notice,
        account_id=submission.reporter.account_id,
    )


def _service(jurisdiction: Jurisdiction, code: str, problems: Sequence[Problem]) -> Service:
    """The service with a code; an unknown one is NotFound alone, a missing one a problem among others (A59)."""
    try:
        return jurisdiction.require_service(code)
    except Invalid as error:
        raise Invalid.of([*error.problems, *problems]) from None


def _check(
    platform: Platform,
    submission: Submission,
    jurisdiction: Jurisdiction,
    now: datetime,
    earlier: tuple[Problem, ...],
) -> _Checked:
    """Everything the catalogue and the operator ask of a submission; Invalid with all problems at once."""
    problems = list(earlier)
    place, found = read_place(
        lat=submission.lat,
        long=submission.long,
        address=submission.address_string,
        address_id=submission.address_id,
    )
    problems += found
    is_outside = place.point is not None and not jurisdiction.covers(*place.point)
    if is_outside and jurisdiction.outside == "refuse":
        problems.append(
            Problem("lat", f"the point lies outside {jurisdiction.name}; report it to the city it is in.")
        )
    problems += _text_problems(platform, submission)
    service = _service(jurisdiction, submission.service_code, problems)
    answers, found = check_answers(service, dict(submission.attributes), _policy(platform, jurisdiction))
    problems += found
    draft = Draft(
        service=service, place=place, answers=answers, description=submission.description, requested_at=now
    )
    if not problems:
        problems += _own_problems(jurisdiction, draft)
    if problems:
        raise Invalid.of(problems)
    return _Checked(draft, is_outside)


def _own_problems(jurisdiction: Jurisdiction, draft: Draft) -> list[Problem]:
    try:
        return jurisdiction.check(draft)
    except Exception:  # a plugin is foreign code; whatever it raises, the request is taken
        log.exception("checking failed", jurisdiction=jurisdiction.id, service=draft.service.code)
        return []


def _policy(platform: Platform, jurisdiction: Jurisdiction) -> AnswerPolicy:
    return AnswerPolicy(
        zone=jurisdiction.zone,
        refuse_unknown=platform.settings.refuse_unknown_attributes,
        accept_labels=platform.settings.accept_value_names,
    )


def _text_problems(platform: Platform, submission: Submission) -> Iterator[Problem]:
    if len(submission.description) > MAX_DESCRIPTION_CHARACTERS:
        yield Problem(
            "description",
            f"has {len(submission.description)} characters; {MAX_DESCRIPTION_CHARACTERS} are allowed.",
        )
    for url in submission.media_urls:
        fault = media_url_fault(url)
        if fault:
            yield Problem("media_url", fault)
    email = submission.reporter.email
    if email and platform.settings.check_email and not _EMAIL.fullmatch(email):
        yield Problem("email", "is not an email address; correct it or leave it out.")
    fields = {
        "address_string": submission.address_string,
        "address_id": submission.address_id,
        "email": email,
        "first_name": submission.reporter.first_name,
        "last_name": submission.reporter.last_name,
        "phone": submission.reporter.phone,
        "device_id": submission.reporter.device_id,
        "account_id": submission.reporter.account_id,
        "client_request_id": submission.client_request_id,
    }
    for name, value in fields.items():
        if len(value) > MAX_FIELD_CHARACTERS:
            yield Problem(name, f"has {len(value)} characters; {MAX_FIELD_CHARACTERS} are allowed.")


def media_url_fault(url: str) -> str:
    """Why an address may not stand in media_url; "" if it may.

    Only http and https, without credentials, and not to a private host: clients would fetch it (A17).
    """
    if len(url) > MAX_URL_CHARACTERS:
        return f"is longer than {MAX_URL_CHARACTERS} characters."
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  # raises for a port that is no number
    except ValueError:
        return "is not a URL; send an http or https address."
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s<>\"]", url):
        return "is not a URL; send an http or https address."
    if parts.username is not None:
        return "holds a user name; send an address without one."
    return "leads to a private address; send a public one." if _is_private(host) else ""


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        # Browsers take 127.1, 0177.0.0.1 and 0x7f.1 for addresses; the last label of a name is never a number.
        is_number = re.fullmatch(r"\d+|0x[0-9a-f]*", name.rpartition(".")[2])
        return "." not in name or bool(is_number) or name.endswith((".localhost", ".local", ".internal"))


def _route(jurisdiction: Jurisdiction, draft: Draft, key: Key) -> Route:
    """Test keys' requests go nowhere; a plugin that fails or names no department leaves it to the triage desk."""
    if key.is_test:
        return Route(department="", reason="test key")
    try:
        route = jurisdiction.route(draft)
        jurisdiction.department(route.department)
        return route
    except Exception:  # a plugin is foreign code; whatever it raises, the request is taken
        log.exception("routing failed", jurisdiction=jurisdiction.id, service=draft.service.code)
        return Route(department=jurisdiction.triage, reason="routing failed", is_triage=True)


def _record(
    jurisdiction: Jurisdiction,
    submission: Submission,
    checked: _Checked,
    route: Route,
    *,
    number: int,
    key: Key,
    now: datetime,
) -> Record:
    return Record(
        jurisdiction_id=jurisdiction.id,
        number=number,
        service_code=checked.draft.service.code,
        place=checked.draft.place,
        requested_at=now,
        updated_at=now,
        changed_at=now,
        description=submission.description,
        department=route.department,
        route_reason=route.reason,
        is_triage=route.is_triage,
        service_notice=checked.draft.service.notice,
        is_outside=checked.is_outside,
        media_urls=submission.media_urls,
        answers=checked.draft.answers,
        visibility=Visibility.UNLISTED if key.is_test else Visibility.PUBLIC,
    )


def _insert(
    platform: Platform,
    connection: Connection,
    jurisdiction: Jurisdiction,
    record: Record,
    service: Service,
    now: datetime,
) -> Record:
    """Store the record, under a free id if its service answers with one (imports may hold some already)."""
    number = record.number
    while True:
        if service.type is ServiceType.REALTIME:
            record = replace(record, service_request_id=jurisdiction.new_id(number, now))
        if requests.insert_record(connection, record):
            return record
        number = platform.numbers.next(connection)


def _give_token(platform: Platform, connection: Connection, record: Record) -> str:
    token = new_token()
    tokens.add_token(connection, record.jurisdiction_id, token, record.number)
    platform.queue.defer(
        connection, "resolve", jurisdiction_id=record.jurisdiction_id, number=record.number, token=token
    )
    return token


def _events(record: Record, route: Route, now: datetime) -> Iterator[Event]:
    yield Event(now, "received", is_public=True)
    if route.department:
        kind = "triage" if route.is_triage else "routed"
        yield Event(now, kind, f"{route.department} ({route.reason})")
    if record.is_outside:
        yield Event(now, "note", "The point lies outside the boundary.")


def _repeated(
    connection: Connection,
    submission: Submission,
    jurisdiction: Jurisdiction,
    key: Key,
    number: int,
    now: datetime,
) -> Receipt | None:
    """The first answer, when this call came before; Invalid when its key came with something else."""
    if not submission.client_request_id:
        return None
    post = repeats.Post(
        jurisdiction_id=jurisdiction.id,
        api_key_id=key.id,
        client_key=submission.client_request_id,
        digest=_digest(submission),
    )
    if repeats.claim(connection, post, number, now):
        return None
    first, is_same = repeats.first_answer(connection, post)
    if not is_same:
        raise Invalid("was used for another request within the last day; send a new one.", "client_request_id")
    record = requests.load_record(connection, jurisdiction.id, number=first)
    if record is None:
        return None
    token = tokens.token_of(connection, jurisdiction.id, first)
    return Receipt(
        service_request_id="" if token else record.service_request_id,
        token=token,
        service_notice=record.service_notice,
        account_id=requests.load_account_id(connection, jurisdiction.id, first),
    )


def _digest(submission: Submission) -> bytes:
    return hashlib.sha256(orjson.dumps(submission, option=orjson.OPT_SORT_KEYS)).digest()
