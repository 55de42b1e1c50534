"""The worker: takes jobs from PostgreSQL, each at least once, so every task may run twice without harm."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import procrastinate
from procrastinate import RetryDecision
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy

from open311.clock import utc_now
from open311.errors import NotFound, Unavailable
from open311.observe import logger
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import mark_changes
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.upkeep.dumps import make_dump
from open311.operations.upkeep.republish import republish

log = logger(__name__)

LONGEST_WAIT_S = 600
STALLED_AFTER_S = 40
KEEP_DONE_JOBS = timedelta(days=7)


class Patience(BaseRetryStrategy):
    """Try again for ever, waiting twice as long each time, ten minutes at most: what was accepted is never lost."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """When to try again.

        Without its database a worker cannot even say so in the queue, where its job would stay "doing" for as long
        as it lives. So it ends, its supervisor starts another, and the job is taken up as a stalled one.
        """
        if isinstance(exception, Unavailable):
            log.error("the database is gone; this worker ends")
            os.kill(os.getpid(), signal.SIGTERM)
        wait_s = min(2.0 ** min(job.attempts, 20), LONGEST_WAIT_S)
        log.warning("job failed", task=job.task_name, job=job.id, cause=type(exception).__name__, retry_in_s=wait_s)
        return RetryDecision(retry_in={"seconds": int(wait_s)})


def make_worker(platform: Platform, conninfo: str) -> procrastinate.App:
    """The worker's tasks over a platform.

    conninfo  a libpq connection string or URL; procrastinate's worker speaks psycopg 3
    """
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))

    @app.task(name="resolve", retry=Patience())
    def resolve(jurisdiction_id: str, number: int, token: str) -> None:
        resolve_token(platform, jurisdiction_id, number, token, utc_now())

    @app.task(name="republish", retry=Patience())
    def republish_all(jurisdiction_id: str) -> None:
        rendered = republish(platform, jurisdiction_id, utc_now())
        log.info("republished", jurisdiction=jurisdiction_id, requests=rendered)

    @app.periodic(cron="7 * * * *")
    @app.task(name="clean_up", queueing_lock="clean_up", retry=Patience())
    def clean(timestamp: int) -> None:  # noqa: ARG001  # procrastinate passes it
        log.info("cleaned up", **clean_up(platform, utc_now()))

    @app.task(name="dump", retry=Patience(), lock="dump")
    def dump(jurisdiction_id: str) -> None:
        _dump(platform, jurisdiction_id)

    @app.periodic(cron="37 * * * *")  # the first one of a day makes its dumps, the others what it missed
    @app.task(name="dump_all", queueing_lock="dump_all", retry=Patience())
    def dump_all(timestamp: int) -> None:  # noqa: ARG001
        for jurisdiction in platform.registry if platform.settings.dump_days else ():
            with platform.database.transaction() as connection:
                platform.queue.defer_once(
                    connection, "dump", f"dump:{jurisdiction.id}", jurisdiction_id=jurisdiction.id
                )

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="mark_changes", queueing_lock="mark_changes", retry=Patience())
    def mark(timestamp: int) -> None:  # noqa: ARG001
        mark_changes(platform, utc_now())

    @app.periodic(cron="* * * * *")
    @app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
    async def retry_stalled(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
        await _retry_stalled(context.app.job_manager)

    return app


def _dump(platform: Platform, jurisdiction_id: str) -> None:
    """Make a city's dump of today, unless it is there."""
    try:
        made = make_dump(platform, platform.registry.find(jurisdiction_id), utc_now())
    except NotFound:  # no longer served
        return
    except OSError as error:  # a full disk, a folder of others: trying again at once would not mend it
        log.error("no dump", jurisdiction=jurisdiction_id, cause=repr(error))
        return
    if made is not None:
        log.info("dumped", jurisdiction=jurisdiction_id, requests=made.rows, files=len(made.files))


async def _retry_stalled(manager: Any) -> None:
    """Jobs whose worker was killed go back into the queue; old done jobs are dropped."""
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        log.warning("job stalled", task=job.task_name, job=job.id)
        await manager.retry_job(job)
    hours = int(KEEP_DONE_JOBS.total_seconds() // 3600)
    await manager.delete_old_jobs(nb_hours=hours, include_failed=False)
