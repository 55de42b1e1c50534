"""The formats that the standard lacks for a list of requests."""

from __future__ import annotations

from enum import StrEnum

from open311.formats.documents import JSON, XML, Format


class Feed(StrEnum):
    """A format for the list of requests, named by the suffix of the path."""

    GEOJSON = "geojson"
    CSV = "csv"
    ATOM = "atom"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        """The value of Content-Type. GeoJSON and NDJSON need no charset, because they are always UTF-8."""
        return _MEDIA_TYPES[self]

    @property
    def error_format(self) -> Format:
        """The format of error answers: XML for Atom, JSON for the others.

        The body is the standard's list of errors.
        """
        return XML if self is Feed.ATOM else JSON


_MEDIA_TYPES = {
    Feed.GEOJSON: "application/geo+json",
    Feed.CSV: "text/csv; charset=utf-8; header=present",
    Feed.ATOM: "application/atom+xml; charset=utf-8",
    Feed.NDJSON: "application/x-ndjson",
}
