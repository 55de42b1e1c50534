"""The records of requests and their reporters.

Without an account of staff, a GET reads them only if its address has a secret: a status link, or the link in a
mail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from psycopg2.errors import UniqueViolation
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    Update,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from open311.domain.attributes import Answer
from open311.domain.places import Place
from open311.domain.requests import Priority, Progress, Reporter, RequestRecord, Status, Visibility
from open311.errors import Conflict
from open311.storage.copying import FEW, all_of, copy_rows, stage_of, staged
from open311.storage.geometry import point_bytes, point_from, point_of
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from open311.storage.queue import MOST_COUNTED
from open311.storage.tables import reporter, request_number, service_request
from open311.storage.tables.requests import DUE
from schemas.texts import tell

_COLUMNS = tuple(column for column in service_request.c if column.name != "point")
_STAGE = stage_of(service_request, Column("point", Text))


class NumberSource:
    """A source of numbers for new requests. Numbers are fetched in blocks, so that most POSTs need no query.

    It is thread-safe, and no two processes get the same number. The unused numbers of a block are lost when the
    process ends. They are also dropped when a connection was lost: a replica that has become the primary may not
    know that the block was given out, and would give it out again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unused: Iterator[int] = iter(())
        self._losses = 0

    def next(self, hot: HotConnections) -> int:
        """A number that no other request has."""
        with self._lock:
            losses = hot.losses()
            number = next(self._unused, None) if losses == self._losses else None
            if number is None:
                self._losses = losses
                first = hot.rows(_next_block(), {})[0][0]
                self._unused = iter(range(first, first + (request_number.increment or 1)))
                number = next(self._unused)
            return number

    def many(self, hot: HotConnections, count: int) -> list[int]:
        """Several numbers, which need at most two queries."""
        size = request_number.increment or 1
        if count <= size:
            return [self.next(hot) for _ in range(count)]
        firsts = hot.rows(_next_blocks(), {"blocks": -(-count // size)})
        return [number for (first,) in firsts for number in range(first, first + size)][:count]


@cache
def _next_blocks() -> Statement:
    blocks = func.generate_series(literal_column("1"), bindparam("blocks", type_=Integer)).table_valued("block")
    return Statement.of(select(request_number.next_value()).select_from(blocks))


@cache
def _next_block() -> Statement:
    return Statement.of(select(request_number.next_value()), is_prepared=True)


def insert_records(connection: Connection, records: Sequence[RequestRecord]) -> None:
    """Store many new records in few statements. A record whose service_request_id is taken is left out."""
    add_records(connection, records)


def add_records(connection: Connection, records: Sequence[RequestRecord]) -> set[int]:
    """Store the records whose service_request_id is free, in few statements, and return their numbers.

    Almost always all are free. Then COPY into the table itself is the cheapest way.
    """
    if not records:
        return set()
    if len(records) <= FEW:
        statement = _unless_taken(insert(service_request)).returning(service_request.c.id)
        return set(connection.execute(statement, [record_values(record) for record in records]).scalars())
    numbers = {record.number for record in records}
    with suppress(UniqueViolation), connection.begin_nested():
        copy_rows(connection, service_request, [record_values(record, point_bytes) for record in records])
        return numbers
    with staged(connection, _STAGE, [record_values(record) for record in records]):
        added = connection.execute(_add_staged()).rowcount
    return numbers if added == len(records) else numbers & _stored(connection, records)


def _add_staged() -> Insert:
    point = point_from(_STAGE.c.point)
    return _unless_taken(insert(service_request).from_select(*all_of(_STAGE, point=point)))


def _unless_taken(statement: Insert) -> Insert:
    return statement.on_conflict_do_nothing(index_elements=["jurisdiction_id", "service_request_id"])


def _stored(connection: Connection, records: Sequence[RequestRecord]) -> set[int]:
    """The numbers of the records that are stored."""
    found = connection.execute(
        select(service_request.c.id).where(
            service_request.c.jurisdiction_id == records[0].jurisdiction_id,
            service_request.c.id == any_(bindparam(None, [record.number for record in records], ARRAY(BigInteger))),
        )
    )
    return set(found.scalars())


def save_records(connection: Connection, records: Sequence[RequestRecord]) -> None:
    """Update records. Raises Conflict unless each stored version is the one before the version of its record."""
    if not records:
        return
    rows = [
        {f"new_{name}": value for name, value in record_values(record).items()}
        | {"of_city": record.jurisdiction_id, "of_number": record.number, "before": record.version - 1}
        for record in records
    ]
    if connection.execute(_save(), rows).rowcount != len(rows):
        raise Conflict(tell("was changed by somebody else meanwhile; look at it again."), "service_request_id")


@cache
def _save() -> Update:
    columns = service_request.c
    return (
        update(service_request)
        .where(
            columns.jurisdiction_id == bindparam("of_city"),
            columns.id == bindparam("of_number"),
            columns.version == bindparam("before"),
        )
        .values({column: bindparam(f"new_{column.name}") for column in columns})
    )


def load_record(
    connection: Connection,
    jurisdiction_id: str,
    *,
    service_request_id: str = "",
    number: int = 0,
    is_locked: bool = True,
) -> RequestRecord | None:
    """A record by its service_request_id or number; None if there is none.

    is_locked  whether to lock the record until the transaction ends. A caller that changes the record needs this
    """
    wanted = (
        service_request.c.service_request_id == service_request_id
        if service_request_id
        else service_request.c.id == number
    )
    query = _select().where(service_request.c.jurisdiction_id == jurisdiction_id, wanted)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _record(row)


def load_records(connection: Connection, jurisdiction_id: str, ids: Sequence[str]) -> dict[str, RequestRecord]:
    """Stored records by service_request_id, locked until the transaction ends; unknown ids are left out."""
    found = connection.execute(
        _select()
        .where(
            service_request.c.jurisdiction_id == jurisdiction_id,
            service_request.c.service_request_id == any_(bindparam(None, list(ids), ARRAY(Text))),
        )
        .order_by(service_request.c.id)  # all lock in the same order, to avoid deadlocks
        .with_for_update()
    )
    return {row.service_request_id: _record(row) for row in found}


def load_numbers(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], *, is_locked: bool = False
) -> dict[int, RequestRecord]:
    """Stored records by number; unknown numbers are left out. `is_locked`: see `load_record`."""
    query = _select().where(
        service_request.c.jurisdiction_id == jurisdiction_id,
        service_request.c.id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
    )
    if is_locked:  # all lock in the same order, to avoid deadlocks
        query = query.order_by(service_request.c.id).with_for_update()
    found = connection.execute(query)
    return {record.number: record for record in map(_record, found)}


def with_media(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[int]:
    """Which of these requests have addresses of photos, by number."""
    columns = service_request.c
    query = select(columns.id).where(
        columns.jurisdiction_id == jurisdiction_id,
        columns.id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        columns.media_urls != [],
    )
    return list(connection.execute(query).scalars())


def load_merged(
    connection: Connection, jurisdiction_id: str, numbers: Sequence[int], *, is_locked: bool = True
) -> list[RequestRecord]:
    """The records that were merged into these requests. `is_locked`: see `load_record`."""
    query = (
        _select()
        .where(
            service_request.c.jurisdiction_id == jurisdiction_id,
            service_request.c.merged_into != 0,
            service_request.c.merged_into == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        )
        .order_by(service_request.c.id)
    )
    return [_record(row) for row in connection.execute(query.with_for_update() if is_locked else query)]


def load_naming(connection: Connection, jurisdiction_id: str, name: str) -> list[RequestRecord]:
    """The records that may repeat the request with this service_request_id, locked."""
    query = _select().where(
        service_request.c.jurisdiction_id == jurisdiction_id,
        service_request.c.possible_duplicate_of != literal_column("''"),  # as in the index
        service_request.c.possible_duplicate_of == name,
    )
    return [_record(row) for row in connection.execute(query.order_by(service_request.c.id).with_for_update())]


def hidden_among(connection: Connection, jurisdiction_id: str, ids: Sequence[str]) -> set[str]:
    """Which of these service_request_ids belong to requests that are not public."""
    query = select(service_request.c.service_request_id).where(
        service_request.c.jurisdiction_id == jurisdiction_id,
        service_request.c.service_request_id == any_(bindparam(None, list(ids), ARRAY(Text))),
        service_request.c.visibility != Visibility.PUBLIC,
    )
    return set(connection.execute(query).scalars()) if ids else set()


def load_batch(connection: Connection, jurisdiction_id: str, *, after: int, rows: int) -> list[RequestRecord]:
    """The next records with numbers above `after`, in order and locked. Used in a loop over all records."""
    found = connection.execute(
        _select()
        .where(service_request.c.jurisdiction_id == jurisdiction_id, service_request.c.id > after)
        .order_by(service_request.c.id)
        .limit(rows)
        .with_for_update()
    )
    return [_record(row) for row in found]


def load_open(
    connection: Connection, jurisdiction_id: str, *, after: int, rows: int, is_locked: bool
) -> list[RequestRecord]:
    """The next open records with numbers above `after`, in order. Used in a loop over all open records."""
    statement = (
        _select()
        .where(
            service_request.c.jurisdiction_id == jurisdiction_id,
            service_request.c.id > after,
            service_request.c.status == "open",
        )
        .order_by(service_request.c.id)
        .limit(rows)
    )
    return [_record(row) for row in connection.execute(statement.with_for_update() if is_locked else statement)]


def load_assigned(connection: Connection, jurisdiction_id: str, actor: str) -> list[tuple[int, str]]:
    """Number and department of each open request that is assigned to an account, such as `staff:3`.

    Requests that are merged into others are left out: they follow the others.
    """
    columns = service_request.c
    found = connection.execute(
        select(columns.id, columns.department)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.assignee != "",
            columns.assignee == actor,
            columns.status == Status.OPEN,
            columns.merged_into == 0,
        )
        .order_by(columns.id)
    )
    return [(row.id, row.department) for row in found]


def count_work(connection: Connection, jurisdiction_id: str, department: str, now: datetime) -> tuple[int, int]:
    """The numbers of open and of overdue requests of a department. Neither is above MOST_COUNTED."""
    columns = service_request.c
    mine = (
        columns.jurisdiction_id == jurisdiction_id,
        columns.department == department,
        text("status = 'open' AND merged_into = 0"),
    )
    some = select(columns.id).where(*mine)
    late = some.where(now >= DUE)
    found = (select(func.count()).select_from(one.limit(MOST_COUNTED).subquery()) for one in (some, late))
    is_open, is_late = (connection.execute(query).scalar_one() for query in found)
    return is_open, is_late


def load_due(
    connection: Connection, jurisdiction_id: str, department: str, after: datetime, upto: datetime, most: int
) -> list[int]:
    """The numbers of a department's open requests with a due date after `after` and by `upto`, earliest first."""
    columns = service_request.c
    query = (
        select(columns.id)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.department == department,
            after < DUE,
            upto >= DUE,
            text("status = 'open' AND merged_into = 0"),
            columns.visibility != Visibility.UNLISTED.value,
        )
        .order_by(DUE, columns.id)
        .limit(most)
    )
    return list(connection.scalars(query))


def load_arrived(
    connection: Connection, jurisdiction_id: str, department: str, after: datetime, most: int
) -> list[int]:
    """The numbers of open requests of a department that were reported since an instant, newest first."""
    columns = service_request.c
    query = (
        select(columns.id)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.department == department,
            columns.requested_at > after,
            text("status = 'open' AND merged_into = 0"),
            columns.visibility != Visibility.UNLISTED.value,
        )
        .order_by(columns.id.desc())
        .limit(most)
    )
    return list(connection.scalars(query))


def count_records(connection: Connection, jurisdiction_id: str) -> int:
    """The number of records of a jurisdiction."""
    found = connection.execute(
        select(func.count())
        .select_from(service_request)
        .where(service_request.c.jurisdiction_id == jurisdiction_id)
    )
    return found.scalar_one()


def load_reporter(connection: Connection, jurisdiction_id: str, number: int) -> Reporter | None:
    """Who sent a request; None if nothing is known about the person, or if it was erased."""
    columns = [reporter.c[row.name] for row in fields(Reporter)]
    found = connection.execute(
        select(*columns).where(reporter.c.jurisdiction_id == jurisdiction_id, reporter.c.request_id == number)
    ).one_or_none()
    return None if found is None else Reporter(**found._mapping)


def load_without_id(connection: Connection, jurisdiction_id: str, most: int) -> list[RequestRecord]:
    """The newest records without a service_request_id. It reads the whole table if there are fewer than `most`."""
    found = connection.execute(
        _select()
        .where(service_request.c.jurisdiction_id == jurisdiction_id, service_request.c.service_request_id.is_(None))
        .order_by(service_request.c.id.desc())
        .limit(most)
    )
    return [_record(row) for row in found]


def load_account_id(connection: Connection, jurisdiction_id: str, number: int) -> str:
    """The account_id that the reporter sent with a request; "" if there is none."""
    found = connection.execute(
        select(reporter.c.account_id).where(
            reporter.c.jurisdiction_id == jurisdiction_id, reporter.c.request_id == number
        )
    ).scalar_one_or_none()
    return found or ""


def existing_ids(connection: Connection, jurisdiction_id: str, ids: Sequence[str]) -> set[str]:
    """Which of these service_request_ids are stored."""
    found = connection.execute(
        select(service_request.c.service_request_id).where(
            service_request.c.jurisdiction_id == jurisdiction_id,
            service_request.c.service_request_id == any_(bindparam(None, list(ids), ARRAY(Text))),
        )
    )
    return set(found.scalars())


def count_open_by_area(connection: Connection, jurisdiction_id: str) -> dict[str, int]:
    """The number of open requests in each area, by the area's name. Reads all open requests of the city."""
    columns = service_request.c
    found = (
        select(func.unnest(columns.areas).label("area"))
        .where(columns.jurisdiction_id == jurisdiction_id, columns.status == "open")
        .subquery()
    )
    rows = connection.execute(select(found.c.area, func.count()).group_by(found.c.area))
    return {name: number for name, number in rows}  # noqa: C416  # mypy does not know that rows are pairs


def has_requests(connection: Connection, jurisdiction_id: str) -> bool:
    """Whether the jurisdiction has any request."""
    return (
        connection.execute(
            select(service_request.c.id).where(service_request.c.jurisdiction_id == jurisdiction_id).limit(1)
        ).one_or_none()
        is not None
    )


def _select() -> Select[Any]:
    return select(*_COLUMNS)


def record_values(record: RequestRecord, point: Callable[[Place], Any] = point_of) -> dict[str, Any]:
    """A record as values of the table's columns. `point` makes the value of the point."""
    return {
        "jurisdiction_id": record.jurisdiction_id,
        "id": record.number,
        "service_request_id": record.service_request_id or None,
        "service_code": record.service_code,
        "status": record.status,
        "detailed_status": record.detailed_status,
        "outcome": record.outcome,
        "status_notes": record.status_notes,
        "description": record.description,
        "department": record.department,
        "agency_responsible": record.agency_responsible,
        "route_reason": record.route_reason,
        "is_triage": record.is_triage,
        "service_notice": record.service_notice,
        "requested_at": record.requested_at,
        "updated_at": record.updated_at,
        "changed_at": record.changed_at,
        "expected_at": record.expected_at,
        "lat": record.place.lat,
        "long": record.place.long,
        "point": point(record.place),
        "address": record.place.address,
        "address_id": record.place.address_id,
        "zipcode": record.place.zipcode,
        "is_outside": record.is_outside,
        "areas": list(record.areas),
        "media_urls": list(record.media_urls),
        "answers": [_answer_value(answer) for answer in record.answers],
        "visibility": record.visibility,
        "source": record.source,
        "channel": record.channel,
        "possible_duplicate_of": record.possible_duplicate_of,
        "progress": record.progress,
        "progress_detail": record.progress_detail,
        "assignee": record.assignee,
        "priority": record.priority,
        "scheduled_at": record.scheduled_at,
        "held_since": record.held_since,
        "merged_into": record.merged_into,
        "unmasked": list(record.unmasked),
        "version": record.version,
    }


def _answer_value(answer: Answer) -> dict[str, Any]:
    """An answer as JSON. `is_asked` is only there if it is false."""
    found = {"code": answer.code, "values": list(answer.values)}
    return found if answer.is_asked else found | {"is_asked": False}


def _record(row: Row[Any]) -> RequestRecord:
    return RequestRecord(
        jurisdiction_id=row.jurisdiction_id,
        number=row.id,
        service_request_id=row.service_request_id or "",
        service_code=row.service_code,
        status=Status(row.status),
        detailed_status=row.detailed_status,
        outcome=row.outcome,
        status_notes=row.status_notes,
        description=row.description,
        department=row.department,
        agency_responsible=row.agency_responsible,
        route_reason=row.route_reason,
        is_triage=row.is_triage,
        service_notice=row.service_notice,
        requested_at=row.requested_at,
        updated_at=row.updated_at,
        changed_at=row.changed_at,
        expected_at=row.expected_at,
        place=Place(
            lat=row.lat, long=row.long, address=row.address, address_id=row.address_id, zipcode=row.zipcode
        ),
        is_outside=row.is_outside,
        areas=tuple(row.areas),
        media_urls=tuple(row.media_urls),
        answers=tuple(
            Answer(item["code"], tuple(item["values"]), item.get("is_asked", True)) for item in row.answers
        ),
        visibility=Visibility(row.visibility),
        source=row.source,
        channel=row.channel,
        possible_duplicate_of=row.possible_duplicate_of,
        progress=Progress(row.progress),
        progress_detail=row.progress_detail,
        assignee=row.assignee,
        priority=Priority(row.priority),
        scheduled_at=row.scheduled_at,
        held_since=row.held_since,
        merged_into=row.merged_into,
        unmasked=tuple(row.unmasked),
        version=row.version,
    )
