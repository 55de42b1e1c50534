"""One command for many requests.

One transaction changes several requests, and each of them has its own savepoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from open311.domain.access import Principal
from open311.domain.commands import Command
from open311.domain.queues import QueueSearch
from open311.domain.requests import RequestRecord
from open311.errors import Invalid, Open311Error, Problem, Unavailable
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import act_within
from open311.operations.workflow.apply import load_request
from open311.operations.workflow.effects import Desk
from open311.plugins import Jurisdiction
from open311.storage import history, staff_repeats
from open311.storage.engine import Connection, undeadlocked
from open311.storage.hot import queues
from open311.storage.staff_repeats import Repeat
from schemas.texts import tell

WOULD_CHANGE, CHANGED, UNCHANGED, REFUSED = "would_change", "changed", "unchanged", "refused"
AT_ONCE = 20
"""How many requests one transaction changes. Other callers who change one of these requests wait until it ends."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A request that a command is for.

    name     the service_request_id, the token or the number; an int is always the number
    version  the version that the caller has seen; None to accept any version
    """

    name: str | int
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """The result for one request.

    name      the name that the caller sent; for a request of a queue, the service_request_id or else the number
    number    the number; 0 for a request that is unknown, or that the caller may not see
    id        the service_request_id; "" if the request has none
    result    WOULD_CHANGE, CHANGED, UNCHANGED or REFUSED
    changes   the kinds of the events
    problems  why the command was refused; empty if it was not
    version   the version after the command; 0 if nothing changes, or if the call only asks what would change
    """

    name: str
    number: int = 0
    id: str = ""
    result: str = REFUSED
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    version: int = 0


def select_requests(platform: Platform, search: QueueSearch, now: datetime, *, most: int) -> list[Selected]:
    """All requests of a queue. Raises Invalid if there are more than `most`."""
    rows = queues.find_queue(platform.database.hot, replace(search, after=None, page_size=most), now)
    if len(rows) > most:
        fault = tell("selects more than {most} requests; send narrower filters, or ids.", most=most)
        raise Invalid(fault, "filters")
    return [Selected(row.number) for row in rows]


Selection = Sequence[Selected] | Callable[[], Sequence[Selected]]
"""The requests, or a function that selects them. For a repeated call, the function is not called."""


def act_on_all(
    platform: Platform,
    city: Jurisdiction,
    selection: Selection,
    command: Command,
    *,
    principal: Principal,
    now: datetime,
    is_dry: bool,
    repeat_key: str = "",
    sent: object = None,
) -> list[BulkResult]:
    """Carry out a command on each of these requests. If `is_dry`, find out what the command would do.

    repeat_key  the caller's own id of this call; "" for none. A call with the same id repeats the first one: it is
                for the same requests, and skips those that the first call has finished
    sent        what the caller has sent, as JSON. A repeated call must have sent the same
    Raises Invalid if a repeated call has sent something else, and Unavailable if the database cannot be reached.
    Requests that were changed before the error stay changed; a call with the same `repeat_key` does the rest.
    """
    repeat = _repeat(city, principal, command, repeat_key, sent) if repeat_key and not is_dry else None
    order = _Order(platform, city, command, principal, now, is_dry=is_dry)
    chosen = list(order.chosen(selection, repeat))
    return [result for some in _in_parts(chosen) for result in order.results(some)]


def _in_parts(chosen: Sequence[_Chosen]) -> Iterator[Sequence[_Chosen]]:
    return (chosen[first : first + AT_ONCE] for first in range(0, len(chosen), AT_ONCE))


def _repeat(city: Jurisdiction, principal: Principal, command: Command, key: str, sent: object) -> Repeat:
    everything = orjson.dumps(["bulk", command.name, command, sent], option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(everything).digest()
    return Repeat(jurisdiction_id=city.id, actor=str(principal), client_key=key, digest=digest)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A request that a command is for.

    number  the number; 0 if the request is unknown
    known   the result before the command is carried out
    repeat  the repeated call, by which the stored result for the request is found; None if the call has no key
    """

    selected: Selected
    number: int
    known: BulkResult
    repeat: Repeat | None = None


@dataclass(frozen=True, slots=True)
class _Order:
    """A command for many requests, and who gives the command."""

    platform: Platform
    city: Jurisdiction
    command: Command
    principal: Principal
    now: datetime
    is_dry: bool

    def chosen(self, selection: Selection, repeat: Repeat | None) -> Sequence[_Chosen]:
        """The requests that the command is for, without duplicates.

        A repeated call gets the requests of the first one. Raises Invalid if the first one was another command.
        """
        if repeat is None:
            with self.platform.database.reading() as connection:
                return self._found(connection, selection() if callable(selection) else selection)
        with self.platform.database.transaction() as connection:
            is_first = staff_repeats.claim(connection, repeat, self.now)
            if not is_first and not staff_repeats.first_result(connection, repeat)[2]:
                fault = tell("was used for another command within the last day; send a new one.")
                raise Invalid(fault, "Idempotency-Key")
            if is_first or not callable(selection):
                found = self._found(connection, selection() if callable(selection) else selection)
            else:
                numbers = staff_repeats.load_parts(connection, repeat)
                found = self._found(connection, [Selected(number) for number in numbers])
            if is_first:
                staff_repeats.add_parts(connection, repeat, [one.number for one in found if one.number], self.now)
        return [replace(one, repeat=repeat) for one in found]

    def _found(self, connection: Connection, selection: Sequence[Selected]) -> list[_Chosen]:
        """The requests without duplicates. If one is named by its id and by its number, the first name counts."""
        once: dict[str, _Chosen] = {}
        for one in selection:
            chosen = self._look_up(connection, one)
            once.setdefault(str(chosen.number or f"unknown {one.name}"), chosen)
        return list(once.values())

    def _look_up(self, connection: Connection, one: Selected) -> _Chosen:
        known = BulkResult(name=str(one.name))
        try:
            record = load_request(connection, self.city, one.name, is_locked=False)
        except Open311Error as error:
            if isinstance(error, Unavailable):
                raise
            return _Chosen(one, 0, replace(known, problems=error.problems))
        return _Chosen(one, record.number, self._named(one, record))

    def _named(self, one: Selected, record: RequestRecord) -> BulkResult:
        """The result with the names of a request.

        If another department has the request, only the name that was sent.
        """
        if not self.principal.scope.covers_department(record.department):
            return BulkResult(name=str(one.name))
        own = record.service_request_id or str(record.number)
        name = own if isinstance(one.name, int) else one.name
        return BulkResult(name=name, number=record.number, id=record.service_request_id)

    def results(self, chosen: Sequence[_Chosen]) -> list[BulkResult]:
        """Carry out the command on some requests, in one transaction."""

        def once() -> list[BulkResult]:
            with self.platform.database.transaction() as connection:
                names = names_for(connection, self.city)
                desk = Desk(connection, self.city, self.principal, self.now, names)
                return [self._result(desk, one) for one in chosen]

        return undeadlocked(once)

    def _result(self, desk: Desk, one: _Chosen) -> BulkResult:
        if not one.number:
            return one.known
        point = desk.connection.begin_nested()
        try:
            result = self._done(desk, one)
        except Unavailable:
            raise
        except Open311Error as error:
            result = replace(one.known, problems=error.problems)
        if point.is_active:
            point.rollback() if self.is_dry or result.result == REFUSED else point.commit()
        return result

    def _done(self, desk: Desk, one: _Chosen) -> BulkResult:
        part = None if one.repeat is None else staff_repeats.lock_part(desk.connection, one.repeat, one.number)
        if part == staff_repeats.UNCHANGED:
            return replace(one.known, result=UNCHANGED)
        if part:
            kinds = _kinds(desk.connection, self.city.id, one.number, part)
            return replace(one.known, result=CHANGED, changes=kinds, version=part)
        before = load_request(desk.connection, desk.jurisdiction, one.number)
        after = act_within(desk, one.number, [self.command], version=one.selected.version)
        is_changed = after.version > before.version
        if one.repeat is not None:
            version = after.version if is_changed else staff_repeats.UNCHANGED
            staff_repeats.settle_part(desk.connection, one.repeat, one.number, version)
        if not is_changed:
            return replace(one.known, result=UNCHANGED)
        kinds = _kinds(desk.connection, self.city.id, one.number, after.version)
        if self.is_dry:
            return replace(one.known, result=WOULD_CHANGE, changes=kinds)
        return replace(one.known, result=CHANGED, changes=kinds, version=after.version)


def _kinds(connection: Connection, jurisdiction_id: str, number: int, version: int) -> tuple[str, ...]:
    """The kinds of the events that led to a request's version."""
    events = history.load_events(connection, jurisdiction_id, number)
    return tuple(event.kind for event in events if event.version == version)
