"""Kinds of search. Two searches of the same kind have the same SQL; only their values differ."""

from __future__ import annotations

from dataclasses import dataclass

from open311.domain.search import Box, RequestSearch, Sort, box_around, halves
from open311.storage.tables import publication

LARGE_SQUARE_DEGREES = 0.001
"""A box with at least this area is large. In most cities, that is about 3 km by 3 km."""

_CAPS = (11, 101, 1001)
"""Literal limits for pages. A page uses the smallest cap that is at least its number of rows.

A generic plan cannot see `LIMIT $1` and assumes 10 % of the rows, so PostgreSQL would plan every page again. A
subquery with a literal limit gives a cheap generic plan.
"""

SORT_COLUMNS = {
    Sort.REQUESTED_DESC: publication.c.requested_at,
    Sort.REQUESTED: publication.c.requested_at,
    Sort.UPDATED_DESC: publication.c.updated_at,
    Sort.UPDATED: publication.c.updated_at,
}


@dataclass(frozen=True, slots=True)
class SearchKind:
    """Everything in a search that its SQL depends on.

    language  PostgreSQL's text search configuration for the words of the search; "" for a search without words
    """

    sort: Sort
    service_codes: int
    status: str
    bounds: frozenset[str]
    box_parts: int
    circle_parts: int
    is_box_large: bool
    is_circle_large: bool
    has_agency: bool
    has_department: bool
    has_area: bool
    has_media: bool | None
    language: str
    has_words_id: bool
    is_id_undated: bool
    has_key: bool
    is_deep: bool
    is_window_past: bool

    @classmethod
    def of(cls, search: RequestSearch) -> SearchKind:
        bounds = {
            name
            for name, window in (("requested", search.requested), ("changed", search.changed))
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
            is_box_large=search.box is not None and is_large(search.box),
            is_circle_large=search.near is not None and is_large(box_around(search.near)),
            has_agency=bool(search.agency),
            has_department=bool(search.department),
            has_area=bool(search.area),
            has_media=search.has_media,
            language=search.language if search.words else "",
            has_words_id=bool(search.words_id),
            is_id_undated=bool(search.words_id) and search.is_id_undated,
            has_key=search.after is not None,
            is_deep=search.page > 1,
            is_window_past=search.sort is Sort.UPDATED_DESC and _is_past(search),
        )

    @property
    def measures_last(self) -> bool:
        """Whether a subquery should first list all requests in a circle's box, before distances are measured.

        PostgreSQL's cost for measuring a distance is so high that it scans a whole index to avoid ten thousand
        measurements, and it underestimates how many requests are in a circle. But for the order of
        updated_datetime with a lower bound on the last change, PostgreSQL's own plan is the best.
        """
        is_by_change = SORT_COLUMNS[self.sort] is publication.c.updated_at
        is_best_as_it_is = self.is_deep or self.is_window_past or (is_by_change and "changed_start" in self.bounds)
        return self.is_circle_large and not is_best_as_it_is

    def cap(self, rows: int) -> int:
        """The literal limit for a page of `rows` with a generic plan; 0 if every page gets a custom plan."""
        return next((cap for cap in _CAPS if cap >= rows), 0) if self._has_one_plan else 0

    @property
    def _has_one_plan(self) -> bool:
        """Whether one generic plan is the best for all values.

        This is so for a list with a lower bound on requested_datetime and no other filter. A list with the newest
        requests first may also have an upper bound, one service and one status. For one service in the order of
        updated_datetime, the best plan depends on the number of the service's requests.
        """
        is_usual = self.sort is Sort.REQUESTED_DESC
        return self == SearchKind(
            sort=self.sort,
            service_codes=min(1, self.service_codes) if is_usual else 0,
            status=self.status if is_usual else "",
            bounds=frozenset({"requested_start"}) | (self.bounds & {"requested_end"} if is_usual else set()),
            box_parts=0,
            circle_parts=0,
            is_box_large=False,
            is_circle_large=False,
            has_agency=False,
            has_department=False,
            has_area=False,
            has_media=None,
            language="",
            has_words_id=False,
            is_id_undated=False,
            has_key=self.has_key,
            is_deep=False,
            is_window_past=False,
        )


def is_large(box: Box) -> bool:
    """Whether the scan of an index by date is faster for this box than a fetch of all requests in the box."""
    return box.west <= box.east and (box.east - box.west) * (box.north - box.south) >= LARGE_SQUARE_DEGREES


def _is_past(search: RequestSearch) -> bool:
    """Whether the time from the end of the window to the beginning of the page is longer than the window.

    Most requests of such a window were last updated long ago. PostgreSQL assumes that they are spread evenly over
    the order of updated_datetime, and would scan all requests that were updated after the window.
    """
    start, end = search.requested.start, search.requested.end
    newest = search.after.at if search.after else search.asked_at
    if start is None or end is None or newest is None:
        return False
    return newest - end > end - start
