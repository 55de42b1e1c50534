"""A neighbour: a small GeoReport server with a memory, a dialect and faults."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from open311.clock import utc_now
from tests.world.city import SERVICES, City, Refusal, Service
from tests.world.dialects import STANDARD, Dialect
from tests.world.faults import Fault, act, from_plain
from tests.world.faulty import Faulty
from tests.world.georeport import BASE, CLIENT_ID, CLIENT_SECRET, GeoReport, label_of
from tests.world.journal import Journal
from tests.world.serving import Asked, Reply, Server

STAFF = "/_world/"
ACTS = frozenset(
    {"change", "close", "resolve", "file", "renumber", "rename_service", "retire_service", "add_service"}
    | {"turn_clock", "rotate_key", "revoke_tokens", "release", "behave"}
)
"""What the staff of a neighbour in another process can do by `POST /_world/ACT`."""


class Neighbour(Faulty, City):
    """A city (see there for what it knows and does) that answers on a port of the loopback.

    base_url       the address of services.json without /services.json
    discovery_url  the address of its discovery document
    token_url      where OAuth2 tokens are granted to client_id and client_secret
    city_id        its jurisdiction_id; a call may leave it out
    api_key        the key with which it starts
    tls            a context; its addresses are then at https://localhost
    is_remote      whether its staff may act by HTTP too
    """

    api_key = "neighbour-key"
    client_id, client_secret = CLIENT_ID, CLIENT_SECRET

    def __init__(
        self,
        *,
        dialect: Dialect = STANDARD,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        services: Sequence[Service] = SERVICES,
        ids: str = "C",
        city_id: str = "neighbour.example",
        clock: Callable[[], datetime] = utc_now,
        file: Path | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        is_remote: bool = False,
    ) -> None:
        self._begin(Journal(file), faults, seed)
        City.__init__(self, journal=self.journal, services=list(services), ids=ids, clock=clock)
        self.dialect, self.city_id, self.is_remote = dialect, city_id, is_remote
        self._server = Server(self._answer, port, tls=tls)
        self.origin = self._server.origin
        self.base_url = self.origin + BASE
        self.discovery_url = f"{self.origin}/discovery.{dialect.formats[0]}"
        self.token_url = f"{self.origin}/oauth/token"

    def down(self) -> None:
        """Cut all connections, and refuse new ones until `up`. The memory stays."""
        self.release()
        self._server.stop()

    def up(self) -> None:
        """Answer calls."""
        self._server.start()

    def end(self) -> None:
        """Stop permanently."""
        self.release()
        self._server.close()
        self.journal.close()

    def _answer(self, asked: Asked) -> Reply:
        if self.is_remote and asked.path.startswith(STAFF):
            return self._act(asked.path.removeprefix(STAFF), asked.body)
        struck, released = self._faults.next(
            label_of(asked), **asked.plain(), key=asked.header("Idempotency-Key"), at=self.now.isoformat()
        )
        if struck and struck.kind == "revoke":
            self.revoke_tokens()
        handle = GeoReport(self, self.dialect, self.origin, self.city_id)
        return act(struck, lambda: handle(asked), released)

    def _act(self, name: str, body: bytes) -> Reply:
        """Do what the staff ask for: a list of positional and an object of named arguments."""
        arguments, options = json.loads(body)
        if options.get("at"):
            options["at"] = datetime.fromisoformat(options["at"])
        try:
            if name == "fault":
                self.fault(*map(from_plain, options["faults"]))
            elif name in ACTS:
                getattr(self, name)(*arguments, **options)
            else:
                return Reply(b"this act is unknown", "text/plain", 404)
        except (Refusal, TypeError, ValueError) as error:
            return Reply(str(error).encode(), "text/plain", 400)
        return Reply(b"[]")


@contextmanager
def neighbour(**options: Any) -> Iterator[Neighbour]:
    """A neighbour in this process. The options are those of Neighbour; each has a default.

    with neighbour(dialect=MYSOCIETY, faults=[fault("lose_answer", on="POST requests")]) as city:
        post_to(city.base_url, city.api_key)
        [filed] = city.accepted
        city.close(filed.service_request_id, note="Filled.")
    """
    city = Neighbour(**options)
    sys.stdout.write(f"neighbour {city.origin}: seed {city.seed}\n")
    city.up()
    try:
        yield city
    finally:
        city.end()
