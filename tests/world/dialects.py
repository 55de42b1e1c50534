"""How a neighbour speaks GeoReport: every switch of a dialect, and presets of known servers.

The switches can be combined. The name in capitals beside a switch is the `DialectPoint` that our client counts for
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Empty = Literal["list", "error", "body"]
Auth = Literal["", "key", "oauth"]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What a server offers, and how it writes. The default follows the standard and has no extension.

    What it offers

    formats            json, xml
    auth               what a POST needs: "" nothing, "key" an api_key, "oauth" a bearer token
    guards_reading     whether a GET needs the same as a POST
    honours_key        whether a POST with the same Idempotency-Key is one request; another body gets 409
    refuses_own_id     whether a second POST with the same own id of the client is refused with 409
    finds_own_id       whether `GET requests` can search by the client's own id
    shows_own_id       whether requests show the client's own id as `external_id`
    reads_updates      whether it answers `GET servicerequestupdates`
    takes_updates      whether it takes `POST servicerequestupdates`
    polls_per_token    how many times a client must call `GET tokens/…` until the batch request has an id
    lists_without_id   whether batch requests are in lists before they have an id (Chicago)
    needs_city         whether jurisdiction_id must be sent (Toronto)
    refuses_empty_city whether an empty jurisdiction_id= gets 404
    most_days          the longest window of a list in days; 0 for no limit (Boston 90)

    How it writes

    wraps_lists        JSON lists are in an object (WRAPPED_LIST)
    bares_single       a single result is not in a list (SINGLE_RECORD)
    empty              an empty list: "list", "error" 404 (EMPTY_AS_ERROR), or no "body" (EMPTY_BODY)
    errors_with_200    errors have the status 200 (ERROR_WITH_200)
    repeats_last_page  a page past the end is the last page again (REPEATED_PAGE)
    page_size_name     the parameter that it reads; "" if it has no pages
    page_size          the usual size of a page
    most_per_page      the largest
    cuts_pages_to      a page size that it uses whatever the call asks (OTHER_PAGE_SIZE); 0 for none
    ignores_dates      start_date and end_date have no effect (WINDOW_IGNORED)
    zone_hours         the zone of its times, in hours east of UTC
    omits_zone         times have no zone (TIME_WITHOUT_ZONE)
    has_fractions      times have milliseconds (TIME_WITH_FRACTION)
    has_spaces         times have a space instead of the T (TIME_WITH_SPACE)
    capitals           status "Open" (STATUS_IN_CAPITALS)
    numbers_as_text    lat and long in JSON are strings (NUMBER_AS_TEXT)
    booleans_as_text   true and false in JSON are strings (BOOLEAN_AS_TEXT)
    ids_as_numbers     ids are numbers (NUMBER_FOR_TEXT)
    zero_for_unknown   an unknown place is 0, 0 (POINT_ZERO)
    lists_media        media_url is a list (SEVERAL_MEDIA)
    invents_times      an unknown time is "unknown" (UNREAD_VALUE)
    xml_type           the content type of XML
    nils               an empty element has xsi:nil="true"
    """

    formats: tuple[str, ...] = ("json", "xml")
    auth: Auth = "key"
    guards_reading: bool = False
    honours_key: bool = False
    refuses_own_id: bool = False
    finds_own_id: bool = False
    shows_own_id: bool = False
    reads_updates: bool = False
    takes_updates: bool = False
    polls_per_token: int = 1
    lists_without_id: bool = False
    needs_city: bool = False
    refuses_empty_city: bool = False
    most_days: int = 0

    wraps_lists: bool = False
    bares_single: bool = False
    empty: Empty = "list"
    errors_with_200: bool = False
    repeats_last_page: bool = False
    page_size_name: str = "page_size"
    page_size: int = 50
    most_per_page: int = 1000
    cuts_pages_to: int = 0
    ignores_dates: bool = False
    zone_hours: float = 0.0
    omits_zone: bool = False
    has_fractions: bool = False
    has_spaces: bool = False
    capitals: bool = False
    numbers_as_text: bool = False
    booleans_as_text: bool = False
    ids_as_numbers: bool = False
    zero_for_unknown: bool = False
    lists_media: bool = False
    invents_times: bool = False
    xml_type: str = "text/xml; charset=utf-8"
    nils: bool = False


STANDARD = Dialect()
"""A server that follows the standard: no updates, no Idempotency-Key, and no search by the client's own id."""
MYSOCIETY = Dialect(reads_updates=True, takes_updates=True, xml_type="application/xml; charset=utf-8")
"""FixMyStreet's updates, and nothing else."""
LIKE_OURS = replace(MYSOCIETY, honours_key=True, finds_own_id=True, shows_own_id=True)
"""A server like ours: updates, Idempotency-Key and a search by the client's own id."""
TORONTO = Dialect(formats=("json",), wraps_lists=True, needs_city=True, ids_as_numbers=True, has_fractions=True)
BLOOMINGTON = Dialect(repeats_last_page=True, has_fractions=True, ids_as_numbers=True)
BOSTON = Dialect(page_size_name="per_page", most_per_page=100, most_days=90)
CHICAGO = Dialect(most_per_page=500, lists_without_id=True, omits_zone=True, zone_hours=-6)
SAN_FRANCISCO = Dialect(
    formats=("xml",),
    omits_zone=True,
    has_spaces=True,
    zone_hours=-8,
    capitals=True,
    zero_for_unknown=True,
    nils=True,
)
WASHINGTON = Dialect(formats=("xml",), polls_per_token=3)
FIXMYSTREET = replace(MYSOCIETY, wraps_lists=True, empty="error", page_size_name="max_requests", page_size=1000)
ZURICH = Dialect(wraps_lists=True)
ODDEST = Dialect(
    wraps_lists=True,
    empty="body",
    repeats_last_page=True,
    omits_zone=True,
    has_fractions=True,
    has_spaces=True,
    zone_hours=-5,
    capitals=True,
    numbers_as_text=True,
    booleans_as_text=True,
    ids_as_numbers=True,
    zero_for_unknown=True,
    lists_media=True,
)
"""A server that differs from the standard in many points at once."""

PRESETS: dict[str, Dialect] = {
    "standard": STANDARD,
    "mysociety": MYSOCIETY,
    "like_ours": LIKE_OURS,
    "toronto": TORONTO,
    "bloomington": BLOOMINGTON,
    "boston": BOSTON,
    "chicago": CHICAGO,
    "san_francisco": SAN_FRANCISCO,
    "washington": WASHINGTON,
    "fixmystreet": FIXMYSTREET,
    "zurich": ZURICH,
    "oddest": ODDEST,
}
