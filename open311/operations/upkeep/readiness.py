"""The check whether this server can serve calls now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.storage import migrations
from open311.storage.engine import Connection, has_room, takes_writes
from open311.storage.outbox import Backlog, backlog
from open311.storage.queue import MOST_COUNTED, JobCounts, count_jobs

LATE_S = 300
"""How long a change may wait for the dispatcher, or a due job for a worker, before the check fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. Only a vital check that fails makes the server not ready."""

    name: str
    is_ok: bool
    detail: str
    is_vital: bool = True


def check_readiness(platform: Platform) -> list[Check]:
    """Check database, schema, jobs and plugins. Never raises."""
    return [*_database(platform), _plugins(platform)]


def _database(platform: Platform) -> Iterator[Check]:
    try:
        with platform.database.reading() as connection:
            state = migrations.schema_state(connection)
            yield Check("database", True, "answers")
            yield Check("schema", state.is_served, str(state))
            yield _writes(connection)
            if state.is_served:
                yield _jobs(connection)
    except Unavailable:
        yield Check("database", False, "does not answer")


def _writes(connection: Connection) -> Check:
    """Check that the database accepts writes. This is not vital, because calls that only read are served."""
    if not takes_writes(connection):
        return Check("writes", False, "the database is read-only", is_vital=False)
    if not has_room(connection):
        return Check("writes", False, "the disk of the database is full; free space on it", is_vital=False)
    return Check("writes", True, "accepted", is_vital=False)


@dataclass(frozen=True, slots=True)
class Background:
    """How much background work waits."""

    jobs: JobCounts
    changes: Backlog


def read_background(platform: Platform) -> Background:
    """The background work that waits. Raises Unavailable."""
    with platform.database.reading() as connection:
        return Background(count_jobs(connection, LATE_S), backlog(connection))


def check_background(platform: Platform) -> Check:
    """Check that a worker does the background work in time. Raises Unavailable."""
    with platform.database.reading() as connection:
        return _jobs(connection)


def _jobs(connection: Connection) -> Check:
    """Check that no job and no change has waited too long, and that no job fails for ever.

    This is not vital. Reads and POSTs work without a worker, so a load balancer must not remove this server.
    """
    jobs, waiting = count_jobs(connection, LATE_S), backlog(connection)
    todo, held, changes = map(_number, (jobs.todo, waiting.held, waiting.waiting + waiting.held))
    counted = f"{todo} todo, {jobs.doing} doing, {jobs.failed} failed, {jobs.late} stuck, {jobs.failing} failing"
    dispatched = f"{changes} changes to dispatch ({held} to try again)"
    detail = f"{counted}; {dispatched}, the oldest for {waiting.oldest_s:.0f} s"
    is_late = bool(jobs.late) or waiting.oldest_s >= LATE_S
    if is_late:
        detail += "; is `open311 worker` running? Its log says more"
    if jobs.failing:
        detail += f"; {', '.join(jobs.failing_tasks)} fails again and again, see the worker's log"
    return Check("jobs", not is_late and not jobs.failing, detail, is_vital=False)


def _number(counted: int) -> str:
    """A number for people. The database counts no further than `MOST_COUNTED`."""
    return str(counted) if counted < MOST_COUNTED else f"at least {MOST_COUNTED}"


def _plugins(platform: Platform) -> Check:
    served = len(platform.registry.jurisdictions)
    broken = "; ".join(f"{fault.name}: {fault.public_why}" for fault in platform.registry.faults)
    detail = f"{served} served" + (f"; not served: {broken}" if broken else "")
    return Check("plugins", served > 0 and not broken, detail, is_vital=served == 0)
