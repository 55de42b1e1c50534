"""GeoReport's own names, in JSON, XML or CSV: v2, the Bulk draft, and how servers vary both.

Not kept: who reported it (no server should show that, some do), `notes`, `attributes` and
`extended_attributes`, whose form differs from server to server.
"""

from __future__ import annotations

from typing import Any

from open311.formats.reading.vocabulary import Columns, Vocabulary


def _derive(columns: Columns) -> dict[str, Any]:
    """Only files of the Bulk draft have no service codes; their services are found by name."""
    return {"by_name": "service_code" not in columns}


GEOREPORT = Vocabulary(
    name="georeport",
    columns={
        "service_request_id": ("service_request_id",),
        "service_name": ("service_name",),
        "status": ("status", "status_description"),
        "status_notes": ("status_notes",),
        "description": ("description",),
        "agency": ("agency_responsible",),
        "service_notice": ("service_notice",),
        "requested": ("requested_datetime",),
        "updated": ("updated_datetime",),
        "closed": ("closed_datetime", "closed_date"),
        "expected": ("expected_datetime",),
        "address": ("address", "address_string"),
        "address_id": ("address_id",),
        "zipcode": ("zipcode",),
        "lat": ("lat", "latitude"),
        "long": ("long", "lng", "lon", "longitude"),
    },
    required=("service_request_id", "requested"),
    codes=("service_code",),
    media=("media_url", "media_urls"),
    derive=_derive,
)
