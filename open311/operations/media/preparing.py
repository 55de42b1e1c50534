"""Photos are prepared: turned upright, freed of all metadata, and encoded anew in several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from open311.domain.events import Event, PhotoCopied, PhotosShown
from open311.domain.photos import Photo, PhotoState, Rendition, address_of, mark_of
from open311.domain.requests import RequestRecord
from open311.domain.services import PhotoRule
from open311.errors import Misconfigured, NotFound, Unavailable
from open311.media.preparing import Limits, Prepared, Unreadable, prepare
from open311.media.stores import StoreUnavailable
from open311.observe import logger
from open311.operations.media.files import (
    JPEG,
    delete_files,
    original_key,
    own_store,
    rendition_key,
    store_of,
)
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests
from open311.plugins import Jurisdiction
from open311.storage import deliveries, media, requests, updates
from open311.storage.engine import Connection
from open311.storage.queue import Task

log = logger(__name__)

MEDIA_BASE = "/open311/v2/media"


class NotPrepared(Exception):
    """A photo cannot be copied or prepared now.

    The operations do not raise Unavailable for this. Unavailable would mean that the database is gone, and end the
    worker.
    """


def defer_preparing(platform: Platform, connection: Connection, jurisdiction_id: str, number: int) -> None:
    """Let the worker prepare the photos of a request when the transaction has committed."""
    lock = f"{Task.PREPARE_PHOTOS}:{jurisdiction_id}:{number}"
    arguments = {"jurisdiction_id": jurisdiction_id, "number": number}
    platform.queue.defer_once(connection, Task.PREPARE_PHOTOS, lock, **arguments)


def prepare_photos(platform: Platform, jurisdiction_id: str, number: int, now: datetime) -> int:
    """Prepare the waiting photos of a request, and show those that may be public. Returns how many are shown.

    No transaction is open while a photo is decoded. If the process is killed, the photos still wait, and preparing
    them again writes the same files.
    Raises Misconfigured if the city is not served at present, and NotPrepared if the store fails or files are
    missing in it. The job is then tried again.
    """
    city = platform.registry.get(jurisdiction_id)
    if city is None:
        raise Misconfigured(f"{jurisdiction_id} is not served; its photos wait until it is served again.")
    with platform.database.reading() as connection:
        waiting = [one for one in media.load_all(connection, city.id, number) if one.state is PhotoState.WAITING]
    if waiting:
        _require_store(platform, now)
    found = [(photo, _original(platform, photo)) for photo in waiting]
    done = [_prepared(platform, photo, original, now) for photo, original in found if original is not None]
    shown = _publish(platform, city, done, now) if done else 0
    delete_files(platform, done, now)  # the originals, and all files of photos that were erased meanwhile
    if len(done) < len(waiting):
        raise NotPrepared(f"{len(waiting) - len(done)} files are missing in the media store")
    return shown


def _require_store(platform: Platform, now: datetime) -> None:
    """Raise NotPrepared if the store is not the one of this database."""
    try:
        own_store(platform, now)
    except StoreUnavailable as error:
        raise NotPrepared(str(error)) from error


def _original(platform: Platform, photo: Photo) -> bytes | None:
    """The file that was sent; None if the store does not have it, for example because another folder is mounted."""
    try:
        return store_of(platform).get(original_key(photo))
    except NotFound:
        log.error("the file of a photo is missing", jurisdiction=photo.jurisdiction_id, photo=photo.id)
        return None
    except StoreUnavailable as error:
        raise NotPrepared(str(error)) from error


def _prepared(platform: Platform, photo: Photo, original: bytes, now: datetime) -> Photo:
    """The photo as it is after it was prepared and its renditions were stored, or after it was refused."""
    try:
        prepared = prepare(original, Limits.of(platform.settings))
        store_renditions(platform, photo, prepared)
    except Unreadable as error:
        return replace(photo, state=PhotoState.REFUSED, reason=error.reason, prepared_at=now)
    except Unavailable as error:
        raise NotPrepared(str(error)) from error
    return replace(
        photo,
        state=PhotoState.READY,
        renditions=renditions_of(prepared),
        prepared_at=now,
        original_until=original_until(platform, now),
    )


def original_until(platform: Platform, now: datetime) -> datetime | None:
    """Until when staff can read the original of a photo that no longer waits; None if it is not kept."""
    days = platform.settings.photo_original_days
    return now + timedelta(days=days) if days else None


def store_renditions(platform: Platform, photo: Photo, prepared: Prepared) -> None:
    """Store the files of a prepared photo. Raises StoreUnavailable."""
    for one in prepared.renditions:
        store_of(platform).put(rendition_key(photo, one.size), one.data, JPEG)


def renditions_of(prepared: Prepared) -> tuple[Rendition, ...]:
    """The sizes of a prepared photo, without their data."""
    return tuple(
        Rendition(size=one.size, width=one.width, height=one.height, size_bytes=len(one.data))
        for one in prepared.renditions
    )


def _publish(platform: Platform, city: Jurisdiction, done: Sequence[Photo], now: datetime) -> int:
    """Store the results, and show the photos that are ready, in one transaction. Returns how many were shown."""
    with platform.database.transaction() as connection:
        return _publish_within(platform, connection, city, done, now)


def _publish_within(
    platform: Platform, connection: Connection, city: Jurisdiction, done: Sequence[Photo], now: datetime
) -> int:
    before = requests.load_record(connection, city.id, number=done[0].request_id)
    if before is None:  # deleted meanwhile
        return 0
    still = {
        one.id for one in media.load_all(connection, city.id, before.number) if one.state is PhotoState.WAITING
    }
    rule = city.photo_rule(before.service_code)
    settled = [_ruled(photo, rule) for photo in done if photo.id in still]
    for photo in settled:
        media.settle(connection, photo)
    deliveries.hasten_first(connection, city.id, before.number, now)
    shown = [photo for photo in settled if _is_shown(photo)]
    events: list[Event] = list(_copied(platform, before, settled, now))
    if new := [photo for photo in shown if not photo.copy_of]:
        events.append(PhotosShown(at=now, addresses=show_in_updates(platform, connection, new)))
    if events:
        change_requests(connection, [(before, events)], names_for(connection, city))
    return len(shown)


def _is_shown(photo: Photo) -> bool:
    return photo.state is PhotoState.READY and photo.is_public


def _copied(
    platform: Platform, before: RequestRecord, settled: Sequence[Photo], now: datetime
) -> Iterator[PhotoCopied]:
    """The events of photos that are copies.

    If a copy is refused, the request keeps the original address on the other server.
    """
    for photo in settled:
        if photo.copy_of in before.media_urls and photo.state is not PhotoState.REFUSED:
            new = address_on(platform, photo) if _is_shown(photo) else ""
            yield PhotoCopied(at=now, old=mark_of(photo.copy_of, before.erasure_salt), new=new)


def _ruled(photo: Photo, rule: PhotoRule) -> Photo:
    """A prepared photo after the rule of its request's service was applied: held, private or public."""
    if not photo.is_public or photo.state is not PhotoState.READY or rule is PhotoRule.PUBLIC:
        return photo
    return replace(photo, state=PhotoState.HELD) if rule is PhotoRule.HELD else replace(photo, is_public=False)


def show_in_updates(platform: Platform, connection: Connection, photos: Sequence[Photo]) -> tuple[str, ...]:
    """Show the first photo of each update in that update (M7). Returns the addresses of all the photos.

    photos  photos of one request
    """
    for version, address in _first_of_updates(platform, photos):
        updates.add_media(connection, photos[0].jurisdiction_id, photos[0].request_id, version, address)
    return tuple(address_on(platform, photo) for photo in photos)


def address_on(platform: Platform, photo: Photo) -> str:
    """The public address of a photo on this server."""
    return address_of(photo, platform.settings.public_url, MEDIA_BASE)


def _first_of_updates(platform: Platform, photos: Sequence[Photo]) -> Iterator[tuple[int, str]]:
    """The first photo of each update: the version of the request after the update, and the photo's address."""
    for version in {photo.version for photo in photos if photo.version}:
        first = min((photo for photo in photos if photo.version == version), key=lambda one: one.position)
        yield version, address_on(platform, first)
