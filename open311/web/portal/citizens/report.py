"""The form for a report in three steps: what, where, and a check before it is sent."""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import Any

from werkzeug.exceptions import TooManyRequests

from open311.domain.abuse import Sender
from open311.domain.requests import Receipt
from open311.domain.services import Service
from open311.errors import Forbidden, Invalid, NotFound, Open311Error, Problem, Unavailable
from open311.formats import JSON
from open311.operations.access.blocks import notice_blocks
from open311.operations.intake.check_submission import check_submission
from open311.operations.intake.submit_request import is_repeat, submit_request
from open311.operations.media.choosing import Chosen, choose, in_units
from open311.operations.reading.find_nearby import NearbySearch, find_nearby
from open311.operations.reading.find_requests import find_request
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.web.access import ANYBODY, PORTAL_FORM
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.errors import RETRY_AFTER_S, STATUSES, too_many_for_people
from open311.web.gate import limit_portal
from open311.web.portal.citizens.own import own_page_path
from open311.web.portal.rendering import Frame, page
from open311.web.portal.report_form import HONEYPOT, LABELS, MOVES, SHOW, STEPS, ReportForm
from open311.web.portal.shown import ShownRequest
from open311.web.submissions import mail_language, notice_for_caller, submission_of
from open311.web.surfaces import PORTAL
from schemas.portal import ReportArguments
from schemas.texts import tell

NOT_NOW = tell("Your report could not be stored now. Nothing is lost; send it again in a moment.")
KEPT = tell("Your report is not sent yet. Everything that you typed is still here; leave this page open.")
SENT_BEFORE = tell("You have sent this form before, with other words. Send it again to make another report of it.")
_PART_FOR_PHOTOS = 0.95
"""The part of the largest body that the form promises to photos."""
_FORM: dict[str, Any] = {
    "reads": ReportArguments,
    "city": City.IN_PATH,
    "output": PageFormat.HTML,
    "gathers_problems": True,
}


@endpoint(PORTAL, "/<jurisdiction_id>/report", access=ANYBODY, **_FORM)
def report_form(call: Call) -> Answer:
    """The first step of a report: the questions of the service. The address may have answers and a point."""
    return _step(_form(call), "details")


@endpoint(PORTAL, "/<jurisdiction_id>/report", access=PORTAL_FORM, method="POST", **_FORM)
def send_form(call: Call) -> Answer:
    """Go to another step of the form, move its map, or send the report."""
    form = _form(call)
    step = form.value("step") if form.value("step") in STEPS else STEPS[0]
    wanted = form.value("go")
    if form.click():
        return _step(form, "place")
    if wanted in MOVES or wanted == SHOW:
        form.move(wanted)
        return _step(form, "place")
    if wanted in STEPS and STEPS.index(wanted) <= STEPS.index(step):
        return _step(form, wanted)
    return _send(form) if step == "check" else _next(form, step)


def _form(call: Call) -> ReportForm:
    """The form of a call. Raises NotFound if the service is not offered now, and Invalid if none is named."""
    service: Service = call.city.require_readable(call.values["service_code"], call.now)
    return ReportForm(call, Frame(call.request, call.city), service)


def _next(form: ReportForm, step: str) -> Answer:
    """The step after this one; the same again if something in it is wrong, or if answers lead to new questions."""
    if step == "details" and form.has_new_questions:
        return _step(form, step)
    call = form.call
    try:
        check_submission(call.platform, _submission(form), call.city, call.now, call.problems)
    except Invalid as error:
        form.take(error.problems)
        form.forget_other_steps(step)
    if form.has_faults:
        return _step(form, step, status=400)
    return _step(form, STEPS[STEPS.index(step) + 1])


def _send(form: ReportForm) -> Answer:
    """Send the report. If that fails, show the form with everything that was typed."""
    call = form.call
    chosen = choose(call.files, call.platform.settings)
    try:
        _count(form)
        receipt = _stored(form, chosen)
    except TooManyRequests as error:
        form.take([Problem("", too_many_for_people(error)), Problem("sent", KEPT)])
        wait_s = str(error.retry_after)
        return _step(form, "check", status=429, headers=(("Retry-After", wait_s),))
    except (Invalid, NotFound, Forbidden) as error:
        if any(problem.field == "client_request_id" for problem in error.problems):
            form.renew()
            form.take([Problem("", SENT_BEFORE)])
        else:
            form.take(error.problems)
        return _step(form, form.first_faulty_step, status=STATUSES[type(error)])
    except Open311Error as error:
        if STATUSES[type(error)] < 500:
            raise
        form.take([Problem("", NOT_NOW)])
        return _step(form, "check", status=STATUSES[type(error)], headers=(("Retry-After", RETRY_AFTER_S),))
    return _thanks(form, receipt, chosen)


def _count(form: ReportForm) -> None:
    """Count the report towards the rate, unless it was stored before. Raises TooManyRequests above the rate."""
    call = form.call
    if not is_repeat(call.platform, _submission(form), jurisdiction=call.city, principal=call.caller, now=call.now):
        limit_portal(call.request.environ)


def _stored(form: ReportForm, chosen: Chosen) -> Receipt:
    call = form.call
    ensure_synced(call.platform)
    notice_blocks(call.platform)
    return submit_request(
        call.platform,
        replace(_submission(form), photos=chosen.photos, own_address=call.own_address() if chosen.photos else ""),
        jurisdiction=call.city,
        principal=call.caller,
        now=call.now,
        problems=(*call.problems, *form.contact_problems()),
        sender=_sender(call),
        wants_link=True,
    )


def _submission(form: ReportForm) -> Any:
    """What the report says. The id of the form makes a report that is sent twice one report."""
    found = submission_of(form.call)
    lat, long = form.value("lat"), form.value("long")
    return replace(
        found,
        lat=lat,
        long=long,
        reporter=form.reporter,
        attributes=form.attributes,
        client_request_id=f"form {form.form_id}",
        external_id="",
        media_urls=(),
    )


def _sender(call: Call) -> Sender:
    found = call.sender()
    return replace(found, is_caught=found.is_caught or bool(call.values[HONEYPOT]))


def _step(form: ReportForm, step: str, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A step of the form as a page."""
    more: dict[str, Any] = {"nearby": _nearby(form)} if step == "check" else {}
    if form.call.files and form.has_faults:
        form.faults.setdefault("media", tell("Choose your photos again; a browser does not keep them."))
    elif form.call.files:
        form.notices.append(tell("Choose your photos again in step 3; a browser does not keep them."))
    return page(
        form.call,
        f"report_{step}.html",
        status=status,
        cache_control="no-store",
        has_tag=False,
        headers=headers,
        form=form,
        labels=LABELS,
        most_photos=form.call.platform.settings.max_photos,
        most_together=_most_together(form.call.platform.settings),
        **more,
    )


def _most_together(settings: Settings) -> str:
    """The size of all photos of a report that surely fits into a body beside the other fields."""
    return in_units(int(max(settings.max_body_bytes, settings.max_upload_bytes) * _PART_FOR_PHOTOS), floor)


def _nearby(form: ReportForm) -> list[ShownRequest]:
    """Earlier reports that may be about the same problem; none while the database is down."""
    call, pin = form.call, form.pin
    if pin is None:
        return []
    search = NearbySearch(
        jurisdiction=call.city,
        service=form.service,
        long=pin[0],
        lat=pin[1],
        vicinity=call.city.vicinity(form.service),
    )
    frame = Frame(call.request, call.city)
    try:
        found = find_nearby(call.platform, search, JSON, now=call.now)
    except Unavailable:  # what was typed must not be lost; sending tells about the database
        return []
    return [ShownRequest(call, frame, item) for item in found.items]


def _thanks(form: ReportForm, receipt: Receipt, chosen: Chosen) -> Answer:
    """The page after a report is sent: its number, the notices, and the reporter's own link."""
    call = form.call
    notice, language = notice_for_caller(receipt, call, chosen.dropped, tells_emergency=False)
    own = own_page_path(call, receipt.status_secret) if receipt.status_secret else ""
    return page(
        call,
        "thanks.html",
        form=form,
        receipt=receipt,
        is_public=_is_public(call, receipt.service_request_id),
        notice=notice,
        notice_language=language.partition(",")[0],
        own=own,
        own_address=call.own_address(),
        is_mailed=bool(form.reporter.email and mail_language(call)),
    )


def _is_public(call: Call, service_request_id: str) -> bool:
    """Whether the report has a public page now. A suspected report has none, as in the API (decision 0038)."""
    if not service_request_id:
        return False
    try:
        find_request(call.platform, call.city.id, service_request_id, JSON)
    except (NotFound, Unavailable):
        return False
    return True
