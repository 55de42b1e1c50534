"""The change feed: public changes, ordered by the id of the transaction that wrote them.

The order does not come from a sequence, because a transaction can get its number early and commit after a reader
has passed that number. Instead, each row has the id of the transaction that wrote it, and only rows below the
horizon are served. The horizon is the id of the oldest transaction in progress. No row can be added below the
horizon.

A mark stores the horizon at an instant. A reader that wants the changes since an instant finds its first position
with a mark.

When a replica becomes the primary, the last transactions of the old primary may be lost. Their ids are then given
to other transactions. So a position belongs to a timeline of the history. A position of an earlier timeline is
valid if a mark of that timeline was not lost and has a horizon above the position. All transactions below this
horizon had ended before the mark was written, so none of them is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from open311.formats import Format
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.items import BODY_COLUMNS, EXTRAS_COLUMNS
from open311.storage.hot.statements import Statement
from open311.storage.replication import timeline
from open311.storage.tables import TransactionId, change_mark, publication, published_department


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A position in the order of changes: the id of the writing transaction, and the request's number.

    timeline  the timeline of the history to which the id belongs
    """

    written_by: int
    number: int
    timeline: int = field(default=1, compare=False)


BEGINNING = Position(0, -(2**63))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedChange:
    """A request that has changed, in its current state.

    The body is empty if the request is no longer public. If the reader asks for a department, the body is also
    empty if another department has the request.

    extras         the rendered extended_attributes, notes and attributes; empty unless requested
    is_for_reader  whether the reader gets the change. False only if the reader asks for a department, and the
                   request is public, belongs to another department and was never transferred
    """

    position: Position
    service_request_id: str
    body: bytes
    digest: int
    extras: Sequence[str] = ()
    is_for_reader: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundChanges:
    """The changes after a position, in one snapshot of the database.

    is_held   whether there are more changes that must wait until an older transaction ends
    is_lost   whether the position may be one that this history does not have. This happens if the database was
              restored from a backup, or if a replica became the primary
    timeline  the present timeline of the history. A position that is not lost is valid on it, even if the position
              has an earlier timeline
    """

    changes: list[PublishedChange]
    is_held: bool
    is_lost: bool
    timeline: int


def read_changes(
    hot: HotConnections,
    jurisdiction_id: str,
    after: Position,
    output: Format,
    *,
    rows: int,
    with_extras: bool = False,
    department: str = "",
) -> FoundChanges:
    """At most `rows` changes after a position. A request that changed several times appears only once.

    department  the code of the department that the reader asks for; "" for all. Changes of other departments are
                also returned, with `is_for_reader` and an empty body, so that a call reads a bounded number of rows
    """
    values = {
        "jurisdiction_id": jurisdiction_id,
        "written_by": str(after.written_by),
        "timeline": after.timeline,
        "number": after.number,
        "rows": rows,
        "department": department,
    }
    records = hot.rows(_statement(output, with_extras, bool(department)), values)
    is_held, is_lost, timeline = records[0][:3]
    return FoundChanges(
        changes=[_change(row[3:], timeline) for row in records if row[3] is not None],
        is_held=is_held,
        is_lost=is_lost and after.written_by > 0,
        timeline=timeline,
    )


def read_newest_changes(
    hot: HotConnections, jurisdiction_id: str, before: Position | None, output: Format, *, rows: int
) -> list[PublishedChange]:
    """At most `rows` changes before a position, the newest first. None: from the end of the feed.

    As in `read_changes`, a request appears only with its last change, and changes that are newer than the oldest
    open transaction do not appear yet.
    """
    values: dict[str, Any] = {"jurisdiction_id": jurisdiction_id, "rows": rows}
    if before is not None:
        values |= {"written_by": str(before.written_by), "number": before.number}
    return [_change(row[:-1], row[-1]) for row in hot.rows(_newest(output, before is not None), values)]


def find_last_transaction(hot: HotConnections, jurisdiction_id: str) -> tuple[int, int] | None:
    """The id of the last transaction that changed a publication (0 if there is none), and the timeline.

    Returns None while an older transaction is in progress. As long as both numbers are the same, no publication has
    changed: all older transactions have ended, and newer transactions have higher ids.
    """
    [(last, is_settled, timeline)] = hot.rows(_last_transaction(), {"jurisdiction_id": jurisdiction_id})
    if last is None:
        return 0, timeline
    return (int(last), timeline) if is_settled else None


def has_future_transactions(connection: Connection, jurisdiction_id: str) -> bool:
    """Whether any publication has a transaction id in the future.

    Such ids exist after a backup of another server was restored into this server.
    """
    statement = select(
        select(publication.c.id)
        .where(
            publication.c.jurisdiction_id == jurisdiction_id,
            publication.c.was_public,
            publication.c.written_by >= _next_transaction(),
        )
        .exists()
    )
    return bool(connection.execute(statement).scalar_one())


def write_mark(connection: Connection, jurisdiction_id: str, at: datetime) -> bool:
    """Store a mark if any publication was written since the last mark. Returns whether a mark was stored.

    The first mark on another timeline is always stored.

    at  the current time or later. Every transaction that commits after `at` then has an id that is not below the
        mark's horizon
    """
    last, here = func.max(change_mark.c.horizon), timeline()
    newest = _last_written(bindparam("city", jurisdiction_id, Text)).scalar_subquery()
    last_horizon = select(last).where(change_mark.c.jurisdiction_id == jurisdiction_id).scalar_subquery()
    is_new = newest >= func.coalesce(last_horizon, cast(literal_column("'0'"), TransactionId))
    has_mark_here = exists().where(change_mark.c.jurisdiction_id == jurisdiction_id, change_mark.c.timeline == here)
    row = select(
        bindparam("jurisdiction", jurisdiction_id, Text),
        bindparam("at", at, change_mark.c.at.type),
        _horizon(),
        here,
    ).where(or_(is_new, and_(newest.is_not(None), ~has_mark_here)))
    statement = insert(change_mark).from_select(["jurisdiction_id", "at", "horizon", "timeline"], row)
    return connection.execute(statement).rowcount > 0


def delete_old_marks(connection: Connection, before: datetime) -> int:
    """Delete marks that are older than `before`, and return their number. The newest of each timeline stays."""
    newer = change_mark.alias("newer")
    has_newer = exists().where(
        newer.c.jurisdiction_id == change_mark.c.jurisdiction_id,
        newer.c.timeline == change_mark.c.timeline,
        newer.c.at > change_mark.c.at,
    )
    return connection.execute(delete(change_mark).where(change_mark.c.at < before, has_newer)).rowcount


def delete_future_marks(connection: Connection, jurisdiction_id: str) -> int:
    """Delete the marks of a city that have a horizon in the future, and return their number.

    Such marks exist after a backup of another server was restored into this server.
    """
    statement = delete(change_mark).where(
        change_mark.c.jurisdiction_id == jurisdiction_id, change_mark.c.horizon >= _next_transaction()
    )
    return connection.execute(statement).rowcount


def find_mark(hot: HotConnections, jurisdiction_id: str, at: datetime) -> Position:
    """A position before all changes that were committed after `at`; `BEGINNING` if no mark is old enough."""
    rows = hot.rows(_mark(), {"jurisdiction_id": jurisdiction_id, "at": at})
    return Position(int(rows[0][0]), BEGINNING.number, rows[0][1]) if rows else BEGINNING


def _change(row: Sequence[Any], timeline: int) -> PublishedChange:
    written_by, number, service_request_id, body, digest, is_for_reader, *extras = row
    return PublishedChange(
        position=Position(int(written_by), number, timeline),
        service_request_id=service_request_id,
        body=body.encode(),
        digest=digest,
        is_for_reader=is_for_reader,
        extras=extras[0] if extras else (),
    )


def _horizon() -> ColumnElement[Any]:
    """The id of the oldest transaction in progress."""
    return func.pg_snapshot_xmin(func.pg_current_snapshot(), type_=TransactionId)


def _last_written(jurisdiction_id: ColumnElement[str]) -> Select[Any]:
    """The id of the last transaction that wrote a publication of the city; NULL if there is none."""
    newest = func.max(publication.c.written_by).label("written_by")
    return select(newest).where(publication.c.jurisdiction_id == jurisdiction_id, publication.c.was_public)


def _next_transaction() -> ColumnElement[Any]:
    """The id that the next transaction will get."""
    return func.pg_snapshot_xmax(func.pg_current_snapshot(), type_=TransactionId)


_WAS_TRANSFERRED = func.strpos(
    publication.c.json_extras[literal_column("2")], literal_column("""'"type":"transferred"'""")
) > literal_column("0")
"""Whether the public history of a request, which is its second extra, has a transfer to another department."""


@cache
def _statement(output: Format, with_extras: bool, by_department: bool) -> Statement:
    """The horizon, and the changes after the position and below the horizon, in one snapshot."""
    columns = publication.c
    after = cast(bindparam("written_by", type_=Text), TransactionId)
    ours = (columns.jurisdiction_id == bindparam("jurisdiction_id"), columns.was_public)
    is_listed = columns.visibility == literal_column("'public'")
    is_theirs = published_department == bindparam("department") if by_department else true()
    here, theirs = timeline(), bindparam("timeline", type_=Integer)
    is_kept = exists().where(
        change_mark.c.jurisdiction_id == bindparam("jurisdiction_id"),
        change_mark.c.timeline == theirs,
        theirs < here,
        tuple_(change_mark.c.horizon, literal_column(str(BEGINNING.number), BigInteger))
        >= tuple_(after, bindparam("number", type_=BigInteger)),
    )
    state = select(
        select(columns.id).where(*ours, columns.written_by >= _horizon()).exists().label("is_held"),
        or_(after >= _next_transaction(), and_(theirs != here, ~is_kept)).label("is_lost"),
        here.label("timeline"),
    ).subquery("state")
    page = (
        select(
            columns.written_by,
            columns.id,
            columns.service_request_id,
            case((and_(is_listed, is_theirs), BODY_COLUMNS[output]), else_=literal_column("''")).label("body"),
            columns.digest,
            (or_(is_theirs, ~is_listed, _WAS_TRANSFERRED) if by_department else true()).label("is_for_reader"),
            *((EXTRAS_COLUMNS[output].label("extras"),) if with_extras else ()),
        )
        .where(
            *ours,
            tuple_(columns.written_by, columns.id) > tuple_(after, bindparam("number", type_=BigInteger)),
            columns.written_by < _horizon(),
        )
        .order_by(columns.written_by, columns.id)
        .limit(bindparam("rows", type_=Integer))
        .subquery("page")
    )
    query = (
        select(
            state.c.is_held,
            state.c.is_lost,
            state.c.timeline,
            cast(page.c.written_by, Text),
            *(column for column in page.c if column.name != "written_by"),
        )
        .select_from(state.outerjoin(page, true()))
        .order_by(page.c.written_by, page.c.id)
    )
    return Statement.of(query, is_prepared=True)


@cache
def _newest(output: Format, has_position: bool) -> Statement:
    """The changes below the horizon, and before the position if there is one, in the opposite order."""
    columns = publication.c
    before = cast(bindparam("written_by", type_=Text), TransactionId)
    is_listed = columns.visibility == literal_column("'public'")
    query = select(
        cast(columns.written_by, Text),
        columns.id,
        columns.service_request_id,
        case((is_listed, BODY_COLUMNS[output]), else_=literal_column("''")),
        columns.digest,
        true(),
        timeline(),
    ).where(
        columns.jurisdiction_id == bindparam("jurisdiction_id"),
        columns.was_public,
        columns.written_by < _horizon(),
    )
    if has_position:
        query = query.where(
            tuple_(columns.written_by, columns.id) < tuple_(before, bindparam("number", type_=BigInteger))
        )
    newest_first = query.order_by(columns.written_by.desc(), columns.id.desc())
    return Statement.of(newest_first.limit(bindparam("rows", type_=Integer)))


@cache
def _last_transaction() -> Statement:
    newest = _last_written(bindparam("jurisdiction_id")).subquery()
    query = select(cast(newest.c.written_by, Text), newest.c.written_by < _horizon(), timeline())
    return Statement.of(query, is_prepared=True)


@cache
def _mark() -> Statement:
    return Statement.of(
        select(cast(change_mark.c.horizon, Text), change_mark.c.timeline)
        .where(
            change_mark.c.jurisdiction_id == bindparam("jurisdiction_id"),
            change_mark.c.at <= bindparam("at", type_=change_mark.c.at.type),
        )
        .order_by(change_mark.c.at.desc())
        .limit(literal_column("1"))
    )
