"""Work outdoors, on a phone: the account's requests, those nearby, and closing one with a photo in one step."""

from __future__ import annotations

from typing import Any

from open311.domain.access import Role
from open311.domain.search import Circle
from open311.errors import Conflict, Invalid, NotFound
from open311.operations.access.staff import require_role
from open311.operations.desk.photos import add_photo
from open311.operations.desk.queues import ME, find_around, find_queue, queue_search
from open311.operations.desk.rendering import plain_around, plain_queue, plain_request
from open311.operations.desk.whole_request import WholeRequest, read_whole_request
from open311.operations.workflow.act import act
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.errors import STATUSES
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.command_forms import (
    CommandForms,
    Sent,
    new_form_id,
    read_command,
    repeat_key_of,
)
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE, REQUEST, number_in, photo_in, version_in
from open311.web.portal.wording import filter_faults
from open311.web.surfaces import DESK
from schemas.desk import FinishArguments, RequestPageArguments, WorkArguments
from schemas.staff import QueueArguments

_MOST_AROUND = 50
_FIELDS = ("lat", "long", "radius")
_CLOSE = "close"
_USUAL_OUTCOME = "fixed"


@endpoint(DESK, "/<jurisdiction_id>/work", reads=WorkArguments, gathers_problems=True, **ON_PAGE)
def work_page(call: Call) -> Answer:
    """The open requests that are assigned to the account, and the open ones around a point."""
    values = QueueArguments().read({"assignee": [ME]})[0]
    search = queue_search(call.platform, call.city, values, principal=call.caller)
    mine = plain_queue(find_queue(call.platform, search, call.now), call.city, call.now)
    return desk_page(
        call,
        "work.html",
        status=400 if call.problems else 200,
        mine=mine["requests"],
        has_more=mine["cursor"] is not None,
        around=_around(call),
        sent={name: call.request.args.get(name, "") for name in _FIELDS},
        faults=filter_faults(call.problems, _FIELDS),
        notice=words.done_of(call.values["done"]),
        words=words,
        state_names=words.state_names(call.city),
    )


def _around(call: Call) -> list[dict[str, Any]] | None:
    """The open requests around the point of the call; None without a point."""
    values = call.values
    if call.problems or values["lat"] is None or values["long"] is None:
        return None
    circle = Circle(values["long"], values["lat"], values["radius"])
    found = find_around(call.platform, call.city, circle, most=_MOST_AROUND, principal=call.caller)
    rows: list[dict[str, Any]] = plain_around(found, call.city, call.now)["requests"]
    return rows


@endpoint(DESK, f"{REQUEST}/finish", reads=RequestPageArguments, **ON_PAGE)
def finish_page(call: Call, number: str) -> Answer:
    """The form that closes a request, with a photo of the work."""
    require_role(call.caller, Role.AGENT)
    whole = read_whole_request(call.platform, call.city, number_in(number), principal=call.caller)
    return _form(call, whole, Sent(_CLOSE, {"outcome": _USUAL_OUTCOME}))


@endpoint(DESK, f"{REQUEST}/finish", reads=FinishArguments, method="POST", **ON_PAGE)
def finish_request(call: Call, number: str) -> Answer:
    """Close a request, and add a photo if the form has one. Both happen, or neither."""
    given = number_in(number)
    try:
        _finish(call, given)
    except (Conflict, Invalid, NotFound) as error:
        # The next line raises NotFound if there is no such request. If it raises nothing, a NotFound in `error` is
        # about a value of the form.
        whole = read_whole_request(call.platform, call.city, given, principal=call.caller)
        status = 400 if isinstance(error, NotFound) else STATUSES[type(error)]
        return _form(call, whole, Sent.of(call, error.problems), status=status)
    return see_other(DeskFrame.of(call).link("work", done=_CLOSE))


def _finish(call: Call, number: int) -> None:
    command = read_command(Sent.of(call), call.city.zone)
    version = version_in(call.values["version"])
    shared: dict[str, Any] = {"principal": call.caller, "now": call.now}
    if not call.files:
        act(call.platform, call.city, number, [command], version=version, repeat_key=repeat_key_of(call), **shared)
        return
    add_photo(
        call.platform,
        call.city,
        number,
        photo_in(call),
        is_public=bool(call.values["public"]),
        own_address=call.own_address(),
        commands=[command],
        version=version,
        **shared,
    )


def _form(call: Call, whole: WholeRequest, sent: Sent, *, status: int = 200) -> Answer:
    return desk_page(
        call,
        "finish.html",
        status=status,
        it=plain_request(whole, call.now),
        form=CommandForms(call).form(_CLOSE, sent),
        can_close=_CLOSE in whole.commands,
        is_public=bool(sent.values.get("public")),
        form_id=new_form_id(),
        words=words,
        state_names=words.state_names(call.city),
    )
