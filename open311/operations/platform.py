"""The platform: the parts of a server that every operation needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from threading import Event, Lock
from typing import Any, ParamSpec, TypeVar

from open311.errors import Misconfigured
from open311.operations.access.kept_blocks import KeptBlocks
from open311.operations.access.rates import Rates
from open311.operations.intake.repeating import RunningKeys
from open311.operations.notices.kept import KeptNotices
from open311.operations.overriding.kept import KeptOverrides
from open311.operations.overriding.seeing import see_overrides
from open311.operations.replica import Replica
from open311.operations.row_cache import CachedRow, RowCache
from open311.operations.upkeep.metering import CallCounts
from open311.plugins.registry import Registry, load_registry
from open311.settings import NO_DATABASE, Settings
from open311.storage.engine import Database, open_database
from open311.storage.hot.queues import RowState
from open311.storage.queue import Queue
from open311.storage.requests import NumberSource

P = ParamSpec("P")
T = TypeVar("T")

EntryState = tuple[str, str, str, tuple[str, ...], bytes]
"""All that decides how a list for citizens shows a request of a city.

These are the path of this server, the language of the page, the `locale` that its links carry, the languages of the
catalogue, and the request as the API answers with it.
"""
MOST_QUEUE_BYTES = 8_000_000
MOST_ENTRY_BYTES = 1_000_000


class Process:
    """The state of a platform that changes while its process runs.

    numbers     the source of numbers for new requests
    is_synced   an event, which is set when this process has stored the catalogues
    is_waiting  a lock, which is held by the only caller that may wait for changes
    calls       counts of calls for /metrics; None if /metrics is switched off
    queue_rows  rendered rows of the queues of staff, by their states in the database. A row also has the name of an
                account, which never changes. A row must not depend on the account that reads it.
    entries     rendered entries of the lists for citizens
    running     the keys of the repeatable POSTs that the process is storing
    is_ending   an event, which is set when a web process was told to stop and takes its last calls
    blocks      the block list
    overrides   what admins have changed in texts and questions
    notices     the notices of cities that are valid or planned
    lagging_notices  the notices that are valid or planned, as the replica has them
    rates       counts of reports, by which cities notice floods
    """

    def __init__(self, calls: CallCounts | None = None, rate_storage: str = "memory://") -> None:
        self.calls = calls
        self.numbers = NumberSource()
        self.is_synced = Event()
        self.is_waiting = Lock()
        self.queue_rows = RowCache[RowState, CachedRow](
            lambda _state, row: len(row.json), most_bytes=MOST_QUEUE_BYTES
        )
        self.entries = RowCache[EntryState, str](
            lambda state, entry: len(state[-1]) + len(entry), most_bytes=MOST_ENTRY_BYTES
        )
        self.running = RunningKeys()
        self.is_ending = Event()
        self.blocks = KeptBlocks()
        self.overrides = KeptOverrides()
        self.notices = KeptNotices()
        self.lagging_notices = KeptNotices()
        self.rates = Rates(rate_storage)
        self._caches: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._minutes: dict[str, Callable[..., Any]] = {}

    def cached(self, function: Callable[P, T], *, most: int = 1_024) -> Callable[P, T]:
        """The function with an LRU cache, which exists as long as this platform.

        most  the size of the cache; later calls for the same function do not change the size
        """
        caching = self._caches.get(function)
        if caching is None:
            caching = self._caches.setdefault(function, lru_cache(maxsize=most)(function))
        return caching

    def kept_for_minute(self, name: str, key: Hashable, now: datetime, make: Callable[[], T], *, most: int) -> T:
        """The container that this process keeps under a key until the minute ends. `make` makes an empty one.

        name  what the keys belong to, such as `statistics`; each name always has the same `make` and `most`
        most  for how many keys a container is kept
        """
        found = self._minutes.get(name)
        if found is None:
            found = self._minutes.setdefault(name, lru_cache(maxsize=most)(lambda _key, _minute: make()))
        container: T = found(key, now.replace(second=0, microsecond=0))
        return container


@dataclass(frozen=True, slots=True, eq=False)
class Platform:
    """The parts of one server. `open_platform` makes them in each process. Compared and hashed by identity.

    process     what changes while the server runs, apart from what the registry and the replica know
    replica     the replica that answers public reads; None if there is none
    is_lagging  whether the database is the replica. `lagging` makes such a platform, for public reads only
    """

    settings: Settings
    database: Database
    registry: Registry
    queue: Queue
    process: Process = field(default_factory=Process)
    replica: Replica | None = None
    is_lagging: bool = False

    def __post_init__(self) -> None:
        """Let the registry see the overrides in the database whenever somebody asks it for a city."""
        if not self.is_lagging:
            self.registry.look_with(partial(see_overrides, self))

    def close(self) -> None:
        """Close the database's connections, and those of the replica."""
        self.database.close()
        if self.replica is not None:
            self.replica.close()


def lagging(platform: Platform) -> Platform | None:
    """The platform on the replica, always the same object for the same platform; None if there is no replica."""
    return None if platform.replica is None else platform.process.cached(_lagging)(platform, platform.replica)


def _lagging(platform: Platform, replica: Replica) -> Platform:
    return replace(platform, database=replica.database, replica=None, is_lagging=True)


def open_platform(settings: Settings) -> Platform:
    """Make the platform that the settings describe. It connects at the first use.

    A city with a broken plugin is not served. Raises Misconfigured if the settings have no database. A command that
    uses the private database must put its address into the settings before it calls this function.
    """
    if not settings.database_url:
        raise Misconfigured(NO_DATABASE)
    database = _open(settings, settings.sqlalchemy_url, is_pooled=bool(settings.direct_database_url))
    registry = load_registry(
        settings.jurisdictions,
        ignore_wrong_id=settings.ignore_wrong_jurisdiction,
        maps=settings.maps_path,
        backends=settings.backends_path,
    )
    calls = CallCounts(settings.data_path / "metrics", database.pools) if settings.metrics_token else None
    process = Process(calls, settings.rate_storage)
    return Platform(settings, database, registry, Queue(database), process, _replica_of(settings, database))


def _open(settings: Settings, url: str, *, is_pooled: bool) -> Database:
    return open_database(
        url,
        pool_size=settings.pool_size,
        statement_timeout_ms=settings.statement_timeout_ms,
        prepares=settings.prepare_statements,
        is_pooled=is_pooled,
    )


def _replica_of(settings: Settings, primary: Database) -> Replica | None:
    if not settings.replica_url:
        return None
    database = _open(settings, settings.sqlalchemy_replica_url, is_pooled=False)
    return Replica(primary, database, most_lag_s=settings.replica_lag_s)
