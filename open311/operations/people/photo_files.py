"""The files of the photos of an export, so that a person gets the photos too."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from open311.domain.photos import Photo, PhotoState
from open311.media.stores import StoreUnavailable
from open311.operations.media.files import LARGEST, original_key
from open311.operations.media.showing import read_file, rendition_file
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import media


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of a photo. `data` is None if the store does not have the file, or does not work."""

    name: str
    data: bytes | None


def read_photo_files(
    platform: Platform, city: Jurisdiction, number: int, ids: Collection[str], now: datetime
) -> Iterator[ExportedFile]:
    """The files of photos of a request: the largest size, and the original as long as it is kept."""
    with platform.database.reading() as connection:
        photos = [photo for photo in media.load_all(connection, city.id, number) if photo.id in ids]
    for photo in photos:
        if photo.renditions:
            yield _largest(platform, photo)
        if photo.state is PhotoState.WAITING or (photo.original_until and photo.original_until > now):
            yield _original(platform, photo)


def _largest(platform: Platform, photo: Photo) -> ExportedFile:
    try:
        file = rendition_file(platform, photo, LARGEST)
    except StoreUnavailable:
        return ExportedFile(f"{photo.id}.jpg", None)
    return ExportedFile(file.name, file.data)


def _original(platform: Platform, photo: Photo) -> ExportedFile:
    name = f"{photo.id}-original.{photo.media_type.rpartition('/')[2]}"
    try:
        return ExportedFile(name, read_file(platform, original_key(photo), photo.id))
    except StoreUnavailable:
        return ExportedFile(name, None)
