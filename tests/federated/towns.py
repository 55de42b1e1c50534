"""Towns for tests: each has a server on the loopback, a database of its own, and keys for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from shapely.geometry import box

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.remotes import CatalogueChanges, Remote
from open311.operations.access.api_keys import add_key
from open311.operations.delivery.sending import deliver_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.federation.neighbours import add_neighbour
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.storage.engine import Database, open_database
from tests import build
from tests.conformance.servers import serve_thread
from tests.conftest import SWEEP

HERE, NORTH, SOUTH = (60.17, 24.94), (60.27, 24.94), (60.07, 24.94)
AREAS = {
    "Here": box(24.9, 60.15, 25.0, 60.19),
    "North": box(24.9, 60.25, 25.0, 60.29),
    "South": box(24.9, 60.05, 25.0, 60.09),
}


@dataclass
class Town:
    """A town with its server."""

    name: str
    platform: Platform
    origin: str
    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    later: timedelta = timedelta()

    @property
    def id(self) -> str:
        return f"{self.name}.example"

    @property
    def url(self) -> str:
        return f"{self.origin}/open311/v2"

    @property
    def city(self) -> Jurisdiction:
        return self.platform.registry.find(self.id)

    def key_for(self, other: str) -> tuple[int, str]:
        """The number and secret of a key for another town or for an app."""
        if other not in self.keys:
            self.keys[other] = add_key(self.platform, label=other, now=utc_now())
        return self.keys[other]

    def now(self) -> datetime:
        return utc_now() + self.later

    def post(self, point: tuple[float, float] = HERE, **fields: str) -> requests.Response:
        """Send a request as an app does."""
        data = {"service_code": "potholes", "lat": str(point[0]), "long": str(point[1]), "description": "Deep"}
        data |= {"api_key": self.key_for("app")[1]} | fields
        return requests.post(f"{self.url}/requests.json", data=data, timeout=30)

    def report(self, point: tuple[float, float] = HERE, **fields: str) -> str:
        """Send a request. Returns its id."""
        answer = self.post(point, **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json()[0]["service_request_id"])

    def listed(self, **query: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/requests.json", params={"extensions": "true"} | query, timeout=30)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def ids(self) -> list[str]:
        return sorted(each["service_request_id"] for each in self.listed())

    def work(self) -> int:
        """Do what the worker does. Returns the number of tries."""
        while dispatch(self.platform, self.now()):
            continue
        return deliver_all(self.platform, self.now)

    def federate(self, other: Town, monkeypatch: Any, **changes: Any) -> CatalogueChanges:
        """Make another town a neighbour, to which we give a key."""
        variable = f"{self.name}_{other.name}_KEY".upper()
        monkeypatch.setenv(variable, other.key_for(self.name)[1])
        wanted: dict[str, Any] = {
            "jurisdiction_id": self.id,
            "name": other.name,
            "url": other.url,
            "since": utc_now() - timedelta(minutes=1),
            "key_env": variable,
            "partner_key": self.key_for(other.name)[0],
            "services": ("potholes",),
            "shared": ("description",),
        }
        _, _, catalogue_changes = add_neighbour(self.platform, Remote(**wanted | changes), now=self.now())
        return catalogue_changes

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.platform.database.reading() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


Open = Callable[..., Town]
RESTART = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"
"""Lets all numbers begin at 1 again."""


class TownDatabases:
    """Empty databases for towns. A town that is closed leaves its database to the next town."""

    def __init__(self, make_database: Callable[[str], str]) -> None:
        self._make_database = make_database
        self._sweepers: dict[str, Database] = {}
        self._free: list[str] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of an empty database, which is emptied again at the end."""
        url = self._free.pop() if self._free else self._make()
        yield url
        with self._sweepers[url].transaction() as connection:
            connection.exec_driver_sql(SWEEP)
            connection.exec_driver_sql(RESTART)
        self._free.append(url)

    def close(self) -> None:
        """Close the connections with which the databases were emptied."""
        for sweeper in self._sweepers.values():
            sweeper.close()

    def _make(self) -> str:
        url = self._make_database(f"town{len(self._sweepers) + 1}")
        self._sweepers[url] = open_database(url)
        return url


@contextmanager
def opened(databases: TownDatabases) -> Iterator[Open]:
    """A function that opens towns, which are closed at the end."""
    with ExitStack() as stack:

        def open_town(name: str, settings: Mapping[str, Any] | None = None, **changes: Any) -> Town:
            url = stack.enter_context(databases.lend())
            values = {"post_rate": "", "get_rate": "", "log_level": "error"} | dict(settings or {})
            own = Settings(database_url=url, **values)
            platform = build.platform(own, build.city(id=f"{name}.example", name=name, areas=AREAS, **changes))
            stack.callback(platform.close)
            origin = stack.enter_context(serve_thread(create_app(own, platform)))
            return Town(name, platform, origin)

        yield open_town
