"""Rewrites the dates of spreadsheets and open data as ISO 8601, which `schemas.values` can read.

`3/4/2026` has two meanings. Other dates in the file may show which one is right (`order_shown`). If no date shows
it, the column map decides.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

_TIME = r"""
    (?:(?:\s*,\s*|\s+|T)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?
    \s*(?:(?P<half>[AP])\.?M\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"""
_FLAGS = re.VERBOSE | re.IGNORECASE | re.ASCII
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})(?P<sign>[-/.])(?P<month>\d{{1,2}})(?P=sign)(?P<day>\d{{1,2}}){_TIME}", _FLAGS
)
_YEAR_LAST = re.compile(
    rf"(?P<one>\d{{1,2}})(?P<sign>[-/.])(?P<two>\d{{1,2}})(?P=sign)(?P<year>\d{{4}}|\d{{2}}){_TIME}", _FLAGS
)
_NAMED = re.compile(
    rf"""(?:[a-z]{{3,9}},?\s+)?
    (?:(?P<day>\d{{1,2}})[-\s](?P<month>[a-z]{{3,9}})\.?[-\s,]+|(?P<name>[a-z]{{3,9}})\.?\s(?P<number>\d{{1,2}}),?\s+)
    (?P<year>\d{{4}}|\d{{2}}){_TIME}""",
    _FLAGS,
)
_NUMERAL = re.compile(
    r"/Date\((?P<stamp>\d{10,13})\)/|(?P<milliseconds>\d{13})(\.0+)?|(?P<seconds>\d{10})(\.0+)?"
    r"|(?P<days>[2-7]\d{4}([.,]\d+)?)",
    re.ASCII,
)
_AMERICAN = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (0[1-9]|1[0-2])(:\d\d:\d\d) ([AP])M", re.ASCII)
_AMERICAN_CHARACTERS = len("04/18/2019 09:55:45 PM")
_HOURS = {
    (f"{hour:02}", half): f"{hour % 12 + later:02}"
    for hour in range(1, 13)
    for half, later in (("A", 0), ("P", 12))
}
_MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTHS = {spelt: month for month, name in enumerate(_MONTH_NAMES, start=1) for spelt in (name, name[:3])}
_MONTHS["sept"] = 9
_SPREADSHEET_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # spreadsheets have local times
_LAST_CENTURY = 80
"""Two-digit years from 80 to 99 are in the 20th century, all others in the 21st. No 311 request is older."""


class Order(StrEnum):
    """Whether the day or the month comes first in `3/4/2026`. The values are the words used in column maps."""

    MONTH_FIRST = "month first"
    DAY_FIRST = "day first"


class Shown(StrEnum):
    """What a date shows about the order of day and month in its file."""

    NOTHING = "nothing"
    MONTH_FIRST = "month first"
    DAY_FIRST = "day first"
    EITHER = "either"
    SHORT_YEAR = "short year"


def order_shown(text: str) -> Shown:
    """What a date shows about the order in which its file writes day and month."""
    match = _YEAR_LAST.fullmatch(text.strip())
    if match is None or match["sign"] == ".":
        return Shown.NOTHING
    if len(match["year"]) == 2:
        return Shown.SHORT_YEAR
    one, two = int(match["one"]), int(match["two"])
    if max(one, two) <= 12:
        return Shown.NOTHING if one == two else Shown.EITHER
    if min(one, two) > 12:
        return Shown.NOTHING
    return Shown.DAY_FIRST if one > 12 else Shown.MONTH_FIRST


def iso_instant(text: str, order: Order = Order.MONTH_FIRST) -> str:
    """A date and time as ISO 8601. Returns a text unchanged if it is ISO 8601 already or has no known form.

    Known forms: `04/18/2019 09:55:45 PM`, `9/1/2026 8:00`, `01.09.2026`, `2026/09/01 12:00:00+00`, `1-Sep-2026`,
    `Sep 1, 2026`, the day number of a spreadsheet (`46266.5`), and seconds or milliseconds since 1970, also as
    `/Date(1788220800000)/`.
    """
    if text[4:8:3] == "--" and text[12:13] != ":" and text[-1] not in "Mm.":
        return text
    usual = _american(text) if order is Order.MONTH_FIRST and len(text) == _AMERICAN_CHARACTERS else ""
    return usual or _rewritten(text.strip(), order) or text


@lru_cache(maxsize=8_192)
def _american(text: str) -> str:
    """The usual American form as ISO 8601; "" for other texts. Cached: many rows have the same time twice."""
    usual = _AMERICAN.fullmatch(text)
    if usual is None:
        return ""
    month, day, year, hour, rest, half = usual.groups()
    return f"{year}-{month}-{day}T{_HOURS[hour, half]}{rest}"


def _rewritten(text: str, order: Order) -> str:
    match = _YEAR_FIRST.fullmatch(text)
    if match is not None:
        return _iso(match["year"], match["month"], match["day"], match)
    match = _YEAR_LAST.fullmatch(text)
    if match is not None:
        is_day_first = match["sign"] == "." or order is Order.DAY_FIRST
        day, month = (match["one"], match["two"]) if is_day_first else (match["two"], match["one"])
        return _iso(match["year"], month, day, match)
    match = _NAMED.fullmatch(text)
    if match is not None:
        month = str(_MONTHS.get((match["month"] or match["name"]).lower(), ""))
        return _iso(match["year"], month, match["day"] or match["number"], match) if month else ""
    return _counted(text)


def _iso(year: str, month: str, day: str, time: re.Match[str]) -> str:
    if len(year) == 2:
        year = f"{19 if int(year) >= _LAST_CENTURY else 20}{year}"
    date = f"{year}-{month:0>2}-{day:0>2}"
    if time["hour"] is None:
        return date
    hour = int(time["hour"])
    if time["half"]:
        hour = hour % 12 + (12 if time["half"].upper() == "P" else 0)
    return f"{date}T{hour:02}:{time['minute']}:{time['second'] or '00'}{time['zone'] or ''}"


def _counted(text: str) -> str:
    """The instant that is given as a number of days, seconds or milliseconds; "" for other texts."""
    match = _NUMERAL.fullmatch(text)
    if match is None:
        return ""
    if match["days"]:
        days = float(match["days"].replace(",", "."))
        return (_SPREADSHEET_EPOCH + timedelta(seconds=round(days * 86_400))).isoformat()
    stamp = match["stamp"] or match["milliseconds"] or match["seconds"]
    seconds = int(stamp) // (1_000 if len(stamp) > 10 else 1)
    return datetime.fromtimestamp(seconds, UTC).isoformat()
