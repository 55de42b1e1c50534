"""Runs `python -m tests.benchmarks`: makes the data, starts the servers, measures, and writes the page."""

from __future__ import annotations

import argparse
import fcntl
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks import sections
from tests.benchmarks.client import measure_client
from tests.benchmarks.contestants import (
    ALL,
    FASTAPI,
    NAIVE,
    OURS,
    RAW,
    ROOT,
    Contestant,
    Server,
    checkout,
    peers,
    pgbench,
    running,
)
from tests.benchmarks.contestants.altered import ALTERED
from tests.benchmarks.crowd import measure_crowd
from tests.benchmarks.data import Data, find_cluster, open_data, run_open311
from tests.benchmarks.dumping import measure_dumps
from tests.benchmarks.explain import explain, explain_whole, explaining, targets
from tests.benchmarks.load import Refused, ask, call
from tests.benchmarks.measures import (
    HttpRunner,
    Results,
    Runner,
    compare_bodies,
    measure_export,
    measure_import,
    measure_memory,
    measure_mix,
    measure_round,
    measure_start,
)
from tests.benchmarks.optimisations import (
    Optimisations,
    measure_forking,
    measure_queue,
    measure_renderers,
    measure_sizes,
)
from tests.benchmarks.ratios import CheckoutComparison, ratios
from tests.benchmarks.reading import measure_readers
from tests.benchmarks.report import Run, compare, goals, machine, table_by_rows, write, write_raw
from tests.benchmarks.republishing import measure_republishing
from tests.benchmarks.tables import table
from tests.benchmarks.views import VIEWS, measure_view_memory
from tests.benchmarks.views import targets as view_targets
from tests.benchmarks.workloads import WORKLOADS, Field, Workload, address, posts, requests_for, takes_part

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
RAW_FOLDER = ROOT / "var" / "bench"
PAGES = ROOT / "spec" / "benchmarks"
PARTS = (
    "rounds",
    "views",
    "optimisations",
    "mix",
    "memory",
    "crowd",
    "start",
    "export",
    "dump",
    "import",
    "republish",
    "readers",
    "client",
    "explain",
)
AGAINST = "against"
"""The part that needs another checkout. It runs without the other parts."""
QUICK_ROWS = 20_000
EVERYBODY = (*ALL, peers.TIPG, peers.PYGEOAPI)
STATIC = {
    "services.json": "services.json",
    "definition.json": "services/Illegal%20Parking.json",
    "discovery.json": "discovery.json",
    "requests.json": "requests.json",
}
"""The files that the contestant BARE sends -> the URLs of our server from which their content comes."""


def main() -> int:
    """Measure and report; returns 1 if a query has a bad plan, 2 if a server gave a wrong answer."""
    words = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, _stop)
    RAW_FOLDER.mkdir(parents=True, exist_ok=True)
    if words.table:
        console.print(table_by_rows(RAW_FOLDER), markup=False, soft_wrap=True)
        return 0
    try:
        if words.compare:
            return _compare(*words.compare)
        with ExitStack() as stack, _progress() as progress, _only_run():
            run = _run(words, stack, progress)
    except Refused as error:
        console.print(f"bench: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("Stopped. All started processes have ended.")
        return 130
    return _show(run, words)


def _run(words: argparse.Namespace, stack: ExitStack, progress: Progress) -> Run:
    cluster = stack.enter_context(find_cluster())
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="open311-bench-")))
    run = Run(open_data(cluster, words.rows), datetime.now(UTC), words.rounds, words.quick, tuple(words.parts))
    run.data.delete_posts()
    field = Field(run.data, _new_key(run.data), run.data.ids(2_000))
    bench = _Bench(words, run, field, folder, progress)
    for part in (*PARTS, AGAINST):
        if part in words.parts:
            getattr(bench, part)()
        run.loads.append(getloadavg()[0])
    run.data.delete_posts()
    run.facts = machine(run)
    write_raw(run, RAW_FOLDER)
    return run


class _Bench:
    """The parts of a run on one database."""

    def __init__(self, words: argparse.Namespace, run: Run, field: Field, folder: Path, progress: Progress) -> None:
        self.words, self.run, self.field, self.folder, self.progress = words, run, field, folder, progress
        self.bodies = folder / "bodies"
        self.environment = {
            "DATABASE_URL": run.data.url,
            "BENCH_DSN": run.data.dsn,
            "BENCH_BODIES": str(self.bodies),
            **peers.environment(folder, run.data.dsn_parts),
        }
        self.log = RAW_FOLDER / "servers.log"
        self.log.write_bytes(b"")
        self.contestants = [one for one in EVERYBODY if one.is_installed and one.name in words.contestants]
        self._fetch_bodies()

    def rounds(self) -> None:
        """Measure all workloads with all contestants in turn; the servers are restarted for each round.

        The cost after two starts of the same server can differ by 10 %, because of memory layout and other load.
        Rounds without a restart would not show this difference.
        """
        words, results = self.words, self.run.results
        with_pgbench = pgbench.NAME in words.contestants
        wanted = _named(words.workloads)
        self._in_turn("Rounds", self.contestants, wanted, results, with_pgbench=with_pgbench)

    def views(self) -> None:
        """Measure pages, statistics and tiles, and the memory of the server after them."""
        wanted = [view.workload for view in VIEWS]
        self._in_turn("Pages, statistics, tiles", (OURS,), wanted, self.run.viewed)
        with running(OURS, self.environment, self.log) as server:
            self.run.view_memory = measure_view_memory(self.field, server)
        with (
            self._bar("Plans", len(VIEWS)) as advance,
            explaining(self.run.data),
            running(OURS, self.environment, self.log) as server,
        ):
            self.run.view_plans = explain(self.field, server, list(view_targets(self.field, server)), advance)

    def _in_turn(
        self,
        title: str,
        contestants: Sequence[Contestant],
        wanted: Sequence[Workload],
        results: Results,
        *,
        with_pgbench: bool = False,
    ) -> None:
        """Measure rounds of some workloads, with all contestants in turn."""
        scripts: dict[str, pgbench.Script] = {}
        with self._bar(title, len(wanted) * self.words.rounds) as advance:
            for number in range(self.words.rounds):
                with ExitStack() as stack:
                    servers = [stack.enter_context(running(one, self.environment, self.log)) for one in contestants]
                    if with_pgbench and not number:
                        scripts = pgbench.scripts(self.run.data, self.folder, self._posted(servers))
                        self.run.data.delete_posts()
                    for workload in wanted:
                        self._round(number, workload, servers, results, scripts.get(workload.name))
                        advance()

    def _round(
        self,
        number: int,
        workload: Workload,
        servers: Sequence[Server],
        results: Results,
        script: pgbench.Script | None,
    ) -> None:
        callers = [self._runner(server, workload) for server in servers if takes_part(server, workload)]
        if not number:
            compare_bodies(callers, workload)
        runners: list[Runner] = [*callers, *([script] if script else ())]
        figures = results.setdefault(workload.name, {})
        measure_round(runners, figures, number=number, cpu_s=0.15 if self.run.is_quick else 0.6)
        if workload.writes:
            self.run.data.delete_posts()
        self.run.loads.append(getloadavg()[0])

    def optimisations(self) -> None:
        """Measure our server with and without each optimisation."""
        result = self.run.optimised = Optimisations()
        names = {name for one in ALTERED for name in one.extra_workloads if name in self.words.workloads}
        self._in_turn("Optimisations", (OURS, *ALTERED), _named(names), result.results)
        rounds = self.words.rounds
        reads, renderings, jobs = (400, 200, 20) if self.run.is_quick else (10_000, 5_000, 500)
        with self._bar("Optimisations, without requests", 4) as advance:
            result.ratios.append(measure_renderers(rounds, renderings))
            advance()
            result.ratios += measure_forking(self.field, self.environment, self.log, rounds=rounds, reads=reads)
            advance()
            queue, result.jobs_per_second = measure_queue(self.run.data.cluster, rounds=rounds, count=jobs)
            result.ratios.append(queue)
            advance()
            result.sizes = measure_sizes(self.run.data)
            advance()

    def against(self) -> None:
        """Compare this code with another checkout, on the same database."""
        other = checkout(self.words.against, self.words.workloads)
        results: Results = {}
        self._in_turn(f"Compared with {other.title}", (OURS, other), _named(self.words.workloads), results)
        self.run.against = CheckoutComparison(other.title, list(ratios(results, other.name)))

    def mix(self) -> None:
        """Measure reads and writes at a fixed rate."""
        who = [one for one in self.contestants if one in (OURS, NAIVE, FASTAPI)]
        with self._bar("Mixed load", len(who)) as advance:
            for contestant in who:
                with running(contestant, self.environment, self.log) as server:
                    seconds = 4.0 if self.run.is_quick else 30.0
                    self.run.mixes[contestant.name] = measure_mix(self.field, server, seconds)
                self.run.data.delete_posts()
                advance()

    def memory(self) -> None:
        """Measure the memory of two workers after many requests."""
        who = [one for one in self.contestants if one in (OURS, NAIVE, FASTAPI, RAW)]
        with self._bar("Memory", len(who)) as advance:
            for contestant in who:
                with running(contestant, self.environment, self.log) as server:
                    count = 400 if self.run.is_quick else 10_000
                    self.run.memory[contestant.name] = measure_memory(self.field, server, count)
                advance()

    def start(self) -> None:
        """Measure the time from process start to the first answer."""
        with self._bar("Start-up", len(self.contestants)) as advance:
            for contestant in self.contestants:
                times = 1 if self.run.is_quick else 5
                self.run.starts[contestant.name] = measure_start(contestant, self.environment, self.log, times)
                advance()

    def export(self) -> None:
        """Measure the export of all requests as CSV."""
        with self._bar("Export", 1) as advance, running(OURS, self.environment, self.log) as server:
            self.run.exported = measure_export(self.run.data, server, self.words.rounds)
            advance()

    def dump(self) -> None:
        """Measure dumps of all requests by every method."""
        folder = self.folder / "dumps"
        with self._bar("Dumps", 8) as advance:
            for one in measure_dumps(self.run.data, self.environment, folder, self.log):
                self.run.dumps.append(one)
                advance()

    def crowd(self) -> None:
        """Measure many concurrent clients."""
        count = 6_000 if self.run.is_quick else 40_000
        with self._bar("Crowd", 1) as advance, running(OURS, self.environment, self.log) as server:
            self.run.crowd = measure_crowd(self.field, server, count)
            advance()

    def republish(self) -> None:
        """Measure the republishing of all requests while they are read."""
        seconds = 4.0 if self.run.is_quick else 20.0
        with self._bar("Republishing", 1) as advance:
            self.run.republished = measure_republishing(
                self.field, self.environment, self.folder, self.log, seconds
            )
            advance()

    def readers(self) -> None:
        """Measure readers while other processes write."""
        rows, each = (2_000, 60) if self.run.is_quick else (200_000, 1_500)
        with self._bar(f"Readers of {rows:,} rows during writes", 1) as advance:
            data = open_data(self.run.data.cluster, rows)
            self.run.witnessed = measure_readers(data, self.environment, self.log, each)
            advance()

    def client(self) -> None:
        """Compare our calls of libpq with psycopg's cursor."""
        rounds, share = (2, 0.1) if self.run.is_quick else (max(9, self.words.rounds), 1.0)
        with self._bar("Client", 7) as advance:
            for one in measure_client(self.run.data, rounds, share):
                self.run.client.append(one)
                advance()
        self.run.data.delete_posts()

    # On the command line, this part is named "import", which cannot be a method's name.
    def importing(self) -> None:
        """Measure the import of a file of the city into an empty database."""
        rows = 2_000 if self.run.is_quick else 100_000
        with self._bar(f"Import of {rows:,} rows", 1) as advance:
            times = 1 if self.run.is_quick else 3
            self.run.imported = measure_import(self.run.data.cluster, self.run.data, rows, self.folder, times)
            advance()

    def explain(self) -> None:
        """Read the plan of every query."""
        wanted = list(targets(self.field, with_pairs=not self.run.is_quick))
        # Change the settings first: sessions of a server read them when they start.
        with (
            self._bar("Plans", len(wanted)) as advance,
            explaining(self.run.data),
            running(OURS, self.environment, self.log) as server,
        ):
            self.run.plans = [*explain(self.field, server, wanted, advance), *explain_whole(self.run.data)]

    def _runner(self, server: Server, workload: Workload) -> HttpRunner:
        return HttpRunner(server, workload, requests_for(self.field, server, workload), self.run.data.postmaster)

    def _posted(self, servers: Sequence[Server]) -> str:
        """The id of a request that was posted to our server; "" if our server is not measured."""
        ours = next((server for server in servers if server.contestant is OURS), None)
        if ours is None:
            return ""
        answer = ask(ours.port, posts(self.field, ours)[0])
        match = re.search(rb'"service_request_id":"([^"]+)"', answer.body)
        if answer.status not in (200, 201) or match is None:
            raise Refused(f"POST: {answer.status} {answer.body[:300]!r}")
        return match[1].decode()

    def _fetch_bodies(self) -> None:
        """Fetch the bodies that the contestant BARE sends."""
        self.bodies.mkdir()
        with running(OURS, self.environment, self.log) as server:
            for name, target in STATIC.items():
                answer = ask(server.port, call("GET", address(target)))
                if answer.status != 200:
                    raise Refused(f"{target}: {answer.status}")
                (self.bodies / name).write_bytes(answer.body)

    @contextmanager
    def _bar(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        task = self.progress.add_task(title, total=total)
        if self.progress.disable:
            console.print(f"{title} …")
        yield lambda: self.progress.advance(task)
        self.progress.remove_task(task)


setattr(_Bench, "import", _Bench.importing)


def _named(names: Container[str]) -> list[Workload]:
    return [workload for workload in WORKLOADS if workload.name in names]


def _show(run: Run, words: argparse.Namespace) -> int:
    is_kept = not (run.is_quick or run.against)
    page = write(run, Path(words.out) if words.out else (PAGES if is_kept else RAW_FOLDER))
    for goal in goals(run):
        if goal.figures:
            console.print(f"  {goal.shown:>30}  {goal.wanted:>15}  {goal.verdict:<32} {goal.text}", markup=False)
    console.print("\n".join(sections.against(run.against)), markup=False, soft_wrap=True)
    for plan in run.faulty():
        console.print(
            f"  {plan.title}: {plan.statement_ms:.1f} ms, {', '.join(plan.path)}: {'; '.join(plan.faults)}"
        )
    console.print(f"Written: {page}")
    return 1 if run.faulty() else 0


def _compare(one: Path, other: Path) -> int:
    pairs = list(compare(one, other))
    rows = ((title, first, second, "yes" if is_same else "**no**") for title, first, second, is_same in pairs)
    console.print("\n".join(table(["", one.stem, other.stem, "overlap"], rows)), markup=False, soft_wrap=True)
    same = sum(is_same for *_, is_same in pairs)
    console.print(f"{same} of {len(pairs)} figures overlap.")
    return 0 if pairs and same == len(pairs) else 1


@contextmanager
def _only_run() -> Iterator[None]:
    """Allow one run at a time, because all CPU time of PostgreSQL is counted."""
    with (RAW_FOLDER / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("another run of this clone has not ended") from None
        yield


def _new_key(data: Data) -> str:
    return run_open311(["keys", "add", "--label", "bench"], data.url).stdout.strip().splitlines()[-1]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    everybody = [one.name for one in EVERYBODY] + [pgbench.NAME]
    parser.add_argument("--rows", type=_rows, help="100k, 1M, 5M; default 1M")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument(
        "--quick", action="store_true", help="test whether the benchmark works: 20k rows, 2 short rounds"
    )
    parser.add_argument(
        "--table", action="store_true", help="measure nothing; show the cost by number of rows, from earlier runs"
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar="JSON",
        help="measure nothing; show whether two runs in var/bench agree",
    )
    parser.add_argument(
        "--against",
        type=_checkout,
        metavar="FOLDER",
        help="measure nothing but this code and another checkout, in 9 rounds",
    )
    parser.add_argument("--out", default="", help="folder of the page; default spec/benchmarks")
    for name, known in (
        ("parts", list(PARTS)),
        ("contestants", everybody),
        ("workloads", [one.name for one in WORKLOADS]),
    ):
        parser.add_argument(
            f"--{name}", nargs="*", choices=known, default=known, metavar="NAME", help=", ".join(known)
        )
    words = parser.parse_args()
    words.rows = words.rows or (QUICK_ROWS if words.quick else 1_000_000)
    words.rounds = words.rounds or (2 if words.quick else 9 if words.against else 5)
    if words.against:
        words.parts = [AGAINST]
    return words


def _checkout(text: str) -> Path:
    if not (Path(text) / "open311" / "__main__.py").is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not a checkout of this repository")
    return Path(text).resolve()


def _rows(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kKmM]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows; send 100k, 1M or 5M")
    return int(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()]


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
