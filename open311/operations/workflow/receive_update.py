"""Receive updates of requests from outside, in mySociety's dialect.

A key that may update acts for the city: the status and the text of its updates count as the city's own. An update
with any other key is a comment for staff, which the public sees only if the city says so. Its status has no effect,
and the answer tells the sender so. A comment on a request that waits for its reporter counts as the answer: it ends
the hold. An update that breaks a rule against abuse gets the usual answer and has no effect until a person releases
it (`operations.desk.suspected`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from open311.domain.abuse import UNKNOWN, Sender
from open311.domain.access import Principal, Role
from open311.domain.commands import Command
from open311.domain.events import Commented, CommentHeld, Event, ProgressMade, PublicComment, apply_all
from open311.domain.personal_data import DataKind
from open311.domain.photos import SentPhoto
from open311.domain.questions import held_for_answer, progress_before
from open311.domain.requests import MAX_DESCRIPTION_CHARACTERS, Progress, RequestRecord, Visibility
from open311.domain.services import PhotoRule
from open311.domain.text import clean_text
from open311.domain.updates import SentUpdate, UpdateReceipt
from open311.domain.workflow import MEANINGS, word_of
from open311.errors import Forbidden, Invalid, NotFound, Problem
from open311.operations.intake.check_submission import field_problems, media_url_fault
from open311.operations.intake.suspecting import Sending, Suspicions, suspicions_about
from open311.operations.masking import Mask
from open311.operations.media.arriving import arriving
from open311.operations.media.preparing import defer_preparing
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import act_within
from open311.operations.workflow.apply import change_requests
from open311.operations.workflow.due_dates import due_events
from open311.operations.workflow.effects import Desk
from open311.operations.workflow.words import commands_for_word
from open311.plugins import Jurisdiction
from open311.storage import history, requests, staff_repeats, updates
from open311.storage.hot.transactions import within
from open311.storage.staff_repeats import Repeat
from open311.storage.updates import Received
from schemas.texts import Message, tell

PUBLIC_COMMENTS = "public"
"""The value of a city's `comments` if the public sees them."""


def receive_update(
    platform: Platform,
    jurisdiction: Jurisdiction,
    sent: SentUpdate,
    *,
    principal: Principal,
    now: datetime,
    problems: Sequence[Problem] = (),
    photos: Sequence[SentPhoto] = (),
    own_address: str = "",
    sender: Sender = UNKNOWN,
) -> UpdateReceipt:
    """Store an update, and change the request if the sender may. Both happen in one transaction.

    photos       photos in the call; the public sees them if it sees the text
    own_address  the address of this server that the sender has called
    sender       what else is known about the sender, for the rules against abuse
    problems     faults of the call that the caller of this function has found; they are raised together with those
                 found here
    Raises Invalid, also for an update_id that the sender has used before; NotFound for a request that is unknown or
    not public; Forbidden for a test key and a request that no test key has sent.
    """
    found = [*problems, *_problems(sent)]
    if found:
        raise Invalid.of(found)
    digest = _digest(sent, photos)
    with (
        arriving(platform, jurisdiction, photos, own_address=own_address, now=now) as arrival,
        platform.database.transaction() as connection,
    ):
        desk = Desk(connection, jurisdiction, principal, now)
        before = _request(desk, sent.service_request_id)
        known = updates.find_received(connection, jurisdiction.id, principal.number, sent.update_id)
        if known is not None and sent.client_key and known == (sent.client_key, digest):
            return _receipt(sent, ())
        if known is not None:
            raise _repeated(sent.update_id)
        if sent.client_key:
            _require_new_key(desk, sent.client_key, digest)
        sending = Sending.of_update(sent, before)
        suspicions = suspicions_about(platform, jurisdiction, sending, sender=sender, principal=principal, now=now)
        ignored = _ignored(desk, before, sent)
        after = _stored(desk, before, sent, suspicions)
        received = _received(after, sent, principal, digest)
        if not updates.add_received(connection, replace(received, is_held=bool(suspicions))):
            raise _repeated(sent.update_id)
        is_public = not suspicions and (principal.may_update or jurisdiction.comments == PUBLIC_COMMENTS)
        arrival.attach(within(connection), after.number, version=after.version, is_public=is_public)
        if arrival.kept:
            defer_preparing(platform, connection, jurisdiction.id, after.number)
    masked = _masked(before, sent, jurisdiction, principal)
    rule = jurisdiction.photo_rule(before.service_code) if is_public else PhotoRule.PRIVATE
    return replace(
        _receipt(sent, ignored), masked=masked, photos=arrival.kept, photo_rule=rule, lost_photos=arrival.lost
    )


def _masked(
    before: RequestRecord, sent: SentUpdate, city: Jurisdiction, principal: Principal
) -> tuple[DataKind, ...]:
    """The kinds of personal data that are masked for the public; none if the public does not see the text."""
    found: set[DataKind] = set()
    if principal.may_update or city.comments == PUBLIC_COMMENTS:
        Mask.of(before, city).masked(clean_text(sent.description), found)
    return tuple(kind for kind in DataKind if kind in found)


def _digest(sent: SentUpdate, photos: Sequence[SentPhoto]) -> bytes:
    """A digest of everything that was sent."""
    plain = orjson.dumps(replace(sent, client_key=""))
    return hashlib.sha256(b"".join([plain, *(photo.content_hash for photo in photos)])).digest()


def _request(desk: Desk, name: str) -> RequestRecord:
    """Load the request with a lock.

    A test key can only update requests of test keys, so that tests reach no citizen.
    """
    record = requests.load_record(desk.connection, desk.jurisdiction.id, service_request_id=name)
    if record is None or not record.visibility.is_shown:
        raise NotFound(tell("{id!r} is not a request here.", id=name[:60]), "service_request_id")
    if desk.principal.is_test and record.visibility is not Visibility.UNLISTED:
        raise Forbidden(tell("is a test key, which can only update requests of test keys."), "api_key")
    return record


def _require_new_key(desk: Desk, client_key: str, digest: bytes) -> None:
    """Raise Invalid if the sender has used its Idempotency-Key for another update within the last day."""
    city, actor = desk.jurisdiction.id, str(desk.principal)
    repeat = Repeat(jurisdiction_id=city, actor=actor, client_key=client_key, digest=digest)
    if not staff_repeats.claim(desk.connection, repeat, desk.now):
        fault = tell("was used for another update within the last day; send a new one.")
        raise Invalid(fault, "Idempotency-Key")


def _repeated(update_id: str) -> Invalid:
    fault = tell("{id!r} was received before; give each update its own id.", id=update_id[:60])
    return Invalid(fault, "update_id")


def _receipt(sent: SentUpdate, ignored: tuple[Message, ...]) -> UpdateReceipt:
    return UpdateReceipt(update_id=sent.update_id, account_id=sent.account_id, ignored=ignored)


def _problems(sent: SentUpdate) -> Iterator[Problem]:
    if sent.status and sent.status not in MEANINGS:
        shown, known = sent.status[:60], ", ".join(MEANINGS)
        yield Problem("status", tell("{value!r} is no status; use one of {known}.", value=shown, known=known))
    if len(sent.description) > MAX_DESCRIPTION_CHARACTERS:
        lengths = {"count": len(sent.description), "most": MAX_DESCRIPTION_CHARACTERS}
        yield Problem("description", tell("has {count} characters; {most} are allowed.", **lengths))
    yield from field_problems(
        {
            name: getattr(sent, name)
            for name in ("update_id", "email", "first_name", "last_name", "phone", "account_id")
        }
    )
    for url in sent.media_urls:
        if fault := media_url_fault(url):
            yield Problem("media_url", fault)


def _stored(desk: Desk, before: RequestRecord, sent: SentUpdate, suspicions: Suspicions) -> RequestRecord:
    """The request after the update."""
    if suspicions:
        note, actor = clean_text(sent.description), str(desk.principal)
        held = CommentHeld(at=desk.now, actor=actor, note=note, update_id=sent.update_id)
        return _changed(desk, before, [suspicions.event(desk.now), held])
    if desk.principal.may_update:
        acting = replace(desk, principal=replace(desk.principal, role=Role.AGENT))
        return act_within(acting, sent.service_request_id, _orders(desk, before, sent)[0])
    note, actor = clean_text(sent.description), str(desk.principal)
    return _changed(desk, before, comment_events(desk, before, note, actor=actor, update_id=sent.update_id))


def _changed(desk: Desk, before: RequestRecord, events: Sequence[Event]) -> RequestRecord:
    [after] = change_requests(desk.connection, [(before, events)], names_for(desk.connection, desk.jurisdiction))
    return after


def comment_events(
    desk: Desk, before: RequestRecord, note: str, *, actor: str, update_id: str, cause: str = "", reason: str = ""
) -> list[Event]:
    """The events of a comment on a request.

    actor   who sent the comment
    cause   who released the comment; "" if it was not held
    reason  why the comment was released; "" if it was not held
    """
    kind = PublicComment if desk.jurisdiction.comments == PUBLIC_COMMENTS else Commented
    comment = kind(at=desk.now, actor=actor, cause=cause, note=note, reason=reason, update_id=update_id)
    events = [comment, *_resumed(desk, before, actor)]
    return [*events, *due_events(desk, before, apply_all(before, events), events)]


def _ignored(desk: Desk, before: RequestRecord, sent: SentUpdate) -> tuple[Message, ...]:
    """What the sender is told about parts of the update that have no effect."""
    if desk.principal.may_update:
        return _orders(desk, before, sent)[1]
    is_same = MEANINGS[sent.status] is None or sent.status in (word_of(before), str(before.status))
    if is_same:
        return ()
    return (tell("status {status} has no effect, because this key can only comment", status=sent.status),)


def _resumed(desk: Desk, before: RequestRecord, actor: str) -> Iterator[Event]:
    """The event that ends the hold, if the request waits for an answer to a question."""
    if before.progress is not Progress.ON_HOLD:
        return
    past = history.load_events(desk.connection, desk.jurisdiction.id, before.number)
    hold = held_for_answer(before, past)
    if hold is not None:
        progress, detail = progress_before(hold, past)
        shared: dict[str, Any] = {"at": desk.now, "actor": actor, "reason": "An answer to the question came."}
        yield ProgressMade(**shared, old=before.progress, new=progress, detail=detail)


def _orders(desk: Desk, before: RequestRecord, sent: SentUpdate) -> tuple[Sequence[Command], tuple[Message, ...]]:
    """The commands that the city gives by an update, and messages about parts of the update that have no effect."""
    return commands_for_word(
        before,
        sent.status,
        MEANINGS[sent.status],
        desk.jurisdiction,
        text=sent.description,
        reason=f"update {sent.update_id}",
    )


def _received(after: RequestRecord, sent: SentUpdate, principal: Principal, digest: bytes) -> Received:
    return Received(
        jurisdiction_id=after.jurisdiction_id,
        api_key_id=principal.number,
        update_id=sent.update_id,
        request_id=after.number,
        version=after.version,
        client_key=sent.client_key,
        digest=digest,
        at=sent.updated_at,
        email=sent.email,
        first_name=sent.first_name,
        last_name=sent.last_name,
        phone=sent.phone,
        account_id=sent.account_id,
        media_urls=sent.media_urls,
    )
