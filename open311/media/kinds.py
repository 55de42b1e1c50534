"""The kinds of picture that the server accepts. The first bytes of a file decide, not its name or declared type."""

from __future__ import annotations

from enum import Enum
from functools import cache
from importlib.util import find_spec

HEAD_BYTES = 64
"""How many bytes `sniff` needs at most."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
_CONTAINER_BRANDS = frozenset({b"mif1", b"msf1"})


class PhotoKind(Enum):
    """A kind of picture: its name, its media type, and the suffix of its files."""

    JPEG = ("jpeg", "image/jpeg", ".jpg")
    PNG = ("png", "image/png", ".png")
    WEBP = ("webp", "image/webp", ".webp")
    HEIC = ("heic", "image/heic", ".heic")

    def __init__(self, word: str, media_type: str, suffix: str) -> None:
        self.word = word
        self.media_type = media_type
        self.suffix = suffix


def sniff(head: bytes) -> PhotoKind | None:
    """The kind of the file that begins with these bytes.

    None for all other kinds, such as GIF and SVG, and for HEIC without the extra `heic`.
    """
    kind = _kind_of(head)
    return kind if kind in readable_kinds() else None


@cache
def readable_kinds() -> tuple[PhotoKind, ...]:
    """The kinds that this installation can read. HEIC needs the extra `heic`."""
    without_heic = (PhotoKind.JPEG, PhotoKind.PNG, PhotoKind.WEBP)
    return (*without_heic, PhotoKind.HEIC) if find_spec("pillow_heif") else without_heic


def _kind_of(head: bytes) -> PhotoKind | None:
    if head.startswith(b"\xff\xd8\xff"):
        return PhotoKind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PhotoKind.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return PhotoKind.WEBP
    return PhotoKind.HEIC if head[4:8] == b"ftyp" and _is_heic(head) else None


def _is_heic(head: bytes) -> bool:
    """Whether the brands of an ISO container name HEVC. AVIF has the same container, but not this brand."""
    end = min(int.from_bytes(head[:4], "big"), HEAD_BYTES)
    major, compatible = head[8:12], {head[start : start + 4] for start in range(16, end, 4)}
    return major in _HEIC_BRANDS or (major in _CONTAINER_BRANDS and bool(compatible & _HEIC_BRANDS))
