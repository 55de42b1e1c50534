"""Counts of calls and of reports, in this process or in Redis.

`Counters` is a storage for the library `limits`. It needs no thread to delete expired counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any, cast

from limits import RateLimitItem
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from open311.clock import exact_now, utc_now
from open311.observe import logger

log = logger(__name__)

SWEEP_EVERY = 1_000
TIMEOUT_S = 0.5
"""How long one try waits for the store, in seconds: once to connect, once for the answer. A call tries twice."""
REST_S = 5.0


class Counters(Storage):
    """A count for each key until it expires. Expired counts are deleted after every `SWEEP_EVERY` calls."""

    STORAGE_SCHEME = ["open311-memory"]  # noqa: RUF012  # the base class declares it as a list

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **_: str) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._calls = 0

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """The exceptions that this storage can raise: none."""
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to the count of a key. Returns the new count."""
        now = _now()
        with self._lock:
            count, ends_at = self._counts.get(key, (0, 0.0))
            if ends_at <= now:
                count, ends_at = 0, now + expiry
            self._counts[key] = count + amount, ends_at
            self._calls += 1
            if self._calls % SWEEP_EVERY == 0:
                self._counts = {one: kept for one, kept in self._counts.items() if kept[1] > now}
            return count + amount

    def get(self, key: str) -> int:
        """The count of a key; 0 if it has expired."""
        count, ends_at = self._counts.get(key, (0, 0.0))
        return count if ends_at > _now() else 0

    def get_expiry(self, key: str) -> float:
        """When the count of a key expires, in seconds since 1970."""
        return self._counts.get(key, (0, _now()))[1]

    def check(self) -> bool:
        """Whether the storage can be reached: always, because it is in memory."""
        return True

    def reset(self) -> int | None:
        """Delete all counts. Returns the number of keys."""
        with self._lock:
            dropped = len(self._counts)
            self._counts.clear()
            return dropped

    def clear(self, key: str) -> None:
        """Delete the count of a key."""
        with self._lock:
            self._counts.pop(key, None)


class Rates:
    """Counts how often somebody has done something, in the store of the setting `rate_storage`.

    While the store does not answer, this process counts by itself, and asks the store again from time to time.
    """

    def __init__(self, storage: str = "memory://", *, rest_s: float = REST_S) -> None:
        """`rest_s`: how long the store is not asked after a failure, in seconds. So only few calls wait for it."""
        self._storage = "" if storage.startswith("memory:") else storage
        self._rest_s = rest_s
        self._own = FixedWindowRateLimiter(Counters())
        self._shared: FixedWindowRateLimiter | None = None
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._is_failing = False

    @property
    def is_shared(self) -> bool:
        """Whether the counts are shared with other processes."""
        return bool(self._storage)

    def wait_s(self, rates: Iterable[RateLimitItem], *caller: str) -> int:
        """Count a call. Returns the seconds until the caller may call again; 0 if this call is allowed."""
        if self._storage and _now() >= self._rests_until:
            try:
                wait_s = _hit(self._shared_limiter(), rates, caller)
            except Exception as error:  # the packages for Redis have no common class of errors
                self._note_failure(error)
            else:
                self._note_answer()
                return wait_s
        return _hit(self._own, rates, caller)

    def answers(self) -> bool:
        """Whether the store of the counts answers. A store in memory always does."""
        if not self._storage:
            return True
        try:
            return self._shared_limiter().storage.check()
        except Exception:  # the caller tells the operator
            return False

    def _shared_limiter(self) -> FixedWindowRateLimiter:
        if self._shared is None:
            with self._lock:
                if self._shared is None:
                    self._shared = FixedWindowRateLimiter(_open(self._storage))
        return self._shared

    def _note_failure(self, error: Exception) -> None:
        self._rests_until = _now() + self._rest_s
        if not self._is_failing:
            self._is_failing = True
            log.error("OPEN311_RATE_STORAGE fails; this process counts by itself", cause=type(error).__name__)

    def _note_answer(self) -> None:
        if self._is_failing:
            self._is_failing = False
            log.warning("OPEN311_RATE_STORAGE answers again")


def _open(storage: str) -> Storage:
    """The store at an address of Redis. It answers quickly or fails, because calls wait for it."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    again_once: Any = Retry(NoBackoff(), 1)  # a kept connection may be of a Redis that has restarted
    opened = storage_from_string(
        storage, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=again_once
    )
    return cast("Storage", opened)


def _hit(limiter: FixedWindowRateLimiter, rates: Iterable[RateLimitItem], caller: Sequence[str]) -> int:
    """Count a call at each rate, up to the first that is exceeded.

    Returns the seconds until this rate allows a call again; 0 if no rate is exceeded.
    """
    for rate in rates:
        if not limiter.hit(rate, *caller):
            reset = limiter.get_window_stats(rate, *caller).reset_time
            return max(1, ceil(reset - utc_now().timestamp()))
    return 0


def _now() -> float:
    return exact_now().timestamp()
