"""Measures the cost of a read while citizens send photos of 12 megapixels, and what the photos cost themselves.

`python -m tests.benchmarks.uploading` uses its own cluster. Its processes are

    one server   for the readers, with its own sessions in PostgreSQL
    one server   for the reports with photos
    one worker   prepares the photos, each in a child process

The photos of a round are JPEGs of 4000 × 3000 pixels, one in each report. They are sent at a steady pace. Rounds
without and with this load alternate. In each round, the same reads are sent in short bursts. A figure is the CPU
time of a read, of the readers' server and its sessions together. The newest requests are those with photos, and the
readers read them in the lists.

Memory is measured in a load without reads, before the first round. The figures of the server and the worker are the
greatest sizes since their start, and so contain their start.

The goal: with the load, a read costs at most 1.25 times as much. The goal is also missed if a photo is lost.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson

from open311.clock import utc_now
from open311.operations.access.api_keys import add_key
from spec.conformance.multipart import multipart
from tests.benchmarks.beside import (
    BURST,
    GOAL,
    KINDS,
    Costs,
    Town,
    missed_costs,
    own_database,
    say,
    table_of_costs,
)
from tests.benchmarks.contestants import ROOT, commit
from tests.benchmarks.cpu import cpu_ns, greatest_rss_kb, tree
from tests.benchmarks.load import Refused, ask, call
from tests.benchmarks.tables import table
from tests.media.measuring import photo
from tests.media.pictures import encoded

HOME = ROOT / "var" / "pg-uploading"
DATABASE = "uploading"
ROWS = 20_000
UPLOADS = 20
SECONDS = 20.0
PAIRS = 6
SETTLE_S = 120.0
"""How long the worker may take after a round for the remaining photos."""
LOOK_S = 0.02
PLACE = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "description": "A hole."}
CHILD = b"open311.media.child"
LOADED = ("uploads' server", "worker with its children", "PostgreSQL")
"""The parts that do the work of the load."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of the measurement.

    uploads  photos of one round
    seconds  the duration of one round
    pairs    the number of pairs of rounds: one round without load and one round with load
    """

    uploads: int
    seconds: float
    pairs: int
    rows: int


@dataclass(frozen=True, slots=True)
class Round(Costs):
    """One pair of rounds.

    posting_s  the duration of each POST
    waits_s    for each photo, the seconds from the start of its POST until it can be seen
    parts_s    the CPU seconds of each part until the load was done
    """

    posting_s: Sequence[float]
    waits_s: Sequence[float]
    parts_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Result:
    """All rounds; the greatest memory of each part in MB; the numbers of photos sent, and of photos served."""

    rounds: Sequence[Round]
    memory_mb: Mapping[str, float]
    sent: int
    served: int


def main() -> int:
    """Measure, print the page, and return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.uploading", description=__doc__)
    parser.add_argument("--uploads", type=int, default=UPLOADS, help="photos of each round")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each round")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of rounds, one without and one with the load")
    parser.add_argument("--rows", type=int, default=ROWS, help="requests in the database")
    parser.add_argument("--out", type=Path, help="a file for the page, which is also printed")
    words = parser.parse_args()
    plan = Plan(words.uploads, words.seconds, words.pairs, words.rows)
    if plan.uploads < 1 or plan.pairs < 1 or plan.rows < BURST:
        parser.error(f"give at least one upload, one pair of rounds and {BURST} rows")
    with own_database(HOME, DATABASE) as url:
        return _run(url, plan, words.out)


def _run(url: str, plan: Plan, out: Path | None) -> int:
    with tempfile.TemporaryDirectory(prefix="open311-uploading-") as folder, ExitStack() as stack:
        result = Place(url, plan, Path(folder), stack).measure()
    page = "\n".join(_page(plan, result)) + "\n"
    sys.stdout.write(page)
    if out:
        out.write_text(page, encoding="utf-8")
    return int(any(_faults(result)))


class Place(Town):
    """All processes, and the photo that is sent."""

    def __init__(self, url: str, plan: Plan, folder: Path, stack: ExitStack) -> None:
        super().__init__(url, plan.rows, folder, stack, backends="", variables={})
        self.plan = plan
        self.read_only(self.numbers[: 20 * BURST])
        self._photo = encoded(photo(), "JPEG", quality=85)
        self._key = add_key(self.platform, label="uploads", now=utc_now())[1]
        self._taker, self._taker_port = self.serve()
        self._worker = self.start("worker")
        self._sent: list[str] = []

    def measure(self) -> Result:
        """Measure the memory, and then all pairs of rounds."""
        say("the servers run; memory is measured during the first uploads")
        with Peaks({"uploads' server": self._taker, "worker": self._worker}) as peaks:
            self._load().settle()
        self.reads(self.plan.seconds)
        say("the rounds begin")
        rounds = [self._pair(number) for number in range(self.plan.pairs)]
        return Result(rounds, peaks.greatest_mb, len(self._sent), sum(map(self._is_served, self._sent)))

    def _pair(self, number: int) -> Round:
        without = self.reads(self.plan.seconds)
        before = self._parts_ns()
        load = self._load()
        beside = self.reads(self.plan.seconds)
        load.settle()
        after = self._parts_ns()
        costs = {kind: (without[kind], beside[kind]) for kind in KINDS}
        parts = {name: (after[name] - before[name]) / 1e9 for name in after}
        found = Round(costs, load.posting_s, load.waits_s, parts)
        ratios = ", ".join(f"{kind} {found.ratio(kind):.2f}" for kind in KINDS)
        say(f"{number + 1}: {ratios}; a photo is visible after {median(found.waits_s):.1f} s; {parts}")
        return found

    def _parts_ns(self) -> dict[str, int]:
        pids = (self._taker, self._worker, self.postmaster)
        return {name: cpu_ns([pid]) for name, pid in zip(LOADED, pids, strict=True)}

    def _load(self) -> Load:
        return Load(self, self.plan.uploads, self.plan.seconds)

    def upload(self) -> str:
        """Send a report with a photo. Returns the id of the request. No two photos have the same bytes."""
        file = self._photo + len(self._sent).to_bytes(4, "big")
        body, body_type = multipart(
            (PLACE | {"api_key": self._key}).items(), [("media", "photo.jpg", "image/jpeg", file)]
        )
        answer = ask(self._taker_port, call("POST", "/open311/v2/requests.json", body=body, body_type=body_type))
        if answer.status != 200:
            raise Refused(f"a report got {answer.status}: {answer.body[:200]!r}")
        name: str = orjson.loads(answer.body)[0]["service_request_id"]
        self._sent.append(name)
        return name

    def visible_among(self, names: Sequence[str]) -> set[str]:
        """The ids of those of the requests that show their photo."""
        query = "SELECT service_request_id FROM publication WHERE has_media AND service_request_id = ANY(%s)"
        with self.platform.database.reading() as connection:
            return set(connection.exec_driver_sql(query, (list(names),)).scalars())

    def _is_served(self, name: str) -> bool:
        """Whether everybody gets the photo of a request."""
        found = orjson.loads(ask(self._taker_port, call("GET", f"/open311/v2/requests/{name}.json")).body)
        path = "/" + (found[0]["media_url"] or "").split("/", 3)[-1]
        answer = ask(self._taker_port, call("GET", path))
        return answer.status == 200 and answer.body.startswith(b"\xff\xd8")


class Load:
    """Sends photos at a steady pace, in a thread, and notes when each of them can be seen, in another thread."""

    def __init__(self, place: Place, uploads: int, seconds: float) -> None:
        self._place, self._uploads, self._pace_s = place, uploads, seconds / uploads
        self.posting_s: list[float] = []
        self.waits_s: list[float] = []
        self._begun_at: dict[str, float] = {}
        self._faults: list[Exception] = []
        self._threads = [threading.Thread(target=self._guarded, args=(task,)) for task in (self._send, self._look)]
        for thread in self._threads:
            thread.start()

    def settle(self) -> None:
        """Wait until all photos can be seen. Raises Refused if one is not."""
        for thread in self._threads:
            thread.join()
        if self._faults:
            say(self._place.log.read_text(encoding="utf-8")[-6_000:])
            raise self._faults[0]

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # settle raises the error in the main thread
            self._faults.append(error)

    def _send(self) -> None:
        start = time.monotonic()
        for turn in range(self._uploads):
            time.sleep(max(0.0, start + turn * self._pace_s - time.monotonic()))  # the pace of uploads
            begun_at = time.monotonic()
            name = self._place.upload()
            self.posting_s.append(time.monotonic() - begun_at)
            self._begun_at[name] = begun_at

    def _look(self) -> None:
        until = time.monotonic() + self._uploads * self._pace_s + SETTLE_S
        seen: set[str] = set()
        while len(seen) < self._uploads and not self._faults:
            missing = [name for name in list(self._begun_at) if name not in seen]
            new = self._place.visible_among(missing) if missing else set()
            self.waits_s += [time.monotonic() - self._begun_at[name] for name in new]
            seen |= new
            if time.monotonic() > until:
                raise Refused(f"{self._uploads - len(seen)} photos are still not visible")
            time.sleep(LOOK_S)  # other processes do the work, and there is no event for its end


class Peaks:
    """Samples the greatest resident memory of processes with their children, and of each child of the worker."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.greatest_mb: dict[str, float] = dict.fromkeys((*roots, "child"), 0.0)

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(LOOK_S):
            for name, root in self._roots.items():
                pids = tree([root])
                children = [pid for pid in pids if _is_child(pid)]
                self._note(name, sum(greatest_rss_kb(pid) for pid in pids if pid not in children))
                self._note("child", max(map(greatest_rss_kb, children), default=0))

    def _note(self, name: str, size_kb: int) -> None:
        self.greatest_mb[name] = max(self.greatest_mb[name], size_kb / 1024)


def _is_child(pid: int) -> bool:
    """Whether a process decodes a photo."""
    try:
        return CHILD in (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


# --- The page


def _page(plan: Plan, result: Result) -> Iterator[str]:
    rounds = result.rounds
    yield f"# Reads beside photos, {utc_now():%Y-%m-%d}"
    yield ""
    yield (
        f"{plan.uploads} reports in {plan.seconds:.0f} s, each with a JPEG of 12 megapixels,"
        f" {plan.rows:,} requests in the database, 1 worker,"
    )
    yield (
        f"{plan.pairs} pairs of rounds of {plan.seconds:.0f} s. Commit {commit(ROOT)}, {os.cpu_count()} cores,"
        f" load of the machine {os.getloadavg()[0]:.1f}."
    )
    yield f"The goal: with this load, a read costs at most {GOAL} times its CPU time, server and database together."
    yield ""
    yield from table_of_costs(rounds)
    yield ""
    times = (
        ("the POST, until its answer", [one for each in rounds for one in each.posting_s]),
        ("from the POST to the visible photo", [one for each in rounds for one in each.waits_s]),
    )
    yield from table(
        ("Seconds", "median", "least", "greatest"),
        ((name, *(f"{value:.2f}" for value in (median(all_s), min(all_s), max(all_s)))) for name, all_s in times),
    )
    yield ""
    yield from table(("CPU time for one photo", "median, s"), _parts(plan, rounds))
    yield ""
    yield from table(
        ("Greatest resident memory", "MB"), ((name, f"{size:.0f}") for name, size in result.memory_mb.items())
    )
    yield ""
    yield "The uploads' server is several processes, and their shared pages count more than once. PostgreSQL's time"
    yield "contains that of the reads and of this program."
    yield ""
    yield f"{result.sent} photos were sent, and {result.served} are served."
    yield "; ".join(_faults(result)) + "." if any(_faults(result)) else "The goal is reached."


def _parts(plan: Plan, rounds: Sequence[Round]) -> Iterator[tuple[str, str]]:
    for name in LOADED:
        yield name, f"{median(one.parts_s[name] for one in rounds) / plan.uploads:.2f}"


def _faults(result: Result) -> Iterator[str]:
    if result.sent != result.served:
        yield f"FAULT: {result.sent - result.served} photos were lost"
    yield from missed_costs(result.rounds)


if __name__ == "__main__":
    sys.exit(main())
