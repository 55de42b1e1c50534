"""Waiting for what another process does, without guessing how long that takes."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import Any

DEADLINE_S = 60.0
PAUSE_S = 0.05


def until(probe: Callable[[], Any], what: str) -> Any:
    """The probe's first true answer, within a generous deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        with selectors.DefaultSelector() as nothing:
            nothing.select(PAUSE_S)
    raise AssertionError(f"waited in vain for {what}")
