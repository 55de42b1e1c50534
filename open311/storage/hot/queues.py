"""The queues of staff: single statements over the records. No public route uses them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import REGCONFIG, TIMESTAMP

from open311.domain.queues import SOON, QueueRow, QueueSearch
from open311.domain.requests import Progress
from open311.domain.search import Circle, box_around, halves
from open311.domain.workflow import State
from open311.storage.geometry import circle_values, distance, within
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from open311.storage.tables import publication, request_token, service_request
from open311.storage.tables.requests import DUE, FOR_EVER

CAPS = (51, 201, 1001)
"""Literal limits, so that a generic plan expects few rows. A page uses the smallest that is large enough."""

_SHOWN_CHARACTERS = 300
_COLUMNS = service_request.c
_ROW = tuple(name for name in QueueRow._fields if name != "metres")
# Written as in the partial indexes, so that they match.
_IS_OPEN: ColumnElement[bool] = literal_column("status = 'open'")
_IS_CLOSED: ColumnElement[bool] = literal_column("status = 'closed'")
_IS_UNMERGED: ColumnElement[bool] = literal_column("merged_into = 0")
_IS_MERGED: ColumnElement[bool] = literal_column("merged_into <> 0")
_IS_ON_THE_WAY: ColumnElement[bool] = literal_column("progress <> ''")
_IS_TRIAGE: ColumnElement[bool] = literal_column("is_triage")
_INSTANT = TIMESTAMP(timezone=True)


@dataclass(frozen=True, slots=True)
class QueueKind:
    """Everything in a search that its SQL depends on."""

    departments: int
    has_names: bool
    states: tuple[State, ...]
    has_services: bool
    has_area: bool
    has_age: bool
    due: str
    assignee: str
    has_words: bool
    is_merged: bool
    is_closed: bool
    has_key: bool

    @classmethod
    def of(cls, search: QueueSearch) -> QueueKind:
        return cls(
            departments=0 if search.departments is None else min(2, len(search.departments)),
            has_names=bool(search.names),
            states=tuple(state for state in State if state in search.states),
            has_services=bool(search.service_codes),
            has_area=bool(search.area),
            has_age=search.requested_before is not None,
            due=search.due,
            assignee="any" if search.assignee is None else "one" if search.assignee else "nobody",
            has_words=bool(search.words),
            is_merged=search.is_merged,
            is_closed=search.is_closed,
            has_key=search.after is not None,
        )

    @property
    def is_by_department(self) -> bool:
        """Whether the first rows of each of several departments are read from an index, and then merged."""
        return self.departments > 1 and not (self.has_names or self.has_words or self.is_merged)

    @property
    def has_one_plan(self) -> bool:
        """Whether one plan is the best for all values: the queue has no filter but its departments."""
        is_filtered = self.states or self.has_services or self.has_area or self.has_age or self.due
        special = self.has_names or self.has_words or self.is_merged or self.is_closed
        return not (is_filtered or special) and self.assignee == "any"


def find_queue(hot: HotConnections, search: QueueSearch) -> list[QueueRow]:
    """The rows of a page, in order, followed by the next page's first row if there is one."""
    found = hot.rows(page_statement(search), page_values(search))
    return [QueueRow(*row) for row in found]


def page_statement(search: QueueSearch) -> Statement:
    """The statement of a page."""
    return _page(QueueKind.of(search), next(cap for cap in CAPS if cap > search.page_size))


def page_values(search: QueueSearch) -> dict[str, Any]:
    """The values of a page's statement."""
    return _values(search) | {"limit": search.page_size + 1}


def find_around(
    hot: HotConnections,
    jurisdiction_id: str,
    circle: Circle,
    departments: Sequence[str] | None,
    *,
    most: int,
    service_code: str = "",
) -> list[QueueRow]:
    """The open requests in a circle, nearest first, each with `metres`.

    departments   codes; None for all
    service_code  of one service; "" for all
    """
    parts = len(halves(box_around(circle)))
    statement = _around(parts, departments is not None, bool(service_code))
    values = {
        "jurisdiction_id": jurisdiction_id,
        "departments": list(departments or ()),
        "service_code": service_code,
        "limit": most,
    }
    found = hot.rows(statement, values | circle_values("near", circle))
    return [QueueRow(*row) for row in found]


def count_special(hot: HotConnections, jurisdiction_id: str, now: datetime) -> dict[tuple[str, str], int]:
    """How many requests wait in each department, by (kind, department): overdue, assigned, triage."""
    rows = hot.rows(_special(), {"jurisdiction_id": jurisdiction_id, "now": now})
    return {(kind, department): number for kind, department, number in rows}


def _shown(columns: Any) -> list[ColumnElement[Any]]:
    """The columns of a row, in the order of `QueueRow`."""
    begin = func.left(columns.description, literal_column(str(_SHOWN_CHARACTERS))).label("description")
    special = {"number": columns.id.label("number"), "description": begin}
    return [special.get(name, columns.get(name)) for name in _ROW]


def _values(search: QueueSearch) -> dict[str, Any]:
    after = search.after
    return {
        "jurisdiction_id": search.jurisdiction_id,
        "department": search.departments[0] if search.departments else None,
        "departments": list(search.departments or ()),
        "names": list(search.names),
        "numbers": [name for name in search.names if name.isascii() and name.isdigit() and len(name) <= 18],
        "service_codes": list(search.service_codes),
        "areas": [search.area],
        "requested_before": search.requested_before,
        "now": search.now,
        "soon": search.now + SOON,
        "assignee": search.assignee,
        "words": search.words,
        "folded_words": search.folded_words,
        "words_language": search.language,
        "key_at": after.at if after else None,
        "key_number": after.number if after else None,
    }


@cache
def _page(kind: QueueKind, cap: int) -> Statement:
    limit = bindparam("limit", type_=Integer)
    if not kind.is_by_department:
        query = _within(kind, service_request, *_departments(kind)).order_by(*_order(kind, _COLUMNS)).limit(limit)
        return Statement.of(query, is_prepared=kind.has_one_plan)
    codes = cast(bindparam("departments", type_=ARRAY(Text)), ARRAY(Text))
    wanted = func.unnest(codes).table_valued("code", name="wanted").render_derived()
    first = _within(kind, service_request, _COLUMNS.department == wanted.c.code)
    here = first.order_by(*_order(kind, _COLUMNS)).limit(literal_column(str(cap))).lateral("here")
    merged = select(*(here.c[name] for name in _ROW)).select_from(wanted.join(here, true()))
    query = merged.order_by(*_order(kind, here.c)).limit(limit)
    return Statement.of(query, is_prepared=kind.has_one_plan)


def _departments(kind: QueueKind) -> Iterator[ColumnElement[bool]]:
    if kind.departments == 1:
        yield _COLUMNS.department == bindparam("department")
    elif kind.departments:
        yield _COLUMNS.department == any_(bindparam("departments", type_=ARRAY(Text)))


def _within(kind: QueueKind, table: FromClause, *more: ColumnElement[bool]) -> Select[Any]:
    conditions = [_COLUMNS.jurisdiction_id == bindparam("jurisdiction_id"), *more, *_conditions(kind)]
    return select(*_shown(table.c)).where(*conditions)


def _order(kind: QueueKind, columns: Any) -> tuple[ColumnElement[Any], ...]:
    if kind.is_closed and not kind.has_names:
        return columns.updated_at.desc(), _number(columns).desc()
    return func.coalesce(columns.expected_at, FOR_EVER), _number(columns)


def _number(columns: Any) -> ColumnElement[int]:
    """A request's number among the columns of the table or of a subquery."""
    found: ColumnElement[int] = columns.id if "id" in columns else columns.number
    return found


def _conditions(kind: QueueKind) -> Iterator[ColumnElement[bool]]:
    if kind.has_key:
        yield _behind(kind)
    if kind.has_names:
        yield _is_named()
        return
    if kind.is_closed:
        yield _IS_CLOSED
    else:
        yield _IS_OPEN
        yield _IS_MERGED if kind.is_merged else _IS_UNMERGED
        yield from _of_states(kind.states)
    if kind.has_services:
        yield _COLUMNS.service_code == any_(bindparam("service_codes", type_=ARRAY(Text)))
    if kind.has_area:
        yield _COLUMNS.areas.contains(bindparam("areas", type_=ARRAY(Text)))
    if kind.has_age:
        yield _COLUMNS.requested_at < bindparam("requested_before")
    yield from _of_due(kind.due)
    if kind.assignee == "one":
        yield literal_column("assignee <> ''")
        yield _COLUMNS.assignee == bindparam("assignee")
    elif kind.assignee == "nobody":
        yield literal_column("assignee = ''")
    if kind.has_words:
        yield _COLUMNS.id.in_(_numbers_with_words())


def _behind(kind: QueueKind) -> ColumnElement[bool]:
    """The rows after the key. A row comparison makes an index scan begin there."""
    key_at = cast(bindparam("key_at", type_=_INSTANT), _INSTANT)
    number = bindparam("key_number", type_=BigInteger)
    if kind.is_closed and not kind.has_names:
        return tuple_(_COLUMNS.updated_at, _COLUMNS.id) < tuple_(key_at, number)
    return tuple_(DUE, _COLUMNS.id) > tuple_(func.coalesce(key_at, FOR_EVER), number)


def _of_states(states: tuple[State, ...]) -> Iterator[ColumnElement[bool]]:
    """Open requests in any of these states, as `state_of` has them."""
    if not states:
        return
    plain: ColumnElement[bool] = literal_column("progress = ''")
    has_owner: ColumnElement[bool] = literal_column("(department <> '' OR agency_responsible <> '')")
    before = {
        State.TRIAGE: and_(plain, _IS_TRIAGE),
        State.ASSIGNED: and_(plain, not_(_IS_TRIAGE), has_owner),
        State.RECEIVED: and_(plain, not_(_IS_TRIAGE), not_(has_owner)),
    }
    under_way = [state for state in states if state not in before]
    named = and_(_IS_ON_THE_WAY, _COLUMNS.progress.in_([literal_column(f"'{Progress(one)}'") for one in under_way]))
    yield or_(*(before[state] for state in states if state in before), *([named] if under_way else []))


def _of_due(due: str) -> Iterator[ColumnElement[bool]]:
    """As `due_of` has it. The conditions on DUE alone follow from the others; an index can use them."""
    now = bindparam("now", type_=_INSTANT)
    clock = func.coalesce(_COLUMNS.held_since, now)
    if due == "true":
        yield from (now > DUE, _COLUMNS.expected_at < clock)
    elif due == "false":
        yield clock <= DUE
    elif due == "soon":
        soon = clock + literal_column(f"interval '{SOON.total_seconds():.0f} s'")
        yield bindparam("soon", type_=_INSTANT) > DUE
        yield from (_COLUMNS.expected_at >= clock, _COLUMNS.expected_at < soon)


def _is_named() -> ColumnElement[bool]:
    """The requests with these ids, tokens or numbers. Each part of the union has an index; an OR would use none."""
    names = bindparam("names", type_=ARRAY(Text))
    mine: ColumnElement[str] = bindparam("jurisdiction_id")
    other = service_request.alias("other")
    numbers = func.unnest(cast(bindparam("numbers", type_=ARRAY(Text)), ARRAY(BigInteger))).column_valued("number")
    ids = select(other.c.id).where(other.c.jurisdiction_id == mine, other.c.service_request_id == any_(names))
    tokens = select(request_token.c.request_id).where(
        request_token.c.jurisdiction_id == mine, request_token.c.token == any_(names)
    )
    return _COLUMNS.id.in_(union_all(ids, tokens, select(numbers)))


def _numbers_with_words() -> Any:
    """The numbers of the requests with these words: public ones by their index, all others by their own text."""
    language = cast(bindparam("words_language", type_=Text), REGCONFIG)
    folded = func.websearch_to_tsquery(language, bindparam("folded_words", type_=Text))
    plain = func.websearch_to_tsquery(language, bindparam("words", type_=Text))
    mine = publication.c.jurisdiction_id == bindparam("jurisdiction_id")
    public = select(publication.c.id).where(
        mine, publication.c.visibility == literal_column("'public'"), publication.c.words.bool_op("@@")(folded)
    )
    other = service_request.alias("other")
    text = func.concat_ws(literal_column("' '"), other.c.description, other.c.address, other.c.status_notes)
    either = func.to_tsvector(language, text)
    unlisted = select(other.c.id).where(
        other.c.jurisdiction_id == bindparam("jurisdiction_id"),
        literal_column("(other.visibility <> 'public' OR other.service_request_id IS NULL)"),
        or_(either.bool_op("@@")(folded), either.bool_op("@@")(plain)),
    )
    return union_all(public, unlisted)


@cache
def _around(parts: int, has_departments: bool, has_service: bool) -> Statement:
    metres = distance(_COLUMNS.point, "near").label("metres")
    conditions = [
        _COLUMNS.jurisdiction_id == bindparam("jurisdiction_id"),
        _IS_OPEN,
        _IS_UNMERGED,
        within(_COLUMNS.point, "near", parts),
    ]
    if has_departments:
        conditions.append(_COLUMNS.department == any_(bindparam("departments", type_=ARRAY(Text))))
    if has_service:
        conditions.append(_COLUMNS.service_code == bindparam("service_code"))
    query = select(*_shown(_COLUMNS), metres).where(*conditions).order_by(metres, _COLUMNS.id)
    return Statement.of(query.limit(bindparam("limit", type_=Integer)))


@cache
def _special() -> Statement:
    now = bindparam("now", type_=_INSTANT)
    kinds = {
        "overdue": (now > DUE, _COLUMNS.expected_at < func.coalesce(_COLUMNS.held_since, now)),
        "assigned": (literal_column("assignee <> ''"),),
        "triage": (_IS_TRIAGE, literal_column("progress = ''")),
    }
    mine = (_COLUMNS.jurisdiction_id == bindparam("jurisdiction_id"), _IS_OPEN, _IS_UNMERGED)
    parts = [
        select(literal_column(f"'{kind}'"), _COLUMNS.department, func.count())
        .where(*mine, *conditions)
        .group_by(_COLUMNS.department)
        for kind, conditions in kinds.items()
    ]
    return Statement.of(union_all(*parts))
