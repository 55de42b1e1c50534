"""What every operation needs: the database, the jurisdictions, the queue and the operator's choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event, Lock

from open311.errors import Misconfigured
from open311.plugins.registry import Registry, load_registry
from open311.settings import Settings
from open311.storage.engine import Database, open_database
from open311.storage.queue import Queue
from open311.storage.requests import NumberSource


@dataclass(frozen=True, slots=True, eq=False)
class Platform:
    """One server's parts, made once per process by `open_platform`. Compared and hashed by identity.

    is_synced  set once this process has written the catalogues down
    waiting    held by the one caller who may wait for changes
    """

    settings: Settings
    database: Database
    registry: Registry
    queue: Queue
    numbers: NumberSource = field(default_factory=NumberSource)
    is_synced: Event = field(default_factory=Event)
    waiting: Lock = field(default_factory=Lock)

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
