"""The platform: the parts of a server that every operation needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Event, Lock
from typing import Any, ParamSpec, TypeVar

from open311.errors import Misconfigured
from open311.operations.upkeep.metering import CallCounts
from open311.plugins.registry import Registry, load_registry
from open311.settings import Settings
from open311.storage.engine import Database, open_database
from open311.storage.queue import Queue
from open311.storage.requests import NumberSource

NO_DATABASE = "DATABASE_URL: is not set; it must look like postgresql://user:password@host/name."
P = ParamSpec("P")
T = TypeVar("T")


class Process:
    """The state of one platform that changes while the process runs.

    numbers     the source of numbers for new requests
    is_synced   set when this process has stored the catalogues
    is_waiting  the lock of the one caller that may wait for changes
    calls       counts of calls for /metrics; None if /metrics is switched off
    is_cut_off  set when a worker has lost its database and ends
    """

    def __init__(self, calls: CallCounts | None = None) -> None:
        self.calls = calls
        self.numbers = NumberSource()
        self.is_synced = Event()
        self.is_waiting = Lock()
        self.is_cut_off = Event()
        self._remembered: dict[Callable[..., Any], Callable[..., Any]] = {}

    def remembered(self, function: Callable[P, T], *, most: int = 1_024) -> Callable[P, T]:
        """The function with an LRU cache, which lives as long as this platform.

        most  the size of the cache; only the first call for a function sets it
        """
        found = self._remembered.get(function)
        if found is None:
            found = self._remembered.setdefault(function, lru_cache(maxsize=most)(function))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Platform:
    """One server's parts, made once per process by `open_platform`. Compared and hashed by identity.

    process  the state that changes while the server runs; everything else is constant
    """

    settings: Settings
    database: Database
    registry: Registry
    queue: Queue
    process: Process = field(default_factory=Process)

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()


def open_platform(settings: Settings) -> Platform:
    """Make the platform that the settings describe. It does not connect yet. A broken plugin is not served.

    Raises Misconfigured if the settings name no database. Commands set the private database before they call this.
    """
    if not settings.database_url:
        raise Misconfigured(NO_DATABASE)
    database = open_database(
        settings.sqlalchemy_url,
        pool_size=settings.pool_size,
        statement_timeout_ms=settings.statement_timeout_ms,
        prepares=settings.prepare_statements,
    )
    registry = load_registry(settings.jurisdictions, ignore_wrong_id=settings.ignore_wrong_jurisdiction)
    calls = CallCounts(settings.data_path / "metrics", database.pools) if settings.metrics_token else None
    return Platform(settings, database, registry, Queue(database), Process(calls))
