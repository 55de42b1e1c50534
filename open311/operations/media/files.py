"""The files of photos in the media store.

A city's files have keys such as `CITY/ab/HASH/original` and `CITY/ab/HASH/small.jpg`, where HASH is the hash of the
original. Photos with the same content share the files. A row of the table `media` claims the files of its content:
the row is written before the files, and the files are deleted only when no row claims them any more. Claims and
deletions of one content take turns, so that no call deletes a file that another call has just claimed.

The file `_store` has the marker of the database whose photos are in the store. The marker is compared before a
photo that was sent is stored or prepared, and before files are deleted. So the server notices a folder that is
empty because a disk is not mounted, and a folder of another server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from open311.domain.photos import Photo, new_id
from open311.errors import NotFound, Unavailable
from open311.media.stores import (
    MARKER,
    MediaStore,
    StoreFull,
    StoreUnavailable,
    WrongStore,
    open_store,
    unavailable,
)
from open311.observe import logger
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage import media, media_files
from open311.storage.engine import Connection

log = logger(__name__)

ORIGINAL, LARGEST = "original", "large"
JPEG = "image/jpeg"
CHECK_EVERY_S = 10
_KEY = re.compile(rf".+/(?P<content>[0-9a-f]{{64}})/(?:{ORIGINAL}|[a-z]+\.jpg)")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]|^\.")
"""The characters that a city's folder cannot have in its name, such as `_` and a dot at the beginning.

Each of their bytes becomes `_` and two hexadecimal digits.
"""


def store_of(platform: Platform) -> MediaStore:
    """The media store of a server. It is opened when the first photo needs it.

    This does not look for the marker: call `own_store` before the first file is written, listed or deleted.
    """
    return platform.process.cached(_open)(platform.settings)


def own_store(platform: Platform, now: datetime) -> MediaStore:
    """The media store, to write, list and delete files in. At its first use, it gets the marker of the database.

    Raises StoreUnavailable, which is WrongStore for the store of another database, or an empty folder.
    """
    store = store_of(platform)
    with platform.database.reading() as connection:
        known = media_files.find_store(connection)
    if known is None or known.marked_at is None:
        _mark(platform, store, now)
    else:
        _require_marker(store, known.marker)
    return store


def _mark(platform: Platform, store: MediaStore, now: datetime) -> None:
    """Write the marker. The database gets it first, so a process that is killed here leaves no unknown marker."""
    with platform.database.transaction() as connection:
        media_files.add_store(connection, new_id())
        known = media_files.find_store(connection)
    assert known is not None
    if _marker_in(store) is None:
        store.put(MARKER, known.marker.encode(), "text/plain")
    _require_marker(store, known.marker)
    with platform.database.transaction() as connection:
        media_files.set_marked(connection, now)


def _require_marker(store: MediaStore, marker: str) -> None:
    found = _marker_in(store)
    if found is None:
        raise unavailable("OPEN311_MEDIA has no file _store, so it is not where the photos are", WrongStore)
    if found != marker:
        raise unavailable("OPEN311_MEDIA has the photos of another database", WrongStore)


def _marker_in(store: MediaStore) -> str | None:
    try:
        return store.get(MARKER).decode(errors="replace").strip()
    except NotFound:
        return None


def adopt_store(platform: Platform, now: datetime) -> None:
    """Make a store without a marker the store of this database. Files of photos may be missing in it.

    Raises WrongStore for the store of another database, and StoreUnavailable.
    """
    _mark(platform, store_of(platform), now)


def store_fault(platform: Platform, now: datetime) -> str:
    """Why photos cannot be stored, for the public; "" if they can. A store that was never used has no fault.

    Each process asks the store at most once in `CHECK_EVERY_S` seconds.
    """
    return platform.process.cached(_fault, most=2)(platform, int(now.timestamp()) // CHECK_EVERY_S)


def is_own_store(platform: Platform, marker: str) -> bool:
    """Whether the media store has the marker of the database. This writes nothing. Raises StoreUnavailable."""
    return _marker_in(store_of(platform)) == marker


def log_store_fault(platform: Platform, now: datetime) -> None:
    """When a process starts, log if photos cannot be stored. Calls without photos are served."""
    if fault := store_fault(platform, now):
        log.error("photos cannot be stored", why=fault)


def _fault(platform: Platform, period: int) -> str:  # noqa: ARG001  # a new period is a new key of the cache
    try:
        store_of(platform).check()
        with platform.database.reading() as connection:
            known = media_files.find_store(connection)
        if known is not None and known.marked_at is not None:
            _require_marker(store_of(platform), known.marker)
    except WrongStore:
        return "OPEN311_MEDIA is not where the photos of this database are; see `open311 media --help`"
    except StoreFull:
        return "there is no room for another photo; free space where OPEN311_MEDIA is"
    except StoreUnavailable:
        return "photos cannot be stored; see OPEN311_MEDIA and the server's log"
    except Unavailable:  # the check of the database reports this
        return ""
    return ""


def _open(settings: Settings) -> MediaStore:
    return open_store(settings)


def folder_of(jurisdiction_id: str) -> str:
    """The first part of the keys of a city's files. No two cities have the same."""
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
    """Store the rows of photos that arrive. Their files can be stored after the commit."""
    for photo in sorted(photos, key=lambda one: one.content_hash):  # the same order for all, so no deadlock
        media.lock_content(connection, photo.jurisdiction_id, photo.content_hash)
    media.add(connection, photos)


def delete_files(platform: Platform, photos: Iterable[Photo], now: datetime) -> None:
    """Delete those files of photos that no photo needs any more.

    Call it after the commit that has deleted the rows, or that has changed what they need. The sweep deletes what
    cannot be deleted now. For an erasure, which must be complete, see `erasing.defer_deletion`.
    """
    with suppress(StoreUnavailable):
        store = own_store(platform, now)
        for photo in photos:
            with platform.database.transaction() as connection:
                delete_content(connection, store, photo.jurisdiction_id, photo.content_hash, now)


def delete_content(
    connection: Connection, store: MediaStore, jurisdiction_id: str, content_hash: bytes, now: datetime
) -> None:
    """Delete those files of a content that no photo needs any more. Raises StoreUnavailable."""
    for stored in list(store.keys(prefix_of(jurisdiction_id, content_hash))):
        if not is_needed(connection, jurisdiction_id, stored.key, now):
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
