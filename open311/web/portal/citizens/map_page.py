"""The map of a city's requests, made of the vector tiles by MapLibre, with a list of the requests in view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from open311.errors import Invalid
from open311.formats import JSON
from open311.operations.reading.find_requests import find_requests
from open311.operations.reading.searches import cut_dates, read_search
from open311.translations import in_language
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.background import Background
from open311.web.portal.filters import FilterForm, MailForm
from open311.web.portal.maps import draw, whole_city
from open311.web.portal.notices import notices_of_city
from open311.web.portal.rendering import Frame, page
from open311.web.portal.shown import ShownRequest
from open311.web.portal.wording import filter_faults, notices
from open311.web.surfaces import BASE, MAP_PAGE, TILES
from schemas.arguments import RequestSearchArguments
from schemas.extensions import TileArguments
from schemas.texts import Message, tell

IN_LIST = 20
"""How many requests are in the list that the server renders."""
_IN_FORM = ("q", "service_code", "status", "area", "start_date", "end_date", "has_photo")
_WORDS: Mapping[str, Message] = {
    "open": tell("Open"),
    "closed": tell("Closed"),
    "changed": tell("Last change: {day}", day="{day}"),
    "show": tell("Show on the map"),
    "close": tell("Close"),
    "zoomIn": tell("Zoom in"),
    "zoomOut": tell("Zoom out"),
    "locate": tell("Find my place"),
    "noPlace": tell("Your device does not tell your place."),
    "touch": tell("Use two fingers to move the map."),
    "map": tell("Map of the reports"),
    "failed": tell("Your browser cannot show this map. The list has the newest reports."),
    "none": tell("No report is in this part of the map."),
    "few": tell("Reports in this part of the map: {count}", count="{count}"),
    "many": tell("Reports in this part of the map: {count}. The list has the last changed ones.", count="{count}"),
    "cut": tell("There are more reports here than the map shows. Zoom in to see all."),
    "far": tell("Reports in this part of the map: {count}. Zoom in to see them one by one.", count="{count}"),
    "tooFar": tell("With these filters, the map shows reports only from nearby. Zoom in to see them."),
}
"""The texts that the script shows. It fills in {count} and {day}."""


@endpoint(
    MAP_PAGE,
    "/<jurisdiction_id>",
    reads=TileArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
    gathers_problems=True,
)
def map_page(call: Call) -> Answer:
    """The map of the city, with the filters of the list in the address."""
    frame = Frame(call.request, call.city)
    form = FilterForm(call, frame, _IN_FORM)
    background = Background.of(call.platform.settings)
    try:
        items, told = _newest(call, frame)
    except Invalid as error:
        faults = filter_faults(error.problems, _IN_FORM)
        return page(call, "map.html", status=400, form=form, faults=faults, is_shown=False)
    return page(
        call,
        "map.html",
        headers=[("Content-Security-Policy", background.policy())],
        form=form,
        faults={},
        is_shown=True,
        items=items,
        mail_form=MailForm.of(call, frame),
        notices=told,
        told_notices=notices_of_city(call, frame),
        picture=_picture(call, items),
        about={
            "tiles": frame.api(f"{TILES.prefix}.json", **_joined(form.pairs())),
            "city": frame.api(f"{BASE}/jurisdictions.geojson"),
            "areas": frame.api(f"{BASE}/areas.geojson"),
            "pages": frame.link("requests/").partition("?")[0],
            "locale": frame.locale,
            "zone": call.city.time_zone,
            "first": next((item.point for item in items if item.point), None),
            "services": form.services,
            "background": background.for_script(),
            "words": {name: in_language(word, frame.language) for name, word in _WORDS.items()},
        },
    )


def _newest(call: Call, frame: Frame) -> tuple[Sequence[ShownRequest], Sequence[Message]]:
    """The newest requests with the filters of the call, and notices about their dates. Raises Invalid."""
    values = {**RequestSearchArguments().read({})[0], **call.values, "page_size": IN_LIST}
    policy = call.platform.settings.span_policy
    search = read_search(values, call.city, now=call.now, policy=policy, problems=call.problems)
    found = find_requests(call.platform, search, JSON)
    cut = cut_dates(values, search, call.now)
    told = notices([*call.warnings, *([cut] if cut else [])])
    return [ShownRequest(call, frame, item) for item in found.items], told


def _picture(call: Call, items: Sequence[ShownRequest]) -> Markup:
    """The map that the server draws, with the numbers that the requests have in the list."""
    numbered = {number: item.point for number, item in enumerate(items, 1) if item.point is not None}
    return Markup(draw(call.city, whole_city(call.city), numbered=numbered).decode())  # noqa: S704  # our own SVG


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The filters with one value for each name: several values are joined by commas."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}
