"""One list call: what was asked for, the page that answers it, and the links around it (RFC 8288)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from math import ceil
from urllib.parse import urlencode

from flask import Response

from open311.clock import utc_now
from open311.domain.search import RequestSearch
from open311.errors import Invalid
from open311.formats import Format
from open311.formats.writing import Feed
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import EXTENSIONS, Page, count_requests, find_requests, find_validator
from open311.plugins import Jurisdiction
from open311.web.answers import not_modified
from open311.web.context import own_address, platform, request
from open311.web.cursors import write_cursor
from open311.web.parsing import ALIASES, MOST_REMEMBERED_BYTES, names_in, pairs_in, read_query
from open311.web.search import read_search
from schemas import RequestSearchArguments

_ARGUMENTS = RequestSearchArguments()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list call, read.

    misspelt  parameters that look like ours and are not, with what they should be
    """

    jurisdiction: Jurisdiction
    search: RequestSearch
    extensions: tuple[str, ...]
    misspelt: tuple[tuple[str, str], ...] = ()


def read_listing() -> Listing:
    """The call that is being served. Invalid or NotFound where it cannot be done."""
    query = request.query_string
    read = _read_again if len(query) <= MOST_REMEMBERED_BYTES else _read
    return read(platform(), query, utc_now())


def _read(platform: Platform, query: bytes, now: datetime) -> Listing:
    values = read_query(_ARGUMENTS)
    jurisdiction = platform.registry.find(values["jurisdiction_id"])
    settings = platform.settings
    search = read_search(values, jurisdiction, now=now, policy=settings.span_policy)
    if settings.unknown_service_is_404:
        for code in search.service_codes or ():
            jurisdiction.require_service(code)
    return Listing(
        jurisdiction=jurisdiction,
        search=search,
        extensions=read_extensions(values["extensions"]),
        misspelt=_misspelt(query),
    )


_read_again = lru_cache(maxsize=1_024)(_read)
"""When everybody asks for the same, it is read once a second: "the last 90 days" is counted from a whole second."""


def read_extensions(text: str) -> tuple[str, ...]:
    """Which extensions are asked for: all for true, else those of the comma list, in our order."""
    words = {word.strip().lower() for word in text.split(",")} - {"", "false"}
    if words & {"true", "all"}:
        return EXTENSIONS
    unknown = words - set(EXTENSIONS)
    if unknown:
        known = ", ".join(EXTENSIONS)
        raise Invalid(f"{sorted(unknown)[0][:40]!r} is unknown; send true or some of {known}.", "extensions")
    return tuple(name for name in EXTENSIONS if name in words)


def unchanged(listing: Listing, output: Format | Feed) -> Response | None:
    """A 304, without reading the items, for a client that has them already."""
    if listing.search.ids or listing.extensions or "If-None-Match" not in request.headers:
        return None
    return not_modified(find_validator(platform(), listing.search, utc_now()), output)


def find_page(listing: Listing, output: Format) -> Page:
    """The page that was asked for."""
    return find_requests(platform(), listing.search, output, listing.extensions)


def add_headers(response: Response, listing: Listing, page: Page) -> None:
    """Link to the pages around, say how many items there are where that is cheap, name what is misspelt."""
    links, total = links_around(listing, page), _total(listing, page)
    if total is not None:
        response.headers["X-Total-Count"] = str(total)
        if total > listing.search.page_size and not listing.search.ids:
            links["last"] = page_url({"page": str(ceil(total / listing.search.page_size))})
    if links:
        response.headers["Link"] = ", ".join(f'<{url}>; rel="{relation}"' for relation, url in links.items())
    for name, right in listing.misspelt:
        response.headers.add("Warning", f'299 - "{name} is ignored; did you mean {right}?"')


def links_around(listing: Listing, page: Page) -> dict[str, str]:
    """The pages around a page: relation and address."""
    search, links = listing.search, dict[str, str]()
    if search.page > 1 or search.after is not None:
        links["first"] = page_url({})
    if search.page > 1 and search.after is None:
        links["prev"] = page_url({"page": str(search.page - 1)})
    if page.next_key is not None:
        links["next"] = page_url({"cursor": write_cursor(search, page.next_key)})
    return links


def _total(listing: Listing, page: Page) -> int | None:
    """How many items the whole list has: counted for those who ask, known anyway for a list on one page."""
    search = listing.search
    if search.ids:
        return len(page.items)
    if page.next_key is None and search.after is None and search.page == 1:
        return len(page.items)
    return count_requests(platform(), search) if search.is_counted else None


def address_here() -> str:
    """The address of this very page, as `links_around` writes those of others."""
    paging = {name: request.args[name] for name in ("page", "cursor") if name in request.args}
    return page_url(paging)


def page_url(changes: dict[str, str], *without: str) -> str:
    """The address of this list with another page, as clients see this server; a key that came along stays out."""
    kept = _kept(request.query_string, without)
    query = f"{kept}&{urlencode(changes)}" if kept and changes else kept or urlencode(changes)
    address = own_address() + request.path
    return f"{address}?{query}" if query else address


@lru_cache(maxsize=1_024)
def _kept(query: bytes, without: tuple[str, ...]) -> str:
    """What of a query all pages of a list have in common."""
    dropped = ("page", "cursor", "api_key", *without)
    return urlencode([pair for pair in pairs_in(query) if pair[0] not in dropped])


@lru_cache(maxsize=1_024)
def _misspelt(query: bytes) -> tuple[tuple[str, str], ...]:
    """A query's parameters that differ from known ones only as people misspell: start-date, lng, pagesize."""
    found = []
    for name in names_in(query):
        right = _plain_names().get("".join(sign for sign in name.lower() if sign.isalnum()))
        if right and name not in _ARGUMENTS.fields and name not in ALIASES:
            found.append((_ascii(name), right))
    return tuple(found)


@cache
def _plain_names() -> dict[str, str]:
    """Known names, and what people write for them, without their underscores."""
    known = {name.replace("_", ""): name for name in (*_ARGUMENTS.fields, *ALIASES)}
    return known | {"lng": "long", "lon": "long", "longitude": "long", "latitude": "lat", "statuses": "status"}


def _ascii(name: str) -> str:
    return "".join(sign for sign in name[:40] if sign.isalnum() or sign in "-_.").encode("ascii", "ignore").decode()
