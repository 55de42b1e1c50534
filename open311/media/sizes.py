"""Reads the number of pixels from the first bytes of a picture.

Nothing is decoded: fixed places are read, and in a JPEG the lengths of some blocks are followed. So this may run in
a thread of the server. A picture with a false number harms only itself: the operation that accepts sent photos
refuses it, or later the child does.
"""

from __future__ import annotations

from open311.media.kinds import PhotoKind

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""The markers of those blocks of a JPEG that have the size of the picture (SOF0 to SOF15)."""
_MOST_BLOCKS = 1_000


def pixels_of(kind: PhotoKind, data: bytes) -> int:
    """How many pixels a picture has, as it says itself; 0 if that is not known without reading more."""
    if kind is PhotoKind.PNG:
        return _number(data, 16, 4) * _number(data, 20, 4)
    if kind is PhotoKind.JPEG:
        return _pixels_of_jpeg(data)
    return _pixels_of_webp(data) if kind is PhotoKind.WEBP else 0


def _pixels_of_jpeg(data: bytes) -> int:
    place = 2
    for _ in range(_MOST_BLOCKS):
        marker = data[place : place + 2]
        if marker[:1] != b"\xff" or len(marker) < 2:
            return 0
        if marker[1] in _FRAMES:
            return _number(data, place + 5, 2) * _number(data, place + 7, 2)
        is_fill = marker[1] == 0xFF
        place += 1 if is_fill else 2 + max(2, _number(data, place + 2, 2))
    return 0


def _pixels_of_webp(data: bytes) -> int:
    block = data[12:16]
    if block == b"VP8X":
        return (_little(data, 24, 3) + 1) * (_little(data, 27, 3) + 1)
    if block == b"VP8L":
        sides = _little(data, 21, 4)
        return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
    if block == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return (_little(data, 26, 2) & 0x3FFF) * (_little(data, 28, 2) & 0x3FFF)
    return 0


def _number(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "big")


def _little(data: bytes, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "little")
