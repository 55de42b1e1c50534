"""The outbox: changes of public requests as ActivityStreams 2.0 (spec/extensions.md, OB1 to OB6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from open311.errors import Invalid
from open311.formats.writing import ActivityFormat, Outbox, write_collection, write_page
from open311.operations.reading.follow_changes import (
    Position,
    find_newest_changes,
    read_position,
    write_position,
)
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import Media, endpoint
from open311.web.portal.rendering import city_path
from open311.web.surfaces import BASE, OUTBOX
from open311.web.terms import term_headers
from schemas.extensions import OutboxArguments
from schemas.texts import tell

_TEXT = {"type": "string"}
_COLLECTION: dict[str, Any] = {
    "type": "object",
    "description": "An OrderedCollection; with `page` or `cursor`, an OrderedCollectionPage.",
    "required": ["@context", "id", "type"],
    "properties": {
        "@context": {"type": "array", "items": {}},
        "id": _TEXT,
        "type": {"type": "string", "enum": ["OrderedCollection", "OrderedCollectionPage"]},
        "first": _TEXT | {"description": "The address of the first page."},
        "partOf": _TEXT | {"description": "The address of the collection."},
        "next": _TEXT | {"description": "The address of the next page, which is older."},
        "orderedItems": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Activities of the types Create, Update and Delete, newest first.",
        },
    },
}


@endpoint(
    OUTBOX,
    "",
    reads=OutboxArguments,
    access=ANYBODY,
    answers=Media(ActivityFormat.AS2.media_type, _COLLECTION),
    output=ActivityFormat.AS2,
    is_extension=True,
    headers=("Link", "X-Attribution"),
)
def get_outbox(call: Call) -> Answer:
    """Read the changes of public requests as ActivityStreams 2.0 (extension).

    Without parameters, this is the collection, whose `first` is the address of the newest page. Each page leads to
    an older one. A request that has changed several times appears once, with its last change.
    """
    values = call.values
    base = {"jurisdiction_id": call.city.id}
    outbox = Outbox(
        jurisdiction_id=call.city.id,
        address=_address(call, base),
        city=call.city.name,
        pages=city_path(call.own_address(), call.city.id),
    )
    sizes = {"page_size": str(values["page_size"])} if "page_size" in call.request.args else {}
    if not values["page"] and not values["cursor"]:
        body = write_collection(outbox, _address(call, base | sizes | {"page": "true"}))
        return Answer(body=body, headers=tuple(term_headers(call)))
    found = find_newest_changes(call.platform, call.city.id, _before(call), rows=values["page_size"])
    here = {"cursor": values["cursor"]} if values["cursor"] else {"page": "true"}
    older = found.ended_at
    body = write_page(
        outbox,
        _address(call, base | sizes | here),
        found.items,
        _address(call, base | sizes | {"cursor": write_position(call.city.id, older)}) if older else "",
    )
    return Answer(body=body, headers=tuple(term_headers(call)))


def _before(call: Call) -> Position | None:
    """The position before which the page begins; None for the newest page. Raises Invalid for a faulty cursor."""
    if not call.values["cursor"]:
        return None
    try:
        return read_position(call.values["cursor"], call.city.id)
    except ValueError:
        raise Invalid(tell("is not a cursor of this outbox; start again without it."), "cursor") from None


def _address(call: Call, query: dict[str, str]) -> str:
    return f"{call.own_address()}{BASE}/outbox?{urlencode(query)}"
