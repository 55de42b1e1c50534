"""The correction of imported rows. Cities' open data has many faults, but a faulty row is still worth storing.

A row is refused only if it has no usable id, service or time of the opening, because a value would have to be
invented. All other faults are corrected, counted and reported. These are the rules. A figure in brackets is the
number of rows of New York, April to June 2026, to which the rule applies:

- A time without a zone is in the city's zone. If the time of the opening is unreadable or impossible, the row is
  refused. A closing or an update before 1980 or after tomorrow is dropped, because cities write 1900 and 2100 for
  "none". A closing or an update before the opening gets the time of the opening (170 closings, 10,765 updates).
  Most such updates have only a date, which is read as 00:00.
- In autumn, clocks repeat an hour. A closing or an update in this hour is read as a time in the second of the two
  hours, if a time in the first would be before the opening.
- An id that a spreadsheet shortened (`1.01E+11`) has lost digits. Its row is refused, because several requests
  would get the same id. An id, a code or a zipcode that ends in `.0` (`59000001.0`) is restored if it is exact.
- The status word of the source decides. An open request with a closing date stays open (4,223). The words of all
  known cities are understood in any case. If the word is missing or unknown, the request is closed if it has a
  closing date. Every word except a plain "open" or "closed" is also stored as detailed_status.
- The `updated_at` of a closed request is the closing time, even if there are later changes (A34).
- A time by which the request should be done is dropped if it is before the opening, or more than 20 years ahead.
- The point 0, 0 is dropped. A point with one coordinate, or out of range, is dropped too. If lat and long are
  interchanged, they are corrected. They are considered interchanged if only the interchanged point is in the city.
- Characters that XML cannot carry are removed from texts. Texts are cut at the limits of the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo

from open311.domain.imports import ImportedRequest, Mending, SourceRow
from open311.domain.places import Place
from open311.domain.requests import MAX_DESCRIPTION_CHARACTERS, Status
from open311.domain.text import clean_text
from open311.errors import Invalid, Problem
from schemas.values import LIMITS, NotAnInstant, parse_degrees, parse_instant

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""No 311 request is older than this."""
LEEWAY = timedelta(days=1)
REPEATED = timedelta(hours=1)
"""The time by which clocks are set back in autumn."""
FURTHEST_PROMISE = timedelta(days=20 * 366)
MAX_ID_CHARACTERS = 200
MAX_CODE_CHARACTERS = 300
MAX_LINE_CHARACTERS = 500

_WHOLE = re.compile(r"(?P<digits>[1-9]\d{0,14})[.,]0+", re.ASCII)
"""A whole number that a program wrote as a float. A float keeps 15 digits exactly. An id like `007.0` is text."""
_EXPONENT = re.compile(r"(?P<first>[1-9])[.,](?P<rest>\d{1,14})[eE]\+?(?P<power>\d{1,2})", re.ASCII)
"""A number with an exponent. If it has as many decimals as the exponent says, it has lost no digit."""
_SHORTENED = re.compile(r"\d([.,]\d+)?[eE]\+\d+|\d[.,]\d+[eE]\d+|[1-9]\d{15,}[.,]0+", re.ASCII)
"""A number that has lost digits, because a program wrote it with an exponent or with too many digits."""
_OPEN_WORDS = {
    *("open", "opened", "reopened", "new", "received", "acknowledged", "confirmed", "assigned", "referred"),
    *("pending", "hold", "on hold", "started", "processing", "in process", "in progress", "investigating"),
    *("planned", "scheduled", "action scheduled", "email sent", "unspecified", "submitted", "accepted"),
    *("initiated", "dispatched", "forwarded", "work in progress", "under review", "in review", "re opened"),
    *("not started", "awaiting response", "waiting", "deferred"),
}
_CLOSED_WORDS = {
    *("closed", "completed", "complete", "done", "resolved", "fixed", "processed", "archived"),
    *("canceled", "cancelled", "duplicate", "rejected", "invalid", "no further action", "not responsible"),
    *("unable to fix", "internal referral", "cancel", "close", "complt", "resol", "resolve", "dup", "duplicated"),
    *("void", "voided", "declined", "denied", "withdrawn", "finished", "solved", "to be deleted"),
}
_PLAIN_WORDS = {"", "open", "closed", "Open", "Closed", "OPEN", "CLOSED"}
_FIRST_WORDS = {"open", "closed", "completed", "canceled", "cancelled"}
"""Words that decide even if other words follow, as in `Open - Dup` and `Closed-Transferred`."""
_IN_BRACKETS = re.compile(r"\(([^()]*)\)")
_STRAY_BYTE = re.compile("[\udc80-\udcff]")
_LINE_END = re.compile(r"\r\n?")


def mend(row: SourceRow, *, zone: tzinfo, now: datetime, covers: Callable[[float, float], bool]) -> ImportedRequest:
    """The corrected row.

    zone    the city's time zone, for times that have none
    covers  a function that says whether a (long, lat) point lies in the city
    Raises Invalid, with all reasons, if the row must be refused.
    """
    case = _Case(row, zone, now, covers)
    try:
        return case.mended()
    except Invalid:
        raise Invalid.of(case.faults()) from None


class _Case:
    """A row during its correction, with the faults that have been corrected so far."""

    def __init__(self, row: SourceRow, zone: tzinfo, now: datetime, covers: Callable[[float, float], bool]) -> None:
        self._row = row
        self._zone = zone
        self._now = now
        self._covers = covers
        self._mendings = list(row.mended)
        self._is_outside = False

    def mended(self) -> ImportedRequest:
        """The row with every rule applied."""
        row = self._row
        requested_at = self._requested_at()
        mendings = len(self._mendings)
        updated_at = self._change(row.updated, requested_at, Mending.UPDATED_BEFORE_OPENED)
        is_dated = updated_at is not None and (updated_at > requested_at or len(self._mendings) == mendings)
        closed_at = self._change(row.closed, requested_at, Mending.CLOSED_BEFORE_OPENED)
        status = self._status(closed_at)
        closing = self._closing(status, closed_at, updated_at)
        last = max(requested_at, updated_at or requested_at, closed_at or requested_at)
        return ImportedRequest(
            position=row.position,
            service_request_id=self._id(),
            service_codes=self._codes(),
            service_name=self._line(row.service_name),
            by_name=row.by_name,
            status=status,
            detailed_status=self._source_status(),
            status_notes=self._text(row.status_notes, MAX_DESCRIPTION_CHARACTERS),
            description=self._text(row.description, MAX_DESCRIPTION_CHARACTERS),
            agency=self._line(row.agency),
            agency_code=row.agency_code.strip(),
            service_notice=self._text(row.service_notice, MAX_DESCRIPTION_CHARACTERS),
            requested_at=requested_at,
            updated_at=(closing or requested_at) if status is Status.CLOSED else last,
            changed_at=last,
            is_dated=is_dated,
            has_closing=closed_at is not None,
            expected_at=self._expected_at(requested_at),
            place=self._place(),
            is_outside=self._is_outside,
            media=row.media,
            answers=row.answers,
            mended=tuple(dict.fromkeys(self._mendings)),
        )

    def faults(self) -> Iterator[Problem]:
        """Every reason why the row must be refused."""
        for read in (self._requested_at, self._id, self._codes):
            try:
                read()
            except Invalid as error:
                yield from error.problems

    # Id and service.

    def _id(self) -> str:
        found = self._row.service_request_id.strip()
        if not found:
            raise Invalid("is missing.", "service_request_id")
        if not found.isprintable() and (clean_text(found) != found or "\n" in found):
            raise Invalid("holds control characters.", "service_request_id")
        if not found.isalnum():
            found = self._undamaged(found)
        if len(found) > MAX_ID_CHARACTERS:
            raise Invalid(f"has {len(found)} characters; {MAX_ID_CHARACTERS} are allowed.", "service_request_id")
        return found

    def _undamaged(self, identifier: str) -> str:
        """The id without the damage from programs that treat it as a number. Raises Invalid if digits are lost."""
        whole = whole_number(identifier)
        if whole == identifier and _SHORTENED.fullmatch(identifier):
            reason = f"{identifier[:60]!r} is a number that lost digits in a spreadsheet or program"
            raise Invalid(f"{reason}; export the file again with the ids as text.", "service_request_id")
        return self._whole(identifier)

    def _codes(self) -> tuple[str, ...]:
        """The possible codes, cleaned but never cut. Without any code, the row must have a service_name."""
        codes = tuple([code for code in map(self._clean, self._row.service_codes) if code])
        whole = [whole_number(code) for code in codes if code[-1] == "0"]
        codes = tuple(dict.fromkeys((*codes, *whole))) if whole else codes
        if not codes and not self._row.service_name.strip():
            raise Invalid("is missing, and so is service_name.", "service_code")
        for code in codes:
            if len(code) > MAX_CODE_CHARACTERS:
                raise Invalid(f"has {len(code)} characters; {MAX_CODE_CHARACTERS} are allowed.", "service_code")
        return codes

    def _whole(self, text: str) -> str:
        """The text, restored if it is a whole number that a program wrote as a decimal number."""
        whole = whole_number(text)
        if whole != text:
            self._mendings.append(Mending.DAMAGED_NUMBER)
        return whole

    # Times and status.

    def _requested_at(self) -> datetime:
        text = self._row.requested.strip()
        if not text:
            raise Invalid("is missing.", "requested_datetime")
        try:
            found = parse_instant(text, self._zone)
        except NotAnInstant as error:
            raise Invalid(str(error), "requested_datetime") from None
        if not self._is_past(found):
            raise Invalid(
                f"{text[:60]!r} is impossible: the opening must not be before 1980 or in the future.",
                "requested_datetime",
            )
        return found

    def _change(self, text: str, requested_at: datetime, too_early: Mending) -> datetime | None:
        """The time of a later change; None if the text has no usable time."""
        found = self._instant(text)
        if found is None:
            return None
        if not self._is_past(found):
            self._mendings.append(Mending.IMPOSSIBLE_DATE)
            return None
        if found < requested_at:
            later = parse_instant(text, self._zone, fold=1) if requested_at - found <= REPEATED else found
            if later >= requested_at:
                self._mendings.append(Mending.REPEATED_HOUR)
                return later
            self._mendings.append(Mending.DAY_ONLY if self._is_day_of(found, requested_at) else too_early)
            return requested_at
        return found

    def _expected_at(self, requested_at: datetime) -> datetime | None:
        found = self._instant(self._row.expected)
        if found is not None and not requested_at <= found <= self._now + FURTHEST_PROMISE:
            self._mendings.append(Mending.IMPOSSIBLE_DATE)
            return None
        return found

    def _instant(self, text: str) -> datetime | None:
        if not text or text.isspace():
            return None
        try:
            return parse_instant(text, self._zone)
        except NotAnInstant:
            self._mendings.append(Mending.UNREADABLE_DATE)
            return None

    def _is_past(self, moment: datetime) -> bool:
        return EARLIEST <= moment <= self._now + LEEWAY

    def _is_day_of(self, moment: datetime, requested_at: datetime) -> bool:
        """Whether `moment` is the midnight before the opening. Then the source had only a date, without a time."""
        local = moment.astimezone(self._zone)
        return local.time() == time() and local.date() == requested_at.astimezone(self._zone).date()

    def _status(self, closed_at: datetime | None) -> Status:
        word = self._row.status
        status = _STATUSES[word] if word in _STATUSES else _status(word)
        if status is None:
            self._mendings.append(Mending.UNKNOWN_STATUS)
            return Status.CLOSED if closed_at else Status.OPEN
        if status is Status.OPEN and closed_at is not None:
            self._mendings.append(Mending.CLOSING_OF_OPEN)
        return status

    def _source_status(self) -> str:
        """The source's own word for the status; "" if it has the same meaning as the standard's word."""
        word = self._row.detailed_status or self._row.status
        if word in _PLAIN_WORDS:
            return ""
        found = self._line(word)
        return "" if found.lower() in _PLAIN_WORDS else found

    def _closing(self, status: Status, closed_at: datetime | None, updated_at: datetime | None) -> datetime | None:
        """The source's closing time, else the time of its last update; None if it has neither.

        GeoReport shows it as `updated_datetime` of a closed request (A34).
        """
        found = closed_at or updated_at
        if status is Status.CLOSED and found is None:
            self._mendings.append(Mending.CLOSED_UNDATED)
        return found

    # Place.

    def _place(self) -> Place:
        row, (lat, long) = self._row, self._point()
        return Place(
            lat=lat,
            long=long,
            address=self._line(row.address),
            address_id=self._line(row.address_id),
            zipcode=self._whole(self._line(row.zipcode)),
        )

    def _point(self) -> tuple[float, float] | tuple[None, None]:
        lat_text, long_text = self._row.lat.strip(), self._row.long.strip()
        if not lat_text and not long_text:
            return None, None
        lat, long = _degrees(lat_text), _degrees(long_text)
        if lat is None or long is None:
            return self._drop_point(Mending.BAD_POINT)
        if lat == 0 and long == 0:
            return self._drop_point(Mending.ZERO_POINT)
        if self._is_in_city(lat, long):
            return lat, long
        if self._is_in_city(long, lat):
            self._mendings.append(Mending.SWAPPED_POINT)
            return long, lat
        if not is_on_earth(lat, long):
            return self._drop_point(Mending.BAD_POINT)
        self._is_outside = True
        return lat, long

    def _is_in_city(self, lat: float, long: float) -> bool:
        return is_on_earth(lat, long) and self._covers(long, lat)

    def _drop_point(self, kind: Mending) -> tuple[None, None]:
        self._mendings.append(kind)
        return None, None

    # Texts.

    def _line(self, text: str) -> str:
        return self._text(text, MAX_LINE_CHARACTERS)

    def _text(self, text: str, limit: int) -> str:
        if not text:
            return ""
        found = self._clean(text)
        if len(found) <= limit:
            return found
        self._mendings.append(Mending.CUT_TEXT)
        return found[: limit - 1].rstrip() + "…"

    def _clean(self, text: str) -> str:
        """The text without surrounding blanks and control characters. Wrong bytes are read as Windows-1252."""
        if text.isprintable():
            return text.strip()
        found = text
        if _STRAY_BYTE.search(found):
            self._mendings.append(Mending.WRONG_ENCODING)
            found = _STRAY_BYTE.sub(_windows_letter, found)
        cleaned = clean_text(found)
        if cleaned != _LINE_END.sub("\n", found):
            self._mendings.append(Mending.CONTROL_CHARACTERS)
        return cleaned.strip()


def whole_number(text: str) -> str:
    """The text, or the whole number that a program wrote as a decimal number: `42` for `42.0` and `4.2e1`."""
    if text[-1:] == "0" and (whole := _WHOLE.fullmatch(text)):
        return whole["digits"]
    if ("e" in text or "E" in text) and (found := _EXPONENT.fullmatch(text)):
        return found["first"] + found["rest"] if len(found["rest"]) == int(found["power"]) else text
    return text


def _status(text: str) -> Status | None:
    """The meaning of a city's word for a status; None if the word is unknown."""
    word = " ".join(re.split(r"[\s_-]+", text.strip().lower()))
    inner = _IN_BRACKETS.search(word)  # `duplicate (open)`
    first = word.partition(" ")[0]
    return (
        _exact(word)
        or (_exact(inner[1].strip()) or _exact(_IN_BRACKETS.sub("", word).strip()) if inner else None)
        or (_exact(first) if first in _FIRST_WORDS else None)
    )


def _exact(word: str) -> Status | None:
    if word in _OPEN_WORDS:
        return Status.OPEN
    return Status.CLOSED if word in _CLOSED_WORDS else None


_STATUSES = {
    spelt: _status(word)
    for word in _OPEN_WORDS | _CLOSED_WORDS
    for spelt in (word, word.capitalize(), word.title())
}
"""The words in the spellings that most cities use. A lookup here is faster than `_status`."""


def _degrees(text: str) -> float | None:
    """A latitude or a longitude; None if the text is not a number. Both may have the range of a longitude."""
    try:
        return parse_degrees("long", text)
    except ValueError:
        return None


def is_on_earth(lat: float, long: float) -> bool:
    return abs(lat) <= LIMITS["lat"] and abs(long) <= LIMITS["long"]


def _windows_letter(stray: re.Match[str]) -> str:
    """A byte that Python kept as a surrogate (`surrogateescape`), read as Windows-1252."""
    return bytes([ord(stray[0]) - 0xDC00]).decode("cp1252", "replace")
