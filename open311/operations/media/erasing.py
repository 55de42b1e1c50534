"""Photos are erased with their files."""

from __future__ import annotations

from open311.domain.photos import Photo
from open311.storage import media
from open311.storage.engine import Connection


def erase_photos(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """Delete the rows of all photos of a request. `files.delete_files` deletes their files after the commit."""
    photos = media.load_all(connection, jurisdiction_id, number)
    media.delete_photos(connection, photos)
    return photos


def erase_originals(connection: Connection, jurisdiction_id: str, number: int) -> list[Photo]:
    """Keep no original of a request's prepared photos: its metadata may tell who took it. Returns these photos."""
    photos = [one for one in media.load_all(connection, jurisdiction_id, number) if one.original_until]
    for photo in photos:
        media.forget_original(connection, photo)
    return photos
