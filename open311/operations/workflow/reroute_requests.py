"""Rerouting: move open requests to the departments that today's rules choose for them.

A city needs this after a change of its routes, or after it has given up a department or an area.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.events import SYSTEM, AreasRecomputed, Event, Routed, Transferred, Triaged
from open311.domain.imports import IMPORT_SOURCE
from open311.domain.requests import Progress, RequestRecord
from open311.domain.routing import Route
from open311.observe import logger
from open311.operations.intake.routing import draft_of
from open311.operations.platform import Platform
from open311.operations.publishing import ROWS_PER_TRANSACTION, names_for
from open311.operations.workflow.apply import change_requests
from open311.plugins import Jurisdiction
from open311.storage import requests
from open311.storage.engine import Connection, undeadlocked
from open311.storage.history import load_histories

log = logger(__name__)

CAUSE = "rerouted"


@dataclass(frozen=True, slots=True)
class Move:
    """An open request that gets another department or other areas.

    route      the new route; None if only the areas change
    areas      the new areas
    is_chosen  whether a person or a source chose the old department, which does not exist any more
    """

    request: RequestRecord
    route: Route | None
    areas: tuple[str, ...]
    is_chosen: bool = False

    @property
    def is_begun(self) -> bool:
        """Whether the request loses its progress, because the work begins again in the new department."""
        return self.route is not None and self.request.progress is not Progress.NONE

    @property
    def is_assigned(self) -> bool:
        """Whether the request loses its assignee."""
        return self.route is not None and bool(self.request.assignee)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted:
    """The result for one batch of open requests.

    seen    how many requests the batch has
    kept    how many stay although the rules choose another department: a person or a source chose the present one,
            or somebody works on them
    failed  how many stay because the city's Python code failed; the log says why
    """

    moves: tuple[Move, ...]
    seen: int
    kept: int = 0
    failed: int = 0


def reroute_requests(
    platform: Platform, jurisdiction: Jurisdiction, *, now: datetime, actor: str = SYSTEM, is_dry_run: bool
) -> Iterator[Rerouted]:
    """Move open requests to the departments that the city's rules choose. Yields the result of each batch.

    A request moves if its department does not exist any more, or if the rules chose its department and now choose
    another one. A request that a person has transferred or begun to work on, or whose source names the department,
    stays. A request whose service is retired and has no rule stays too. The rules see when the request was
    received, and its present place, answers and description. The due date stays.

    Each batch is a transaction, so a killed run can be repeated. A dry run locks nothing and writes nothing.
    """
    database = platform.database
    last = 0

    def reroute_batch() -> tuple[list[RequestRecord], Rerouted]:
        with database.reading() if is_dry_run else database.transaction() as connection:
            records = requests.load_open(
                connection, jurisdiction.id, after=last, rows=ROWS_PER_TRANSACTION, is_locked=not is_dry_run
            )
            found = _find_moves(connection, jurisdiction, records)
            if not is_dry_run:
                names = names_for(connection, jurisdiction)
                change_requests(
                    connection, [_change(jurisdiction, move, now=now, actor=actor) for move in found.moves], names
                )
            return records, found

    while True:
        records, found = undeadlocked(reroute_batch)
        if not records:
            return
        last = records[-1].number
        yield found


def _find_moves(connection: Connection, jurisdiction: Jurisdiction, records: Sequence[RequestRecord]) -> Rerouted:
    known = {department.code for department in jurisdiction.departments}
    moves: list[Move] = []
    differing: dict[int, Route] = {}
    failed = 0
    for record in records:
        if not _is_routed(record):
            continue
        route = _route(jurisdiction, record)
        if route is None:
            failed += 1
        elif route.department != record.department and not _is_left_over(jurisdiction, record, route, known):
            differing[record.number] = route
    chosen = _chosen(connection, [record for record in records if record.number in differing])
    kept = {
        record.number
        for record in records
        if record.number in differing
        and record.department in known
        and (record.number in chosen or record.assignee or record.progress is not Progress.NONE)
    }
    for record in records:
        route = None if record.number in kept else differing.get(record.number)
        areas = _areas(jurisdiction, record)
        if route is not None or areas != record.areas:
            moves.append(Move(record, route, areas, is_chosen=route is not None and record.number in chosen))
    return Rerouted(moves=tuple(moves), seen=len(records), kept=len(kept), failed=failed)


def _is_routed(record: RequestRecord) -> bool:
    """Whether the city's rules are for this request: it has a department or was imported.

    Requests of test keys have no department, so they stay as they are.
    """
    return bool(record.department) or record.source == IMPORT_SOURCE


def _route(jurisdiction: Jurisdiction, record: RequestRecord) -> Route | None:
    """The route that the rules choose; None if the city's code fails.

    The failure may soon pass, so sending the request to triage would be wrong.
    """
    try:
        route = jurisdiction.route(draft_of(jurisdiction, record))
        jurisdiction.department(route.department)
    except Exception:  # a plugin may raise anything; the request stays where it is
        log.exception("routing failed", jurisdiction=jurisdiction.id, service=record.service_code)
        return None
    return route


def _is_left_over(jurisdiction: Jurisdiction, record: RequestRecord, route: Route, known: Collection[str]) -> bool:
    """Whether the service is retired and no rule is left for it. Then the request stays with its department."""
    return route.is_triage and record.department in known and jurisdiction.service(record.service_code) is None


def _chosen(connection: Connection, records: Sequence[RequestRecord]) -> set[int]:
    """The numbers of requests whose department was chosen by a person or a source, and not by the rules."""
    if not records:
        return set()
    histories = load_histories(connection, records[0].jurisdiction_id, [record.number for record in records])
    return {record.number for record in records if _is_chosen(record, histories.get(record.number, []))}


def _is_chosen(record: RequestRecord, history: Sequence[Event]) -> bool:
    """Whether a person or a source chose the department of a request.

    Rerouting writes an event `Routed` after `Transferred`. A person or a file writes `Transferred` alone.
    """
    last = next((event for event in reversed(history) if isinstance(event, Routed | Transferred)), None)
    if last is None:
        return record.route_reason == IMPORT_SOURCE
    return isinstance(last, Transferred)


def _areas(jurisdiction: Jurisdiction, record: RequestRecord) -> tuple[str, ...]:
    """The areas of a request. They are computed again only if one of them does not exist any more."""
    is_stranded = any(area not in jurisdiction.areas for area in record.areas)
    return jurisdiction.areas_at(record.place) if is_stranded else record.areas


def _change(
    jurisdiction: Jurisdiction, move: Move, *, now: datetime, actor: str
) -> tuple[RequestRecord, list[Event]]:
    """The request with its new reason, and the events that move it."""
    record, route, events = move.request, move.route, list[Event]()
    if move.areas != record.areas:
        events.append(AreasRecomputed(at=now, actor=actor, cause=CAUSE, old=record.areas, new=move.areas))
    if route is None:
        return record, events
    events += _transfer(jurisdiction, record, route, now=now, actor=actor)
    return replace(record, route_reason=route.reason), events


def _transfer(
    jurisdiction: Jurisdiction, record: RequestRecord, route: Route, *, now: datetime, actor: str
) -> Iterator[Event]:
    agency = "" if record.department else record.agency_responsible  # the source's name for an unknown department
    yield Transferred(
        at=now,
        actor=actor,
        cause=CAUSE,
        old=record.department,
        new=route.department,
        name=agency or jurisdiction.department(route.department).name,
        agency=agency,
        status=record.status,
        is_merged=bool(record.merged_into),
    )
    kind = Triaged if route.is_triage else Routed
    yield kind(at=now, actor=actor, cause=CAUSE, department=route.department, reason=route.reason)
