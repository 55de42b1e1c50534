"""The forms of instants, degrees and texts on the wire (A11, A26, A27, A38, A64).

Bodies, parameters, imports and cities' files all use these functions, so that all accept the same forms.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from math import isfinite

import orjson

from schemas.texts import tell

_INSTANT = re.compile(
    r"""(?P<date>\d{4}-\d{2}-\d{2})
        (?:[Tt\ ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?
        \s*(?P<zone>Z|UTC|GMT|(?:[+-]|(?<=\s))\d{2}(?::?\d{2})?)?)?""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)

FORM = tell("send it as 2026-03-01T09:30:00Z or with an offset such as -05:00")


class NotAnInstant(ValueError):
    """The text is not a date or time in a known form. The error's text is a sentence for the public."""

    def __init__(self, text: str) -> None:
        super().__init__(tell("{value!r} is not a date and time; {form}.", value=text[:60], form=FORM))


def parse_instant(text: str, zone: tzinfo, *, end_of_day: bool = False, fold: int = 0) -> datetime:
    """The instant that `text` means, in UTC and whole seconds.

    text        a W3C datetime. Also accepted: no seconds, a fraction of a second (which is cut), a lower-case t or
                z, a blank instead of T, UTC or GMT instead of Z, an offset without a colon or without minutes, and
                an unescaped "+" that arrived as a blank
    zone        the time zone if the text has none; a date without a time is a day in this zone
    end_of_day  whether a date without a time means its last second instead of its first
    fold        1 for the second meaning of a time that the zone's clocks show twice or skip (as in PEP 495)
    Raises NotAnInstant.
    """
    if len(text) in (19, 20) and not fold:
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
        return datetime.combine(day, moment.replace(fold=fold), offset).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAnInstant(text) from error


@lru_cache(maxsize=8_192)
def _usual_instant(text: str, zone: tzinfo) -> datetime | None:
    """Parse `2026-03-01T09:30:00`, with or without Z, much faster; None for any other form.

    The cache helps because many imported rows have the same time twice: as the closing and as the last change.
    """
    if not (text[4] == text[7] == "-" and text[13] == text[16] == ":" and text[10] in "Tt " and text[19:] in "Zz"):
        return None
    try:
        moment = datetime.fromisoformat(f"{text[:19]}+00:00")
        # `utcoffset` reads only the date and the time. `astimezone` has the same result, in four times the time.
        offset = zone.utcoffset(moment) if len(text) == 19 else None
        return moment - offset if offset else moment
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> tzinfo:
    if text.isalpha():
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+- ").replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 14 or minutes > 59:
        raise NotAnInstant(text)
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def format_instant(instant: datetime) -> str:
    """Write `2026-03-01T09:30:00Z`: UTC without a fraction, which every known client can read (A27)."""
    return _format_utc(instant if instant.tzinfo is UTC else instant.astimezone(UTC))


_UTC_FORM = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


@lru_cache(maxsize=8_192)
def _format_utc(instant: datetime) -> str:
    """Three times as fast as `isoformat`. The cache helps because a request has the same instants in each format.

    In a zone with DST, two instants can be equal for the cache, so only instants in UTC are looked up in it.
    """
    return orjson.dumps(instant, option=_UTC_FORM)[1:-1].decode()


_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
LIMITS = {"lat": 90.0, "long": 180.0}
"""The largest latitude and longitude, degrees. The smallest are the same with a minus sign."""


def parse_degrees(name: str, text: str) -> float:
    """Parse decimal degrees.

    name  lat or long
    text  may have an exponent: programs write `-3.8e-05` for a place near the Greenwich meridian
    Raises ValueError, with a sentence for the public, if the text is not a number or is out of range.
    """
    limit = LIMITS[name]
    if not _DECIMAL.fullmatch(text) or len(text) > 40:
        raise ValueError(
            tell("{value!r} is not a number; send decimal degrees with a point, such as 41.8781.", value=text[:40])
        )
    degrees = float(text)
    if not isfinite(degrees) or abs(degrees) > limit:
        raise ValueError(
            tell("{value} is outside -{limit:g}..{limit:g}; send WGS 84 degrees.", value=text[:40], limit=limit)
        )
    return degrees


# Characters that XML 1.0 cannot carry, including lone surrogates and the two non-characters.
_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile(r"\r\n?")


def clean_text(text: str) -> str:
    """The text without characters that XML 1.0 forbids, and with LF for line ends."""
    if text.isprintable():  # printable text has no line ends and no characters that XML forbids
        return text
    return _UNPRINTABLE.sub("", _LINE_END.sub("\n", text))


def stripped(text: str) -> str:
    """The cleaned text without surrounding blanks."""
    return clean_text(text).strip()
