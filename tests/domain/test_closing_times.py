"""Days to close, estimated from closed requests and from the ages of open requests."""

from __future__ import annotations

from random import Random

import pytest

from open311.domain.closing_times import NoDays, closing_days, day_of_share


def test_without_open_requests_the_days_are_plain_percentiles() -> None:
    closed = dict.fromkeys(range(1, 11), 10)
    found = closing_days(closed, {})
    assert (found.median_days, found.p80_days, found.closed, found.open) == (5, 8, 100, 0)
    assert found.reason is NoDays.NONE


def test_the_days_equal_those_computed_by_hand() -> None:
    # 10 requests: 2 closed on day 1, 2 on day 3, 1 on day 5; 5 open, of ages 2, 2, 4, 6, 6.
    # Day 1: 8/10 stay. At risk on day 3: 8 - 2 = 6; 4/6 stay: 0.5333. At risk on day 5: 4 - 1 = 3; 2/3: 0.3556.
    assert day_of_share({1: 2, 3: 2, 5: 1}, {2: 2, 4: 1, 6: 2}, 0.5) == 5
    assert day_of_share({1: 2, 3: 2, 5: 1}, {2: 2, 4: 1, 6: 2}, 0.2) == 1
    assert day_of_share({1: 2, 3: 2, 5: 1}, {2: 2, 4: 1, 6: 2}, 0.8) is None


def test_open_requests_of_today_do_not_change_the_median() -> None:
    assert day_of_share({2: 5, 4: 5}, {0: 1_000}, 0.5) == 2


def test_old_open_requests_raise_the_number_of_days() -> None:
    closed = dict.fromkeys(range(1, 11), 10)
    before, after = closing_days(closed, {}), closing_days(closed, {300: 20})
    assert before.median_days is not None
    assert after.median_days is not None
    assert after.median_days > before.median_days


def test_no_days_are_given_if_too_many_requests_are_open() -> None:
    found = closing_days(dict.fromkeys(range(1, 11), 10), {300: 60})
    assert (found.reason, found.median_days, found.p80_days) == (NoDays.STILL_OPEN, None, None)


@pytest.mark.parametrize("number", [0, 49])
def test_no_days_are_given_if_few_requests_are_closed(number: int) -> None:
    assert closing_days({1: number}, {3: 500}).reason is NoDays.FEW


def test_the_true_days_are_found_although_many_requests_are_still_open() -> None:
    """The true days are known; each request is seen only until its age."""
    random = Random(4)
    truth = sorted(random.randint(1, 60) for _ in range(4_000))
    closed: dict[int, int] = {}
    still_open: dict[int, int] = {}
    for days in truth:
        age = random.randint(0, 80)
        if days <= age:
            closed[days] = closed.get(days, 0) + 1
        else:
            still_open[age] = still_open.get(age, 0) + 1
    found = closing_days(closed, still_open)
    assert found.open > 1_000
    assert abs((found.median_days or 0) - truth[2_000]) <= 2
    assert abs((found.p80_days or 0) - truth[3_200]) <= 2
