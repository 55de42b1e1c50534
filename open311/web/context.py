"""What views reach for: the platform of the running app, the format and jurisdiction of the call."""

from __future__ import annotations

import re
from typing import cast

from flask import current_app, request

from open311.formats import JSON, XML, Format
from open311.formats.writing import Feed
from open311.operations.platform import Platform

EXTENSION = "open311"
_SUFFIX = re.compile(r"\.(json|xml)$", re.IGNORECASE)
_FEED = re.compile(r"/open311/(?:v2|bulk/v1)/(?:requests|areas|jurisdictions)\.(geojson|csv|atom|ndjson)")
_DUMPS = re.compile(r"/open311/v2/dumps[./].*", re.DOTALL)


def platform() -> Platform:
    """The platform of the running app."""
    return cast("Platform", current_app.extensions[EXTENSION])


def own_address() -> str:
    """The address of this server as clients see it, without a slash at its end (A47)."""
    return (platform().settings.public_url or f"{request.scheme}://{request.host}{request.root_path}").rstrip("/")


def output_format(suffix: str | None = None) -> Format:
    """The format to answer in: the suffix if there is one, else Accept, else XML (A45)."""
    if suffix is None:
        feed = _FEED.fullmatch(request.path)
        if feed:
            return Feed(feed[1]).error_format
        match = _SUFFIX.search(request.path)
        suffix = match[1].lower() if match else ""
    if suffix:
        return Format(suffix)
    types = ["text/xml", "application/xml", "application/json"]
    best = request.accept_mimetypes.best_match(types, default="text/xml")
    return JSON if best == "application/json" else XML


def is_dump(path: str) -> bool:
    """Whether a path is that of a daily dump, whose errors are problems rather than the standard's lists."""
    return bool(_DUMPS.fullmatch(path))


def is_georeport(path: str) -> bool:
    """Whether a path speaks GeoReport, errors included."""
    return path.startswith("/open311/")
