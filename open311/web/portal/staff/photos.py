"""Photos for staff: the files, a page for each with the decisions about it, and the list of held ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from open311.domain.access import Principal, Role
from open311.domain.photos import PhotoState
from open311.errors import Conflict, Invalid, NotFound, Problem, Unavailable
from open311.operations.desk.blackening import blacken_photo
from open311.operations.desk.held_photos import find_held_photos, plain_held_photos
from open311.operations.desk.photos import ORIGINAL, read_photo, release_photo, withdraw_photo
from open311.operations.desk.rendering import plain_request
from open311.operations.desk.whole_request import read_whole_request
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.errors import STATUSES
from open311.web.photos import photo_response
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE, REQUEST, number_in
from open311.web.portal.wording import for_staff
from open311.web.surfaces import DESK
from schemas.desk import HeldPhotosPageArguments, PhotoDecisionArguments, PhotoPageArguments
from schemas.staff import BlackenPhotoBody, PhotoArguments
from schemas.texts import Message, tell

_HELD = "photos"
_SHOWN = (PhotoState.READY, PhotoState.HELD)


@endpoint(DESK, f"{REQUEST}/photos/<photo>/file", reads=PhotoArguments, **ON_PAGE)
def desk_photo_file(call: Call, number: str, photo: str) -> Response:
    """A photo of a request, also one that the public does not see."""
    given, size = number_in(number), call.values["size"]
    file = read_photo(call.platform, call.city, given, photo, size=size, principal=call.caller, now=call.now)
    return photo_response(call.request, file, cache_control="no-store", is_download=size == ORIGINAL)


@endpoint(DESK, f"{REQUEST}/photos/<photo>", reads=PhotoPageArguments, **ON_PAGE)
def desk_photo_page(call: Call, number: str, photo: str) -> Answer:
    """One photo, large, with what the account may decide about it."""
    return _shown(call, number_in(number), photo)


@endpoint(DESK, f"{REQUEST}/photos/<photo>", reads=PhotoDecisionArguments, method="POST", **ON_PAGE)
def decide_photo_on_page(call: Call, number: str, photo: str) -> Answer:
    """Release, withdraw or blacken a photo."""
    given, decision = number_in(number), call.values["do"]
    options: dict[str, Any] = {"reason": call.values["reason"], "principal": call.caller, "now": call.now}
    try:
        if decision == "blacken":
            blacken_photo(call.platform, call.city, given, photo, _boxes(call.values["boxes"]), **options)
        elif decision in ("release", "withdraw"):
            decide = release_photo if decision == "release" else withdraw_photo
            decide(call.platform, call.city, given, photo, **options)
        else:
            raise NotFound(tell("There is nothing at this address; see the API page at /docs."))
    except (Conflict, Invalid, Unavailable) as error:
        return _shown(call, given, photo, refused=decision, problems=error.problems, status=STATUSES[type(error)])
    frame = DeskFrame.of(call)
    if call.values["back"] == _HELD:
        return see_other(frame.link(_HELD, done=decision))
    return see_other(frame.of_number(given, done=decision))


@endpoint(DESK, "/<jurisdiction_id>/photos", reads=HeldPhotosPageArguments, **ON_PAGE)
def held_photos_page(call: Call) -> Answer:
    """The photos that wait for a person who releases, blackens or withdraws them, oldest first."""
    found = plain_held_photos(find_held_photos(call.platform, call.city, call.values, principal=call.caller))
    frame = DeskFrame.of(call)
    return desk_page(
        call,
        "photos.html",
        photos=found["photos"],
        next_page=frame.link(_HELD, cursor=found["cursor"]) if found["cursor"] else "",
        services={one.code: one.name for one in call.city.services},
        notice=words.done_of(call.values["done"]),
    )


def _shown(
    call: Call,
    number: int,
    id: str,
    *,
    refused: str = "",
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> Answer:
    whole = read_whole_request(call.platform, call.city, number, principal=call.caller)
    it = plain_request(whole, call.now)
    photo = next((one for one in it["photos"] if one["id"] == id), None)
    if photo is None:
        raise NotFound(tell("{id!r} is not a photo of this request.", id=id[:60]), "photo")
    return desk_page(
        call,
        "photo.html",
        status=status,
        it=it,
        photo=photo,
        decisions=_decisions(photo, call.caller),
        refused=refused,
        faults=_faults(problems),
        boxes=call.values.get("boxes", ""),
        back=call.values["back"],
        words=words,
    )


def _faults(problems: tuple[Problem, ...]) -> dict[str, Message]:
    """What is wrong, by field. A fault that belongs to no field has the key ""."""
    return {
        one.field if one.field in ("reason", "boxes") else "": for_staff(one.message) for one in reversed(problems)
    }


def _decisions(photo: Mapping[str, Any], principal: Principal) -> list[str]:
    """What an account may decide about a photo now."""
    state = photo["state"]
    if not principal.role.includes(Role.DISPATCHER):
        return []
    can_withdraw = (state in _SHOWN and photo["is_public"]) or state in (PhotoState.WAITING, PhotoState.REFUSED)
    legal = {"release": state == PhotoState.HELD, "blacken": state in _SHOWN, "withdraw": can_withdraw}
    return [name for name, is_legal in legal.items() if is_legal]


def _boxes(text: str) -> list[list[float]]:
    """The boxes that a form has, as fractions of the picture. Raises Invalid."""
    lines = [line.replace(",", ".").split() for line in text.splitlines() if line.strip()]
    try:
        boxes = [[float(side) / 100 for side in line] for line in lines]
    except ValueError:
        raise Invalid(
            tell("Please write only numbers: left, top, right and bottom, in percent."), "boxes"
        ) from None
    values, problems = BlackenPhotoBody(only=("boxes",)).read({"boxes": boxes})
    if problems:
        raise Invalid.of(Problem(name, fault) for name, fault in problems)
    return values["boxes"]  # type: ignore[no-any-return]  # the schema reads a list of lists
