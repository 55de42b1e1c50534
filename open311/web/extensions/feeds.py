"""The list of requests as GeoJSON, CSV, Atom and NDJSON. The filters and the rows are as in requests.json."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from open311.formats import JSON
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
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import Media, endpoint
from open311.web.links import own_url
from open311.web.listing import Listing
from open311.web.parsing import read_query
from open311.web.portal.rendering import city_path
from open311.web.surfaces import GEOREPORT
from open311.web.terms import term_headers
from schemas.arguments import RequestSearchArguments, means_key
from schemas.extensions import TableArguments
from schemas.georeport import ExtendedRequestSchema

_FEATURE: dict[str, Any] = {
    "type": "object",
    "required": ["type", "id", "geometry", "properties"],
    "properties": {
        "type": {"type": "string", "enum": ["Feature"]},
        "id": {"type": "string"},
        "geometry": {
            "type": "object",
            "nullable": True,
            "required": ["type", "coordinates"],
            "properties": {
                "type": {"type": "string", "enum": ["Point"]},
                "coordinates": {"type": "array", "items": {"type": "number"}},
            },
        },
        "properties": ExtendedRequestSchema(),
    },
}
_FEATURES: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "items": _FEATURE},
        "numberReturned": {"type": "integer"},
        "numberMatched": {"type": "integer"},
        "links": {"type": "array", "items": {"type": "object"}},
    },
}
_TEXT = {"type": "string"}
_LIST: dict[str, Any] = {
    "reads": RequestSearchArguments,
    "access": ANYBODY,
    "is_extension": True,
    "gathers_problems": True,
    "headers": ("Link", "X-Attribution", "X-Total-Count"),
}
_LINKED = (Feed.ATOM, Feed.GEOJSON)
"""Formats whose body has a link to the next page. The link contains the time from which the 90 days are counted, so
the same requests may come in other bytes, and the ETag is weak."""
_NO_FILTERS = frozenset({"page", "page_size", "cursor", "jurisdiction_id"})


@endpoint(
    GEOREPORT, "/requests.geojson", answers=Media("application/geo+json", _FEATURES), output=Feed.GEOJSON, **_LIST
)
def list_requests_as_geojson(call: Call) -> Answer:
    """List requests as GeoJSON (RFC 7946), for maps.

    Each request is a Feature. A request without a point has a null geometry. Filters and pages are those of
    requests.json; numberReturned, numberMatched and links show which part of the list this is.
    """
    return _list(call)


@endpoint(
    GEOREPORT,
    "/requests.csv",
    answers=Media("text/csv", _TEXT),
    output=Feed.CSV,
    **_LIST | {"reads": TableArguments},
)
def list_requests_as_csv(call: Call) -> Answer:
    """List requests as CSV (RFC 4180), for spreadsheets.

    Text that a spreadsheet would run as a formula gets an apostrophe before it. With bom=true, the file begins with
    a byte order mark, by which Excel knows UTF-8. Filters and pages are those of requests.json.
    """
    return _list(call)


@endpoint(GEOREPORT, "/requests.atom", answers=Media("application/atom+xml", _TEXT), output=Feed.ATOM, **_LIST)
def list_requests_as_atom(call: Call) -> Answer:
    """List requests as an Atom feed with GeoRSS-Simple points, for feed readers.

    Each entry also contains the request in the form of requests.xml. Filters and pages are those of requests.json.
    """
    return _list(call)


@endpoint(GEOREPORT, "/requests.ndjson", answers=Media("application/x-ndjson", _TEXT), output=Feed.NDJSON, **_LIST)
def list_requests_as_ndjson(call: Call) -> Answer:
    """List requests as NDJSON, one request per line, for programs.

    Each line is an item of requests.json. Filters and pages are those of requests.json.
    """
    return _list(call)


def _list(call: Call) -> Answer:
    listing = Listing.of(call)
    answer = listing.answer(
        lambda page, total: _body(listing, page, total), rendered=JSON, shows_total=call.output is Feed.GEOJSON
    )
    return replace(answer, headers=(*answer.headers, *term_headers(call)), is_weak=call.output in _LINKED)


def _body(listing: Listing, page: Page, total: int | None) -> bytes:
    feed, extras = listing.call.output, listing.call.values["extensions"]
    if feed is Feed.ATOM:
        return write_atom(_atom(listing, page), page.items)
    if feed is Feed.CSV:
        with_distance = listing.search.near is not None and bool(extras)
        table = whole(CsvWriter(csv_columns(extras, with_distance=with_distance)), page.items)
        return BOM_UTF8 + table if listing.call.values["bom"] else table
    if feed is Feed.GEOJSON:
        return whole(GeoJsonWriter(_part(listing, page, total)), page.items)
    return whole(NdjsonWriter(), page.items)


def _part(listing: Listing, page: Page, total: int | None) -> dict[str, Any]:
    """Members that show GIS tools which part of a list they have. OGC API Features defines their names."""
    links = {"self": own_url(listing.call), **listing.links(page)}
    return {
        "numberReturned": len(page.items),
        **({} if total is None else {"numberMatched": total}),
        "links": [
            {"rel": relation, "href": url, "type": Feed.GEOJSON.media_type} for relation, url in links.items()
        ],
    }


def _atom(listing: Listing, page: Page) -> AtomFeed:
    """The metadata of the feed. Its id depends on the filters only, because all pages are one feed (RFC 5005)."""
    call, city = listing.call, listing.call.city
    licence, attribution = terms(call.platform, city)
    links = {"self": own_url(call), **listing.links(page)}
    return AtomFeed(
        jurisdiction_id=city.id,
        title=f"Service requests: {city.name}",
        author=city.name,
        api=call.base_url(),
        pages=f"{city_path(call.own_address(), city.id)}requests/",
        about=urlencode(_filters(call)),
        links=links | ({"license": licence} if licence else {}),
        rights=attribution,
    )


def _filters(call: Call) -> list[tuple[str, str]]:
    """The filters of a call. They are sorted, so that all pages of a list have the same text of filters."""
    schema = RequestSearchArguments()
    sent = read_query(call.request.query_string).items()
    filters = ((name, values) for name, values in sent if schema.own_name(name) not in _NO_FILTERS)
    return sorted((name, value) for name, values in filters if not means_key(name) for value in values)
