"""Reading what is public: pages of requests, one request, tokens."""

from __future__ import annotations

from dataclasses import dataclass

from open311.domain.requests import TokenState
from open311.domain.search import MAX_IDS, RequestSearch
from open311.errors import Invalid, NotFound
from open311.formats import Format
from open311.operations.platform import Platform
from open311.storage import publications, tokens


@dataclass(frozen=True, slots=True)
class Page:
    """Rendered items of a list, and whether there are more."""

    items: list[str]
    has_more: bool


def find_requests(platform: Platform, search: RequestSearch, output: Format) -> Page:
    """The page that a search asks for, already rendered."""
    with platform.database.reading() as connection:
        items = publications.find_items(connection, search, output)
    has_more = not search.ids and len(items) > search.page_size
    return Page(items[: search.page_size] if has_more else items, has_more)


def find_request(platform: Platform, jurisdiction_id: str, service_request_id: str, output: Format) -> list[str]:
    """One request by its id, or several by a comma list in the path (A20). NotFound for none."""
    with platform.database.reading() as connection:
        item = publications.find_item(connection, jurisdiction_id, service_request_id, output)
        if item is not None:
            return [item]
        ids = tuple(dict.fromkeys(part.strip() for part in service_request_id.split(",") if part.strip()))
        if len(ids) > MAX_IDS:
            raise Invalid(f"holds {len(ids)} ids; {MAX_IDS} are allowed.", "service_request_id")
        items: list[str] = []
        if len(ids) > 1:
            search = RequestSearch(jurisdiction_id=jurisdiction_id, ids=ids)
            items = publications.find_items(connection, search, output)
    if not items:
        raise NotFound(f"{service_request_id[:60]!r} is not a request here.", "service_request_id")
    return items


def find_token(platform: Platform, jurisdiction_id: str, token: str) -> TokenState:
    """What became of a token: an id, or none yet. NotFound if unknown, Invalid with the reason if it failed."""
    with platform.database.reading() as connection:
        state = tokens.find_token(connection, jurisdiction_id, token)
    if state is None:
        raise NotFound(f"{token[:60]!r} was not given out here.", "token")
    if state.failure:
        raise Invalid(f"the request could not be made: {state.failure}", "token")
    return state
