"""Compares what reads cost in a large database and in a small one, in the same run.

`python -m tests.benchmarks.growing --rows 1000000 5000000` uses the databases of `make bench`, and makes those that
are missing. Each database has its own server, and both servers take turns in each round. A figure is the CPU time
of a call, of the server and of PostgreSQL together. A ratio is the cost with more rows divided by the cost with
fewer rows in the same round.

The goal: with 5 million requests, a page costs at most 1.1 times as much as with 1 million.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from os import getloadavg
from pathlib import Path
from statistics import median

from tests.benchmarks.contestants import OURS, ROOT, Server, commit, running
from tests.benchmarks.data import Data, find_cluster, open_data
from tests.benchmarks.measures import HttpRunner, Results, measure_round
from tests.benchmarks.report import Goal
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import Field, Workload, find_workload, requests_for

GOAL = 110
PAGES = ("small", "page")
"""The workloads that have a goal."""
OTHERS = ("one", "unchanged", "cursor", "status", "service", "dates", "radius", "bbox", "words")


def main() -> int:
    """Measure, print the page, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs=2, default=[1_000_000, 5_000_000], metavar=("FEW", "MANY"))
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    workloads = [find_workload(name) for name in (*PAGES, *OTHERS)]
    results: Results = {}
    with find_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        sizes = [open_data(cluster, rows) for rows in sorted(words.rows)]
        for number in range(words.rounds):
            _round(number, workloads, sizes, results, Path(folder) / "servers.log")
            sys.stderr.write(f"round {number + 1} of {words.rounds}\n")
    few, many = (data.name for data in sizes)
    goals = [_goal(find_workload(name), sizes, results) for name in PAGES]
    print("\n".join(_page(goals, workloads, results, (few, many), words.rounds)))  # noqa: T201
    return int(any("missed" in goal.verdict for goal in goals))


def _round(number: int, workloads: Sequence[Workload], sizes: Sequence[Data], results: Results, log: Path) -> None:
    """Measure each workload with both databases in turn. The servers are started anew for each round."""
    with ExitStack() as stack:
        servers = [
            (data, stack.enter_context(running(replace(OURS, name=data.name), {"DATABASE_URL": data.url}, log)))
            for data in sizes
        ]
        for workload in workloads:
            runners = [_runner(data, server, workload) for data, server in servers]
            measure_round(runners, results.setdefault(workload.name, {}), number=number, cpu_s=0.6)


def _runner(data: Data, server: Server, workload: Workload) -> HttpRunner:
    field = Field(data, "", data.ids(2_000))
    return HttpRunner(server, workload, requests_for(field, server, workload), data.postmaster)


def _percents(results: Results, workload: str, few: str, many: str) -> list[float]:
    """The cost with more rows as a percentage of the cost with fewer rows, for each round."""
    figures = results[workload]
    return [100 * one / other for one, other in zip(figures[many].cpu_ms, figures[few].cpu_ms, strict=True)]


def _goal(workload: Workload, sizes: Sequence[Data], results: Results) -> Goal:
    few, many = sizes
    text = f"{workload.title}, {many.rows:,} requests compared with {few.rows:,}"
    return Goal(text, GOAL, _percents(results, workload.name, few.name, many.name))


def _page(
    goals: Sequence[Goal], workloads: Sequence[Workload], results: Results, names: tuple[str, str], rounds: int
) -> Iterator[str]:
    few, many = names
    yield f"# Reads in a large and in a small database, {datetime.now(UTC):%Y-%m-%d}\n"
    yield f"The databases of `make bench`, {rounds} rounds of both in turn. Each round starts the servers anew."
    yield f"Commit {commit(ROOT)}, load of the machine {getloadavg()[0]:.1f}.\n"
    yield "## Goals\n"
    yield from table(["goal", "wanted", "found", ""], [(g.text, g.wanted, g.shown, g.verdict) for g in goals])
    yield "\n## CPU per call, ms\n"
    yield from table(
        ["", few, many, "share, %"],
        [(one.title, *_figures(results, one.name, few, many)) for one in workloads],
    )


def _figures(results: Results, workload: str, few: str, many: str) -> Iterator[str]:
    """The median of each database, and of their ratio with the least and the greatest."""
    for name in (few, many):
        yield f"{median(results[workload][name].cpu_ms):.2f}"
    percents = _percents(results, workload, few, many)
    yield f"{median(percents):.0f} ({min(percents):.0f}–{max(percents):.0f})"


if __name__ == "__main__":
    sys.exit(main())
