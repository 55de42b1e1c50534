"""New requests: checked, routed, and stored in one transaction (A03, A15).

The transaction of a POST writes all of these rows or none of them:
- `service_request`
- `reporter`, if the submission says anything about the reporter
- `request_event`, one for each event
- `outbox`, from which the dispatcher takes what follows, such as the job that gets the id for a token
- `publication`, if the service answers with an id, and `personal_data`, if the request's texts have some
- `request_token`, for a batch service
- `repeatable_post`, if the client sends a key for repeated calls
- `external_id`, if the client sends its own id of the request
- `request_origin`, if another server says that the request comes from it
- `media`, for each photo: the row exists already, and now gets the number of the request
- `status_link`, if the client asks for the reporter's link
- what the argument `also` stores
storage/hot/submissions.py has the statement that writes most of these rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import orjson

from open311.domain.abuse import UNKNOWN, Sender
from open311.domain.access import Principal
from open311.domain.events import Event, FoundOutside, Promised, Received, Routed, Triaged
from open311.domain.ids import new_status_secret, new_token
from open311.domain.requests import TEST_REASON, Receipt, RequestRecord, Submission, Visibility
from open311.domain.routing import Draft, Route
from open311.domain.services import Service, ServiceType
from open311.errors import Gone, Invalid, Problem
from open311.operations.federation.borders import candidates_at
from open311.operations.intake.arriving import number_at, origin_of
from open311.operations.intake.check_submission import Checked, check_submission
from open311.operations.intake.holding import held_for_review
from open311.operations.intake.own_ids import OwnId, number_under, own_id_of, own_id_problems, with_own_id
from open311.operations.intake.routing import route_draft
from open311.operations.intake.suspecting import Sending, suspicions_about
from open311.operations.masking import masked_kinds
from open311.operations.media.arriving import Arrival, arriving
from open311.operations.platform import Platform
from open311.operations.publishing import Names, notes_of, publication_of
from open311.operations.reading.find_nearby import find_possible_duplicate
from open311.plugins import Jurisdiction
from open311.storage import media, origins, repeats, requests, status_links, tokens
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
    sender: Sender = UNKNOWN,
    wants_link: bool = False,
    also: Callable[[Run, RequestRecord], None] | None = None,
) -> Receipt:
    """Store a request and answer with its id, its token, or a notice, as its service's type requires.

    problems    the problems that were found before the submission is checked against the catalogue
    sender      what else is known about who sends the request, for the rules against abuse
    wants_link  whether the receipt has the secret of a link to the request. A call that finds an earlier request by
                the partner's own id or by its hops gets none, because nothing proves that its sender knows the
                request
    also        what else is stored in the transaction of the new request. If it raises an error, nothing is stored
    Raises NotFound for an unknown service_code, Forbidden for a service that is only for staff, Invalid with all
    problems (A59), Conflict for a request that comes from this city, Gone if an earlier call stored
    the request and it is deleted, and Unavailable.
    """
    submission = with_own_id(submission, jurisdiction)
    problems += tuple(own_id_problems(submission.external_id))
    own = None if problems else own_id_of(submission, principal)
    if own and (first := number_under(platform.database.hot.rows, jurisdiction, own)):
        return _first_receipt(platform, jurisdiction, first)
    origin = origin_of(platform, submission, jurisdiction, principal)
    checked = check_submission(platform, submission, jurisdiction, now, problems, is_staff=principal.is_staff)
    route = _route(jurisdiction, checked.draft, principal)
    place, code = checked.draft.place, checked.draft.service.code
    if candidates := candidates_at(platform, jurisdiction, place.point, code, now=now):
        checked = replace(checked, candidates=candidates)
        route = replace(route, reason=f"{route.reason}; near the border of {', '.join(candidates[1:])}")
    number = platform.process.numbers.next(platform.database.hot)
    sending = Sending.of_report(submission, place)
    suspicions = suspicions_about(platform, jurisdiction, sending, sender=sender, principal=principal, now=now)
    record = _record(jurisdiction, submission, checked, route, number=number, principal=principal, now=now)
    service = checked.draft.service
    if duplicate := find_possible_duplicate(platform, jurisdiction, service, record):
        record = replace(record, possible_duplicate_of=duplicate)
    record = held_for_review(record, service, jurisdiction)
    usual = record.visibility  # what the receipt says, also about a suspected request
    if suspicions:
        record = replace(record, visibility=Visibility.HELD)
    new = NewRequest(
        record=record,
        reporter=submission.reporter,
        language=submission.language,
        sms_language=submission.sms_language,
        events=[
            *_events(jurisdiction, record, route, principal, checked),
            *([suspicions.event(now)] if suspicions else []),
        ],
        publication=None,
        token=new_token() if service.type is ServiceType.BATCH else "",
        origin=origin,
    )
    secret = new_status_secret() if wants_link else ""
    if not (submission.client_request_id or own or origin or submission.photos or secret or also):
        stored = _store(platform, platform.database.hot.write, jurisdiction, service, new)
        return _receipt(stored, submission, checked, jurisdiction, usual)
    post = _post(submission, jurisdiction, principal)
    photos, address = submission.photos, submission.own_address
    with arriving(platform, jurisdiction, photos, own_address=address, now=now) as arrival:
        result = _store_once(
            platform, jurisdiction, service, new, post=post, own=own, arrival=arrival, secret=secret, also=also
        )
        if isinstance(result, NewRequest):
            return replace(
                _receipt(result, submission, checked, jurisdiction, usual, arrival), status_secret=secret
            )
    receipt = _with_remarks(_first_receipt(platform, jurisdiction, result), checked)
    if own or origin or not secret:
        return receipt
    with platform.database.hot.transaction() as run:
        status_links.add(run, jurisdiction.id, result, secret, now)
    return replace(receipt, status_secret=secret)


def is_repeat(
    platform: Platform, submission: Submission, *, jurisdiction: Jurisdiction, principal: Principal, now: datetime
) -> bool:
    """Whether an earlier call with this client_request_id has made a request, so that this call makes none."""
    post = _post(submission, jurisdiction, principal)
    return post is not None and repeats.is_claimed(platform.database.hot.rows, post, now)


def _post(submission: Submission, jurisdiction: Jurisdiction, principal: Principal) -> repeats.Post | None:
    """The call, if its client may repeat it; None if the client has sent no key for repeats."""
    if not submission.client_request_id:
        return None
    return repeats.Post(
        jurisdiction_id=jurisdiction.id,
        api_key_id=principal.number,
        client_key=submission.client_request_id,
        digest=_digest(submission),
    )


class _Taken(Exception):
    """Raised to roll back a request whose own id another call has stored meanwhile."""


def _store_once(
    platform: Platform,
    jurisdiction: Jurisdiction,
    service: Service,
    new: NewRequest,
    *,
    post: repeats.Post | None,
    own: OwnId | None,
    arrival: Arrival,
    secret: str = "",
    also: Callable[[Run, RequestRecord], None] | None = None,
) -> NewRequest | int:
    """Store a request unless an earlier call has. Returns what was stored, or the number of the earlier request."""
    hot, now = platform.database.hot, new.record.requested_at
    with suppress(_Taken), _turns(platform, jurisdiction, post, own), hot.transaction() as run:
        if new.origin and (known := number_at(run, jurisdiction, new.origin)):
            if own:
                own.claim(run, jurisdiction, replace(new.record, number=known))
            return known
        if post and not repeats.claim(run, post, new.record.number, now):
            first, is_same = repeats.first_answer(run, post)
            if not is_same:
                fault = tell("was used for another request within the last day; send a new one.")
                raise Invalid(fault, "client_request_id")
            return first
        stored = _store(platform, run, jurisdiction, service, new)
        if own and not own.claim(run, jurisdiction, stored.record):
            raise _Taken
        if new.origin:
            origins.add(run, jurisdiction.id, stored.record.number, new.origin)
        arrival.attach(run, stored.record.number)
        if secret:
            status_links.add(run, jurisdiction.id, stored.record.number, secret, now)
        if also:
            also(run, stored.record)
        return stored
    assert own is not None
    return number_under(hot.rows, jurisdiction, own)


@contextmanager
def _turns(
    platform: Platform, jurisdiction: Jurisdiction, post: repeats.Post | None, own: OwnId | None
) -> Iterator[None]:
    """Wait until no other call of this process stores the same request."""
    running = platform.process.running
    with ExitStack() as stack:
        if post:
            stack.enter_context(running.turn((post.jurisdiction_id, post.api_key_id, post.client_key)))
        if own:
            stack.enter_context(running.turn((jurisdiction.id, 0, f"{own.system} {own.name}")))
        yield


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
        new,
        record=record,
        publication=publication_of(record, Names(jurisdiction, {}), notes_of(new.events), new.origin),
    )


def _receipt(
    stored: NewRequest,
    submission: Submission,
    checked: Checked,
    jurisdiction: Jurisdiction,
    usual: Visibility,
    arrival: Arrival | None = None,
) -> Receipt:
    receipt = Receipt(
        service_request_id=stored.record.service_request_id,
        token=stored.token,
        service_code=stored.record.service_code,
        service_notice=stored.record.service_notice,
        account_id=submission.reporter.account_id,
        photos=arrival.kept if arrival else 0,
        lost_photos=arrival.lost if arrival else 0,
        is_new=True,
        **_privacy(replace(stored.record, visibility=usual), jurisdiction),
    )
    return _with_remarks(receipt, checked)


def _privacy(record: RequestRecord, jurisdiction: Jurisdiction) -> dict[str, Any]:
    """What the receipt says about texts that the public does not read.

    Nothing if the public never reads the request.
    """
    service = jurisdiction.service(record.service_code)
    is_blackbox = service is not None and service.type is ServiceType.BLACKBOX
    if is_blackbox or record.visibility is Visibility.PRIVATE:
        return {}
    return {"masked": masked_kinds(record, jurisdiction), "is_held": record.visibility is Visibility.HELD}


def _with_remarks(receipt: Receipt, checked: Checked) -> Receipt:
    """The receipt, with what the caller is told about the check."""
    if not (checked.unknown or checked.kept or checked.replaced or checked.remarks or checked.candidates):
        return receipt
    return replace(
        receipt,
        unknown_attributes=checked.unknown,
        kept_attributes=tuple(answer.code for answer in checked.kept),
        replaced_service=checked.replaced,
        remarks=checked.remarks,
        candidates=checked.candidates,
    )


def _route(jurisdiction: Jurisdiction, draft: Draft, principal: Principal) -> Route:
    """The city's route; none for a test key."""
    if principal.is_test:
        return Route(department="", reason=TEST_REASON)
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
        channel=principal.channel,
        media_urls=submission.media_urls,
        answers=draft.answers + checked.kept + checked.put_aside,
        visibility=_visibility(draft.service, principal),
    )


def _visibility(service: Service, principal: Principal) -> Visibility:
    """Who can see a new request. Test keys make no difference for a service with private requests."""
    if not service.is_public:
        return Visibility.PRIVATE
    return Visibility.UNLISTED if principal.is_test else Visibility.PUBLIC


def _due(jurisdiction: Jurisdiction, draft: Draft, department: str, now: datetime) -> datetime | None:
    """By when the request should be done; None without a department, which requests of test keys do not have."""
    if not department or not jurisdiction.levels.rules:
        return None
    return jurisdiction.due(draft.service.code, department, now, answers=draft.values)


def _events(
    jurisdiction: Jurisdiction, record: RequestRecord, route: Route, principal: Principal, checked: Checked
) -> Iterator[Event]:
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
        rule = jurisdiction.levels.rule(record.service_code, record.department, checked.draft.values)
        yield Promised(at=at, expected=record.expected_at, reason=rule)


def _first_receipt(platform: Platform, jurisdiction: Jurisdiction, number: int) -> Receipt:
    """The answer to the call that stored a request. Raises Gone if the request is deleted."""
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction.id, number=number)
        if record is None:
            raise Gone(tell("made a request that is deleted; send another client_request_id."), "client_request_id")
        token = tokens.token_of(connection, jurisdiction.id, number)
        account_id = requests.load_account_id(connection, jurisdiction.id, number)
        photos = media.count(connection, jurisdiction.id, number)
    return Receipt(
        service_request_id="" if token else record.service_request_id,
        token=token,
        service_code=record.service_code,
        service_notice=record.service_notice,
        account_id=account_id,
        photos=photos,
        **_privacy(record, jurisdiction),
    )


def _digest(submission: Submission) -> bytes:
    """A digest of what was sent. It must stay the same from release to release.

    The reason is that a server of a former release may have taken the first call.
    """
    sent = {name: getattr(submission, name) for name in _DIGESTED}
    if submission.external_id:
        sent["external_id"] = submission.external_id
    if submission.sms_language:
        sent["sms"] = True
    if submission.photos:
        sent["photos"] = [photo.content_hash.hex() for photo in submission.photos]
    return hashlib.sha256(orjson.dumps(sent)).digest()


_UNDIGESTED = ("external_id", "via", "photos", "own_address", "language", "sms_language")
_DIGESTED = [item.name for item in fields(Submission) if item.name not in _UNDIGESTED]
