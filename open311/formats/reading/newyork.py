"""New York's open data (311 Service Requests): the file for people, with titles, and the API's, with snake_case.

`Due Date` is not `expected_datetime`: the city defines it as when the agency should next write something.
"""

from __future__ import annotations

import re
from typing import Any

from open311.formats.reading.vocabulary import Columns, Vocabulary

_AMERICAN = re.compile(
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"
    r"(?:\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\s*(?P<half>[AP])M)?)?",
    re.IGNORECASE | re.ASCII,
)


_USUAL = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (0[1-9]|1[0-2])(:\d\d:\d\d) ([AP])M", re.ASCII)
_HOURS = {
    (f"{hour:02}", half): f"{hour % 12 + later:02}"
    for hour in range(1, 13)
    for half, later in (("A", 0), ("P", 12))
}


def iso_instant(text: str) -> str:
    """`04/18/2019 09:55:45 PM` as `2019-04-18T21:55:45`; any other form as it is."""
    usual = _USUAL.fullmatch(text)  # the form that the city uses throughout
    if usual is not None:
        month, day, year, hour, rest, half = usual.groups()
        return f"{year}-{month}-{day}T{_HOURS[hour, half]}{rest}"
    match = _AMERICAN.fullmatch(text.strip())
    if match is None:
        return text
    date = f"{match['year']}-{match['month']:0>2}-{match['day']:0>2}"
    if match["hour"] is None:
        return date
    clock = int(match["hour"])
    if match["half"]:
        clock = clock % 12 + (12 if match["half"].upper() == "P" else 0)
    return f"{date}T{clock:02}:{match['minute']}:{match['second'] or '00'}"


def _derive(columns: Columns) -> dict[str, Any]:
    get = columns.get
    detail, more = _first(columns, _DETAIL), _first(columns, _MORE)
    return {
        "requested": iso_instant(get("created_date", "")),
        "updated": iso_instant(get("resolution_action_updated_date", "")),
        "closed": iso_instant(get("closed_date", "")),
        "description": f"{detail}: {more}" if detail and more else detail or more,
        "answers": (("descriptor", detail),) if detail else (),
        "address": _address(columns),
        "service_name": _first(columns, _TYPE),
    }


def _address(columns: Columns) -> str:
    """A house, a crossing or a street, then the city."""
    get = columns.get
    street = get("incident_address") or _crossing(columns) or get("street_name") or get("landmark")
    city = get("city") or get("borough")
    return f"{street}, {city}" if street and city else street or ""


def _crossing(columns: Columns) -> str:
    return " & ".join(columns[name] for name in _CROSSING if name in columns)


def _first(columns: Columns, names: tuple[str, ...]) -> str:
    for name in names:
        if name in columns:
            return columns[name]
    return ""


# In 2026 the city changed the titles of three columns; the names in its API stayed.
_TYPE = ("complaint_type", "problem", "problem_formerly_complaint_type")
_DETAIL = ("descriptor", "problem_detail", "problem_detail_formerly_descriptor")
_MORE = ("descriptor_2", "additional_details")
_CROSSING = ("intersection_street_1", "intersection_street_2")

NEWYORK = Vocabulary(
    name="newyork",
    columns={
        "service_request_id": ("unique_key",),
        "requested": ("created_date",),
        "status": ("status",),
        "status_notes": ("resolution_description",),
        "agency": ("agency_name", "agency"),
        "agency_code": ("agency",),
        "zipcode": ("incident_zip",),
        "lat": ("latitude",),
        "long": ("longitude",),
    },
    required=("service_request_id", "requested", "service_codes", "status"),
    codes=_TYPE,
    blanks={"n/a", "na", "unspecified"},
    derive=_derive,
    derived=(
        *("resolution_action_updated_date", "closed_date", *_DETAIL, *_MORE),
        *("incident_address", *_CROSSING, "street_name", "landmark", "city", "borough"),
    ),
)
