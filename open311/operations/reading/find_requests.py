"""Public requests: pages, single requests, and tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple

from open311.domain.access import Principal
from open311.domain.requests import TokenState
from open311.domain.search import PageKey, RequestSearch, Window
from open311.errors import Invalid, NotFound
from open311.formats import JSON, Format, with_fragments
from open311.operations.platform import Platform
from open311.operations.reading.own_ids import with_own_ids
from open311.storage import external_ids, tokens
from open311.storage.hot import searching as storage
from open311.storage.hot.changes import find_last_transaction
from open311.storage.hot.items import Items
from schemas.arguments import EXTRA_FIELDS
from schemas.limits import MAX_IDS
from schemas.texts import tell

COUNT_TO = 10_000
"""The greatest number of requests that is counted. The length of a longer list is not reported."""


class Page(NamedTuple):
    """Rendered items of a list, and a validator that changes exactly when the items change.

    next_key  the key after which the next page begins; None on the last page and for lists of ids
    """

    items: Sequence[bytes]
    validator: str
    next_key: PageKey | None = None


def find_requests(
    platform: Platform,
    search: RequestSearch,
    output: Format,
    extras: Sequence[str] = (),
    *,
    partner: Principal | None = None,
) -> Page:
    """The page that a search asks for, with rendered items.

    extras   names from EXTRA_FIELDS: the fields to add to each item
    partner  the partner whose own ids are added to the extended_attributes; None to add none
    """
    hot, with_extras = platform.database.hot, bool(extras)
    if search.ids:
        items = storage.find_by_ids(hot, search.jurisdiction_id, search.ids, output, with_extras=with_extras)
        items = with_own_ids(platform, search.jurisdiction_id, items, output, partner)
        return page_of(items, output, extras)
    items = storage.find_items(hot, search, output, with_extras=with_extras)
    items = with_own_ids(platform, search.jurisdiction_id, items, output, partner)
    validator = _validator(items)
    if len(items.bodies) <= search.page_size:
        return page_of(items, output, extras, validator)
    next_key = items.key(search.page_size - 1)
    return page_of(items.first(search.page_size), output, extras, validator, next_key=next_key)


def count_requests(platform: Platform, search: RequestSearch) -> int | None:
    """How many requests a search finds on all its pages; None if there are more than COUNT_TO."""
    count = storage.count_items(platform.database.hot, search, most=COUNT_TO)
    return count if count <= COUNT_TO else None


def find_validator(platform: Platform, search: RequestSearch, now: datetime) -> str:
    """The validator of the page that a search asks for. The page's items are not read.

    For equal searches, the validator is computed at most once a second, unless something public has changed, or the
    search is by words or by the last change.
    """
    # `last` is the last transaction that changed something visible. The search words of a request and the time of
    # its last change can change without a visible change, so `last` does not show such a change.
    has_hidden_filter = search.words or search.changed != Window()
    last = None if has_hidden_filter else find_last_transaction(platform.database.hot, search.jurisdiction_id)
    # Read the transaction first: the digest may be newer than the transaction, but must never be older.
    if last is None:
        return _digest(platform, search)

    return platform.process.cached(_digest_at)(platform, search, now, last)


def find_request(
    platform: Platform,
    jurisdiction_id: str,
    service_request_id: str,
    output: Format,
    extras: Sequence[str] = (),
    *,
    partner: Principal | None = None,
) -> Page:
    """One request by its id, or several by ids separated by commas (A20). Raises NotFound if there is none."""
    hot, with_extras = platform.database.hot, bool(extras)
    items = storage.find_item(hot, jurisdiction_id, service_request_id, output, with_extras=with_extras)
    if not items.bodies:
        ids = _ids_in(service_request_id)
        items = storage.find_by_ids(hot, jurisdiction_id, ids, output, with_extras=with_extras)
    if not items.bodies:
        raise NotFound(tell("{id!r} is not a request here.", id=service_request_id[:60]), "service_request_id")
    return page_of(with_own_ids(platform, jurisdiction_id, items, output, partner), output, extras)


def find_own(platform: Platform, jurisdiction_id: str, partner: Principal, own_id: str) -> str:
    """The service_request_id of the public request that has a partner's own id; "" if there is none."""
    with platform.database.reading() as connection:
        return external_ids.shown_as(connection, jurisdiction_id, str(partner), own_id)


def find_token(platform: Platform, jurisdiction_id: str, token: str) -> TokenState:
    """The state of a token, with or without an id. Raises NotFound if unknown, Invalid if it gets no id."""
    state = tokens.find_token(platform.database.hot.rows, jurisdiction_id, token)
    if state is None:
        raise NotFound(tell("{token!r} is not a token here.", token=token[:60]), "token")
    if state.failure:
        raise Invalid(tell("the request could not be made: {reason}", reason=state.failure), "token")
    return state


def _digest(platform: Platform, search: RequestSearch) -> str:
    return _tag(*storage.find_digest(platform.database.hot, search))


def _digest_at(platform: Platform, search: RequestSearch, _: datetime, __: tuple[int, int]) -> str:
    """The same as `_digest`, cached. The last two parameters are only part of the cache key."""
    return _digest(platform, search)


def _ids_in(path: str) -> tuple[str, ...]:
    """The ids in a path that are separated by commas; empty for a single id, because it was searched already."""
    ids = tuple(dict.fromkeys(part.strip() for part in path.split(",") if part.strip()))
    if len(ids) > MAX_IDS:
        fault = tell("holds {count} {unit}; {most} are allowed.", count=len(ids), unit=tell("ids"), most=MAX_IDS)
        raise Invalid(fault, "service_request_id")
    return ids if "," in path else ()


def page_of(
    items: Items, output: Format, extras: Sequence[str], validator: str = "", *, next_key: PageKey | None = None
) -> Page:
    """A page of items with the extras that were asked for, and with distances if the items have any."""
    validator = validator or _validator(items)
    if not extras and not items.distances:
        return Page(items=items.bodies, validator=validator, next_key=next_key)
    indexes = [EXTRA_FIELDS.index(name) for name in extras]
    rows = zip_longest(items.bodies, items.extras, items.distances)
    bodies = [
        with_fragments(body, _fields(extras, distance, indexes, output), output) for body, extras, distance in rows
    ]
    return Page(items=bodies, validator=f"{validator}-{''.join(map(str, indexes))}", next_key=next_key)


def _fields(
    extras: Sequence[str], distance_m: float | None, indexes: Sequence[int], output: Format
) -> Iterator[str]:
    """The fields to add to one item."""
    yield from (extras[index] for index in indexes)
    if distance_m is not None:
        metres = round(distance_m, 1)
        yield f'"distance":{metres}' if output is JSON else f"<distance>{metres}</distance>"


def _validator(items: Items) -> str:
    return _tag(len(items.bodies), items.digest)


def _tag(count: int, digest: int) -> str:
    return f"{count}-{digest % 2**64:x}"
