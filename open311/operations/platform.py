"""What every operation needs: the database, the jurisdictions, the queue and the operator's choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Event, Lock
from typing import Any, ParamSpec, TypeVar

from open311.errors import Misconfigured
from open311.plugins.registry import Registry, load_registry
from open311.settings import Settings
from open311.storage.engine import Database, open_database
from open311.storage.queue import Queue
from open311.storage.requests import NumberSource

P = ParamSpec("P")
T = TypeVar("T")


class Process:
    """What a process of the server keeps and changes while it runs, on behalf of one platform.

    numbers     numbers for new requests
    is_synced   set once this process has written the catalogues down
    is_waiting  held by the one caller who may wait for changes
    """

    def __init__(self) -> None:
        self.numbers = NumberSource()
        self.is_synced = Event()
        self.is_waiting = Lock()
        self._remembered: dict[Callable[..., Any], Callable[..., Any]] = {}

    def remembered(self, function: Callable[P, T], *, most: int = 1_024) -> Callable[P, T]:
        """The same function, which remembers its newest results as long as this platform lives.

        most  how many; counts at the first use
        """
        found = self._remembered.get(function)
        if found is None:
            found = self._remembered.setdefault(function, lru_cache(maxsize=most)(function))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Platform:
    """One server's parts, made once per process by `open_platform`. Compared and hashed by identity.

    process  what changes while the server runs; all else is as it was made
    """

    settings: Settings
    database: Database
    registry: Registry
    queue: Queue
    process: Process = field(default_factory=Process)

    def close(self) -> None:
        """Give the database's connections back."""
        self.database.close()


def open_platform(settings: Settings) -> Platform:
    """The platform that the settings describe. It does not connect yet, and a broken plugin does not stop it.

    Raises Misconfigured where the settings name no database; commands fill in the private one.
    """
    if not settings.database_url:
        raise Misconfigured("DATABASE_URL: is not set; it must look like postgresql://user:password@host/name.")
    database = open_database(
        settings.sqlalchemy_url,
        pool_size=settings.pool_size,
        statement_timeout_ms=settings.statement_timeout_ms,
        prepares=settings.prepare_statements,
    )
    registry = load_registry(settings.jurisdictions, ignore_wrong_id=settings.ignore_wrong_jurisdiction)
    return Platform(settings, database, registry, Queue(database))
