"""Traffic during an upgrade: clients call two web hosts through a balancer. Keeps what the clients were told.

A call is sent once. The balancer repeats nothing, so a host must be taken out before it is stopped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from itertools import count
from threading import Event, Lock
from urllib.parse import urlencode

BASE = "/open311/v2"
TIMEOUT_S = 30.0
PAUSE_S = 0.05
"""The pause between two calls of a client. It leaves CPU time for the processes that are being started."""
PLACE = {"lat": "60.1718", "long": "24.9414"}


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. The status is 0 if there was none."""

    status: int
    body: bytes = b""
    cursor: str = ""
    is_caught_up: bool = False


class Balancer:
    """Sends calls to the hosts in turn."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._busy: Counter[int] = Counter()
        self._lock = Lock()
        self._turns = count()

    def put_in(self, port: int) -> None:
        """Use a host again."""
        with self._lock:
            self._ports.append(port)

    def take_out(self, port: int) -> None:
        """Send no more calls to a host. `is_free` tells when the host has finished its present calls."""
        with self._lock:
            self._ports.remove(port)

    def is_free(self, port: int) -> bool:
        """Whether a host has no calls."""
        with self._lock:
            return not self._busy[port]

    def call(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> Answered:
        """Send a call to the next host."""
        with self._lock:
            port = self._ports[next(self._turns) % len(self._ports)]
            self._busy[port] += 1
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers or {})
            return _answered(connection.getresponse())
        except (OSError, HTTPException):
            return Answered(0)
        finally:
            connection.close()
            with self._lock:
                self._busy[port] -= 1


def _answered(response: HTTPResponse) -> Answered:
    headers = response.headers
    return Answered(response.status, response.read(), headers["X-Cursor"] or "", headers["X-Caught-Up"] == "true")


@dataclass(slots=True)
class Traffic:
    """Calls that go on until the block of `running` ends, and their results.

    accepted  the ids of accepted requests, by description
    tokens    the tokens of accepted requests that have no id yet, by description
    heard     the ids in the feed of changes, which one client follows by its `cursor`
    answers   how often each kind of call got each status
    """

    balancer: Balancer
    key: str
    accepted: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    cursor: str = ""
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    is_over: Event = field(default_factory=Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send calls during the block. The clients run in parallel; each sends one call at a time."""
        clients: tuple[Callable[[], None], ...] = (
            lambda: self._post("potholes", is_keyed=False),
            lambda: self._post("potholes", is_keyed=True),
            lambda: self._post("trees", is_keyed=False, pause_s=10 * PAUSE_S),
            self._list,
            self._follow,
        )
        with ThreadPoolExecutor(len(clients)) as pool:
            running: list[Future[None]] = [pool.submit(client) for client in clients]
            try:
                yield
            finally:
                self.is_over.set()
            for client in running:
                client.result()

    def total(self) -> int:
        """How many calls were answered with 200 so far."""
        return sum(times for (_, status), times in self.answers.items() if status == 200)

    def _post(self, service_code: str, *, is_keyed: bool, pause_s: float = PAUSE_S) -> None:
        kind = f"POST {service_code}, {'with' if is_keyed else 'without'} Idempotency-Key"
        for number in count():
            if self.is_over.wait(pause_s):
                return
            text = f"{kind}, number {number}"
            form = PLACE | {"service_code": service_code, "description": text}
            headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Api-Key": self.key}
            headers |= {"Idempotency-Key": f"{service_code}-{number}"} if is_keyed else {}
            answered = self.balancer.call("POST", f"{BASE}/requests.json", urlencode(form), headers)
            self.answers[kind, answered.status] += 1
            if answered.status == 200:
                (receipt,) = json.loads(answered.body)
                where, name = (
                    (self.tokens, "token") if "token" in receipt else (self.accepted, "service_request_id")
                )
                where[text] = receipt[name]

    def _list(self) -> None:
        while not self.is_over.wait(PAUSE_S):
            answered = self.balancer.call("GET", f"{BASE}/requests.json?page_size=20&extensions=true")
            self.answers["GET requests", answered.status] += 1

    def _follow(self) -> None:
        while not self.is_over.wait(PAUSE_S):
            self.is_caught_up()

    def is_caught_up(self) -> bool:
        """Read the next changes of the feed. Returns whether no change follows."""
        answered = self.balancer.call("GET", f"{BASE}/changes.json?cursor={self.cursor}")
        self.answers["GET changes", answered.status] += 1
        if answered.status == 200:
            self.heard |= {item["service_request_id"] for item in json.loads(answered.body)}
            self.cursor = answered.cursor
        return answered.is_caught_up
