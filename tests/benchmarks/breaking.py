"""`make break`: measures how much ordinary clients notice while somebody tries to break the server.

For each scenario, the same reads are sent at a fixed rate twice: without the scenario and during it. The page shows
the 95th percentile of both, and their ratio. Every ordinary client must get its answer. Then `enduring` sends POSTs
while processes and the database fail. Both parts together take less than five minutes. The reads use the database
of `make bench ROWS=20k`, which is not deleted afterwards.
"""

from __future__ import annotations

import argparse
import multiprocessing
import selectors
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.benchmarks import enduring
from tests.benchmarks.contestants import OURS, Server, running
from tests.benchmarks.data import find_cluster, open_data, run_open311
from tests.benchmarks.load import HOST, Outcome, call, pace
from tests.benchmarks.measures import address_of_export
from tests.benchmarks.workloads import BASE, Field, address, mixed

ROWS = 20_000
SECONDS = 12.0
PER_SECOND = 40.0
BEAT_S = 1.0
"""Seconds after which slow callers that were cut off connect again, and dripping callers send one more byte."""
_ENVIRONMENT = {"OPEN311_BODY_TIMEOUT_S": "10"}
"""With this limit, slow bodies are cut off during the measurement."""
GOAL = 2.0
"""The greatest allowed ratio of the ordinary clients' 95th percentiles, during the scenario and without it."""
ADDRESSES = 20
"""The number of addresses that the slow callers use. Ordinary clients have another address."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A group of slow callers.

    said   texts that callers send when they connect; each caller takes the next text
    drips  whether each caller sends one more byte after every `BEAT_S` seconds
    """

    count: int
    said: Sequence[bytes]
    drips: bool = False


@dataclass(slots=True)
class SlowAnswers:
    """The answers to slow callers: the number of each status, and of connections that ended without an answer."""

    statuses: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items())) or "nothing"


Scenario = Callable[[Server], AbstractContextManager[SlowAnswers]]
"""Makes a context manager. The scenario runs during the block of this context manager."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: its title, the results of ordinary clients without and during it, the slow callers' answers."""

    title: str
    without: Outcome
    beside: Outcome
    slow_answers: str

    @property
    def ratio(self) -> float:
        return self.beside.percentile_ms(95) / self.without.percentile_ms(95)


@contextmanager
def slow_callers(slow: Slow, server: Server) -> Iterator[SlowAnswers]:
    """Run slow callers during the block. A caller that was cut off connects again."""
    slow_answers, processes = (
        SlowAnswers(),
        multiprocessing.get_context("fork"),
    )  # a process, so that it does not slow the clients
    results, is_over = processes.SimpleQueue(), processes.Event()
    crowd = processes.Process(target=_stay_slow, args=(slow, server.port, results, is_over), daemon=True)
    crowd.start()  # all slow callers connect at once, while ordinary clients send their calls
    try:
        yield slow_answers
    finally:
        is_over.set()
        slow_answers.statuses.update(results.get())
        crowd.join()


def _stay_slow(slow: Slow, port: int, results: SimpleQueue[Counter[str]], is_over: Event) -> None:
    said, slow_answers = cycle(slow.said), SlowAnswers()
    with selectors.DefaultSelector() as selector:
        while True:
            numbers = {key.data for key in selector.get_map().values()}
            for number in set(range(slow.count)) - numbers:
                with suppress(OSError):
                    selector.register(_caller(port, number, next(said)), selectors.EVENT_READ, number)
            if is_over.wait(BEAT_S):
                break
            for key, _ in selector.select(0):
                _listen(selector, key, slow, slow_answers)
            if slow.drips:
                for key in list(selector.get_map().values()):
                    with suppress(OSError):
                        key.fileobj.send(b"x")  # type: ignore[union-attr]
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    results.put(slow_answers.statuses)


def _caller(port: int, number: int, said: bytes) -> socket.socket:
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    caller.bind((f"127.0.1.{number % ADDRESSES + 1}", 0))
    caller.settimeout(BEAT_S)
    caller.connect((HOST, port))
    caller.sendall(said)
    return caller


def _listen(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, slow: Slow, slow_answers: SlowAnswers
) -> None:
    """Count the answer to a caller, and close its connection. A caller with status 200 stays and does not read."""
    caller = key.fileobj
    assert isinstance(caller, socket.socket)
    try:
        found = caller.recv(16, socket.MSG_PEEK)
    except OSError:
        found = b""
    status = found[9:12].decode() if found else "cut off"
    if status == "200":
        return
    slow_answers.statuses[status] += 1
    selector.unregister(caller)
    caller.close()


def _scenarios(field: Field) -> dict[str, Scenario]:
    """Title -> scenario. A new scenario is one more line here."""
    page = call("GET", address("requests.json", page_size=1_000)) * 20
    drip = f"POST {BASE}/requests.json HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\n\r\nse".encode()
    reads = (call("GET", address_of_export()), page)
    return {
        "500 connections that say nothing": partial(slow_callers, Slow(500, (b"",))),
        "50 bodies that drip": partial(slow_callers, Slow(50, (drip,), drips=True)),
        "50 headers that drip": partial(slow_callers, Slow(50, (b"GET / HT",), drips=True)),
        "50 readers who do not read": partial(slow_callers, Slow(50, reads)),
    }


def main() -> int:
    """Run all scenarios. Returns 1 if an ordinary client got no proper answer, or if the goal was missed."""
    parser = argparse.ArgumentParser(prog="make break", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of load, with and without each scenario")
    parser.add_argument("--out", type=Path, help="a file for the page, which is also printed")
    words = parser.parse_args()
    with find_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        data = open_data(cluster, ROWS)
        key = run_open311(["keys", "add", "--label", "break"], data.url).stdout.strip().splitlines()[-1]
        known = Field(data, key, data.ids(500))
        rows = []
        for title, scenario in _scenarios(known).items():
            with running(OURS, _ENVIRONMENT | {"DATABASE_URL": data.url}, Path(folder) / "server.log") as server:
                rows.append(_measure(known, server, title, scenario, words.seconds))
    endured = enduring.run()
    page = "\n".join([_page(rows), *endured, ""])
    sys.stdout.write(page)
    if words.out:
        words.out.write_text(page, encoding="utf-8")
    is_missed = any(row.beside.failed or row.ratio > GOAL for row in rows)
    return 1 if is_missed or any(line.startswith(enduring.FAULT) for line in endured) else 0


def _measure(known: Field, server: Server, title: str, scenario: Scenario, seconds: float) -> Row:
    requests = cycle(list(islice(mixed(known, server, writes=False), 200)))
    _load(server, requests, 2.0)
    without = _load(server, requests, seconds)
    with scenario(server) as slow_answers:
        beside = _load(server, requests, seconds)
    # The answers are known only after the end of the block.
    return Row(title, without, beside, str(slow_answers))


def _load(server: Server, requests: Iterator[bytes], seconds: float) -> Outcome:
    outcome, found = Outcome(), pace(server.port, lambda: next(requests), per_second=PER_SECOND, seconds=seconds)
    outcome.add_all(found, int(PER_SECOND * seconds))
    return outcome


def _page(rows: Sequence[Row]) -> str:
    lines = [
        f"# Under attack, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{PER_SECOND:.0f} reads a second by the clock, {ROWS:,} requests in the database; 95th percentiles, ms.",
        "The goal: no other client is refused, and the 95th percentile of the other clients is at most"
        f" {GOAL:.0f} times as long as without the attack.",
        "",
        "| Scenario | without it | during it | times | others refused | answers to the attack |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.title} | {row.without.percentile_ms(95):.1f} | {row.beside.percentile_ms(95):.1f} |"
        f" {row.ratio:.2f} | {row.beside.failed} | {row.slow_answers} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
