"""Deliveries. A delivery is a request, or a change of a request, that is sent to one back office.

Only `settled` decides what a result means for a delivery, and only `Circuit` what it means for the
back office. Both are pure: the time and the random number are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from open311.domain.cursors import decode_cursor, encode_cursor, is_bigint
from open311.domain.results import Accepted, Defer, Failed, Partial, Pending, Rejected, Result, Retry, Skip

MOST_ATTEMPTS = 12
"""How often a delivery is tried while its back office accepts others. The waits add up to about 70 minutes."""
LONGEST_WAIT_S = 3_600.0
ASK_AFTER_S = 5.0
"""The shortest wait before the next try. A back office whose answer was lost may still be storing the delivery."""


class DeliveryState(StrEnum):
    """The state of a delivery.

    WAITING    it will be sent when it is due and the earlier deliveries of its request have ended
    SENDING    a worker is sending it; if the lease ends first, the worker has died
    PENDING    the back office has it and gives its id later
    DONE       the back office has it
    SKIPPED    the back office or a person has decided that it is not sent
    UNCERTAIN  the answer was lost; the back office cannot be asked, and might double a delivery that it gets again
    PARKED     a person has to decide, because sending it again would fail again
    """

    WAITING = "waiting"
    SENDING = "sending"
    PENDING = "pending"
    DONE = "done"
    SKIPPED = "skipped"
    UNCERTAIN = "uncertain"
    PARKED = "parked"


MOVING = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.PENDING)
"""The states in which the worker continues without a person."""
STOPPED = (DeliveryState.UNCERTAIN, DeliveryState.PARKED)
"""The states in which a person has to decide. Later deliveries of the same request to the same back office wait."""
ENDED = (DeliveryState.DONE, DeliveryState.SKIPPED)


class Subject(StrEnum):
    """What is delivered: the request itself, or a change of it."""

    CASE = "case"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery.

    number      the number of the request
    version     the version of the request to which the delivery belongs
    backend     the name of the back office in the city's `backends.toml`
    key         the idempotency key, the same at each try
    due_at      when the next try is due; during a try, when the lease ends
    attempts    how many tries there were. Two kinds of tries are not counted: tries that ended in Pending, Skip or
                Defer, and tries that found the back office down while its circuit rested
    is_uncertain  whether an earlier try may have reached the back office
    token       the token with which the back office is asked about a pending delivery
    remote_id   the id that the back office gave, if parts are still missing
    missing     the names of the missing parts
    cause       a sentence that says why the last try failed, or why the delivery is not sent
    """

    jurisdiction_id: str
    number: int
    version: int
    backend: str
    subject: Subject
    key: str
    created_at: datetime
    due_at: datetime
    id: int = 0
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    is_uncertain: bool = False
    token: str = ""
    remote_id: str = ""
    missing: tuple[str, ...] = ()
    cause: str = ""
    ended_at: datetime | None = None


LOST = Retry(cause="the worker ended while it was sending", is_uncertain=True, is_down=False)
"""The result of a delivery whose lease has ended."""
BY_HAND = ("a person has parked it", "the neighbour was removed")
"""The causes of deliveries that people have parked: a single delivery, or all of a removed neighbour."""
PARKED_BY_HAND, NEIGHBOUR_REMOVED = BY_HAND
ELSEWHERE = "the request does not belong to this back office now"
"""The cause of a skipped delivery whose request was transferred or merged before it was sent."""


def settled(
    delivery: Delivery, result: Result, now: datetime, *, can_recover: bool, is_resting: bool, chance: float
) -> Delivery:
    """The delivery after a try.

    can_recover  whether the back office can be asked about the key, or ignores a second call with the same key
    is_resting   whether the circuit of the back office rests. If the try has found the back office down, the
                 delivery then waits only for the circuit
    chance       a random number between 0 and 1, which spreads the waits
    """
    tried = replace(delivery, attempts=delivery.attempts + 1)
    match result:
        case Accepted():
            return _ended(tried, DeliveryState.DONE, now)
        case Partial(service_request_id=remote_id, missing=missing):
            return replace(
                _retried(delivery, now, None, chance, f"missing: {', '.join(missing)}"),
                remote_id=remote_id,
                missing=missing,
            )
        case Pending(retry_after_s=wait_s, token=token):
            due_at = now + timedelta(seconds=max(1, wait_s))
            state = DeliveryState.PENDING
            return replace(delivery, state=state, token=token or delivery.token, due_at=due_at, is_uncertain=False)
        case Skip(reason=reason):
            return replace(_ended(delivery, DeliveryState.SKIPPED, now), cause=reason)
        case Defer(until=until, reason=reason):
            return replace(_waiting(delivery, max(until, now + timedelta(seconds=ASK_AFTER_S))), cause=reason)
        case Rejected(reason=cause):  # a token leads to nothing now, so a retry sends the request anew
            return parked(replace(tried, token=""), cause)
        case Failed(cause=cause):
            return parked(tried, cause)
        case Retry(is_uncertain=True) if not can_recover:
            risk = f"{result.cause}; the back office may have it, so sending it again may double it"
            return replace(tried, state=DeliveryState.UNCERTAIN, is_uncertain=True, cause=risk)
        case Retry(is_down=True) if is_resting and not result.is_uncertain:
            return replace(_waiting(delivery, now), cause=result.cause)
        case Retry():
            after = _retried(delivery, now, result.after_s, chance, result.cause)
            after = replace(after, is_uncertain=delivery.is_uncertain or result.is_uncertain)
            if after.attempts >= MOST_ATTEMPTS and not is_resting:
                return parked(after, f"{after.attempts} tries failed; the last: {result.cause}")
            return after


def parked(delivery: Delivery, cause: str) -> Delivery:
    """The delivery, stopped until a person decides."""
    return replace(delivery, state=DeliveryState.PARKED, cause=cause)


def sent_again(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery after a person has decided that it is tried now.

    If it may have arrived, it stays `is_uncertain`: the back office is asked first, if it can be asked.
    """
    if delivery.state is DeliveryState.PENDING:
        return replace(delivery, due_at=now)
    return replace(_waiting(delivery, now), attempts=0, cause="")


def skipped(delivery: Delivery, cause: str, now: datetime) -> Delivery:
    """The delivery after a person has decided that it is not sent."""
    return replace(_ended(delivery, DeliveryState.SKIPPED, now), cause=cause)


def arrived(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery after a person has found it in the back office."""
    return _ended(delivery, DeliveryState.DONE, now)


def is_planned(delivery: Delivery) -> bool:
    """Whether a delivery brings, or has brought, the request itself to the back office.

    A request that was transferred before it was sent, and comes back later, needs another delivery.
    """
    is_skipped_here = delivery.state is DeliveryState.SKIPPED and delivery.cause == ELSEWHERE
    return delivery.subject is Subject.CASE and not is_skipped_here


def is_on_its_way(delivery: Delivery, now: datetime) -> bool:
    """Whether a worker is sending a delivery at this moment, so that nobody else can decide about it."""
    return delivery.state is DeliveryState.SENDING and delivery.due_at > now


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySearch:
    """The filters and the page of a list of deliveries, newest first.

    backends        deliveries to one of these back ends; empty for all
    states          deliveries in one of these states. If empty: with a `number`, deliveries in any state; without
                    a number, deliveries that have not ended
    number          the number of the only request; 0 for all requests
    created_before  only deliveries that were made before this instant; None for all
    departments     codes of the requests' departments; None for all
    after           the id after which the page begins; 0 for the first page
    """

    jurisdiction_id: str
    backends: tuple[str, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    number: int = 0
    created_before: datetime | None = None
    departments: tuple[str, ...] | None = None
    after: int = 0
    page_size: int = 50

    @property
    def wanted_states(self) -> tuple[DeliveryState, ...]:
        """The states that the list has."""
        return self.states or (tuple(DeliveryState) if self.number else (*MOVING, *STOPPED))


def read_cursor(text: str) -> int:
    """The id after which a page begins. Raises ValueError if the text is no cursor."""
    parts = decode_cursor(text)
    if len(parts) != 1 or not is_bigint(parts[0]):
        raise ValueError(text)
    return int(parts[0])


def write_cursor(id: int) -> str:
    """The cursor of the page that begins after this delivery."""
    return encode_cursor(id)


def _ended(delivery: Delivery, state: DeliveryState, now: datetime) -> Delivery:
    return replace(
        delivery, state=state, ended_at=now, due_at=now, is_uncertain=False, token="", missing=(), cause=""
    )


def _waiting(delivery: Delivery, due_at: datetime) -> Delivery:
    return replace(delivery, state=DeliveryState.WAITING, due_at=due_at)


def _retried(delivery: Delivery, now: datetime, after_s: float | None, chance: float, cause: str) -> Delivery:
    attempts = delivery.attempts + 1
    wait_s = max(ASK_AFTER_S, after_s or 0.0, wait_after(attempts, chance))
    return replace(_waiting(delivery, now + timedelta(seconds=wait_s)), attempts=attempts, cause=cause)


def wait_after(failures: int, chance: float, longest_s: float = LONGEST_WAIT_S) -> float:
    """The wait in seconds after this many failures.

    Each failure doubles it; `chance`, 0 … 1, changes it by up to 25 %.
    """
    return min(2.0 ** min(failures, 20), longest_s) * (0.75 + 0.5 * chance)


TRIES_BEFORE_REST = 3
LONGEST_REST_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The circuit breaker of a back office.

    failures       how many tries in a row have found it down
    failing_since  since when the back office is down; None if it works
    rests_until    until when nothing is sent; then one delivery is tried
    cause          what was wrong at the last try
    succeeded_at   when the back office last accepted something
    """

    failures: int = 0
    failing_since: datetime | None = None
    rests_until: datetime | None = None
    cause: str = ""
    succeeded_at: datetime | None = None

    @property
    def is_resting(self) -> bool:
        """Whether the circuit is open: only one delivery is tried after each rest."""
        return self.failures >= TRIES_BEFORE_REST

    def after(self, result: Result, now: datetime, *, chance: float) -> Circuit:
        """The circuit after a try.

        A result that may come without any call says nothing about the back office. Then the next delivery is tried
        at once, also if the back office has been resting.
        """
        match result:
            case Accepted() | Partial() | Pending():
                return Circuit(succeeded_at=now)
            case Rejected():
                return Circuit(succeeded_at=self.succeeded_at)
            case Skip() | Defer() | Failed() | Retry(is_down=False):
                return self if self.rests_until is None else replace(self, rests_until=now)
        failures = self.failures + 1
        rest_s = wait_after(failures, chance, LONGEST_REST_S) if failures >= TRIES_BEFORE_REST else 0.0
        rest_s = max(rest_s, result.after_s or 0.0)
        return replace(
            self,
            failures=failures,
            failing_since=self.failing_since or now,
            rests_until=now + timedelta(seconds=rest_s) if rest_s else None,
            cause=result.cause,
        )
