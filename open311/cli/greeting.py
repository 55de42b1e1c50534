"""What `open311 serve` and `open311 worker` log when they start."""

from __future__ import annotations

from collections.abc import Collection

from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.intake.suspecting import remark_about_counts
from open311.operations.platform import Platform
from open311.storage.failures import why_down
from open311.storage.migrations import schema_state
from open311.storage.pooling import POOLED, UNPREPARED, is_pooled
from open311.storage.queue import Line

log = logger(__name__)


def announce(platform: Platform) -> None:
    """Log what the operator should look at, and then the address, cities and database of a server that starts.

    Deletes the call counts of earlier runs.
    """
    settings = platform.settings
    if platform.process.calls is not None:
        platform.process.calls.clear()
    if remark := remark_about_pooler(platform):
        log.error(remark)
    for city in platform.registry:
        if remark := remark_about_counts(city, settings):
            log.warning(remark, city=city.id)
    log.info(
        "serving",
        address=settings.public_url or f"http://{settings.host}:{settings.port}",
        listens=f"{settings.host}:{settings.port}",
        cities=sorted(platform.registry.jurisdictions),
        not_served=[fault.name for fault in platform.registry.faults],
        database=platform.database.place,
        schema=_schema(platform),
        processes=settings.workers,
        threads=settings.threads,
    )


def announce_worker(platform: Platform, lines: Collection[Line]) -> None:
    """Log the queues, cities and database of a worker that starts."""
    log.info(
        "working",
        queues=[line.name.lower() for line in lines],
        cities=sorted(platform.registry.jurisdictions),
        not_served=[fault.name for fault in platform.registry.faults],
        database=platform.database.place,
    )


def remark_about_pooler(platform: Platform) -> str:
    """What is wrong if a pooler answers and the settings do not say so; "" if nothing is wrong."""
    settings = platform.settings
    if settings.direct_database_url and not settings.prepare_statements:
        return ""
    try:
        with platform.database.reading() as connection:
            if not is_pooled(connection):
                return ""
    except Unavailable:  # the log line "serving" says why
        return ""
    return UNPREPARED if settings.direct_database_url else POOLED


def _schema(platform: Platform) -> str:
    try:
        with platform.database.reading() as connection:
            return str(schema_state(connection))
    except Unavailable as error:
        return f"unknown: {why_down(error)}"
