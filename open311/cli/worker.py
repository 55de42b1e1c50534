"""`open311 worker`: background work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from open311.cli.environment import settings_with_database
from open311.cli.output import fail, say
from open311.cli.parent import end_with_parent
from open311.cli.platforms import require_schema
from open311.cli.signals import GRACE_S
from open311.clock import utc_now
from open311.jobs.dispatching import work_once
from open311.jobs.worker import make_worker, run_worker
from open311.observe import all_lines_logged, configure_logs
from open311.operations.media.files import log_store_fault
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.readiness import BACK_OFFICES, MEDIA, check_background
from open311.storage.engine import libpq_dsn

MOST_BUSY = 16
"""The connections of a worker. Two back offices with four calls at a time and two jobs need twelve."""


@click.command()
@click.option("--once", is_flag=True, help="Stop when outbox and queue are empty.")
@click.option("--check", "is_check", is_flag=True, help="Only report whether background work is done in time.")
def worker(once: bool, is_check: bool) -> None:
    """Do background work: dispatch changes, send deliveries, get ids for batch requests, republish, dump,
    clean up.

    If a worker is killed, another worker takes over its jobs, and nothing is lost. A worker whose database is gone
    ends with status 1. Let a service manager start it again.

    With --check, no work is done. The exit status is 1 if a job, a change or a delivery has waited for minutes, or
    if a job fails again and again. A back office that is down, or that needs a person, and a media store that does
    not work, are only named: a new worker would not help.
    """
    if is_check:
        _check()
        return
    end_with_parent()
    with all_lines_logged(), _platform() as platform:
        log_store_fault(platform, utc_now())
        app = make_worker(platform, libpq_dsn(platform.settings.sqlalchemy_url))
        if once:
            work_once(platform, app, shutdown_graceful_timeout=GRACE_S)
        elif not run_worker(platform, app, shutdown_graceful_timeout=GRACE_S, fetch_job_polling_interval=2.0):
            sys.exit(1)


@contextmanager
def _platform() -> Iterator[Platform]:
    settings = settings_with_database()
    configure_logs(settings.log_level)
    # A worker that waits 5 seconds for a free connection ends. Jobs, the dispatcher and the lines to back offices
    # work at the same time, and a recount needs two connections. A connection is opened only when it is needed.
    platform = open_platform(
        replace(settings, statement_timeout_ms=0, pool_size=max(settings.pool_size, MOST_BUSY))
    )
    try:
        require_schema(platform)
        yield platform
    finally:
        platform.close()


def _check() -> None:
    with _platform() as platform:
        checks = check_background(platform, utc_now())
    for check in checks:
        say(f"{check.name}: {check.detail}")
    late = [check for check in checks if not check.is_ok and check.name not in (BACK_OFFICES, MEDIA)]
    if late:
        fail("; ".join(f"{check.name}: {check.detail}" for check in late))
