"""The list of requests as GeoJSON, CSV, Atom and NDJSON: the same call, the same rows, in another form."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import Any
from urllib.parse import urlencode

from flask import Response
from flask_smorest import Api

from open311.formats import JSON, XML
from open311.formats.writing import (
    AtomFeed,
    CsvWriter,
    Feed,
    GeoJsonWriter,
    NdjsonWriter,
    csv_columns,
    whole,
    write_atom,
)
from open311.operations.reading.find_requests import Page
from open311.operations.upkeep.dumps import terms
from open311.web.answers import answer
from open311.web.context import platform, request
from open311.web.documentation import DescribedBlueprint
from open311.web.extensions import documented
from open311.web.georeport.blueprint import BASE
from open311.web.georeport.discovery import base_url
from open311.web.georeport.listing import (
    Listing,
    add_headers,
    address_here,
    find_page,
    links_around,
    read_listing,
    unchanged,
)
from open311.web.parsing import ALIASES
from open311.web.terms import add_terms
from schemas import ErrorSchema, RequestSearchArguments

_GEOJSON_BODY = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "items": {"type": "object"}},
    },
}
_TEXT = {"type": "string"}
_PAGING = frozenset({"page", "page_size", "cursor"})


def list_requests(feed: Feed) -> Response:
    """A page of requests in one of our formats."""
    listing = read_listing()
    response = unchanged(listing, feed)
    if response is None:
        page = find_page(listing, JSON)
        response = answer(_body(feed, listing, page), feed, validator=page.validator)
        add_headers(response, listing, page)
    add_terms(response, listing.jurisdiction)
    return response


def list_as_geojson() -> Response:
    """List requests as GeoJSON (RFC 7946), for maps.

    Each request is a Feature; one without a point has a null geometry. Filters and pages as in requests.json.
    """
    return list_requests(Feed.GEOJSON)


def list_as_csv() -> Response:
    """List requests as CSV (RFC 4180), for spreadsheets.

    An apostrophe stands before text that a spreadsheet would take for a formula. Filters and pages as in
    requests.json.
    """
    return list_requests(Feed.CSV)


def list_as_atom() -> Response:
    """List requests as an Atom feed with GeoRSS-Simple points, for feed readers.

    Each entry also holds the request as requests.xml has it. Filters and pages as in requests.json.
    """
    return list_requests(Feed.ATOM)


def list_as_ndjson() -> Response:
    """List requests as NDJSON, one a line, for programs.

    Each line is an item of requests.json. Filters and pages as there.
    """
    return list_requests(Feed.NDJSON)


def register_feeds(api: Api) -> None:
    """Serve the list of requests in all our formats."""
    feeds = DescribedBlueprint("feeds", __name__, description="Requests in other formats (extensions)")
    views = {
        Feed.GEOJSON: (list_as_geojson, _GEOJSON_BODY),
        Feed.CSV: (list_as_csv, _TEXT),
        Feed.ATOM: (list_as_atom, _TEXT),
        Feed.NDJSON: (list_as_ndjson, _TEXT),
    }
    for feed, (view, body) in views.items():
        xml: Any = {"type": "array", "items": {"$ref": "#/components/schemas/Error"}, "xml": {"name": "errors"}}
        described = documented(
            update_wrapper(partial(view), view),
            takes=RequestSearchArguments,
            answers={200: (feed.media_type.partition(";")[0], body)},
            errors=(400, 404, 503),
            error_type="text/xml" if feed.error_format is XML else "application/json",
            error_body=xml if feed.error_format is XML else ErrorSchema(many=True),
        )
        feeds.add_url_rule(f"/requests.{feed}", view.__name__, described)
    api.register_blueprint(feeds, url_prefix=BASE)


def _body(feed: Feed, listing: Listing, page: Page) -> bytes:
    if feed is Feed.ATOM:
        return write_atom(_atom(listing, page), page.items)
    if feed is Feed.CSV:
        with_distance = listing.search.near is not None and bool(listing.extensions)
        return whole(CsvWriter(csv_columns(listing.extensions, with_distance=with_distance)), page.items)
    return whole(GeoJsonWriter() if feed is Feed.GEOJSON else NdjsonWriter(), page.items)


def _atom(listing: Listing, page: Page) -> AtomFeed:
    """What the feed says of itself. Its id is that of the filters: all pages are one feed (RFC 5005)."""
    jurisdiction = listing.jurisdiction
    licence, attribution = terms(platform(), jurisdiction)
    filters = sorted(
        pair
        for pair in request.args.items(multi=True)
        if ALIASES.get(pair[0], pair[0]) not in _PAGING | {"jurisdiction_id", "api_key"}
    )
    links = {"self": address_here(), **links_around(listing, page)}
    return AtomFeed(
        jurisdiction_id=jurisdiction.id,
        title=f"Service requests: {jurisdiction.name}",
        author=jurisdiction.name,
        api=base_url(),
        about=urlencode(filters),
        links=links | ({"license": licence} if licence else {}),
        rights=attribution,
    )
