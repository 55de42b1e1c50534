"""The form for a report in three steps: what, where, and a check before it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from werkzeug.exceptions import TooManyRequests

from open311.domain.abuse import Sender
from open311.domain.outlooks import Outlook
from open311.domain.requests import Receipt
from open311.domain.services import Service
from open311.errors import Forbidden, Invalid, NotFound, Open311Error, Problem, Unavailable
from open311.formats import JSON
from open311.operations.access.blocks import note_block_version
from open311.operations.access.sealing import seal
from open311.operations.intake.check_submission import check_submission
from open311.operations.intake.submit_request import is_repeat, submit_request
from open311.operations.media.choosing import Chosen, choose
from open311.operations.reading.find_nearby import NearbySearch, find_nearby
from open311.operations.statistics.forecasting import find_usual_days
from open311.operations.suggesting.counting import count_choice
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.settings import Settings
from open311.web.access import ANYBODY, PORTAL_FORM
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.errors import RETRY_AFTER_S, STATUSES, too_many_for_people
from open311.web.gate import limit_portal
from open311.web.portal.citizens.answers import articles_about
from open311.web.portal.citizens.own import own_page_path
from open311.web.portal.notices import notices_for
from open311.web.portal.rendering import Frame, page, see_other
from open311.web.portal.report_form import (
    HONEYPOT,
    LABELS,
    MIDDLE,
    MOVES,
    NOTICES,
    SHOW,
    STEPS,
    ReportForm,
    with_kept,
)
from open311.web.portal.shown import ShownRequest
from open311.web.submissions import mail_language, notice_for_caller, submission_of
from open311.web.surfaces import PORTAL
from schemas.arguments import EXTRA_FIELDS
from schemas.portal import ReportArguments
from schemas.texts import tell

NOT_NOW = tell("Your report could not be sent just now. Nothing is lost. Please send it again in a moment.")
KEPT = tell("Your report is not sent yet. Everything that you typed is still here. Please leave this page open.")
SENT_BEFORE = tell(
    "You have already sent this report, with other words. To send it as a second report, press the button again."
)
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
    """A step of a report.

    The address of a step contains what was typed, in `kept`. An address without `kept`, such as a link on another
    page, may have fields of the form as plain parameters. Then the form begins with these values.
    """
    form = _form(call)
    if call.values["checked"] and form.step != "check":
        _check(form, form.step)
    return _step(form, form.step)


@endpoint(PORTAL, "/<jurisdiction_id>/report", access=PORTAL_FORM, method="POST", **_FORM)
def send_form(call: Call) -> Answer:
    """Go to another step of the form, move its map, or send the report."""
    form = _form(call)
    step, wanted = form.step, form.value("go")
    if form.is_clicked:
        return _go(form, "place", told="" if form.click() else "by_key", at="where")
    if wanted in MOVES or wanted in (SHOW, MIDDLE):
        form.move(wanted)
        return _go(form, "place", at="where")
    if wanted in STEPS and STEPS.index(wanted) <= STEPS.index(step):
        return _go(form, wanted)
    if wanted == "next" and step != "check":
        return _next(form, step)
    return _send(form) if wanted == "send" else _go(form, step)


def _form(call: Call) -> ReportForm:
    """The form of a call. Raises NotFound if the service is not offered now, and Invalid if none is named."""
    service: Service = call.city.require_readable(call.values["service_code"], call.now)
    return ReportForm(with_kept(call), Frame(call.request, call.city), service)


def _next(form: ReportForm, step: str) -> Answer:
    """The next step; the same step again if something in it is wrong, or if answers lead to new questions."""
    if step == "details" and (first := form.first_new_question):
        return _go(form, step, at=first)
    _check(form, step)
    if form.has_faults:
        return _go(form, step, checked="1", at="summary")
    return _go(form, STEPS[STEPS.index(step) + 1])


def _check(form: ReportForm, step: str) -> None:
    """Find what is wrong with a step."""
    call = form.call
    try:
        check_submission(call.platform, _submission(form), call.city, call.now, call.problems)
    except Invalid as error:
        form.take(error.problems)
        form.forget_other_steps(step)


def _go(form: ReportForm, step: str, *, at: str = "", told: str = "", checked: str = "") -> Answer:
    """Lead the browser to the address of a step, so that its buttons for reload and back send nothing again.

    If an address cannot have all that was typed, this answer is the step itself. That is so for contact data, for
    very long texts, for characters that cannot be read, and while the database is down.

    at       the id of the part of the page to which the browser scrolls
    told     a key of NOTICES
    checked  "1" if the step shows what is wrong with it
    """
    told = told or ("photos" if form.call.files else "")
    kept = "" if form.has_contact or form.call.problems else seal(form.call.platform, form.kept())
    if not kept:
        form.notices += [NOTICES[told]] if told else []
        return _step(form, step)
    address = form.address(step, kept=kept, told=told, checked=checked)
    return see_other(f"{address}#{at}" if at else address)


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
    return _sent(form, receipt, chosen)


def _sent(form: ReportForm, receipt: Receipt, chosen: Chosen) -> Answer:
    """Lead the browser to the reporter's own page of the report, which tells that it is sent."""
    call = form.call
    notice, language = notice_for_caller(receipt, call, chosen.dropped, is_on_page=True)
    told = {
        "notice": notice,
        "language": language.partition(",")[0],
        "is_urgent": form.emergency is not None,
        "is_mailed": bool(form.reporter.email and mail_language(form.call)),
    }
    query = {"sent": "1", "told": seal(call.platform, told), "locale": form.frame.locale}
    own = call.request.root_path + own_page_path(call, receipt.status_secret)
    return see_other(f"{own}?{urlencode({name: value for name, value in query.items() if value})}")


def _count(form: ReportForm) -> None:
    """Count the report towards the rate, unless it was stored before. Raises TooManyRequests above the rate."""
    call = form.call
    if not is_repeat(call.platform, _submission(form), jurisdiction=call.city, principal=call.caller, now=call.now):
        limit_portal(call.request.environ)


def _stored(form: ReportForm, chosen: Chosen) -> Receipt:
    call = form.call
    ensure_synced(call.platform)
    note_block_version(call.platform)
    receipt = submit_request(
        call.platform,
        replace(_submission(form), photos=chosen.photos, own_address=call.own_address() if chosen.photos else ""),
        jurisdiction=call.city,
        principal=call.caller,
        now=call.now,
        problems=(*call.problems, *form.contact_problems()),
        sender=_sender(call),
        wants_link=True,
    )
    count_choice(call.platform, call.city, form.suggestion, receipt, call.caller)
    return receipt


def _submission(form: ReportForm) -> Any:
    """What the report says. A report that is sent twice has the same form id, so it is stored once."""
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
    """A step of the form as a page.

    A browser may keep the page, so that it still has what was typed if the person goes back to it.
    """
    more: dict[str, Any] = {"nearby": _nearby(form), "better": _better(form)} if step == "check" else {}
    if step == "details":
        more["answers"] = articles_about(form.call, form.frame, form.service.code)
        more["usual"] = _usual_days(form)
    if form.call.files and form.has_faults:
        form.faults.setdefault("media", tell("Please choose your photos again. A browser does not keep them."))
    settings = form.call.platform.settings
    return page(
        form.call,
        f"report_{step}.html",
        status=400 if status == 200 and form.has_faults else status,
        cache_control="private, no-cache",
        has_tag=False,
        headers=headers,
        form=form,
        labels=LABELS,
        most_photos=settings.max_photos,
        most_bytes=settings.max_photo_bytes,
        most_together=most_together(settings),
        days=form.call.city.retention.reporter_days,
        told_notices=notices_for(
            form.call,
            form.frame,
            service_code=form.service.code,
            point=form.pin,
            only_about_place=step != "details",
        ),
        **more,
    )


def _usual_days(form: ReportForm) -> Outlook | None:
    """How long the service usually takes; None if nobody can tell, and while the database is down."""
    try:
        return find_usual_days(form.call.platform, form.call.city, form.service.code)
    except Unavailable:
        return None


def most_together(settings: Settings) -> int:
    """The bytes that all photos of a report may have together, so that they fit into a body beside the fields."""
    return int(max(settings.max_body_bytes, settings.max_upload_bytes) * _PART_FOR_PHOTOS)


def _better(form: ReportForm) -> list[tuple[str, Service]]:
    """Services that fit the description better than the chosen one, each with the address of its form."""
    found = ((form.of_other_service(service), service) for service in form.better)
    return [(address, service) for address, service in found if address]


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
        found = find_nearby(call.platform, search, JSON, EXTRA_FIELDS[:1], now=call.now)
    except Unavailable:  # what was typed must not be lost; sending tells about the database
        return []
    return [ShownRequest(call, frame, item) for item in found.items]
