"""The page of one request, and the forms on it: commands, the reporter, held updates, and new photos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from open311.domain.access import Role
from open311.domain.requests import Visibility
from open311.errors import Conflict, Invalid, NotFound, Problem
from open311.operations.desk.photos import add_photo
from open311.operations.desk.rendering import plain_reporter, plain_request
from open311.operations.desk.suspected import drop_report, drop_update, release_update
from open311.operations.desk.whole_request import WholeRequest, read_reporter, read_whole_request
from open311.operations.workflow.act import act
from open311.web.access import SIGNED_IN
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.errors import STATUSES
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.command_forms import (
    REPORT_FIELDS,
    CommandForm,
    CommandForms,
    Sent,
    new_form_id,
    read_command,
    repeat_key_of,
)
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.history import with_words
from open311.web.portal.wording import for_staff
from open311.web.surfaces import DESK
from schemas.desk import (
    FindArguments,
    NewPhotoForm,
    OrderArguments,
    ReasonArguments,
    RequestPageArguments,
    UpdateDecisionArguments,
)
from schemas.texts import Message, tell

ON_PAGE: dict[str, Any] = {"access": SIGNED_IN, "city": City.IN_PATH, "output": PageFormat.HTML}
REQUEST = "/<jurisdiction_id>/requests/<number>"
_NO_NUMBER = tell("There is nothing at this address; see the API page at /docs.")


@dataclass(frozen=True)
class Shown:
    """What the page of a request shows beside the request.

    sent      the form that was sent and could not be carried out
    alarm     why an act could not be carried out, if no form of a command says so
    seen      the version from which the form was made, if somebody else has changed the request since; else 0
    reporter  who sent the request, if the member of staff has just given a reason to read this
    """

    sent: Sent = Sent()
    alarm: Message | None = None
    seen: int = 0
    reporter: dict[str, Any] | None = None


@endpoint(DESK, "/<jurisdiction_id>/find", reads=FindArguments, **ON_PAGE)
def find_request_page(call: Call) -> Answer:
    """Lead to the page of the request with an id, a token, a number or an id in another system."""
    whole = read_whole_request(call.platform, call.city, call.values["id"], principal=call.caller)
    return see_other(DeskFrame.of(call).of_number(whole.view.record.number))


@endpoint(DESK, REQUEST, reads=RequestPageArguments, **ON_PAGE)
def desk_request_page(call: Call, number: str) -> Answer:
    """One request with everything that staff may see, except its reporter, and what the account may do with it."""
    return shown_request(call, number_in(number), notice=words.done_of(call.values["done"]))


@endpoint(DESK, REQUEST, reads=OrderArguments, method="POST", **ON_PAGE)
def order_on_page(call: Call, number: str) -> Answer:
    """Carry out a command. If that fails, show the page with everything that was typed."""
    given, seen = number_in(number), version_in(call.values["version"])
    whole = read_whole_request(call.platform, call.city, given, principal=call.caller)
    try:
        record = act(
            call.platform,
            call.city,
            given,
            [read_command(Sent.of(call), call.city.zone, report_of(whole))],
            principal=call.caller,
            now=call.now,
            version=seen,
            repeat_key=repeat_key_of(call),
        )
    except (Conflict, Invalid, NotFound) as error:
        sent = Sent.of(call, error.problems)
        is_changed = any(one.field == "If-Match" for one in error.problems)
        status = 400 if isinstance(error, NotFound) else STATUSES[type(error)]
        return shown_request(call, given, Shown(sent=sent, seen=seen if is_changed else 0), status=status)
    return after_act(call, given, call.values["do"], department=record.department)


@endpoint(DESK, f"{REQUEST}/reporter", reads=ReasonArguments, method="POST", **ON_PAGE)
def show_reporter(call: Call, number: str) -> Answer:
    """Show who sent a request. The audit trail keeps who read it and why."""
    given = number_in(number)
    try:
        record, reporter = read_reporter(
            call.platform, call.city, given, reason=call.values["reason"], principal=call.caller, now=call.now
        )
    except Invalid as error:
        return shown_request(call, given, _refused("reporter", error.problems), status=400)
    return shown_request(call, given, Shown(reporter=plain_reporter(record, reporter)))


@endpoint(DESK, f"{REQUEST}/drop", reads=ReasonArguments, method="POST", **ON_PAGE)
def drop_report_on_page(call: Call, number: str) -> Answer:
    """Hide and close a report that looks like abuse."""
    given = number_in(number)
    try:
        record = drop_report(
            call.platform, call.city, given, reason=call.values["reason"], principal=call.caller, now=call.now
        )
    except (Conflict, Invalid) as error:
        return shown_request(call, given, _refused("drop", error.problems), status=STATUSES[type(error)])
    return after_act(call, given, "drop", department=record.department)


@endpoint(DESK, f"{REQUEST}/updates/<update>", reads=UpdateDecisionArguments, method="POST", **ON_PAGE)
def decide_update_on_page(call: Call, number: str, update: str) -> Answer:
    """Release or drop an update that looks like abuse."""
    given = number_in(number)
    decide = {"release": release_update, "drop": drop_update}.get(call.values["do"])
    if decide is None:
        raise NotFound(_NO_NUMBER)
    reason = call.values["reason"]
    try:
        decide(call.platform, call.city, given, update, reason=reason, principal=call.caller, now=call.now)
    except (Conflict, Invalid) as error:
        return shown_request(call, given, _refused(update, error.problems), status=STATUSES[type(error)])
    return after_act(call, given, call.values["do"])


@endpoint(DESK, f"{REQUEST}/photos", reads=NewPhotoForm, method="POST", **ON_PAGE)
def add_photo_on_page(call: Call, number: str) -> Answer:
    """Add a photo to a request, such as one of the finished work."""
    given = number_in(number)
    try:
        add_photo(
            call.platform,
            call.city,
            given,
            photo_in(call),
            is_public=call.values["public"],
            own_address=call.own_address(),
            principal=call.caller,
            now=call.now,
        )
    except Invalid as error:
        return shown_request(call, given, _refused("photo", error.problems), status=400)
    return after_act(call, given, "photo")


def photo_in(call: Call) -> bytes:
    """The photo that a form has. Raises Invalid if it has none, or one that is too large."""
    sent = [file for file in call.files if file.name == "photo" and file.size_bytes]
    if not sent:
        raise Invalid(tell("Please choose a photo."), "photo")
    if sent[0].data is None:
        most = call.platform.settings.max_photo_bytes // 1_000_000
        raise Invalid(tell("The photo is larger than {most} MB. Please choose a smaller one.", most=most), "photo")
    return sent[0].data


def shown_request(
    call: Call, number: int, shown: Shown | None = None, *, status: int = 200, notice: Message | None = None
) -> Answer:
    """The page of a request."""
    whole = read_whole_request(call.platform, call.city, number, principal=call.caller)
    it, shown = plain_request(whole, call.now), shown or Shown()
    it["history"] = with_words(it["history"], whole.view.events, call.city)
    return desk_page(
        call,
        "request.html",
        status=status,
        it=it,
        shown=shown,
        notice=notice,
        news=[one for one in it["history"] if shown.seen and one["version"] > shown.seen],
        groups=_groups(call, whole, shown.sent),
        masks=[one for one in ("mask", "unmask") if one in whole.commands],
        is_suspected=whole.view.record.visibility is Visibility.HELD
        and any(one["kind"] == "suspected" for one in it["history"]),
        form_id=new_form_id(),
        words=words,
        state_names=words.state_names(call.city),
        departments={one.code: one.name for one in call.city.departments},
        can_read_reporter=call.caller.role.includes(Role.AGENT),
    )


def _groups(call: Call, whole: WholeRequest, sent: Sent) -> list[tuple[Message, list[CommandForm]]]:
    """The forms of the commands that the account may give now, by group.

    The form that was sent is shown even if its command is not possible any more, so that nothing typed is lost.
    """
    forms = CommandForms(call, report_of(whole))
    found = [
        (title, [forms.form(name, sent) for name in names if name in whole.commands or name == sent.command])
        for title, names in words.COMMAND_GROUPS.items()
    ]
    return [(title, made) for title, made in found if made]


def report_of(whole: WholeRequest) -> dict[str, str]:
    """The parts of the report that `correct` changes, as a form shows them."""
    record, place = whole.view.record, whole.view.record.place
    point = ("", "") if place.lat is None or place.long is None else (str(place.lat), str(place.long))
    return dict(zip(REPORT_FIELDS, (record.description, place.address, *point), strict=True))


def after_act(call: Call, number: int, act_name: str, *, department: str | None = None) -> Answer:
    """Lead to the page of the request, or to the queue if the account does not work for the request's department.

    department  the department that has the request now; None if the act cannot change it
    """
    frame = DeskFrame.of(call)
    if department is not None and not call.caller.scope.covers_department(department):
        return see_other(frame.link(done=act_name))
    return see_other(frame.of_number(number, done=act_name))


def _refused(form: str, problems: Sequence[Problem]) -> Shown:
    """What the page shows after a form was refused. Forms of commands do not use this function.

    form  the name of the form, such as `reporter`
    """
    return Shown(sent=Sent(command=form), alarm=for_staff(problems[0].message))


def number_in(text: str) -> int:
    """The number of a request in a path. Raises NotFound if the path has no number there."""
    if not re.fullmatch(r"[1-9]\d{0,17}", text, re.ASCII):
        raise NotFound(_NO_NUMBER)
    return int(text)


def version_in(text: str) -> int:
    """The version that a form has. Raises Invalid for a form that no page has made."""
    if not re.fullmatch(r"[1-9]\d{0,17}", text, re.ASCII):
        raise Invalid(tell("This form has no version of the request. Open the page again, and send it from there."))
    return int(text)
