"""The formats of a list of requests other than JSON and XML, by their suffix."""

from __future__ import annotations

from enum import StrEnum

from open311.formats.documents import JSON, XML, Format


class Feed(StrEnum):
    """An extension of ours: the same list in another form."""

    GEOJSON = "geojson"
    CSV = "csv"
    ATOM = "atom"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        """Content-Type; those of RFC 7946 and NDJSON are UTF-8 by definition."""
        return _MEDIA_TYPES[self]

    @property
    def error_format(self) -> Format:
        """The format of its errors, which are the standard's: XML for readers of Atom, JSON for all others."""
        return XML if self is Feed.ATOM else JSON


_MEDIA_TYPES = {
    Feed.GEOJSON: "application/geo+json",
    Feed.CSV: "text/csv; charset=utf-8; header=present",
    Feed.ATOM: "application/atom+xml; charset=utf-8",
    Feed.NDJSON: "application/x-ndjson",
}
