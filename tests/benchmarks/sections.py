"""Sections of the page: comparisons, dumps, and work while others read or write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from tests.benchmarks.client import Comparison
from tests.benchmarks.contestants import OURS
from tests.benchmarks.contestants.altered import ALTERED
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.dumping import Dump
from tests.benchmarks.explain import Plan
from tests.benchmarks.load import Outcome
from tests.benchmarks.measures import Results
from tests.benchmarks.optimisations import Optimisations
from tests.benchmarks.ratios import CheckoutComparison, ratio_table, ratios
from tests.benchmarks.reading import Readers
from tests.benchmarks.republishing import Republishing
from tests.benchmarks.tables import table
from tests.benchmarks.views import USUAL, VIEWS, shares
from tests.benchmarks.workloads import READS_PER_S

_HOW_TO_READ = (
    "In each round, the two figures were measured one after the other. A share is the first figure as a percentage"
    " of the second. The last column says in how many rounds the first figure was higher."
)


def views(result: Results, plans: Sequence[Plan], memory_mb: Sequence[float]) -> Iterator[str]:
    """Pages, statistics and tiles: their cost, their plans, and the memory of the server."""
    if not result:
        return
    yield "\n## Pages, statistics and tiles\n"
    yield (
        "CPU milliseconds per request, of the application and PostgreSQL together. The ratio to a page of 50"
        " requests is computed for each round. Tiles are those around a place with many requests.\n"
    )
    rows = ((view, result[view.workload.name][OURS.name]) for view in VIEWS if view.workload.name in result)
    yield from table(
        ["", "CPU-ms", "times a 50-row page", "goal", "bytes"],
        (
            (
                view.workload.title,
                f"{figures.middle_ms:.2f} ({min(figures.cpu_ms):.2f}–{max(figures.cpu_ms):.2f})",
                _spread(shares(result, view)),
                f"≤ {view.limit:.0f}" if view.workload.name != USUAL else "",
                f"{figures.body_bytes:,}",
            )
            for view, figures in rows
        ),
    )
    if memory_mb:
        yield f"\nMemory of two workers, fresh and after each third of these calls, MB: {_all(memory_mb)}.\n"
    yield from table(
        ["", "SQL ms", "buffers", "path of the slowest statement"],
        (
            (plan.title, f"{plan.statement_ms:.2f}", f"{plan.buffers:,}", " ← ".join(dict.fromkeys(plan.path)))
            for plan in plans
        ),
    )
    yield (
        "\nThe plans are those that the server ran. The time is that of all statements of a call, the minimum of"
        " some calls. If a process keeps an answer, the time is that of the first call."
    )


def _all(figures: Sequence[float]) -> str:
    return ", ".join(f"{figure:.0f}" for figure in figures)


def optimisations(result: Optimisations | None) -> Iterator[str]:
    """Each optimisation: our server with it and without it."""
    if result is None:
        return
    yield "\n## Our server with and without each optimisation\n"
    yield (
        "The number in a title is the number of a [decision](../decisions/README.md), which says what the"
        f" optimisation costs and when it may be deleted. {_HOW_TO_READ}"
    )
    for contestant in ALTERED:
        yield f"\n**{contestant.title}**\n"
        yield from ratio_table(("with it", "without it"), ratios(result.results, contestant.name))
    yield "\n**Other measurements**\n"
    yield from ratio_table(("the first", "the second"), result.ratios)
    sizes = (f"{rows:,.0f} in {name}, {more:,.0f} in its indexes" for name, (rows, more) in result.sizes.items())
    yield (
        f"\nOne worker completes {result.jobs_per_second:,.0f} jobs a second, of a kind that has no work to do."
        f" The number of bytes for each request, by table (0004): {'; '.join(sizes)}."
    )


def against(result: CheckoutComparison | None) -> Iterator[str]:
    """This code compared with another checkout."""
    if result is None:
        return
    yield f"\n## This code compared with {result.other}\n"
    yield f"{_HOW_TO_READ}\n"
    yield from ratio_table(("this code", result.other), result.ratios)


def dumps(result: Sequence[Dump]) -> Iterator[str]:
    """Dumps of the whole city by every method."""
    if not result:
        return
    yield "\n## Dumps of the whole city\n"
    yield from table(
        ["", "rows", "wanted", "seconds", "rows/s", "MB", "peak memory, MB", "memory growth, MB"],
        (
            (
                *(one.title, f"{one.rows:,}", f"{one.wanted:,}", f"{one.seconds:.1f}", f"{one.per_second:,.0f}"),
                *(f"{one.size / 1e6:.1f}", f"{one.peak_mb:.0f}", f"{one.growth_mb:.0f}" if one.before_mb else "–"),
            )
            for one in result
        ),
    )
    yield (
        "\nRows are counted in the received data. Memory is the proportional set size of the server's processes or"
        " of the command. A command's time begins with the start of its process. One run of `open311 dump`, as the"
        " worker does it every day, makes all files, so they have the same time and memory."
    )


def crowd(result: Crowd | None) -> Iterator[str]:
    """Many concurrent clients."""
    if result is None:
        return
    yield f"\n## {result.clients} concurrent clients with keep-alive connections\n"
    statuses = ", ".join(f"{times:,} × {status}" for status, times in sorted(result.outcome.statuses.items()))
    fresh, half_way, after = result.memory_mb
    yield (
        f"{result.outcome.count:,} mixed reads: {result.outcome.count / result.outcome.seconds:,.0f} a second,"
        f" p50 / p99 {_latency(result.outcome)} ms. Answers by status: {statuses}. Answers with 503 and without"
        f" Retry-After: {result.unclean}. Broken connections: {result.broken}. Clients that gave up:"
        f" {result.unanswered}. Clients that never got an answer: {result.unheard}. Memory before, half-way and"
        f" after: {fresh:.1f}, {half_way:.1f}, {after:.1f} MB."
    )


def republishing(result: Republishing | None) -> Iterator[str]:
    """Republishing of the whole city."""
    if result is None:
        return
    yield "\n## The whole city is rendered again while it is read\n"
    yield (
        f"The city has {result.rows:,} requests, and {result.per_second:,.0f} were rendered a second. The process"
        f" was killed with -9 after {result.killed_at:,} requests. A second run rendered {result.resumed_with:,}"
        f" more, and {result.left:,} were left. Readers saw {result.items:,} different items; {result.torn:,} of"
        f" them were torn, that is, of neither edition. {result.mixed:,} lists contained requests of both"
        f" editions.\n"
    )
    yield from table(
        [f"{READS_PER_S:.0f} reads a second, at a fixed rate", "p50 / p99, ms", "reads", "failed"],
        (
            (title, _latency(one), f"{one.count:,}", f"{one.failed:,}")
            for title, one in (("before", result.calm), ("during", result.busy))
        ),
    )


def readers(result: Readers | None) -> Iterator[str]:
    """Readers while other processes write."""
    if result is None:
        return
    yield "\n## Readers of the whole city while others write\n"
    yield (
        f"The city has {result.rows:,} requests. Writers sent {result.written:,} more, and {result.notes:,} notes,"
        f" in {result.seconds:.1f} s. Meanwhile the whole list was read {result.rounds} times by its links"
        f" ({result.listed:,} items), and the change feed was read by its cursors ({result.followed:,} changes)."
        f" Requests that were missed: **{result.missed}**. Requests that were received twice or in the wrong order:"
        f" **{result.doubled}**."
    )


def client(result: Sequence[Comparison]) -> Iterator[str]:
    """Our libpq calls compared with psycopg's cursor."""
    if not result:
        return
    yield "\n## CPU time of the database client, µs\n"
    yield from table(
        ["", "our calls", "psycopg's cursor", "ratio"],
        ((one.title, _spread(one.ours), _spread(one.psycopgs), f"{one.ratio:.2f}") for one in result),
    )
    yield (
        f"\nEach figure is the median of {len(result[0].ours)} rounds (least–most). In each round, both take ten"
        " turns in one process, on the same core as PostgreSQL, and the fastest turn counts. See decision 0018."
    )


def _spread(figures: Sequence[float]) -> str:
    return f"{median(figures):.1f} ({min(figures):.1f}–{max(figures):.1f})"


def _latency(outcome: Outcome) -> str:
    return f"{outcome.percentile_ms(50):.1f} / {outcome.percentile_ms(99):.1f}"
