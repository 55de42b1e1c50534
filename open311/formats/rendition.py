"""What the public sees of one value, rendered once in both formats."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from open311.formats.documents import json_item, xml_item
from open311.formats.shapes import Shape

VERSION = 1
"""Grows when the bytes of a rendition change, so that stored ones are made anew."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One item as it stands inside a JSON list and inside an XML list."""

    json: str
    xml: str

    @property
    def digest(self) -> int:
        """64 bits, signed, that change whenever a byte of either does."""
        both = f"{self.json}\0{self.xml}".encode()
        return int.from_bytes(blake2b(both, digest_size=8).digest(), "big", signed=True)


def render(shape: Shape, value: Any) -> Rendition:
    """Both renditions of a value, from one set of plain data, so that they cannot differ."""
    content = shape.plain(value)
    return Rendition(json_item(content), xml_item(shape, content))
