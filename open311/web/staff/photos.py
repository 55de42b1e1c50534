"""The photos of a request, for staff."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response

from open311.formats import JSON
from open311.operations.desk.blackening import blacken_photo
from open311.operations.desk.held_photos import find_held_photos, plain_held_photos
from open311.operations.desk.photos import ORIGINAL, add_photo, read_photo, release_photo, withdraw_photo
from open311.operations.desk.rendering import plain_request
from open311.operations.desk.whole_request import read_whole_request
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.bodies import MULTIPART
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.links import page_url
from open311.web.photos import STAFF_CACHING, photo_response
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.staff import (
    BlackenPhotoBody,
    HeldPhotosArguments,
    HeldPhotosSchema,
    NewPhotoArguments,
    PhotoArguments,
    ReleasePhotoBody,
    StaffArguments,
    StaffRequestSchema,
    WithdrawPhotoBody,
)
from schemas.texts import Message, tell

_SHARED: dict[str, Any] = {"access": STAFF_ONLY, "output": JSON, "city": City.OF_CALLER}
_REQUEST: dict[str, Any] = {"answers": Media("application/json", StaffRequestSchema()), "method": "POST"}


@endpoint(
    STAFF,
    "/requests/<code:id>/photos/<photo>",
    reads=PhotoArguments,
    answers=Media("image/jpeg", {"type": "string", "format": "binary"}),
    errors=(206, 503),
    headers=("Content-Disposition",),
    **_SHARED,
)
def get_staff_photo(call: Call, id: str, photo: str) -> Response:
    """Show a photo of a request, also one that the public does not see.

    The original has the metadata of the camera. It is kept only if the operator has set a number of days.
    """
    size = call.values["size"]
    file = read_photo(call.platform, call.city, id, photo, size=size, principal=call.caller, now=call.now)
    return photo_response(call.request, file, cache_control=STAFF_CACHING, is_download=size == ORIGINAL)


@endpoint(
    STAFF,
    "/requests/<code:id>/photos",
    reads=NewPhotoArguments,
    is_raw=True,
    is_upload=True,
    headers=("ETag",),
    **_REQUEST,
    **_SHARED,
)
def add_staff_photo(call: Call, id: str) -> Answer:
    """Add a photo to a request, such as one of the finished work. Needs the role agent.

    The body is the file itself. The photo is shown after it was prepared. The answer is the request as it is now.
    """
    if call.request.mimetype == MULTIPART:
        raise UnsupportedMediaType(
            tell("The body is a form; send the photo itself as the body, as curl --data-binary @hole.jpg does.")
        )
    number = add_photo(
        call.platform,
        call.city,
        id,
        call.raw,
        is_public=call.values["public"],
        own_address=call.own_address(),
        principal=call.caller,
        now=call.now,
    )
    return _request(call, number)


@endpoint(
    STAFF,
    "/requests/<code:id>/photos/<photo>/withdraw",
    reads=StaffArguments,
    body=WithdrawPhotoBody,
    errors=(409,),
    headers=("ETag",),
    **_REQUEST,
    **_SHARED,
)
def withdraw_staff_photo(call: Call, id: str, photo: str) -> Answer:
    """Withdraw a photo from the public. Needs the role dispatcher and a reason.

    Staff can still read it. The answer is the request as it is then.
    """
    reason = call.body["reason"]
    number = withdraw_photo(call.platform, call.city, id, photo, reason=reason, principal=call.caller, now=call.now)
    return _request(call, number)


@endpoint(
    STAFF,
    "/requests/<code:id>/photos/<photo>/release",
    reads=StaffArguments,
    body=ReleasePhotoBody,
    errors=(409,),
    headers=("ETag",),
    **_REQUEST,
    **_SHARED,
)
def release_staff_photo(call: Call, id: str, photo: str) -> Answer:
    """Show a held photo to the public. Needs the role dispatcher and a reason.

    If the public does not see the request, it sees the photo only once it sees the request; a Warning says so. The
    answer is the request as it is then.
    """
    reason = call.body["reason"]
    number = release_photo(call.platform, call.city, id, photo, reason=reason, principal=call.caller, now=call.now)
    return _request(call, number, is_release=True)


@endpoint(
    STAFF,
    "/requests/<code:id>/photos/<photo>/blacken",
    reads=StaffArguments,
    body=BlackenPhotoBody,
    errors=(409, 503),
    headers=("ETag",),
    **_REQUEST,
    **_SHARED,
)
def blacken_staff_photo(call: Call, id: str, photo: str) -> Answer:
    """Blacken parts of a photo. Needs the role dispatcher and a reason.

    The photo gets a new id, and the old address gets 404 at once. Dispatchers can read the old photo for some days.
    The answer is the request as it is then.
    """
    number = blacken_photo(
        call.platform,
        call.city,
        id,
        photo,
        call.body["boxes"],
        reason=call.body["reason"],
        principal=call.caller,
        now=call.now,
    )
    return _request(call, number)


@endpoint(
    STAFF,
    "/photos",
    reads=HeldPhotosArguments,
    answers=Media("application/json", HeldPhotosSchema()),
    headers=("Link",),
    **_SHARED,
)
def list_held_photos(call: Call) -> Answer:
    """List the photos that are held, oldest first, each with its request."""
    body = plain_held_photos(find_held_photos(call.platform, call.city, call.values, principal=call.caller))
    next_url = page_url(call, {"cursor": body["cursor"]}) if body["cursor"] else ""
    return staff_answer(body, headers=(("Link", f'<{next_url}>; rel="next"'),) if next_url else ())


def _request(call: Call, number: int, *, is_release: bool = False) -> Answer:
    whole = read_whole_request(call.platform, call.city, number, principal=call.caller, is_changed=True)
    record, warnings = whole.view.record, tuple[Message, ...]()
    if is_release and not record.visibility.is_shown:
        warnings = (
            tell(
                "the request is {visibility}, so the public sees this photo only once it sees the request.",
                visibility=record.visibility,
            ),
        )
    return staff_answer(plain_request(whole, call.now), tag=f"v{record.version}", warnings=warnings)
