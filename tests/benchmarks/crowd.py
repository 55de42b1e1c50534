"""Measures whether each of two hundred concurrent keep-alive clients gets clean answers.

Each client sends its next request as soon as it has the answer. An answer is clean if it is 200, 304, or 503 with
Retry-After. A broken connection is an error, and so is a client that gets no answer in time.
"""

from __future__ import annotations

import selectors
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from tests.benchmarks.contestants import Server
from tests.benchmarks.cpu import pss_kb
from tests.benchmarks.load import Line, Outcome, Refused
from tests.benchmarks.workloads import Field, mixed, unchanged

CLIENTS = 200
PATIENCE_S = 20.0
"""How long a client waits for an answer before it gives up."""
SELECT_TIMEOUT_S = 0.5
UNCHANGED_SHARE = 0.05
CLEAN = (200, 304)


@dataclass(frozen=True, slots=True)
class Crowd:
    """The result of a run.

    broken      number of broken connections
    unclean     number of answers with 503 and without Retry-After
    unanswered  number of clients that gave up
    unheard     number of clients that got no answer at all
    memory_mb   proportional set size before, half-way and after, with all clients still connected
    """

    clients: int
    outcome: Outcome
    broken: int
    unclean: int
    unanswered: int
    unheard: int
    memory_mb: tuple[float, float, float]

    @property
    def errors(self) -> int:
        """The number of all errors."""
        wrong = sum(times for status, times in self.outcome.statuses.items() if status not in (*CLEAN, 503))
        return wrong + self.broken + self.unclean + self.unanswered

    @property
    def growth_mb(self) -> float:
        """Growth of memory over the second half."""
        return self.memory_mb[2] - self.memory_mb[1]


def measure_crowd(field: Field, server: Server, count: int, clients: int = CLIENTS) -> Crowd:
    """Measure `count` mixed reads in total."""
    requests = _requests(field, server)
    memory = [pss_kb([server.pid])[0] / 1024]
    with selectors.DefaultSelector() as selector:
        clients_loop = _Clients(server.port, requests, selector)
        try:
            begun_at = time.perf_counter()
            clients_loop.connect(clients)
            clients_loop.exchange(until=count // 2)
            memory.append(pss_kb([server.pid])[0] / 1024)
            clients_loop.exchange(until=count)
            clients_loop.outcome.seconds = time.perf_counter() - begun_at
            clients_loop.wait_for_answers()
            memory.append(pss_kb([server.pid])[0] / 1024)
        finally:
            clients_loop.close_all()
    return clients_loop.result((memory[0], memory[1], memory[2]))


def _requests(field: Field, server: Server) -> Iterator[bytes]:
    """The reads of a busy day, some of them conditional."""
    random, conditional = Random(11), unchanged(field, server)
    reads = islice(mixed(field, server, writes=False), 2_000)
    return cycle(
        [random.choice(conditional) if random.random() < UNCHANGED_SHARE else request for request in reads]
    )


class _Clients:
    """All clients, with one connection each, in one event loop."""

    def __init__(self, port: int, requests: Iterator[bytes], selector: selectors.BaseSelector) -> None:
        self._port, self._requests, self._selector = port, requests, selector
        self.outcome = Outcome()
        self.errors = Counter[str]()
        self._answered: set[int] = set()
        self._clients = 0

    def connect(self, clients: int) -> None:
        """Connect all clients and send their first requests."""
        self._clients = clients
        for number in range(clients):
            self._connect(number)

    def exchange(self, until: int) -> None:
        """Exchange requests and answers until the number of answers and broken connections is `until`."""
        while self._done < until and self._selector.get_map():
            self._turn(sends_more=True)

    def wait_for_answers(self) -> None:
        """Send no further requests; wait until all sent requests are answered."""
        while any(key.data[1].sent_at for key in self._selector.get_map().values()):
            self._turn(sends_more=False)

    def close_all(self) -> None:
        """Close all connections."""
        for key in list(self._selector.get_map().values()):
            key.data[1].close()

    def result(self, memory_mb: tuple[float, float, float]) -> Crowd:
        """The result of the run."""
        return Crowd(
            clients=self._clients,
            outcome=self.outcome,
            broken=self.errors["broken"],
            unclean=self.errors["unclean"],
            unanswered=self.errors["unanswered"],
            unheard=self._clients - len(self._answered),
            memory_mb=memory_mb,
        )

    @property
    def _done(self) -> int:
        return self.outcome.count + self.errors["broken"]

    def _connect(self, number: int) -> None:
        try:
            line = Line(self._port, timeout_s=PATIENCE_S)
        except OSError:
            self.errors["broken"] += 1
            return
        self._selector.register(line.socket, selectors.EVENT_READ, (number, line))
        self._ask(number, line)

    def _ask(self, number: int, line: Line) -> None:
        try:
            line.send(next(self._requests))
        except OSError:
            self._break(number, line)

    def _turn(self, *, sends_more: bool) -> None:
        for key, _ in self._selector.select(SELECT_TIMEOUT_S):
            number, line = key.data
            try:
                is_whole = line.receive()
            except (OSError, Refused):
                self._break(number, line, reconnects=sends_more)
                continue
            if is_whole:
                self._count_answer(number, line)
                self._continue(number, line, sends_more=sends_more)
        self._drop_unanswered()

    def _count_answer(self, number: int, line: Line) -> None:
        self.outcome.add(time.perf_counter() - line.sent_at, line.status, len(line.body))
        self.errors["unclean"] += line.status == 503 and not line.header("Retry-After").isdigit()
        self._answered.add(number)
        line.sent_at = 0.0

    def _continue(self, number: int, line: Line, *, sends_more: bool) -> None:
        """Send the next request, on a new connection if the server closes the old connection."""
        if line.header("Connection").lower() == "close":
            self._drop(line)
            if sends_more:
                self._connect(number)
        elif sends_more:
            self._ask(number, line)

    def _break(self, number: int, line: Line, *, reconnects: bool = True) -> None:
        self._drop(line)
        self.errors["broken"] += 1
        if reconnects and self.errors["broken"] < self._clients:
            self._connect(number)

    def _drop_unanswered(self) -> None:
        now = time.perf_counter()
        for key in list(self._selector.get_map().values()):
            line = key.data[1]
            if line.sent_at and now - line.sent_at > PATIENCE_S:
                self.errors["unanswered"] += 1
                self._drop(line)

    def _drop(self, line: Line) -> None:
        self._selector.unregister(line.socket)
        line.close()
