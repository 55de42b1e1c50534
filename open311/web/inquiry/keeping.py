"""How long caches may keep an answer that changes at midnight in the city."""

from __future__ import annotations

from datetime import timedelta

from open311.domain.calendar import instant
from open311.web.calls import Call

LONGEST_S = 300


def kept_until_midnight(call: Call) -> str:
    """The value of Cache-Control: five minutes, but not past midnight, because articles expire at midnight."""
    city = call.city
    midnight = instant(city.day(call.now) + timedelta(days=1), 0, city.zone)
    return f"public, max-age={max(0, min(LONGEST_S, int((midnight - call.now).total_seconds())))}"
