"""Photos that checks send, and how they wait until a server shows them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from spec.conformance.answers import Answer, Record, UnmetNeedError, text_of
from spec.conformance.multipart import PIXEL, Part, multipart
from spec.conformance.probe import Probe, segment

PREPARING_S = (0.0, 0.5, 1.0, 2.0)
"""The pauses before the calls for the photo of a new request."""


def photo(name: str, content: bytes = PIXEL) -> Part:
    """A part of a body with a picture."""
    return name, "photo.png", "image/png", content


def post_photos(probe: Probe, *photos: Part, headers: Mapping[str, str] | None = None, **fields: str) -> Answer:
    """POST a request with photos. `fields` replace or add values of its form."""
    return probe.post_body(*multipart(probe.form(**fields), photos), headers=headers)


def picture(colour: int, *, text: bytes = b"", is_turned: bool = False) -> bytes:
    """A picture in PNG, two pixels wide and one high, in a shade of grey from 0 to 255.

    text       a comment in its metadata
    is_turned  whether its metadata say that it must be shown turned, so that it is one pixel wide and two high
    """
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0))]
    if text:
        chunks.append((b"tEXt", b"Comment\0" + text))
    if is_turned:
        orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
        chunks.append((b"eXIf", b"MM\0*" + struct.pack(">IH", 8, 1) + orientation + struct.pack(">I", 0)))
    chunks += [(b"IDAT", zlib.compress(bytes([0, colour, colour]))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG; None if the bytes are no JPEG."""
    place = 2
    while content[:2] == b"\xff\xd8" and content[place : place + 1] == b"\xff" and len(content) >= place + 9:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xC3:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return None


def media_offered(probe: Probe, *, shown: object) -> None:
    """Raise UnmetNeedError if photos need not be offered and none is shown."""
    if "media" not in probe.prepared.offered and not shown:
        raise UnmetNeedError("not offered: photos in multipart bodies")


def media_urls(probe: Probe, receipt: Record) -> list[str]:
    """The addresses of all photos that a new request shows now."""
    request_id = segment(text_of(receipt, "service_request_id"))
    answer = probe.get(f"requests/{request_id}.json", [("extensions", "true")], fresh=True).must_be(200)
    extended = answer.json()[0].get("extended_attributes")
    answer.must(
        isinstance(extended, dict) and "media_urls" in extended, "media_urls in extended_attributes", extended
    )
    return list(extended["media_urls"])


def shown_photo(probe: Probe, receipt: Record) -> object:
    """The media_url of a new request. Some servers show it only after they have prepared the photo."""
    for pause_s in PREPARING_S:
        probe.client.pause(pause_s)
        if shown := probe.read_back(receipt).get("media_url"):
            return shown
    return None
