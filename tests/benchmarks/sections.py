"""Sections of the page about work while others read or write, and about dumps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from tests.benchmarks.client import Compared
from tests.benchmarks.contestants.altered import ALTERED
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.dumping import Dumped
from tests.benchmarks.fences import Fenced
from tests.benchmarks.load import Outcome
from tests.benchmarks.ratios import Against, ratio_table, ratios
from tests.benchmarks.reading import Witnessed
from tests.benchmarks.republishing import Republished
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import READS_PER_S

_HOW_TO_READ = (
    "Both figures of a round were measured one after the other; a share is the first, of the second. The last"
    " column says in how many rounds the first was higher."
)


def fences(found: Fenced | None) -> Iterator[str]:
    """Each optimisation, with it and without it."""
    if found is None:
        return
    yield "\n## What is fast on purpose, and without it\n"
    yield (
        "Each has a [decision](../decisions/README.md) of that number, which says what it costs and when it may be"
        f" deleted. {_HOW_TO_READ}"
    )
    for contestant in ALTERED:
        yield f"\n**{contestant.title}**\n"
        yield from ratio_table(("as it is", "changed"), ratios(found.results, contestant.name))
    yield "\n**Beside requests**\n"
    yield from ratio_table(("the first", "the second"), found.ratios)
    sizes = (f"{name} {rows:,.0f}, its indexes {more:,.0f}" for name, (rows, more) in found.sizes.items())
    yield (
        f"\nOne worker does {found.jobs_per_second:,.0f} jobs a second that find nothing to do."
        f" A request takes so many bytes in each table (0004): {'; '.join(sizes)}."
    )


def against(found: Against | None) -> Iterator[str]:
    """This code compared with another checkout."""
    if found is None:
        return
    yield f"\n## Beside {found.other}\n"
    yield f"{_HOW_TO_READ}\n"
    yield from ratio_table(("this code", found.other), found.ratios)


def dumps(found: Sequence[Dumped]) -> Iterator[str]:
    """Dumps of the whole city by every method."""
    if not found:
        return
    yield "\n## All of the city at once\n"
    yield from table(
        ["", "rows", "of", "seconds", "rows/s", "MB", "most memory, MB", "grew by, MB"],
        (
            (
                *(one.title, f"{one.rows:,}", f"{one.wanted:,}", f"{one.seconds:.1f}", f"{one.per_second:,.0f}"),
                *(f"{one.size / 1e6:.1f}", f"{one.peak_mb:.0f}", f"{one.growth_mb:.0f}" if one.before_mb else "–"),
            )
            for one in found
        ),
    )
    yield (
        "\nRows as counted in what came; memory as proportional set size, of the server's processes or the"
        " command's. A command's time begins with its start. The files of `open311 dump` are of one run, which is"
        " what the worker does every day."
    )


def crowd(found: Crowd | None) -> Iterator[str]:
    """Many concurrent clients."""
    if found is None:
        return
    yield f"\n## {found.clients} clients at once, each on a connection that it keeps\n"
    statuses = ", ".join(f"{times:,} × {status}" for status, times in sorted(found.outcome.statuses.items()))
    fresh, half_way, after = found.memory_mb
    yield (
        f"{found.outcome.count:,} mixed reads: {found.outcome.count / found.outcome.seconds:,.0f} a second,"
        f" p50 / p99 {_latency(found.outcome)} ms. Answers: {statuses}; 503 without Retry-After {found.unclean},"
        f" broken connections {found.broken}, clients that gave up {found.unanswered}, of whom {found.unheard}"
        f" never heard anything. Memory before, half-way, after: {fresh:.1f}, {half_way:.1f}, {after:.1f} MB."
    )


def republishing(found: Republished | None) -> Iterator[str]:
    """Republishing of the whole city."""
    if found is None:
        return
    yield "\n## The whole city rendered anew while it is read\n"
    yield (
        f"{found.rows:,} requests at {found.per_second:,.0f} a second. Killed with -9 after {found.killed_at:,};"
        f" run again, it rendered {found.resumed_with:,} more, and {found.left:,} were left. Readers saw"
        f" {found.items:,} different items, of which {found.torn:,} were torn, and {found.mixed:,} lists that"
        f" showed requests of both editions.\n"
    )
    yield from table(
        [f"{READS_PER_S:.0f} reads a second, by the clock", "p50 / p99, ms", "reads", "failed"],
        (
            (title, _latency(one), f"{one.count:,}", f"{one.failed:,}")
            for title, one in (("before", found.calm), ("during", found.busy))
        ),
    )


def readers(found: Witnessed | None) -> Iterator[str]:
    """Readers while other processes write."""
    if found is None:
        return
    yield "\n## Readers of the whole city beside writers\n"
    yield (
        f"Over {found.rows:,} requests, writers sent {found.written:,} more and {found.notes:,} notes in"
        f" {found.seconds:.1f} s. Meanwhile the whole list was read {found.rounds} times from link to link,"
        f" {found.listed:,} items, and the change feed followed over {found.followed:,} changes. Missed:"
        f" **{found.missed}**; came twice: **{found.doubled}**."
    )


def client(found: Sequence[Compared]) -> Iterator[str]:
    """Our libpq calls compared with psycopg's cursor."""
    if not found:
        return
    yield "\n## The database's client alone, µs of CPU\n"
    yield from table(
        ["", "ours", "psycopg's cursor", "ratio"],
        ((one.title, _spread(one.ours), _spread(one.psycopgs), f"{one.ratio:.2f}") for one in found),
    )
    yield (
        f"\nMedian of {len(found[0].ours)} rounds (least–most), both in turn in one process, on PostgreSQL's core,"
        " the least of ten turns in each round; see decision 0018."
    )


def _spread(found: Sequence[float]) -> str:
    return f"{median(found):.1f} ({min(found):.1f}–{max(found):.1f})"


def _latency(outcome: Outcome) -> str:
    return f"{outcome.percentile_ms(50):.1f} / {outcome.percentile_ms(99):.1f}"
