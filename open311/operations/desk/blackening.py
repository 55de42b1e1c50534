"""Blacken parts of a photo.

The photo with the black boxes is a new photo with a new public id, so no cache can show the old picture under the
new address. It takes the place of the old photo. The old photo is kept for dispatchers for the days of the setting
`photo_unblackened_days`, and then deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from open311.domain.access import Principal, Role
from open311.domain.events import PhotoBlackened
from open311.domain.photos import Photo, PhotoState, is_address_of, new_id
from open311.domain.requests import RequestRecord
from open311.errors import Conflict, Invalid, Unavailable
from open311.media.preparing import Box, Limits, Prepared, Unreadable, blacken
from open311.operations.access.staff import require_role
from open311.operations.desk.photos import find_photo, read_reason
from open311.operations.media.arriving import claimed
from open311.operations.media.erasing import defer_deletion
from open311.operations.media.files import JPEG, LARGEST, rendition_key
from open311.operations.media.preparing import address_on, renditions_of, store_renditions
from open311.operations.media.showing import read_file
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import require_department
from open311.operations.workflow.apply import change_requests, load_request
from open311.plugins import Jurisdiction
from open311.storage import media, updates
from open311.storage.engine import Connection
from schemas.texts import tell

_CAN_BE_BLACKENED = (PhotoState.READY, PhotoState.HELD)
_LEAST_PIXEL = 0.999
"""One pixel, with some room for fractions that were rounded."""


def blacken_photo(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    id: str,
    boxes: Sequence[Sequence[float]],
    *,
    reason: str,
    principal: Principal,
    now: datetime,
) -> int:
    """Blacken parts of a photo. Returns the number of the request.

    boxes  the left, top, right and bottom of each part, as fractions of the picture

    No transaction is open while a child process blackens the picture.
    Raises Invalid for faulty boxes or if the reason is missing, Conflict for a photo that cannot be blackened now,
    Unavailable if the picture cannot be made now, StoreUnavailable, NotFound, and Forbidden.
    """
    require_role(principal, Role.DISPATCHER)
    why = read_reason(reason, tell("is missing; say why the photo is blackened."))
    parts = tuple(Box(*box) for box in boxes)
    with platform.database.reading() as connection:
        before = load_request(connection, city, name, is_locked=False)
        require_department(principal, city, before)
        old = _find(connection, before, id)
    _require_pixels(old, parts)
    prepared = _blackened(platform, old, parts)
    new = _photo_of(old, prepared, now)
    with claimed(platform, [new], now):
        store_renditions(platform, new, prepared)
        with platform.database.transaction() as connection:
            before = load_request(connection, city, name)
            require_department(principal, city, before)
            old = _find(connection, before, id)
            event = PhotoBlackened(
                at=now,
                actor=str(principal),
                reason=why,
                old=next((url for url in before.media_urls if is_address_of(old, url)), ""),
                new=address_on(platform, new),
            )
            days = platform.settings.photo_unblackened_days
            _exchange(connection, old, new, event, days=days)
            if not days:
                defer_deletion(platform, connection, [old], now)
            [after] = change_requests(connection, [(before, [event])], names_for(connection, city))
    return after.number


def _find(connection: Connection, record: RequestRecord, id: str) -> Photo:
    """The photo. Raises NotFound if the request does not have it, and Conflict if it cannot be blackened now."""
    photo = find_photo(media.load_all(connection, record.jurisdiction_id, record.number), id)
    if photo.state not in _CAN_BE_BLACKENED:
        raise Conflict(tell("is {state}; only a ready or held photo can be blackened.", state=photo.state), "photo")
    return photo


def _require_pixels(photo: Photo, parts: Sequence[Box]) -> None:
    """Raise Invalid for a box that is smaller than a pixel of the largest size: nobody would see it."""
    [whole] = [one for one in photo.renditions if one.size == LARGEST]
    for number, box in enumerate(parts, 1):
        if min((box.right - box.left) * whole.width, (box.bottom - box.top) * whole.height) < _LEAST_PIXEL:
            fault = tell(
                "box {number} is smaller than a pixel of the photo, which has {width} × {height};"
                " send a larger one.",
                number=number,
                width=whole.width,
                height=whole.height,
            )
            raise Invalid(fault, "boxes")


def _blackened(platform: Platform, photo: Photo, parts: tuple[Box, ...]) -> Prepared:
    """The largest size of a photo with black boxes, and smaller sizes of it."""
    picture = read_file(platform, rendition_key(photo, LARGEST), photo.id)
    try:
        return blacken(picture, parts, Limits.of(platform.settings))
    except Unreadable:  # the picture was made here, so the limits are too narrow at present
        raise Unavailable(tell("The photo cannot be prepared now; try again later.")) from None


def _photo_of(old: Photo, prepared: Prepared, now: datetime) -> Photo:
    """The photo with the black boxes, which no request has yet.

    Its hash is made of a word and the picture, so that no file that somebody sends has the same hash.
    """
    largest = prepared.renditions[0].data
    return Photo(
        jurisdiction_id=old.jurisdiction_id,
        id=new_id(),
        content_hash=sha256(b"blackened " + largest).digest(),
        media_type=JPEG,
        size_bytes=len(largest),
        own_address=old.own_address,
        created_at=now,
        renditions=renditions_of(prepared),
        prepared_at=now,
    )


def _exchange(connection: Connection, old: Photo, new: Photo, event: PhotoBlackened, *, days: int) -> None:
    """Give the new photo the place of the old one, and keep the old one for this many days."""
    placed = replace(
        new,
        request_id=old.request_id,
        version=old.version,
        position=old.position,
        state=old.state,
        is_public=old.is_public,
        created_at=old.created_at,
    )
    media.settle(connection, placed)
    if event.old:
        updates.replace_media(connection, old.jurisdiction_id, old.request_id, [event.old], event.new)
    if not days:
        media.delete_photos(connection, [old])
        return
    until = event.at + timedelta(days=days)
    media.settle(connection, replace(old, state=PhotoState.BLACKENED, reason=event.reason, kept_until=until))
