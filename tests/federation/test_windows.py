"""The windows in which updates of a server are read: without gaps, whatever the server's clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from open311.federation.backends.windows import LONGEST, Place

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_first_window_reads_a_week() -> None:
    window, _ = Place.read("", NOON).window(NOON, HOUR)
    assert (window.start, window.end, window.is_last) == (NOON - LONGEST, NOON + HOUR, True)


def test_the_next_window_overlaps_the_newest_update_by_the_servers_clock() -> None:
    window, place = Place().window(NOON, HOUR)
    behind = NOON - 3 * HOUR
    cursor = place.after(window, [behind], NOON, HOUR).cursor()
    following, _ = Place.read(cursor, NOON).window(NOON + HOUR, HOUR)
    assert following.start == behind - HOUR


@settings(max_examples=50, phases=[Phase.generate], deadline=None)
@given(
    cursor=st.text("0123456789-:T+Z ", max_size=60)
    | st.datetimes().map(lambda at: f"{at.isoformat()} {at.isoformat()}")
    | st.datetimes(timezones=st.just(UTC)).map(lambda at: f"{at.isoformat()} {at.isoformat()}")
)
def test_no_cursor_leads_to_a_window_without_end_or_to_an_error(cursor: str) -> None:
    now, place = NOON, Place.read(cursor, NOON)
    window, _ = place.window(now, HOUR)
    assert timedelta() < window.end - window.start <= LONGEST + HOUR
    assert window.start <= now


@settings(max_examples=50, phases=[Phase.generate], deadline=None)
@given(
    gaps=st.lists(st.integers(1, 60 * 24 * 40), min_size=1, max_size=12),
    ahead=st.integers(-50, 50),
    happens=st.integers(0, 60 * 24 * 30),
)
def test_every_update_is_read_in_some_window(gaps: list[int], ahead: int, happens: int) -> None:
    """`ahead`: how far the server's clock is ahead; `happens`: how long after the first look. Both in minutes."""
    now, cursor, read = NOON, "", False
    made = NOON + timedelta(minutes=happens)
    at = made + timedelta(minutes=ahead)
    for gap in [0, *gaps, happens + 1, 60]:
        now += timedelta(minutes=gap)
        is_last = False
        while not is_last:
            window, place = Place.read(cursor, now).window(now, HOUR)
            is_here = made <= now and window.start <= at <= window.end
            read = read or is_here
            cursor = place.after(window, [at] if is_here else [], now, HOUR).cursor()
            is_last = window.is_last
    assert read


def test_a_window_that_is_too_long_is_halved_down_to_an_hour() -> None:
    window, _ = Place().window(NOON, HOUR)
    halves = 0
    while (half := window.halved()) is not None:
        assert not half.is_last
        window, halves = half, halves + 1
    assert halves < 10
