"""Cursors: where a page ended, so that the next one begins there whatever was added or changed meanwhile.

Opaque to clients. One also carries the order and the window of the first page, as "the last 90 days" moves on.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from open311.domain.search import PageKey, RequestSearch, Sort, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What a list goes on with."""

    sort: Sort
    after: PageKey
    requested: Window
    changed: Window


def write_cursor(search: RequestSearch, after: PageKey) -> str:
    """The cursor of the page after `after`, URL-safe."""
    bounds = (search.requested.start, search.requested.end, search.changed.start, search.changed.end)
    parts = [search.sort, _seconds(after.at), after.number, *map(_seconds, bounds)]
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """The cursor in `text`; ValueError if it is none."""
    try:
        parts = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        sort, at, number, *bounds = parts
        requested_start, requested_end, changed_start, changed_end = map(_instant, bounds)
        here = _instant(at)
        if here is None or not isinstance(number, int) or not -(2**63) <= number < 2**63:
            raise ValueError(text)
        return Cursor(
            sort=Sort(sort),
            after=PageKey(here, number),
            requested=Window(requested_start, requested_end),
            changed=Window(changed_start, changed_end),
        )
    except (TypeError, OverflowError, OSError) as error:
        raise ValueError(text) from error


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
