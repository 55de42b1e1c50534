"""Reads the wall clock. Nearly all other code gets `now` as an argument, so that tests can choose it."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present in UTC, in whole seconds, as the API writes it (A27)."""
    return datetime.now(UTC).replace(microsecond=0)


def exact_now() -> datetime:
    """The present in UTC, with its fraction of a second, for logs."""
    return datetime.now(UTC)
