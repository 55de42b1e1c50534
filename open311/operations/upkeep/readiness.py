"""The check whether this server can serve calls now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.storage import migrations
from open311.storage.engine import Connection, takes_writes
from open311.storage.outbox import backlog
from open311.storage.queue import count_jobs

STUCK_S = 600
"""How long a change may wait for the dispatcher before the check fails. A job has the same limit."""


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
            revision = migrations.current(connection)
            wanted = migrations.head()
            at_head = revision == wanted
            yield Check("database", True, "answers")
            detail = wanted if at_head else f"{revision or 'empty'}; run `open311 db migrate`"
            yield Check("schema", at_head, detail)
            yield _writes(connection)
            if at_head:
                yield _jobs(connection)
    except Unavailable:
        yield Check("database", False, "does not answer")


def _writes(connection: Connection) -> Check:
    """Check that the database accepts writes. This is not vital, because a read-only database can still be read."""
    takes = takes_writes(connection)
    return Check("writes", takes, "accepted" if takes else "the database is read-only", is_vital=False)


def _jobs(connection: Connection) -> Check:
    """Check that no job and no change has waited too long."""
    jobs, waiting = count_jobs(connection), backlog(connection)
    states = ", ".join(f"{count} {state}" for state, count in jobs.items())
    changes = f"{waiting.waiting + waiting.held} changes to dispatch ({waiting.held} to try again)"
    detail = f"{states}; {changes}, the oldest for {waiting.oldest_s:.0f} s"
    return Check("jobs", not jobs["stuck"] and waiting.oldest_s < STUCK_S, detail, is_vital=False)


def _plugins(platform: Platform) -> Check:
    served = len(platform.registry.jurisdictions)
    broken = ", ".join(fault.name for fault in platform.registry.faults)
    detail = f"{served} served" + (f"; not served: {broken}" if broken else "")
    return Check("plugins", served > 0 and not broken, detail, is_vital=served == 0)
