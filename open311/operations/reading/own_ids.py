"""Add a partner's own ids to what this partner reads. Nobody else sees them (decision 0030)."""

from __future__ import annotations

import re
from hashlib import blake2b
from html import unescape

import orjson

from open311.domain.access import Principal
from open311.formats import JSON, Format
from open311.formats.documents import with_fields
from open311.formats.markup import element, escaped
from open311.operations.platform import Platform
from open311.storage import external_ids
from open311.storage.hot.items import Items

NAME = "service_request_id_ext"
_ID = re.compile(rb"<service_request_id>([^<]*)</service_request_id>")
_END = "</extended_attributes>"


def with_own_ids(
    platform: Platform, jurisdiction_id: str, items: Items, output: Format, partner: Principal | None
) -> Items:
    """The items, with the partner's own ids at the end of extended_attributes; they have another digest then."""
    if partner is None or not items.extras:
        return items
    ids = [_id_in(body, output) for body in items.bodies]
    with platform.database.reading() as connection:
        own = external_ids.of_shown(connection, jurisdiction_id, str(partner), ids)
    if not own:
        return items
    extras = [
        [_added(extra[0], own[name], output), *extra[1:]] if name in own else extra
        for name, extra in zip(ids, items.extras, strict=True)
    ]
    mark = blake2b(orjson.dumps([own.get(name) for name in ids]), digest_size=7).digest()
    return items._replace(extras=extras, digest=items.digest ^ int.from_bytes(mark))


def _id_in(body: bytes, output: Format) -> str:
    """The service_request_id of a rendered item."""
    if output is JSON:
        return str(orjson.loads(body)["service_request_id"])
    found = _ID.search(body)
    return unescape(found[1].decode()) if found else ""


def _added(fragment: str, own_id: str, output: Format) -> str:
    """The rendered extended_attributes with the partner's own id as their last member."""
    if output is JSON:
        return with_fields(fragment.encode(), orjson.dumps({NAME: own_id})[1:-1]).decode()
    return fragment.removesuffix(_END) + element(NAME, escaped(own_id)) + _END
