"""Reading what a list of requests was asked for: filters, places, order, page (A19 to A31)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from open311.domain.dates import NotAnInstant, instant_problem, parse_instant
from open311.domain.places import parse_degrees
from open311.domain.requests import Status
from open311.domain.search import (
    MAX_IDS,
    MAX_ROWS,
    Box,
    Circle,
    RequestSearch,
    Sort,
    SpanPolicy,
    Window,
    requested_window,
)
from open311.domain.text import folded, stripped
from open311.errors import Invalid, Problem
from open311.operations.publishing import text_search_language
from open311.plugins import Jurisdiction
from open311.web.cursors import Cursor, read_cursor

MAX_RADIUS_M = 50_000.0
MAX_QUERY_CHARACTERS = 200


def read_search(
    values: Mapping[str, str], jurisdiction: Jurisdiction, *, now: datetime, policy: SpanPolicy
) -> RequestSearch:
    """What a list was asked for. Invalid with every problem found (A19 to A31)."""
    reader = _SearchReader(values, jurisdiction)
    ids = reader.ids()
    if ids:
        search = RequestSearch(jurisdiction_id=jurisdiction.id, ids=ids)
    else:
        search = reader.search(now, policy)
    if reader.problems:
        raise Invalid.of(reader.problems)
    return search


class _SearchReader:
    """One list call's values on their way to a search, with the problems met so far."""

    def __init__(self, values: Mapping[str, str], jurisdiction: Jurisdiction) -> None:
        self.values = values
        self.jurisdiction = jurisdiction
        self.problems: list[Problem] = []

    def search(self, now: datetime, policy: SpanPolicy) -> RequestSearch:
        cursor = self.cursor()
        requested, changed = (cursor.requested, cursor.changed) if cursor else self.windows(now, policy)
        return RequestSearch(
            jurisdiction_id=self.jurisdiction.id,
            service_codes=self.service_codes(),
            statuses=self.statuses(),
            agency=self.values.get("agency_responsible", ""),
            area=self.values.get("area", ""),
            has_media=self.flag("has_photo"),
            words=folded(self.values.get("q", ""))[:MAX_QUERY_CHARACTERS],
            language=text_search_language(self.jurisdiction.languages[0]),
            requested=requested,
            changed=changed,
            near=self.circle(),
            box=self.box(),
            sort=cursor.sort if cursor else self.sort(),
            after=cursor.after if cursor else None,
            page=max(1, self.whole_number("page", 1, least=0)),
            page_size=min(MAX_ROWS, self.whole_number("page_size", MAX_ROWS, least=1)),
            is_counted=bool(self.flag("count")),
            asked_at=now,
        )

    def windows(self, now: datetime, policy: SpanPolicy) -> tuple[Window, Window]:
        """The bounds on requested_datetime and on the last change (A24, A25, A29)."""
        updated = Window(self.instant("updated_after"), self.instant("updated_before", end_of_day=True))
        start, end = self.instant("start_date"), self.instant("end_date", end_of_day=True)
        if not (start or end) and (updated.start or updated.end):
            return Window(), updated
        requested, found = requested_window(start, end, now, policy)
        self.problems += found
        return requested, updated

    def cursor(self) -> Cursor | None:
        text = self.values.get("cursor", "")
        try:
            found = read_cursor(text) if text else None
        except ValueError:
            self.problems.append(
                Problem("cursor", "is not one that a Link header gave out; begin anew without it.")
            )
            return None
        if found and self.is_elsewhere(found):
            self.problems.append(
                Problem("cursor", "belongs to another order or other dates; begin anew without it.")
            )
        return found

    def is_elsewhere(self, cursor: Cursor) -> bool:
        """Whether a cursor contradicts the order or a date that stands beside it."""
        sort = self.values.get("sort", "")
        dates = {"start_date": cursor.requested.start, "updated_after": cursor.changed.start}
        return bool(sort and sort != cursor.sort) or any(
            self.values.get(name) and self.instant(name) != at for name, at in dates.items()
        )

    def service_codes(self) -> tuple[str, ...] | None:
        """The codes that service_code, group and keyword leave over; None for all (A22)."""
        codes = self.words("service_code")
        living = [self.jurisdiction.service(code) for code in codes]
        chosen = {service.code for service in living if service} | set(codes)
        found = chosen if codes else None
        group, keyword = self.values.get("group", ""), self.values.get("keyword", "").casefold()
        if group or keyword:
            fitting = {
                service.code
                for service in self.jurisdiction.services
                if (not group or service.group == group)
                and (not keyword or keyword in map(str.casefold, service.keywords))
            }
            found = fitting if found is None else found & fitting
        return None if found is None else tuple(sorted(found))

    def flag(self, name: str) -> bool | None:
        text = self.values.get(name, "").lower()
        if text in ("", "true", "false"):
            return {"true": True, "false": False}.get(text)
        self.problems.append(Problem(name, f"{text[:40]!r} is neither true nor false."))
        return None

    def ids(self) -> tuple[str, ...]:
        found = tuple(self.words("service_request_id"))
        if len(found) > MAX_IDS:
            self.problems.append(Problem("service_request_id", f"holds {len(found)} ids; {MAX_IDS} are allowed."))
        return found

    def words(self, name: str) -> list[str]:
        """A comma list, trimmed, each word once (A63)."""
        return list(dict.fromkeys(word for word in map(stripped, self.values.get(name, "").split(",")) if word))

    def statuses(self) -> tuple[Status, ...]:
        found: list[Status] = []
        for word in self.words("status"):
            try:
                found.append(Status(word.lower()))
            except ValueError:
                self.problems.append(Problem("status", f"{word[:40]!r} is unknown; send open, closed or both."))
        return tuple(found)

    def instant(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        text = self.values.get(name, "")
        if not text:
            return None
        try:
            return parse_instant(text, self.jurisdiction.zone, end_of_day=end_of_day)
        except NotAnInstant:
            self.problems.append(instant_problem(name, text))
            return None

    def whole_number(self, name: str, default: int, *, least: int) -> int:
        text = self.values.get(name, "")
        if not text:
            return default
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
            self.problems.append(Problem(name, f"{text[:40]!r} is not a whole number of at least {least}."))
            return default
        return int(text)

    def sort(self) -> Sort:
        text = self.values.get("sort", "")
        if not text:
            return Sort.REQUESTED_DESC
        try:
            return Sort(text)
        except ValueError:
            known = ", ".join(Sort)
            self.problems.append(Problem("sort", f"{text[:40]!r} is unknown; send one of {known}."))
            return Sort.REQUESTED_DESC

    def degrees(self, name: str, text: str) -> float:
        try:
            return parse_degrees(name, text)
        except ValueError as error:
            self.problems.append(Problem(name, str(error)))
            return 0.0

    def circle(self) -> Circle | None:
        given = {name: self.values.get(name, "") for name in ("lat", "long", "radius")}
        if not any(given.values()):
            return None
        missing = [name for name, text in given.items() if not text]
        if missing:
            self.problems.append(Problem(missing[0], "is missing; send lat, long and radius together."))
            return None
        return Circle(
            self.degrees("long", given["long"]), self.degrees("lat", given["lat"]), self.radius(given["radius"])
        )

    def radius(self, text: str) -> float:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII) or not 0 < float(text) <= MAX_RADIUS_M:
            self.problems.append(
                Problem("radius", f"{text[:40]!r} is not a distance; send metres, at most {MAX_RADIUS_M:g}.")
            )
            return 1.0
        return float(text)

    def box(self) -> Box | None:
        text = self.values.get("bbox", "")
        if not text:
            return None
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 4:
            self.problems.append(Problem("bbox", "takes four numbers: west,south,east,north in degrees."))
            return None
        names = ("long", "lat", "long", "lat")
        known = len(self.problems)
        west, south, east, north = (self.degrees(name, part) for name, part in zip(names, parts, strict=True))
        if len(self.problems) > known:
            self.problems[known:] = [Problem("bbox", "takes west,south,east,north in degrees, in this order.")]
        elif south > north:
            self.problems.append(Problem("bbox", "has its south above its north; send west,south,east,north."))
        return Box(west, south, east, north)
