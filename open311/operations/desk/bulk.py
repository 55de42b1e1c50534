"""One command for many requests. Each request is changed in a transaction of its own, or is only looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.access import Principal
from open311.domain.commands import Command
from open311.domain.queues import QueueSearch
from open311.domain.requests import RequestRecord
from open311.errors import Invalid, Open311Error, Problem, Unavailable
from open311.operations.platform import Platform
from open311.operations.workflow.act import act, act_within, undeadlocked
from open311.operations.workflow.apply import load_request
from open311.operations.workflow.effects import Desk
from open311.plugins import Jurisdiction
from open311.storage import history
from open311.storage.engine import Connection
from open311.storage.hot import queues
from schemas.texts import tell

WOULD_CHANGE, CHANGED, UNCHANGED, REFUSED = "would_change", "changed", "unchanged", "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What happens to one request.

    name      as the caller named it; from a queue, its number
    result    WOULD_CHANGE, CHANGED, UNCHANGED or REFUSED
    changes   the kinds of the events
    problems  why it is refused; empty if it is not
    version   the version after it; 0 if nothing changes
    """

    name: str
    result: str
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    version: int = 0


def select_requests(platform: Platform, search: QueueSearch, *, most: int) -> list[int]:
    """The numbers of all requests of a queue. Raises Invalid if there are more than `most`: none is cut off."""
    rows = queues.find_queue(platform.database.hot, replace(search, after=None, page_size=most))
    if len(rows) > most:
        fault = tell("selects more than {most} requests; send narrower filters, or ids.", most=most)
        raise Invalid(fault, "filters")
    return [row.number for row in rows]


def act_on_all(
    platform: Platform,
    city: Jurisdiction,
    names: Sequence[str | int],
    command: Command,
    *,
    principal: Principal,
    now: datetime,
    is_dry: bool,
    repeat_key: str = "",
) -> list[BulkResult]:
    """Carry out a command on each of these requests, or, if `is_dry`, find out what it would do.

    repeat_key  the caller's own id of this call: requests that an earlier call with it has changed stay as they are
    Raises Unavailable if the database cannot be reached. Requests before that are changed; a call with the same
    `repeat_key` continues.
    """

    def results() -> Iterator[BulkResult]:
        for name in dict.fromkeys(names):
            desk = (platform, city, name, command)
            try:
                if is_dry:
                    yield _tried(*desk, principal=principal, now=now)
                else:
                    key = f"{repeat_key}/{name}" if repeat_key else ""
                    yield _done(*desk, principal=principal, now=now, repeat_key=key)
            except Unavailable:
                raise
            except Open311Error as error:
                yield BulkResult(name=str(name), result=REFUSED, problems=error.problems)

    return list(results())


def _done(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    command: Command,
    *,
    principal: Principal,
    now: datetime,
    repeat_key: str,
) -> BulkResult:
    with platform.database.reading() as connection:
        before = load_request(connection, city, name, is_locked=False)
    after = act(platform, city, before.number, [command], principal=principal, now=now, repeat_key=repeat_key)
    with platform.database.reading() as connection:
        kinds = _kinds(connection, after) if after.version > before.version else ()
    if not kinds:
        return BulkResult(name=str(name), result=UNCHANGED)
    return BulkResult(name=str(name), result=CHANGED, changes=kinds, version=after.version)


def _kinds(connection: Connection, after: RequestRecord) -> tuple[str, ...]:
    """The kinds of the events that led to a request's version."""
    events = history.load_events(connection, after.jurisdiction_id, after.number)
    return tuple(event.kind for event in events if event.version == after.version)


def _tried(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    command: Command,
    *,
    principal: Principal,
    now: datetime,
) -> BulkResult:
    """What the command would do. It is carried out, and then undone."""

    def once() -> BulkResult:
        with platform.database.transaction() as connection:
            undone = connection.begin_nested()
            try:
                before = load_request(connection, city, name)
                after = act_within(Desk(connection, city, principal, now), before.number, [command])
                if after.version == before.version:
                    return BulkResult(name=str(name), result=UNCHANGED)
                return BulkResult(name=str(name), result=WOULD_CHANGE, changes=_kinds(connection, after))
            finally:
                if undone.is_active:
                    undone.rollback()

    return undeadlocked(once)
