"""A neighbour that says exactly what a test wants, also what no server should say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from open311.clock import utc_now
from open311.domain.remotes import Remote
from open311.operations.federation.neighbours import add_neighbour
from tests.federated.towns import Town
from tests.federation.scripted import as_json
from tests.world.serving import Asked, Reply, serving

POTHOLES = {"service_code": "potholes", "service_name": "Potholes", "type": "realtime", "metadata": False}


@dataclass
class Stub:
    """Its services, its list of requests, and its answer to a POST of a request."""

    services: list[Any] = field(default_factory=lambda: [POTHOLES])
    requests: list[Any] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    on_post: Callable[[Asked], Reply] = lambda _: as_json([{"service_request_id": "101"}])
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        name = asked.path.rpartition("/v2/")[2]
        if name == "services.json":
            return as_json(self.services)
        if name == "requests.json" and asked.method == "POST":
            return self.on_post(asked)
        if name == "requests.json":
            return as_json(self.requests if asked.query.get("page", "1") == "1" else [], **self.headers)
        return as_json([{"code": "404", "description": "There is nothing here."}], 404)

    def join(self, town: Town, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        """Become the neighbour `north` of a town."""
        monkeypatch.setenv("NORTH_KEY", "the-key-of-north")
        wanted: dict[str, Any] = {
            "jurisdiction_id": town.id,
            "name": "north",
            "url": self.url,
            "since": utc_now() - timedelta(minutes=1),
            "key_env": "NORTH_KEY",
            "services": ("potholes",),
            "shared": ("description",),
            "pulls": True,
        }
        add_neighbour(town.platform, Remote(**wanted | changes), now=town.now())


def filed(id: Any, **changes: Any) -> dict[str, Any]:
    """A request in the list of a stub."""
    at = (utc_now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {"status": "open", "service_code": "potholes", "requested_datetime": at, "updated_datetime": at}
    return {"service_request_id": id, "lat": 60.27, "long": 24.94, **values, **changes}


@contextmanager
def stubbed(**values: Any) -> Iterator[Stub]:
    """A stub that is served on the loopback."""
    stub = Stub(**values)
    with serving(stub.answer) as server:
        stub.url = f"{server.origin}/v2"
        yield stub
