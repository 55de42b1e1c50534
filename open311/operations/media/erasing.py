"""Photos are erased with their files.

The transaction that erases the rows also stores which files must be deleted. The worker tries until all of them are
deleted: an erasure must not end halfway because the store is down, or because a command in a shell does not know
where the store is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from open311.domain.events import SYSTEM
from open311.domain.photos import Photo
from open311.media.stores import StoreUnavailable
from open311.operations.media.files import delete_content, own_store
from open311.operations.platform import Platform
from open311.storage import audit, media, media_files
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from open311.storage.queue import Task

FILES_ERASED = "reporter.erase.files"
"""The act in the audit trail when the files of all photos of a person are deleted."""


class NotDeleted(Exception):
    """Files cannot be deleted now. Unavailable would mean that the database is gone, and end the worker."""


def defer_deletion(
    platform: Platform, connection: Connection, photos: Collection[Photo], now: datetime, *, erasure: str = ""
) -> int:
    """Let the worker delete the files of erased photos when the transaction has committed.

    erasure  the id of the erasure of a person: the audit trail gets an entry when no file is left
    Returns how many photos have files to delete. The same photo sent twice counts once. A file that another photo
    needs stays.
    """
    count = 0
    for city in {photo.jurisdiction_id for photo in photos}:
        contents = {photo.content_hash for photo in photos if photo.jurisdiction_id == city}
        count += media_files.ask_deletion(connection, city, contents, erasure=erasure, now=now)
        lock = f"{Task.DELETE_PHOTOS}:{city}"
        platform.queue.defer_once(connection, Task.DELETE_PHOTOS, lock, jurisdiction_id=city)
    return count


def delete_erased(platform: Platform, jurisdiction_id: str, now: datetime) -> int:
    """Delete the files of erased photos of a city. Returns how many photos these were; equal ones count once.

    Each photo has its own transaction, so a killed run can be repeated. Raises NotDeleted if the store fails; the
    job is then tried again.
    """
    count = 0
    try:
        while _delete_next(platform, jurisdiction_id, now):
            count += 1
    except StoreUnavailable as error:
        raise NotDeleted(str(error)) from error
    return count


def _delete_next(platform: Platform, jurisdiction_id: str, now: datetime) -> bool:
    with platform.database.reading() as connection:
        if not media_files.are_deletions_left(connection, jurisdiction_id):
            return False
    store = own_store(platform, now)
    with platform.database.transaction() as connection:
        content = media_files.next_deletion(connection, jurisdiction_id)
        if content is None:
            return False
        delete_content(connection, store, jurisdiction_id, content, now)
        for erasure in media_files.end_deletion(connection, jurisdiction_id, content):
            entry = Entry(
                jurisdiction_id=jurisdiction_id,
                at=now,
                actor=SYSTEM,
                act=FILES_ERASED,
                subject=erasure,
                reason="No file of these photos is left in the media store.",
            )
            audit.add_entry(connection, entry)
    return True


def erase_photos(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """Delete the rows of all photos of a request. Then call `defer_deletion` for their files."""
    photos = media.load_all(connection, jurisdiction_id, number)
    media.delete_photos(connection, photos)
    return photos


def erase_photos_of_updates(
    connection: Connection, jurisdiction_id: str, number: int, versions: Collection[int]
) -> list[Photo]:
    """Delete the rows of the photos that updates of a request brought, also of those that were blackened later.

    versions  for each update, the version of the request after it
    """
    photos = _of_updates(connection, jurisdiction_id, number, versions)
    media.delete_photos(connection, photos)
    return photos


def erase_originals(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """Stop keeping the originals of a request's photos. Returns the photos that had one.

    The metadata of an original may tell who took the photo. Then call `defer_deletion` for the files.
    """
    return _without_originals(connection, media.load_all(connection, jurisdiction_id, number))


def erase_originals_of_updates(
    connection: Connection, jurisdiction_id: str, number: int, versions: Collection[int]
) -> list[Photo]:
    """The same as `erase_originals` for the photos that updates of a request brought."""
    return _without_originals(connection, _of_updates(connection, jurisdiction_id, number, versions))


def _of_updates(
    connection: Connection, jurisdiction_id: str, number: int, versions: Collection[int]
) -> list[Photo]:
    return [one for one in media.load_all(connection, jurisdiction_id, number) if one.version in versions]


def _without_originals(connection: Connection, photos: Iterable[Photo]) -> list[Photo]:
    kept = [one for one in photos if one.original_until]
    for photo in kept:
        media.forget_original(connection, photo)
    return kept
