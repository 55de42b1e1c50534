"""`make break`: what others notice while somebody tries to break the server.

For each scenario the same reads are sent by the clock twice: while nothing else happens, and while the scenario
goes on. The page tells the 95th percentile of both, and their ratio. Nobody else may be refused or left without an
answer. Then `enduring` sends POSTs while processes and the database fail. Both take less than five minutes. The
database of the reads is that of `make bench ROWS=20k`, and stays.
"""

from __future__ import annotations

import argparse
import multiprocessing
import selectors
import socket
import sys
import tempfile
import time
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
"""Each slow caller that was cut off comes back, and each that drips sends a byte, this often."""
_ENVIRONMENT = {"OPEN311_BODY_TIMEOUT_S": "10"}
"""So that slow bodies end within the time of the load."""
GOAL = 2.0
"""The most that others' 95th percentile may grow."""
ADDRESSES = 20
"""The slow callers come from so many addresses; none of them is that of the others."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Callers who are slow.

    said   what each sends when it connects, in turn
    drips  whether it goes on with a byte at every beat
    """

    count: int
    said: Sequence[bytes]
    drips: bool = False


@dataclass(slots=True)
class Told:
    """What the slow callers were told: how often each status, and how often a connection ended without one."""

    statuses: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items())) or "nothing"


Scenario = Callable[[Server], AbstractContextManager[Told]]
"""Goes on for the block."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: its title, the others' outcome without it and with it, what the callers in it were told."""

    title: str
    without: Outcome
    beside: Outcome
    told: str

    @property
    def ratio(self) -> float:
        return self.beside.percentile_ms(95) / self.without.percentile_ms(95)


@contextmanager
def slow_callers(slow: Slow, server: Server) -> Iterator[Told]:
    """Callers who stay slow for the block, whatever the server does to them."""
    told, processes = Told(), multiprocessing.get_context("fork")  # a process: their work is not the load's
    results, is_over = processes.SimpleQueue(), processes.Event()
    crowd = processes.Process(target=_stay_slow, args=(slow, server.port, results, is_over), daemon=True)
    crowd.start()
    # No event tells when the server has accepted all of them. Their arrival in a burst is not what is measured.
    time.sleep(3 * BEAT_S)
    try:
        yield told
    finally:
        is_over.set()
        told.statuses.update(results.get())
        crowd.join()


def _stay_slow(slow: Slow, port: int, results: SimpleQueue[Counter[str]], is_over: Event) -> None:
    said, told = cycle(slow.said), Told()
    with selectors.DefaultSelector() as selector:
        while True:
            numbers = {key.data for key in selector.get_map().values()}
            for number in set(range(slow.count)) - numbers:
                with suppress(OSError):
                    selector.register(_caller(port, number, next(said)), selectors.EVENT_READ, number)
            if is_over.wait(BEAT_S):
                break
            for key, _ in selector.select(0):
                _listen(selector, key, slow, told)
            if slow.drips:
                for key in list(selector.get_map().values()):
                    with suppress(OSError):
                        key.fileobj.send(b"x")  # type: ignore[union-attr]
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    results.put(told.statuses)


def _caller(port: int, number: int, said: bytes) -> socket.socket:
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    caller.bind((f"127.0.1.{number % ADDRESSES + 1}", 0))
    caller.settimeout(BEAT_S)
    caller.connect((HOST, port))
    caller.sendall(said)
    return caller


def _listen(selector: selectors.BaseSelector, key: selectors.SelectorKey, slow: Slow, told: Told) -> None:
    """Look at what came first; a caller who reads no further is watched no more, as long as it is not cut off."""
    caller = key.fileobj
    assert isinstance(caller, socket.socket)
    try:
        found = caller.recv(16, socket.MSG_PEEK)
    except OSError:
        found = b""
    status = found[9:12].decode() if found else "cut off"
    if status == "200":
        return
    told.statuses[status] += 1
    selector.unregister(caller)
    caller.close()


def _scenarios(field: Field) -> dict[str, Scenario]:
    """By title. Another kind of trouble is one more line."""
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
    """Run all scenarios; 1 where others were refused, left without an answer, or slowed down beyond the goal."""
    parser = argparse.ArgumentParser(prog="make break", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of load, with and without each scenario")
    parser.add_argument("--out", type=Path, help="a file for the page, beside what is printed")
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
    with scenario(server) as told:
        beside = _load(server, requests, seconds)
    # What they were told is known after the block.
    return Row(title, without, beside, str(told))


def _load(server: Server, requests: Iterator[bytes], seconds: float) -> Outcome:
    outcome, found = Outcome(), pace(server.port, lambda: next(requests), per_second=PER_SECOND, seconds=seconds)
    outcome.add_all(found, int(PER_SECOND * seconds))
    return outcome


def _page(rows: Sequence[Row]) -> str:
    lines = [
        f"# Under attack, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{PER_SECOND:.0f} reads a second by the clock, {ROWS:,} requests in the database; 95th percentiles, ms.",
        f"The goal: nobody else is refused, and others' 95th percentile stays within {GOAL:.0f} times.",
        "",
        "| Scenario | alone | beside it | times | others refused | the slow ones were told |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.title} | {row.without.percentile_ms(95):.1f} | {row.beside.percentile_ms(95):.1f} |"
        f" {row.ratio:.2f} | {row.beside.failed} | {row.told} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
