"""The base class and the field types of all bodies.

A schema is the contract of one body. Its fields are in the order of the wire (A42), `xml_root` and `xml_item` name
its XML elements, and each field has a description for the API page. A field's class alone decides how JSON and XML
show the value, so both formats always carry the same data.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from marshmallow import Schema, fields


class Body(Schema):
    """A body, or an item of a body.

    xml_root   the root element of the document; for a list, it contains all items
    xml_item   the element of one item of a list; "" for a body that is one object
    sometimes  the fields that some bodies lack. Fields of OMITTED_EMPTY need not be named
    """

    xml_root: ClassVar[str] = ""
    xml_item: ClassVar[str] = ""
    sometimes: ClassVar[tuple[str, ...]] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Mark each field that every body has as required. OpenAPI passes this on to generators of clients."""
        field_obj.required = not isinstance(field_obj, OMITTED_EMPTY) and field_name not in self.sometimes


class Text(fields.String):
    """Text that is "" and never null if it is empty, as in service lists and definitions (A39)."""


class OptionalText(fields.String):
    """Text that is null in JSON and an empty element in XML if it is empty, as in requests (A39)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)


class TextIfAny(fields.String):
    """Text that is left out if it is empty. The id and the token of a receipt are such texts (A02, A12)."""


class CountIfAny(fields.Integer):
    """A number that is left out if it is zero."""


class Degrees(fields.Float):
    """Decimal degrees with at most 9 decimal places, or null (A38)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)


class Share(fields.Float):
    """A number from 0 to 1, or null if there is nothing to take a share of."""

    def __init__(self, *, metadata: dict[str, Any]) -> None:
        super().__init__(allow_none=True, metadata=metadata | {"minimum": 0, "maximum": 1})


class Ratio(fields.Float):
    """A number from 0 that may be above 1, or null if there is nothing to divide by."""

    def __init__(self, *, metadata: dict[str, Any]) -> None:
        super().__init__(allow_none=True, metadata=metadata | {"minimum": 0})


class Instant(fields.String):
    """A W3C datetime in UTC and whole seconds, or null (A27)."""

    def __init__(self, *, metadata: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(allow_none=True, metadata=metadata | {"format": "date-time"}, **kwargs)


class Items(fields.List[Any]):
    """A list of texts. `xml_item` names the XML element of each text."""

    def __init__(self, cls_or_instance: Any, *, xml_item: str, **kwargs: Any) -> None:
        super().__init__(cls_or_instance, **kwargs)
        self.xml_item = xml_item


@cache
def _named(name: str) -> type[Schema]:
    """The schema of an object with one text. OpenAPI needs the same class for the same name."""
    title = name.title().replace("_", "")
    return Schema.from_dict(
        {name: fields.String(required=True, metadata=describe("The name."))}, name=f"{title}Schema"
    )


class Named(fields.List[Any]):
    """A list of texts. In JSON, each is an object with one member; in XML, an element. Both are called `name`.

    Inquiry v1 shows categories and features in this way.
    """

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(fields.Nested(_named(name)), **kwargs)
        self.xml_item = name


class XmlAttribute(fields.String):
    """Text that is an attribute of the item's element in XML. It must be free of quotes."""


_GEOJSON = {
    "type": "object",
    "required": ["type", "coordinates"],
    "properties": {
        "type": {"type": "string", "enum": ["Polygon", "MultiPolygon"]},
        "coordinates": {"type": "array", "items": {}},
    },
}


class Geometry(fields.Raw):
    """A geometry: GeoJSON in JSON, well-known text (WKT) in XML; (long, lat) in degrees, WGS 84."""

    def __init__(self, *, metadata: dict[str, Any]) -> None:
        super().__init__(allow_none=True, metadata=metadata | _GEOJSON)


class ListIfAny(fields.List[Any]):
    """A list of bodies that is left out if it is empty (A52)."""


OMITTED_EMPTY = (TextIfAny, CountIfAny, ListIfAny)
"""The classes of fields that are left out if they are empty."""


def describe(text: str, example: Any = None) -> dict[str, Any]:
    """A field's metadata for the API page: its meaning and an example."""
    metadata: dict[str, Any] = {"description": text}
    if example is not None:
        metadata["example"] = example
    return metadata
