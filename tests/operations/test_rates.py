"""Counters of calls within one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from limits import parse
from limits.strategies import FixedWindowRateLimiter

from open311.operations.access.rates import SWEEP_EVERY, Counters


def test_each_caller_is_counted_separately_up_to_the_limit() -> None:
    counters = Counters()
    limiter, rate = FixedWindowRateLimiter(counters), parse("3 per hour")
    assert [limiter.hit(rate, "anna") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.hit(rate, "ben")
    window = limiter.get_window_stats(rate, "anna")
    assert window.remaining == 0
    limiter.clear(rate, "anna")
    assert limiter.hit(rate, "anna")
    assert (counters.reset(), counters.check()) == (2, True)


def test_expired_counts_are_ignored_and_dropped() -> None:
    counters = Counters()
    assert counters.incr("old", expiry=-1) == 1
    assert counters.get("old") == 0
    assert counters.incr("old", expiry=-1) == 1
    for number in range(SWEEP_EVERY):
        counters.incr(f"caller {number}", expiry=-1)
    assert (counters.reset() or 0) < 10


def test_no_count_is_lost_between_threads() -> None:
    counters = Counters()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: counters.incr("all", expiry=60), range(2_000)))
    assert counters.get("all") == 2_000
