"""Photos that checks send, and how they wait until a server shows them."""

from __future__ import annotations

from spec.conformance.answers import Answer, Record, UnmetNeedError
from spec.conformance.multipart import PIXEL, Part, multipart
from spec.conformance.probe import Probe

_PREPARING_S = (0.0, 0.5, 1.0, 2.0)
"""The pauses before the calls for the photo of a new request."""


def photo(name: str, content: bytes = PIXEL) -> Part:
    """A part of a body with a picture."""
    return name, "photo.png", "image/png", content


def post_photos(probe: Probe, *photos: Part) -> Answer:
    """POST a request with photos."""
    return probe.post_body(*multipart(probe.form(), photos))


def media_offered(probe: Probe, *, shown: object) -> None:
    """Raise UnmetNeedError if photos need not be offered and none is shown."""
    if "media" not in probe.prepared.offered and not shown:
        raise UnmetNeedError("not offered: photos in multipart bodies")


def shown_photo(probe: Probe, receipt: Record) -> object:
    """The media_url of a new request. Some servers show it only after they have prepared the photo."""
    for pause_s in _PREPARING_S:
        probe.client.pause(pause_s)
        if shown := probe.read_back(receipt).get("media_url"):
            return shown
    return None
