"""The job queue. A job is stored in the same transaction as the rows that it works on.

Procrastinate is imported when the first job is stored, because most web processes never defer one.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from open311.storage.engine import Database

if TYPE_CHECKING:
    from procrastinate import App


class Task(StrEnum):
    """The names of all tasks. Their code is in open311.jobs.

    Do not change these values. They are stored with each job, and a new release must run the old release's jobs.
    """

    RESOLVE = "resolve"
    REPUBLISH = "republish"
    CLEAN_UP = "clean_up"
    DUMP = "dump"
    DUMP_ALL = "dump_all"
    MARK_CHANGES = "mark_changes"
    RETRY_STALLED = "retry_stalled"


class Queue:
    """The job queue, as operations use it. An operation knows only a task's name; the worker has its code."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @cached_property
    def _app(self) -> App:
        import procrastinate
        from procrastinate.contrib.sqlalchemy import SQLAlchemyPsycopg2Connector

        app = procrastinate.App(connector=SQLAlchemyPsycopg2Connector())
        app.open(self._database.engine)
        return app

    def defer(self, connection: Connection, task: Task, *, at: datetime | None = None, **arguments: Any) -> None:
        """Add a job, which can run after this transaction has committed, but not before `at`."""
        self._app.configure_task(task.value, connection=connection, schedule_at=at).defer(**arguments)

    def defer_once(self, connection: Connection, task: Task, lock: str, **arguments: Any) -> bool:
        """Add a job, unless a job with the same lock is waiting already. Returns whether the job was added."""
        from procrastinate.exceptions import AlreadyEnqueued

        try:
            with connection.begin_nested():
                self._app.configure_task(task.value, connection=connection, queueing_lock=lock).defer(**arguments)
        except AlreadyEnqueued:
            return False
        return True


def count_jobs(connection: Connection) -> dict[str, int]:
    """The number of jobs by state: todo, doing, failed, and stuck (todo, and due for more than ten minutes)."""
    row = connection.execute(
        text(
            "SELECT count(*) FILTER (WHERE status = 'todo') AS todo,"
            " count(*) FILTER (WHERE status = 'doing') AS doing,"
            " count(*) FILTER (WHERE status = 'failed') AS failed,"
            " count(*) FILTER (WHERE status = 'todo' AND coalesce(scheduled_at, (SELECT min(at) FROM"
            " procrastinate_events WHERE job_id = procrastinate_jobs.id)) < now() - interval '10 minutes')"
            " AS stuck FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed')"
        )
    ).one()
    return dict(row._mapping)
