"""The geometry of the charts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.web.portal.charts import bar, scale, stack, trend


@pytest.mark.parametrize(
    ("most", "numbers"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (3, [0, 1, 2, 3]),
        (7, [0, 2, 4, 6, 8]),
        (70, [0, 20, 40, 60, 80]),
        (101, [0, 50, 100, 150]),
        (9_999, [0, 5_000, 10_000]),
    ],
)
def test_a_scale_has_a_few_round_numbers(most: int, numbers: list[int]) -> None:
    assert list(scale(most)) == numbers


@given(st.integers(0, 10**9))
def test_a_scale_reaches_the_largest_number(most: int) -> None:
    found = scale(most)
    assert found[-1] >= most
    assert 2 <= len(found) <= 5


def test_a_trend_runs_in_the_direction_of_the_language() -> None:
    names = ["May", "June"]
    west = trend(names, {"opened": [10, 5]}, is_rtl=False)
    assert [(point.x, point.y) for point in west.lines["opened"]] == [("25%", "0%"), ("75%", "50%")]
    east = trend(names, {"opened": [10, 5]}, is_rtl=True)
    assert [(point.x, point.y) for point in east.lines["opened"]] == [("75%", "0%"), ("25%", "50%")]


def test_a_long_trend_names_a_few_spans_and_no_name_is_cut_off_at_an_edge() -> None:
    names = [f"week {number}" for number in range(53)]
    found = trend(names, {"opened": [0] * 53}, is_rtl=False)
    assert len(found.labels) == 4
    assert (found.labels[0].x, found.labels[0].anchor) == ("0%", "start")
    arabic = trend(names, {"opened": [0] * 53}, is_rtl=True)
    assert (arabic.labels[0].x, arabic.labels[0].anchor) == ("100%", "start")


def test_a_trend_without_spans_is_empty() -> None:
    found = trend([], {"opened": []}, is_rtl=False)
    assert (found.labels, found.lines) == ([], {"opened": []})


def test_the_parts_of_a_bar_fill_it_from_the_side_where_reading_begins() -> None:
    assert [(one.x, one.width) for one in stack([1, 0, 3], is_rtl=False)] == [
        ("0%", "25%"),
        ("25%", "0%"),
        ("25%", "75%"),
    ]
    assert [one.x for one in stack([1, 0, 3], is_rtl=True)] == ["75%", "75%", "0%"]


def test_a_bar_for_zero_is_empty_and_no_bar_is_longer_than_its_chart() -> None:
    assert bar(0, 0, is_rtl=False).width == "0%"
    assert bar(5, 4, is_rtl=True).x == "0%"
