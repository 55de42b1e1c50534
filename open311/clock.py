"""Reads the wall clock. Nearly all other code gets `now` as an argument, so that tests can choose it."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time_ns


def utc_now() -> datetime:
    """The present in UTC, in whole seconds, as the API writes it (A27)."""
    return datetime.fromtimestamp(time_ns() // 1_000_000_000, UTC)


def exact_now() -> datetime:
    """The present in UTC, with its fraction of a second, for logs."""
    return datetime.now(UTC)
