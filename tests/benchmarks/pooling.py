"""Measures what a pooler costs: the CPU time of calls behind PgBouncer, and without it.

`python -m tests.benchmarks.pooling --rows 20000` makes or uses a database of `make bench`. One server keeps plans,
another does not, and the third is behind PgBouncer with the configuration of the operator's guide. They take turns.
The figures are the CPU time of server, PostgreSQL and PgBouncer for each call, as ratios to the first server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from os import getloadavg
from pathlib import Path

from tests.benchmarks.contestants import OURS, Contestant, running
from tests.benchmarks.data import Data, find_cluster, open_data, run_open311
from tests.benchmarks.measures import Figures, HttpRunner, Runner, measure_round
from tests.benchmarks.workloads import WORKLOADS, Field, requests_for
from tests.pgbouncer import pooling

NAMES = ("page", "small", "one", "post")
UNPREPARED = {"OPEN311_PREPARE_STATEMENTS": "false"}


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pooling", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", type=float, default=1.0, help="seconds of CPU for each workload, server and round")
    words = parser.parse_args()
    with find_cluster() as cluster:
        data = open_data(cluster, words.rows)
        data.delete_posts()
        for line in _figures(data, words.rounds, words.cpu):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        data.delete_posts()
    sys.stdout.write(f"{words.rows:,} rows, {words.rounds} rounds; load {getloadavg()[0]:.1f}\n")
    return 0


def _figures(data: Data, rounds: int, cpu_s: float) -> Iterator[str]:
    key = run_open311(["keys", "add", "--label", "bench"], data.url).stdout.strip().splitlines()[-1]
    field = Field(data, key, data.ids(2_000))
    with ExitStack() as stack:
        pooler = stack.enter_context(pooling(data.url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="open311-pooling-")))
        kinds = {
            "kept": {"DATABASE_URL": data.url},
            "new": {"DATABASE_URL": data.url, **UNPREPARED},
            "pooled": {"DATABASE_URL": pooler.url, "OPEN311_DIRECT_DATABASE_URL": data.url, **UNPREPARED},
        }
        servers = {
            name: stack.enter_context(running(_named(name), variables, folder / f"{name}.log"))
            for name, variables in kinds.items()
        }
        yield "| Call | Kept plans, ms | New plans | Behind PgBouncer |"
        yield "|---|---|---|---|"
        for workload in (one for one in WORKLOADS if one.name in NAMES):
            figures = {name: Figures() for name in kinds}
            runners: list[Runner] = [
                HttpRunner(
                    server,
                    workload,
                    requests_for(field, server, workload),
                    data.postmaster,
                    (pooler.pid,) if name == "pooled" else (),
                )
                for name, server in servers.items()
            ]
            for number in range(rounds):
                measure_round(runners, figures, number=number, cpu_s=cpu_s)
            kept, new, pooled = (figures[name].middle_ms for name in kinds)
            yield f"| {workload.title} | {kept:.2f} | {new / kept:.2f} × | {pooled / kept:.2f} × |"


def _named(name: str) -> Contestant:
    return replace(OURS, name=name)


if __name__ == "__main__":
    sys.exit(main())
