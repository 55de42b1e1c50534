"""A page of a queue as JSON, mostly from rows that this process has rendered before (decision 0029)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import orjson

from open311.domain.queues import QueueSearch
from open311.operations.desk.queues import find_queue, key_of
from open311.operations.desk.rendering import rendered_row
from open311.operations.platform import Platform
from open311.operations.row_cache import CachedRow
from open311.plugins import Jurisdiction
from open311.storage import accounts
from open311.storage.hot import queues
from open311.storage.hot.ahead import ReadAhead
from open311.storage.hot.queues import RowState
from open311.storage.hot.transactions import Run


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


class LastSearch:
    """The last search of a query and a token; None before the first one. The next call is expected to repeat it.

    If the account's rights have changed since the last call, the next search is another one, and nothing that was
    read ahead is used.
    """

    def __init__(self, _caller: int) -> None:
        self.search: QueueSearch | None = None

    @classmethod
    def of(cls, platform: Platform, caller: int) -> LastSearch:
        """The last search of a caller. `caller`: a hash of the query and the token, so that no token is kept."""
        return platform.process.cached(cls)(caller)

    def read_ahead(self, platform: Platform, now: datetime) -> ReadAhead:
        """The reads of the next call, which begins at `now`."""
        expected = None if self.search is None else queues.states_statement(self.search, now)
        return ReadAhead(platform.database.hot, expected)


def render_queue(
    platform: Platform, city: Jurisdiction, search: QueueSearch, now: datetime, *, run: Run | None = None
) -> RenderedQueue:
    """One page of a queue, in the order of `find_queue`.

    The first statement reads the `RowState` of each request on the page. Only requests whose `RowState` was not
    rendered before are then read whole. If one of them changes between the two statements, perhaps into the queue
    of another department, a single statement reads the page again.

    run  runs the first statement
    """
    found = queues.find_states(run or platform.database.hot.rows, search, now)
    rows = _rows(platform, city, found[: search.page_size], now)
    if rows is None:
        return _render_again(platform, city, search, now)
    return RenderedQueue(rows, str(key_of(search, rows[-1])) if len(found) > len(rows) else None)


def _rows(
    platform: Platform, city: Jurisdiction, states: Sequence[RowState], now: datetime
) -> Sequence[CachedRow] | None:
    """The rendered rows of these states; None if a request has changed since its `RowState` was read."""
    cache = platform.process.queue_rows
    kept = cache.find(city, states)
    if None in kept:
        missing = [state for state, row in zip(states, kept, strict=True) if row is None]
        new = _new_rows(platform, city, missing, now)
        cache.keep(city, new)
        kept = [row or new.get(state) for state, row in zip(states, kept, strict=True)]
    whole = [row for row in kept if row is not None]
    return whole if len(whole) == len(states) else None


def _new_rows(
    platform: Platform, city: Jurisdiction, states: Sequence[RowState], now: datetime
) -> dict[RowState, CachedRow]:
    hot = platform.database.hot
    read = queues.find_rows(hot, city.id, states)
    names = accounts.names_of(hot.rows, {row.assignee for row in read.values()})
    return {state: rendered_row(row, names, city, now) for state, row in read.items()}


def _render_again(platform: Platform, city: Jurisdiction, search: QueueSearch, now: datetime) -> RenderedQueue:
    page = find_queue(platform, search, now)
    rows = [rendered_row(row, page.names, city, now) for row in page.rows]
    return RenderedQueue(rows, None if page.next_key is None else str(page.next_key))
