"""Reading what is public: pages of requests, one request, tokens."""

from __future__ import annotations

from dataclasses import dataclass

from open311.domain.requests import TokenState
from open311.domain.search import MAX_IDS, RequestSearch
from open311.errors import Invalid, NotFound
from open311.formats import Format
from open311.operations.platform import Platform
from open311.storage import publications, tokens
from open311.storage.publications import Item, combined
from open311.storage.direct import Direct


@dataclass(frozen=True, slots=True)
class Page:
    """Rendered items of a list, whether there are more, and a validator that changes just when the items do."""

    items: list[str]
    has_more: bool
    validator: str


def find_requests(platform: Platform, search: RequestSearch, output: Format) -> Page:
    """The page that a search asks for, already rendered."""
    direct = platform.database.direct
    if search.ids:
        return _page(publications.find_by_ids(direct, search.jurisdiction_id, search.ids, output), len(search.ids))
    return _page(publications.find_items(direct, search, output), search.page_size)


def find_validator(platform: Platform, search: RequestSearch) -> str:
    """The validator of the page that a search asks for, without reading its items."""
    return _validator(*publications.find_digest(platform.database.direct, search))


def find_request(platform: Platform, jurisdiction_id: str, service_request_id: str, output: Format) -> Page:
    """One request by its id, or several by a comma list in the path (A20). NotFound for none."""
    direct = platform.database.direct
    item = publications.find_item(direct, jurisdiction_id, service_request_id, output)
    items = [item] if item else _listed(direct, jurisdiction_id, service_request_id, output)
    if not items:
        raise NotFound(f"{service_request_id[:60]!r} is not a request here.", "service_request_id")
    return _page(items, len(items))


def find_token(platform: Platform, jurisdiction_id: str, token: str) -> TokenState:
    """What became of a token: an id, or none yet. NotFound if unknown, Invalid with the reason if it failed."""
    state = tokens.find_token(platform.database.direct, jurisdiction_id, token)
    if state is None:
        raise NotFound(f"{token[:60]!r} was not given out here.", "token")
    if state.failure:
        raise Invalid(f"the request could not be made: {state.failure}", "token")
    return state


def _listed(direct: Direct, jurisdiction_id: str, path: str, output: Format) -> list[Item]:
    """The requests of a comma list in the path."""
    ids = tuple(dict.fromkeys(part.strip() for part in path.split(",") if part.strip()))
    if len(ids) > MAX_IDS:
        raise Invalid(f"holds {len(ids)} ids; {MAX_IDS} are allowed.", "service_request_id")
    return publications.find_by_ids(direct, jurisdiction_id, ids, output) if len(ids) > 1 else []


def _page(items: list[Item], page_size: int) -> Page:
    shown = items[:page_size]
    return Page(
        items=[item.body for item in shown],
        has_more=len(items) > page_size,
        validator=_validator(len(shown), combined(shown)),
    )


def _validator(count: int, digest: int) -> str:
    return f"{count}-{digest % 2**64:x}"
