"""Public requests: one on a page, and a list of them with the filters of the API."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from open311.errors import Invalid, NotFound
from open311.formats import JSON
from open311.operations.mailing.rules import mails_followers
from open311.operations.reading.find_requests import find_request, find_requests
from open311.operations.reading.searches import cut_dates, read_search
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.listing import Listing
from open311.web.portal.filters import FilterForm, MailForm
from open311.web.portal.notices import notices_about_request
from open311.web.portal.rendering import Frame, city_path, page, qr_code, render
from open311.web.portal.shown import ShownRequest
from open311.web.portal.wording import filter_faults, notices
from open311.web.surfaces import PORTAL, WIDGET
from schemas.arguments import EXTRA_FIELDS, RequestSearchArguments
from schemas.portal import PageArguments, PageListArguments
from schemas.texts import tell

_IN_FORM = ("q", "service_code", "status", "area", "start_date", "end_date", "has_photo", "sort")
IN_WIDGET = 5
"""How many requests the page for frames shows."""
NEAR_M = 500
"""The page of a request links to the list of requests within so many metres of it."""


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/requests",
    reads=PageListArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
    gathers_problems=True,
)
def list_page(call: Call) -> Answer:
    """The requests of the city, with the filters and the order of the API in the address."""
    frame = Frame(call.request, call.city)
    form = FilterForm(call, frame, _IN_FORM)
    try:
        listing = Listing.of(call)
    except Invalid as error:
        faults = filter_faults(error.problems, _IN_FORM)
        return page(
            call,
            "requests.html",
            status=400,
            form=form,
            faults=faults,
            entries=(),
            mail_form=None,
            links={},
            notices=(),
        )
    found = find_requests(call.platform, listing.search, JSON)
    notice = None if listing.search.ids else cut_dates(call.values, listing.search, call.now)
    return page(
        call,
        "requests.html",
        form=form,
        faults={},
        entries=_entries(call, frame, found.items),
        mail_form=MailForm.of(call, frame),
        links={name: _on_page(call, address) for name, address in listing.links(found).items()},
        notices=notices([*call.warnings, *([notice] if notice else [])]),
    )


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/requests/<code:service_request_id>",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
    is_fresh=True,
)
def request_page(call: Call, service_request_id: str) -> Answer:
    """One public request: its status, what happened, who acts next, its photos and its place."""
    frame = Frame(call.request, call.city)
    found = find_request(call.platform, call.city.id, service_request_id, JSON, EXTRA_FIELDS)
    shown = ShownRequest(call, frame, found.items[0])
    if shown.id != service_request_id:  # the API reads such a path as several ids
        raise NotFound(tell("{id!r} is not a request here.", id=service_request_id[:60]), "service_request_id")
    address = f"{city_path(call.own_address(), call.city.id)}requests/{quote(shown.id, safe='')}"
    is_followed = mails_followers(call.platform.settings, call.city)
    follow = frame.link(f"requests/{quote(shown.id, safe='')}/follow") if is_followed else ""
    return page(
        call,
        "request.html",
        shown=shown,
        is_own=False,
        address=address,
        qr=qr_code(address),
        follow=follow,
        support=shown.support if shown.is_open else "",
        nearby=_nearby(frame, shown),
        told_notices=notices_about_request(call, frame, shown),
    )


@endpoint(
    WIDGET,
    "/<jurisdiction_id>",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def widget_page(call: Call) -> Answer:
    """The newest requests of the city and a link to the form, for a frame in other sites."""
    frame = Frame(call.request, call.city)
    search = read_search(
        {**RequestSearchArguments().read({})[0], "page_size": IN_WIDGET},
        call.city,
        now=call.now,
        policy=call.platform.settings.span_policy,
    )
    found = find_requests(call.platform, search, JSON)
    shown = [ShownRequest(call, frame, item) for item in found.items]
    return page(call, "widget.html", cache_control="public, max-age=60", items=shown)


def _entries(call: Call, frame: Frame, items: Sequence[bytes]) -> Sequence[Markup]:
    """The requests as entries of the list. Those that this process has rendered before are not rendered again."""
    look = (call.request.root_path, frame.language, frame.locale, frame.catalogue_languages)
    states = [(*look, item) for item in items]
    kept = call.platform.process.entries.find(call.city, states)
    new = {
        state: render("entry.html", frame, {"shown": ShownRequest(call, frame, state[-1])})
        for state, entry in zip(states, kept, strict=True)
        if entry is None
    }
    call.platform.process.entries.keep(call.city, new)
    # The template has escaped all texts.
    return [Markup(entry or new[state]) for state, entry in zip(states, kept, strict=True)]  # noqa: S704


def _nearby(frame: Frame, shown: ShownRequest) -> str:
    """The address of the list of requests near this one; "" if it has no point."""
    if shown.point is None:
        return ""
    long, lat = shown.point
    return frame.link("requests", lat=str(lat), long=str(long), radius=str(NEAR_M))


def _on_page(call: Call, address: str) -> str:
    """An address of this server as pages link to it: without the host."""
    return call.request.root_path + address.removeprefix(call.own_address())
