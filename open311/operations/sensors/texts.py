"""What requests and notes say about the observations of a sensor."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from open311.domain.sensors import Condition, Sensor, SensorRule, SensorTexts
from open311.plugins import Jurisdiction


def texts_of(
    city: Jurisdiction,
    sensor: Sensor,
    rule: SensorRule,
    which: Literal["description", "recovered"],
    condition: Condition,
    now: datetime,
) -> str:
    """A text of a rule in all languages in which the city has it, one below the other; "" if it has none.

    A request that a sensor makes has no language of its own, so all readers get all languages.
    """
    none = SensorTexts()
    translated = (
        getattr(city.translations[language].sensor_rules.get(rule.code, none), which)
        for language in city.languages[1:]
        if language in city.translations
    )
    values = {
        "result": _number(condition.result),
        "unit": sensor.unit,
        "thing": sensor.title,
        "address": sensor.address,
        "minutes": _minutes(condition, now),
    }
    texts = [text for text in (getattr(rule, which), *translated) if text]
    return "\n".join(text.format_map(values).strip() for text in texts)


def sentence(sensor: Sensor, condition: Condition, begin: str, *, has_worst: bool = False) -> str:
    """A sentence for staff: `begin` and the last result.

    The condition of a rule about silence has no result. Its sentence ends with "nothing" while the sensor is silent
    (`is_raised`), and with "again" when the sensor reports again.

    has_worst  whether the worst result follows, if it differs from the last one
    """
    if condition.result is None:
        return begin.rstrip(":") + (" nothing." if condition.phase.is_raised else " again.")
    unit = f" {sensor.unit}" if sensor.unit else ""
    worst = ""
    if has_worst and condition.worst is not None and condition.worst != condition.result:
        worst = f", the worst one {_number(condition.worst)}{unit}"
    return f"{begin} {_number(condition.result)}{unit}{worst}."


def _number(result: float | None) -> str:
    return "" if result is None else f"{result:.10g}"


def _minutes(condition: Condition, now: datetime) -> str:
    since = condition.since or now
    return str(max(0, int((now - since).total_seconds() // 60)))
