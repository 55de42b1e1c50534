"""New requests: checked, routed, and stored in one transaction (A03, A15).

A POST writes all of these rows or none of them:
- `service_request`
- `reporter`, if the submission says anything about the reporter
- `request_event`, one for each event
- `publication`, if the service answers with an id
- `request_token` and a job, for a batch service
- `repeatable_post`, if the client sends a key for repeated calls
storage/hot/submissions.py has the statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import orjson

from open311.domain.access import Principal
from open311.domain.events import Event, FoundOutside, Promised, Received, Routed, Triaged
from open311.domain.ids import new_token
from open311.domain.requests import Receipt, RequestRecord, Submission, Visibility
from open311.domain.routing import Draft, Route
from open311.domain.services import Service, ServiceType
from open311.errors import Gone, Invalid, Problem
from open311.operations.intake.check_submission import Checked, check_submission
from open311.operations.intake.routing import route_draft
from open311.operations.platform import Platform
from open311.operations.publishing import Names, notes_of, publication_of
from open311.operations.reading.find_nearby import find_possible_duplicate
from open311.plugins import Jurisdiction
from open311.storage import repeats, requests, tokens
from open311.storage.hot.submissions import NewRequest, insert_request
from open311.storage.hot.transactions import Run
from schemas.texts import tell


def submit_request(
    platform: Platform,
    submission: Submission,
    *,
    jurisdiction: Jurisdiction,
    principal: Principal,
    now: datetime,
    problems: tuple[Problem, ...] = (),
) -> Receipt:
    """Store a request and answer with its id, its token, or a notice, as its service's type requires.

    problems  those found before the catalogue was checked
    Raises NotFound for an unknown service_code, Invalid with all problems (A59), Unavailable.
    """
    checked = check_submission(platform, submission, jurisdiction, now, problems)
    route = _route(jurisdiction, checked.draft, principal)
    number = platform.process.numbers.next(platform.database.hot)
    record = _record(jurisdiction, submission, checked, route, number=number, principal=principal, now=now)
    service = checked.draft.service
    if duplicate := find_possible_duplicate(platform, jurisdiction, service, record):
        record = replace(record, possible_duplicate_of=duplicate)
    new = NewRequest(
        record=record,
        reporter=submission.reporter,
        events=list(_events(record, route, principal, checked)),
        publication=None,
        token=new_token() if service.type is ServiceType.BATCH else "",
    )
    if not submission.client_request_id:
        stored = _store(platform, platform.database.hot.write, jurisdiction, service, new)
        return _receipt(stored, submission, checked)
    post = repeats.Post(
        jurisdiction_id=jurisdiction.id,
        api_key_id=principal.number,
        client_key=submission.client_request_id,
        digest=_digest(submission),
    )
    running = platform.process.running.turn((post.jurisdiction_id, post.api_key_id, post.client_key))
    with running, platform.database.hot.transaction() as run:
        if repeats.claim(run, post, number, now):
            return _receipt(_store(platform, run, jurisdiction, service, new), submission, checked)
        first, is_same = repeats.first_answer(run, post)
    if not is_same:
        fault = tell("was used for another request within the last day; send a new one.")
        raise Invalid(fault, "client_request_id")
    return _with_remarks(_first_receipt(platform, jurisdiction, first), checked)


def _store(
    platform: Platform, run: Run, jurisdiction: Jurisdiction, service: Service, new: NewRequest
) -> NewRequest:
    """Store the request. If its id is taken, for example by an import, the next number is tried."""
    number = new.record.number
    while True:
        if service.type is ServiceType.REALTIME:
            new = _with_id(new, jurisdiction, jurisdiction.new_id(number, new.record.requested_at))
        if insert_request(run, new):
            return new
        number = platform.process.numbers.next(platform.database.hot)


def _with_id(new: NewRequest, jurisdiction: Jurisdiction, service_request_id: str) -> NewRequest:
    record = replace(new.record, service_request_id=service_request_id)
    return replace(
        new, record=record, publication=publication_of(record, Names(jurisdiction, {}), notes_of(new.events))
    )


def _receipt(stored: NewRequest, submission: Submission, checked: Checked) -> Receipt:
    receipt = Receipt(
        service_request_id=stored.record.service_request_id,
        token=stored.token,
        service_code=stored.record.service_code,
        service_notice=stored.record.service_notice,
        account_id=submission.reporter.account_id,
    )
    return _with_remarks(receipt, checked)


def _with_remarks(receipt: Receipt, checked: Checked) -> Receipt:
    """The receipt with the attributes that the service does not ask for."""
    if not (checked.unknown or checked.kept):
        return receipt
    kept = tuple(answer.code for answer in checked.kept)
    return replace(receipt, unknown_attributes=checked.unknown, kept_attributes=kept)


def _route(jurisdiction: Jurisdiction, draft: Draft, principal: Principal) -> Route:
    """The city's route; none for a test key."""
    if principal.is_test:
        return Route(department="", reason="test key")
    return route_draft(jurisdiction, draft)


def _record(
    jurisdiction: Jurisdiction,
    submission: Submission,
    checked: Checked,
    route: Route,
    *,
    number: int,
    principal: Principal,
    now: datetime,
) -> RequestRecord:
    draft = checked.draft
    return RequestRecord(
        jurisdiction_id=jurisdiction.id,
        number=number,
        service_code=draft.service.code,
        place=draft.place,
        requested_at=now,
        updated_at=now,
        changed_at=now,
        description=submission.description,
        department=route.department,
        route_reason=route.reason,
        is_triage=route.is_triage,
        service_notice=draft.service.notice,
        expected_at=_due(jurisdiction, draft, route.department, now),
        is_outside=checked.is_outside or not checked.is_offered,
        areas=jurisdiction.areas_at(draft.place),
        channel="api",
        media_urls=submission.media_urls,
        answers=draft.answers + checked.kept,
        visibility=Visibility.UNLISTED if principal.is_test else Visibility.PUBLIC,
    )


def _due(jurisdiction: Jurisdiction, draft: Draft, department: str, now: datetime) -> datetime | None:
    """By when the request should be done; None without a department, which requests of test keys do not have."""
    if not department or not jurisdiction.levels.rules:
        return None
    return jurisdiction.due(draft.service.code, department, now, answers=draft.values)


def _events(record: RequestRecord, route: Route, principal: Principal, checked: Checked) -> Iterator[Event]:
    at = record.requested_at
    yield Received(
        at=at,
        actor=str(principal),
        department=route.department,
        visibility=record.visibility,
        channel=record.channel,
        needs_id=checked.draft.service.type is ServiceType.BATCH,
    )
    if route.department:
        kind = Triaged if route.is_triage else Routed
        yield kind(at=at, department=route.department, reason=route.reason)
    if record.is_outside:
        yield FoundOutside(at=at, service="" if checked.is_offered else record.service_code)
    if record.expected_at is not None:
        yield Promised(at=at, expected=record.expected_at)


def _first_receipt(platform: Platform, jurisdiction: Jurisdiction, number: int) -> Receipt:
    """The answer to the call that stored a request."""
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction.id, number=number)
        if record is None:
            raise Gone(tell("made a request that is deleted; send another client_request_id."), "client_request_id")
        token = tokens.token_of(connection, jurisdiction.id, number)
        account_id = requests.load_account_id(connection, jurisdiction.id, number)
    return Receipt(
        service_request_id="" if token else record.service_request_id,
        token=token,
        service_code=record.service_code,
        service_notice=record.service_notice,
        account_id=account_id,
    )


def _digest(submission: Submission) -> bytes:
    return hashlib.sha256(orjson.dumps(submission, option=orjson.OPT_SORT_KEYS)).digest()
