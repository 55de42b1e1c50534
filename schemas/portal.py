"""The parameters of the pages for citizens."""

from __future__ import annotations

from schemas.arguments import PAGE_SIZE_ALIASES, Arguments, RequestSearchArguments, SubmissionArguments
from schemas.limits import MAX_QUERY_CHARACTERS, MAX_RADIUS_M, MAX_SENTENCE_CHARACTERS
from schemas.parameters import (
    BoxParameter,
    ChoiceParameter,
    DistanceParameter,
    LatitudeParameter,
    ListParameter,
    LongitudeParameter,
    NumberParameter,
    TextParameter,
)
from schemas.statistics import StatisticsArguments
from schemas.subscriptions import MOST_CODES
from schemas.texts import tell

USUAL_ON_PAGE, MOST_ON_PAGE = 25, 100
"""How many requests a page of the list has by default, and at most."""


class PageArguments(Arguments):
    """The parameter of every page."""

    locale = TextParameter("Language of the page; overrides Accept-Language.", "es", aliases=("langcode",))


class StartArguments(PageArguments):
    """The parameters of the first page."""

    q = TextParameter(
        "What the problem is, in any words.", "hole", most_characters=MAX_SENTENCE_CHARACTERS, default=""
    )
    number = TextParameter(
        "The number of a report to look up.", "1-26", most_characters=MAX_QUERY_CHARACTERS, default=""
    )


class AnswersArguments(PageArguments):
    """The parameters of the page with answers."""

    q = TextParameter("Words to search for.", "bin", most_characters=MAX_QUERY_CHARACTERS, default="")


class CollectionArguments(PageArguments):
    """The parameters of the page with collection days."""

    together = (("lat", "long"),)

    # marshmallow removes the field from the class, so `self.zone` is still the time zone that Arguments sets
    zone = TextParameter("The zone where the reader lives.", "Harbour", default="")  # type: ignore[assignment]
    lat = LatitudeParameter("Latitude of a point in the zone; with long.", 60.14)
    long = LongitudeParameter("Longitude of a point in the zone; with lat.", 24.95)


class OwnPageArguments(PageArguments):
    """The parameters of the page of one's own request."""

    sent = TextParameter("1 if the reader has just sent the report.", "1", default="")
    told = TextParameter("The notice for the reader after sending, sealed by this server.", default="")


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


class NumbersArguments(StatisticsArguments):
    """The filters of the page of numbers, and the spans of time that it shows."""

    group_by = ChoiceParameter(
        "The spans of time: month or week.", "week", choices=("month", "week"), default="month"
    )


class OutlookArguments(PageArguments):
    """The filters of the page about what to expect."""

    service_code = TextParameter("The code of a service.", "pothole", default="")
    area = TextParameter("Name of an area.", "Kallio", default="")


class MapArguments(PageArguments):
    """The parameters of a picture of the map."""

    together = (("lat", "long"), ("pin_lat", "pin_long"))

    lat = LatitudeParameter("Latitude of the centre.", 60.1718)
    long = LongitudeParameter("Longitude of the centre.", 24.9414)
    zoom = NumberParameter("Zoom, 1 to 19.", 14, least=1, most=19)
    pin_lat = LatitudeParameter("Latitude of the point to mark.", 60.1718)
    pin_long = LongitudeParameter("Longitude of the point to mark.", 24.9414)


class ReportArguments(SubmissionArguments):
    """The fields of the form for a report: those of a new request, and where in the form the reader is."""

    tells_unknown = False

    service_code = TextParameter("The code of the service.", "pothole")
    step = TextParameter("The step that the reader has filled in: details, place or check.", "place")
    go = TextParameter("What the reader wants: next, send, the name of a step, or a move of the map.", "next")
    kept = TextParameter("What was typed in the steps before, sealed by this server.")
    checked = TextParameter("1 if the step shows the faults in what was typed.", "1")
    told = TextParameter("The code of the notice that the step shows: by_key, photos or old.", "photos")
    sent = TextParameter("1 in the address to which the form of a step is sent.", "1")
    form_id = TextParameter("Identifies the form, so that it makes one report even if it is sent twice.")
    website = TextParameter("A field that people do not see. A report that fills it is suspected.")
    click_x = NumberParameter(
        "Where the reader has clicked in the map, in pixels.", 10, least=0, aliases=("click.x",)
    )
    click_y = NumberParameter(
        "Where the reader has clicked in the map, in pixels.", 10, least=0, aliases=("click.y",)
    )
    map_lat = LatitudeParameter("Latitude of the middle of the map.", 60.1718)
    map_long = LongitudeParameter("Longitude of the middle of the map.", 24.9414)
    map_zoom = NumberParameter("Zoom of the map.", 14, least=1, most=19)


class FollowArguments(PageArguments):
    """The fields of the form for mail about one request."""

    tells_unknown = False

    email = TextParameter("The address that gets the mail.", "you@mail.example", default="")
    website = TextParameter("A field that people do not see. A form that fills it does nothing.", default="")


class SupportPageArguments(PageArguments):
    """The fields of the button by which somebody says "me too"."""

    tells_unknown = False

    website = TextParameter("A field that people do not see. A form that fills it does nothing.", default="")


class FollowFilterArguments(FollowArguments):
    """The fields of the form for mail about all requests that match a filter. The filter is one that lists have."""

    together = (("lat", "long", "radius"),)

    how_often = ChoiceParameter(
        "How often mail comes at most: daily or hourly.", "daily", choices=("daily", "hourly"), default="daily"
    )
    service_code = ListParameter("Service codes.", "pothole", most=MOST_CODES, unit=tell("codes"))
    group = TextParameter("A service group.")
    status = ListParameter("open or closed.", "open", choices=("open", "closed"))
    department = TextParameter("Code or name of a department.", "streets")
    area = TextParameter("Name of an area.", "Kallio")
    lat = LatitudeParameter("Centre of a circle, with long and radius.")
    long = LongitudeParameter("Centre of a circle, with lat and radius.")
    radius = DistanceParameter("Metres around lat and long.", most=MAX_RADIUS_M)
    bbox = BoxParameter("west,south,east,north in degrees.", "24.9,60.1,25.0,60.2")


class MailPageArguments(PageArguments):
    """The fields of the page to which mails link."""

    tells_unknown = False

    do = TextParameter(
        "What the reader wants: confirm, leave, refuse, answer, reopen, support, unsupport, daily or hourly.",
        "leave",
        default="",
    )
    answer = TextParameter("What became of the report: solved, partly or not_solved.", "solved", default="")
