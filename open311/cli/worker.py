"""`open311 worker`: background work."""

from __future__ import annotations

from dataclasses import replace

import click

from open311.cli.parent import end_with_parent
from open311.cli.platforms import require_schema, settings_with_database
from open311.cli.signals import GRACE_S
from open311.jobs.dispatching import dispatching, work_once
from open311.jobs.worker import make_worker
from open311.observe import configure_logs
from open311.operations.platform import open_platform
from open311.storage.engine import libpq_dsn


@click.command()
@click.option("--once", is_flag=True, help="Stop when outbox and queue are empty.")
def worker(once: bool) -> None:
    """Do background work: dispatch changes, get ids for batch requests, republish, dump, clean up.

    If a worker is killed, another worker takes over its jobs, and nothing is lost.
    """
    end_with_parent()
    settings = settings_with_database()
    configure_logs(settings.log_level)
    # The dispatcher and a job run at the same time, and a recount needs two connections.
    pool_size = max(settings.pool_size, 4)
    platform = open_platform(replace(settings, statement_timeout_ms=0, pool_size=pool_size))
    require_schema(platform)
    app = make_worker(platform, libpq_dsn(settings.sqlalchemy_url))
    if once:
        work_once(platform, app, shutdown_graceful_timeout=GRACE_S)
    else:
        with dispatching(platform):
            app.run_worker(shutdown_graceful_timeout=GRACE_S, fetch_job_polling_interval=2.0)
    platform.close()
