"""A consumer that records the changes that it gets, and a dispatcher that kills itself during its work."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from open311.clock import utc_now
from open311.operations.dispatch import consumers
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage.engine import Connection, Database
from open311.storage.outbox import RecordedChange
from tests import build
from tests.forking import forked

SMALL_BATCH = 20


@dataclass(slots=True)
class Witness:
    """Writes a row for each change. In batch number `batches`, it kills its process; 0 means never."""

    batches: int = 0
    name: str = "witness"

    def consume(
        self, platform: Platform, connection: Connection, changes: Sequence[RecordedChange], now: datetime
    ) -> None:
        for index, change in enumerate(changes):
            connection.exec_driver_sql(
                "INSERT INTO witnessed (request_id, version) VALUES (%s, %s)", (change.number, change.version)
            )
            if self.batches == 1 and index == len(changes) // 2:
                os.kill(os.getpid(), signal.SIGKILL)
        self.batches -= 1


@contextmanager
def witnessed(database: Database) -> Iterator[None]:
    """Makes the table of a witness; drops it at the end of the block."""
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE witnessed (id BIGSERIAL, request_id BIGINT, version BIGINT)")
    try:
        yield
    finally:
        with database.transaction() as connection:
            connection.exec_driver_sql("DROP TABLE witnessed")


def seen(platform: Platform) -> dict[int, list[int]]:
    """The versions of each request in the order in which the witness got them."""
    return _versions(platform, "SELECT request_id, version FROM witnessed ORDER BY id")


def happened(platform: Platform) -> dict[int, list[int]]:
    """The versions of each request in its history, in ascending order."""
    return _versions(platform, "SELECT DISTINCT request_id, version FROM request_event ORDER BY 1, 2")


def _versions(platform: Platform, statement: str) -> dict[int, list[int]]:
    versions: dict[int, list[int]] = defaultdict(list)
    with platform.database.reading() as connection:
        for number, version in connection.exec_driver_sql(statement):
            versions[number].append(version)
    return versions


def run_until_killed(url: str, batches: int) -> int | None:
    """Run a dispatcher as a process; returns its exit code.

    The dispatcher kills itself with -9 in the middle of batch number `batches`, when half of the batch is written.
    """
    with forked(_dispatch, url, batches) as process:
        process.join(120)
        return process.exitcode


def _dispatch(url: str, batches: int) -> None:
    """Dispatch small batches until the outbox is empty or the process kills itself."""
    consumers.CONSUMERS = (*consumers.CONSUMERS, Witness(batches))
    platform = build.platform(Settings(database_url=url), build.city())
    while dispatch(platform, utc_now(), rows=SMALL_BATCH):
        pass
