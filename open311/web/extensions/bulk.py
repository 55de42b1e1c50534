"""GeoReport Bulk v1: all requests in one download, from one snapshot of the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Response

from open311.domain.search import RequestSearch
from open311.formats.writing import BulkFormat, bulk_writer, in_pieces
from open311.operations.reading.export_requests import EXPORT_ORDER, open_export
from open311.operations.reading.searches import read_undated_search, unknown_department
from open311.web.access import ANYBODY
from open311.web.answers import make_cachable, warning_headers
from open311.web.calls import Answer, Call, unchanged
from open311.web.endpoints import Media, endpoint
from open311.web.openapi import xml_text
from open311.web.streams import lanes_of, stream
from open311.web.surfaces import BULK
from open311.web.terms import term_headers
from schemas.bulk import BulkRequestSchema
from schemas.extensions import BulkArguments

IDLE_LIMIT_S = 120
_BULK: dict[str, Any] = {
    "reads": BulkArguments,
    "access": ANYBODY,
    "is_extension": True,
    "gathers_problems": True,
    "headers": ("Link", "X-Attribution", "X-Total-Count"),
}


@endpoint(BULK, "/requests.csv", answers=Media("text/csv", {"type": "string"}), output=BulkFormat.CSV, **_BULK)
def bulk_as_csv(call: Call) -> Answer | Response:
    """Download all requests as GeoReport Bulk in CSV (RFC 4180).

    The filters are those of requests.json, without its window of 90 days and its pages. The oldest request comes
    first. No apostrophe stands before formulas, so import all columns as text if you use a spreadsheet.
    """
    return _bulk(call)


@endpoint(
    BULK,
    "/requests.json",
    answers=Media("application/json", BulkRequestSchema(many=True)),
    output=BulkFormat.JSON,
    **_BULK,
)
def bulk_as_json(call: Call) -> Answer | Response:
    """Download all requests as GeoReport Bulk in JSON.

    The filters are those of requests.json, without its window of 90 days and its pages. The oldest request comes
    first.
    """
    return _bulk(call)


@endpoint(
    BULK, "/requests.xml", answers=Media("text/xml", xml_text(BulkRequestSchema)), output=BulkFormat.XML, **_BULK
)
def bulk_as_xml(call: Call) -> Answer | Response:
    """Download all requests as GeoReport Bulk in XML.

    The filters are those of requests.json, without its window of 90 days and its pages. The oldest request comes
    first.
    """
    return _bulk(call)


def _bulk(call: Call) -> Answer | Response:
    search = _search(call)
    leave = lanes_of(call.platform).enter()
    try:
        is_csv = call.output is BulkFormat.CSV
        export = open_export(call.platform, search, as_bulk_csv=is_csv, idle_limit_s=IDLE_LIMIT_S)
    except BaseException:
        leave()
        raise

    def end() -> None:
        export.close()
        leave()

    headers = (("X-Total-Count", str(export.count)), *term_headers(call))
    if call.has_unchanged(export.validator):
        end()
        return replace(unchanged(export.validator), headers=headers)
    if call.request.method == "GET":
        chunks = in_pieces(bulk_writer(call.output), export.batches)
    else:
        end()
        chunks = iter(())
    response = stream(chunks, call.output.media_type, coding=call.coding, at_end=end)
    make_cachable(call, response, export.validator)
    unknown = unknown_department(call.values["department"], call.city)
    warnings = (*call.warnings, unknown) if unknown else call.warnings
    response.headers.extend([*headers, *warning_headers(warnings, call.request)])
    return response


def _search(call: Call) -> RequestSearch:
    """The search for all requests that match the filters."""
    search = read_undated_search(call.values, call.city, now=call.now, problems=call.problems)
    return replace(search, sort=EXPORT_ORDER)
