"""The worker: it runs each job of the queue at least once, so every task must be able to run twice without harm."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from functools import wraps
from typing import Any

import procrastinate
import psycopg
from procrastinate import RetryDecision
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy

from open311.clock import utc_now
from open311.errors import NotFound
from open311.jobs.delivering import delivering
from open311.jobs.dispatching import dispatching
from open311.jobs.federating import federating
from open311.jobs.mailing import mailing
from open311.jobs.pulling import pulling
from open311.jobs.repeating import end_if_cut_off
from open311.jobs.telling import telling
from open311.jobs.texting import texting
from open311.media.stores import StoreUnavailable
from open311.observe import cause_of, logger
from open311.operations.delivery.telling import tell_operator
from open311.operations.dispatch import mapping
from open311.operations.dispatch.counting import recount
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.mailing.reminding import remind
from open311.operations.media.copying import MOST_TRIES, copy_photos
from open311.operations.media.erasing import delete_erased
from open311.operations.media.preparing import prepare_photos
from open311.operations.media.sweeping import sweep_photos
from open311.operations.people.expiring import KINDS, expire
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import mark_changes
from open311.operations.sensors.observing import watch_silence
from open311.operations.statistics.counting import check_all
from open311.operations.statistics.forecasting import make_due_forecasts
from open311.operations.subscriptions.expiring import expire_subscriptions
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.upkeep.dumps import Dump, make_dump, renew_dumps
from open311.operations.upkeep.republish import republish
from open311.storage.queue import Line, Task, line_of
from open311.tracing import working

log = logger(__name__)

STOPPING = (signal.SIGINT, signal.SIGTERM)
LONGEST_WAIT_S = 600
STALLED_AFTER_S = 40
"""A job is stalled if its worker has sent no heartbeat for this time. Workers send one every 10 seconds."""
CONNECTIONS = 2 * len(Line) + 2
"""The connections of procrastinate. Each line keeps one to learn of new jobs."""
KEEP_DONE_JOBS = timedelta(days=7)


class RetryForever(BaseRetryStrategy):
    """Run a failed job again until it succeeds, so that no accepted request is lost.

    Each wait is twice as long as the one before, up to `LONGEST_WAIT_S`.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """When to run the job again. If the database is gone, the worker ends."""
        end_if_cut_off(exception)
        wait_s = min(2.0 ** min(job.attempts, 20), LONGEST_WAIT_S)
        cause = cause_of(exception)
        log.warning(
            "job failed", task=job.task_name, job=job.id, attempts=job.attempts + 1, cause=cause, retry_in_s=wait_s
        )
        return RetryDecision(retry_in={"seconds": int(wait_s)})


class Jobs(JobManager):
    """Procrastinate's access to the jobs. A job that waits for a second try may have got a successor meanwhile."""

    async def retry_job(self, job: Job, *args: Any, **options: Any) -> None:
        """Put a job back into the queue, unless an equal job waits there already: one with the same queueing lock.

        Procrastinate lets only one of two equal jobs wait. The waiting job does the work of both, so this job is
        deleted. Otherwise this job would be `doing` for ever, and its lock would keep the other job waiting.
        """
        try:
            await super().retry_job(job, *args, **options)
        except UniqueViolation:
            await self.finish_job(job, Status.FAILED, delete_job=True)


def run_worker(
    platform: Platform, app: procrastinate.App, lines: Collection[Line] = tuple(Line), **options: Any
) -> bool:
    """Run jobs and dispatch changes until SIGINT or SIGTERM. Returns False if the worker ends by itself.

    lines    the lines whose jobs this worker runs. Work in threads, such as deliveries, is done if FAST is one of
             them
    options  arguments of procrastinate's run_worker, for each line
    A worker ends by itself if its database is gone. No job is lost: the next worker retries its jobs.
    """
    threads = (
        (dispatching, delivering, pulling, federating, telling, mailing, texting) if Line.FAST in lines else ()
    )
    with ExitStack() as running:
        for begin in threads:
            running.enter_context(begin(platform))
        try:
            return asyncio.run(_work_until_signal(app, lines, options))
        except (ConnectorException, psycopg.OperationalError) as error:
            log.error("the database is gone; this worker ends", cause=cause_of(error.__cause__ or error))
            return False


async def _work_until_signal(app: procrastinate.App, lines: Collection[Line], options: Mapping[str, Any]) -> bool:
    """Run jobs until a signal arrives, or until the lines end by themselves. Returns True after a signal.

    A second signal kills this process.

    Procrastinate's own signal handlers do not show whether a signal was the cause: a worker whose heartbeat fails
    stops in the same way.
    """
    loop = asyncio.get_running_loop()
    async with app.open_async():
        working = asyncio.create_task(_run_lines(app, lines, options))

        def stop() -> None:
            for number in STOPPING:
                loop.remove_signal_handler(number)
            working.cancel()

        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            await working
        except asyncio.CancelledError:
            return True
    log.error("this worker ends by itself; an earlier line says why")
    return False


async def _run_lines(app: procrastinate.App, lines: Collection[Line], options: Mapping[str, Any]) -> None:
    """Run the jobs of each line until one line ends, or until this task is cancelled. Then end all lines."""
    running = [
        asyncio.create_task(
            app.run_worker_async(queues=[line], name=line, install_signal_handlers=False, **options)
        )
        for line in lines
    ]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)
    for one in running:
        if not one.cancelled():
            one.result()


def make_worker(platform: Platform, conninfo: str) -> procrastinate.App:
    """Make procrastinate's app, with the code of every `Task`.
    conninfo  a libpq connection string or URL; procrastinate's worker connects with psycopg 3
    """
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, max_size=CONNECTIONS))
    app.job_manager = Jobs(app.connector)
    retry = RetryForever()

    def task(name: Task, **options: Any) -> Callable[..., Any]:
        register: Callable[..., Any] = app.task(name=name, queue=line_of(name), retry=retry, **options)
        return lambda function: register(_traced(name, function))

    @task(Task.RESOLVE)
    def resolve(jurisdiction_id: str, number: int, token: str) -> None:
        resolve_token(platform, jurisdiction_id, number, token, utc_now())

    @task(Task.REPUBLISH)
    def republish_city(jurisdiction_id: str) -> None:
        rendered = republish(platform, jurisdiction_id, utc_now())
        log.info("republished", jurisdiction=jurisdiction_id, requests=rendered)

    @app.periodic(cron="7 * * * *")
    @task(Task.CLEAN_UP, queueing_lock=Task.CLEAN_UP)
    def clean(timestamp: int) -> None:  # noqa: ARG001  # procrastinate passes it
        deleted = clean_up(platform, utc_now()) | expire_subscriptions(platform, utc_now())
        log.info("cleaned up", **deleted, wrong_counts=recount(platform))

    @app.periodic(cron="*/5 * * * *")  # usually it finds that the last check was today
    @task(Task.CHECK_STATISTICS, queueing_lock=Task.CHECK_STATISTICS, lock=Task.CHECK_STATISTICS)
    def check_statistics(timestamp: int) -> None:  # noqa: ARG001
        if corrected := check_all(platform, utc_now()):
            log.info("statistics checked", corrected=corrected)

    @app.periodic(cron="13 * * * *")  # the first run of a city's day makes its forecasts
    @task(Task.MAKE_FORECASTS, queueing_lock=Task.MAKE_FORECASTS, lock=Task.MAKE_FORECASTS)
    def forecast(timestamp: int) -> None:  # noqa: ARG001
        if made := make_due_forecasts(platform, utc_now()):
            log.info("forecasts made", cities=made)

    @task(Task.PREPARE_PHOTOS)
    def prepare(jurisdiction_id: str, number: int) -> None:
        shown = prepare_photos(platform, jurisdiction_id, number, utc_now())
        log.info("photos prepared", jurisdiction=jurisdiction_id, shown=shown)

    @task(Task.COPY_PHOTOS, pass_context=True)
    def copy(context: procrastinate.JobContext, jurisdiction_id: str, number: int) -> None:
        is_last = context.job.attempts + 1 >= MOST_TRIES
        fetched = copy_photos(platform, jurisdiction_id, number, utc_now(), is_last=is_last)
        log.info("photos copied", jurisdiction=jurisdiction_id, fetched=fetched)

    @task(Task.DELETE_PHOTOS)
    def delete_photos(jurisdiction_id: str) -> None:
        deleted = delete_erased(platform, jurisdiction_id, utc_now())
        log.info("files of erased photos deleted", jurisdiction=jurisdiction_id, photos=deleted)

    @app.periodic(cron="23 4 * * *")
    @task(Task.SWEEP_PHOTOS, queueing_lock=Task.SWEEP_PHOTOS)
    def sweep(timestamp: int) -> None:  # noqa: ARG001
        _sweep(platform)

    @app.periodic(cron="47 3 * * *")
    @task(Task.RETENTION, queueing_lock=Task.RETENTION, lock=Task.RETENTION)
    def end_retention(timestamp: int) -> None:  # noqa: ARG001
        _expire(platform)

    @app.periodic(cron="17 3 * * *")
    @task(Task.RECOUNT_MAP, queueing_lock=Task.RECOUNT_MAP, lock=Task.RECOUNT_MAP)
    def recount_map(timestamp: int) -> None:  # noqa: ARG001
        log.info("map recounted", wrong=mapping.recount(platform))

    @task(Task.DUMP, lock=Task.DUMP)
    def dump(jurisdiction_id: str) -> None:
        _dump(platform, jurisdiction_id, make_dump)

    @task(Task.RENEW_DUMPS)
    def renew(jurisdiction_id: str) -> None:
        _dump(platform, jurisdiction_id, renew_dumps)

    @app.periodic(cron="37 * * * *")  # the first run of a day makes the dumps; later runs make missing ones
    @task(Task.DUMP_ALL, queueing_lock=Task.DUMP_ALL)
    def dump_all(timestamp: int) -> None:  # noqa: ARG001
        _defer_dumps(platform)

    @app.periodic(cron="*/5 * * * *")
    @task(Task.MARK_CHANGES, queueing_lock=Task.MARK_CHANGES)
    def mark(timestamp: int) -> None:  # noqa: ARG001
        mark_changes(platform, utc_now())

    @app.periodic(cron="* * * * *")
    @task(Task.TELL_OPERATOR, queueing_lock=Task.TELL_OPERATOR, lock=Task.TELL_OPERATOR)
    def tell(timestamp: int) -> None:  # noqa: ARG001
        tell_operator(platform, utc_now())

    @app.periodic(cron="*/10 * * * *")
    @task(Task.REMIND_DEPARTMENTS, queueing_lock=Task.REMIND_DEPARTMENTS, lock=Task.REMIND_DEPARTMENTS)
    def remind_departments(timestamp: int) -> None:  # noqa: ARG001
        remind(platform, utc_now())

    @app.periodic(cron="* * * * *")
    @task(Task.WATCH_SENSORS, queueing_lock=Task.WATCH_SENSORS, lock=Task.WATCH_SENSORS)
    def watch_sensors(timestamp: int) -> None:  # noqa: ARG001
        watch_silence(platform, utc_now())

    @app.periodic(cron="* * * * *")
    @task(Task.RETRY_STALLED, queueing_lock=Task.RETRY_STALLED, pass_context=True)
    async def retry_stalled(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
        await _retry_stalled(context.app.job_manager)

    return app


def _traced(task: Task, function: Callable[..., Any]) -> Callable[..., Any]:
    """The code of a task, with a span. A job may go on with the trace of the call that stored it."""
    if asyncio.iscoroutinefunction(function):  # such a job only looks after the queue
        return function

    @wraps(function)
    def run(*context: Any, traceparent: str = "", **arguments: Any) -> None:
        with working(task, traceparent):
            function(*context, **arguments)

    return run


def _expire(platform: Platform) -> None:
    """Erase photos and data of reporters as soon as the time is over for which a city keeps them."""
    for jurisdiction in platform.registry:
        for kind in KINDS:
            if not kind.is_kept_for_ever(jurisdiction):
                done = sum(batch.due.total() for batch in expire(platform, jurisdiction, kind, now=utc_now()))
                log.info("retention is over", jurisdiction=jurisdiction.id, erased=kind.name, requests=done)


def _defer_dumps(platform: Platform) -> None:
    """Defer a job for each city, each in its own transaction, unless dumps are switched off."""
    for jurisdiction in platform.registry if platform.settings.dump_days else ():
        lock = f"{Task.DUMP}:{jurisdiction.id}"
        with platform.database.transaction() as connection:
            platform.queue.defer_once(connection, Task.DUMP, lock, jurisdiction_id=jurisdiction.id)


def _dump(platform: Platform, jurisdiction_id: str, make: Callable[..., Dump | None]) -> None:
    """Make a dump of a city, if `make` finds that one is needed."""
    try:
        made = make(platform, platform.registry.find(jurisdiction_id), utc_now())
    except NotFound:  # the city is not served any more
        return
    except OSError as error:  # such as a full disk: an early retry would fail the same way
        log.error("no dump", jurisdiction=jurisdiction_id, cause=repr(error))
        return
    if made is not None:
        log.info("dumped", jurisdiction=jurisdiction_id, requests=made.rows, files=len(made.files))


def _sweep(platform: Platform) -> None:
    """Sweep the photos of each city."""
    for jurisdiction in platform.registry:
        try:
            swept = sweep_photos(platform, jurisdiction, utc_now())
        except StoreUnavailable as error:  # the next sweep tries again
            log.error("photos are not swept", jurisdiction=jurisdiction.id, cause=str(error))
            return
        log.info("photos swept", jurisdiction=jurisdiction.id, **asdict(swept))


async def _retry_stalled(manager: Any) -> None:
    """Put the jobs of killed workers back into the queue, and delete old jobs that are done."""
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        log.warning("job stalled", task=job.task_name, job=job.id)
        await manager.retry_job(job)
    hours = int(KEEP_DONE_JOBS.total_seconds() // 3600)
    await manager.delete_old_jobs(nb_hours=hours, include_failed=False)
