"""Types of options whose values are numbers."""

from __future__ import annotations

import math
from typing import Any

import click

MOST_SECONDS = 86_400.0


class Number(click.FloatRange):
    """A number in a range. `nan` is in no range, but click's own check lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Fails if `value` is not a number or is outside the range."""
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return found


SECONDS = Number(0, MOST_SECONDS, min_open=True)
"""A duration above 0, of at most a day. A longer one is out of the range of timers."""
