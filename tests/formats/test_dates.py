"""Dates in the forms of spreadsheets and open data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.formats.reading.dates import Order, Shown, iso_instant, order_shown


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("04/18/2019 09:55:45 PM", "2019-04-18T21:55:45"),
        ("04/18/2019 12:00:00 AM", "2019-04-18T00:00:00"),
        ("4/8/2019 12:30 PM", "2019-04-08T12:30:00"),
        ("04/18/2019 21:55", "2019-04-18T21:55:00"),
        ("04/18/2019", "2019-04-18"),
        ("9/1/26 8:00", "2026-09-01T08:00:00"),
        ("9/1/1998", "1998-09-01"),
        ("01.09.2026 08:00", "2026-09-01T08:00:00"),
        ("01-09-2026", "2026-01-09"),
        ("2026/09/01 12:00:00 AM", "2026-09-01T00:00:00"),
        ("2026/09/01 12:00:00+00", "2026-09-01T12:00:00+00"),
        ("2026-9-1 8:05", "2026-09-01T08:05:00"),
        ("2026-09-01 08:05:00 p.m.", "2026-09-01T20:05:00"),
        ("1-Sep-2026", "2026-09-01"),
        ("01-SEP-26 08:00", "2026-09-01T08:00:00"),
        ("Sept 1, 2026, 8:00 PM", "2026-09-01T20:00:00"),
        ("Tuesday, 1 September 2026", "2026-09-01"),
        ("46266", "2026-09-01T00:00:00"),
        ("46266.5", "2026-09-01T12:00:00"),
        ("1788249600000", "2026-09-01T08:00:00+00:00"),
        ("1788249600", "2026-09-01T08:00:00+00:00"),
        ("/Date(1788249600000)/", "2026-09-01T08:00:00+00:00"),
    ],
)
def test_a_date_becomes_iso_with_the_month_first_by_default(text: str, iso: str) -> None:
    assert iso_instant(text) == iso


@pytest.mark.parametrize("text", ["2019-04-18T21:55:45.000", "2026-09-01", "soon", "", "12345", "1 Smarch 2026"])
def test_any_other_text_is_unchanged(text: str) -> None:
    assert iso_instant(text) == text


def test_the_order_decides_between_two_meanings() -> None:
    assert iso_instant("3/4/2026 8:00", Order.DAY_FIRST) == "2026-04-03T08:00:00"
    assert iso_instant("03/04/2026 08:00:00 AM", Order.DAY_FIRST) == "2026-04-03T08:00:00"
    assert iso_instant("3.4.2026", Order.MONTH_FIRST) == "2026-04-03", "a date with dots has its day first"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("3/4/2026", Shown.EITHER),
        ("4/4/2026", Shown.NOTHING),
        ("13/4/2026 8:00", Shown.DAY_FIRST),
        ("4/13/2026 08:00:00 AM", Shown.MONTH_FIRST),
        ("3/4/26", Shown.SHORT_YEAR),
        ("13.4.2026", Shown.NOTHING),
        ("2026-04-03", Shown.NOTHING),
    ],
)
def test_a_date_shows_the_order_if_only_one_order_fits(text: str, shown: Shown) -> None:
    assert order_shown(text) is shown


@given(st.text() | st.from_regex(r"[0-9]{1,4}[-/. ][0-9A-Za-z]{1,4}[-/. ][0-9]{1,4}( [0-9:]{1,8}( [AaPp][Mm])?)?"))
def test_no_text_raises_an_error(text: str) -> None:
    for order in Order:
        assert iso_instant(text, order) is not None
    assert order_shown(text) in Shown
