"""Changes of requests as ActivityStreams 2.0 (https://www.w3.org/TR/activitystreams-core/).

A public request is a Note with a Place. Its newest change is a Create or an Update, or a Delete with a Tombstone
once the public cannot read the request any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from html import escape
from typing import Any
from urllib.parse import quote

import orjson

from open311.formats.documents import JSON, Format
from open311.formats.writing.atom import GEOREPORT, tag

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
_OWN_TERMS = ("service_request_id", "service_code", "status")
CONTEXT: list[Any] = [
    "https://www.w3.org/ns/activitystreams",
    {"georeport": f"{GEOREPORT}#", **{name: f"georeport:{name}" for name in _OWN_TERMS}},
]
"""The vocabulary of ActivityStreams, and three fields of the standard in it."""


class ActivityFormat(StrEnum):
    """The format of the outbox."""

    AS2 = "as2"

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return "application/activity+json"

    @property
    def error_format(self) -> Format:
        """The format of error answers."""
        return JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """The metadata of a city's outbox.

    address  the address of the collection
    city     the name of the city
    pages    the address of the city's first page for people, with a slash at its end
    """

    jurisdiction_id: str
    address: str
    city: str
    pages: str

    @property
    def actor(self) -> dict[str, str]:
        """The city. It is the actor of all activities, so that nobody learns who has sent a request."""
        return {"type": "Organization", "id": tag(self.jurisdiction_id), "name": self.city, "url": self.pages}


def write_collection(outbox: Outbox, first: str) -> bytes:
    """The collection, which only leads to its first page. Nobody has counted its items."""
    return orjson.dumps(
        {
            "@context": CONTEXT,
            "id": outbox.address,
            "type": "OrderedCollection",
            "name": f"Service requests: {outbox.city}",
            "attributedTo": outbox.actor,
            "first": first,
        }
    )


def write_page(outbox: Outbox, address: str, items: Iterable[tuple[str, bytes]], following: str) -> bytes:
    """A page of the collection, newest first.

    items      the id of each changed request, and the request as an item of requests.json; b"" for one that the
               public cannot read any more
    following  the address of the next page; "" for the last one
    """
    return orjson.dumps(
        {
            "@context": CONTEXT,
            "id": address,
            "type": "OrderedCollectionPage",
            "partOf": outbox.address,
            **({"next": following} if following else {}),
            "orderedItems": [_activity(outbox, id, item) for id, item in items],
        }
    )


def _activity(outbox: Outbox, id: str, item: bytes) -> dict[str, Any]:
    name = tag(outbox.jurisdiction_id, "requests", id)
    if not item:
        return _envelope(outbox, "Delete", f"{name}/delete") | {
            "object": {"type": "Tombstone", "id": name, "formerType": "Note"}
        }
    request: dict[str, Any] = orjson.loads(item)
    is_new = request["updated_datetime"] == request["requested_datetime"] and request["status"] == "open"
    mark = blake2b(item, digest_size=8).hexdigest()
    return _envelope(outbox, "Create" if is_new else "Update", f"{name}/{mark}") | {
        "published": request["updated_datetime"],
        "object": _note(outbox, name, request),
    }


def _envelope(outbox: Outbox, kind: str, id: str) -> dict[str, Any]:
    return {"type": kind, "id": id, "actor": outbox.actor, "to": [PUBLIC]}


def _note(outbox: Outbox, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
    texts = filter(None, (request["description"], request["status_notes"]))
    optional = {
        "location": _place(request),
        "attachment": [{"type": "Image", "url": request["media_url"]}] if request["media_url"] else None,
    }
    return {
        "type": "Note",
        "id": name,
        "attributedTo": outbox.actor,
        "to": [PUBLIC],
        "name": ": ".join(filter(None, (request["service_name"], request["address"]))),
        "content": "".join(map(_paragraph, texts)) or _paragraph(request["service_name"]),
        "published": request["requested_datetime"],
        "updated": request["updated_datetime"],
        "url": outbox.pages + "requests/" + quote(request["service_request_id"], safe=""),
        **{field: value for field, value in optional.items() if value},
        **{field: request[field] for field in _OWN_TERMS},
    }


def _place(request: Mapping[str, Any]) -> dict[str, Any] | None:
    has_point = request["lat"] is not None and request["long"] is not None
    point = {"latitude": request["lat"], "longitude": request["long"]} if has_point else {}
    name = {"name": request["address"]} if request["address"] else {}
    return {"type": "Place", **name, **point} if name or point else None


def _paragraph(text: str) -> str:
    """A text as HTML, because `content` is HTML unless `mediaType` says otherwise."""
    return f"<p>{escape(text).replace(chr(10), '<br>')}</p>"
