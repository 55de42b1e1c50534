"""A page of a queue as JSON, mostly from rows that this process has rendered before (decision 0029)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from open311.domain.queues import QueueKey, QueueSearch
from open311.operations.desk.queues import find_queue
from open311.operations.desk.rendering import rendered_row
from open311.operations.platform import Platform
from open311.operations.row_cache import CachedRow
from open311.plugins import Jurisdiction
from open311.storage import accounts
from open311.storage.hot import queues
from open311.storage.hot.queues import RowState


@dataclass(frozen=True, slots=True)
class RenderedQueue:
    """A page of a queue (QueueSchema).

    cursor  the cursor of the next page; None if there is none
    """

    rows: Sequence[CachedRow]
    cursor: str | None

    @property
    def json(self) -> bytes:
        items = b",".join([row.json for row in self.rows])
        return b'{"requests":[' + items + b'],"cursor":' + orjson.dumps(self.cursor) + b"}"

    @property
    def validator(self) -> str:
        """Changes exactly when the JSON changes. A digest of the JSON itself would take ten times as long."""
        digests = b"".join([row.digest for row in self.rows])
        return blake2b(digests + orjson.dumps(self.cursor), digest_size=12).hexdigest()


def render_queue(platform: Platform, city: Jurisdiction, search: QueueSearch) -> RenderedQueue:
    """One page of a queue: the most urgent due date first, requests without a date last.

    The first statement reads the state of each request on the page. Only requests whose state was not rendered
    before are then read whole. If one of them changes between the two statements, perhaps into the queue of another
    department, a single statement reads the page again.
    """
    found = queues.find_states(platform.database.hot, search)
    states = found.states[: search.page_size]
    rows = _rows(platform, city, search, states)
    if rows is None:
        return _render_again(platform, city, search)
    next_key = found.key(len(states) - 1) if len(found.states) > len(states) else None
    return RenderedQueue(rows, _cursor(next_key))


def _rows(
    platform: Platform, city: Jurisdiction, search: QueueSearch, states: Sequence[RowState]
) -> Sequence[CachedRow] | None:
    """The rendered rows of these states; None if a request has changed since its state was read."""
    cache = platform.process.queue_rows
    kept = cache.find(states)
    missing = [state for state, row in zip(states, kept, strict=True) if row is None]
    new = _new_rows(platform, city, search, missing) if missing else {}
    cache.keep(new)
    rows = [row or new.get(state) for state, row in zip(states, kept, strict=True)] if missing else kept
    whole = [row for row in rows if row is not None]
    return whole if len(whole) == len(states) else None


def _new_rows(
    platform: Platform, city: Jurisdiction, search: QueueSearch, states: Sequence[RowState]
) -> dict[RowState, CachedRow]:
    hot = platform.database.hot
    read = queues.find_rows(hot, city.id, states)
    names = accounts.names_of(hot.rows, {row.assignee for row in read.values()})
    return {state: rendered_row(row, names, city, search.now) for state, row in read.items()}


def _render_again(platform: Platform, city: Jurisdiction, search: QueueSearch) -> RenderedQueue:
    page = find_queue(platform, search)
    rows = [rendered_row(row, page.names, city, search.now) for row in page.rows]
    return RenderedQueue(rows, _cursor(page.next_key))


def _cursor(key: QueueKey | None) -> str | None:
    return None if key is None else str(key)
