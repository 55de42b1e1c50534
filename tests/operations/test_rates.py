"""Counts of calls: within one process, and in Redis for all processes together."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from open311.observe import configure_logs
from open311.operations.access.rates import SWEEP_EVERY, Counters, Rates
from tests.ports import free_port
from tests.redis_server import needs_redis, redis_running


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


# --- Counts in Redis

LIMIT = [parse("3 per hour")]


@needs_redis
def test_two_processes_count_together_in_redis(tmp_path: Path) -> None:
    port = free_port()
    with redis_running(port, tmp_path):
        one, other = Rates(f"redis://127.0.0.1:{port}"), Rates(f"redis://127.0.0.1:{port}")
        assert [rates.wait_s(LIMIT, "anna") > 0 for rates in (one, other, one, other, one)] == [
            *[False] * 3,
            *[True] * 2,
        ]
        assert one.wait_s(LIMIT, "ben") == 0


@needs_redis
def test_a_process_counts_by_itself_while_redis_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning")
    port = free_port()
    one, other = (Rates(f"redis://127.0.0.1:{port}", rest_s=0) for _ in range(2))
    assert [one.wait_s(LIMIT, "anna") > 0 for _ in range(5)] == [*[False] * 3, *[True] * 2]
    assert other.wait_s(LIMIT, "anna") == 0, "the other process has its own count"
    assert not one.answers()
    with redis_running(port, tmp_path):
        assert [rates.wait_s(LIMIT, "anna") > 0 for rates in (one, other, one, other)] == [*[False] * 3, True]
        assert one.answers()
    assert other.wait_s(LIMIT, "anna") == 0, "the second call in the count of this process"
    said = capsys.readouterr().err
    assert said.count("this process counts by itself") == 3, "once for each process, and once after the restart"


def test_redis_is_not_asked_during_the_pause_after_a_failure() -> None:
    pytest.importorskip("redis")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rates = Rates(f"redis://127.0.0.1:{silent.getsockname()[1]}", rest_s=3_600)
        assert [rates.wait_s(LIMIT, "anna") > 0 for _ in range(4)] == [*[False] * 3, True]
        silent.settimeout(0)
        for _ in range(2):  # one call has asked, and asked once again
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
