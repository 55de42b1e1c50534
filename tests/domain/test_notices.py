"""When and how often the operator gets notices about failures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from open311.domain.deliveries import Circuit
from open311.domain.notices import Notice, NoticeKind, connection_notice, stopped_notice
from open311.domain.results import Accepted, Retry
from tests.build import NOON

PLACE = ("city.example", "works")
AFTER = timedelta(minutes=15)
DOWN = Circuit(failures=5, failing_since=NOON)


def test_one_notice_after_15_minutes_says_that_a_back_office_is_down() -> None:
    assert connection_notice(PLACE, DOWN, None, NOON + timedelta(minutes=14), after=AFTER) is None
    notice = connection_notice(PLACE, DOWN, None, NOON + AFTER, after=AFTER)
    assert notice is not None
    assert notice.text == (
        "The back office works of city.example is down since 2026-03-01 12:00 UTC."
        " Its deliveries wait, and nothing is lost."
    )
    for hours in (1, 24, 24 * 365):
        assert connection_notice(PLACE, DOWN, notice, NOON + timedelta(hours=hours), after=AFTER) is None


def test_a_notice_of_recovery_comes_only_after_a_notice_of_the_outage() -> None:
    works = Circuit(succeeded_at=NOON)
    assert connection_notice(PLACE, works, None, NOON, after=AFTER) is None
    down = connection_notice(PLACE, DOWN, None, NOON + AFTER, after=AFTER)
    notice = connection_notice(PLACE, works, down, NOON + timedelta(hours=2), after=AFTER)
    assert notice is not None
    assert notice.kind is NoticeKind.WORKS
    assert "works again" in notice.text
    assert connection_notice(PLACE, works, notice, NOON + timedelta(hours=3), after=AFTER) is None


def test_a_single_failed_try_long_ago_is_no_outage() -> None:
    once = Circuit(failures=1, failing_since=NOON)
    assert connection_notice(PLACE, once, None, NOON + timedelta(days=3), after=AFTER) is None


def test_a_second_notice_of_an_outage_comes_at_least_an_hour_after_the_first() -> None:
    first = connection_notice(PLACE, DOWN, None, NOON + AFTER, after=AFTER)
    again = replace(DOWN, failing_since=NOON + timedelta(minutes=20))
    assert connection_notice(PLACE, again, first, NOON + timedelta(minutes=74), after=AFTER) is None
    assert connection_notice(PLACE, again, first, NOON + timedelta(minutes=75), after=AFTER) is not None


@given(st.lists(st.booleans(), max_size=500))
def test_frequent_outages_lead_to_at_most_two_notices_an_hour(tries: list[bool]) -> None:
    circuit, last, notices = Circuit(), None, list[Notice]()
    for minute, is_up in enumerate(tries * 20):
        now = NOON + timedelta(minutes=minute)
        circuit = circuit.after(Accepted() if is_up else Retry(cause="down"), now, chance=0.5)
        news = connection_notice(PLACE, circuit, last, now, after=AFTER)
        if news is not None:
            last = news
            notices.append(news)
    hours = len(tries) * 20 / 60
    assert len(notices) <= 2 * hours + 2
    assert all(one.kind is not other.kind for one, other in pairwise(notices))


def test_a_notice_comes_at_most_once_an_hour_and_only_if_more_waits_for_a_person() -> None:
    first = stopped_notice(PLACE, {"parked": 1, "quarantined": 2}, None, NOON)
    assert first is not None
    assert "1 parked delivery, 2 quarantined updates wait for a person" in first.text
    later = NOON + timedelta(minutes=59)
    assert stopped_notice(PLACE, {"parked": 9}, first, later) is None
    after = NOON + timedelta(hours=1)
    assert stopped_notice(PLACE, {"parked": 3}, first, after) is None, "the operator knows of three"
    assert stopped_notice(PLACE, {"parked": 9}, first, after) is not None
    assert stopped_notice(PLACE, {"parked": 1}, replace(first, known=0), after) is not None
    assert stopped_notice(PLACE, {}, first, after) is None


def test_a_notice_names_the_commands_that_show_what_waits() -> None:
    def text_of(**stopped: int) -> str:
        notice = stopped_notice(PLACE, stopped, None, NOON)
        assert notice is not None
        return notice.text

    assert text_of(quarantined=1).endswith(
        "1 quarantined update waits for a person. See `open311 deliveries updates list`."
    )
    assert text_of(parked=2).endswith("wait for a person. See `open311 deliveries list`.")
    assert "deliveries list` and `open311 deliveries updates list`" in text_of(uncertain=1, quarantined=2)
