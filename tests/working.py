"""A worker for the tests, without periodic jobs."""

from __future__ import annotations

import procrastinate

from open311.jobs.dispatching import work_once
from open311.jobs.worker import make_worker
from open311.operations.platform import Platform
from open311.storage.engine import libpq_dsn


def worker_without_periodic_jobs(platform: Platform) -> procrastinate.App:
    """The worker without periodic jobs, which would start in some test runs and not in others."""
    app = make_worker(platform, libpq_dsn(platform.settings.sqlalchemy_url))
    app.periodic_registry.periodic_tasks.clear()
    return app


def work(platform: Platform) -> None:
    """Dispatch all waiting changes and run all due jobs, in this process."""
    work_once(platform, worker_without_periodic_jobs(platform), install_signal_handlers=False)
