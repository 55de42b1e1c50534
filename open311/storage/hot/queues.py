"""The queues of staff: single statements over the records. No public route uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Interval,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from open311.domain.events import Suspected
from open311.domain.queues import QueueRow, QueueSearch
from open311.domain.requests import TEST_REASON, Progress, Visibility
from open311.domain.search import Circle, box_around, halves
from open311.domain.workflow import State
from open311.storage.geometry import circle_values, distance, within
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.selects import configuration, words_query
from open311.storage.hot.sessions import Filled
from open311.storage.hot.statements import Statement
from open311.storage.hot.transactions import Run
from open311.storage.tables import (
    external_id,
    personal_data,
    publication,
    received_update,
    request_event,
    request_token,
    service_request,
)
from open311.storage.tables.requests import DUE, FOR_EVER

CAPS = (11, 51, 201, 1001)
"""LIMIT values that are written into the SQL, because PostgreSQL then plans for few rows.

A page uses the smallest value that is greater than its page size.
"""

_SHOWN_CHARACTERS = 300
_KEPT_SEARCHES = 1_024
_COLUMNS = service_request.c
_ROW = tuple(name for name in QueueRow._fields if name != "metres")
_STATE = ("number", "version", "writer", "due")
# These conditions must be written as in the partial indexes. Otherwise PostgreSQL does not use the indexes.
_IS_OPEN: ColumnElement[bool] = literal_column("status = 'open'")
_IS_CLOSED: ColumnElement[bool] = literal_column("status = 'closed'")
_IS_UNMERGED: ColumnElement[bool] = literal_column("merged_into = 0")
_IS_MERGED: ColumnElement[bool] = literal_column("merged_into <> 0")
_IS_ON_THE_WAY: ColumnElement[bool] = literal_column("progress <> ''")
_IS_TRIAGE: ColumnElement[bool] = literal_column("is_triage")
_IS_TEST: ColumnElement[bool] = literal_column(f"(visibility = 'unlisted' OR route_reason = '{TEST_REASON}')")
_IS_REAL: ColumnElement[bool] = not_(_IS_TEST)
# _IS_TEST implies this condition. It is written as in the index of the requests that the public does not see.
_IS_UNLISTED: ColumnElement[bool] = literal_column("(visibility <> 'public' OR service_request_id IS NULL)")
_IS_HELD: ColumnElement[bool] = literal_column(f"service_request.visibility = '{Visibility.HELD}'")
_INSTANT = TIMESTAMP(timezone=True)
_SOON: ColumnElement[Any] = func.coalesce(
    service_request.c.held_since + bindparam("soon_in", type_=Interval), bindparam("soon", type_=_INSTANT)
)
"""A request whose due date is before this time is due soon. The sum is made only for the few requests on hold."""
_WRITER: ColumnElement[Any] = literal_column("service_request.xmin").label("writer")

RowState = tuple[int, int, bytes, int]
"""A state of a request: its number, its version, the id of the writing transaction in binary form, and a number for
`due`.

Changes by this server raise the version. Changes by hand in SQL do not raise it, but change the transaction id.
`due` changes as time goes by.
"""


class QueueKind(NamedTuple):
    """The parts of a search on which the text of its SQL depends. A tuple, because it is made and hashed often."""

    departments: int
    has_names: bool
    states: tuple[State, ...]
    has_services: bool
    has_area: bool
    has_age: bool
    due: str
    assignee: str
    language: str
    is_merged: bool
    is_suspected: bool
    is_test: bool
    is_held: bool
    has_personal_data: bool
    is_closed: bool
    has_key: bool

    @classmethod
    def of(cls, search: QueueSearch) -> QueueKind:
        return cls(
            departments=0 if search.departments is None else min(2, len(search.departments)),
            has_names=bool(search.names),
            states=tuple(state for state in State if state in search.states) if search.states else (),
            has_services=bool(search.service_codes),
            has_area=bool(search.area),
            has_age=search.older_than is not None,
            due=search.due,
            assignee="any" if search.assignee is None else "one" if search.assignee else "nobody",
            language=search.language if search.words else "",
            is_merged=search.is_merged,
            is_suspected=search.is_suspected,
            is_test=search.is_test,
            is_held=search.is_held,
            has_personal_data=search.has_personal_data,
            is_closed=search.is_closed,
            has_key=search.after is not None,
        )

    @property
    def is_by_department(self) -> bool:
        """Whether the SQL reads the first rows of each department from an index and then merges them."""
        return self.departments > 1 and not (self.has_names or self.language or self._is_special)

    @property
    def is_by_closing(self) -> bool:
        """Whether the rows are ordered by their closing times (`updated_at`), instead of by their due dates."""
        return self.is_closed and not self.has_names

    @property
    def _is_special(self) -> bool:
        """Whether the queue has few rows, for which there is a partial index or a small table."""
        return self.is_merged or self.is_suspected or self.is_test or self.is_held or self.has_personal_data

    @property
    def has_one_plan(self) -> bool:
        """Whether the same plan is the best for all values: True if departments are the only filter."""
        is_filtered = self.states or self.has_services or self.has_area or self.has_age or self.due
        special = self.has_names or self.language or self._is_special or self.is_closed
        return not (is_filtered or special) and self.assignee == "any"


def find_queue(hot: HotConnections, search: QueueSearch, now: datetime) -> list[QueueRow]:
    """The rows of a page in their order. If there is a next page, its first row follows."""
    found = hot.rows(page_statement(search), page_values(search, now))
    return [QueueRow(*row) for row in found]


def find_states(run: Run, search: QueueSearch, now: datetime) -> list[RowState]:
    """The states of the requests on a page, in their order. The requests themselves are not read.

    If there is a next page, the state of its first request follows.
    """
    return run(*states_statement(search, now))


def states_statement(search: QueueSearch, now: datetime) -> Filled:
    """The statement of `find_states`, with its values."""
    return page_statement(search, is_whole=False), page_values(search, now)


def find_rows(hot: HotConnections, jurisdiction_id: str, states: Sequence[RowState]) -> dict[RowState, QueueRow]:
    """The requests that are still in these states, apart from `due`. Requests that have changed are left out."""
    numbers = [str(number) for number, *_ in states]
    found = hot.rows(_by_numbers(), {"jurisdiction_id": jurisdiction_id, "numbers": numbers})
    rows = {(row.number, row.version, writer): row for *fields, writer in found for row in (QueueRow(*fields),)}
    return {state: rows[state[:-1]] for state in states if state[:-1] in rows}


@lru_cache(maxsize=_KEPT_SEARCHES)
def page_statement(search: QueueSearch, *, is_whole: bool = True) -> Statement:
    """The statement of a page. `is_whole` says whether the statement reads the requests, or only their states."""
    cap = next(cap for cap in CAPS if cap > search.page_size)
    return _page(QueueKind.of(search), cap, is_whole=is_whole)


def page_values(search: QueueSearch, now: datetime) -> dict[str, Any]:
    """The values for the statement of a page.

    now  the instant against which due dates and ages are measured
    """
    before = None if search.older_than is None else now - search.older_than
    return {**_constant_values(search), "requested_before": before, "now": now, "soon": now + search.soon}


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

    departments   codes of departments; None for all
    service_code  only requests of this service; "" for all
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
    """Numbers of open requests that are not merged, by (kind, department).

    The kinds are test, overdue, assigned, triage and suspected.
    """
    rows = hot.rows(_special(), {"jurisdiction_id": jurisdiction_id, "now": now})
    return {(kind, department): number for kind, department, number in rows}


def _shown(columns: Any) -> list[ColumnElement[Any]]:
    """The columns of a row, in the order of `QueueRow`."""
    begin = func.left(columns.description, literal_column(str(_SHOWN_CHARACTERS))).label("description")
    special = {"number": columns.id.label("number"), "description": begin}
    return [special.get(name, columns.get(name)) for name in _ROW]


@lru_cache(maxsize=_KEPT_SEARCHES)
def _constant_values(search: QueueSearch) -> Mapping[str, Any]:
    """The values that do not depend on the time."""
    after = search.after
    return {
        "jurisdiction_id": search.jurisdiction_id,
        "department": search.departments[0] if search.departments else None,
        "departments": list(search.departments or ()),
        "names": list(search.names),
        "numbers": [name for name in search.names if name.isascii() and name.isdigit() and len(name) <= 18],
        "service_codes": list(search.service_codes),
        "areas": [search.area],
        "soon_in": search.soon,
        "assignee": search.assignee,
        "words": search.words,
        "folded_words": search.folded_words,
        "key_at": after.at if after else None,
        "key_number": after.number if after else None,
        "limit": search.page_size + 1,
    }


@cache
def _page(kind: QueueKind, cap: int, *, is_whole: bool) -> Statement:
    """The statement of a page. It reads at most `cap` rows, so PostgreSQL plans for few rows (decision 0023)."""
    names = _ROW if is_whole else _STATE
    columns = (*(_shown(_COLUMNS) if is_whole else _state()), _at(kind).label("at"))
    source, rows = _first(kind, columns, cap)
    query = select(*(rows.c[name] for name in names)).select_from(source)
    page = query.order_by(*_direction(kind, rows.c.at, rows.c.number)).limit(bindparam("limit", type_=Integer))
    return Statement.of(page, is_prepared=kind.has_one_plan)


def _first(kind: QueueKind, columns: Sequence[ColumnElement[Any]], cap: int) -> tuple[FromClause, FromClause]:
    """The first rows of a queue: the FROM clause, and the subquery in it that has the columns."""
    mine = _COLUMNS.jurisdiction_id == bindparam("jurisdiction_id")
    limit: ColumnElement[int] = literal_column(str(cap))
    order = tuple(_direction(kind, _at(kind), _COLUMNS.id))
    if not kind.is_by_department:
        chosen = select(*columns).where(mine, *_departments(kind), *_conditions(kind))
        first = chosen.order_by(*order).limit(limit).subquery("first")
        return first, first
    codes = cast(bindparam("departments", type_=ARRAY(Text)), ARRAY(Text))
    wanted = func.unnest(codes).table_valued("code", name="wanted").render_derived()
    chosen = select(*columns).where(mine, _COLUMNS.department == wanted.c.code, *_conditions(kind))
    here = chosen.order_by(*order).limit(limit).lateral("here")
    return wanted.join(here, true()), here


@cache
def _by_numbers() -> Statement:
    numbers = cast(bindparam("numbers", type_=ARRAY(Text)), ARRAY(BigInteger))
    query = select(*_shown(_COLUMNS), _WRITER).where(
        _COLUMNS.jurisdiction_id == bindparam("jurisdiction_id"), _COLUMNS.id == any_(numbers)
    )
    return Statement.of(query, is_prepared=True)


def _state() -> list[ColumnElement[Any]]:
    """The columns of `RowState`, in the order of `_STATE`."""
    clock = func.coalesce(_COLUMNS.held_since, bindparam("now", type_=_INSTANT))
    due = case(
        (or_(_IS_CLOSED, _COLUMNS.expected_at.is_(None)), literal_column("0")),
        (_COLUMNS.expected_at < clock, literal_column("1")),
        (_COLUMNS.expected_at < _SOON, literal_column("2")),
        else_=literal_column("3"),
    )
    return [_COLUMNS.id.label("number"), _COLUMNS.version, _WRITER, due.label("due")]


def _departments(kind: QueueKind) -> Iterator[ColumnElement[bool]]:
    if kind.departments == 1:
        yield _COLUMNS.department == bindparam("department")
    elif kind.departments:
        yield _COLUMNS.department == any_(bindparam("departments", type_=ARRAY(Text)))


def _at(kind: QueueKind) -> ColumnElement[Any]:
    """The instant by which a queue is ordered."""
    return _COLUMNS.updated_at if kind.is_by_closing else DUE


def _direction(kind: QueueKind, *columns: ColumnElement[Any]) -> Iterator[ColumnElement[Any]]:
    """The ORDER BY of a queue: the earliest due date first, or the latest closing time first."""
    for column in columns:
        yield column.desc() if kind.is_by_closing else column


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
    yield from (_IS_TEST, _IS_UNLISTED) if kind.is_test else (_IS_REAL,)
    if kind.is_held:
        yield from (_IS_HELD, _IS_UNLISTED)
    if kind.has_personal_data:
        mine = personal_data.c.jurisdiction_id == bindparam("jurisdiction_id")
        yield _COLUMNS.id.in_(select(personal_data.c.request_id).where(mine))
    if kind.is_suspected:
        yield _is_suspected()
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
    if kind.language:
        yield _COLUMNS.id.in_(_numbers_with_words(kind.language))


def _behind(kind: QueueKind) -> ColumnElement[bool]:
    """The rows after the key. With a row comparison, an index scan begins at the key."""
    key_at = cast(bindparam("key_at", type_=_INSTANT), _INSTANT)
    number = bindparam("key_number", type_=BigInteger)
    if kind.is_by_closing:
        return tuple_(_COLUMNS.updated_at, _COLUMNS.id) < tuple_(key_at, number)
    return tuple_(DUE, _COLUMNS.id) > tuple_(func.coalesce(key_at, FOR_EVER), number)


def _of_states(states: tuple[State, ...]) -> Iterator[ColumnElement[bool]]:
    """Open requests in any of these states. The conditions are the same as in `state_of`."""
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
    """The conditions of `due_of`.

    A condition on DUE follows from the other conditions. It is written because an index on DUE exists.
    """
    now = bindparam("now", type_=_INSTANT)
    clock = func.coalesce(_COLUMNS.held_since, now)
    if due == "true":
        yield from (now > DUE, _COLUMNS.expected_at < clock)
    elif due == "false":
        yield clock <= DUE
    elif due == "soon":
        yield bindparam("soon", type_=_INSTANT) > DUE
        yield from (_COLUMNS.expected_at >= clock, _COLUMNS.expected_at < _SOON)


def _is_named() -> ColumnElement[bool]:
    """The requests that have one of the names as id, token, number or id in another system.

    Each part of the union uses its own index. PostgreSQL would use no index for an OR.
    """
    names = bindparam("names", type_=ARRAY(Text))
    mine: ColumnElement[str] = bindparam("jurisdiction_id")
    other = service_request.alias("other")
    numbers = func.unnest(cast(bindparam("numbers", type_=ARRAY(Text)), ARRAY(BigInteger))).column_valued("number")
    ids = select(other.c.id).where(other.c.jurisdiction_id == mine, other.c.service_request_id == any_(names))
    tokens = select(request_token.c.request_id).where(
        request_token.c.jurisdiction_id == mine, request_token.c.token == any_(names)
    )
    elsewhere = select(external_id.c.request_id).where(
        external_id.c.jurisdiction_id == mine, external_id.c.external_id == any_(names)
    )
    return _COLUMNS.id.in_(union_all(ids, tokens, elsewhere, select(numbers)))


def _is_suspected() -> ColumnElement[bool]:
    """The requests that are held because they broke a rule against abuse, and those with a held update.

    Both are few. Each part of the union uses its own index. PostgreSQL would use no index for an OR.
    """
    mine: ColumnElement[str] = bindparam("jurisdiction_id")
    other, columns = service_request.alias("other"), request_event.c
    broken = exists().where(
        columns.jurisdiction_id == other.c.jurisdiction_id,
        columns.request_id == other.c.id,
        columns.kind == literal_column(f"'{Suspected.kind}'"),
    )
    is_held = other.c.visibility == literal_column(f"'{Visibility.HELD}'")
    held = select(other.c.id).where(other.c.jurisdiction_id == mine, is_held, _IS_UNLISTED, broken.correlate(other))
    waits = received_update.c
    return _COLUMNS.id.in_(
        union_all(held, select(waits.request_id).where(waits.jurisdiction_id == mine, literal_column("is_held")))
    )


def _numbers_with_words(language: str) -> Any:
    """The numbers of the requests with the searched words.

    Public requests are found with an index. For all other requests, PostgreSQL reads the texts. The words may also
    be the id of a request in another system.
    """
    folded, plain = words_query(language, "folded_words"), words_query(language, "words")
    mine = publication.c.jurisdiction_id == bindparam("jurisdiction_id")
    public = select(publication.c.id).where(
        mine, publication.c.visibility == literal_column("'public'"), publication.c.words.bool_op("@@")(folded)
    )
    other = service_request.alias("other")
    text = func.concat_ws(literal_column("' '"), other.c.description, other.c.address, other.c.status_notes)
    either = func.to_tsvector(configuration(language), text)
    unlisted = select(other.c.id).where(
        other.c.jurisdiction_id == bindparam("jurisdiction_id"),
        literal_column("(other.visibility <> 'public' OR other.service_request_id IS NULL)"),
        or_(either.bool_op("@@")(folded), either.bool_op("@@")(plain)),
    )
    elsewhere = select(external_id.c.request_id).where(
        external_id.c.jurisdiction_id == bindparam("jurisdiction_id"),
        external_id.c.external_id == bindparam("words", type_=Text),
    )
    return union_all(public, unlisted, elsewhere)


@cache
def _around(parts: int, has_departments: bool, has_service: bool) -> Statement:
    metres = distance(_COLUMNS.point, "near").label("metres")
    conditions = [
        _COLUMNS.jurisdiction_id == bindparam("jurisdiction_id"),
        _IS_OPEN,
        _IS_UNMERGED,
        _IS_REAL,
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
    """Count by index-only scans.

    The indexes have no column that says whether a request is a test. So the tests of each kind and department are
    counted again as a negative number, and the sum has no tests.
    """
    now = bindparam("now", type_=_INSTANT)
    is_overdue = (now > DUE, _COLUMNS.expected_at < func.coalesce(_COLUMNS.held_since, now))
    is_assigned: tuple[ColumnElement[bool], ...] = (literal_column("assignee <> ''"),)
    kinds = {
        "overdue": is_overdue,
        "assigned": is_assigned,
        "triage": (_IS_TRIAGE, literal_column("progress = ''")),
    }
    tests = (_IS_TEST, _IS_UNLISTED)
    mine = (_COLUMNS.jurisdiction_id == bindparam("jurisdiction_id"), _IS_OPEN, _IS_UNMERGED)

    def count(kind: str, *conditions: ColumnElement[bool], sign: str = "1") -> Any:
        number = (func.count() * literal_column(sign)).label("number")
        columns: tuple[ColumnElement[Any], ...] = (
            literal_column(f"'{kind}'").label("kind"),
            _COLUMNS.department,
            number,
        )
        return select(*columns).where(*mine, *conditions).group_by(_COLUMNS.department)

    parts = union_all(
        count("test", *tests),
        count("suspected", _IS_REAL, _is_suspected()),
        *(count(kind, *conditions) for kind, conditions in kinds.items()),
        *(count(kind, *conditions, *tests, sign="-1") for kind, conditions in kinds.items()),
    ).subquery("parts")
    total = cast(func.sum(parts.c.number), BigInteger)
    return Statement.of(select(parts.c.kind, parts.c.department, total).group_by(parts.c.kind, parts.c.department))
