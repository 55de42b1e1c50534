"""Searches of publications: for a page, a single request, a count or a digest. Each search is one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Integer, Text, any_, bindparam, cast, func, literal_column, select

from open311.domain.search import RequestSearch
from open311.formats import Format
from open311.storage.geometry import box_values, circle_values
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.items import BODY_COLUMNS, EXTRAS_COLUMNS, Items
from open311.storage.hot.kinds import SORT_COLUMNS, SearchKind
from open311.storage.hot.selects import conditions, list_select, page_select
from open311.storage.hot.statements import Statement
from open311.storage.publications import WITHDRAWN
from open311.storage.tables import publication


def find_items(hot: HotConnections, search: RequestSearch, output: Format, *, with_extras: bool = False) -> Items:
    """The rendered items of a page, in order, followed by the next page's first item if there is one."""
    if search.is_void:
        return Items()
    with_distance = with_extras and search.near is not None
    extras = (EXTRAS_COLUMNS[output].name,) if with_extras else ()
    columns = (BODY_COLUMNS[output].name, "digest", SORT_COLUMNS[search.sort].name, "id", *extras)
    kind, rows = SearchKind.of(search), search.page_size + 1
    statement = _page_statement(kind, columns, kind.cap(rows), with_distance=with_distance)
    found = hot.read(statement, values_of(search, rows=rows))
    return Items.of(found, with_keys=True, with_extras=with_extras, with_distance=with_distance)


def count_items(hot: HotConnections, search: RequestSearch, *, most: int) -> int:
    """How many items a search finds on all pages. Counting stops at `most` + 1."""
    if search.is_void:
        return 0
    unpaged = replace(search, page=1, after=None)
    count: int = hot.rows(_count_statement(SearchKind.of(unpaged)), values_of(unpaged, rows=most + 1))[0][0]
    return count


def find_numbers(hot: HotConnections, search: RequestSearch, *, most: int) -> list[int]:
    """The internal numbers of the requests that a search finds on all pages, in no order: at most `most` + 1."""
    if search.is_void:
        return []
    kind = SearchKind.of(replace(search, page=1, after=None))
    return [number for (number,) in hot.rows(_numbers_statement(kind), values_of(search, rows=most + 1))]


def find_digest(hot: HotConnections, search: RequestSearch) -> tuple[int, int]:
    """The number of items on a page and their combined digest, for an ETag. This takes 1/4 of the page's time.

    Number and digest include the next page's first item if there is a next page, because the page then has a link
    to the next page. The digest does not depend on the order of the items. This is safe, because the same items
    always have the same order.
    """
    if search.is_void:
        return 0, 0
    kind, rows = SearchKind.of(search), search.page_size + 1
    count, digest = hot.rows(_digest_statement(kind, kind.cap(rows)), values_of(search, rows=rows))[0]
    return count, digest or 0


def find_by_ids(
    hot: HotConnections, jurisdiction_id: str, ids: Sequence[str], output: Format, *, with_extras: bool = False
) -> Items:
    """Public requests by id, in the order of `ids`. Unknown ids are left out (A19)."""
    values = {"jurisdiction_id": jurisdiction_id, "ids": list(ids)}
    return Items.of(hot.read(_by_ids(output, with_extras), values), with_extras=with_extras)


def find_item(
    hot: HotConnections, jurisdiction_id: str, service_request_id: str, output: Format, *, with_extras: bool = False
) -> Items:
    """One request, listed or unlisted, by its id; no items if there is none."""
    values = {"jurisdiction_id": jurisdiction_id, "service_request_id": service_request_id}
    return Items.of(hot.read(_by_id(output, with_extras), values), with_extras=with_extras)


def whole_query(search: RequestSearch, *, as_bulk_csv: bool = False) -> tuple[Statement, dict[str, Any]]:
    """The statement for the items on all pages of a search.

    A row has two columns: an item's JSON, and its extras, joined by commas.
    as_bulk_csv  whether a row has a line of GeoReport Bulk's CSV instead
    """
    return _whole_statement(SearchKind.of(replace(search, after=None)), as_bulk_csv), values_of(search, rows=0)


def whole_digest_query(search: RequestSearch) -> tuple[Statement, dict[str, Any]]:
    """The statement for the number of a search's requests on all pages, and their combined digest."""
    return _whole_digest_statement(SearchKind.of(replace(search, after=None))), values_of(search, rows=0)


def values_of(search: RequestSearch, *, rows: int) -> dict[str, Any]:
    """The parameters of the statements that `conditions` and `page_select` make."""
    values: dict[str, Any] = {
        "jurisdiction_id": search.jurisdiction_id,
        "limit": rows,
        "offset": (search.page - 1) * search.page_size,
        "service_code": search.service_codes[0] if search.service_codes else None,
        "service_codes": list(search.service_codes or ()),
        "agency": search.agency,
        "department": search.department,
        "areas": [search.area],
        "words": search.words,
        "words_id": search.words_id,
        "key_at": search.after.at if search.after else None,
        "key_number": search.after.number if search.after else None,
        "requested_start": search.requested.start,
        "requested_end": search.requested.end,
        "changed_start": search.changed.start,
        "changed_end": search.changed.end,
    }
    if search.box is not None:
        values |= box_values("box", search.box)
    if search.near is not None:
        values |= circle_values("near", search.near)
    return values


@lru_cache(maxsize=1024)
def _page_statement(
    kind: SearchKind, columns: tuple[str, ...], cap: int, *, with_distance: bool = False
) -> Statement:
    page = page_select(kind, cap, *columns, with_distance=with_distance)
    return Statement.of(page, is_prepared=bool(cap))


@lru_cache(maxsize=1024)
def _digest_statement(kind: SearchKind, cap: int) -> Statement:
    page = page_select(kind, cap, "digest").subquery()
    query = select(func.count(), func.bit_xor(page.c.digest))
    return Statement.of(query, is_prepared=bool(cap))


@lru_cache(maxsize=1024)
def _count_statement(kind: SearchKind) -> Statement:
    page = page_select(kind, 0, "id").subquery()
    return Statement.of(select(func.count()).select_from(page))


@lru_cache(maxsize=256)
def _numbers_statement(kind: SearchKind) -> Statement:
    query = select(publication.c.id).where(*conditions(kind))
    return Statement.of(query.limit(bindparam("limit", type_=Integer)))


@lru_cache(maxsize=256)
def _whole_statement(kind: SearchKind, as_bulk_csv: bool) -> Statement:
    extras = func.array_to_string(publication.c.json_extras, literal_column("','"))
    columns = (publication.c.bulk_csv,) if as_bulk_csv else (publication.c.json, extras)
    return Statement.of(list_select(kind, *columns))


@lru_cache(maxsize=256)
def _whole_digest_statement(kind: SearchKind) -> Statement:
    return Statement.of(select(func.count(), func.bit_xor(publication.c.digest)).where(*conditions(kind)))


@cache
def _by_id(output: Format, with_extras: bool) -> Statement:
    query = select(*_columns(output, with_extras)).where(
        publication.c.jurisdiction_id == bindparam("jurisdiction_id"),
        publication.c.service_request_id == bindparam("service_request_id"),
        publication.c.visibility != literal_column(f"'{WITHDRAWN}'"),
    )
    return Statement.of(query, is_prepared=True)


@cache
def _by_ids(output: Format, with_extras: bool) -> Statement:
    ids = cast(bindparam("ids"), ARRAY(Text))
    query = select(*_columns(output, with_extras)).where(
        publication.c.jurisdiction_id == bindparam("jurisdiction_id"),
        publication.c.service_request_id == any_(ids),
        publication.c.visibility == literal_column("'public'"),
    )
    return Statement.of(query.order_by(func.array_position(ids, publication.c.service_request_id)))


def _columns(output: Format, with_extras: bool) -> list[ColumnElement[Any]]:
    """The columns that `Items.of` reads."""
    columns: list[ColumnElement[Any]] = [BODY_COLUMNS[output], publication.c.digest]
    return [*columns, EXTRAS_COLUMNS[output]] if with_extras else columns
