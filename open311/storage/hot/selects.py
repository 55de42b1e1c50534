"""The SELECT of a list or a page, made from the kind of the search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from open311.domain.requests import Status
from open311.domain.search import Sort
from open311.storage.geometry import distance, in_bounds, in_box, in_circle, within
from open311.storage.hot.kinds import SORT_COLUMNS, SearchKind
from open311.storage.tables import publication, published_department

_PAST_ORDER = ((publication.c.updated_at + literal_column("interval '0'")).desc(), publication.c.id.desc())
"""The order of `Sort.UPDATED_DESC`, written so that no index matches it and PostgreSQL has to sort."""


def list_select(kind: SearchKind, *columns: ColumnElement[Any], is_measured: bool = True) -> Select[Any]:
    """The SELECT of all requests that a search finds, in order.

    is_measured  whether distances are measured. If not, a large circle finds all requests in its box
    """
    order = _PAST_ORDER if kind.is_window_past else _order(kind.sort, publication.c)
    return select(*columns).where(*conditions(kind, is_measured=is_measured)).order_by(*order)


def page_select(kind: SearchKind, cap: int, *columns: str, with_distance: bool = False) -> Select[Any]:
    """The SELECT of one page. `cap` is the result of `SearchKind.cap`."""
    if cap:
        return _capped(kind, cap, *columns)
    if kind.measures_last:
        return _measured(kind, *columns, with_distance=with_distance)
    metres = (distance(publication.c.point, "near"),) if with_distance else ()
    keys = (publication.c.jurisdiction_id, publication.c.id)
    page = (
        list_select(kind, *(keys if kind.is_deep else (*(publication.c[name] for name in columns), *metres)))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=BigInteger))
    )
    if not kind.is_deep:
        return page
    # The subquery reads only keys, so that an index-only scan can skip the rows before the page.
    page_keys = page.subquery("found")
    is_on_page = and_(keys[0] == page_keys.c.jurisdiction_id, keys[1] == page_keys.c.id)
    return (
        select(*(publication.c[name] for name in columns), *metres)
        .join(page_keys, is_on_page)
        .order_by(*_order(kind.sort, publication.c))
    )


def _capped(kind: SearchKind, cap: int, *columns: str) -> Select[Any]:
    """A page from the first `cap` rows. The literal limit tells PostgreSQL to expect few rows."""
    names = dict.fromkeys((*columns, "id", SORT_COLUMNS[kind.sort].name))
    matching = list_select(kind, *(publication.c[name] for name in names))
    first = matching.limit(literal_column(str(cap))).subquery("first")
    page = select(*(first.c[name] for name in columns)).order_by(*_order(kind.sort, first.c))
    return page.limit(bindparam("limit", type_=Integer))


def _measured(kind: SearchKind, *columns: str, with_distance: bool) -> Select[Any]:
    """A page that tests distances after all other conditions.

    OFFSET 0 makes PostgreSQL plan the subquery, which finds the requests in the box, separately.
    """
    names = dict.fromkeys((*columns, "id", "point", SORT_COLUMNS[kind.sort].name))
    in_the_box = list_select(kind, *(publication.c[name] for name in names), is_measured=False)
    boxed = in_the_box.offset(literal_column("0")).subquery("boxed")
    metres = (distance(boxed.c.point, "near"),) if with_distance else ()
    page = select(*(boxed.c[name] for name in columns), *metres).where(in_circle(boxed.c.point, "near"))
    return page.order_by(*_order(kind.sort, boxed.c)).limit(bindparam("limit", type_=Integer))


def _order(sort: Sort, columns: Any) -> Iterator[ColumnElement[Any]]:
    """The ORDER BY of a list. `columns` are the columns of the table or of a subquery."""
    for column in (columns[SORT_COLUMNS[sort].name], columns.id):
        yield column.desc() if sort.is_descending else column


def conditions(kind: SearchKind, *, is_measured: bool = True) -> Iterator[ColumnElement[bool]]:
    """The conditions of the WHERE clause. `list_select` explains `is_measured`."""
    columns = publication.c
    yield columns.jurisdiction_id == bindparam("jurisdiction_id")
    yield columns.visibility == literal_column("'public'")  # written as in the partial indexes, so that they match
    if kind.service_codes == 1:
        yield columns.service_code == bindparam("service_code")
    elif kind.service_codes:
        yield columns.service_code == any_(bindparam("service_codes", type_=ARRAY(Text)))
    if kind.status:
        yield columns.status == literal_column(f"'{Status(kind.status)}'")
    if not kind.is_id_undated:
        yield from _windows(kind)
    if kind.has_agency:
        yield columns.agency == bindparam("agency")
    if kind.has_department:
        yield published_department == bindparam("department")
    if kind.has_area:
        yield columns.areas != literal_column("'{}'")  # written as in the partial index, so that it matches
        yield columns.areas.contains(bindparam("areas", type_=ARRAY(Text)))
    if kind.has_media is not None:
        yield columns.has_media if kind.has_media else ~columns.has_media
    if kind.language:
        yield has_words(kind)
    if kind.has_key:
        # A row comparison makes the index scan begin at the page's first row.
        row_key = tuple_(SORT_COLUMNS[kind.sort], columns.id)
        page_key = tuple_(
            bindparam("key_at", type_=SORT_COLUMNS[kind.sort].type), bindparam("key_number", type_=BigInteger)
        )
        yield row_key < page_key if kind.sort.is_descending else row_key > page_key
    if kind.is_box_large:
        yield in_bounds(columns.lat, columns.long, "box")
    elif kind.box_parts:
        yield in_box(columns.point, "box", kind.box_parts)
    if kind.is_circle_large:
        yield in_bounds(columns.lat, columns.long, "near")
        if is_measured:
            yield in_circle(columns.point, "near")
    elif kind.circle_parts:
        yield within(columns.point, "near", kind.circle_parts)


def has_words(kind: SearchKind) -> ColumnElement[bool]:
    """Whether a request has the words of a search, or the id that is among them."""
    columns = publication.c
    found: ColumnElement[bool] = columns.words.bool_op("@@")(words_query(kind.language, "words"))
    has_id = columns.service_request_id == bindparam("words_id")
    found = and_(*_windows(kind), found) if kind.is_id_undated else found
    return or_(found, has_id) if kind.has_words_id else found


def words_query(language: str, parameter: str) -> ColumnElement[Any]:
    """The words of a parameter as PostgreSQL looks for them.

    language  a text search configuration of `text_search_language`. It is written into the SQL: if it were a
              parameter, PostgreSQL would cast it and parse the words again for each row
    """
    return func.websearch_to_tsquery(configuration(language), bindparam(parameter, type_=Text))


def configuration(language: str) -> ColumnElement[Any]:
    """A text search configuration of `text_search_language` as a constant of the SQL."""
    return literal_column(f"'{language}'::regconfig")


def _windows(kind: SearchKind) -> Iterator[ColumnElement[bool]]:
    """The bounds on requested_at and changed_at, and further bounds on the column of the list's order.

    The further bounds are implied, because requested_at <= updated_at <= changed_at.
    """
    columns, sort_column = publication.c, SORT_COLUMNS[kind.sort]
    if "requested_start" in kind.bounds:
        yield from _requested_since(kind)
    if "requested_end" in kind.bounds:
        yield columns.requested_at <= bindparam("requested_end")
    if "changed_start" in kind.bounds:
        yield columns.changed_at >= bindparam("changed_start")
    if "changed_end" in kind.bounds:
        yield columns.changed_at <= bindparam("changed_end")
        yield sort_column <= bindparam("changed_end")


def _requested_since(kind: SearchKind) -> Iterator[ColumnElement[bool]]:
    """The lower bound on requested_at, in the form that gives the best plan for the list's order."""
    columns = publication.c
    start: ColumnElement[Any] = bindparam("requested_start")
    if SORT_COLUMNS[kind.sort] is not columns.updated_at:
        yield columns.requested_at >= start
        return
    yield columns.updated_at >= start
    if "requested_end" in kind.bounds and kind.sort.is_descending:
        yield columns.requested_at >= start  # the most recently updated requests may all be newer than the window
    else:
        # PostgreSQL treats two plain bounds as independent. Its estimate would be 1/20 of the true number of rows,
        # so PostgreSQL would read and sort all rows. The OR gives the same result with a higher estimate.
        yield or_(columns.requested_at >= start, columns.updated_at < start)
