"""Several workers: each job is done once, and each worker does only the work of its queues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from flask import Flask
from procrastinate import App
from procrastinate.periodic import PeriodicDeferrer

from open311.cli import main
from open311.jobs.worker import make_worker
from open311.operations.platform import Platform
from open311.settings import Settings
from open311.storage.engine import libpq_dsn
from open311.storage.outbox import backlog
from open311.storage.queue import Line, Task, line_of
from tests import build
from tests.checked_client import platform_of
from tests.jobs.test_worker import post_to, run_worker, sql, statuses

HOUR_OF_ALL = datetime(2026, 3, 1, 4, 0, tzinfo=UTC).timestamp()
MakeApp = Callable[..., Flask]


def test_a_worker_knows_each_task_in_its_queue(platform: Platform) -> None:
    tasks = make_worker(platform, "").tasks
    assert {task: tasks[task].queue for task in Task} == {task: line_of(task) for task in Task}
    assert {line_of(task) for task in Task} == set(Line)


def test_each_periodic_job_is_deferred_once_however_many_workers_run(
    platform: Platform, settings: Settings
) -> None:
    """Three workers find at the same time, over three hours, which jobs were due."""
    dsn = libpq_dsn(settings.sqlalchemy_url)
    sql(platform, "DELETE FROM procrastinate_periodic_defers")
    workers = [make_worker(platform, dsn) for _ in range(3)]
    tasks = {name for name, _ in workers[0].periodic_registry.periodic_tasks}
    assert len(tasks) > 10

    async def defer_all() -> None:
        for hour in range(3):
            await asyncio.gather(*(defer(worker, HOUR_OF_ALL + hour * 3_600) for worker in workers))

    async def defer(worker: App, at: float) -> None:
        deferrer = PeriodicDeferrer(worker.periodic_registry, max_delay=86_400)
        async with worker.open_async():
            await deferrer.defer_jobs(deferrer.get_previous_tasks(at=at))

    asyncio.run(defer_all())
    with platform.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT task_name FROM procrastinate_jobs").scalars()
        deferred = Counter(rows)
        times = connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT (task_name, defer_timestamp)) FROM procrastinate_periodic_defers"
        ).one()
    assert deferred == dict.fromkeys(tasks, 1), "a job that still waits is not deferred again"
    assert times[0] == times[1] >= len(tasks)
    sql(platform, "DELETE FROM procrastinate_periodic_defers")


def test_a_worker_does_only_the_jobs_of_its_queues(make_app: MakeApp, settings: Settings) -> None:
    platform = platform_of(make_app(build.city()))
    with platform.database.transaction() as connection:
        platform.queue.defer(connection, Task.CLEAN_UP, timestamp=0)
        platform.queue.defer(connection, Task.MARK_CHANGES, timestamp=0)
        platform.queue.defer(connection, Task.DELETE_PHOTOS, jurisdiction_id=build.city().id)
    tasks = (Task.CLEAN_UP, Task.MARK_CHANGES, Task.DELETE_PHOTOS)
    assert run_worker(settings, "--queues", "bulk").returncode == 0
    assert [statuses(platform, task)[0] for task in tasks] == ["succeeded", "todo", "todo"]
    assert run_worker(settings, "--queues", "photos, fast").returncode == 0
    assert [statuses(platform, task)[0] for task in tasks] == ["succeeded"] * 3


def test_only_a_worker_of_the_fast_queue_dispatches_changes(make_app: MakeApp, settings: Settings) -> None:
    app = make_app(build.city())
    platform = platform_of(app)
    post_to(app)
    assert run_worker(settings, "--queues", "bulk,photos").returncode == 0
    assert waiting(platform) == 1
    assert run_worker(settings, "--queues", "fast", "--concurrency", "3").returncode == 0
    assert waiting(platform) == 0


def waiting(platform: Platform) -> int:
    with platform.database.reading() as connection:
        return backlog(connection).waiting


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--queues", "slow"], "'slow': unknown; send some of fast,photos,bulk."),
        (["--queues", ""], "'': unknown; send some of fast,photos,bulk."),
        (["--queues", "fast,,bulk"], "'': unknown"),
        (["--concurrency", "0"], "0 is not in the range 1<=x<=32"),
        (["--concurrency", "33"], "33 is not in the range 1<=x<=32"),
    ],
)
def test_a_worker_refuses_queues_and_numbers_that_do_not_exist(words: list[str], why: str) -> None:
    done = CliRunner().invoke(main, ["worker", *words])
    assert done.exit_code == 2
    assert why in done.output
