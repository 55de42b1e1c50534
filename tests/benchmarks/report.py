"""The report: the table, the goals, the plot."""

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
from tests.benchmarks.client import Compared
from tests.benchmarks.contestants import ALL, BARE, FASTAPI, NAIVE, OURS, RAW, ROOT, commit
from tests.benchmarks.contestants.peers import PYGEOAPI, TIPG
from tests.benchmarks.contestants.pgbench import NAME as PGBENCH
from tests.benchmarks.contestants.pgbench import TITLE as PGBENCH_TITLE
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.data import Data
from tests.benchmarks.dumping import Dumped
from tests.benchmarks.explain import Plan
from tests.benchmarks.fences import Fenced
from tests.benchmarks.load import Refused
from tests.benchmarks.measures import Export, Figures, Import, Memory, Mix, Results
from tests.benchmarks.ratios import Against
from tests.benchmarks.reading import Witnessed
from tests.benchmarks.republishing import Republished
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import WORKLOADS

TITLES = {one.name: one.title for one in (*ALL, TIPG, PYGEOAPI)} | {PGBENCH: PGBENCH_TITLE}
COLOURS = {
    OURS.name: "#0b6e4f",
    NAIVE.name: "#c0392b",
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


@dataclass(slots=True)
class Run:
    """All results of one run of the benchmark."""

    data: Data
    begun_at: datetime
    rounds: int
    is_quick: bool
    parts: tuple[str, ...] = ()
    results: Results = field(default_factory=dict)
    fenced: Fenced | None = None
    against: Against | None = None
    starts: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    mixes: dict[str, Mix] = field(default_factory=dict)
    imported: Import | None = None
    exported: Export | None = None
    dumps: list[Dumped] = field(default_factory=list)
    crowd: Crowd | None = None
    republished: Republished | None = None
    witnessed: Witnessed | None = None
    client: list[Compared] = field(default_factory=list)
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
        found = self.results.get(workload, {}).get(contestant)
        return found.cpu_ms if found else []

    def rate(self, workload: str, contestant: str = OURS.name) -> list[float]:
        """Requests per second, for each round."""
        found = self.results.get(workload, {}).get(contestant)
        return found.per_second if found else []

    def faulty(self) -> list[Plan]:
        """Plans that are not good enough."""
        return [plan for plan in self.plans if any(plan.faults)]


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal and its figures, one for each round; empty if this run did not measure it.

    A goal without a number is either reached or not.
    """

    text: str
    limit: float
    found: Sequence[float]
    unit: str = "%"
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """The verdict by the median, and whether all rounds agree."""
        if not self.found:
            return "not measured"
        words = "reached" if self._is_reached(median(self.found)) else "**missed**"
        return words if len(set(map(self._is_reached, self.found))) == 1 else f"{words}, not in every round"

    def _is_reached(self, found: float) -> bool:
        return found >= self.limit if self.at_least else found <= self.limit

    @property
    def shown(self) -> str:
        """The median, and minimum and maximum if there were several rounds."""
        if not self.found:
            return "–"
        if isinstance(self.found[0], bool):
            return "yes" if self.found[0] else "no"
        text = _number(median(self.found), self.unit)
        return f"{text} ({_number(min(self.found))}–{_number(max(self.found))})" if len(self.found) > 1 else text

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
        yield Goal(f"{title}, of FastAPI's (JSON)", 40, _share(run, name, FASTAPI.name, "page"))
        yield Goal(f"{title}, of naive (JSON)", 4, _share(run, name, NAIVE.name, "page"))
        yield Goal(f"{title}, of raw WSGI", 140, _share(run, name, RAW.name))
    yield Goal("50-row page, of FastAPI's", 75, _share(run, "small", FASTAPI.name))
    yield Goal("one request, of FastAPI's", 75, _share(run, "one", FASTAPI.name))
    for name in ("services", "definition", "discovery"):
        bare = median(run.ms("services", BARE.name) or [0.0])
        yield Goal(name, max(0.3, 2 * bare), run.ms(name), unit="ms", note="0.3 ms or 2 × a bare Flask view")
    yield Goal("304 on an unchanged 1000-row page, of the page", 20, _share(run, "unchanged", OURS.name, "page"))
    yield Goal("POST, of naive inserting one row", 80, _share(run, "post", NAIVE.name))
    rates = _percent(run.rate("post"), run.rate("post", PGBENCH))
    yield Goal("POST, rate, of pgbench writing the same rows", 20, rates, at_least=True)
    yield Goal("deepest page of the 90 days by cursor, of the first", 120, _share(run, "cursor", OURS.name, "page"))
    yield Goal("the same by its number", 120, _share(run, "deep", OURS.name, "page"))
    yield Goal("page 80 % down in all years, of the first", 120, _share(run, "deepest", OURS.name, "page"))
    yield from _sql_goals(run)
    yield from _other_goals(run)
    yield from _goals_beside_others(run)


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
    yield Goal("CSV export, rate, of psql COPY of the same columns", 90, rates, at_least=True)
    yield Goal("its growth of memory", 20, export.growth_mb, unit="MB", note="goal is for 5 M rows")
    imported = run.imported.per_second if run.imported else []
    yield Goal("import with validation, routing, publication", 20_000, imported, unit="rows/s", at_least=True)
    memory = run.memory.get(OURS.name)
    used = [memory.after] if memory else []
    yield Goal("memory of two workers after mixed requests", 160, used, unit="MB", note="PSS")
    growth = [memory.after - memory.half_way] if memory else []
    yield Goal("its growth over the second half", 3, growth, unit="MB")
    yield Goal("start to first answer, ten jurisdictions", 1.0, run.starts.get(OURS.name, []), unit="s")


def _goals_beside_others(run: Run) -> Iterator[Goal]:
    """Goals of work while others read or write."""
    crowd, done, seen = run.crowd, run.republished, run.witnessed
    yield Goal("200 clients at once, anything but clean answers", 0, [crowd.errors] if crowd else [], unit="")
    growth = [crowd.growth_mb] if crowd else []
    yield Goal("their server's growth of memory over the second half", 5, growth, unit="MB")
    wrong = [one for one in run.dumps if one.rows != one.wanted]
    yield Goal("full dumps that are not the whole city", 0, [len(wrong)] if run.dumps else [], unit="")
    yield Goal("items torn between two editions", 0, [done.torn] if done else [], unit="")
    resumed = [done.is_resumed] if done else []
    yield Goal("republishing killed half-way goes on where it was", True, resumed, at_least=True)
    yield Goal("requests missed by readers beside writers", 0, [seen.missed] if seen else [], unit="")
    yield Goal("requests that came to them twice", 0, [seen.doubled] if seen else [], unit="")


def _share(run: Run, workload: str, other: str, other_workload: str = "") -> list[float]:
    return _percent(run.ms(workload), run.ms(other_workload or workload, other))


def _percent(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round; empty if one of the two was not measured."""
    return [100 * one / other for one, other in zip(mine, theirs, strict=True)] if mine and theirs else []


def write(run: Run, folder: Path) -> Path:
    """Write table, plot and raw figures; returns the path of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{run.name}.md"
    page.write_text("\n".join(_page(run)) + "\n", encoding="utf-8")
    if run.results:
        plot(run, folder / run.name)
    return page


def write_raw(run: Run, folder: Path) -> None:
    """Every figure, for comparing runs."""
    found = {
        "rows": run.data.rows,
        "begun_at": run.begun_at.isoformat(),
        "machine": dict(run.facts),
        "goals": [asdict(goal) for goal in goals(run) if goal.found],
        "results": _raw_results(run.results),
        "against": run.against and asdict(run.against),
        "fenced": run.fenced and asdict(run.fenced) | {"results": _raw_results(run.fenced.results)},
        "dumps": [asdict(one) for one in run.dumps],
        "crowd": _raw(run.crowd),
        "republished": _raw(run.republished),
        "witnessed": _raw(run.witnessed),
        "client": [asdict(one) for one in run.client],
        "plans": [asdict(plan) for plan in run.plans],
    }
    (folder / f"{run.name}-{run.begun_at:%H%M}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def _raw_results(results: Results) -> dict[str, Any]:
    return {
        workload: {name: asdict(figures) | {"latencies": []} for name, figures in row.items()}
        for workload, row in results.items()
    }


def _raw(found: Crowd | Republished | Witnessed | None) -> dict[str, Any] | None:
    """Every figure except single latencies."""
    if found is None:
        return None
    plain = asdict(found)
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

    First the goals, except those in ms, then CPU per request of ours. Raises Refused.
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


def _ratios(found: list[dict[str, Any]]) -> dict[str, list[float]]:
    return {goal["text"]: goal["found"] for goal in found if goal["unit"] != "ms"}


def _pairs(
    before: dict[str, list[float]], after: dict[str, list[float]]
) -> Iterator[tuple[str, list[float], list[float]]]:
    for title, found in before.items():
        if min(len(found), len(after.get(title, []))) > 1:
            yield title, found, after[title]


def _rounds_of(found: list[float]) -> str:
    return f"{_number(median(found))} ({_number(min(found))}–{_number(max(found))})"


def _page(run: Run) -> Iterator[str]:
    yield f"# Benchmark, {run.data.rows:,} requests, {run.begun_at:%d %B %Y}"
    yield ""
    yield (
        "CPU milliseconds per request, the application's processes and PostgreSQL's together, over a fixed number"
        f" of requests; median of {run.rounds} rounds (least–most), all in turn, each round with servers started"
        " anew. A ratio is one of each round's two figures. `make bench` makes this page."
    )
    yield ""
    yield from table(["machine", ""], run.facts)
    if run.results:
        yield f"\n![CPU per request by workload]({run.name}.svg)"
    measured = [goal for goal in goals(run) if goal.found]
    if measured:
        yield "\n## Goals\n"
        yield from table(
            ["goal", "wanted", "found", "", ""],
            ((goal.text, goal.wanted, goal.shown, goal.verdict, goal.note) for goal in measured),
        )
    if run.results:
        yield from _rounds(run)
    yield from sections.against(run.against)
    yield from sections.fences(run.fenced)
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
    yield "Moves with whatever else the machine does; the client's own time is in it.\n"
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


def _cpu_cell(found: Figures) -> str:
    return _spread({"cpu_ms": found.cpu_ms})


def _latency_cell(found: Figures) -> str:
    if not found.latencies:
        return "–"
    return " / ".join(f"{found.percentile_ms(share):.1f}" for share in (50, 95, 99))


def _rest(run: Run) -> Iterator[str]:
    if run.mixes:
        yield "\n## 50 reads and 5 writes a second, by the clock, ms from when each was due\n"
        yield from table(
            ["", "p50", "p95", "p99", "slowest", "failed", "cores used"],
            (
                (name, *map(_one, (mix.p50, mix.p95, mix.p99, mix.slowest)), mix.failed, f"{mix.cpu_share:.2f}")
                for name, mix in run.mixes.items()
            ),
        )
    if run.memory:
        yield "\n## Memory of two workers and what is around them, MB\n"
        yield from table(
            ["", "fresh", "half-way", "after", "resident after", "mixed requests"],
            (
                (name, *map(_whole, (seen.fresh, seen.half_way, seen.after, seen.rss_after)), f"{seen.requests:,}")
                for name, seen in run.memory.items()
            ),
        )
        yield "\nFresh, half-way, after: proportional set size."
    if run.starts:
        yield "\n## Start to first answer, seconds\n"
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
            f"\n## Import\n\n{done.rows:,} rows of the city's CSV in {median(done.seconds):.1f} s, median of"
            f" {len(done.seconds)}: **{median(done.per_second):,.0f} rows/s**,"
            f" {median(done.cpu_s) * 1e6 / done.rows:,.0f} µs of CPU a row."
        )


def _export(run: Run) -> Iterator[str]:
    done = run.exported
    if done:
        yield (
            f"\n## Export\n\n{done.rows:,} rows of CSV over HTTP: **{median(done.per_second):,.0f} rows/s**, median"
            f" of {len(done.per_second)}, {median(done.cpu_s) * 1e6 / done.rows:,.0f} µs of CPU a row; psql COPY of"
            f" the same columns {median(done.copy_per_second):,.0f} rows/s. Memory grew by"
            f" {max(done.growth_mb):.0f} MB at most."
        )


def _plans(run: Run) -> Iterator[str]:
    if not run.plans:
        return
    faulty = run.faulty()
    yield f"\n## {len(run.plans)} queries explained\n"
    yield (
        "Each as our server ran it (auto_explain), warm, least of five, execution alone: a busy machine only adds. "
        + (f"**{len(faulty)} are not good enough.**" if faulty else "None reads the whole table or takes 10 ms.")
        + " An export of the whole city has to read all of it and is shown for comparison."
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
    """The machine and the versions; asks the database."""
    with run.data.asking() as cursor:
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
        ("machine's load", f"{loads[0]:.1f} to {loads[-1]:.1f}; above {_cores() + 4} others were at work too"),
        ("took", f"{(datetime.now(UTC) - run.begun_at).total_seconds() / 60:.0f} min"),
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


def _one(value: float) -> str:
    return f"{value:.1f}"


def _whole(value: float) -> str:
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
    axes.set_xlabel("CPU milliseconds per request, application and PostgreSQL (log scale; bars: least to most)")
    axes.set_yticks(range(len(shown)), [workload.title for workload in shown])
    axes.invert_yaxis()
    axes.grid(axis="x", which="both", color="#eeeeee")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"What a request costs, {run.data.rows:,} requests stored", loc="left", pad=12)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="lower center", ncol=2, frameon=False)
    figure.tight_layout(rect=(0, 0.02 + 0.9 / (1.6 + 0.42 * len(shown)), 1, 1))
    for suffix in ("svg", "png"):
        figure.savefig(
            stem.with_suffix(f".{suffix}"), dpi=130, metadata={"Date": None} if suffix == "svg" else None
        )
    pyplot.close(figure)
