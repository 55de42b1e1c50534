"""Reads a whole city while writers run at full speed. Finds items that a reader misses or gets twice.

One reader repeatedly pages through the list of all requests by its links. Another follows the change feed by its
cursors. Both readers use HTTP. The writers are processes that send requests with dates in the middle of the
list, and add notes to these requests. All use a copy of the database, so that the original is not changed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from tests.benchmarks.contestants import OURS, Server, running
from tests.benchmarks.data import CITY, Data, copied
from tests.benchmarks.load import Answer, Refused, ask, call
from tests.benchmarks.workloads import address
from tests.operations.reader import Follower, Page, Pager, Read
from tests.operations.writer import writing

NAME = "bench_reading"
PLUGIN = ("newyork", "Street Condition")
WRITERS = 3
PAGES = 20
"""The minimum number of pages of the list, so that writers write between the pages."""
LONG_AGO = "2000-01-01T00:00:00Z"
LONGEST_S = 1_800.0
CATCH_UP_S = 60.0
_NEXT = re.compile(r'<([^>]+)>; rel="next"')


@dataclass(frozen=True, slots=True)
class Readers:
    """The readers' results.

    written   number of sent requests, without their notes
    rounds    how often the whole list was read
    listed    number of items read in all rounds
    followed  number of changes read from the feed
    missed    number of requests that were missing in a round or in the feed
    doubled   number of requests that were received twice or in the wrong order
    """

    rows: int
    written: int
    notes: int
    seconds: float
    rounds: int
    listed: int
    followed: int
    missed: int
    doubled: int


def measure_readers(data: Data, environment: Mapping[str, str], log: Path, each: int) -> Readers:
    """Read while each writer sends `each` requests, and once more after the writers have ended."""
    with copied(data, NAME) as copy, running(OURS, {**environment, "DATABASE_URL": copy.url}, log) as server:
        before = _ids(copy)
        follower = Follower(_feed(server, data.rows))
        pager = Pager(_list(server, data.rows), before)
        begun_at = time.perf_counter()
        last = _read_during_writes(copy, follower, pager, each)
        seconds = time.perf_counter() - begun_at
        _catch_up(follower, pager)
    everything = before | set(last)
    missed = set(follower.missed(dict.fromkeys(before, 0) | last)) | pager.missed | (everything - pager.seen)
    doubled = set(follower.doubled()) | pager.doubled
    return Readers(
        rows=data.rows,
        written=len(last),
        notes=sum(last.values()),
        seconds=seconds,
        rounds=pager.rounds,
        listed=pager.count,
        followed=follower.count,
        missed=len(missed),
        doubled=len(doubled),
    )


def _read_during_writes(copy: Data, follower: Follower, pager: Pager, each: int) -> dict[str, int]:
    """Run both readers in turn while the writers write; returns each request's number of notes."""
    give_up_at = time.monotonic() + LONGEST_S
    with ExitStack() as stack:
        writers = [stack.enter_context(writing(copy.url, number, each, city=PLUGIN)) for number in range(WRITERS)]
        while any(writer.is_writing for writer in writers):
            follower.read()
            pager.read()
            if time.monotonic() > give_up_at:
                raise Refused(f"the writers have not ended after {LONGEST_S:.0f} s")
        return {name: note for writer in writers for name, note in writer.notes().items()}


def _catch_up(follower: Follower, pager: Pager) -> None:
    """Read everything after the writers have ended. Other sessions can still delay the feed for a moment."""
    give_up_at = time.monotonic() + CATCH_UP_S
    while not follower.read():
        if time.monotonic() > give_up_at:
            raise Refused("the reader of the change feed does not reach the end")
    for _ in range(2):  # the rest of the current round, and a complete round
        while not pager.read():
            pass


def _feed(server: Server, rows: int) -> Read:
    """The change feed, page by page."""
    size = _page_size(rows)

    def read(cursor: str | None) -> Page:
        answer = _ask(server, address("changes.json", page_size=size, **({"cursor": cursor} if cursor else {})))
        is_last = answer.header("X-Caught-Up") == "true"
        return Page(orjson.loads(answer.body), answer.header("X-Cursor"), is_last)

    return read


def _list(server: Server, rows: int) -> Read:
    """The list of all requests of the city, newest first, by its links."""
    first = address("requests.json", updated_after=LONG_AGO, page_size=_page_size(rows))

    def read(target: str | None) -> Page:
        answer = _ask(server, target or first)
        match = _NEXT.search(answer.header("Link"))
        parts = urlsplit(match[1]) if match else None
        return Page(orjson.loads(answer.body), parts and f"{parts.path}?{parts.query}", parts is None)

    return read


def _page_size(rows: int) -> int:
    return min(1_000, rows // PAGES)


def _ask(server: Server, target: str) -> Answer:
    answer = ask(server.port, call("GET", target))
    if answer.status != 200:
        raise Refused(f"{target}: {answer.status} {answer.body[:200]!r}")
    return answer


def _ids(data: Data) -> set[str]:
    with data.cursor() as cursor:
        cursor.execute("SELECT service_request_id FROM publication WHERE jurisdiction_id = %s", (CITY,))
        return {row[0] for row in cursor.fetchall()}
