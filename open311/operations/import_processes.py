"""A long file imported by several processes, each on a connection of its own, with the results in the file's order.

A batch runs beside others only while they have no id in common, so a request takes the rows of its id in their
order, and the outcome is that of one process. Each batch is a transaction still: whatever is killed, the same
import may run again.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from threading import Thread, current_thread, main_thread
from types import TracebackType
from typing import Any, Self

from open311.errors import Invalid
from open311.formats.reading import Source, SourceItem, Vocabulary, vocabulary_named
from open311.operations.import_requests import Batch, Import, Matches, import_batch, in_chunks
from open311.operations.platform import Platform, open_platform
from open311.operations.sync import ensure_synced
from open311.settings import Settings

ALONE_ROWS = 10_000
"""What one process imports before others are asked to help: they need about a second to start."""
OBJECTS_BEFORE_COLLECTION = 500_000


class Processes:
    """This process and, once a file has proved to be long, its helpers; for use in a `with` statement."""

    def __init__(self, platform: Platform, count: int) -> None:
        """`count` processes in all do the work that can be shared; 1 is this one alone."""
        self._platform = platform
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(_rare_collections())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have the helpers finish what they are at, and end them."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def import_source(self, source: Source, order: Import) -> Iterator[Batch]:
        """Import a source's rows, a batch at each step; what is yielded is committed.

        When reading fails with Invalid, what came before is imported, then it is raised. A KeyboardInterrupt
        comes after the batches that are being imported.
        """
        ensure_synced(self._platform)
        matches = Matches(order.jurisdiction)
        chunks = in_chunks(source.found, order.batch_rows)
        alone = None if self._count == 1 else -(-ALONE_ROWS // order.batch_rows)
        for chunk in islice(chunks, alone):
            with _interrupts_postponed():  # until the caller has counted what is stored
                yield import_batch(self._platform, source.vocabulary.rows(chunk), order, matches)
        first = next(chunks, None)
        if first is not None:
            yield from self._shared(source.vocabulary, chain([first], chunks), order)

    def _shared(self, vocabulary: Vocabulary, chunks: Iterable[list[SourceItem]], order: Import) -> Iterator[Batch]:
        pool, work = self._helpers(), _Work.of(vocabulary, order)
        return _side_by_side(
            ((vocabulary.ids(chunk), chunk) for chunk in chunks),
            lambda chunk: pool.submit(_import, work, chunk),
            most=self._count + 1,  # one waits, so that nobody has to
        )

    def _helpers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._count, get_context("spawn"), initializer=_open, initargs=(self._platform.settings,)
            )
            with _interrupts_held():
                for _ in range(self._count):  # nobody is idle yet, so each brings a process up
                    self._pool.submit(int)
        return self._pool


def _side_by_side(
    chunks: Iterable[tuple[set[str], list[SourceItem]]],
    submit: Callable[[list[SourceItem]], Future[Batch]],
    *,
    most: int,
) -> Iterator[Batch]:
    """What becomes of chunks, in their order; at most so many are at work at once, no two with an id in common."""
    at_work: deque[tuple[set[str], Future[Batch]]] = deque()
    try:
        for ids, chunk in chunks:
            while len(at_work) >= most or any(not ids.isdisjoint(others) for others, _ in at_work):
                yield _first(at_work)
            at_work.append((ids, submit(chunk)))
        while at_work:
            yield _first(at_work)
    except KeyboardInterrupt:
        yield from (future.result() for _, future in at_work if not future.cancel())
        raise
    except Invalid:
        yield from (future.result() for _, future in at_work)
        raise


def _first(at_work: deque[tuple[set[str], Future[Batch]]]) -> Batch:
    """Wait for the first chunk; it leaves the queue once it is done."""
    batch = at_work[0][1].result()
    at_work.popleft()
    return batch


@contextmanager
def _interrupts_postponed() -> Iterator[None]:
    """Ctrl-C comes at the end of the block; threads other than the main one never get it."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []
    usual = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if came and callable(usual):
        usual(came[0], None)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal: those that begin here never hear it, this one does afterwards."""
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Rows come and go without cycles; looking for some at the usual pace takes a seventh of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


# What helpers do.

_here: dict[str, Any] = {}
"""The helper's own platform, and what it remembers of each city's catalogue."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What a helper has to know of a file."""

    vocabulary: str
    jurisdiction_id: str
    origin: str
    now: datetime
    is_dry_run: bool

    @classmethod
    def of(cls, vocabulary: Vocabulary, order: Import) -> _Work:
        """All of it."""
        return cls(vocabulary.name, order.jurisdiction.id, order.origin, order.now, order.is_dry_run)


def _open(settings: Settings) -> None:
    Thread(target=_leave_with_parent, daemon=True).start()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    _here["platform"] = open_platform(settings)


def _leave_with_parent() -> None:
    """A killed parent tells nobody; without this its helpers would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _import(work: _Work, chunk: list[SourceItem]) -> Batch:
    platform: Platform = _here["platform"]
    jurisdiction = platform.registry.find(work.jurisdiction_id)
    matches: Matches = _here.setdefault(jurisdiction.id, Matches(jurisdiction))
    order = Import(jurisdiction=jurisdiction, origin=work.origin, now=work.now, is_dry_run=work.is_dry_run)
    return import_batch(platform, vocabulary_named(work.vocabulary).rows(chunk), order, matches)
