"""Photos are erased with their files."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from open311.domain.photos import Photo
from open311.storage import media
from open311.storage.engine import Connection


def erase_photos(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """Delete the rows of all photos of a request. `files.delete_files` deletes their files after the commit."""
    photos = media.load_all(connection, jurisdiction_id, number)
    media.delete_photos(connection, photos)
    return photos


def erase_photos_of_updates(
    connection: Connection, jurisdiction_id: str, number: int, versions: Collection[int]
) -> list[Photo]:
    """Delete the rows of the photos that updates of a request brought, also as they were before the blackening.

    versions  the versions of the request after these updates
    """
    photos = _of_updates(connection, jurisdiction_id, number, versions)
    media.delete_photos(connection, photos)
    return photos


def erase_originals(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """Keep no original of a request's prepared photos: its metadata may tell who took it. Returns these photos."""
    return _without_originals(connection, media.load_all(connection, jurisdiction_id, number))


def erase_originals_of_updates(
    connection: Connection, jurisdiction_id: str, number: int, versions: Collection[int]
) -> list[Photo]:
    """Keep no original of the prepared photos that updates of a request brought. Returns these photos."""
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
