"""Cursors: opaque texts that tell the server where a reader continues. All cursors have one encoding."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from open311.domain.search import PageKey, RequestSearch, Sort, Window


def encode_cursor(*parts: object) -> str:
    """A URL-safe text that holds the parts. A part is a text, a whole number or None."""
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_cursor(text: str) -> list[Any]:
    """The parts that a cursor holds. Raises ValueError if the text is not a cursor."""
    parts = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if not isinstance(parts, list):
        raise ValueError(text)
    return parts


def is_bigint(value: object) -> bool:
    """Whether a part is a whole number that PostgreSQL's bigint can hold."""
    return type(value) is int and -(2**63) <= value < 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCursor:
    """The end of a page (keyset pagination). The next page begins after it, even if requests are added meanwhile.

    The cursor holds the order and the windows of the first page, because "the last 90 days" depends on the time.
    """

    sort: Sort
    after: PageKey
    requested: Window
    changed: Window

    @classmethod
    def behind(cls, search: RequestSearch, after: PageKey) -> PageCursor:
        """The cursor of the page that begins after the item with this key."""
        return cls(sort=search.sort, after=after, requested=search.requested, changed=search.changed)

    @classmethod
    def read(cls, text: str) -> PageCursor:
        """Decode a cursor. Raises ValueError if the text is not a cursor."""
        try:
            sort, at, number, *bounds = decode_cursor(text)
            start, end, changed_start, changed_end = map(_instant, bounds)
            key_at = _instant(at)
        except (TypeError, OverflowError, OSError) as error:
            raise ValueError(text) from error
        if key_at is None or not is_bigint(number):
            raise ValueError(text)
        return cls(
            sort=Sort(sort),
            after=PageKey(key_at, number),
            requested=Window(start, end),
            changed=Window(changed_start, changed_end),
        )

    def __str__(self) -> str:
        bounds = (self.requested.start, self.requested.end, self.changed.start, self.changed.end)
        return encode_cursor(self.sort, _seconds(self.after.at), self.after.number, *map(_seconds, bounds))


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
