"""GeoReport Bulk v1 (4.2): everything at once, as it is at one moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from flask import Flask, Response, current_app
from flask_smorest import Api

from open311.clock import utc_now
from open311.domain.search import RequestSearch, Window
from open311.formats.writing import BulkFormat, bulk_writer, in_pieces
from open311.operations.reading.export_requests import EXPORT_ORDER, open_export
from open311.plugins import Jurisdiction
from open311.web.answers import make_cachable, not_modified
from open311.web.codings import wanted_coding
from open311.web.context import platform, request
from open311.web.documentation import DescribedBlueprint
from open311.web.extensions import documented
from open311.web.georeport.blueprint import ROOT
from open311.web.parsing import read_query
from open311.web.search import read_search
from open311.web.streams import Lanes, stream
from open311.web.terms import add_terms
from schemas import BulkArguments, BulkRequestSchema, ErrorSchema

IDLE_LIMIT_S = 120
_LANES = "open311.lanes"
_ARGUMENTS = BulkArguments()
_ITEM = {"$ref": "#/components/schemas/BulkRequest"}
_BODIES: dict[BulkFormat, Any] = {
    BulkFormat.CSV: {"type": "string"},
    BulkFormat.JSON: BulkRequestSchema(many=True),
    BulkFormat.XML: {"type": "array", "xml": {"name": BulkRequestSchema.xml_root, "wrapped": True}, "items": _ITEM},
}
_ERRORS: dict[BulkFormat, Any] = {
    BulkFormat.CSV: ErrorSchema(many=True),
    BulkFormat.JSON: ErrorSchema(many=True),
    BulkFormat.XML: {
        "type": "array",
        "xml": {"name": ErrorSchema.xml_root, "wrapped": True},
        "items": {"$ref": "#/components/schemas/Error"},
    },
}


def bulk_as_csv() -> Response:
    """Download all requests as GeoReport Bulk in CSV (RFC 4180).

    The filters of requests.json without its 90 days and its pages; oldest first. Texts are as they were sent: when
    you open the file in a spreadsheet, import all columns as text.
    """
    return _bulk(BulkFormat.CSV)


def bulk_as_json() -> Response:
    """Download all requests as GeoReport Bulk in JSON.

    The filters of requests.json without its 90 days and its pages; oldest first.
    """
    return _bulk(BulkFormat.JSON)


def bulk_as_xml() -> Response:
    """Download all requests as GeoReport Bulk in XML.

    The filters of requests.json without its 90 days and its pages; oldest first.
    """
    return _bulk(BulkFormat.XML)


def register_bulk(app: Flask, api: Api, *, lanes: int) -> None:
    """Serve GeoReport Bulk at its own base; `lanes` downloads may run at once in this process."""
    app.extensions[_LANES] = Lanes(lanes)
    bulk = DescribedBlueprint("bulk", __name__, description="GeoReport Bulk v1 (an extension)")
    views = {BulkFormat.CSV: bulk_as_csv, BulkFormat.JSON: bulk_as_json, BulkFormat.XML: bulk_as_xml}
    for output, view in views.items():
        described = documented(
            view,
            takes=BulkArguments,
            answers={200: (output.media_type.partition(";")[0], _BODIES[output])},
            errors=(400, 404, 503),
            error_type="text/xml" if output is BulkFormat.XML else "application/json",
            error_body=_ERRORS[output],
        )
        bulk.add_url_rule(f"/requests.{output}", view.__name__, described)
    api.register_blueprint(bulk, url_prefix=f"{ROOT}/bulk/v1")


def _bulk(output: BulkFormat) -> Response:
    jurisdiction, search = _wanted()
    leave = cast("Lanes", current_app.extensions[_LANES]).enter()
    try:
        export = open_export(platform(), search, as_bulk_csv=output is BulkFormat.CSV, idle_limit_s=IDLE_LIMIT_S)
    except BaseException:
        leave()
        raise

    def end() -> None:
        export.close()
        leave()

    response = not_modified(export.validator, output)
    if response is None and request.method == "GET":
        chunks = in_pieces(bulk_writer(output), export.batches)
        response = stream(chunks, output.media_type, coding=wanted_coding(), at_end=end)
    else:
        end()
        response = response or stream((), output.media_type, coding=wanted_coding(), at_end=end)
    if response.status_code != 304:
        make_cachable(response, export.validator, output)
    response.headers["X-Total-Count"] = str(export.count)
    add_terms(response, jurisdiction)
    return response


def _wanted() -> tuple[Jurisdiction, RequestSearch]:
    """Everything that the filters leave over; without dates, from the first day."""
    values = read_query(_ARGUMENTS)
    jurisdiction = platform().registry.find(values["jurisdiction_id"])
    search = read_search(values, jurisdiction, now=utc_now(), policy="allow")
    requested = search.requested if values["start_date"] or values["end_date"] else Window()
    return jurisdiction, replace(search, requested=requested, sort=EXPORT_ORDER)
