"""Compression of bodies with zstd or gzip, whichever the client prefers, at level 1, which is fast."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Any

from isal import igzip, isal_zlib
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd

_LEVEL = 1
_GZIP_BITS = 31


class Coding(StrEnum):
    """A content coding, by its name in Content-Encoding."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"


@lru_cache(maxsize=256)
def wanted_coding(accepted: str) -> Coding:
    """The coding that a client prefers, by its Accept-Encoding.

    The result is zstd if the client names zstd and does not prefer gzip. "*" means gzip, because every client can
    read gzip.
    """
    if not accepted:
        return Coding.NONE
    liked = {name.lower(): quality for name, quality in parse_accept_header(accepted, Accept)}
    gzip, zstandard = liked.get("gzip", liked.get("*", 0)), liked.get("zstd", 0)
    if zstandard and zstandard >= gzip:
        return Coding.ZSTD
    return Coding.GZIP if gzip else Coding.NONE


def pack(body: bytes, coding: Coding) -> bytes:
    """A whole body, compressed."""
    if coding is Coding.ZSTD:
        return zstd.compress(body, _LEVEL)
    packed: bytes = igzip.compress(body, _LEVEL, mtime=0)
    return packed


def packed(chunks: Iterable[bytes], coding: Coding) -> Iterator[bytes]:
    """The compressed chunks of a body. The body is never in memory as a whole."""
    packer = _packer(coding)
    for chunk in chunks:
        piece = packer.compress(chunk)
        if piece:
            yield piece
    yield packer.flush()


def _packer(coding: Coding) -> Any:
    """A compressor with the methods `compress` and `flush`."""
    if coding is Coding.ZSTD:
        return zstd.ZstdCompressor(_LEVEL)
    return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP_BITS)
