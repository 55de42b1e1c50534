from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import asin, atan2, cos, degrees, pi, radians, sin

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from open311.domain.search import WINDOW, Box, Circle, Window, box_around, halves, requested_window

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
# The earth's smallest radius of curvature. On a sphere of this radius, a distance spans the most degrees.
SMALLEST_RADIUS_M = 6_335_439.0


def ago(days: float) -> datetime:
    return NOW - days * DAY


@pytest.mark.requirement("C184")
def test_without_dates_the_window_is_the_last_90_days() -> None:
    assert requested_window(None, None, NOW, "refuse") == (Window(ago(90), None), [])


@pytest.mark.requirement("C204")
def test_only_a_start_gives_a_window_of_90_days() -> None:
    assert requested_window(ago(200), None, NOW, "refuse") == (Window(ago(200), ago(110)), [])


def test_the_window_of_only_a_start_does_not_end_in_the_future() -> None:
    assert requested_window(ago(20), None, NOW, "refuse") == (Window(ago(20), NOW), [])


def test_a_start_in_the_future_finds_nothing_and_is_no_error() -> None:
    window, problems = requested_window(ago(-20), None, NOW, "refuse")
    assert problems == []
    assert window == Window(ago(-20), ago(-20))


@pytest.mark.requirement("C205")
def test_only_an_end_gives_a_window_of_90_days() -> None:
    assert requested_window(None, ago(200), NOW, "refuse") == (Window(ago(290), ago(200)), [])


@pytest.mark.requirement("C202")
@pytest.mark.parametrize("policy", ["refuse", "clamp", "allow"])
def test_exactly_90_days_are_accepted_under_every_policy(policy: str) -> None:
    assert requested_window(ago(90), NOW, NOW, policy) == (Window(ago(90), NOW), [])  # type: ignore[arg-type]


@pytest.mark.requirement("C203")
def test_91_days_are_refused_cut_or_allowed_as_the_policy_says() -> None:
    _, (problem,) = requested_window(ago(91), NOW, NOW, "refuse")
    assert problem.field == "end_date"
    assert "90 days" in problem.message
    assert requested_window(ago(91), NOW, NOW, "clamp") == (Window(ago(91), ago(1)), [])
    assert requested_window(ago(91), NOW, NOW, "allow") == (Window(ago(91), NOW), [])


def test_a_single_bound_is_open_ended_if_any_span_is_allowed() -> None:
    assert requested_window(ago(200), None, NOW, "allow") == (Window(ago(200), None), [])
    assert requested_window(None, ago(200), NOW, "allow") == (Window(None, ago(200)), [])
    assert requested_window(None, None, NOW, "allow") == (Window(ago(90), None), [])


@pytest.mark.requirement("C201")
@pytest.mark.parametrize("policy", ["refuse", "clamp", "allow"])
def test_a_start_after_the_end_is_refused_under_every_policy(policy: str) -> None:
    _, (problem,) = requested_window(NOW, ago(1), NOW, policy)  # type: ignore[arg-type]
    assert problem.field == "start_date"


INSTANTS = st.none() | st.datetimes(timezones=st.just(UTC))


@given(INSTANTS, INSTANTS, st.sampled_from(["refuse", "clamp", "allow"]))
@example(datetime.max.replace(tzinfo=UTC), None, "refuse")
@example(None, datetime.min.replace(tzinfo=UTC), "refuse")
@example(datetime(9999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), "clamp")
def test_any_two_dates_give_a_window_or_a_problem(
    start: datetime | None, end: datetime | None, policy: str
) -> None:
    window, problems = requested_window(start, end, NOW, policy)  # type: ignore[arg-type]
    if not problems and policy != "allow" and window.start and window.end:
        assert timedelta(0) <= window.end - window.start <= WINDOW


def point_on_circle(circle: Circle, bearing: float) -> tuple[float, float]:
    """A point (long, lat) on the circle, on a sphere so small that the circle spans more degrees than on earth."""
    reach, lat = circle.radius_m / SMALLEST_RADIUS_M, radians(circle.lat)
    rim = asin(max(-1.0, min(1.0, sin(lat) * cos(reach) + cos(lat) * sin(reach) * cos(bearing))))
    turn = atan2(sin(bearing) * sin(reach) * cos(lat), cos(reach) - sin(lat) * sin(rim))
    long = (circle.long + degrees(turn) + 180) % 360 - 180
    return long, degrees(rim)


def contains(box: Box, long: float, lat: float) -> bool:
    return any(
        half.west - 1e-9 <= long <= half.east + 1e-9 and half.south - 1e-9 <= lat <= half.north + 1e-9
        for half in halves(box)
    )


CIRCLES = st.builds(
    Circle,
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.floats(0.1, 50_000),
)


@given(CIRCLES, st.floats(-pi, pi))
@example(Circle(179.9999, 0.0, 500.0), pi / 2)
@example(Circle(-180.0, -17.0, 50_000.0), -pi / 2)
@example(Circle(0.0, 89.9999, 50_000.0), pi)
@example(Circle(0.0, 89.55, 50_000.0), 1.5)
@example(Circle(10.0, -90.0, 1.0), 0.0)
@example(Circle(10.0, 89.0, 50_000.0), 1.1)
def test_the_box_around_a_circle_contains_the_whole_circle(circle: Circle, bearing: float) -> None:
    box = box_around(circle)
    assert contains(box, *point_on_circle(circle, bearing))
    assert contains(box, circle.long, circle.lat)


@given(CIRCLES)
def test_the_box_around_a_circle_has_valid_coordinates(circle: Circle) -> None:
    for half in halves(box_around(circle)):
        assert -180 <= half.west <= half.east <= 180
        assert -90 <= half.south <= half.north <= 90


@given(CIRCLES)
def test_far_from_the_poles_the_box_is_not_much_larger_than_the_circle(circle: Circle) -> None:
    assume(abs(circle.lat) < 80)
    width = sum(half.east - half.west for half in halves(box_around(circle)))
    reach = circle.radius_m / 110_500
    assert width <= 2 * reach / cos(radians(min(89.0, abs(circle.lat) + reach))) + 1e-9


def test_a_box_across_the_antimeridian_becomes_two_boxes() -> None:
    assert halves(Box(179.0, -1.0, -179.0, 1.0)) == (Box(179.0, -1.0, 180.0, 1.0), Box(-180.0, -1.0, -179.0, 1.0))
    assert halves(Box(1.0, 2.0, 3.0, 4.0)) == (Box(1.0, 2.0, 3.0, 4.0),)
