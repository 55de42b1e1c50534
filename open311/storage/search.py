"""Finding what is public: pages, single requests, counts and digests, each by one statement over one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
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
    cast,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import REGCONFIG

from open311.clock import utc_now
from open311.domain.requests import Status
from open311.domain.search import Box, RequestSearch, Sort, box_around, halves
from open311.formats import Format
from open311.storage.direct import Direct, Result, Statement
from open311.storage.geometry import box_values, circle_values, distance, in_bounds, in_box, in_circle, within
from open311.storage.publications import WITHDRAWN
from open311.storage.tables import publication

LARGE_SQUARE_DEGREES = 0.001
"""About 3 km by 3 km in most cities."""

_PAST_ORDER = ((publication.c.updated_at + literal_column("interval '0'")).desc(), publication.c.id.desc())
"""As by `Sort.UPDATED_DESC`, but no index has it, so that the window's requests are read and sorted."""
_CAPS = (11, 101, 1001)
"""Most rows of the pages that share a plan: PostgreSQL expects a tenth of a number that it does not know.

Of a page of unknown length it would expect a tenth of all requests, and plan each one anew, for its own length."""
_INSTANTS = {
    Sort.REQUESTED_DESC: publication.c.requested_at,
    Sort.REQUESTED: publication.c.requested_at,
    Sort.UPDATED_DESC: publication.c.updated_at,
    Sort.UPDATED: publication.c.updated_at,
}
EXTRAS = {Format.JSON: publication.c.json_extras, Format.XML: publication.c.xml_extras}
BODY = {Format.JSON: publication.c.json, Format.XML: publication.c.xml}


@dataclass(frozen=True, slots=True)
class Items:
    """Rendered items of a list, column by column: a thousand small objects would cost more than their query.

    bodies   UTF-8
    digest   what goes into the list's ETag: those of all items, combined
    number   ours of one of them, for cursors; read when it is asked for
    extras   of each, extended_attributes, notes and attributes as fields to add; empty unless asked for
    distances  of each from a circle's centre, metres; empty unless asked for
    """

    bodies: Sequence[bytes] = ()
    digest: int = 0
    number: Callable[[int], int] = ().__getitem__
    extras: Sequence[Sequence[str]] = ()
    distances: Sequence[float] = ()

    @classmethod
    def of(cls, found: Result, *, with_extras: bool = False, with_distance: bool = False) -> Items:
        """Items of a result that has these columns in this order."""
        return cls(
            found.texts(0),
            found.combined(1),
            partial(found.number, 2),
            found.values(3) if with_extras else (),
            found.values(4 if with_extras else 3) if with_distance else (),
        )

    def first(self, count: int) -> Items:
        """The first items, with the digest of all."""
        return replace(
            self, bodies=self.bodies[:count], extras=self.extras[:count], distances=self.distances[:count]
        )


def find_items(direct: Direct, search: RequestSearch, output: Format, *, with_extras: bool = False) -> Items:
    """The rendered items of a page, in order, one more than the page where there are more."""
    if search.is_void:
        return Items()
    with_distance = with_extras and search.near is not None
    columns = (BODY[output].name, "digest", "id", *((EXTRAS[output].name,) if with_extras else ()))
    kind, rows = _Kind.of(search), search.page_size + 1
    statement = _page_statement(kind, columns, kind.cap(rows), with_distance=with_distance)
    found = direct.read(statement, _values(search, rows=rows))
    return Items.of(found, with_extras=with_extras, with_distance=with_distance)


def count_items(direct: Direct, search: RequestSearch, *, most: int) -> int:
    """How many items a search finds in all, counted no further than `most` + 1."""
    if search.is_void:
        return 0
    whole = replace(search, page=1, after=None)
    found: int = direct.rows(_count_statement(_Kind.of(whole)), _values(whole, rows=most + 1))[0][0]
    return found


def find_digest(direct: Direct, search: RequestSearch) -> tuple[int, int]:
    """How many items a page holds, and their digests combined: what a validator needs, for a quarter of the cost.

    One more than the page counts where there are more: it decides about the link to the next page. The same as
    the digest of the items themselves. The order does not count: it follows from the items.
    """
    if search.is_void:
        return 0, 0
    kind, rows = _Kind.of(search), search.page_size + 1
    count, digest = direct.rows(_digest_statement(kind, kind.cap(rows)), _values(search, rows=rows))[0]
    return count, digest or 0


def find_by_ids(
    direct: Direct, jurisdiction_id: str, ids: Sequence[str], output: Format, *, with_extras: bool = False
) -> Items:
    """Listed requests by id, in the order asked; unknown ids are left out (A19)."""
    values = {"jurisdiction_id": jurisdiction_id, "ids": list(ids)}
    return Items.of(direct.read(_by_ids(output, with_extras), values), with_extras=with_extras)


def find_item(
    direct: Direct, jurisdiction_id: str, service_request_id: str, output: Format, *, with_extras: bool = False
) -> Items:
    """One rendered item by its id, also an unlisted one; no item if there is none."""
    values = {"jurisdiction_id": jurisdiction_id, "service_request_id": service_request_id}
    return Items.of(direct.read(_by_id(output, with_extras), values), with_extras=with_extras)


def whole_query(search: RequestSearch, *, as_bulk_csv: bool = False) -> tuple[Statement, dict[str, Any]]:
    """All that a search finds, in its order, whatever page it names: each item, and its extras.

    The extras come joined, as fields that may follow an item's own. `as_bulk_csv`: lines of GeoReport Bulk instead.
    """
    return _whole_statement(_Kind.of(replace(search, after=None)), as_bulk_csv), _values(search, rows=0)


def whole_digest_query(search: RequestSearch) -> tuple[Statement, dict[str, Any]]:
    """The count of all that a search finds, and their digests combined."""
    return _whole_digest_statement(_Kind.of(replace(search, after=None))), _values(search, rows=0)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a page's SQL depends on; searches alike in this differ in values only."""

    sort: Sort
    service_codes: int
    status: str
    bounds: frozenset[str]
    box_parts: int
    circle_parts: int
    is_box_large: bool
    is_circle_large: bool
    has_agency: bool
    has_area: bool
    has_media: bool | None
    has_words: bool
    has_key: bool
    is_deep: bool
    is_window_past: bool

    @classmethod
    def of(cls, search: RequestSearch) -> _Kind:
        bounds = {
            name
            for name, window in (("requested", search.requested), ("updated", search.updated))
            for name, end in ((f"{name}_start", window.start), (f"{name}_end", window.end))
            if end is not None
        }
        return cls(
            sort=search.sort,
            service_codes=min(2, len(search.service_codes or ())),
            status=search.statuses[0] if len(set(search.statuses)) == 1 else "",
            bounds=frozenset(bounds),
            box_parts=len(halves(search.box)) if search.box else 0,
            circle_parts=len(halves(box_around(search.near))) if search.near else 0,
            is_box_large=search.box is not None and _is_large(search.box),
            is_circle_large=search.near is not None and _is_large(box_around(search.near)),
            has_agency=bool(search.agency),
            has_area=bool(search.area),
            has_media=search.has_media,
            has_words=bool(search.words),
            has_key=search.after is not None,
            is_deep=search.page > 1,
            is_window_past=search.sort is Sort.UPDATED_DESC and _is_past(search),
        )

    @property
    def measures_last(self) -> bool:
        """Whether a circle's distances are measured on the way out, of a list of all that lie in its box.

        Measuring looks so dear to PostgreSQL that it would rather go through a whole index than do it ten thousand
        times, and it expects far fewer requests in a circle than there are. By last change, within a window of
        last changes, it is right all the same.
        """
        is_by_change = _INSTANTS[self.sort] is publication.c.updated_at
        is_best_as_it_is = self.is_deep or self.is_window_past or (is_by_change and "updated_start" in self.bounds)
        return self.is_circle_large and not is_best_as_it_is

    def cap(self, rows: int) -> int:
        """The most rows of the pages that share a plan with one of so many; 0 where each is planned by itself."""
        return next((cap for cap in _CAPS if cap >= rows), 0) if self._has_one_plan else 0

    @property
    def _has_one_plan(self) -> bool:
        """Whether one plan is best for all values, so that the server may keep it.

        By last change, the best one for a service depends on how many requests it has.
        """
        is_usual = self.sort is Sort.REQUESTED_DESC
        return self == _Kind(
            sort=self.sort,
            service_codes=min(1, self.service_codes) if is_usual else 0,
            status=self.status if is_usual else "",
            bounds=frozenset({"requested_start"}) | (self.bounds & {"requested_end"} if is_usual else set()),
            box_parts=0,
            circle_parts=0,
            is_box_large=False,
            is_circle_large=False,
            has_agency=False,
            has_area=False,
            has_media=None,
            has_words=False,
            has_key=self.has_key,
            is_deep=False,
            is_window_past=False,
        )


def _is_large(box: Box) -> bool:
    """Whether a box may hold so many requests that going by date is quicker than fetching all that lie in it."""
    return box.west <= box.east and (box.east - box.west) * (box.north - box.south) >= LARGE_SQUARE_DEGREES


def _is_past(search: RequestSearch) -> bool:
    """Whether a window ends longer before the page begins than it lasts.

    Its requests were then updated below very many others, of which PostgreSQL knows nothing: it expects them
    everywhere, and goes through all that was updated since.
    """
    start, end = search.requested.start, search.requested.end
    if start is None or end is None:
        return False
    return (search.after.at if search.after else utc_now()) - end > end - start


def _values(search: RequestSearch, *, rows: int) -> dict[str, Any]:
    """The values of a page's statement."""
    values: dict[str, Any] = {
        "jurisdiction_id": search.jurisdiction_id,
        "limit": rows,
        "offset": (search.page - 1) * search.page_size,
        "service_code": search.service_codes[0] if search.service_codes else None,
        "service_codes": list(search.service_codes or ()),
        "agency": search.agency,
        "areas": [search.area],
        "words": search.words,
        "words_language": search.language,
        "key_at": search.after.at if search.after else None,
        "key_number": search.after.number if search.after else None,
        "requested_start": search.requested.start,
        "requested_end": search.requested.end,
        "updated_start": search.updated.start,
        "updated_end": search.updated.end,
    }
    if search.box is not None:
        values |= box_values("box", search.box)
    if search.near is not None:
        values |= circle_values("near", search.near)
    return values


@lru_cache(maxsize=1024)
def _page_statement(kind: _Kind, columns: tuple[str, ...], cap: int, *, with_distance: bool = False) -> Statement:
    page = _page_select(kind, cap, *columns, with_distance=with_distance)
    return Statement.of(page, is_kept=bool(cap))


@lru_cache(maxsize=1024)
def _digest_statement(kind: _Kind, cap: int) -> Statement:
    page = _page_select(kind, cap, "digest").subquery()
    query = select(func.count(), func.bit_xor(page.c.digest))
    return Statement.of(query, is_kept=bool(cap))


@lru_cache(maxsize=1024)
def _count_statement(kind: _Kind) -> Statement:
    page = _page_select(kind, 0, "id").subquery()
    return Statement.of(select(func.count()).select_from(page))


@lru_cache(maxsize=256)
def _whole_statement(kind: _Kind, as_bulk_csv: bool) -> Statement:
    extras = func.array_to_string(publication.c.json_extras, literal_column("','"))
    columns = (publication.c.bulk_csv,) if as_bulk_csv else (publication.c.json, extras)
    return Statement.of(_list_select(kind, *columns))


@lru_cache(maxsize=256)
def _whole_digest_statement(kind: _Kind) -> Statement:
    return Statement.of(select(func.count(), func.bit_xor(publication.c.digest)).where(*_conditions(kind)))


def _list_select(kind: _Kind, *columns: ColumnElement[Any], is_measured: bool = True) -> Select[Any]:
    """All that is listed; with `is_measured` off, a large circle stands for its box."""
    order = _PAST_ORDER if kind.is_window_past else _order(kind.sort, publication.c)
    return select(*columns).where(*_conditions(kind, is_measured=is_measured)).order_by(*order)


def _page_select(kind: _Kind, cap: int, *columns: str, with_distance: bool = False) -> Select[Any]:
    if cap:
        return _capped(kind, cap, *columns)
    if kind.measures_last:
        return _measured(kind, *columns, with_distance=with_distance)
    metres = (distance(publication.c.point, "near"),) if with_distance else ()
    keys = (publication.c.jurisdiction_id, publication.c.id)
    page = (
        _list_select(kind, *(keys if kind.is_deep else (*(publication.c[name] for name in columns), *metres)))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=BigInteger))
    )
    if not kind.is_deep:
        return page
    # Of what lies before the page the index alone is read, where it knows all that was asked for.
    found = page.subquery("found")
    here = and_(keys[0] == found.c.jurisdiction_id, keys[1] == found.c.id)
    return (
        select(*(publication.c[name] for name in columns), *metres)
        .join(found, here)
        .order_by(*_order(kind.sort, publication.c))
    )


def _capped(kind: _Kind, cap: int, *columns: str) -> Select[Any]:
    """A page out of the first `cap` rows, which say to PostgreSQL what a parameter cannot: that few are wanted."""
    names = dict.fromkeys((*columns, "id", _INSTANTS[kind.sort].name))
    found = _list_select(kind, *(publication.c[name] for name in names))
    first = found.limit(literal_column(str(cap))).subquery("first")
    page = select(*(first.c[name] for name in columns)).order_by(*_order(kind.sort, first.c))
    return page.limit(bindparam("limit", type_=Integer))


def _measured(kind: _Kind, *columns: str, with_distance: bool) -> Select[Any]:
    """A page out of all that lie in the circle's box; OFFSET 0 has PostgreSQL plan that list by itself."""
    names = dict.fromkeys((*columns, "id", "point", _INSTANTS[kind.sort].name))
    found = _list_select(kind, *(publication.c[name] for name in names), is_measured=False)
    boxed = found.offset(literal_column("0")).subquery("boxed")
    metres = (distance(boxed.c.point, "near"),) if with_distance else ()
    page = select(*(boxed.c[name] for name in columns), *metres).where(in_circle(boxed.c.point, "near"))
    return page.order_by(*_order(kind.sort, boxed.c)).limit(bindparam("limit", type_=Integer))


def _order(sort: Sort, columns: Any) -> Iterator[ColumnElement[Any]]:
    """A list's order, by the columns of the table or of a query over it."""
    for column in (columns[_INSTANTS[sort].name], columns.id):
        yield column.desc() if sort.is_descending else column


def _conditions(kind: _Kind, *, is_measured: bool = True) -> Iterator[ColumnElement[bool]]:
    columns = publication.c
    yield columns.jurisdiction_id == bindparam("jurisdiction_id")
    yield columns.visibility == literal_column("'public'")  # as the partial indexes have it
    if kind.service_codes == 1:
        yield columns.service_code == bindparam("service_code")
    elif kind.service_codes:
        yield columns.service_code == any_(bindparam("service_codes", type_=ARRAY(Text)))
    if kind.status:
        yield columns.status == literal_column(f"'{Status(kind.status)}'")
    yield from _windows(kind)
    if kind.has_agency:
        yield columns.agency == bindparam("agency")
    if kind.has_area:
        yield columns.areas != literal_column("'{}'")  # as its index has it
        yield columns.areas.contains(bindparam("areas", type_=ARRAY(Text)))
    if kind.has_media is not None:
        yield columns.has_media if kind.has_media else ~columns.has_media
    if kind.has_words:
        language = cast(bindparam("words_language", type_=Text), REGCONFIG)
        yield columns.words.bool_op("@@")(func.websearch_to_tsquery(language, bindparam("words", type_=Text)))
    if kind.has_key:
        # As a row comparison: only so does the index begin where the page does.
        here = tuple_(_INSTANTS[kind.sort], columns.id)
        there = tuple_(
            bindparam("key_at", type_=_INSTANTS[kind.sort].type), bindparam("key_number", type_=BigInteger)
        )
        yield here < there if kind.sort.is_descending else here > there
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


def _windows(kind: _Kind) -> Iterator[ColumnElement[bool]]:
    """Bounds on two instants, and what follows from them for the one that the list goes by.

    A request is never changed before it is made: requested_at <= updated_at <= changed_at.
    """
    columns, first = publication.c, _INSTANTS[kind.sort]
    if "requested_start" in kind.bounds:
        yield from _requested_since(kind)
    if "requested_end" in kind.bounds:
        yield columns.requested_at <= bindparam("requested_end")
    if "updated_start" in kind.bounds:
        yield columns.changed_at >= bindparam("updated_start")
    if "updated_end" in kind.bounds:
        yield columns.changed_at <= bindparam("updated_end")
        yield first <= bindparam("updated_end")


def _requested_since(kind: _Kind) -> Iterator[ColumnElement[bool]]:
    """The first bound, said so that PostgreSQL finds the best way for the order of the list."""
    columns = publication.c
    start: ColumnElement[Any] = bindparam("requested_start")
    if _INSTANTS[kind.sort] is not columns.updated_at:
        yield columns.requested_at >= start
        return
    yield columns.updated_at >= start
    if "requested_end" in kind.bounds and kind.sort.is_descending:
        yield columns.requested_at >= start  # what was updated last may all have been requested later
    else:
        # As two bounds that have nothing to do with each other, they would make PostgreSQL expect a twentieth of
        # the rows, and read and sort all of them.
        yield or_(columns.requested_at >= start, columns.updated_at < start)


@cache
def _by_id(output: Format, with_extras: bool) -> Statement:
    query = select(*_columns(output, with_extras)).where(
        publication.c.jurisdiction_id == bindparam("jurisdiction_id"),
        publication.c.service_request_id == bindparam("service_request_id"),
        publication.c.visibility != literal_column(f"'{WITHDRAWN}'"),
    )
    return Statement.of(query, is_kept=True)


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
    """What Items are made of."""
    columns: list[ColumnElement[Any]] = [BODY[output], publication.c.digest, publication.c.id]
    return [*columns, EXTRAS[output]] if with_extras else columns
