"""Updates of requests that come from outside, in mySociety's dialect.

A key that may update acts for the city: its status and its text count as the city's own. Whatever other keys send
is a comment for staff, which the public sees only if the city says so. Their status has no effect; they are told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from open311.domain import commands
from open311.domain.access import Principal, Role
from open311.domain.commands import Command
from open311.domain.events import Commented, PublicComment
from open311.domain.requests import MAX_DESCRIPTION_CHARACTERS, RequestRecord, Visibility
from open311.domain.text import clean_text
from open311.domain.updates import SentUpdate, UpdateReceipt
from open311.domain.workflow import MEANINGS, TRANSITIONS, Meaning, Outcome, State, state_of, word_of
from open311.errors import Forbidden, Invalid, NotFound, Problem
from open311.operations.intake.check_submission import field_problems, media_url_fault
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import act_within
from open311.operations.workflow.apply import change_requests
from open311.operations.workflow.effects import Desk
from open311.plugins import Jurisdiction
from open311.storage import requests, updates
from open311.storage.updates import Received
from schemas.texts import Message, tell


def receive_update(
    platform: Platform,
    jurisdiction: Jurisdiction,
    sent: SentUpdate,
    *,
    principal: Principal,
    now: datetime,
    problems: Sequence[Problem] = (),
) -> UpdateReceipt:
    """Store an update, and change the request if the sender may. Both happen in one transaction.

    problems  what is wrong with the call already; told together with what is found here
    Raises Invalid, also for an update_id that came before; NotFound for a request that is unknown or not public.
    """
    found = [*problems, *_problems(sent)]
    if found:
        raise Invalid.of(found)
    digest = hashlib.sha256(orjson.dumps(replace(sent, client_key=""))).digest()
    with platform.database.transaction() as connection:
        desk = Desk(connection, jurisdiction, principal, now)
        before = _request(desk, sent.service_request_id)
        known = updates.find_received(connection, jurisdiction.id, principal.number, sent.update_id)
        if known is not None and sent.client_key and known == (sent.client_key, digest):
            return _receipt(sent, ())
        if known is not None:
            raise _repeated(sent.update_id)
        after, ignored = (_as_city if principal.may_update else _as_comment)(desk, before, sent)
        if not updates.add_received(connection, _received(after, sent, principal, digest)):
            raise _repeated(sent.update_id)
    return _receipt(sent, ignored)


def _request(desk: Desk, name: str) -> RequestRecord:
    """The request, locked. A test key knows only requests of test keys, so that tests reach no citizen."""
    record = requests.load_record(desk.connection, desk.jurisdiction.id, service_request_id=name)
    if record is None or not record.visibility.is_shown:
        raise NotFound(tell("{id!r} is not a request here.", id=name[:60]), "service_request_id")
    if desk.principal.is_test and record.visibility is not Visibility.UNLISTED:
        raise Forbidden(tell("is a test key, which can only update requests of test keys."), "api_key")
    return record


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


def _as_comment(desk: Desk, before: RequestRecord, sent: SentUpdate) -> tuple[RequestRecord, tuple[Message, ...]]:
    kind = PublicComment if desk.jurisdiction.comments == "public" else Commented
    event = kind(
        at=desk.now, actor=str(desk.principal), note=clean_text(sent.description), update_id=sent.update_id
    )
    [after] = change_requests(desk.connection, [(before, [event])], names_for(desk.connection, desk.jurisdiction))
    is_same = MEANINGS[sent.status] is None or sent.status in (word_of(before), str(before.status))
    if is_same:
        return after, ()
    fault = tell("status {status} has no effect, because this key can only comment", status=sent.status)
    return after, (fault,)


def _as_city(desk: Desk, before: RequestRecord, sent: SentUpdate) -> tuple[RequestRecord, tuple[Message, ...]]:
    orders, ignored = _orders(before, MEANINGS[sent.status], sent)
    if not any(isinstance(order, commands.Close) for order in orders):
        orders.append(commands.Note(text=sent.description, public=True))
    acting = replace(desk, principal=replace(desk.principal, role=Role.AGENT))
    return act_within(acting, sent.service_request_id, orders), ignored


_STEPS: dict[State, Command] = {
    State.ACKNOWLEDGED: commands.Acknowledge(),
    State.IN_PROGRESS: commands.Start(),
    State.SCHEDULED: commands.Schedule(),
}


def _orders(
    record: RequestRecord, meaning: Meaning | None, sent: SentUpdate
) -> tuple[list[Command], tuple[Message, ...]]:
    """The commands that a word asks for, and what has no effect."""
    state = state_of(record)
    if meaning is None or (meaning.state is state and meaning.outcome in (None, record.outcome, Outcome.UNKNOWN)):
        return [], ()
    if record.merged_into:
        why = tell(
            "status {status} has no effect, because the request is merged into another one", status=sent.status
        )
        return [], (why,)
    reason = f"update {sent.update_id}"
    if meaning.outcome is not None:
        reopened = [commands.Reopen(reason=reason)] if state is State.CLOSED else []
        return [*reopened, commands.Close(outcome=meaning.outcome, note=sent.description, reason=reason)], ()
    orders: list[Command] = [commands.Reopen(reason=reason)] if state is State.CLOSED else []
    begun = State.ASSIGNED if state is State.CLOSED else state
    if meaning.state is State.ON_HOLD and begun not in (State.RECEIVED, State.TRIAGE):
        return [*orders, commands.Hold(reason=reason)], ()
    step = _STEPS.get(meaning.state)
    if step is not None and begun in TRANSITIONS[step.name]:
        return [*orders, step], ()
    if orders or meaning.state is State.ASSIGNED:
        return orders, ()
    why = tell("status {status} has no effect on a request that is {state}", status=sent.status, state=state)
    return [], (why,)


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
