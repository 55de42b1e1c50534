"""The change feed. It lists the requests that became public, changed or were withdrawn (spec/extensions.md)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from math import ceil

from open311.domain.cursors import decode_cursor, encode_cursor, is_bigint
from open311.errors import Gone
from open311.formats import JSON, Format, json_item, shape_of, with_fragments, xml_item
from open311.operations.platform import Platform
from open311.storage.hot import changes
from open311.storage.hot.changes import BEGINNING, Position, PublishedChange
from schemas.arguments import EXTRA_FIELDS
from schemas.extensions import WithdrawnSchema
from schemas.limits import LONGEST_WAIT_S
from schemas.texts import tell

__all__ = [
    "BEGINNING",
    "LOST",
    "Changes",
    "Position",
    "find_changes",
    "follow_changes",
    "read_position",
    "write_position",
]

POLL_S = 0.25
MARKS_LAST = timedelta(days=90)
MARKS_SETTLE = timedelta(minutes=1)
"""The time of a mark is this much later than the clock, because the clocks of servers differ."""

LOST = tell("belongs to changes that this database does not have; start again without it.")
_WITHDRAWN = shape_of(WithdrawnSchema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Rendered changes, in the order of writing.

    reached       the position from which the caller continues
    is_caught_up  whether there are no further changes, not even changes that wait for an older transaction
    """

    items: Sequence[bytes]
    validator: str
    reached: Position
    is_caught_up: bool


@dataclass(frozen=True, slots=True)
class _Withdrawn:
    """The tombstone of a request that is no longer public."""

    service_request_id: str
    withdrawn: bool = True


def find_changes(
    platform: Platform,
    jurisdiction_id: str,
    after: Position,
    output: Format,
    extras: Sequence[str] = (),
    *,
    rows: int,
    department: str = "",
) -> Changes:
    """The next changes after a position, at most `rows`.

    department  only the requests of this department, by its code. A request that another department has got is
                withdrawn for the reader. The page may be empty though more changes follow

    Raises Gone if the position may belong to another history, because the database was restored from an older
    backup, or a replica became the primary.
    """
    found = changes.read_changes(
        platform.database.hot,
        jurisdiction_id,
        after,
        output,
        rows=rows + 1,
        with_extras=bool(extras),
        department=department,
    )
    if found.is_lost:
        raise Gone(LOST, "cursor")
    shown = found.changes[:rows]
    reached = shown[-1].position if shown else replace(after, timeline=found.timeline)
    is_caught_up = len(found.changes) <= rows and not found.is_held
    return Changes(
        items=[_rendered(change, output, extras) for change in shown if change.is_for_reader],
        validator=_validator(shown, reached, is_caught_up=is_caught_up, extras=extras),
        reached=reached,
        is_caught_up=is_caught_up,
    )


def follow_changes(
    platform: Platform,
    jurisdiction_id: str,
    after: Position,
    output: Format,
    extras: Sequence[str] = (),
    *,
    rows: int,
    wait_s: float,
    department: str = "",
) -> Changes:
    """The next changes. If there are none, wait up to `wait_s` seconds for one.

    Only one caller per process may wait, because a waiting caller occupies a thread. Other callers get an answer
    immediately.
    """

    def find() -> Changes:
        return find_changes(platform, jurisdiction_id, after, output, extras, rows=rows, department=department)

    def has_changes(found: Changes) -> bool:
        has_passed = found.reached != after and not found.is_caught_up
        return bool(found.items) or has_passed

    found = find()
    rounds = ceil(min(wait_s, LONGEST_WAIT_S) / POLL_S)
    has_one_thread = platform.settings.threads < 2
    if (
        has_changes(found)
        or not rounds
        or has_one_thread
        or not platform.process.is_waiting.acquire(blocking=False)
    ):
        return found
    try:
        for _ in range(rounds):
            time.sleep(min(POLL_S, wait_s))
            found = find()
            if has_changes(found):
                break
        return found
    finally:
        platform.process.is_waiting.release()


@dataclass(frozen=True, slots=True)
class NewestChanges:
    """Some changes, the newest first: the id of each request, and its JSON; b"" if it is no longer public.

    ended_at  the position before which the next, older changes are; None if no change is older
    """

    items: Sequence[tuple[str, bytes]]
    ended_at: Position | None


def find_newest_changes(
    platform: Platform, jurisdiction_id: str, before: Position | None, *, rows: int
) -> NewestChanges:
    """At most `rows` changes before a position, the newest first. None: from the end of the feed."""
    found = changes.read_newest_changes(platform.database.hot, jurisdiction_id, before, JSON, rows=rows + 1)
    shown = found[:rows]
    return NewestChanges(
        [(change.service_request_id, change.body) for change in shown],
        shown[-1].position if len(found) > rows else None,
    )


def position_at(platform: Platform, jurisdiction_id: str, at: datetime) -> Position:
    """A position before every change that was made after `at`. It is at most some minutes too early.

    The position is the beginning of the feed if `at` is more than 90 days ago or before a restore from another
    server, or if no worker has run.
    """
    return changes.find_mark(platform.database.hot, jurisdiction_id, at)


def write_position(jurisdiction_id: str, position: Position) -> str:
    """The opaque cursor of a position. It is valid for the feed of one jurisdiction."""
    timeline = () if position.timeline == 1 else (position.timeline,)  # as in releases without timelines
    return encode_cursor(jurisdiction_id, position.written_by, position.number, *timeline)


def read_position(text: str, jurisdiction_id: str) -> Position:
    """The position of a cursor. Raises ValueError if it is not a cursor of this jurisdiction's feed."""
    written_for, written_by, number, *rest = decode_cursor(text)
    if written_for != jurisdiction_id or not is_bigint(written_by) or written_by < 0 or not is_bigint(number):
        raise ValueError(text)
    if not rest:
        return Position(written_by, number)
    (timeline,) = rest
    if type(timeline) is not int or not 1 < timeline < 2**31:
        raise ValueError(text)
    return Position(written_by, number, timeline)


def mark_changes(platform: Platform, now: datetime) -> int:
    """Record the current end of each feed, for `position_at`. Returns how many feeds have new changes."""
    with platform.database.transaction() as connection:
        changes.delete_old_marks(connection, now - MARKS_LAST)
        return sum(
            changes.write_mark(connection, jurisdiction.id, now + MARKS_SETTLE)
            for jurisdiction in platform.registry
        )


def _rendered(change: PublishedChange, output: Format, extras: Sequence[str]) -> bytes:
    if change.body:
        added = [change.extras[EXTRA_FIELDS.index(name)] for name in extras]
        return with_fragments(change.body, added, output) if added else change.body
    content = _WITHDRAWN.plain(_Withdrawn(change.service_request_id))
    return (json_item(content) if output is JSON else xml_item(_WITHDRAWN, content)).encode()


def _validator(
    shown: Sequence[PublishedChange], reached: Position, *, is_caught_up: bool, extras: Sequence[str]
) -> str:
    """A validator for body and headers. The headers count, because all bodies without items are equal."""
    parts = [reached, is_caught_up, *extras, *((change.position, change.digest) for change in shown)]
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()
