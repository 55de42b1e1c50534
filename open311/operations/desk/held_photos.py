"""The photos that are held, for staff who release or withdraw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open311.domain.access import Principal, Role
from open311.domain.cursors import decode_cursor, encode_cursor
from open311.domain.photos import HeldPhoto, HeldSearch, Photo
from open311.errors import Invalid
from open311.operations.access.staff import require_city, require_role
from open311.operations.desk.queues import BAD_CURSOR
from open311.operations.desk.rendering import plain_photo
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import media


@dataclass(frozen=True, slots=True)
class HeldPage:
    """One page of held photos.

    cursor  where the next page begins; "" on the last page
    """

    photos: tuple[HeldPhoto, ...]
    cursor: str


def find_held_photos(
    platform: Platform, city: Jurisdiction, values: Mapping[str, Any], *, principal: Principal
) -> HeldPage:
    """One page of the held photos in the departments of an account, oldest first.

    Raises Invalid for a faulty cursor, and Forbidden if the account is not valid for the city.
    """
    require_role(principal, Role.READER)
    require_city(principal, city.id)
    search = HeldSearch(
        jurisdiction_id=city.id,
        departments=tuple(sorted(principal.scope.departments)) or None,
        after=_after(values["cursor"]) if values["cursor"] else None,
        page_size=values["page_size"],
    )
    with platform.database.reading() as connection:
        rows = media.find_held(connection, search)
    shown = tuple(rows[: search.page_size])
    is_last = len(rows) <= len(shown)
    return HeldPage(shown, "" if is_last else _cursor_of(shown[-1].photo))


def plain_held_photos(page: HeldPage) -> dict[str, Any]:
    """A page of held photos (HeldPhotosSchema)."""
    photos = [
        plain_photo(one.photo)
        | {
            "number": one.photo.request_id,
            "service_request_id": one.service_request_id or None,
            "service_code": one.service_code,
            "department": one.department or None,
            "visibility": one.visibility,
        }
        for one in page.photos
    ]
    return {"photos": photos, "cursor": page.cursor or None}


def _cursor_of(photo: Photo) -> str:
    return encode_cursor(photo.created_at.isoformat(), photo.id)


def _after(cursor: str) -> tuple[datetime, str]:
    try:
        at, id = decode_cursor(cursor)
        found = datetime.fromisoformat(at)
        if not isinstance(id, str) or not id.isascii() or not id.isprintable() or found.tzinfo is None:
            raise ValueError(cursor)
    except (ValueError, TypeError):
        raise Invalid(BAD_CURSOR, "cursor") from None
    return found, id
