"""Writes the report of a run: the tables, the goals and the plot."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import sections
from tests.benchmarks.client import Comparison
from tests.benchmarks.contestants import ALL, BARE, FASTAPI, NAIVE, NAIVE_ROWS, OURS, RAW, ROOT, commit
from tests.benchmarks.contestants.peers import PYGEOAPI, TIPG
from tests.benchmarks.contestants.pgbench import NAME as PGBENCH
from tests.benchmarks.contestants.pgbench import TITLE as PGBENCH_TITLE
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.data import Data
from tests.benchmarks.dumping import Dump
from tests.benchmarks.explain import Plan
from tests.benchmarks.load import Refused
from tests.benchmarks.measures import Export, Figures, Import, Memory, Mix, Results
from tests.benchmarks.optimisations import Optimisations
from tests.benchmarks.ratios import CheckoutComparison
from tests.benchmarks.reading import Readers
from tests.benchmarks.republishing import Republishing
from tests.benchmarks.tables import table
from tests.benchmarks.views import USUAL, VIEWS, shares
from tests.benchmarks.workloads import WORKLOADS

TITLES = {one.name: one.title for one in (*ALL, TIPG, PYGEOAPI)} | {PGBENCH: PGBENCH_TITLE}
COLOURS = {
    OURS.name: "#0b6e4f",
    NAIVE.name: "#c0392b",
    NAIVE_ROWS.name: "#a04000",
    FASTAPI.name: "#2b6cb0",
    RAW.name: "#7f8c8d",
    BARE.name: "#d4a017",
    TIPG.name: "#8e44ad",
    PYGEOAPI.name: "#e67e22",
    PGBENCH: "#2d3436",
}
LIBRARIES = (
    "granian",
    "flask",
    "flask-smorest",
    "marshmallow",
    "sqlalchemy",
    "psycopg2-binary",
    "psycopg",
    "orjson",
    "fastapi",
    "uvicorn",
    "asyncpg",
)
_GOOD_PLANS = "No plan reads the whole table or takes more than 10 ms."


@dataclass(slots=True)
class Run:
    """All results of one run of the benchmark."""

    data: Data
    begun_at: datetime
    rounds: int
    is_quick: bool
    parts: tuple[str, ...] = ()
    results: Results = field(default_factory=dict)
    viewed: Results = field(default_factory=dict)
    view_plans: list[Plan] = field(default_factory=list)
    view_memory: list[float] = field(default_factory=list)
    optimised: Optimisations | None = None
    against: CheckoutComparison | None = None
    starts: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    mixes: dict[str, Mix] = field(default_factory=dict)
    imported: Import | None = None
    exported: Export | None = None
    dumps: list[Dump] = field(default_factory=list)
    crowd: Crowd | None = None
    republished: Republishing | None = None
    witnessed: Readers | None = None
    client: list[Comparison] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        rows = self.data.rows
        short = f"{rows // 1_000_000}m" if rows % 1_000_000 == 0 else f"{rows // 1000}k"
        alone = "" if "rounds" in self.parts else "-" + "-".join(self.parts)
        return f"{self.begun_at:%Y-%m-%d}-{short}{alone}"

    def ms(self, workload: str, contestant: str = OURS.name) -> list[float]:
        """CPU ms per request, for each round."""
        figures = self.results.get(workload, {}).get(contestant)
        return figures.cpu_ms if figures else []

    def rate(self, workload: str, contestant: str = OURS.name) -> list[float]:
        """Requests per second, for each round."""
        figures = self.results.get(workload, {}).get(contestant)
        return figures.per_second if figures else []

    def faulty(self) -> list[Plan]:
        """Plans that are not good enough."""
        return [plan for plan in self.plans if any(plan.faults)]


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal and the measured figures.

    limit    the wanted maximum, or the wanted minimum if `at_least`; True for a goal that is met or not met
    figures  one for each round; empty if this run did not measure them
    """

    text: str
    limit: float
    figures: Sequence[float]
    unit: str = "%"
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """The verdict by the median, and whether all rounds agree."""
        if not self.figures:
            return "not measured"
        words = "reached" if self._is_reached(median(self.figures)) else "**missed**"
        return words if len(set(map(self._is_reached, self.figures))) == 1 else f"{words}, not in every round"

    def _is_reached(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit

    @property
    def shown(self) -> str:
        """The median, with minimum and maximum if there were several rounds."""
        if not self.figures:
            return "–"
        if isinstance(self.figures[0], bool):
            return "yes" if self.figures[0] else "no"
        text = _number(median(self.figures), self.unit)
        return (
            f"{text} ({_number(min(self.figures))}–{_number(max(self.figures))})" if len(self.figures) > 1 else text
        )

    @property
    def wanted(self) -> str:
        if isinstance(self.limit, bool):
            return "yes" if self.limit else "no"
        return f"{'≥' if self.at_least else '≤'} {_number(self.limit, self.unit)}"


def goals(run: Run) -> Iterator[Goal]:
    """The goals, each a ratio of CPU per request unless its unit says otherwise.

    The two figures of a ratio come from the same round and were measured one after the other, so load that lasts
    longer slows both.
    """
    for name, title in (("page", "1000-row page, JSON"), ("page-xml", "1000-row page, XML")):
        yield Goal(f"{title}, compared with FastAPI's (JSON)", 40, _share(run, name, FASTAPI.name, "page"))
        yield Goal(f"{title}, compared with naive (JSON)", 4, _share(run, name, NAIVE.name, "page"))
        yield Goal(f"{title}, compared with raw WSGI", 140, _share(run, name, RAW.name))
    yield Goal("50-row page, compared with FastAPI's", 75, _share(run, "small", FASTAPI.name))
    yield Goal("one request, compared with FastAPI's", 60, _share(run, "one", FASTAPI.name))
    for name in ("services", "definition", "discovery"):
        bare = median(run.ms("services", BARE.name) or [0.0])
        yield Goal(name, max(0.3, 2 * bare), run.ms(name), unit="ms", note="0.3 ms or 2 × a bare Flask view")
    yield Goal(
        "304 on an unchanged 1000-row page, compared with the page", 20, _share(run, "unchanged", OURS.name, "page")
    )
    yield Goal("POST, compared with naive, which inserts one row", 80, _share(run, "post", NAIVE.name))
    same_rows = _share(run, "post", NAIVE_ROWS.name)
    yield Goal("POST, compared with naive that writes the same rows", 60, same_rows)
    rates = _percent(run.rate("post"), run.rate("post", PGBENCH))
    yield Goal("rate of POSTs, compared with pgbench writing the same rows", 20, rates, at_least=True)
    first_page = "compared with the first page"
    by_cursor = _share(run, "cursor", OURS.name, "page")
    yield Goal(f"deepest page of the 90 days by cursor, {first_page}", 120, by_cursor)
    by_number = _share(run, "deep", OURS.name, "page")
    yield Goal(f"the same page by its number, {first_page}", 120, by_number)
    deepest = _share(run, "deepest", OURS.name, "page")
    yield Goal(f"page after 80 % of all requests, {first_page}", 120, deepest)
    yield from _view_goals(run)
    yield from _sql_goals(run)
    yield from _other_goals(run)
    yield from _concurrency_goals(run)


def _view_goals(run: Run) -> Iterator[Goal]:
    for view in VIEWS:
        if view.workload.name != USUAL:
            times = shares(run.viewed, view)
            yield Goal(f"{view.workload.title}, compared with a 50-row page", view.limit, times, unit="times")
    used = run.view_memory[-1:]
    yield Goal("memory of two workers after pages, statistics and tiles", 160, used, unit="MB", note="PSS")


def _sql_goals(run: Run) -> Iterator[Goal]:
    plans = [plan for plan in run.plans if not plan.is_whole]
    slowest = [max(plan.statement_ms for plan in plans)] if plans else []
    scans = [plan for plan in plans if any(step.startswith("Seq Scan") for step in plan.path)]
    circle = [plan.statement_ms for plan in run.plans if plan.title == "radius"]
    yield Goal("slowest filter or pair of filters, SQL", 10, slowest, unit="ms", note="goal is for 5 M rows")
    yield Goal("plans that read the whole table", 0, [len(scans)] if run.plans else [], unit="")
    yield Goal("radius 300 m + 90 days, SQL", 1.5, circle, unit="ms", note="goal is for 5 M rows")


def _other_goals(run: Run) -> Iterator[Goal]:
    export = run.exported or Export()
    rates = _percent(export.per_second, export.copy_per_second)
    yield Goal("rate of the CSV export, compared with psql's COPY of the same columns", 90, rates, at_least=True)
    yield Goal(
        "growth of memory during the CSV export", 20, export.growth_mb, unit="MB", note="goal is for 5 M rows"
    )
    imported = run.imported.per_second if run.imported else []
    yield Goal("import with validation, routing and publication", 20_000, imported, unit="rows/s", at_least=True)
    memory = run.memory.get(OURS.name)
    used = [memory.after] if memory else []
    yield Goal("memory of two workers after mixed requests", 160, used, unit="MB", note="PSS")
    growth = [memory.after - memory.half_way] if memory else []
    yield Goal("growth of this memory over the second half", 3, growth, unit="MB")
    yield Goal("time from start to first answer, ten jurisdictions", 1.0, run.starts.get(OURS.name, []), unit="s")


def _concurrency_goals(run: Run) -> Iterator[Goal]:
    """The goals for work while others read or write."""
    crowd, done, seen = run.crowd, run.republished, run.witnessed
    yield Goal("errors of 200 concurrent clients", 0, [crowd.errors] if crowd else [], unit="")
    growth = [crowd.growth_mb] if crowd else []
    yield Goal("growth of the server's memory with 200 clients, over the second half", 5, growth, unit="MB")
    wrong = [one for one in run.dumps if one.rows != one.wanted]
    yield Goal("dumps that do not contain the whole city", 0, [len(wrong)] if run.dumps else [], unit="")
    yield Goal("items that belong to neither edition", 0, [done.torn] if done else [], unit="")
    resumed = [done.is_resumed] if done else []
    yield Goal("republishing continues where it was killed", True, resumed, at_least=True)
    yield Goal("requests that readers missed while others wrote", 0, [seen.missed] if seen else [], unit="")
    yield Goal("requests that these readers got twice", 0, [seen.doubled] if seen else [], unit="")


def _share(run: Run, workload: str, other: str, other_workload: str = "") -> list[float]:
    return _percent(run.ms(workload), run.ms(other_workload or workload, other))


def _percent(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """One percentage for each round; none if one of the two was not measured."""
    return [100 * one / other for one, other in zip(mine, theirs, strict=True)] if mine and theirs else []


def write(run: Run, folder: Path) -> Path:
    """Write the page and its plot; returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{run.name}.md"
    page.write_text("\n".join(_page(run)) + "\n", encoding="utf-8")
    if run.results:
        plot(run, folder / run.name)
    return page


def write_raw(run: Run, folder: Path) -> None:
    """Write every figure to a file, so that runs can be compared."""
    document = {
        "rows": run.data.rows,
        "begun_at": run.begun_at.isoformat(),
        "machine": dict(run.facts),
        "goals": [asdict(goal) for goal in goals(run) if goal.figures],
        "results": _raw_results(run.results),
        "viewed": _raw_results(run.viewed),
        "view_plans": [asdict(plan) for plan in run.view_plans],
        "view_memory": run.view_memory,
        "against": run.against and asdict(run.against),
        "optimisations": run.optimised and asdict(run.optimised) | {"results": _raw_results(run.optimised.results)},
        "dumps": [asdict(one) for one in run.dumps],
        "crowd": _raw(run.crowd),
        "republished": _raw(run.republished),
        "witnessed": _raw(run.witnessed),
        "client": [asdict(one) for one in run.client],
        "plans": [asdict(plan) for plan in run.plans],
    }
    (folder / f"{run.name}-{run.begun_at:%H%M}.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def _raw_results(results: Results) -> dict[str, Any]:
    return {
        workload: {name: asdict(figures) | {"latencies": []} for name, figures in row.items()}
        for workload, row in results.items()
    }


def _raw(result: Crowd | Republishing | Readers | None) -> dict[str, Any] | None:
    """Every figure except single latencies."""
    if result is None:
        return None
    plain = asdict(result)
    for value in plain.values():
        if isinstance(value, dict):
            value.pop("latencies", None)
    return plain


def table_by_rows(folder: Path) -> str:
    """The cost of our server by the number of stored rows, from the newest run of each, as Markdown."""
    runs = sorted((json.loads(file.read_text()) for file in folder.glob("*.json")), key=lambda run: run["begun_at"])
    newest = {run["rows"]: run["results"] for run in runs if run["results"]}
    columns = sorted(newest)
    rows = (
        [workload.title, *(_spread(newest[rows].get(workload.name, {}).get(OURS.name)) for rows in columns)]
        for workload in WORKLOADS
    )
    return "\n".join(table(["CPU-ms per request", *(f"{rows:,} rows" for rows in columns)], rows))


def _spread(figures: dict[str, list[float]] | None) -> str:
    if not figures:
        return "–"
    found = figures["cpu_ms"]
    return f"{median(found):.2f} ({min(found):.2f}–{max(found):.2f})"


def compare(one: Path, other: Path) -> Iterator[tuple[str, str, str, bool]]:
    """Compare two runs with the same number of rows: the figures of both, and whether their rounds overlap.

    The goals come first, without the goals in ms. CPU time per request of our server follows. Raises Refused.
    """
    before, after = (json.loads(file.read_text()) for file in (one, other))
    if before["rows"] != after["rows"]:
        raise Refused(f"{one.name} has {before['rows']:,} rows, {other.name} {after['rows']:,}")
    ours = [
        {workload.title: run["results"].get(workload.name, {}).get(OURS.name, {}) for workload in WORKLOADS}
        for run in (before, after)
    ]
    pairs = [
        *_pairs(*(_ratios(run["goals"]) for run in (before, after))),
        *_pairs(*({f"{title}, ms": found.get("cpu_ms", []) for title, found in run.items()} for run in ours)),
    ]
    for title, first, second in pairs:
        is_same = min(first) <= max(second) and min(second) <= max(first)
        yield title, _rounds_of(first), _rounds_of(second), is_same


def _ratios(goals_of_run: list[dict[str, Any]]) -> dict[str, list[float]]:
    return {goal["text"]: goal["figures"] for goal in goals_of_run if goal["unit"] != "ms"}


def _pairs(
    before: dict[str, list[float]], after: dict[str, list[float]]
) -> Iterator[tuple[str, list[float], list[float]]]:
    for title, found in before.items():
        if min(len(found), len(after.get(title, []))) > 1:
            yield title, found, after[title]


def _rounds_of(rounds: list[float]) -> str:
    return f"{_number(median(rounds))} ({_number(min(rounds))}–{_number(max(rounds))})"


def _page(run: Run) -> Iterator[str]:
    yield f"# Benchmark, {run.data.rows:,} requests, {run.begun_at:%d %B %Y}"
    yield ""
    yield (
        "The figures are CPU milliseconds per request, of the application's processes and PostgreSQL together, over"
        f" a fixed number of requests: the median of {run.rounds} rounds (least–most). The servers take turns, and"
        " each round starts all of them again. A ratio compares two figures of the same round. `make bench` makes"
        " this page."
    )
    yield ""
    yield from table(["machine", ""], run.facts)
    if run.results:
        yield f"\n![CPU per request by workload]({run.name}.svg)"
    measured = [goal for goal in goals(run) if goal.figures]
    if measured:
        yield "\n## Goals\n"
        yield from table(
            ["goal", "wanted", "found", "", ""],
            ((goal.text, goal.wanted, goal.shown, goal.verdict, goal.note) for goal in measured),
        )
    if run.results:
        yield from _rounds(run)
    yield from sections.views(run.viewed, run.view_plans, run.view_memory)
    yield from sections.against(run.against)
    yield from sections.optimisations(run.optimised)
    yield from _rest(run)
    yield from _export(run)
    yield from sections.dumps(run.dumps)
    yield from sections.crowd(run.crowd)
    yield from sections.republishing(run.republished)
    yield from sections.readers(run.witnessed)
    yield from sections.client(run.client)
    yield from _plans(run)


def _rounds(run: Run) -> Iterator[str]:
    yield "\n## CPU per request, ms\n"
    names = [name for name in TITLES if any(name in row for row in run.results.values())]
    yield "; ".join(f"**{name}**: {TITLES[name]}" for name in names) + ".\n"
    yield from _figures(run, names, _cpu_cell)
    yield "\n## Requests a second, 4 connections\n"
    yield "These rates include the client's own time, and change with other load on the machine.\n"
    yield from _figures(run, names, lambda found: f"{sorted(found.per_second)[len(found.per_second) // 2]:,.0f}")
    yield "\n## Latency, ms: p50 / p95 / p99, 4 connections in a closed loop\n"
    yield from _figures(run, names, _latency_cell)


def _figures(run: Run, names: list[str], cell: Any) -> Iterator[str]:
    rows = (
        [workload.title, *(cell(row[name]) if name in row else "–" for name in names)]
        for workload in WORKLOADS
        if (row := run.results.get(workload.name))
    )
    yield from table(["", *names], rows)


def _cpu_cell(figures: Figures) -> str:
    return _spread({"cpu_ms": figures.cpu_ms})


def _latency_cell(figures: Figures) -> str:
    if not figures.latencies:
        return "–"
    return " / ".join(f"{figures.percentile_ms(share):.1f}" for share in (50, 95, 99))


def _rest(run: Run) -> Iterator[str]:
    if run.mixes:
        yield "\n## 50 reads and 5 writes a second at a fixed rate: latency from the planned time, ms\n"
        yield from table(
            ["", "p50", "p95", "p99", "slowest", "failed", "cores used"],
            (
                (
                    name,
                    *map(_one_decimal, (mix.p50, mix.p95, mix.p99, mix.slowest)),
                    mix.failed,
                    f"{mix.cpu_share:.2f}",
                )
                for name, mix in run.mixes.items()
            ),
        )
    if run.memory:
        yield "\n## Memory of two workers and their parent processes, MB\n"
        yield from table(
            ["", "fresh", "half-way", "after", "resident after", "mixed requests"],
            (
                (
                    name,
                    *map(_no_decimals, (seen.fresh, seen.half_way, seen.after, seen.rss_after)),
                    f"{seen.requests:,}",
                )
                for name, seen in run.memory.items()
            ),
        )
        yield "\nThe columns fresh, half-way and after have the proportional set size."
    if run.starts:
        yield "\n## Time from start to first answer, seconds\n"
        yield from table(
            ["", "median", "all"],
            (
                (name, f"{median(seen):.2f}", ", ".join(f"{one:.2f}" for one in seen))
                for name, seen in run.starts.items()
            ),
        )
    if run.imported:
        done = run.imported
        yield (
            f"\n## Import\n\n{done.rows:,} rows of the city's CSV in {median(done.seconds):.1f} s, the median"
            f" of {len(done.seconds)} runs: **{median(done.per_second):,.0f} rows/s**,"
            f" {median(done.cpu_s) * 1e6 / done.rows:,.0f} µs of CPU a row."
        )


def _export(run: Run) -> Iterator[str]:
    done = run.exported
    if done:
        yield (
            f"\n## Export\n\n{done.rows:,} rows of CSV over HTTP: **{median(done.per_second):,.0f} rows/s**, the"
            f" median of {len(done.per_second)} rounds, with {median(done.cpu_s) * 1e6 / done.rows:,.0f} µs of CPU"
            f" a row. psql's COPY of the same columns has {median(done.copy_per_second):,.0f} rows/s. Memory grew"
            f" by at most {max(done.growth_mb):.0f} MB."
        )


def _plans(run: Run) -> Iterator[str]:
    if not run.plans:
        return
    faulty = run.faulty()
    yield f"\n## {len(run.plans)} queries explained\n"
    yield (
        "Our server ran each query, and auto_explain logged its plan. The time is the minimum execution time of"
        " five runs with warm caches, because other load can only add time. "
        + (f"**{len(faulty)} plans are not good enough.**" if faulty else _GOOD_PLANS)
        + " An export of the whole city must read all rows, and is shown for comparison."
    )
    yield ""
    yield from table(
        ["query", "SQL ms", "rows", "buffers", "path", ""],
        (
            (plan.title, f"{plan.statement_ms:.2f}", plan.rows, plan.buffers, *_words(plan))
            for plan in sorted(run.plans, key=lambda plan: -plan.statement_ms)
        ),
    )


def _words(plan: Plan) -> tuple[str, str]:
    return " ← ".join(plan.path), "; ".join(plan.faults)


def machine(run: Run) -> list[tuple[str, str]]:
    """The machine and the versions of the libraries; the database's are read from it."""
    with run.data.cursor() as cursor:
        cursor.execute(
            "SELECT split_part(version(), ' ', 2), postgis_lib_version(), current_setting('shared_buffers')"
        )
        postgres, postgis, buffers = cursor.fetchone()
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES if _has(name))
    loads = sorted(run.loads) or [0.0]
    return [
        ("CPU", f"{_cpu_model()}, {_cores()} cores"),
        ("memory", f"{int(memory.split()[1]) / 1024**2:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("database", f"PostgreSQL {postgres}, PostGIS {postgis}, shared_buffers {buffers}, fsync on, warm"),
        ("libraries", libraries),
        ("code", commit(ROOT)),
        (
            "machine's load",
            f"{loads[0]:.1f} to {loads[-1]:.1f}; above {_cores() + 4}, other programs were busy too",
        ),
        ("duration", f"{(datetime.now(UTC) - run.begun_at).total_seconds() / 60:.0f} min"),
    ]


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _cores() -> int:
    return len([line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor")])


def _has(name: str) -> bool:
    try:
        return bool(version(name))
    except ImportError:
        return False


def _one_decimal(value: float) -> str:
    return f"{value:.1f}"


def _no_decimals(value: float) -> str:
    return f"{value:.0f}"


def _number(value: float, unit: str = "") -> str:
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".strip()


def plot(run: Run, stem: Path) -> None:
    """CPU per request by workload and contestant, on a log scale, as SVG and PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": run.name, "font.size": 10, "font.family": "DejaVu Sans"})
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    shown = [workload for workload in WORKLOADS if workload.name in run.results]
    names = [name for name in TITLES if any(name in run.results[workload.name] for workload in shown)]
    figure, axes = pyplot.subplots(figsize=(10, 1.6 + 0.42 * len(shown)))
    for name in reversed(names):
        points = [
            (place, run.results[workload.name][name])
            for place, workload in enumerate(shown)
            if name in run.results[workload.name]
        ]
        middles = [found.middle_ms for _, found in points]
        spread = [
            [max(0.0, middle - min(found.cpu_ms)) for middle, (_, found) in zip(middles, points, strict=True)],
            [max(0.0, max(found.cpu_ms) - middle) for middle, (_, found) in zip(middles, points, strict=True)],
        ]
        axes.errorbar(
            middles,
            [place for place, _ in points],
            xerr=spread,
            fmt="D" if name == OURS.name else "o",
            markersize=9 if name == OURS.name else 6.5,
            color=COLOURS[name],
            label=TITLES[name],
            elinewidth=1.2,
            zorder=3 if name == OURS.name else 2,
        )
    for place, workload in enumerate(shown):
        found = [figures.middle_ms for figures in run.results[workload.name].values()]
        axes.plot([min(found), max(found)], [place, place], color="#cccccc", linewidth=1, zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("CPU milliseconds per request, application and PostgreSQL (log scale; bars from least to most)")
    axes.set_yticks(range(len(shown)), [workload.title for workload in shown])
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", color="#eeeeee")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"CPU time of a request, with {run.data.rows:,} requests stored", loc="left", pad=12)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="lower center", ncol=2, frameon=False)
    figure.tight_layout(rect=(0, 0.02 + 0.9 / (1.6 + 0.42 * len(shown)), 1, 1))
    for suffix in ("svg", "png"):
        figure.savefig(
            stem.with_suffix(f".{suffix}"), dpi=130, metadata={"Date": None} if suffix == "svg" else None
        )
    pyplot.close(figure)
