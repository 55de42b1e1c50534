"""`open311 worker`: background work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from open311.cli.environment import settings_with_database
from open311.cli.greeting import announce_worker
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
from open311.operations.upkeep.readiness import check_background
from open311.storage.engine import libpq_dsn
from open311.storage.queue import Line
from open311.tracing import begin_tracing, end_tracing

MOST_BUSY = 14
"""The connections for the threads of a worker. Two back offices with four calls at a time need eight."""
MOST_AT_ONCE = 32


class Lines(click.ParamType[tuple[Line, ...]]):
    """The names of queues, with commas between them."""

    name = "queues"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Line, ...]:
        """The lines that these names mean."""
        named = {word.strip() for word in str(value).split(",")}
        unknown = named - set(NAMES)
        if unknown:
            self.fail(
                f"{', '.join(map(repr, sorted(unknown)))}: unknown; send some of {','.join(NAMES)}.", param, ctx
            )
        return tuple(line for name, line in NAMES.items() if name in named)


NAMES = {line.name.lower(): line for line in Line}


@click.command()
@click.option(
    "--queues",
    "lines",
    type=Lines(),
    default=",".join(NAMES),
    show_default=True,
    metavar="NAME,…",
    help="Do only the work of these queues.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, MOST_AT_ONCE),
    default=1,
    show_default=True,
    help="Jobs of each queue at a time.",
)
@click.option("--once", is_flag=True, help="Stop when nothing is left to do.")
@click.option("--check", "is_check", is_flag=True, help="Only report whether background work is done in time.")
def worker(lines: tuple[Line, ...], concurrency: int, once: bool, is_check: bool) -> None:
    """Do background work: dispatch changes, send deliveries and mail, prepare photos, make dumps, and more.

    The queue `fast` has what somebody waits for: changes, deliveries, webhooks, mail, text messages, updates and
    short jobs; `photos` prepares, copies and deletes photos; `bulk` has dumps, statistics, forecasts, retention and
    other work on whole cities. Any number of workers may run, on any number of machines, and each queue needs at
    least one. A job that runs at fixed times is done once each time, however many workers there are.

    If a worker is killed, another worker takes over its jobs, and nothing is lost. A worker whose database is gone
    ends with status 1. Let a service manager start it again.

    With --check, no work is done. The exit status is 1 if a job, a change, a delivery, a mail or a text message has
    waited for minutes, or if a job fails again and again. A back office that is down or needs a person, and a mail
    server, a gateway for text messages or a media store that does not work, are only named: a new worker would not
    help.
    """
    if is_check:
        _check()
        return
    end_with_parent()
    with all_lines_logged(), _platform(MOST_BUSY + 2 * concurrency * len(lines)) as platform:
        announce_worker(platform, lines)
        log_store_fault(platform, utc_now())
        app = make_worker(platform, libpq_dsn(platform.settings.sqlalchemy_url))
        if once:
            work_once(platform, app, lines, concurrency=concurrency, shutdown_graceful_timeout=GRACE_S)
        elif not run_worker(
            platform,
            app,
            lines,
            concurrency=concurrency,
            shutdown_graceful_timeout=GRACE_S,
            fetch_job_polling_interval=2.0,
        ):
            sys.exit(1)


@contextmanager
def _platform(most_busy: int = MOST_BUSY) -> Iterator[Platform]:
    settings = settings_with_database()
    configure_logs(settings.log_level)
    # A worker that waits 5 seconds for a free connection ends. Jobs, the dispatcher and the lines to back offices
    # work at the same time, and a recount needs two connections. A connection is opened only when it is needed.
    pool_size = max(settings.pool_size, most_busy)
    platform = open_platform(replace(settings, statement_timeout_ms=0, pool_size=pool_size))
    try:
        require_schema(platform)
        begin_tracing()
        yield platform
    finally:
        end_tracing()
        platform.close()


def _check() -> None:
    with _platform() as platform:
        checks = check_background(platform, utc_now())
    for check in checks:
        say(f"{check.name}: {check.detail}")
    late = [check for check in checks if not check.is_ok and not check.is_outside]
    if late:
        fail("; ".join(f"{check.name}: {check.detail}" for check in late))
