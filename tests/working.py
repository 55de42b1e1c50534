"""A worker for the tests, whose day has no hours."""

from __future__ import annotations

import procrastinate

from open311.jobs.dispatching import work_once
from open311.jobs.worker import make_worker
from open311.operations.platform import Platform
from open311.storage.engine import libpq_dsn


def timeless_worker(platform: Platform) -> procrastinate.App:
    """The worker without its clock, which would start in some runs what it does not start in others."""
    app = make_worker(platform, libpq_dsn(platform.settings.sqlalchemy_url))
    app.periodic_registry.periodic_tasks.clear()
    return app


def work(platform: Platform) -> None:
    """Do all that waits and is due, in this process: what follows from changes, and jobs."""
    work_once(platform, timeless_worker(platform), install_signal_handlers=False)
