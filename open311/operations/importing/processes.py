"""Imports a long file with several processes, each with its own connection. Results come in the file's order.

Batches run at the same time only if they have no id in common. So the rows of one id are stored in their order, and
the result is the same as with one process. The only difference is in possible duplicates, because batches that are
stored at the same time do not see each other. Each batch is one transaction. So an import can run again after a
process was killed.
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
from open311.formats.reading import ColumnMap, Source, SourceItem
from open311.operations.importing.batches import Batch, Import, import_batch, in_chunks
from open311.operations.importing.matching import Matcher
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.sync_catalogues import store_catalogue
from open311.settings import Settings

ALONE_ROWS = 10_000
"""The number of rows that this process imports before it starts helpers. To start them takes about a second."""
OBJECTS_BEFORE_COLLECTION = 500_000


class Processes:
    """A context manager that imports files. It starts helper processes for the first long file."""

    def __init__(self, platform: Platform, count: int) -> None:
        """With a `count` above 1, that many helpers share the work on long files. With 1, this process does it."""
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
        """Let the helpers finish their current batches, then end them."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def import_source(self, source: Source, order: Import) -> Iterator[Batch]:
        """Import a source's rows. Yields each batch after its commit.

        If reading raises Invalid, the rows before the failure are imported, then Invalid is raised. A
        KeyboardInterrupt is raised after the current batches have been imported.
        """
        store_catalogue(self._platform, order.jurisdiction, order.now, is_dry_run=order.is_dry_run)
        matcher = Matcher(order.jurisdiction)
        chunks = in_chunks(source.found, order.batch_rows)
        alone = None if self._count == 1 else -(-ALONE_ROWS // order.batch_rows)
        for chunk in islice(chunks, alone):
            with _interrupts_postponed():  # until the caller has counted the batch
                yield import_batch(self._platform, source.column_map.rows(chunk), order, matcher)
        first = next(chunks, None)
        if first is not None:
            yield from self._shared(source.column_map, chain([first], chunks), order)

    def _shared(self, column_map: ColumnMap, chunks: Iterable[list[SourceItem]], order: Import) -> Iterator[Batch]:
        pool, work = self._helpers(), _Work.of(column_map, order)
        return _side_by_side(
            ((column_map.ids(chunk), chunk) for chunk in chunks),
            lambda chunk: pool.submit(_import, work, chunk),
            most=self._count + 1,  # one batch is ready for the next idle helper
        )

    def _helpers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._count, get_context("spawn"), initializer=_open, initargs=(self._platform.settings,)
            )
            with _interrupts_held():
                for _ in range(self._count):  # no helper is idle yet, so each call starts one
                    self._pool.submit(int)
        return self._pool


def _side_by_side(
    chunks: Iterable[tuple[set[str], list[SourceItem]]],
    submit: Callable[[list[SourceItem]], Future[Batch]],
    *,
    most: int,
) -> Iterator[Batch]:
    """Submit chunks and yield their batches in order. No two chunks with an id in common are in work at once.

    most  the greatest number of chunks in work at once
    """
    in_work: deque[tuple[set[str], Future[Batch]]] = deque()
    try:
        for ids, chunk in chunks:
            while len(in_work) >= most or any(not ids.isdisjoint(others) for others, _ in in_work):
                yield _first(in_work)
            in_work.append((ids, submit(chunk)))
        while in_work:
            yield _first(in_work)
    except KeyboardInterrupt:
        yield from (future.result() for _, future in in_work if not future.cancel())
        raise
    except Invalid:
        yield from (future.result() for _, future in in_work)
        raise


def _first(in_work: deque[tuple[set[str], Future[Batch]]]) -> Batch:
    """Wait for the first chunk, then take it from the queue."""
    batch = in_work[0][1].result()
    in_work.popleft()
    return batch


@contextmanager
def _interrupts_postponed() -> Iterator[None]:
    """Postpone Ctrl-C to the end of the block. Threads other than the main one never receive it."""
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
    """Block SIGINT. Processes started in the block ignore Ctrl-C. This process receives it after the block.

    A terminal sends Ctrl-C to all its processes, but only the importing process may react.
    """
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Raise the GC threshold. Rows form no reference cycles, and the default costs 1/7 of the import's time."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


# The functions below run in a helper.

_here: dict[str, Any] = {}
"""In a helper: its own platform, and its matcher for each jurisdiction."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What a helper must know about a file to import its rows."""

    column_map: ColumnMap
    jurisdiction_id: str
    origin: str
    now: datetime
    is_dry_run: bool

    @classmethod
    def of(cls, column_map: ColumnMap, order: Import) -> _Work:
        """Make the work from the file's column map and the import's options."""
        return cls(column_map, order.jurisdiction.id, order.origin, order.now, order.is_dry_run)


def _open(settings: Settings) -> None:
    Thread(target=_leave_with_parent, daemon=True).start()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    _here["platform"] = open_platform(settings)


def _leave_with_parent() -> None:
    """End this helper when the importing process ends, because a killed process cannot end its helpers."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _import(work: _Work, chunk: list[SourceItem]) -> Batch:
    platform: Platform = _here["platform"]
    jurisdiction = platform.registry.find(work.jurisdiction_id)
    matcher: Matcher = _here.setdefault(jurisdiction.id, Matcher(jurisdiction))
    order = Import(jurisdiction=jurisdiction, origin=work.origin, now=work.now, is_dry_run=work.is_dry_run)
    return import_batch(platform, _known(work.column_map).rows(chunk), order, matcher)


def _known(column_map: ColumnMap) -> ColumnMap:
    """This helper's own copy of a column map. It is kept for all chunks, because it caches its plans."""
    if _here.get("column_map") != column_map:
        _here["column_map"] = column_map
    known: ColumnMap = _here["column_map"]
    return known
