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


def iso_instant(text: str) -> str:
    """`04/18/2019 09:55:45 PM` as `2019-04-18T21:55:45`; any other form as it is."""
    match = _AMERICAN.fullmatch(text.strip())
    if match is None:
        return text
    day = f"{match['year']}-{match['month']:0>2}-{match['day']:0>2}"
    if match["hour"] is None:
        return day
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].upper() == "P" else 0)
    return f"{day}T{hour:02}:{match['minute']}:{match['second'] or '00'}"


def _derive(columns: Columns) -> dict[str, Any]:
    detail = _first(columns, _DETAIL)
    return {
        "requested": iso_instant(columns.get("created_date", "")),
        "updated": iso_instant(columns.get("resolution_action_updated_date", "")),
        "closed": iso_instant(columns.get("closed_date", "")),
        "description": ": ".join(filter(None, (detail, _first(columns, _MORE)))),
        "answers": (("descriptor", detail),) if detail else (),
        "address": _address(columns),
        "service_name": _first(columns, _TYPE),
    }


def _address(columns: Columns) -> str:
    """A house, a crossing or a street, then the city."""
    get = columns.get
    crossing = [get("intersection_street_1"), get("intersection_street_2")]
    street = get("incident_address") or (
        " & ".join(filter(None, crossing)) or get("street_name") or get("landmark")
    )
    return ", ".join(filter(None, (street, get("city") or get("borough")))) if street else ""


def _first(columns: Columns, names: tuple[str, ...]) -> str:
    return next((columns[name] for name in names if name in columns), "")


# In 2026 the city calls three columns by other titles; the API's names stayed.
_TYPE = ("complaint_type", "problem", "problem_formerly_complaint_type")
_DETAIL = ("descriptor", "problem_detail", "problem_detail_formerly_descriptor")
_MORE = ("descriptor_2", "additional_details")

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
)
