"""The job queue. A job is stored in the same transaction as the rows that it works on.

Procrastinate is imported when the first job is stored, because most web processes never defer one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from open311.storage.engine import Database
from open311.tracing import carried

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
    RENEW_DUMPS = "renew_dumps"
    MARK_CHANGES = "mark_changes"
    TELL_OPERATOR = "tell_operator"
    PREPARE_PHOTOS = "prepare_photos"
    COPY_PHOTOS = "copy_photos"
    SWEEP_PHOTOS = "sweep_photos"
    DELETE_PHOTOS = "delete_photos"
    RECOUNT_MAP = "recount_map"
    RETENTION = "anonymise"
    RETRY_STALLED = "retry_stalled"
    CHECK_STATISTICS = "check_statistics"
    MAKE_FORECASTS = "make_forecasts"
    REMIND_DEPARTMENTS = "remind_departments"
    WATCH_SENSORS = "watch_sensors"


class Line(StrEnum):
    """A line of jobs. The jobs of one line do not delay those of another.

    FAST    short jobs that somebody waits for
    PHOTOS  the photos of reports: they are decoded, fetched from other people's servers, and deleted
    BULK    work on whole cities, which may take minutes: dumps, statistics, retention

    Do not change these values. They are stored with each job.
    """

    FAST = "default"
    PHOTOS = "photos"
    BULK = "slow"


_PHOTOS = frozenset({Task.PREPARE_PHOTOS, Task.COPY_PHOTOS, Task.DELETE_PHOTOS})
_BULK = frozenset(
    {
        Task.REPUBLISH,
        Task.CLEAN_UP,
        Task.CHECK_STATISTICS,
        Task.MAKE_FORECASTS,
        Task.SWEEP_PHOTOS,
        Task.RETENTION,
        Task.RECOUNT_MAP,
        Task.DUMP,
        Task.DUMP_ALL,
        Task.RENEW_DUMPS,
    }
)


def line_of(task: Task) -> Line:
    """The line in which a task's jobs wait."""
    return Line.PHOTOS if task in _PHOTOS else Line.BULK if task in _BULK else Line.FAST


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
        line = line_of(task)
        task_in_line = self._app.configure_task(task.value, connection=connection, queue=line, schedule_at=at)
        task_in_line.defer(**arguments, **carried())

    def defer_once(self, connection: Connection, task: Task, lock: str, **arguments: Any) -> bool:
        """Add a job, unless a job with the same lock is waiting already. Returns whether the job was added."""
        from procrastinate.exceptions import AlreadyEnqueued

        try:
            with connection.begin_nested():
                line = line_of(task)
                task_in_line = self._app.configure_task(
                    task.value, connection=connection, queue=line, queueing_lock=lock
                )
                task_in_line.defer(**arguments, **carried())
        except AlreadyEnqueued:
            return False
        return True


MOST_COUNTED = 10_000
"""Waiting work is counted up to this number, the oldest first, so that a count is fast with millions of jobs."""
MOST_NAMED = 5
"""How many failing tasks are named."""
FAILING_AFTER = 8
"""A job that has failed this often needs an operator. The waits between these tries add up to two minutes."""


@dataclass(frozen=True, slots=True)
class JobCounts:
    """The number of jobs by state.

    Only the `MOST_COUNTED` oldest jobs that wait or run are counted, and at most `MOST_COUNTED` failed jobs.

    late           jobs that have been due for too long and are not begun, and jobs that were begun by a worker that
                   sends no heartbeat any more
    failing        jobs that will be tried again after many failures
    failing_tasks  the names of the tasks of failing jobs, at most `MOST_NAMED`; if a job is for a request, with the
                   request's number and city
    oldest_s       seconds that the oldest due job has waited; 0 if no job is due
    """

    todo: int
    doing: int
    failed: int
    late: int
    failing: int
    failing_tasks: tuple[str, ...]
    oldest_s: float


def count_jobs(connection: Connection, late_s: float) -> JobCounts:
    """Count the jobs that are not done. A job is late after `late_s` seconds."""
    values = {"late": f"{late_s} s", "failing": FAILING_AFTER, "most": MOST_COUNTED}
    row = connection.execute(text(_COUNTS), values).one()
    counts = dict(row._mapping) | {
        "failing_tasks": tuple(row.failing_tasks[:MOST_NAMED]),
        "oldest_s": float(row.oldest_s),
    }
    return JobCounts(**counts)


_COUNTS = """
WITH open_job AS (
    (SELECT * FROM procrastinate_jobs WHERE status IN ('todo', 'doing') ORDER BY id LIMIT :most)
    UNION ALL
    (SELECT * FROM procrastinate_jobs WHERE status = 'failed' LIMIT :most)
), job AS (
    SELECT status, attempts,
        task_name || coalesce(' of request ' || (args ->> 'number') || ' in ' || (args ->> 'jurisdiction_id'), '')
            AS name,
        coalesce(scheduled_at, (SELECT min(at) FROM procrastinate_events WHERE job_id = open_job.id)) AS due,
        (SELECT last_heartbeat FROM procrastinate_workers WHERE id = worker_id) AS alive
    FROM open_job
)
SELECT count(*) FILTER (WHERE status = 'todo') AS todo,
    count(*) FILTER (WHERE status = 'doing') AS doing,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE due < now() - CAST(:late AS interval) AND (status = 'todo'
        OR status = 'doing' AND (alive IS NULL OR alive < now() - CAST(:late AS interval)))) AS late,
    count(*) FILTER (WHERE status = 'todo' AND attempts >= :failing) AS failing,
    coalesce(array_agg(DISTINCT name) FILTER (WHERE status = 'todo' AND attempts >= :failing), '{}')
        AS failing_tasks,
    coalesce(greatest(0, extract(epoch FROM now() - min(due) FILTER (WHERE status = 'todo'))), 0) AS oldest_s
FROM job
"""
