"""The data and actions that checks need from a server under test.

The survey finds many of these needs in the server's answers. The person who prepares the server must give the
others, such as the id of a private request. If a need is not found and not given, the checks that depend on it are
skipped, and the report names the need with its text from below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any


def _need(meaning: str) -> Any:
    return field(default=None, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Point:
    """A point in degrees, WGS 84."""

    lat: float
    long: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Another base address, and the jurisdiction to ask for there ("" for none)."""

    base_url: str
    jurisdiction_id: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One of several jurisdictions: a realtime service without required attributes, a listed request, and a place.

    token  any token of this jurisdiction; it may be resolved or not
    """

    jurisdiction_id: str
    service_code: str
    request_id: str
    token: str
    point: Point
    api_key: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """A thing that reports by itself. No rule makes a request of an observation of 0 from it.

    url         the address of the observations
    datastream  the id of its datastream
    api_key     a key that was made for the thing
    """

    url: str
    datastream: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Several:
    """An endpoint with at least two jurisdictions. `first` and `second` share no service code and no request id."""

    base_url: str
    first: Member
    second: Member


@dataclass(frozen=True, slots=True)
class Retired:
    """A service that is no longer offered, with its last name and any request of this service."""

    service_code: str
    service_name: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed request and its closing time in the server's notation (`2026-02-01T08:00:00Z`)."""

    request_id: str
    closed_datetime: str


@dataclass(frozen=True, slots=True)
class Throttle:
    """An endpoint that allows `calls` GETs of services.json before the answer is 429."""

    base_url: str
    calls: int
    jurisdiction_id: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """Codes of services that not everybody can report now. The service `successor` replaces the service `replaced`.

    answers  the attributes that a POST with the replaced code must send, as names and values of parameters
    """

    private: str
    staff: str
    ended: str
    replaced: str
    successor: str
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A service with a required list, a question that depends on it, and a hidden attribute of the datatype string.

    deciding    code of the list
    unmet       a key of the list with which the dependent question is not asked
    met         a key of the list with which the dependent question is asked and required
    dependent   code of the dependent question
    hidden      code of the hidden attribute
    """

    service_code: str
    deciding: str
    unmet: str
    met: str
    dependent: str
    hidden: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """Each field is a need that a check can name. None: it is neither given nor found by the survey."""

    # Services of the target
    plain_service: str | None = _need("a realtime service without attributes (P)")
    rich_service: str | None = _need(
        "a realtime service (G) whose definition has a required singlevaluelist, a multivaluelist with a key that "
        "contains a comma, a number, a datetime, a text, a string and an attribute with variable false"
    )
    batch_service: str | None = _need("a batch service without required attributes (T)")
    blackbox_service: str | None = _need("a blackbox service without required attributes (H)")
    optional_service: str | None = _need("a service with attributes, all optional")
    ungrouped_service: str | None = _need("a service without group, keywords and description")
    unicode_service: str | None = _need("a service whose name has letters beyond ASCII")
    notice_service: str | None = _need("a realtime service without required attributes that has a notice")
    retired: Retired | None = _need("a retired service and a request that was sent to it")

    offers: Offers | None = _need("services that not everybody can report now")
    form: Form | None = _need("a service with a question that depends on another answer")

    # Places
    point: Point | None = _need("a point inside the jurisdiction")
    outside_point: Point | None = _need("a point outside the bounds that the deployment sets")

    # Requests that can be read
    open_request: str | None = _need("an open request of the last 80 days, with a point")
    closed_request: str | None = _need(
        "a closed request of the last 80 days, of another service than the open request"
    )
    old_request: str | None = _need("a request between 100 and 190 days old")
    ancient_request: str | None = _need("a request older than 300 days")
    in_progress_request: str | None = _need("a request that the back office is working on, neither new nor done")
    closing: Closing | None = _need("a closed request and its closing time")
    commented_closing: Closing | None = _need("a closed request that was commented on after closing")
    private_request: str | None = _need("a request of the last 80 days that is not public")
    zipcode_request: str | None = _need("a request with a zip code that begins with 0")
    pointless_request: str | None = _need("a listed request with an address and no point")
    odd_request_id: str | None = _need("a request whose id has characters other than letters, digits, - and _")
    late_update: str | None = _need("a request older than 100 days that changed within the last two days")

    # Tokens
    resolved_token: str | None = _need("a token whose request has its id")
    pending_token: str | None = _need("a token whose request has no id yet")

    # Other endpoints
    several: Several | None = _need("an endpoint with two jurisdictions")
    empty: Endpoint | None = _need("a jurisdiction without services and without requests")
    crowded: Endpoint | None = _need("a jurisdiction with more than 1000 requests in the last 80 days")
    crashing: Endpoint | None = _need("an endpoint where GET services fails with an unexpected fault")
    https_only: Endpoint | None = _need("an endpoint whose public address is https, reached here over plain HTTP")
    throttle: Throttle | None = _need("an endpoint with a low limit of calls")
    jsonp: Endpoint | None = _need("an endpoint with JSONP switched on")

    # Keys and limits
    test_key: str | None = _need("a key for testing")
    max_body_bytes: int | None = _need("the largest body of a POST that the server accepts")
    serves_test: bool | None = _need(
        "whether the server runs a test endpoint in addition to the production endpoint"
    )

    # Actions on the server
    rename_service: Callable[[], object] | None = _need("a way to rename a service")
    advance_clock: Callable[[float], object] | None = _need("a way to let the server's clock jump by seconds")
    back_office_down: Callable[[], AbstractContextManager[object]] | None = _need(
        "a way to stop the back office for a while"
    )
    access_log: Callable[[], str] | None = _need("a way to read the server's access log so far")

    # Languages and neighbouring standards
    locale: str | None = _need("a language other than the default one in which service names are translated")
    bulk_url: str | None = _need("the address of the bulk files without suffix, so that .csv, .xml, .json work")
    inquiry_url: str | None = _need("the base address of an Inquiry v1 API")

    # Extensions
    gauge: Gauge | None = _need("a datastream of a thing, and a key that may send its observations")
    future_cursor: str | None = _need("a cursor of the change feed that is beyond the server's last change")

    offered: frozenset[str] = field(
        default=frozenset(),
        metadata={"meaning": "extensions that must work: their checks fail instead of being skipped"},
    )

    def has(self, need: str) -> bool:
        return getattr(self, need) is not None

    def completed_with(self, survey: Preparation) -> Preparation:
        """This preparation, with missing fields taken from `survey`."""
        missing = {name: getattr(survey, name) for name in NEEDS if not self.has(name) and survey.has(name)}
        return replace(self, **missing)


NEEDS: Mapping[str, str] = MappingProxyType(
    {item.name: item.metadata["meaning"] for item in fields(Preparation) if item.name != "offered"}
)
EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "account_id": "account_id is in the answer to a POST",
        "agency_area": "agency_responsible and area limit a list",
        "areas": "areas",
        "atom": "requests.atom",
        "attribution": "X-Attribution",
        "bbox": "bbox limits a list",
        "changes": "the change feed",
        "count": "X-Total-Count",
        "csv": "requests.csv",
        "cursor": "Link leads to the next page by a cursor",
        "department": "department limits a list and the change feed",
        "discovery_page": "discovery without suffix is a page for people",
        "dumps": "daily dumps",
        "extensions": "extensions=true adds extended_attributes and notes",
        "forecasts": "stats/forecast.json",
        "forms": "extensions=true shows on which answers a question depends",
        "geojson": "requests.geojson",
        "group": "group and keyword limit a list",
        "has_photo": "has_photo limits a list",
        "idempotency": "Idempotency-Key",
        "jurisdictions": "jurisdictions",
        "languages": "texts of errors in the language of Accept-Language, which Content-Language names",
        "media": "photos are accepted in multipart bodies",
        "ndjson": "requests.ndjson",
        "me_too": "requests/{id}/support",
        "nearby": "requests/nearby",
        "notices": "notices and their alerts",
        "offers": "services that not everybody can report",
        "outbox": "the outbox as ActivityStreams",
        "own_ids": "service_request_id_ext names a request by its sender's own id",
        "own_view": "extensions=true adds status_url to the answer to a POST",
        "page": "page and page_size give pages, and Link has their addresses",
        "place_services": "lat and long limit the service list",
        "q": "q finds requests by their text",
        "radius": "lat, long and radius limit a list",
        "sort": "sort=-updated",
        "stats": "stats.json",
        "subscriptions": "subscriptions",
        "suggestions": "services/suggest",
        "text_messages": "sms asks for text messages",
        "tiles": "map tiles",
        "updated": "updated_after and updated_before",
        "updates": "servicerequestupdates",
        "warnings": "Warning names misspelt parameters",
    }
)
