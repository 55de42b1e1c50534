"""The types of keys about time: hours, days of the week, days of the calendar, service levels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from marshmallow import ValidationError

from open311.domain.calendar import MINUTES_A_DAY, WEEKDAYS, Hours, public_holidays
from open311.domain.service_levels import FORMS, ServiceLevel, read_service_level
from open311.plugins.declared.keys import Key, Text, cut, shown

_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_SHORT = tuple(name[:3].lower() for name in WEEKDAYS)
_A_YEAR = 2024
"""A leap year, and a year for which every country has its holidays."""


class _Written(Key):
    """A string, or a list of strings, that is written in a certain form."""

    def _texts(self, value: Any) -> list[str]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self.misfit(value)
        return texts


class Spans(_Written):
    """Parts of the day."""

    kind = 'hours such as "22:00-06:00", or a list of them'

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[Hours, ...]:
        return tuple(map(_span, self._texts(value)))


class Weekdays(_Written):
    """Days of the week, as numbers; Monday is 0."""

    kind = 'days such as "sat" or "mon-fri", or a list of them'

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[int, ...]:
        return tuple(sorted({number for text in self._texts(value) for number in _weekdays(text)}))


class OfficeHours(Key):
    """The hours of work on each day of the week."""

    kind = 'a table of hours by days, such as { "mon-thu" = "08:00-16:00", fri = "08:00-15:00" }'

    @property
    def type(self) -> str:
        """The short name of the type."""
        return "table of hours by days"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[tuple[Hours, ...], ...]:
        if not isinstance(value, dict):
            raise self.misfit(value)
        week: dict[int, tuple[Hours, ...]] = {}
        for days, written in value.items():
            hours = _office_hours(days, written)
            for number in _weekdays(days):
                if number in week:
                    raise ValidationError(f"must not name {WEEKDAYS[number]} twice.")
                week[number] = hours
        if not any(week.values()):
            raise ValidationError("must have hours for at least one day.")
        return tuple(week.get(number, ()) for number in range(len(WEEKDAYS)))


class Days(Key):
    """Days of the calendar, of one year or of every year."""

    kind = 'a list of days such as "2026-12-24", or "12-24" for every year'

    @property
    def type(self) -> str:
        """The short name of the type."""
        return "list of days"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.misfit(value)
        return tuple(map(self._day, value))

    def _day(self, value: Any) -> str:
        text = value.isoformat() if type(value) is date else value
        if isinstance(text, str):
            year = f"{_A_YEAR}-" if re.fullmatch(r"\d\d-\d\d", text) else ""
            try:
                if date.fromisoformat(f"{year}{text}").isoformat() == f"{year}{text}":
                    return text
            except ValueError:
                pass
        raise ValidationError(f'must hold days such as "2026-12-24" or "12-24", not {shown(value)}.')


class OneDay(Key):
    """A day of one year."""

    kind = 'a day such as "2026-12-24"'

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> date:
        text = value.isoformat() if type(value) is date else value
        try:
            if isinstance(text, str) and date.fromisoformat(text).isoformat() == text:
                return date.fromisoformat(text)
        except ValueError:
            pass
        raise self.misfit(value)


class Holidays(Text):
    """The code of a country, or of a part of a country, with known public holidays."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The code, if the library of holidays knows it."""
        code = super().deserialize(value, attr, data, **kwargs)
        try:
            if code:
                public_holidays(code, _A_YEAR)
        except ValueError:
            raise ValidationError(
                'must be a code of ISO 3166 such as "FI" or "US-NY" that the library `holidays` knows,'
                f" not {cut(code)!r}."
            ) from None
        return code


class Level(Key):
    """A service level, in the city's words."""

    kind = "a service level"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> ServiceLevel:
        if not isinstance(value, str):
            raise ValidationError(f"must be written like {FORMS}, not {shown(value)}.")
        try:
            return read_service_level(value)
        except ValueError as error:
            raise ValidationError(f"{error}, not {shown(value)}.") from None


def _span(text: str) -> Hours:
    match = _HOURS.fullmatch(text.strip())
    if match is not None:
        start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
        start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
        if max(start_minute, end_minute) < 60 and start < MINUTES_A_DAY and end <= MINUTES_A_DAY and start != end:
            return Hours(start, end)
    raise ValidationError(f'must be hours such as "22:00-06:00", not {shown(text)}.')


def _office_hours(days: str, written: Any) -> tuple[Hours, ...]:
    texts = [written] if isinstance(written, str) else written
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValidationError(f'must have hours such as "08:00-16:00" for {cut(days)}, not {shown(written)}.')
    spans = tuple(map(_span, texts))
    ends = [minute for hours in spans for minute in (hours.start, hours.end)]
    if ends != sorted(set(ends)):
        raise ValidationError(f"must have hours for {cut(days)} that follow each other and end by midnight.")
    return spans


def _weekdays(text: str) -> Iterator[int]:
    """The days of a text such as `sat` or `mon-fri`. The text `fri-mon` means Friday to Monday."""
    names = [part.strip().lower() for part in re.split("[-–]", text)]
    known = [_number(name) for name in names]
    if len(known) > 2 or None in known:
        raise ValidationError(f'must name days such as "sat" or "mon-fri", not {shown(text)}.')
    first, last = known[0] or 0, known[-1] or 0
    yield from ((first + step) % len(WEEKDAYS) for step in range((last - first) % len(WEEKDAYS) + 1))


def _number(name: str) -> int | None:
    full = next((day.lower() for day in WEEKDAYS if day.lower() == name), "")
    return _SHORT.index(full[:3] or name) if full or name in _SHORT else None
