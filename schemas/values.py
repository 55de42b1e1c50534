"""How single values are written on the wire: instants, degrees and text (A11, A26, A27, A38, A64).

The only grammar of them: bodies, parameters, imports and cities' files all read and write by it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from math import isfinite

_INSTANT = re.compile(
    r"""(?P<date>\d{4}-\d{2}-\d{2})
        (?:[Tt\ ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?
        \s*(?P<zone>[Zz]|(?:[+-]|(?<=\s))\d{2}:?\d{2})?)?""",
    re.VERBOSE | re.ASCII,
)

FORM = "send it as 2026-03-01T09:30:00Z or with an offset such as -05:00"


class NotAnInstant(ValueError):
    """The text is not a date or time of any form that is read; says so in a sentence for the public."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:60]!r} is not a date and time; {FORM}.")


def parse_instant(text: str, zone: tzinfo, *, end_of_day: bool = False) -> datetime:
    """The instant that `text` means, in UTC and whole seconds.

    text        W3C datetime; also without seconds, with a fraction (cut), a lower-case t or z, a blank for
                T, an offset without colon, or an unescaped "+" that arrived as a blank
    zone        stands in where the text names none; a date alone means the day in this zone
    end_of_day  a date alone means its last second instead of its first
    Raises NotAnInstant.
    """
    if len(text) in (19, 20):
        usual = _usual_instant(text, zone)
        if usual is not None:
            return usual
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise NotAnInstant(text)
    try:
        day = date.fromisoformat(match["date"])
        if match["hour"] is None:
            moment = time(23, 59, 59) if end_of_day else time()
            return datetime.combine(day, moment, zone).astimezone(UTC)
        second = min(int(match["second"] or 0), 59) if match["second"] == "60" else int(match["second"] or 0)
        moment = time(int(match["hour"]), int(match["minute"]), second)
        offset = _offset(match["zone"]) if match["zone"] else zone
        return datetime.combine(day, moment, offset).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAnInstant(text) from error


@lru_cache(maxsize=8_192)
def _usual_instant(text: str, zone: tzinfo) -> datetime | None:
    """`2026-03-01T09:30:00`, with Z or without, at a third of the cost; None for any other form.

    Rows often name one moment twice: what closed them also was their last change.
    """
    if not (text[4] == text[7] == "-" and text[13] == text[16] == ":" and text[10] in "Tt " and text[19:] in "Zz"):
        return None
    try:
        moment = datetime.fromisoformat(text[:19])
        return moment.replace(tzinfo=zone).astimezone(UTC) if len(text) == 19 else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+- ").replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > 59:
        raise NotAnInstant(text)
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def format_instant(instant: datetime) -> str:
    """`2026-03-01T09:30:00Z`: UTC, no fraction, the form that every known client reads (A27)."""
    in_utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return in_utc.isoformat()[:19] + "Z"


_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
LIMITS = {"lat": 90.0, "long": 180.0}
"""The largest latitude and longitude, degrees; the smallest have a minus sign."""


def parse_degrees(name: str, text: str) -> float:
    """The decimal degrees in `text`; ValueError with a public sentence if it is none or out of range.

    name  lat or long
    """
    limit = LIMITS[name]
    if not _DECIMAL.fullmatch(text) or len(text) > 40:
        raise ValueError(f"{text[:40]!r} is not a number; send decimal degrees with a point, such as 41.8781.")
    degrees = float(text)
    if not isfinite(degrees) or abs(degrees) > limit:
        raise ValueError(f"{text[:40]} is outside -{limit:g}..{limit:g}; send WGS 84 degrees.")
    return degrees


# What XML 1.0 cannot carry, lone surrogates and the two non-characters among it.
_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile(r"\r\n?")


def clean_text(text: str) -> str:
    """The text without what XML 1.0 forbids, with line ends as LF: safe in JSON and XML alike."""
    if text.isprintable():  # nothing that XML forbids is, and no line end
        return text
    return _UNPRINTABLE.sub("", _LINE_END.sub("\n", text))


def stripped(text: str) -> str:
    """Cleaned, and without blanks around it."""
    return clean_text(text).strip()
