"""Reads and writes file formats. The schemas define the JSON and XML bodies. Flask and databases are not used."""

from open311.formats.documents import (
    JSON,
    XML,
    Format,
    document,
    join_items,
    json_item,
    with_fields,
    with_fragments,
    xml_item,
)
from open311.formats.rendition import RENDERER_VERSION, Rendition, render_request
from open311.formats.shapes import Shape, shape_of

__all__ = [
    "JSON",
    "RENDERER_VERSION",
    "XML",
    "Format",
    "Rendition",
    "Shape",
    "document",
    "join_items",
    "json_item",
    "render_request",
    "shape_of",
    "with_fields",
    "with_fragments",
    "xml_item",
]
