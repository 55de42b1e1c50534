"""Photos that are shown: which ones may be seen, and their files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from open311.domain.photos import ID_CHARACTERS, Photo
from open311.errors import NotFound
from open311.media.stores import FileMissing
from open311.observe import logger
from open311.operations.media.files import JPEG, LARGEST, rendition_key, store_of
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import media
from schemas.texts import tell

log = logger(__name__)

_NAME = re.compile(rf"(?P<id>[\w-]{{{ID_CHARACTERS}}})(?:-(?P<size>[a-z]{{1,12}}))?\.jpg", re.ASCII)


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file that can be served.

    validator  changes when the file changes, and tells nothing about its content
    """

    name: str
    media_type: str
    validator: str
    data: bytes


def find_public_file(platform: Platform, city: Jurisdiction, name: str) -> PhotoFile:
    """The file that everybody can get under a name such as `ID.jpg` or `ID-small.jpg`.

    Only photos of requests that can be read now are found. This reads the tables of photos and publications.
    Raises NotFound if there is no such file for everybody, and StoreUnavailable if the store cannot give it.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise _missing(name)
    try:
        return rendition_file(platform, _shown(platform, city, match["id"], name), match["size"] or LARGEST)
    except FileMissing:
        _shown(platform, city, match["id"], name)  # it may have been erased meanwhile
        raise


def _shown(platform: Platform, city: Jurisdiction, id: str, name: str) -> Photo:
    """A photo that everybody may see. Raises NotFound."""
    with platform.database.reading() as connection:
        photo = media.find_shown(connection, city.id, id)
    if photo is None:
        raise _missing(name)
    return photo


def rendition_file(platform: Platform, photo: Photo, size: str) -> PhotoFile:
    """One size of a prepared photo.

    Raises NotFound if the photo has no such size or is not prepared, and StoreUnavailable if the store cannot give
    the file.
    """
    name = f"{photo.id}.jpg" if size == LARGEST else f"{photo.id}-{size}.jpg"
    if photo.prepared_at is None or all(one.size != size for one in photo.renditions):
        raise _missing(name)
    validator = f"{photo.id}-{size}-{int(photo.prepared_at.timestamp())}"
    return PhotoFile(name, JPEG, validator, read_file(platform, rendition_key(photo, size), name))


def read_file(platform: Platform, key: str, name: str) -> bytes:
    """A file of a photo that has one. Raises StoreUnavailable, which is FileMissing if the file is not there."""
    try:
        return store_of(platform).get(key)
    except NotFound:
        log.error("the file of a photo is missing", photo=name)
        fault = tell("The file of this photo is missing on the server, so it cannot be shown until it is put back.")
        raise FileMissing(fault) from None


def _missing(name: str) -> NotFound:
    return NotFound(tell("{name!r} is not a photo here.", name=name[:60]), "name")
