"""Photos of a request, for staff: they read all of them, add some, release held ones, and withdraw some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from open311.domain.access import Principal, Role
from open311.domain.commands import Command
from open311.domain.events import PhotoAdded, PhotosReleased, PhotosWithdrawn
from open311.domain.photos import Photo, PhotoState, SentFile, is_address_of
from open311.domain.services import PhotoRule
from open311.domain.text import clean_text
from open311.errors import Conflict, Invalid, NotFound, Unavailable
from open311.operations.access.staff import require_role
from open311.operations.media.arriving import arriving
from open311.operations.media.choosing import choose
from open311.operations.media.erasing import defer_deletion
from open311.operations.media.files import original_key
from open311.operations.media.preparing import defer_preparing, original_until, show_in_updates
from open311.operations.media.showing import PhotoFile, read_file, rendition_file
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.act import changes_by, require_department
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.effects import Desk
from open311.plugins import Jurisdiction
from open311.storage import deliveries, media, updates
from open311.storage.engine import undeadlocked
from open311.storage.hot.transactions import within
from schemas.texts import Message, tell

ORIGINAL = "original"
_UNPREPARED = (PhotoState.WAITING, PhotoState.REFUSED)


def read_photo(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    id: str,
    *,
    size: str,
    principal: Principal,
    now: datetime,
) -> PhotoFile:
    """A file of a photo of a request: one of its sizes, or the original while it is kept.

    Only dispatchers read a photo as it was before parts of it were blackened.
    Raises NotFound if there is no such file or it is not kept, StoreUnavailable if the store cannot give it, and
    Forbidden, also for a request of other departments.
    """
    require_role(principal, Role.READER)
    with platform.database.reading() as connection:
        record = load_request(connection, city, name, is_locked=False)
        require_department(principal, city, record)
        photo = find_photo(media.load_all(connection, city.id, record.number), id)
    if photo.state is PhotoState.BLACKENED:
        require_role(principal, Role.DISPATCHER)
        if photo.kept_until is None or photo.kept_until <= now:
            raise NotFound(tell("{id!r} is not kept as it was before it was blackened.", id=id[:60]), "photo")
    if size != ORIGINAL:
        return rendition_file(platform, photo, size)
    if photo.original_until is None or photo.original_until <= now:
        raise NotFound(tell("{id!r} is not kept as it was sent.", id=id[:60]), "size")
    validator, suffix = f"{photo.id}-{ORIGINAL}", photo.media_type.rpartition("/")[2]
    data = read_file(platform, original_key(photo), photo.id)
    return PhotoFile(f"{photo.id}.{suffix}", photo.media_type, validator, data)


def add_photo(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    data: bytes,
    *,
    is_public: bool,
    own_address: str,
    principal: Principal,
    now: datetime,
    commands: Sequence[Command] = (),
    version: int | None = None,
) -> int:
    """Add a photo to a request, for example of the work that is done. Returns the number of the request.

    commands  commands that are carried out as the same change as the photo: all or nothing
    version   the version of the request that the caller has seen, for the commands; None to accept any version
    Raises Invalid for a file that is not accepted, and if `is_public` although only staff see the photos of the
    service. Raises Unavailable if the photo cannot be stored, NotFound, Forbidden, and what the commands raise.
    """
    require_role(principal, Role.AGENT)
    chosen = choose([SentFile(name="", size_bytes=len(data), data=data)], platform.settings)
    if chosen.dropped:
        raise Invalid(tell("the photo is not accepted: {reason}.", reason=chosen.dropped[0].reason))
    event = PhotoAdded(at=now, actor=str(principal), is_shown=is_public)
    with arriving(platform, city, chosen.photos, own_address=own_address, now=now) as arrival:

        def once() -> int:
            with platform.database.transaction() as connection:
                before = load_request(connection, city, name)
                require_department(principal, city, before)
                if is_public and city.photo_rule(before.service_code) is PhotoRule.PRIVATE:
                    fault = tell("is true, but only staff see the photos of this service; send false.")
                    raise Invalid(fault, "public")
                if not arrival.kept:
                    raise Unavailable(tell("The photo cannot be stored now; try again in a moment."))
                desk = Desk(connection, city, principal, now)
                changes = changes_by(desk, before, commands, version=version) if commands else []
                (report, events), *others = changes or [(before, [])]
                names = names_for(connection, city)
                after, *_ = change_requests(connection, [(report, [event, *events]), *others], names)
                arrival.attach(within(connection), after.number, version=after.version, is_public=is_public)
                defer_preparing(platform, connection, city.id, after.number)
                return after.number

        return undeadlocked(once)


def withdraw_photo(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    id: str,
    *,
    reason: str,
    principal: Principal,
    now: datetime,
) -> int:
    """Withdraw a photo from the public for good. Returns the number of the request.

    Staff can still read it if it was ready or held. A held photo is then not held any more, and the public never
    sees it. A photo that waits, for example because its file is lost, is then not prepared. A photo that was
    refused can be withdrawn too, so that nobody has to look at it any more. The file of a refused photo is deleted;
    the original of a photo that waited is kept for `photo_original_days`.
    Raises Invalid if the reason is missing, Conflict for a photo that is in another state or that the public does
    not see, NotFound, and Forbidden.
    """
    require_role(principal, Role.DISPATCHER)
    why = read_reason(reason, tell("is missing; say why the photo is withdrawn."))
    with platform.database.transaction() as connection:
        before = load_request(connection, city, name)
        require_department(principal, city, before)
        photo = find_photo(media.load_all(connection, city.id, before.number), id)
        is_seen = photo.state in (PhotoState.READY, PhotoState.HELD) and photo.is_public
        if not is_seen and photo.state not in _UNPREPARED:
            raise Conflict(tell("is {state}, and the public does not see it.", state=photo.state), "photo")
        withdrawn = replace(photo, state=PhotoState.WITHDRAWN, reason=why)
        if photo.state is PhotoState.WAITING:
            withdrawn = replace(withdrawn, original_until=original_until(platform, now))
        media.settle(connection, withdrawn)
        if photo.state in _UNPREPARED:
            defer_deletion(platform, connection, [photo], now)
            deliveries.hasten_first(connection, city.id, before.number, now)
        addresses = tuple(url for url in before.media_urls if is_address_of(photo, url))
        updates.replace_media(connection, city.id, before.number, addresses)
        event = PhotosWithdrawn(at=now, actor=str(principal), addresses=addresses, reason=why)
        [after] = change_requests(connection, [(before, [event])], names_for(connection, city))
    return after.number


def release_photo(
    platform: Platform,
    city: Jurisdiction,
    name: str | int,
    id: str,
    *,
    reason: str,
    principal: Principal,
    now: datetime,
) -> int:
    """Show a photo that is held to the public. Returns the number of the request.

    Raises Invalid if the reason is missing, Conflict for a photo that is not held, or if the service of the request
    now has private photos, NotFound, and Forbidden.
    """
    require_role(principal, Role.DISPATCHER)
    why = read_reason(reason, tell("is missing; say why the photo is released."))
    with platform.database.transaction() as connection:
        before = load_request(connection, city, name)
        require_department(principal, city, before)
        photo = find_photo(media.load_all(connection, city.id, before.number), id)
        if city.photo_rule(before.service_code) is PhotoRule.PRIVATE:
            raise Conflict(tell("cannot be released: only staff see the photos of this service."), "photo")
        if photo.state is not PhotoState.HELD:
            raise Conflict(tell("is {state}, and not held.", state=photo.state), "photo")
        shown = replace(photo, state=PhotoState.READY)
        media.settle(connection, shown)
        addresses = show_in_updates(platform, connection, [shown])
        event = PhotosReleased(at=now, actor=str(principal), addresses=addresses, reason=why)
        [after] = change_requests(connection, [(before, [event])], names_for(connection, city))
    return after.number


def read_reason(reason: str, missing: Message) -> str:
    """The reason that staff give, cleaned. Raises Invalid if there is none."""
    why = clean_text(reason).strip()
    if not why:
        raise Invalid(missing, "reason")
    return why


def find_photo(photos: list[Photo], id: str) -> Photo:
    for photo in photos:
        if photo.id == id:
            return photo
    raise NotFound(tell("{id!r} is not a photo of this request.", id=id[:60]), "photo")
