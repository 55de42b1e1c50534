"""Charts as SVG whose lengths are percentages, so that they fit every width and every text size (decision 0044).

A chart has no viewBox. So its texts have the size that the reader has chosen, and only its shapes grow with the
page. Its colours come from classes of the style sheet, which has them for light and for dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

_MOST_TICKS = 4
"""How many steps the scale of a chart has at most."""
_MOST_LABELS = 4
"""How many spans have their name below a chart. No more names fit on a narrow phone."""
_EDGE = 10
"""If the middle of a name is less than this many percent from an edge, the name begins or ends at the edge."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale: its height from the top in percent, and its number."""

    y: str
    number: int


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a span below a chart, at `x` percent. `anchor`: the value of text-anchor."""

    x: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A value in a chart, in percent from the left and from the top."""

    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Lines over spans of time. The first span is on the side on which the language begins, such as left."""

    ticks: Sequence[Tick]
    labels: Sequence[Label]
    lines: Mapping[str, Sequence[Point]]


def trend(names: Sequence[str], lines: Mapping[str, Sequence[int]], *, is_rtl: bool) -> Trend:
    """A chart of numbers by span of time.

    names   the names of the spans, in order of time
    lines   name of a line -> its number in each span
    is_rtl  whether the language is written from right to left
    """
    numbers = scale(max((number for line in lines.values() for number in line), default=0))
    middles = [_side((place + 0.5) / len(names), is_rtl=is_rtl) for place in range(len(names))]
    every = ceil(len(names) / _MOST_LABELS)
    return Trend(
        ticks=[Tick(percent(1 - number / numbers[-1]), number) for number in numbers],
        labels=[_label(middles[place], names[place], is_rtl=is_rtl) for place in range(0, len(names), every or 1)],
        lines={
            name: [
                Point(percent(x), percent(1 - number / numbers[-1]))
                for x, number in zip(middles, line, strict=True)
            ]
            for name, line in lines.items()
        },
    )


def scale(most: int) -> Sequence[int]:
    """Round numbers from 0 to `most` or a little above, with equal steps of 1, 2 or 5 times a power of ten."""
    power = 10 ** max(0, floor(log10(max(most, 1))) - 1)
    step = next(step for step in (power * number for number in (1, 2, 5, 10, 20, 50)) if step * _MOST_TICKS >= most)
    return range(0, step * max(1, ceil(most / step)) + 1, step)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, or a part of one: where it begins from the left and how long it is, in percent."""

    x: str
    width: str


def bar(value: float, whole: float, *, is_rtl: bool, begin: float = 0) -> Bar:
    """A bar from `begin`, `value` long, where `whole` is the width of the chart. Empty if `whole` is 0."""
    share = min(1.0, value / whole) if whole else 0.0
    left = begin / whole if whole else 0.0
    return Bar(percent(1 - left - share if is_rtl else left), percent(share))


def stack(values: Sequence[int], *, is_rtl: bool) -> Sequence[Bar]:
    """The parts of one bar that is as long as the chart is wide."""
    whole = sum(values)
    return [bar(value, whole, begin=sum(values[:place]), is_rtl=is_rtl) for place, value in enumerate(values)]


def percent(share: float) -> str:
    """A share as SVG has it, with at most two decimals."""
    return f"{round(100 * share, 2) + 0:g}%"


def _side(share: float, *, is_rtl: bool) -> float:
    return 1 - share if is_rtl else share


def _label(x: float, text: str, *, is_rtl: bool) -> Label:
    """A name in the middle of its span; at an edge, it begins or ends there."""
    if _EDGE <= 100 * x <= 100 - _EDGE:
        return Label(percent(x), "middle", text)
    is_left = x < 0.5  # "start" is the right side of a text from right to left
    return Label("0%" if is_left else "100%", "start" if is_left is not is_rtl else "end", text)
