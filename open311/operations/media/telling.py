"""What reporters read about the photos of their report, by the link to their own request."""

from __future__ import annotations

from collections.abc import Sequence

from open311.domain.photos import OwnPhoto, OwnPhotos, OwnPhotoState, Photo, PhotoState
from open311.translations import in_language
from schemas.texts import Message, tell

_STATES: dict[OwnPhotoState, Message] = {
    OwnPhotoState.PREPARING: tell("It is being prepared."),
    OwnPhotoState.SHOWN: tell("Everybody can see it."),
    OwnPhotoState.NOT_SHOWN: tell("Only the city can see it."),
    OwnPhotoState.REFUSED: tell("It is not kept, because it cannot be read."),
}
_REASONS: dict[str, Message] = {
    "not_an_image": tell("It is not kept, because it is no picture that can be read here."),
    "too_many_pixels": tell("It is not kept, because it has too many pixels."),
    "takes_too_long": tell("It is not kept, because it takes too long to read it."),
    "too_much_memory": tell("It is not kept, because it needs too much memory."),
    "broken": tell("It is not kept, because the file is broken."),
}
"""Why a photo could not be prepared (`open311.media.preparing.Reason`)."""


def own_photos(photos: Sequence[Photo], *, is_request_shown: bool, language: str) -> OwnPhotos:
    """The photos that came with the report of a request.

    photos            all photos of the request; those of updates are left out, because others may have sent them
    is_request_shown  whether everybody can see the request
    """
    own = [photo for photo in photos if not photo.version and photo.state is not PhotoState.BLACKENED]
    return OwnPhotos(tuple(_own_photo(photo, language, is_request_shown=is_request_shown) for photo in own))


def _own_photo(photo: Photo, language: str, *, is_request_shown: bool) -> OwnPhoto:
    state = _state_of(photo, is_request_shown=is_request_shown)
    is_refused = state is OwnPhotoState.REFUSED
    text = _REASONS.get(photo.reason, _STATES[state]) if is_refused else _STATES[state]
    return OwnPhoto(state, in_language(text, language))


def _state_of(photo: Photo, *, is_request_shown: bool) -> OwnPhotoState:
    if photo.state in (PhotoState.ARRIVING, PhotoState.WAITING):
        return OwnPhotoState.PREPARING
    if photo.state is PhotoState.REFUSED:
        return OwnPhotoState.REFUSED
    is_shown = photo.state is PhotoState.READY and photo.is_public and is_request_shown
    return OwnPhotoState.SHOWN if is_shown else OwnPhotoState.NOT_SHOWN
