"""List deliveries for people, show one delivery, and carry out what a person decides about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from open311.domain.access import Principal, Role
from open311.domain.deliveries import (
    PARKED_BY_HAND,
    Circuit,
    Delivery,
    DeliverySearch,
    DeliveryState,
    arrived,
    is_on_its_way,
    parked,
    read_cursor,
    sent_again,
    skipped,
)
from open311.domain.text import clean_text
from open311.errors import Conflict, Invalid, NotFound
from open311.operations.access.staff import require_city, require_role
from open311.operations.delivery.linking import link_case
from open311.operations.desk.queues import BAD_CURSOR
from open311.operations.platform import Platform
from open311.operations.workflow.act import require_department
from open311.operations.workflow.apply import load_request
from open311.plugins import Jurisdiction
from open311.storage import accounts, audit, deliveries, external_ids, requests
from open311.storage.audit import Entry
from open311.storage.deliveries import Listed
from open311.storage.engine import Connection
from schemas.texts import tell

ROLE = Role.DISPATCHER
MAY_BE_THERE = tell("The back office may have it already, so sending it again may double it. Look there first.")
IS_ASKED_FIRST = tell("An earlier try may have reached the back office, which is asked first if it can be asked.")

WAITING, PENDING, PARKED, UNCERTAIN = (
    DeliveryState.WAITING,
    DeliveryState.PENDING,
    DeliveryState.PARKED,
    DeliveryState.UNCERTAIN,
)
LEGAL: Mapping[str, tuple[DeliveryState, ...]] = {
    "retry": (WAITING, PENDING, PARKED, UNCERTAIN),
    "park": (WAITING, PENDING, UNCERTAIN, DeliveryState.SENDING),
    "skip": (WAITING, PENDING, PARKED, UNCERTAIN, DeliveryState.SENDING),
}
"""Command -> the states of a delivery in which a person may give it. SENDING counts only if the worker has died."""


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page of deliveries. `next_id`: the id after which the next page begins; 0 on the last one."""

    rows: Sequence[Listed]
    next_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """All that is known about a delivery.

    remote_id  the request's id in the back office; "" if it is not known
    waits_for  the id of an earlier delivery of the request to the same back office that has not ended; 0 for none
    risk       what can go wrong if it is sent again; "" for nothing
    acts       what people have decided about it, oldest first
    names      the names of the accounts in `acts`, by the actor
    commands   what a person may decide now
    """

    listed: Listed
    remote_id: str
    waits_for: int
    risk: str
    circuit: Circuit
    acts: Sequence[Entry]
    names: Mapping[str, str]
    commands: Sequence[str]


def delivery_search(
    platform: Platform, city: Jurisdiction, values: Mapping[str, Any], *, principal: Principal, now: datetime
) -> DeliverySearch:
    """The search that the parameters of a list mean for this account.

    values  the values of the parameters of schemas.deliveries.DeliveryArguments
    Raises Invalid for a faulty value, NotFound for an unknown request, and Forbidden.
    """
    require_role(principal, ROLE)
    require_city(principal, city.id)
    hours = values["older_than_hours"]
    return DeliverySearch(
        jurisdiction_id=city.id,
        backends=tuple(values["backend"]),
        states=tuple(DeliveryState(state) for state in values["state"]),
        number=_number_of(platform, city, values["request"], principal) if values["request"] else 0,
        created_before=None if hours is None else now - timedelta(hours=hours),
        departments=tuple(sorted(principal.scope.departments)) or None,
        after=_after(values["cursor"]),
        page_size=values["page_size"],
    )


def find_deliveries(platform: Platform, search: DeliverySearch) -> DeliveryPage:
    """One page of deliveries, newest first."""
    with platform.database.reading() as connection:
        rows = deliveries.find(connection, search)
    shown = rows[: search.page_size]
    return DeliveryPage(shown, shown[-1].delivery.id if len(rows) > len(shown) else 0)


def find_all(platform: Platform, search: DeliverySearch) -> Iterator[Listed]:
    """All deliveries of a search, newest first."""
    after = search.after
    while True:
        page = find_deliveries(platform, replace(search, after=after))
        yield from page.rows
        if not page.next_id:
            return
        after = page.next_id


def read_delivery(
    platform: Platform,
    city: Jurisdiction,
    id: int,
    *,
    principal: Principal,
    now: datetime,
    is_changed: bool = False,
) -> DeliveryView:
    """All about one delivery. Raises NotFound, and Forbidden for a request of other departments.

    is_changed  whether the account has just decided about it. Then the department of the request is not checked
                again
    """
    require_role(principal, ROLE)
    require_city(principal, city.id)
    with platform.database.snapshot() as connection:
        listed = _listed(connection, city, id, principal, is_locked=False, is_changed=is_changed)
        one = listed.delivery
        acts = audit.list_entries(connection, city.id, about=[subject_of(id)])
        ids = external_ids.ids_of(connection, city.id, one.number)
        circuit = deliveries.load_circuit(connection, (city.id, one.backend), is_locked=False)
        waits_for = deliveries.earlier_id(connection, one)
    return DeliveryView(
        listed=listed,
        remote_id=ids.get(one.backend, "") or one.remote_id,
        waits_for=waits_for,
        risk=risk_of(one),
        circuit=circuit,
        acts=acts,
        names=accounts.names_of(platform.database.hot.rows, {act.actor for act in acts}),
        commands=[name for name in LEGAL if is_legal(name, one, now)],
    )


def risk_of(one: Delivery) -> str:
    """What can go wrong if a delivery is sent again; "" for nothing."""
    if needs_consent(one):
        return MAY_BE_THERE
    return IS_ASKED_FIRST if one.is_uncertain else ""


def needs_consent(one: Delivery) -> bool:
    """Whether a retry may double the request, so that a person has to accept the risk.

    An uncertain delivery that waits for a person may have arrived. It does not matter whether its back office can
    be asked, because the configuration may have changed since the try.
    """
    return one.state is UNCERTAIN or (one.state is PARKED and one.is_uncertain)


def is_legal(command: str, one: Delivery, now: datetime) -> bool:
    """Whether a person may decide this about the delivery now."""
    return one.state in LEGAL[command] and not is_on_its_way(one, now)


# --- Decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decides about a delivery.

    command       `retry`, `park` or `skip`
    reason        why; the audit trail keeps it
    accepts_risk  whether a delivery that may have arrived is sent again
    external_id   with `skip`: the id that the request has in the back office, where the person has found it
    """

    command: str
    reason: str
    accepts_risk: bool = False
    external_id: str = ""


def decide(
    platform: Platform, city: Jurisdiction, id: int, decision: Decision, *, principal: Principal, now: datetime
) -> Delivery:
    """Carry out a decision, and return the delivery after it.

    Raises NotFound, Forbidden, and Invalid if the reason is missing. Raises Conflict if the delivery's state does
    not allow the decision, if the risk is not accepted, and for an external_id that another request has.
    """
    require_role(principal, ROLE)
    require_city(principal, city.id)
    reason = clean_text(decision.reason).strip()
    if not reason:
        raise Invalid(tell("is missing; give a reason for {command}.", command=decision.command), "reason")
    with platform.database.transaction() as connection:
        before = _listed(connection, city, id, principal, is_locked=True).delivery
        _require_legal(decision, before, now)
        if decision.external_id:
            _link(connection, before, decision.external_id, now)
        after = CHANGES[decision.command](before, decision, now)
        deliveries.save(connection, after)
        act = f"delivery.{decision.command}"
        entry = Entry(
            jurisdiction_id=city.id, at=now, actor=str(principal), act=act, subject=subject_of(id), reason=reason
        )
        audit.add_entry(connection, entry)
    return after


def subject_of(id: int) -> str:
    """The name of a delivery in the audit trail."""
    return f"delivery:{id}"


def _retry(before: Delivery, _: Decision, now: datetime) -> Delivery:
    return sent_again(before, now)


def _park(before: Delivery, _: Decision, __: datetime) -> Delivery:
    is_uncertain = before.is_uncertain or before.state in (UNCERTAIN, DeliveryState.SENDING)
    return replace(parked(before, PARKED_BY_HAND), is_uncertain=is_uncertain)


def _skip(before: Delivery, decision: Decision, now: datetime) -> Delivery:
    if decision.external_id:
        return arrived(before, now)
    return skipped(before, "a person has skipped it", now)


CHANGES: Mapping[str, Callable[[Delivery, Decision, datetime], Delivery]] = {
    "retry": _retry,
    "park": _park,
    "skip": _skip,
}


def _require_legal(decision: Decision, before: Delivery, now: datetime) -> None:
    command, state = decision.command, before.state.value
    if is_on_its_way(before, now):
        raise Conflict(tell("is being sent at this moment; wait until its try has ended."), "delivery")
    if before.state not in LEGAL[command]:
        legal = ", ".join(one.value for one in LEGAL[command])
        named = {"state": state, "command": command, "legal": legal}
        raise Conflict(tell("is {state}; {command} is for deliveries that are {legal}.", **named), "delivery")
    if command == "retry" and needs_consent(before) and not decision.accepts_risk:
        raise Conflict(tell("is uncertain. {risk}", risk=MAY_BE_THERE), "delivery")
    if decision.external_id and (command != "skip" or before.subject.value != "case"):
        fault = tell("is only for skip of a delivery of the request itself, which the back office has.")
        raise Invalid(fault, "external_id")


def _link(connection: Connection, one: Delivery, name: str, now: datetime) -> None:
    """Keep the id that a person has found in the back office."""
    if not link_case(connection, (one.jurisdiction_id, one.backend), name, number=one.number, now=now):
        raise Conflict(tell("is already the id of another request; check it in the back office."), "external_id")


def _listed(
    connection: Connection,
    city: Jurisdiction,
    id: int,
    principal: Principal,
    *,
    is_locked: bool,
    is_changed: bool = False,
) -> Listed:
    one = deliveries.load(connection, city.id, id, is_locked=is_locked)
    if one is None:
        raise NotFound(tell("{id} is no delivery here.", id=id), "delivery")
    record = requests.load_record(connection, city.id, number=one.number, is_locked=False)
    assert record is not None, "a foreign key keeps the request"
    if not is_changed:
        require_department(principal, city, record)
    return Listed(one, record.service_request_id, record.department)


def _number_of(platform: Platform, city: Jurisdiction, name: str, principal: Principal) -> int:
    with platform.database.reading() as connection:
        record = load_request(connection, city, name, is_locked=False)
    require_department(principal, city, record)
    return record.number


def _after(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return read_cursor(cursor)
    except ValueError:
        raise Invalid(BAD_CURSOR, "cursor") from None
