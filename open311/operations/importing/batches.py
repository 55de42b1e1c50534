"""A batch: some rows of a file, imported in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from open311.domain.imports import Conflict, Finding, Mending, Refusal, SourceRow
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.operations.importing.matching import MatchedRow, Matcher
from open311.operations.importing.storing import BatchWriter
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage.engine import undeadlocked

DEFAULT_BATCH_ROWS = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """The target and the options of an import.

    origin      the name of the rows' source in the history, such as a file's name
    is_dry_run  whether each batch is rolled back, so that nothing is stored
    """

    jurisdiction: Jurisdiction
    origin: str
    now: datetime
    batch_rows: int = DEFAULT_BATCH_ROWS
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows were read, and how many of them had each result.

    read         the sum of new, changed, unchanged, conflicting and refused
    conflicting  rows that contradict a change made here, whether the row or the change was kept
    mended       the number of rows for each kind of repair
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    conflicting: int = 0
    refused: int = 0
    mended: Mapping[Mending, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            read=self.read + other.read,
            new=self.new + other.new,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
            conflicting=self.conflicting + other.conflicting,
            refused=self.refused + other.refused,
            mended=Counter(self.mended) + Counter(other.mended),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """The results of a batch's rows, after its transaction has ended."""

    tally: Tally
    refusals: tuple[Refusal, ...]
    conflicts: tuple[Conflict, ...] = ()


class _DryRun(Exception):
    """Raised to roll back the transaction of a dry run."""


def in_chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Rows in lists of `size`. The last list may be shorter.

    If reading raises Invalid, the rows before the failure are yielded first. Then Invalid is raised.
    """
    chunk: list[T] = []
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) >= size:
                yield chunk
                chunk = []
    except Invalid:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def import_batch(platform: Platform, rows: list[SourceRow | Refusal], order: Import, matcher: Matcher) -> Batch:
    """Import some rows in one transaction.

    Another import, or a command on several requests, may lock some of the requests in another order. If this leads
    to a deadlock that ends the transaction, the transaction is tried again.
    """
    matched, refusals = _match(rows, order.now, matcher)
    writer = undeadlocked(lambda: _write(platform, matched, order, matcher))
    refusals = sorted([*refusals, *writer.refusals], key=_position)
    tally = Tally(
        read=len(rows),
        new=writer.new,
        changed=writer.changed,
        unchanged=writer.unchanged,
        conflicting=len(writer.conflicts),
        refused=len(refusals),
        mended=writer.mended,
    )
    return Batch(tally, tuple(refusals), tuple(sorted(writer.conflicts, key=_position)))


def _write(platform: Platform, rows: list[MatchedRow], order: Import, matcher: Matcher) -> BatchWriter:
    """Store rows in one transaction. Returns the writer, which has the results."""
    with suppress(_DryRun), platform.database.transaction() as connection:
        writer = BatchWriter(platform, connection, matcher.areas, origin=order.origin, now=order.now)
        writer.write(rows)
        if order.is_dry_run:
            raise _DryRun
    return writer


def _position(found: Finding) -> int:
    return found.position


def _match(
    rows: list[SourceRow | Refusal], now: datetime, matcher: Matcher
) -> tuple[list[MatchedRow], list[Refusal]]:
    """The rows that can be stored, and those that cannot."""
    matched: list[MatchedRow] = []
    refusals: list[Refusal] = []
    matcher.expect(row for row in rows if isinstance(row, SourceRow))
    for row in rows:
        if isinstance(row, Refusal):
            refusals.append(row)
            continue
        try:
            matched.append(matcher.match(row, now))
        except Invalid as error:
            reasons = " ".join(map(str, error.problems))
            refusals.append(Refusal(row.position, clean_text(row.service_request_id.strip()), reasons, row.line))
    return matched, refusals
