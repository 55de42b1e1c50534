"""Counts of calls and of reports, in this process or in Redis.

`Counters` is a storage for `limits` that needs no thread to delete expired counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from math import ceil

from limits import RateLimitItem
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from open311.clock import exact_now, utc_now
from open311.observe import logger

log = logger(__name__)

SWEEP_EVERY = 1_000


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
    """Counts how often somebody has done something, in the store of the setting `rate_storage`."""

    def __init__(self, storage: str = "memory://") -> None:
        self._storage = storage
        self._limiter: FixedWindowRateLimiter | None = None
        self._lock = threading.Lock()

    def wait_s(self, rates: Iterable[RateLimitItem], *caller: str) -> int:
        """Count a call. Returns the seconds until the caller may call again; 0 if this call is allowed.

        If the store of the counts fails, the call is allowed and not counted.
        """
        limiter = self._limiter_now()
        try:
            for rate in rates:
                if not limiter.hit(rate, *caller):
                    reset = limiter.get_window_stats(rate, *caller).reset_time
                    return max(1, ceil(reset - utc_now().timestamp()))
        except limiter.storage.base_exceptions as error:
            log.error("calls are not counted", cause=type(error).__name__)
        return 0

    def _limiter_now(self) -> FixedWindowRateLimiter:
        if self._limiter is None:
            with self._lock:
                if self._limiter is None:
                    is_local = self._storage.startswith("memory:")
                    self._limiter = FixedWindowRateLimiter(
                        Counters() if is_local else storage_from_string(self._storage)
                    )
        return self._limiter


def _now() -> float:
    return exact_now().timestamp()
