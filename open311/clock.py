"""The only reader of the wall clock, so that tests and jobs can pass any other instant."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """This instant in UTC, cut to whole seconds, as the API writes it (A27)."""
    return datetime.now(UTC).replace(microsecond=0)


def exact_now() -> datetime:
    """This instant in UTC with its fraction of a second, for logs."""
    return datetime.now(UTC)
