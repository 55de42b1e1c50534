"""Sends reports to a city while all processes are killed in turn, and counts the reports and notes that arrived.

`python -m tests.benchmarks.chaos --reports 1000` runs these servers on the loopback:

    A      a server of ours. All reports are sent to it, and its own desk keeps a third of them
    ours   another server of ours, with its own database. It gets a third of the reports
    asked  a neighbour. Our server can ask it whether it has a request
    keys   a neighbour that honours Idempotency-Key
    plain  a neighbour with neither ability

The three neighbours share the last third of the reports. They lose answers after they have taken a request, handle
calls twice, answer late and refuse to answer. The web process, the worker and the database of both servers and each
neighbour are killed with -9 in turn. Staff of the other servers close their requests with a note.

At the end each report must have arrived exactly once at the right server, and A must show the note. Only deliveries
to `plain` may end as uncertain. Such a delivery names its risk and is never sent a second time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import cycle
from math import ceil
from pathlib import Path
from random import Random
from uuid import uuid4

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.workflow import Outcome
from open311.errors import Conflict, Unavailable
from open311.federation.client import GeoReportClient, GeoReportError, Limits, NewRequest
from open311.operations.workflow.act import act
from tests import world
from tests.benchmarks.towns import Town
from tests.world.processes import NeighbourProcess

MEANINGS = {
    "home": "none: the desk of A",
    "ours": "`ours`: our server",
    "asked": "`asked`: can be asked for a request",
    "keys": "`keys`: honours `Idempotency-Key`",
    "plain": "`plain`: neither",
}
CLASSES = tuple(MEANINGS)
WORDS = ("reported", "arrived", "lost", "doubled", "uncertain", "parked", "answered")
NEIGHBOURS = {
    "asked": replace(world.MYSOCIETY, finds_own_id=True, refuses_own_id=True),
    "keys": replace(world.MYSOCIETY, honours_key=True),
    "plain": world.MYSOCIETY,
}
NOTE = "Done over there."
PATIENT = Limits(
    timeout_s=10, deadline_s=20, retries=60, backoff_s=0.2, patience_s=2, rate_per_s=0, repeats_posts=True
)
_ABOUT = """\
The module [tests/benchmarks/chaos.py](../../tests/benchmarks/chaos.py) explains the servers, the faults of the
neighbours, and what is killed. A report is *answered* if its request at city A is closed with the note of those
who did the work. `plain` cannot be asked and does not honour a key. If its answer to a report is lost, the delivery
stays *uncertain*: it names the risk, and it is never sent a second time.
"""
LONGEST_LIFE_S = 30.0
"""After this time the next part is killed, even if no report was accepted and no delivery has ended."""
MOVING = "('waiting', 'sending', 'pending')"
"""The states of deliveries that are on their way."""
SETTLE_S = 240.0
"""How long the servers may take for the remaining work after the last kill."""

CATALOGUE = """
id = "{id}"
name = "{name}"
time_zone = "UTC"
triage = "desk"
[[departments]]
code = "desk"
name = "Desk"
"""
SERVICE = """
[[services]]
code = "{code}"
name = "{code}"
description = "Work for {code}."
department = "desk"
"""


def main() -> int:
    """Run the chaos. The exit status is 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.chaos", description=__doc__)
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=311)
    parser.add_argument("--least-kills", type=int, default=24, help="go on until this many parts were killed")
    parser.add_argument("--out", type=Path, help="a file for the page with the result")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="open311-chaos-") as folder:
        table = run(Path(folder), reports=words.reports, seed=words.seed, least_kills=words.least_kills, say=_say)
    _say(str(table))
    if words.out:
        words.out.write_text(table.page(words.seed), encoding="utf-8")
    return 1 if table.faults else 0


@dataclass(frozen=True)
class Table:
    """The result: for each class of reports, the number of reports for each of WORDS."""

    rows: dict[str, Counter[str]]
    kills: int
    seconds: float

    @property
    def faults(self) -> list[str]:
        """A sentence for each class with a fault."""
        found = []
        for name, row in self.rows.items():
            bad = {word: row[word] for word in ("lost", "doubled", "parked") if row[word]}
            if name != "plain" and row["uncertain"]:
                bad["uncertain"] = row["uncertain"]
            if row["answered"] != row["reported"] - row["uncertain"] and name != "home":
                bad["unanswered"] = row["reported"] - row["uncertain"] - row["answered"]
            if bad:
                found.append(f"{name}: {bad}")
        return found

    def __str__(self) -> str:
        lines = [f"{'':8}" + "".join(f"{word:>11}" for word in WORDS)]
        lines += [f"{name:8}" + "".join(f"{row[word]:>11}" for word in WORDS) for name, row in self.rows.items()]
        return "\n".join([*lines, f"{self.kills} kills in {self.seconds:.0f} s: {self._verdict}"])

    @property
    def _verdict(self) -> str:
        return "; ".join(self.faults) or "nothing lost, nothing doubled"

    def page(self, seed: int) -> str:
        """The result as a Markdown page."""
        reported = sum(row["reported"] for row in self.rows.values())
        lines = [
            f"# Delivery amid kills, {utc_now():%Y-%m-%d}\n",
            f"{reported} reports, {self.kills} kills with -9, {self.seconds:.0f} seconds, seed {seed}:",
            f"{self._verdict}.\n",
            _ABOUT,
            "| Neighbour | " + " | ".join(WORDS) + " |",
            "|---" * (len(WORDS) + 1) + "|",
            *(
                f"| {MEANINGS[name]} | " + " | ".join(str(row[word]) for word in WORDS) + " |"
                for name, row in self.rows.items()
            ),
        ]
        return "\n".join(lines) + "\n"


def run(folder: Path, *, reports: int, seed: int, least_kills: int, say: Callable[[str], object]) -> Table:
    """Start all servers, send the reports during the kills, wait for the remaining work, and count."""
    started = time.monotonic()
    with ExitStack() as stack:
        servers = Servers(folder, seed, stack, reports, least_kills)
        sender = threading.Thread(target=servers.send, daemon=True)
        staff = threading.Thread(target=servers.work, daemon=True)
        sender.start()
        staff.start()
        servers.kill_until(lambda: not sender.is_alive() and servers.kills >= least_kills, Random(seed))
        sender.join()
        say(f"{len(servers.sent)} reports sent amid {servers.kills} kills in {time.monotonic() - started:.0f} s")
        servers.settle(say)
        servers.stopping.set()
        staff.join()
        return Table(servers.count(), servers.kills, time.monotonic() - started)


class Servers:
    """All servers, the citizens who report, and the staff of the other servers."""

    def __init__(self, folder: Path, seed: int, stack: ExitStack, reports: int, least_kills: int) -> None:
        self.reports, self.least_kills = reports, least_kills
        self.stopping = threading.Event()
        self.arrived = threading.Condition()
        self.sent: dict[str, str] = {}
        self.kills = 0
        faults = [
            *world.by_chance(0.06, "lose_answer", "double", on="POST requests"),
            *world.by_chance(0.04, "drop", "status", on="POST"),
            *world.by_chance(0.05, "delay", on="POST", seconds=0.2),
        ]
        plain = [one for one in faults if one.kind != "double"]  # `plain` would store such a report twice
        self.neighbours = {
            name: NeighbourProcess(
                folder / f"{name}.journal",
                dialect=dialect,
                faults=plain if name == "plain" else faults,
                seed=seed + number,
                ids=name,
            )
            for number, (name, dialect) in enumerate(NEIGHBOURS.items())
        }
        for neighbour in self.neighbours.values():
            neighbour.up()
            stack.callback(neighbour.end)
        self.ours = Town("ours", folder, {"jurisdiction.toml": _catalogue("b.example", "B", ["ours"])})
        stack.callback(self.ours.end)
        keys = {"OURS_KEY": self.ours.new_key("A")}
        files = {
            "jurisdiction.toml": _catalogue("a.example", "A", CLASSES),
            "backends.toml": "".join(self._backends()),
        }
        self.a = Town("a", folder, files, keys | {"NEIGHBOUR_KEY": world.Neighbour.api_key})
        stack.callback(self.a.end)
        self.key = self.a.new_key("citizens")
        for town in (self.a, self.ours):
            town.keep()
            town.wait()

    def _backends(self) -> Iterator[str]:
        for name in CLASSES[1:]:
            neighbour = self.neighbours.get(name)
            url = neighbour.base_url if neighbour else self.ours.base_url
            secret = "NEIGHBOUR_KEY" if neighbour else "OURS_KEY"
            abilities = {"asked": "looks_up = true", "plain": ""}.get(name, "honours_keys = true")
            yield (
                f'[[backends]]\nname = "{name}"\nkind = "open311"\nurl = "{url}"\n'
                f'service_codes = {{ {name} = "{"potholes" if neighbour else name}" }}\n'
                "deadline_s = 3\npull_every_s = 1\ntakes_updates = true\n"
                f'api_key = {{ env = "{secret}" }}\nshared = ["description"]\n'
                f'reference_name = "service_request_id_ext"\n{abilities}\n'
                f'[[destinations]]\nservice = "{name}"\nbackends = ["{name}"]\n'
            )

    # --- Citizens

    def send(self) -> None:
        """Send reports to A: a third for its desk, a third for ours, a third for the neighbours."""
        names = ("home", "ours", "asked", "home", "ours", "keys", "home", "ours", "plain")
        client = GeoReportClient(self.a.base_url, api_key=self.key, limits=PATIENT)
        for number, name in zip(range(self.reports), cycle(names), strict=False):
            with self.arrived:
                self.arrived.wait_for(lambda: len(self.sent) < self._allowed())
            new = NewRequest(service_code=name, lat=60.17, long=24.94, description=f"Report {number}")
            request_id = self._post(client, new)
            with self.arrived:
                self.sent[request_id] = name
                self.arrived.notify_all()
        client.close()

    def _post(self, client: GeoReportClient, new: NewRequest) -> str:
        key = str(uuid4())
        while True:
            try:
                return client.post_request(new, key=key).service_request_id
            except GeoReportError:  # the server was killed; with the key, it stores the report only once
                self.stopping.wait(0.3)

    # --- Staff of the other servers

    def work(self) -> None:
        """Close the requests that arrive at the other servers, with a note."""
        while not self.stopping.is_set():
            for neighbour in self.neighbours.values():
                for filed in neighbour.accepted:
                    if filed.status == "open" and filed.service_request_id:
                        with suppress(OSError, RuntimeError):  # it was killed; the next round tries again
                            neighbour.close(filed.service_request_id, note=NOTE, status="fixed")
            with suppress(Unavailable):
                self._work_at_ours()
            self.stopping.wait(0.5)

    def _work_at_ours(self) -> None:
        platform = self.ours.platform
        (city,) = platform.registry
        with platform.database.reading() as connection:
            ids = connection.exec_driver_sql(
                "SELECT service_request_id FROM service_request WHERE status = 'open' ORDER BY id LIMIT 50"
            ).scalars()
            found = list(ids)
        for name in found:
            with suppress(Conflict):
                close = commands.Close(outcome=Outcome.FIXED, note=NOTE)
                act(platform, city, name, [close], principal=SHELL, now=utc_now())

    # --- Kills

    def kill_until(self, is_over: Callable[[], bool], random: Random) -> None:
        """Kill one part after the other, and restart parts that have ended.

        Between two kills, this function waits until some reports are accepted and a delivery has ended, at most for
        `LONGEST_LIFE_S`. Without this wait, a slow machine would only start processes.
        """
        victims: list[Callable[[], object]] = [*self.a.victims(), *self.ours.victims()]
        victims += [neighbour.kill for neighbour in self.neighbours.values()]
        ended = 0
        for victim in cycle(victims):
            with suppress(Unavailable):
                ended = self._ended()
            reports = len(self.sent) + random.randint(1, 9)
            deadline = time.monotonic() + LONGEST_LIFE_S
            while not is_over() and time.monotonic() < deadline and not self._has_lived(reports, ended):
                with self.arrived:
                    self.arrived.wait(timeout=0.5)
                self.keep()
            if is_over():
                break
            victim()
            with self.arrived:
                self.kills += 1
                self.arrived.notify_all()
            self.keep()

    def _allowed(self) -> int:
        """The number of reports that may be sent before the next kill. So some are left until the last kill."""
        return min(self.reports, ceil(self.reports * (self.kills + 1) / self.least_kills))

    def _has_lived(self, reports: int, ended: int) -> bool:
        """Whether enough reports are accepted, and a delivery has ended unless none is on its way."""
        if len(self.sent) < min(reports, self._allowed()):
            return False
        with suppress(Unavailable):
            moving, _ = self._left()
            if not moving or self._ended() > ended:
                return True
            self._hasten()
        return False

    def _ended(self) -> int:
        with self.a.platform.database.reading() as connection:
            ended = connection.exec_driver_sql(f"SELECT count(*) FROM delivery WHERE state NOT IN {MOVING}")
            return int(ended.scalar_one())

    def keep(self) -> None:
        """Start all parts that do not run."""
        for neighbour in self.neighbours.values():
            neighbour.up()
        for town in (self.a, self.ours):
            town.keep()

    # --- The end

    def settle(self, say: Callable[[str], object]) -> None:
        """Wait until no delivery and no answer is missing. Deliveries that pause after a failure become due now."""
        for town in (self.a, self.ours):
            town.wait()
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            self.keep()
            with suppress(Unavailable):
                moving, open_ = self._left()
                if not moving and not open_:
                    return
                say(f"on their way: {moving}; not answered: {open_}")
                self._hasten()
            self.stopping.wait(2)

    def _left(self) -> tuple[int, int]:
        with self.a.platform.database.reading() as connection:
            moving = connection.exec_driver_sql(
                f"SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM delivery WHERE state IN {MOVING})"
            ).scalar_one()
            unanswered = connection.exec_driver_sql(
                "SELECT count(*) FROM delivery d JOIN service_request r"
                " ON (r.jurisdiction_id, r.id) = (d.jurisdiction_id, d.request_id)"
                " WHERE d.state = 'done' AND d.subject = 'case' AND r.status = 'open'"
            ).scalar_one()
        return int(moving), int(unanswered)

    def _hasten(self) -> None:
        with self.a.platform.database.transaction() as connection:
            connection.exec_driver_sql(
                "UPDATE delivery SET due_at = now() WHERE state IN ('waiting', 'pending') AND due_at > now()"
            )
            connection.exec_driver_sql("UPDATE destination SET rests_until = NULL, pull_due_at = NULL")

    def count(self) -> dict[str, Counter[str]]:
        """The numbers of the table, by class of reports."""
        stored, states = self._stored()
        rows = {name: Counter({"reported": 0}) for name in CLASSES}
        arrived = Counter(self._arrived())
        for request_id, name in self.sent.items():
            row, times = rows[name], arrived[request_id]
            state = states.get(request_id, "")
            status, note = stored.get(request_id, ("", ""))
            row["reported"] += 1
            row["arrived"] += bool(times) if name != "home" else bool(status)
            row["doubled"] += times > 1
            row["uncertain"] += state == "uncertain"
            row["parked"] += state == "parked"
            is_known = bool(times) or state in ("uncertain", "parked")
            row["lost"] += not status or (name != "home" and not is_known)
            row["answered"] += status == "closed" and NOTE in note
        return rows

    def _stored(self) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
        with self.a.platform.database.reading() as connection:
            requests = connection.exec_driver_sql(
                "SELECT service_request_id, status, status_notes FROM service_request"
            ).all()
            deliveries = connection.exec_driver_sql(
                "SELECT r.service_request_id, d.state FROM delivery d JOIN service_request r"
                " ON (r.jurisdiction_id, r.id) = (d.jurisdiction_id, d.request_id) WHERE d.subject = 'case'"
            ).all()
        return {row[0]: (row[1], row[2]) for row in requests}, {row[0]: row[1] for row in deliveries}

    def _arrived(self) -> Iterator[str]:
        """A's id of each request at the other servers. An id comes twice if the request is there twice."""
        own = {f"Report {number}": request_id for number, request_id in enumerate(self.sent)}
        for neighbour in self.neighbours.values():
            for filed in neighbour.accepted:
                yield own[filed.get("description")]
        with self.ours.platform.database.reading() as connection:
            for text in connection.exec_driver_sql("SELECT description FROM service_request").scalars():
                yield own[text]


def _catalogue(id: str, name: str, services: object) -> str:
    assert isinstance(services, list | tuple)
    return CATALOGUE.format(id=id, name=name) + "".join(SERVICE.format(code=code) for code in services)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
