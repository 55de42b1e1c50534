"""Boston's open data (311 Service Requests), by year: the columns of 2022 and those of 2025.

The file holds no descriptions: the city strips them. `case_title` is not read: it is the staff's own label and
sometimes names a person. The city's API of those years called a service `subject:reason:type`, so that is its code.
"""

from __future__ import annotations

import re
from typing import Any

from open311.domain.imports import Mending
from open311.formats.reading.vocabulary import Columns, Vocabulary

_STAND_IN = (42.3594, -71.0587)
"""A point near City Hall, which the file gives to requests from anywhere that could not be located."""


def _derive(columns: Columns) -> dict[str, Any]:
    get = columns.get
    kind = get("type", "")
    codes = ":".join(filter(None, (get("subject"), get("reason"), kind)))
    found: dict[str, Any] = {
        "service_codes": (codes, kind) if kind else (),
        "by_name": True,
        "address": ", ".join(filter(None, re.split(r"\s{2,}", get("location", "").strip()))),
    }
    if _is_stand_in(get("latitude", ""), get("longitude", "")):
        found |= {"lat": "", "long": "", "mended": (Mending.STAND_IN_POINT,)}
    return found


def _is_stand_in(lat: str, long: str) -> bool:
    try:
        return (float(lat), float(long)) == _STAND_IN
    except ValueError:
        return False


BOSTON = Vocabulary(
    name="boston",
    columns={
        "service_request_id": ("case_enquiry_id",),
        "service_name": ("type",),
        "status": ("case_status",),
        "status_notes": ("closure_reason",),
        "agency": ("subject", "department"),
        "requested": ("open_dt",),
        "closed": ("closed_dt",),
        "expected": ("target_dt", "sla_target_dt"),
        "zipcode": ("location_zipcode",),
        "lat": ("latitude",),
        "long": ("longitude",),
    },
    required=("service_request_id", "requested", "service_name", "status"),
    media=("submittedphoto", "submitted_photo", "closedphoto", "closed_photo"),
    derive=_derive,
    derived=("reason", "location"),
)
