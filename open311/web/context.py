"""What views reach for: the call that is being served, and the platform that serves it.

Flask has a request of its own, for views that read a body or need its app. Those that only read the database are
also called before Flask (see quick.py), where there is none.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.local import LocalProxy
from werkzeug.wrappers import Request

from open311.formats import JSON, XML, Format
from open311.formats.writing import Feed
from open311.operations.platform import Platform

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_SUFFIX = re.compile(r"\.(json|xml)$", re.IGNORECASE)
_FEED = re.compile(r"/open311/(?:v2|bulk/v1)/(?:requests|areas|jurisdictions)\.(geojson|csv|atom|ndjson)")
_DUMPS = re.compile(r"/open311/v2/dumps[./].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """One call and what serves it."""

    request: Request
    platform: Platform


_call: ContextVar[Call] = ContextVar("call")
request: Request = LocalProxy(_call, "request")  # type: ignore[assignment]  # behaves as one


def begin(environ: WSGIEnvironment, platform: Platform) -> None:
    """Make this the call that is being served."""
    _call.set(Call(Request(environ, populate_request=False), platform))


def platform() -> Platform:
    """The platform that serves this call."""
    return _call.get().platform


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
