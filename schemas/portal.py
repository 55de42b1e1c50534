"""The parameters of the pages for citizens."""

from __future__ import annotations

from schemas.arguments import PAGE_SIZE_ALIASES, Arguments, RequestSearchArguments
from schemas.limits import MAX_QUERY_CHARACTERS
from schemas.parameters import LatitudeParameter, LongitudeParameter, NumberParameter, TextParameter

USUAL_ON_PAGE, MOST_ON_PAGE = 25, 100
"""How many requests a page of the list has."""


class PageArguments(Arguments):
    """The parameter of every page."""

    locale = TextParameter("Language of the page; overrides Accept-Language.", "es", aliases=("langcode",))


class StartArguments(PageArguments):
    """The parameters of the first page."""

    q = TextParameter("Words to search for.", "hole", most_characters=MAX_QUERY_CHARACTERS, default="")


class PageListArguments(RequestSearchArguments):
    """The filters of the list of requests, with fewer rows on a page."""

    page_size = NumberParameter(
        "Requests on a page, at most 100.",
        25,
        least=1,
        cut_to=MOST_ON_PAGE,
        default=USUAL_ON_PAGE,
        aliases=PAGE_SIZE_ALIASES,
    )


class MapArguments(PageArguments):
    """The parameters of a picture of the map."""

    together = (("lat", "long"), ("pin_lat", "pin_long"))

    lat = LatitudeParameter("Latitude of the centre.", 60.1718)
    long = LongitudeParameter("Longitude of the centre.", 24.9414)
    zoom = NumberParameter("Zoom, 1 to 19.", 14, least=1, most=19)
    pin_lat = LatitudeParameter("Latitude of the point to mark.", 60.1718)
    pin_long = LongitudeParameter("Longitude of the point to mark.", 24.9414)
