"""The search that a list call asks for. It is made from the parameters, the city's catalogue and the time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from open311.domain.cursors import PageCursor
from open311.domain.requests import Status
from open311.domain.search import Box, Circle, RequestSearch, Sort, SpanPolicy, Window, requested_window
from open311.domain.services import Audience
from open311.domain.text import search_words
from open311.errors import Invalid, Problem
from open311.operations.publishing import text_search_language
from open311.plugins import Jurisdiction
from schemas.arguments import as_sent
from schemas.limits import MAX_ROWS
from schemas.texts import Message, joined, tell
from schemas.values import format_instant

_MAY_BE_ID = re.compile(r'[^\s"]*\d[^\s"]*')
"""A search text that may be the id of a request: one word with a digit."""
_DATES = ("start_date", "end_date", "updated_after", "updated_before")
_MOST_CODES = 20
"""The number of departments or areas that a warning names at most."""


def read_search(
    values: Mapping[str, Any],
    jurisdiction: Jurisdiction,
    *,
    now: datetime,
    policy: SpanPolicy,
    problems: Iterable[Problem] = (),
) -> RequestSearch:
    """The search that a list call asks for (A19 to A31).

    values    the values of `RequestSearchArguments`, or of a schema with some of its parameters
    problems  the problems that the schema has found
    Raises Invalid with all problems.
    """
    found = list(problems)
    ids = values.get("service_request_id", ())
    search = (
        RequestSearch(jurisdiction_id=jurisdiction.id, ids=ids)
        if ids
        else _filters(values, jurisdiction, now, policy, found)
    )
    if found:
        raise Invalid.of(found)
    return search


def read_undated_search(
    values: Mapping[str, Any], jurisdiction: Jurisdiction, *, now: datetime, problems: Iterable[Problem] = ()
) -> RequestSearch:
    """Like `read_search`, for calls without pages. Without dates in the call, requests of any age match."""
    search = read_search(values, jurisdiction, now=now, policy="allow", problems=problems)
    has_dates = values["start_date"] or values["end_date"]
    return search if has_dates else replace(search, requested=Window())


def cut_dates(values: Mapping[str, Any], search: RequestSearch, now: datetime) -> Message | None:
    """A sentence if the list ends earlier than the caller may expect; None if it does not (A24, A25).

    This happens with a start_date more than 90 days ago and no end_date, and if the operator cuts longer windows.
    """
    start, end, given = search.requested.start, search.requested.end, values["end_date"]
    if start is None or end is None or start != values["start_date"] or end >= min(given or now, now):
        return None
    why = tell("at most 90 days come at once") if given else tell("start_date alone means 90 days")
    return tell("{why}: this list ends at {end}; go on with start_date={end}", why=why, end=format_instant(end))


def department_code(sent: str, jurisdiction: Jurisdiction) -> str:
    """The code of the department with this code, or with this name in upper or lower case; else `sent` itself.

    A code that the catalogue lacks is searched for too: requests of a former department keep its code.
    """
    if any(one.code == sent for one in jurisdiction.departments):
        return sent
    wanted = sent.casefold()
    return next((one.code for one in jurisdiction.departments if one.name.casefold() == wanted), sent)


def unknown_department(sent: str, jurisdiction: Jurisdiction) -> Message | None:
    """A sentence with the city's departments if it has none with this code or name; None if it has it."""
    code = department_code(sent, jurisdiction)
    if not code or any(one.code == code for one in jurisdiction.departments):
        return None
    known = _known(one.code for one in jurisdiction.departments)
    named = {"department": as_sent(sent), "city": as_sent(jurisdiction.id), "known": known}
    return tell("department {department} is not one of {city} now; its codes are {known}", **named)


def unknown_services(sent: Iterable[str], jurisdiction: Jurisdiction) -> Iterator[Message]:
    """A sentence for each code of which the public knows no service."""
    for code in sent:
        service = jurisdiction.service(code)
        if service is None or service.audience is Audience.STAFF:
            named = {"code": as_sent(code), "city": as_sent(jurisdiction.id)}
            yield tell("service_code {code} is not one of {city} now; services.json has its codes", **named)


def unknown_area(sent: str, jurisdiction: Jurisdiction) -> Message | None:
    """A sentence with the city's areas if it has none with this name; None if it has it."""
    if not sent or sent in jurisdiction.areas:
        return None
    named = {"area": as_sent(sent), "city": as_sent(jurisdiction.id)}
    if not jurisdiction.areas:
        return tell("area {area} is not one of {city} now; it has no areas", **named)
    return tell(
        "area {area} is not one of {city} now; its areas are {known}", **named, known=_known(jurisdiction.areas)
    )


def _known(names: Iterable[str]) -> str:
    """The names that a city has, for a header; only the first of many."""
    every = list(names)
    more = ", ..." if len(every) > _MOST_CODES else ""
    return ", ".join(map(as_sent, every[:_MOST_CODES])) + more


def unseen_id(values: Mapping[str, Any], search: RequestSearch) -> Message | None:
    """A sentence for an empty list whose `q` may be the id of a request outside the call's dates; else None."""
    if not search.words_id or search.is_id_undated:
        return None
    dates = joined(name for name in _DATES if values[name])
    return tell("q is looked for within {dates} only; leave them out to find a request by its id", dates=dates)


def _filters(
    values: Mapping[str, Any],
    jurisdiction: Jurisdiction,
    now: datetime,
    policy: SpanPolicy,
    problems: list[Problem],
) -> RequestSearch:
    cursor = _cursor(values, problems)
    requested, changed = (cursor.requested, cursor.changed) if cursor else _windows(values, now, policy, problems)
    return RequestSearch(
        jurisdiction_id=jurisdiction.id,
        service_codes=_service_codes(values, jurisdiction),
        statuses=tuple(map(Status, values["status"])),
        agency=values["agency_responsible"],
        department=department_code(values["department"], jurisdiction),
        area=values["area"],
        has_media=values["has_photo"],
        words=search_words(values["q"]),
        words_id=values["q"] if _MAY_BE_ID.fullmatch(values["q"]) else "",
        is_id_undated=not any(values[name] for name in _DATES),
        language=text_search_language(jurisdiction.languages[0]),
        requested=requested,
        changed=changed,
        near=_circle(values),
        box=Box(*values["bbox"]) if values["bbox"] else None,
        sort=cursor.sort if cursor else Sort(values.get("sort") or Sort.REQUESTED_DESC),
        after=cursor.after if cursor else None,
        page=max(1, values.get("page", 1)),
        page_size=values.get("page_size", MAX_ROWS),
        is_counted=values.get("count", False),
        asked_at=now,
    )


def _windows(
    values: Mapping[str, Any], now: datetime, policy: SpanPolicy, problems: list[Problem]
) -> tuple[Window, Window]:
    """The bounds on requested_datetime and on the last change (A24, A25, A29)."""
    start, end = values["start_date"], values["end_date"]
    changed = Window(values["updated_after"], values["updated_before"])
    if not (start or end) and (changed.start or changed.end):
        return Window(), changed
    requested, found = requested_window(start, end, now, policy)
    problems += found
    return requested, changed


def _cursor(values: Mapping[str, Any], problems: list[Problem]) -> PageCursor | None:
    text = values.get("cursor", "")
    if not text:
        return None
    try:
        found = PageCursor.read(text)
    except ValueError:
        problems.append(Problem("cursor", tell("is not a cursor from a Link header; start again without it.")))
        return None
    if _contradicts(values, found):
        problems.append(Problem("cursor", tell("belongs to another order or other dates; start again without it.")))
    return found


def _contradicts(values: Mapping[str, Any], cursor: PageCursor) -> bool:
    """Whether the call has an order or a date that differs from the cursor's."""
    pairs = (
        (values["sort"], cursor.sort),
        (values["start_date"], cursor.requested.start),
        (values["end_date"], cursor.requested.end),
        (values["updated_after"], cursor.changed.start),
        (values["updated_before"], cursor.changed.end),
    )
    return any(sent and sent != own for sent, own in pairs)


def _service_codes(values: Mapping[str, Any], jurisdiction: Jurisdiction) -> tuple[str, ...] | None:
    """The service codes that match service_code, group and keyword; None if the call has none of these (A22)."""
    codes = set(values["service_code"])
    services = [jurisdiction.service(code) for code in codes]
    found = {service.code for service in services if service} | codes if codes else None
    group, keyword = values["group"], values["keyword"].casefold()
    if group or keyword:
        fitting = {
            service.code
            for service in jurisdiction.services
            if (not group or service.group == group)
            and (not keyword or keyword in map(str.casefold, service.keywords))
        }
        found = fitting if found is None else found & fitting
    return None if found is None else tuple(sorted(found))


def _circle(values: Mapping[str, Any]) -> Circle | None:
    long, lat, radius_m = values["long"], values["lat"], values["radius"]
    return None if None in (long, lat, radius_m) else Circle(long, lat, radius_m)
