"""Compares one figure of two servers that were measured alternately, round by round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.contestants import OURS
from tests.benchmarks.measures import Results
from tests.benchmarks.tables import table
from tests.benchmarks.workloads import WORKLOADS


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of our server and of another server, with one value per server and round."""

    title: str
    unit: str
    ours: Sequence[float]
    others: Sequence[float]

    @property
    def percents(self) -> list[float]:
        """Our value as a percentage of the other server's, for each round."""
        return [100 * one / other for one, other in zip(self.ours, self.others, strict=True)]

    @property
    def higher(self) -> int:
        """The number of rounds in which our value was higher."""
        return sum(percent > 100 for percent in self.percents)


@dataclass(frozen=True, slots=True)
class CheckoutComparison:
    """This code compared with another checkout, which is named by its commit."""

    other: str
    ratios: Sequence[Ratio]


def ratios(results: Results, other: str) -> Iterator[Ratio]:
    """The ratios of CPU time, and for writes also of the rate, because writes wait for the disk."""
    for workload in WORKLOADS:
        figures = results.get(workload.name, {})
        if other not in figures:
            continue
        ours, others = figures[OURS.name], figures[other]
        yield Ratio(workload.title, "CPU-ms", ours.cpu_ms, others.cpu_ms)
        if workload.writes:
            yield Ratio(workload.title, "a second", ours.per_second, others.per_second)


def ratio_table(titles: tuple[str, str], rows: Iterable[Ratio]) -> Iterator[str]:
    """A table with the median (minimum–maximum) of our figure, the other figure, and ours as a percentage of it."""
    yield from table(
        ["", "", *titles, "share, %", "higher in"],
        ((row.title, row.unit, *map(_spread, (row.ours, row.others, row.percents)), _count(row)) for row in rows),
    )


def _spread(figures: Sequence[float]) -> str:
    digits = 2 if median(figures) < 10 else 0
    return f"{median(figures):,.{digits}f} ({min(figures):,.{digits}f}–{max(figures):,.{digits}f})"


def _count(row: Ratio) -> str:
    return f"{row.higher} of {len(row.percents)}"
