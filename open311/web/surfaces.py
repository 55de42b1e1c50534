"""The surfaces of this server: groups of paths that behave alike.

The table below decides the shape of errors, CORS, rates, HTTPS, the log level and the quick lane.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from werkzeug.wrappers import Request

from open311.domain.page_paths import DESK_PATH, MAIL_PATH, PORTAL_PATH
from open311.formats import JSON, XML, Format
from open311.formats.writing import Feed


class ErrorShape(Enum):
    """The shape of an error body: the standard's list in JSON or XML, problem+json (RFC 9457), or a page."""

    GEOREPORT = "georeport"
    PROBLEM = "problem"
    PAGE = "page"


class Source(Enum):
    """Which server of a replicated database answers a GET that anybody may call.

    PRIMARY  the primary only
    FRESH    the primary, or the replica while the primary is down; for what callers may have just sent or withdrawn
    REPLICA  the replica, as long as it is hardly behind
    """

    PRIMARY = "primary"
    FRESH = "fresh"
    REPLICA = "replica"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """Paths with the same prefix and the same behaviour. Compared by identity.

    prefix           a path belongs to the surface if the prefix is the whole path, or a slash or dot follows it
    description      what the API page says about the surface
    errors           the shape of errors
    is_cross_origin  whether any page on the web may read the answers (CORS)
    is_rated         whether calls count towards the rate limits
    is_https_only    whether plain HTTP is refused or redirected if the public address is https
    is_quiet         whether calls are logged at level debug only
    has_quick_lane   whether the quick lane may serve calls
    is_documented    whether OpenAPI describes the calls
    referrer_policy  the value of Referrer-Policy; "" for none. When a link leads away from a page, the value
                     decides to whom the browser tells the address of the page
    is_for_staff     whether callers are staff: parameters are in the query only, and bodies are JSON
    content_policy   the value of Content-Security-Policy of answers that do not send their own; "" for none
    source           which server of a replicated database answers GET
    """

    name: str
    prefix: str
    description: str = ""
    errors: ErrorShape = ErrorShape.GEOREPORT
    is_cross_origin: bool = True
    is_rated: bool = True
    is_https_only: bool = True
    is_quiet: bool = False
    has_quick_lane: bool = False
    is_documented: bool = True
    referrer_policy: str = ""
    is_for_staff: bool = False
    content_policy: str = ""
    source: Source = Source.PRIMARY


ROOT = "/open311"
BASE = f"{ROOT}/v2"

GEOREPORT = Surface(
    name="georeport", prefix=BASE, description="GeoReport v2", has_quick_lane=True, source=Source.REPLICA
)
DISCOVERY = Surface(
    name="discovery",
    prefix=ROOT,
    description="Addresses and formats of the API",
    has_quick_lane=True,
    source=Source.REPLICA,
)
BULK = Surface(
    name="bulk", prefix=f"{ROOT}/bulk/v1", description="GeoReport Bulk v1 (an extension)", source=Source.REPLICA
)
DUMPS = Surface(
    name="dumps",
    prefix=f"{BASE}/dumps",
    description="Daily dumps (an extension)",
    errors=ErrorShape.PROBLEM,
    source=Source.REPLICA,
)
MEDIA = Surface(
    name="media",
    prefix=f"{BASE}/media",
    description="Photos of requests (an extension)",
    errors=ErrorShape.PROBLEM,
    source=Source.FRESH,
)
OUTBOX = Surface(
    name="outbox",
    prefix=f"{BASE}/outbox",
    description="Changes as ActivityStreams (an extension)",
    errors=ErrorShape.PROBLEM,
    source=Source.REPLICA,
)
TILES = Surface(
    name="tiles",
    prefix=f"{BASE}/tiles",
    description="Map tiles of requests (an extension)",
    errors=ErrorShape.PROBLEM,
    source=Source.REPLICA,
)
STATUS = Surface(
    name="status",
    prefix=f"{BASE}/status",
    description="One's own request (an extension)",
    referrer_policy="no-referrer",
    source=Source.FRESH,
)
INQUIRY = Surface(
    name="inquiry",
    prefix="/inquiry/v1",
    description="Inquiry v1: services, facilities, FAQs and collection days (an extension)",
    source=Source.REPLICA,
)
STAFF = Surface(
    name="staff",
    prefix="/staff/v1",
    description="The work of staff on requests",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
    has_quick_lane=True,
    is_for_staff=True,
)
CALLBACKS = Surface(
    name="callbacks",
    prefix="/callbacks",
    description="Signed calls: updates of back offices, and answers to text messages",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
)
SENSORS = Surface(
    name="sensors",
    prefix="/sensors/v1",
    description="Observations of things, in the form of OGC SensorThings 1.1",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
)
HEALTH = Surface(
    name="health",
    prefix="/healthz",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
    is_rated=False,
    is_https_only=False,
    is_quiet=True,
    is_documented=False,
)
READINESS = Surface(
    name="readiness",
    prefix="/readyz",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
    is_rated=False,
    is_https_only=False,
    is_quiet=True,
    is_documented=False,
)
METRICS = Surface(
    name="metrics",
    prefix="/metrics",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
    is_rated=False,
    is_https_only=False,
    is_quiet=True,
    is_documented=False,
)
OWN_FILES_ONLY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
"""A page loads nothing from other hosts, has no inline script or style, and no other site may frame it."""


def _page_surface(
    *,
    name: str,
    prefix: str,
    description: str,
    referrer_policy: str = "",
    content_policy: str = OWN_FILES_ONLY,
    source: Source = Source.PRIMARY,
) -> Surface:
    """A surface of pages for people: its errors are pages too, and no other site may read them."""
    return Surface(
        name=name,
        prefix=prefix,
        description=description,
        errors=ErrorShape.PAGE,
        is_cross_origin=False,
        is_documented=False,
        referrer_policy=referrer_policy,
        content_policy=content_policy,
        source=source,
    )


PORTAL = _page_surface(
    name="portal",
    prefix=PORTAL_PATH,
    description="Pages for citizens",
    source=Source.REPLICA,
)
MAP_PAGE = _page_surface(
    name="map page",
    prefix="/map",
    description="The map of a city as a page",
    source=Source.REPLICA,
)
"""The page itself sends a policy of its own, because it has a map."""
WIDGET = _page_surface(
    name="widget",
    prefix="/widget",
    description="A small page for a frame in other sites",
    content_policy=OWN_FILES_ONLY.replace("frame-ancestors 'none'", "frame-ancestors *"),
    source=Source.REPLICA,
)
OWN_PAGE = _page_surface(
    name="own page",
    prefix="/status",
    description="One's own request as a page",
    referrer_policy="no-referrer",
    source=Source.FRESH,
)
SIGN_IN = _page_surface(
    name="sign in",
    prefix=f"{DESK_PATH}/sign-in",
    description="Where staff sign in",
    referrer_policy="same-origin",
)
DESK = _page_surface(
    name="desk",
    prefix=DESK_PATH,
    description="Pages for staff",
    referrer_policy="same-origin",
)
"""No other site may learn the address of a page for staff, because it may have the words of a search.

With `no-referrer`, older browsers would send `Origin: null` with forms, and the forms would be refused.
"""
MAIL_PAGE = _page_surface(
    name="mail page",
    prefix=MAIL_PATH,
    description="The page to which mails link",
    referrer_policy="no-referrer",
)
PAGES = Surface(
    name="pages",
    prefix="",
    errors=ErrorShape.PROBLEM,
    is_cross_origin=False,
    is_rated=False,
    is_documented=False,
    source=Source.FRESH,
)

SURFACES = (
    DUMPS,
    MEDIA,
    OUTBOX,
    TILES,
    STATUS,
    GEOREPORT,
    BULK,
    DISCOVERY,
    INQUIRY,
    STAFF,
    CALLBACKS,
    SENSORS,
    HEALTH,
    READINESS,
    METRICS,
    PORTAL,
    MAP_PAGE,
    WIDGET,
    OWN_PAGE,
    SIGN_IN,
    DESK,
    MAIL_PAGE,
    PAGES,
)
"""A prefix that begins with another one comes before it: a path belongs to the first surface that fits."""

_BY_PREFIX = {surface.prefix: surface for surface in SURFACES}
_PREFIX = re.compile(rf"({'|'.join(re.escape(prefix) for prefix in _BY_PREFIX if prefix)})(?:[/.]|\Z)")

SURFACE = "open311.surface"
"""Key of a WSGI environment: the surface of the path, so that it is looked up only once in a call."""

ROUTE, CALLER = "open311.route", "open311.caller"
"""Keys of a WSGI environment: the name of the endpoint, and the principal, for the log and metrics."""

AHEAD = "open311.ahead"
"""Key of a WSGI environment: the `ReadAhead` of a call, if its endpoint declares one (`Endpoint.expects`)."""

LOCALE = "open311.locale"
"""Key of a WSGI environment: the parameter locale of a form. The locale of a query is read from the query."""

CITIES = "open311.cities"
"""Key of a WSGI environment: the cities of the server, for errors on pages."""

SUFFIX = re.compile(r"\.(json|xml)$", re.IGNORECASE)
FEED_PATH = re.compile(
    rf"{ROOT}/(?:v2|bulk/v1)/(?:requests|areas|jurisdictions|notices|stats|stats/forecast)\.(?P<feed>{'|'.join(Feed)})",
    re.IGNORECASE,
)
"""Paths of lists in formats that are extensions."""


def sign_in_path(secret: str) -> str:
    """The path of a login link of staff."""
    return f"{SIGN_IN.prefix}/{secret}"


def surface_of(path: str) -> Surface:
    """The surface that a path belongs to, even if no endpoint has this path."""
    found = _PREFIX.match(path)
    return PAGES if found is None else _BY_PREFIX[found[1]]


def error_format(request: Request) -> Format:
    """The format of a call's errors: as the suffix says, else as Accept says, else XML (A45)."""
    match = FEED_PATH.fullmatch(request.path)
    if match:
        return Feed(match["feed"].lower()).error_format
    suffix = SUFFIX.search(request.path)
    return Format(suffix[1].lower()) if suffix else accepted_format(request)


def accepted_format(request: Request) -> Format:
    """The format of an answer if the path has no suffix: as Accept says, else XML (A45)."""
    types = ["text/xml", "application/xml", "application/json"]
    best = request.accept_mimetypes.best_match(types, default="text/xml")
    return JSON if best == "application/json" else XML
