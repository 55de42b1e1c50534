"""The public view of a request, rendered in JSON and XML when the request is written."""

from __future__ import annotations

from hashlib import blake2b

from open311.domain.requests import Extras, PublicRequest
from open311.domain.values import quick_dataclass
from open311.formats.documents import json_fragments, json_item
from open311.formats.markup import element
from open311.formats.shapes import shape_of
from open311.formats.writing.bulk import bulk_csv_line
from schemas.georeport import ExtrasSchema, ServiceRequestSchema

_REQUEST = shape_of(ServiceRequestSchema)
_EXTRAS = shape_of(ExtrasSchema)

RENDERER_VERSION = 1
"""Increment this when the bytes of a rendition change. Stored renditions of other versions are rendered again."""


@quick_dataclass(frozen=True, slots=True)
class Rendition:
    """A request as an item of a JSON list and of an XML list, with the extension fields that a caller can ask for.

    bulk_csv  the request's line in the CSV of GeoReport Bulk
    """

    json: str
    xml: str
    json_extras: tuple[str, ...] = ()
    xml_extras: tuple[str, ...] = ()
    bulk_csv: str = ""

    @property
    def digest(self) -> int:
        """A signed number of 64 bits that changes whenever a byte of the rendition changes."""
        parts = "\0".join((self.json, self.xml, *self.json_extras, *self.xml_extras, self.bulk_csv))
        return int.from_bytes(blake2b(parts.encode(), digest_size=8).digest(), "big", signed=True)


def render_request(request: PublicRequest, extras: Extras) -> Rendition:
    """Render a request in both formats, from the same plain data, so that the formats cannot differ.

    extras  extension fields. Each is rendered separately, because a caller chooses which are added to the item
    """
    content, markup = _REQUEST.parts(request)
    added, xml_extras = _EXTRAS.parts(extras)
    return Rendition(
        json_item(content),
        element(_REQUEST.item, "".join(markup)),
        json_fragments(added),
        xml_extras,
        bulk_csv_line(content, added.get("extended_attributes") or {}),
    )
