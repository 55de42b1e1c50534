"""Makes values of plain data. Reads every dialect, and notes each `DialectPoint` that occurs in the data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from open311.federation.bodies import Format
from open311.federation.dialects import Dialect, DialectPoint, Seen
from open311.federation.failures import Problem, Unreadable
from open311.federation.values import (
    Attribute,
    AttributeValue,
    Discovery,
    Endpoint,
    Plain,
    Receipt,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
    Token,
    UnreadRecord,
    UpdateReceipt,
)

Value = TypeVar("Value")
Record = Mapping[str, Plain]

_WRAPPERS = (
    "service_requests",
    "requests",
    "services",
    "service_request_updates",
    "request_updates",
    "tokens",
    "data",
)
_MOST_WRAPPERS = 3
_FORBIDDEN = re.compile(r"[\0\ud800-\udfff]")
"""Characters that PostgreSQL cannot store and XML cannot have. Broken servers send them."""
_CONTROLS = re.compile(r"[\0-\x1f\x7f-\x9f\ud800-\udfff]")
_RESERVED = re.compile(r"[^A-Za-z0-9._~-]")
_LOOSE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:(?P<sign>[T ])(?P<time>\d\d:\d\d(?::\d\d)?)(?P<fraction>[.,]\d{1,9})?"
    r"\s?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE | re.ASCII,
)
_OWN: dict[type, frozenset[str]] = {
    Service: frozenset({"service_code"}),
    ServiceRequest: frozenset({"service_request_id", "token"}),
    Receipt: frozenset({"service_request_id", "token", "service_notice"}),
    Token: frozenset({"token"}),
    RequestUpdate: frozenset({"update_id", "service_request_id"}),
    UpdateReceipt: frozenset({"update_id"}),
}
"""The members by which a record of a list is recognised."""


class _Unread(Exception):
    """A value that cannot be read."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the bodies of one answer."""

    format: Format
    dialect: Dialect
    seen: Seen

    def records(self, kind: type, body: Plain) -> list[Plain]:
        """The records of a list, also if objects are around it. Raises Unreadable if there is no list."""
        if body is None or body == "":
            if self.format == "json":
                self.seen.note(DialectPoint.EMPTY_BODY)
            return []
        found = body
        for _ in range(_MOST_WRAPPERS):
            found = self._unwrapped(kind, found) if isinstance(found, dict) else found
        if not isinstance(found, list):
            raise Unreadable(f"the answer has no list of records, but {_kind(body)}")
        return found

    def values(
        self, kind: type[Value], body: Plain, given: Record | None = None, *, needs_one: bool = True
    ) -> tuple[list[Value], list[UnreadRecord]]:
        """The values of a list, and the records that cannot be read.

        needs_one  raise Unreadable if the list has records but none of them can be read, because it is then
                   probably a list of something else
        """
        read: list[Value] = []
        unread: list[UnreadRecord] = []
        for record in self.records(kind, body):
            try:
                read.append(self._listed(kind, record, given or {}))
            except Unreadable as error:
                unread.append(UnreadRecord(kind.__name__, str(error), record))
        if needs_one and unread and not read:
            raise Unreadable(f"no record of the list can be read: {unread[0].reason}")
        return read, unread

    def _listed(self, kind: type[Value], record: Plain, given: Record) -> Value:
        if not isinstance(record, dict):
            raise Unreadable(f"a record of the list is {_kind(record)}, not an object")
        value = self.value(kind, {**given, **record})
        if isinstance(value, ServiceRequest) and not value.service_request_id and not value.token:
            raise Unreadable("a ServiceRequest has neither service_request_id nor token that can be read")
        return value

    def _unwrapped(self, kind: type, body: dict[str, Plain]) -> Plain:
        if body.keys() & _OWN[kind]:
            self.seen.note(DialectPoint.SINGLE_RECORD)
            return [body]
        names = [name for name in _WRAPPERS if name in body] or [
            name for name, value in body.items() if isinstance(value, list) or len(body) == 1
        ]
        if body and len(names) != 1:
            return body
        self.seen.note(DialectPoint.WRAPPED_LIST)
        found = body[names[0]] if names else []
        return [] if found is None or found == "" else found

    def one(self, kind: type, body: Plain, own: str) -> Record:
        """The object of a body that is no list. Raises Unreadable if there is no object.

        own  a member by which the object is recognised
        """
        if isinstance(body, list) and len(body) == 1:
            self.seen.note(DialectPoint.WRAPPED_LIST)
            [body] = body
        if isinstance(body, dict) and own not in body and len(body) == 1:
            [inner] = body.values()
            if isinstance(inner, dict):
                self.seen.note(DialectPoint.WRAPPED_LIST)
                body = inner
        if not isinstance(body, dict):
            raise Unreadable(f"the answer has no {kind.__name__}, but {_kind(body)}")
        return body

    def value(self, kind: type[Value], record: Record) -> Value:
        """The value of a record. Raises Unreadable if it lacks the member that identifies it."""
        given: dict[str, Any] = {}
        unread: dict[str, Plain] = {}
        known = {each.name: each for each in fields(kind) if each.name not in ("extra", "unread")}  # type: ignore[arg-type]
        for name in known.keys() & record.keys():
            plain = record[name]
            try:
                if plain is not None:
                    given[name] = self._member(kind, name, plain)
            except _Unread:
                unread[name] = plain
                self.seen.note(DialectPoint.UNREAD_VALUE)
        for name, each in known.items():
            if each.default is MISSING and each.default_factory is MISSING and not given.get(name):
                raise Unreadable(f"a {kind.__name__} has no {name} that can be read")
        self._place(given, unread, record)
        extra = {name: plain for name, plain in record.items() if name not in known}
        return kind(**given | {"extra": extra, "unread": unread})

    def _member(self, kind: type, name: str, plain: Plain) -> Any:
        if (kind, name) in _PARTS:
            return tuple(self.value(_PARTS[kind, name], each) for each in _objects(plain))
        return _READERS.get(name, Reader._text)(self, plain)

    def _place(self, given: dict[str, Any], unread: dict[str, Plain], record: Record) -> None:
        """Keep the place only if both numbers are there, in range, and not 0, 0."""
        if "lat" not in given and "long" not in given:
            return
        lat, long = given.pop("lat", None), given.pop("long", None)
        if lat == long == 0:
            self.seen.note(DialectPoint.POINT_ZERO)
        elif lat is not None and long is not None and abs(lat) <= 90 and abs(long) <= 180:
            given.update(lat=lat, long=long)
        else:
            unread.update({name: record[name] for name in ("lat", "long") if record.get(name) is not None})
            self.seen.note(DialectPoint.UNREAD_VALUE)

    def _text(self, plain: Plain) -> str:
        if isinstance(plain, str):
            return _FORBIDDEN.sub("\ufffd", plain)
        if isinstance(plain, bool):
            return str(plain).lower()
        if isinstance(plain, (int, float)):
            return _digits(plain)
        raise _Unread

    def _code(self, plain: Plain) -> str:
        if isinstance(plain, (int, float)):
            self.seen.note(DialectPoint.NUMBER_FOR_TEXT)
        code = (plain if isinstance(plain, str) else self._text(plain)).strip()
        if _CONTROLS.search(code):
            raise _Unread
        if _RESERVED.search(code):
            self.seen.note(DialectPoint.RESERVED_IN_CODE)
        return code

    def _status(self, plain: Plain) -> str:
        sent = self._text(plain).strip()
        if sent != sent.lower():
            self.seen.note(DialectPoint.STATUS_IN_CAPITALS)
        return sent.lower()

    def _number(self, plain: Plain) -> float | None:
        if isinstance(plain, str):
            if not plain.strip():
                return None
            self._note_json(DialectPoint.NUMBER_AS_TEXT)
        if isinstance(plain, bool) or not isinstance(plain, (str, int, float)):
            raise _Unread
        try:
            number = float(plain)
        except (ValueError, OverflowError):
            raise _Unread from None
        if not math.isfinite(number):
            raise _Unread
        return number

    def _integer(self, plain: Plain) -> int | None:
        number = self._number(plain)
        if number is not None and not number.is_integer():
            raise _Unread
        return None if number is None else int(number)

    def _boolean(self, plain: Plain) -> bool:
        if isinstance(plain, bool):
            return plain
        flag = {"true": True, "1": True, "false": False, "0": False, "": False}.get(
            self._text(plain).strip().lower()
        )
        if flag is None:
            raise _Unread
        self._note_json(DialectPoint.BOOLEAN_AS_TEXT)
        return flag

    def _instant(self, plain: Plain) -> datetime | None:
        """A time in UTC, in whole seconds; None for a blank text."""
        if isinstance(plain, str) and not plain.strip():
            return None
        match = _LOOSE.fullmatch(plain.strip()) if isinstance(plain, str) else None
        if match is None:
            raise _Unread
        try:
            return self._moment(match)
        except (ValueError, OverflowError):
            raise _Unread from None

    def _moment(self, match: re.Match[str]) -> datetime:
        zone = match["zone"] or ""
        offset = "+00:00" if zone.upper() in ("Z", "UTC", "GMT") else zone
        moment = datetime.fromisoformat(f"{match['day']}T{match['time'] or '00:00'}{offset}")
        points = {
            DialectPoint.TIME_WITHOUT_ZONE: not zone,
            DialectPoint.TIME_WITH_FRACTION: match["fraction"],
            DialectPoint.TIME_WITH_SPACE: match["sign"] == " ",
        }
        read = (moment if zone else moment.replace(tzinfo=self.dialect.zone)).astimezone(UTC)
        self.seen.note(*(point for point, is_shown in points.items() if is_shown))
        return read

    def _words(self, plain: Plain) -> tuple[str, ...]:
        """Words in one text, joined by commas as the standard requires, or in a list."""
        parts = plain if isinstance(plain, list) else self._text(plain).split(",")
        return tuple(word for word in (self._text(part).strip() for part in parts) if word)

    def _addresses(self, plain: Plain) -> tuple[str, ...]:
        found = plain if isinstance(plain, list) else [plain]
        if len(found) > 1:
            self.seen.note(DialectPoint.SEVERAL_MEDIA)
        return tuple(url for url in (self._text(each).strip() for each in found) if url)

    def _note_json(self, point: DialectPoint) -> None:
        if self.format == "json":
            self.seen.note(point)


_PARTS: dict[tuple[type, str], type[Any]] = {
    (Discovery, "endpoints"): Endpoint,
    (ServiceDefinition, "attributes"): Attribute,
    (Attribute, "values"): AttributeValue,
}
_READERS: dict[str, Callable[[Reader, Plain], Any]] = {
    **dict.fromkeys(("service_code", "service_request_id", "token", "update_id", "code", "key"), Reader._code),
    **dict.fromkeys(("requested_datetime", "updated_datetime", "expected_datetime"), Reader._instant),
    **dict.fromkeys(("metadata", "variable", "required"), Reader._boolean),
    **dict.fromkeys(("lat", "long"), Reader._number),
    **dict.fromkeys(("keywords", "formats"), Reader._words),
    "order": Reader._integer,
    "status": Reader._status,
    "media_url": Reader._addresses,
}


def problems_of(body: Plain) -> tuple[Problem, ...]:
    """The errors in a body; none if it has no errors."""
    if isinstance(body, dict):
        body = body.get("errors", [body])
        body = [body] if isinstance(body, dict) else body
    if not isinstance(body, list) or not body:
        return ()
    if not all(isinstance(each, dict) and "description" in each and each.keys() <= _ERROR for each in body):
        return ()
    return tuple(
        Problem(_cut_text(each.get("code")), _cut_text(each["description"])) for each in body[:_MOST_PROBLEMS]
    )


_ERROR = frozenset({"code", "description"})
_MOST_PROBLEMS = 20
_MOST_CHARACTERS = 500


def _cut_text(plain: Plain) -> str:
    return "" if plain is None else str(plain)[:_MOST_CHARACTERS].strip()


def _objects(plain: Plain) -> list[Record]:
    """The objects of a list. The list may be inside another object, be a single object, or be empty."""
    if isinstance(plain, str) and not plain.strip():
        return []
    if isinstance(plain, dict):
        values = list(plain.values())
        plain = values[0] if len(values) == 1 and isinstance(values[0], (list, dict)) else [plain]
        plain = [plain] if isinstance(plain, dict) else plain
    if not isinstance(plain, list) or not all(isinstance(each, dict) for each in plain):
        raise _Unread
    return plain


def _digits(number: float) -> str:
    """A number as text. A whole number has no decimal point: 42.0 is `42`."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    try:
        return str(number)
    except ValueError:  # Python writes no integer of more than 4300 digits
        raise _Unread from None


def _kind(plain: Plain) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(plain), "a number")
