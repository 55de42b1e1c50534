"""The files of photos in the media store.

A city's files have keys such as `CITY/ab/HASH/original` and `CITY/ab/HASH/small.jpg`, where HASH is that of the
original. Photos with the same content share the files. A row of the table `media` claims the files of its content:
it is written before they are, and they are deleted only when no row claims them any more. Claims and deletions of
one content take turns, so that no file is deleted that another call has just claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from open311.domain.photos import Photo
from open311.media.stores import MediaStore, StoreUnavailable, open_store
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage import media
from open311.storage.engine import Connection

ORIGINAL, LARGEST = "original", "large"
JPEG = "image/jpeg"
CHECK_EVERY_S = 10
_KEY = re.compile(rf".+/(?P<content>[0-9a-f]{{64}})/(?:{ORIGINAL}|[a-z]+\.jpg)")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]|^\.")
"""What a key of the media store cannot have. Each byte becomes `_` and two digits, and so does `_` itself."""


def store_of(platform: Platform) -> MediaStore:
    """The media store of a server. It is opened when the first photo needs it."""
    return platform.process.cached(_open)(platform.settings)


def is_store_working(platform: Platform, now: datetime) -> bool:
    """Whether the media store works. Each process asks it at most once in `CHECK_EVERY_S` seconds."""
    return platform.process.cached(_is_working, most=2)(platform, int(now.timestamp()) // CHECK_EVERY_S)


def _is_working(platform: Platform, period: int) -> bool:  # noqa: ARG001  # the cache forgets by the period
    try:
        store_of(platform).check()
    except StoreUnavailable:
        return False
    return True


def _open(settings: Settings) -> MediaStore:
    return open_store(settings)


def folder_of(jurisdiction_id: str) -> str:
    """The beginning of the keys of a city's files. Different cities have different ones."""
    return _UNSAFE.sub(lambda match: "".join(f"_{byte:02X}" for byte in match[0].encode()), jurisdiction_id)


def prefix_of(jurisdiction_id: str, content_hash: bytes) -> str:
    """The beginning of the keys of all files with one content."""
    digits = content_hash.hex()
    return f"{folder_of(jurisdiction_id)}/{digits[:2]}/{digits}/"


def content_of(key: str) -> bytes | None:
    """The hash in the key of a file; None for a file that a killed process has not finished."""
    match = _KEY.fullmatch(key)
    return bytes.fromhex(match["content"]) if match else None


def original_key(photo: Photo) -> str:
    """The key of the file that was sent."""
    return prefix_of(photo.jurisdiction_id, photo.content_hash) + ORIGINAL


def rendition_key(photo: Photo, size: str) -> str:
    """The key of one size of a prepared photo."""
    return prefix_of(photo.jurisdiction_id, photo.content_hash) + file_name(size)


def file_name(size: str) -> str:
    """The last part of the key of one size of a prepared photo."""
    return f"{size}.jpg"


def claim(connection: Connection, photos: Sequence[Photo]) -> None:
    """Store photos that arrive. Their files can be stored when the transaction has committed."""
    for photo in sorted(photos, key=lambda one: one.content_hash):  # the same order for all, so no deadlock
        media.lock_content(connection, photo.jurisdiction_id, photo.content_hash)
    media.add(connection, photos)


def delete_files(platform: Platform, photos: Iterable[Photo], now: datetime) -> None:
    """Delete those files of photos that no photo needs any more.

    Call it after the commit that has deleted the rows, or that has changed what they need. The sweep deletes what
    cannot be deleted now.
    """
    for photo in photos:
        with suppress(StoreUnavailable), platform.database.transaction() as connection:
            store = store_of(platform)
            for stored in list(store.keys(prefix_of(photo.jurisdiction_id, photo.content_hash))):
                if not is_needed(connection, photo.jurisdiction_id, stored.key, now):
                    store.delete(stored.key)


def is_needed(connection: Connection, jurisdiction_id: str, key: str, now: datetime) -> bool:
    """Whether a photo needs a file. Nobody else can claim or delete its content until the transaction ends.

    An original is needed until the photo is prepared, and while it is kept for staff.
    """
    content = content_of(key)
    if content is None:
        return False
    media.lock_content(connection, jurisdiction_id, content)
    needs = media.claims_among(connection, jurisdiction_id, [content], now).get(content)
    return needs is not None and (needs or not key.endswith(f"/{ORIGINAL}"))
