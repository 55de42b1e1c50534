"""Searches for requests as values, which can be tested without SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import cos, radians
from typing import Literal

from open311.domain.requests import Status
from open311.errors import Problem
from schemas.limits import MAX_ROWS
from schemas.texts import tell

WINDOW = timedelta(days=90)
TOO_LONG = tell(
    "is more than 90 days after start_date; ask for 90 days at a time. For all requests take the bulk download "
    "(/open311/bulk/v1/requests.csv) or the dumps (dumps.json); for what changed send updated_after alone."
)

SpanPolicy = Literal["refuse", "clamp", "allow"]


class Sort(StrEnum):
    """The orders of a list. A minus sign means newest first (A28)."""

    REQUESTED_DESC = "-requested"
    REQUESTED = "requested"
    UPDATED_DESC = "-updated"
    UPDATED = "updated"

    @property
    def is_descending(self) -> bool:
        """Whether the order is newest first."""
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends included; None means without limit."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within `radius_m` metres of a centre, which is in degrees."""

    long: float
    lat: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Box:
    """A box in degrees. If `west` is greater than `east`, it crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float


def box_around(circle: Circle) -> Box:
    """A box that contains the circle. An index finds the points in the box before distances are measured.

    The box may cross the antimeridian. Near a pole it has all longitudes.
    """
    metres_per_degree = 110_500.0  # a little less than the shortest degree of latitude, so that no box is too small
    reach = circle.radius_m / metres_per_degree
    south, north = circle.lat - reach, circle.lat + reach
    if south <= -90 or north >= 90:
        return Box(-180.0, max(south, -90.0), 180.0, min(north, 90.0))
    width = reach / cos(radians(max(abs(south), abs(north))))
    if width >= 180:
        return Box(-180.0, south, 180.0, north)
    west, east = circle.long - width, circle.long + width
    return Box(west + 360 if west < -180 else west, south, east - 360 if east > 180 else east, north)


def halves(box: Box) -> tuple[Box, ...]:
    """The box, divided in two if it crosses the antimeridian."""
    if box.west <= box.east:
        return (box,)
    return (Box(box.west, box.south, 180.0, box.north), Box(-180.0, box.south, box.east, box.north))


@dataclass(frozen=True, slots=True)
class PageKey:
    """The key of a page's last item: its instant, by which the list is ordered, and its number."""

    at: datetime
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSearch:
    """The filters, the order and the page of a list.

    ids            service_request_ids; if there are any, all other filters are ignored (A19)
    service_codes  any of these; None for all, empty for none
    agency         the exact agency_responsible; "" for all
    department     the code of a department; "" for all
    area           an area's name; "" for all
    has_media      True for requests with a picture, False for requests without a picture, None for both
    words          folded text to search for; "" for all
    words_id       the text as sent if it may be an id: the request with this id matches too; "" if it cannot be one
    is_id_undated  whether the request with the id `words_id` matches also if it is outside `requested`
    language       PostgreSQL's text search configuration for `words`
    requested      bounds on requested_datetime
    changed        bounds on the last change of any kind
    after          the key after which the page begins; `page` counts from there
    page           the number of the page, from 1
    is_counted     whether the caller wants the number of requests on all pages
    asked_at       the time of the call, if known. It helps to plan the query and does not change its result, so
                   two searches that differ only in `asked_at` are equal
    """

    jurisdiction_id: str
    ids: tuple[str, ...] = ()
    service_codes: tuple[str, ...] | None = None
    statuses: tuple[Status, ...] = ()
    agency: str = ""
    department: str = ""
    area: str = ""
    has_media: bool | None = None
    words: str = ""
    words_id: str = ""
    is_id_undated: bool = False
    language: str = "simple"
    requested: Window = Window()
    changed: Window = Window()
    near: Circle | None = None
    box: Box | None = None
    sort: Sort = Sort.REQUESTED_DESC
    after: PageKey | None = None
    page: int = 1
    page_size: int = MAX_ROWS
    is_counted: bool = False
    asked_at: datetime | None = field(default=None, compare=False)

    @property
    def is_void(self) -> bool:
        """Whether no request can match."""
        return self.service_codes == ()


def requested_window(
    start: datetime | None, end: datetime | None, now: datetime, policy: SpanPolicy
) -> tuple[Window, list[Problem]]:
    """The window on requested_datetime of a list, and a problem if its dates are wrong (A24, A25).

    Without dates, the window is the last 90 days. With only an end, it is the 90 days before the end.
    With only a start, it is the 90 days after the start, but not later than `now`. `policy` says what happens to
    longer windows. With the policy `allow`, a window with only one date has no other bound.
    """
    if start is None and end is None:
        return Window(now - WINDOW, None), []
    if start is None or end is None:
        return _one_sided(start, end, now, policy), []
    if start > end:
        return Window(), [Problem("start_date", tell("is after end_date; swap them."))]
    if end - start > WINDOW and policy == "refuse":
        return Window(), [Problem("end_date", TOO_LONG)]
    if end - start > WINDOW and policy == "clamp":
        return Window(start, _window_end(start)), []
    return Window(start, end), []


def _one_sided(start: datetime | None, end: datetime | None, now: datetime, policy: SpanPolicy) -> Window:
    if policy == "allow":
        return Window(start, end)
    if end is not None:
        return Window(_window_start(end), end)
    if start is not None:
        return Window(start, max(start, min(_window_end(start), now)))
    return Window()


def _window_end(start: datetime) -> datetime:
    """90 days after `start`, or the last instant that a datetime can hold."""
    last = datetime.max.replace(tzinfo=UTC)
    return start + WINDOW if last - start > WINDOW else last


def _window_start(end: datetime) -> datetime:
    first = datetime.min.replace(tzinfo=UTC)
    return end - WINDOW if end - first > WINDOW else first
