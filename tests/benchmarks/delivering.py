"""Measures the cost of a read while the worker sends 100 deliveries and applies 100 updates a second.

`python -m tests.benchmarks.delivering` uses its own cluster. Its processes are

    one server   for the readers, with its own sessions in PostgreSQL
    one server   for the webhooks that the back offices send
    workers      send deliveries, pull updates and apply them; two unless --workers says otherwise
    one process  has the two back offices (see back_office.py); its CPU time is not counted

There are two back offices. `works` is of the kind webhook: it takes signed webhooks, and sends each update as a
signed webhook. `county` is of the kind open311: it takes GeoReport requests, and our worker pulls its updates every
few seconds. Three quarters of the deliveries go to `works`, and three quarters of the updates come from `works`,
because an office with many updates sends them itself. Half of the updates close a request. The deliveries of a
round are planned before the round, and are due at a steady pace.

Rounds without and with this load alternate. In each round, the same reads are sent in short bursts. A figure is the
CPU time of a read, of the readers' server and its sessions together. The delivered and updated requests are the
newest requests, and the readers read these requests.

The goal: with the load, a read costs at most 1.25 times as much. The goal is also missed if the load does not reach
its rate.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from open311.clock import utc_now
from open311.domain.deliveries import Delivery, DeliveryState, Subject
from open311.storage import deliveries
from tests.benchmarks.back_office import Wave
from tests.benchmarks.beside import (
    BURST,
    CITY,
    GOAL,
    KINDS,
    PAUSE_S,
    Costs,
    Town,
    missed_costs,
    own_database,
    say,
    table_of_costs,
)
from tests.benchmarks.contestants import ROOT, commit
from tests.benchmarks.cpu import cpu_ns
from tests.benchmarks.load import Refused, ask, call
from tests.benchmarks.tables import table

HOME = ROOT / "var" / "pg-delivering"
DATABASE = "delivering"
ROWS = 20_000
RATE = 100.0
SECONDS = 6.0
PAIRS = 6
REACHED = 0.97
"""A load counts as reached if its rate is at least this share of the wanted rate."""
PULL_EVERY_S = 2
SETTLE_S = 60.0
"""How long the worker may take after a round for the remaining work."""
SHARE_OF_WEBHOOKS = 0.75
OFFICES = ("works", "county")
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
BACKENDS = """
[[backends]]
name = "works"
kind = "webhook"
url = "http://127.0.0.1:{port}/works"
secret = {{ env = "WORKS_SECRET" }}
incoming_secret = {{ env = "WORKS_SECRET" }}
honours_keys = true
sends_updates = false
since = 2100-01-01T00:00:00Z
concurrency = {concurrency}
pull_every_s = 0
shared = ["description"]
[[backends]]
name = "county"
kind = "open311"
url = "http://127.0.0.1:{port}/county"
honours_keys = true
sends_updates = false
since = 2100-01-01T00:00:00Z
concurrency = {concurrency}
updates = "updates"
pull_every_s = {pull_every_s}
overlap_minutes = 1
shared = ["description"]
[[destinations]]
department = "desk"
backends = ["works", "county"]
"""
"""Both back offices get all requests. With `since`, the dispatcher plans no deliveries; only this program does."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of the measurement.

    rate     deliveries a second, and also updates a second
    seconds  the duration of one round
    pairs    the number of pairs of rounds: one round without load and one round with load
    """

    rate: float
    seconds: float
    pairs: int
    rows: int
    workers: int
    concurrency: int

    @property
    def count(self) -> int:
        """The number of deliveries in one round, and also the number of updates."""
        return int(self.rate * self.seconds)


LOADED = ("worker", "PostgreSQL", "webhooks' server")
"""The parts that do the work of the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The numbers of all deliveries and updates.

    planned, done   deliveries that were planned, and deliveries that were done
    taken, calls    deliveries that the back offices have taken, and their calls
    offered         updates that the back offices have sent or offered
    applied         updates whose row has the state `applied`
    with_events            updates that have led to events
    notes           events with the texts of updates
    refused         webhooks that got another answer than 200
    """

    planned: int
    done: int
    taken: int
    calls: int
    offered: int
    applied: int
    with_events: int
    notes: int
    refused: int


@dataclass(frozen=True, slots=True)
class Round(Costs):
    """One pair of rounds.

    out      deliveries a second
    back     applied updates a second
    parts_s  the CPU seconds of each part until the load was done
    """

    out: float
    back: float
    parts_s: Mapping[str, float]


def main() -> int:
    """Measure, print the page, and return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.delivering", description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="deliveries a second, and updates a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each round")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of rounds, one without and one with the load")
    parser.add_argument("--rows", type=int, default=ROWS, help="requests in the database")
    parser.add_argument("--workers", type=int, default=2, help="processes of `open311 worker`")
    parser.add_argument("--concurrency", type=int, default=4, help="calls at a time to each back office")
    parser.add_argument("--out", type=Path, help="a file for the page, which is also printed")
    words = parser.parse_args()
    plan = Plan(words.rate, words.seconds, words.pairs, words.rows, words.workers, words.concurrency)
    if plan.count * (plan.pairs + 1) > plan.rows:
        parser.error("there are too few requests for so many deliveries; give more --rows")
    with own_database(HOME, DATABASE) as url:
        return _run(url, plan, words.out)


def _run(url: str, plan: Plan, out: Path | None) -> int:
    with tempfile.TemporaryDirectory(prefix="open311-delivering-") as folder, ExitStack() as stack:
        place = Place(url, plan, Path(folder), stack)
        rounds = place.measure()
        counts = place.counts()
    page = "\n".join(_page(plan, rounds, counts)) + "\n"
    sys.stdout.write(page)
    if out:
        out.write_text(page, encoding="utf-8")
    return int(any(_faults(plan, rounds, counts)))


class Place(Town):
    """All processes, and the requests that are delivered."""

    def __init__(self, url: str, plan: Plan, folder: Path, stack: ExitStack) -> None:
        self.plan = plan
        self._office_port = _start_office(stack)
        super().__init__(
            url,
            plan.rows,
            folder,
            stack,
            backends=BACKENDS.format(
                port=self._office_port, concurrency=plan.concurrency, pull_every_s=PULL_EVERY_S
            ),
            variables={"WORKS_SECRET": SECRET},
        )
        self._waiting = self.numbers[: plan.count * (plan.pairs + 1)]
        Random(311).shuffle(self._waiting)
        self.read_only(self._waiting[: 20 * BURST])
        self._taker, self._taker_port = self.serve()
        self._workers = [self.start("worker") for _ in range(plan.workers)]

    # --- Rounds

    def measure(self) -> list[Round]:
        """Measure all pairs of rounds. The deliveries before the first pair are the requests to be updated."""
        say("the servers run; the first deliveries are sent")
        self._load(self.plan.count, updates=0)
        self._settle()
        self.reads(self.plan.seconds)
        say("the rounds begin")
        return [self._pair(number) for number in range(self.plan.pairs)]

    def _pair(self, number: int) -> Round:
        without = self.reads(self.plan.seconds)
        before, begun_at = self._parts_ns(), utc_now()
        self._load(self.plan.count, updates=self.plan.count)
        beside = self.reads(self.plan.seconds)
        self._settle()
        after = self._parts_ns()
        out, back = self._rates(begun_at)
        costs = {kind: (without[kind], beside[kind]) for kind in KINDS}
        parts = {name: (after[name] - before[name]) / 1e9 for name in after}
        found = Round(costs, out, back, parts)
        ratios = ", ".join(f"{kind} {found.ratio(kind):.2f}" for kind in KINDS)
        say(f"{number + 1}: {ratios}; {out:.0f} deliveries and {back:.0f} updates a second; {parts}")
        return found

    def _load(self, count: int, *, updates: int) -> None:
        """Plan deliveries that are due at a steady pace from now on, and let the back offices send updates."""
        now, plan = utc_now(), self.plan
        chosen, self._waiting = self._waiting[:count], self._waiting[count:]
        new = [
            Delivery(
                jurisdiction_id=CITY,
                number=one,
                version=1,
                backend=OFFICES[turn % 4 == 0],
                subject=Subject.CASE,
                key=str(uuid4()),
                state=DeliveryState.WAITING,
                created_at=now,
                due_at=now + timedelta(seconds=turn / plan.rate),
            )
            for turn, one in enumerate(chosen)
        ]
        with self.platform.database.transaction() as connection:
            deliveries.add(connection, new)
        if updates:
            webhooks = int(updates * SHARE_OF_WEBHOOKS)
            path = f"/callbacks/{CITY}/works"
            wave = Wave(self._taker_port, path, SECRET, webhooks, updates - webhooks, plan.seconds)
            answer = ask(self._office_port, call("POST", "/_wave", body=json.dumps(asdict(wave)).encode()))
            assert answer.status == 200

    def _parts_ns(self) -> dict[str, int]:
        return {
            "worker": cpu_ns(self._workers),
            "PostgreSQL": cpu_ns([self.postmaster]),
            "webhooks' server": cpu_ns([self._taker]),
        }

    def _settle(self) -> None:
        """Wait until no delivery and no update waits, so that the next round begins without load."""
        until = time.monotonic() + SETTLE_S
        while self._left():
            if time.monotonic() > until:
                say(self.log.read_text(encoding="utf-8")[-6_000:])
                raise Refused(f"{self._left()} deliveries and updates still wait after {SETTLE_S:.0f} s")
            time.sleep(PAUSE_S)  # other processes do the work, and there is no event for its end

    def _left(self) -> int:
        """The number of waiting deliveries, of updates that are not stored or not applied, and of changes."""
        ledger = self._ledger()
        offered: int = sum(len(one["offered"]) for one in ledger["offices"].values())
        stored = self.number("SELECT count(*) FROM remote_update")
        waiting = self.number(
            "SELECT (SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending', 'pending'))"
            " + (SELECT count(*) FROM remote_update WHERE due_at IS NOT NULL) + (SELECT count(*) FROM outbox)"
        )
        return waiting + offered - stored + int(ledger["is_sending"])

    def _rates(self, begun_at: datetime) -> tuple[float, float]:
        """The deliveries and the applied updates a second of a round with load.

        A pulled update waits for the next reading. This wait does not lower the rate.
        """
        sent = "SELECT backend, id, ended_at AS at FROM delivery WHERE created_at >= :begun"
        applied = f"SELECT backend, update_id AS id, at FROM {APPLIED} WHERE received_at >= :begun"
        waits = {"county": PULL_EVERY_S + 1.0}
        return self._rate(sent, begun_at, {}), self._rate(applied, begun_at, waits)

    def _rate(self, select: str, begun_at: datetime, waits: Mapping[str, float]) -> float:
        query = text(
            "SELECT backend, count(DISTINCT id), extract(epoch FROM max(at) - CAST(:begun AS timestamptz))"
            f" FROM ({select}) AS rows GROUP BY backend"
        )
        with self.platform.database.reading() as connection:
            found = connection.execute(query, {"begun": begun_at}).all()
        return sum(
            int(count) / max(self.plan.seconds, float(seconds) - waits.get(name, 0.0))
            for name, count, seconds in found
        )

    # --- Results

    def _ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ask(self._office_port, call("GET", "/_ledger")).body)
        return found

    def counts(self) -> Counts:
        """The numbers of deliveries and updates that were sent, and that arrived."""
        ledger = self._ledger()
        offices = ledger["offices"].values()
        refused = {status: count for status, count in ledger["answers"].items() if status != "200"}
        return Counts(
            planned=self.number("SELECT count(*) FROM delivery"),
            done=self.number("SELECT count(*) FROM delivery WHERE state = 'done'"),
            taken=sum(one["taken"] for one in offices),
            calls=sum(one["calls"] for one in offices),
            offered=sum(len(one["offered"]) for one in offices),
            applied=self.number("SELECT count(*) FROM remote_update WHERE state = 'applied'"),
            with_events=self.number(f"SELECT count(DISTINCT (backend, update_id)) FROM {APPLIED}"),
            notes=self.number(
                "SELECT count(*) FROM request_event WHERE description LIKE 'The crew was there, entry %%'"
            ),
            refused=sum(refused.values()) + ledger["missing"],
        )


def _start_office(stack: ExitStack) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.back_office"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C goes only to us
    )
    stack.callback(process.communicate)  # closes the standard input of the process, which then ends
    assert process.stdout is not None
    return int(process.stdout.readline())


APPLIED = (
    "(SELECT r.backend, r.update_id, r.received_at, e.at FROM remote_update AS r JOIN request_event AS e"
    " ON (e.jurisdiction_id, e.request_id, e.version) = (r.jurisdiction_id, r.request_id, r.version)) AS applied"
)
"""The updates of back offices, with the events that they have caused."""


# --- The page


def _page(plan: Plan, rounds: Sequence[Round], counts: Counts) -> Iterator[str]:
    yield f"# Reads beside deliveries and updates, {utc_now():%Y-%m-%d}"
    yield ""
    yield (
        f"{plan.rate:.0f} deliveries a second to two back offices and {plan.rate:.0f} updates a second from them,"
        f" {plan.rows:,} requests in the database,"
    )
    yield (
        f"{plan.workers} workers, {plan.concurrency} calls at a time to each back office,"
        f" {plan.pairs} pairs of rounds of {plan.seconds:.0f} s. Commit {commit(ROOT)}, {os.cpu_count()} cores,"
    )
    yield (
        f"load of the machine {os.getloadavg()[0]:.1f}. Three quarters of the updates are webhooks, the others are"
        f" pulled every {PULL_EVERY_S} s."
    )
    yield f"The goal: with this load, a read costs at most {GOAL} times its CPU time, server and database together."
    yield ""
    yield from table_of_costs(rounds)
    yield ""
    rates = [("deliveries out", [one.out for one in rounds]), ("updates in", [one.back for one in rounds])]
    yield from table(
        ("A second", "median", "least", "greatest"),
        ((name, *(f"{value:.1f}" for value in (median(each), min(each), max(each)))) for name, each in rates),
    )
    yield ""
    yield from table(("CPU time for the load of one second", "median, s"), _parts(plan, rounds))
    yield ""
    needed = sum(median(one.parts_s[name] for one in rounds) for name in LOADED) / plan.seconds
    yield f"So the load needs {needed:.1f} cores. Other programs on the machine make this figure larger."
    yield ""
    yield from _verdict(plan, rounds, counts)


def _parts(plan: Plan, rounds: Sequence[Round]) -> Iterator[tuple[str, str]]:
    for name in LOADED:
        yield name, f"{median(one.parts_s[name] for one in rounds) / plan.seconds:.2f}"


def _verdict(plan: Plan, rounds: Sequence[Round], counts: Counts) -> Iterator[str]:
    yield (
        f"{counts.planned} deliveries were planned, {counts.done} are done; the back offices took {counts.taken}"
        f" in {counts.calls} calls."
    )
    yield (
        f"{counts.offered} updates were sent, {counts.applied} are applied, {counts.with_events} have led to"
        f" events and {counts.notes} to notes; {counts.refused} were refused."
    )
    faults = list(_faults(plan, rounds, counts))
    yield "; ".join(faults) + "." if faults else "Nothing was lost, nothing was doubled, and the goal is reached."


def _faults(plan: Plan, rounds: Sequence[Round], counts: Counts) -> Iterator[str]:
    if len({counts.planned, counts.done, counts.taken, counts.calls}) > 1:
        yield "FAULT: deliveries were lost or doubled"
    if len({counts.offered, counts.applied, counts.with_events, counts.notes}) > 1 or counts.refused:
        yield "FAULT: updates were lost, doubled or refused"
    for name, rate in (
        ("deliveries", median(one.out for one in rounds)),
        ("updates", median(one.back for one in rounds)),
    ):
        if rate < plan.rate * REACHED:
            yield f"MISSED: only {rate:.0f} of {plan.rate:.0f} {name} a second were reached"
    yield from missed_costs(rounds)


if __name__ == "__main__":
    sys.exit(main())
