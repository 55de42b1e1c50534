"""Atom (RFC 4287) with GeoRSS-Simple points, for feed readers. Each entry also has all fields, for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from open311.formats.documents import DECLARATION, xml_item
from open311.formats.markup import decimal, escaped
from open311.formats.shapes import Column, FieldKind, Shape, shape_of
from schemas.georeport import ExtrasSchema, ServiceRequestSchema

GEOREPORT = "http://wiki.open311.org/GeoReport_v2"
# RFC 4287 requires `updated` even in an empty feed. A fixed time keeps the bytes of empty feeds equal.
NEVER = "1970-01-01T00:00:00Z"
TAG_YEAR = "2026"
"""The year in every tag: URI. Never change it, because feed readers would show every entry as new."""

_OUTSIDE_NAME = re.compile(r"[^a-z0-9.-]+")
_ATTRIBUTE_ESCAPES = str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})


def _shape() -> Shape:
    """The shape with all fields that an item can have: the standard's fields, the extensions and the distance."""
    request, extras = shape_of(ServiceRequestSchema), shape_of(ExtrasSchema)
    distance = Column("distance", "distance", FieldKind.SCALAR)
    return Shape((*request.columns, *extras.columns, distance), request.root, request.item)


_REQUEST = _shape()


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomFeed:
    """The metadata of a feed.

    about      the filters of the list, in the same form on all pages; part of the feed's id
    api        the base address of the API, for links to single requests
    pages      the address under which each request has a page for people, with a slash at its end
    links      addresses by relation: self, first, next, prev, license
    rights     the terms of use; "" for none
    """

    jurisdiction_id: str
    title: str
    author: str
    api: str
    pages: str
    about: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    rights: str = ""


def write_atom(feed: AtomFeed, items: Sequence[bytes]) -> bytes:
    """A complete feed. Each item is the JSON text of a request. The entries are in the order of the items."""
    requests: list[dict[str, Any]] = [orjson.loads(item) for item in items]
    updated = max((request["updated_datetime"] for request in requests), default=NEVER)
    head = _head(feed, updated)
    entries = (part for request in requests for part in _entry(feed, request))
    return "".join((DECLARATION, *head, *entries, "</feed>")).encode()


def _head(feed: AtomFeed, updated: str) -> Iterator[str]:
    yield '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:georss="http://www.georss.org/georss">'
    yield text_element("id", tag(feed.jurisdiction_id, "requests", *([feed.about] if feed.about else [])))
    yield text_element("title", feed.title)
    yield text_element("updated", updated)
    yield f"<author>{text_element('name', feed.author)}</author>"
    if feed.rights:
        yield text_element("rights", feed.rights)
    for relation, address in feed.links.items():
        kind = "" if relation == "license" else "application/atom+xml"
        yield empty_element("link", rel=relation, type=kind, href=address)


def _entry(feed: AtomFeed, request: dict[str, Any]) -> Iterator[str]:
    request_id = request["service_request_id"]
    yield "<entry>"
    yield text_element("id", tag(feed.jurisdiction_id, "requests", request_id))
    yield text_element(
        "title", ": ".join(filter(None, (_line(request["service_name"]), _line(request["address"]))))
    )
    yield text_element("updated", request["updated_datetime"])
    yield text_element("published", request["requested_datetime"])
    yield from _links(feed, request)
    yield empty_element("category", term=request["service_code"], label=request["service_name"])
    yield empty_element("category", scheme=f"{GEOREPORT}#status", term=request["status"])
    yield text_element("summary", request["description"] or request["status_notes"] or "")
    if request["lat"] is not None and request["long"] is not None:
        yield text_element("georss:point", f"{decimal(request['lat'])} {decimal(request['long'])}")
    yield xml_item(_REQUEST, request).replace("<request>", f'<request xmlns="{GEOREPORT}">', 1)
    yield "</entry>"


def _links(feed: AtomFeed, request: dict[str, Any]) -> Iterator[str]:
    place = f"{feed.api}/requests/{quote(request['service_request_id'], safe='')}"
    query = f"jurisdiction_id={quote(feed.jurisdiction_id, safe='')}"
    page = feed.pages + quote(request["service_request_id"], safe="")
    yield empty_element("link", rel="alternate", type="text/html", href=page)  # feed readers follow this link
    for suffix, kind in (("json", "application/json"), ("xml", "text/xml")):
        yield empty_element("link", rel="alternate", type=kind, href=f"{place}.{suffix}?{query}")
    if request["media_url"]:
        yield empty_element("link", rel="enclosure", href=request["media_url"])


def tag(jurisdiction_id: str, *path: str) -> str:
    """A permanent id (RFC 4151) under the city's domain. It does not depend on this server's address.

    Characters that are not allowed in a domain are replaced by hyphens. The path after the domain starts with the
    exact jurisdiction_id.
    """
    authority = _OUTSIDE_NAME.sub("-", jurisdiction_id.lower()).strip(".-") or "open311.invalid"
    parts = "/".join(quote(part, safe="") for part in (jurisdiction_id, *path))
    return f"tag:{authority},{TAG_YEAR}:{parts}"


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def text_element(name: str, text: str) -> str:
    """An element with a text."""
    return f"<{name}>{escaped(text)}</{name}>"


def empty_element(name: str, **attributes: str) -> str:
    """An element without content. An attribute without a value is left out."""
    return f"<{name}{''.join(_attributes(attributes.items()))}/>"


def _attributes(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in pairs:
        if value:
            yield f' {name}="{escaped(value).translate(_ATTRIBUTE_ESCAPES)}"'
