"""An HTTP client for the loopback: keep-alive HTTP/1.1 on raw sockets. It needs very little CPU time."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import quantiles

HOST = "127.0.0.1"
TIMEOUT_S = 60.0
BUFFER_BYTES = 1 << 20


class Refused(Exception):
    """A measurement is refused: an answer, or something else that the measurement needs, is wrong or missing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, raw head, body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header; "" if the answer does not have it."""
        return _header(self.head, name.lower().encode()).decode()


@dataclass(slots=True)
class Outcome:
    """The result of a run: its duration and the latency of each answer, in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    body_bytes: int = 0

    @property
    def count(self) -> int:
        return len(self.latencies)

    def add(self, latency: float, status: int, body_bytes: int) -> None:
        self.latencies.append(latency)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.body_bytes += body_bytes

    @property
    def failed(self) -> int:
        """The number of answers that were not 200."""
        return sum(times for status, times in self.statuses.items() if status != 200)

    def add_all(self, other: Outcome, wanted: int) -> None:
        """Add another run that should have `wanted` answers; missing answers get the status 0."""
        self.seconds += other.seconds
        self.latencies += other.latencies
        self.body_bytes += other.body_bytes
        for status, times in (*other.statuses.items(), (0, wanted - other.count)):
            if times:
                self.statuses[status] = self.statuses.get(status, 0) + times

    def percentile_ms(self, share: int) -> float:
        """A percentile of all latencies, in ms; 0 if there are too few."""
        return quantiles(self.latencies, n=100)[share - 1] * 1000 if len(self.latencies) > 1 else 0.0


FORM = "application/x-www-form-urlencoded"


def call(
    method: str, target: str, *, headers: dict[str, str] | None = None, body: bytes = b"", body_type: str = FORM
) -> bytes:
    """A complete request as bytes. `body_type` is the content type of the body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += [f"Content-Type: {body_type}", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def ask(port: int, request: bytes, timeout_s: float = TIMEOUT_S) -> Answer:
    """Send one request on a new connection."""
    line = Line(port, timeout_s=timeout_s)
    try:
        line.send(request)
        while not line.receive():
            pass
        return Answer(line.status, bytes(line.head), bytes(line.body))
    finally:
        line.close()


def drive(port: int, requests: Sequence[bytes], *, count: int, connections: int) -> Outcome:
    """Send `count` requests, by repeating `requests`. Each connection waits for its answer."""
    outcome = Outcome()
    waiting = islice(cycle(requests), count)
    begun_at = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        lines = [Line(port) for _ in range(min(connections, count))]
        try:
            for line in lines:
                selector.register(line.socket, selectors.EVENT_READ, line)
                line.send(next(waiting))
            _exchange(selector, waiting, outcome, count)
        finally:
            for line in lines:
                line.close()
    outcome.seconds = time.perf_counter() - begun_at
    return outcome


def _exchange(selector: selectors.BaseSelector, waiting: Iterator[bytes], outcome: Outcome, count: int) -> None:
    while outcome.count < count:
        ready = selector.select(TIMEOUT_S)
        if not ready:
            raise Refused(f"no answer within {TIMEOUT_S:.0f} s")
        for key, _ in ready:
            line: Line = key.data
            if not line.receive():
                continue
            outcome.add(time.perf_counter() - line.sent_at, line.status, len(line.body))
            request = next(waiting, None)
            if request is not None:
                line.send(request)


def pace(
    port: int,
    next_request: Callable[[], bytes],
    *,
    per_second: float,
    seconds: float,
    senders: int = 16,
    on_answer: Callable[[Line], None] = lambda line: None,
) -> Outcome:
    """Send requests at a fixed rate, even if answers are slow. Latency counts from the planned time of a request.

    on_answer  is called with each complete answer, one at a time
    """
    outcome, lock = Outcome(), threading.Lock()
    begun_at = time.perf_counter()
    total = int(per_second * seconds)
    turns = iter(range(total))

    def send() -> None:
        line = Line(port)
        try:
            while True:
                with lock:
                    turn = next(turns, None)
                    request = next_request() if turn is not None else b""
                if turn is None:
                    return
                due_at = begun_at + turn / per_second
                time.sleep(max(0.0, due_at - time.perf_counter()))  # the fixed rate needs real waiting
                line.send(request)
                while not line.receive():
                    pass
                with lock:
                    outcome.add(time.perf_counter() - due_at, line.status, len(line.body))
                    on_answer(line)
        finally:
            line.close()

    threads = [threading.Thread(target=send, daemon=True) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + TIMEOUT_S)
    outcome.seconds = time.perf_counter() - begun_at
    return outcome


class Line:
    """One connection and the answer that it is receiving.

    sent_at  the time of the last request, by perf_counter
    """

    __slots__ = ("_buffer", "_missing", "_port", "_timeout_s", "body", "head", "sent_at", "socket", "status")

    def __init__(self, port: int, timeout_s: float = TIMEOUT_S) -> None:
        self._port, self._timeout_s = port, timeout_s
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self.socket = socket.create_connection((HOST, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.status, self.head, self.body = 0, b"", bytearray()
        self.sent_at, self._missing = 0.0, -1

    def send(self, request: bytes) -> None:
        """Send a request; discards the previous answer."""
        self.status, self.head, self.body, self._missing = 0, b"", bytearray(), -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read the received bytes; returns whether the answer is complete."""
        size = self.socket.recv_into(self._buffer)
        if not size:
            raise Refused("the server closed the connection in the middle of an answer")
        self.body += self._buffer[:size]
        if not self.head:
            head, separator, rest = self.body.partition(b"\r\n\r\n")
            if not separator:
                return False
            self._read_head(bytes(head))
            self.body = rest
        if self._missing < 0:  # chunked
            return self.body.endswith(b"0\r\n\r\n")
        return len(self.body) >= self._missing

    def _read_head(self, head: bytes) -> None:
        self.head = head
        self.status = int(head[9:12])
        length = _header(head, b"content-length")
        if self.status in (204, 304):
            self._missing = 0
        elif length:
            self._missing = int(length)

    def header(self, name: str) -> str:
        """The value of a header of the answer; "" if the answer does not have it."""
        return _header(self.head, name.lower().encode()).decode()

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self.socket.close()


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""
