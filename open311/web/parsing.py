"""Reading a call's parameters: strictly UTF-8, from body and query, in every encoding clients use (A05 to A07)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast
from urllib.parse import parse_qsl

from flask import request
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from open311.domain.dates import NotAnInstant, instant_problem, parse_instant
from open311.domain.places import parse_degrees
from open311.domain.requests import Reporter, Status, Submission
from open311.domain.search import (
    MAX_IDS,
    MAX_ROWS,
    Box,
    Circle,
    RequestSearch,
    Sort,
    SpanPolicy,
    Window,
    requested_window,
)
from open311.domain.text import clean_text, stripped
from open311.errors import Invalid, Problem
from open311.plugins import Jurisdiction
from schemas import Arguments

MAX_FIELDS = 1_000
MAX_RADIUS_M = 50_000.0
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
ALIASES = {
    "deviceid": "device_id",
    "langcode": "locale",
    "per_page": "page_size",
    "limit": "page_size",
    "max_requests": "page_size",
    "order_by": "sort",
}
_ATTRIBUTE = re.compile(r"attribute\[(?P<code>.+?)\](?:\[\d*\])?", re.DOTALL)
_REPLACEMENT = "\ufffd".encode()

Parameters = MultiDict[str, str]


def query_parameters() -> Parameters:
    """The query's parameters. Invalid where they are not UTF-8."""
    return _pairs(request.query_string)


def form_parameters() -> Parameters:
    """Body and query together; where both have a name, the body's values count (A05).

    Raises UnsupportedMediaType for other bodies than forms (A06), Invalid for text that is not UTF-8.
    """
    body = _body_parameters()
    known = {_plain_name(name) for name in body}
    for name, values in query_parameters().lists():
        if _plain_name(name) not in known:
            body.setlist(name, values)
    return body


def _plain_name(name: str) -> str:
    """What a name stands for: `deviceid` for device_id, `attribute[X][]` for attribute[X]."""
    match = _ATTRIBUTE.fullmatch(name)
    return f"attribute[{match['code']}]" if match else ALIASES.get(name, name)


def _body_parameters() -> Parameters:
    media_type = request.mimetype
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if media_type and media_type not in FORM_TYPES:
        raise UnsupportedMediaType(f"{media_type} is not read here; send {FORM_TYPES[0]} or {FORM_TYPES[1]}.")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(f"charset {charset} is not read here; send UTF-8.")
    raw = request.get_data(cache=True)
    if request.content_length is None and len(raw) >= (request.max_content_length or len(raw) + 1):
        raise RequestEntityTooLarge  # Werkzeug cuts a chunked body at the limit and says nothing
    if media_type != FORM_TYPES[1]:
        return _pairs(raw)
    form = Parameters(request.form)
    if _REPLACEMENT not in raw and any("\ufffd" in text for pair in form.items(multi=True) for text in pair):
        raise Invalid("the body is not UTF-8; encode it so.")
    return form


def _pairs(raw: bytes) -> Parameters:
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise Invalid("the parameters are not UTF-8; encode them so.") from None
    except ValueError:
        raise Invalid(f"there are more than {MAX_FIELDS} parameters; send fewer.") from None
    return Parameters(pairs)


def read(schema: Arguments, parameters: Parameters) -> tuple[dict[str, str], list[Problem]]:
    """A schema's fields, stripped, "" where absent, and what is wrong with them. Lists come comma-joined."""
    raw: dict[str, str] = {}
    for name, values in parameters.lists():
        target = ALIASES.get(name, name)
        if target in schema.fields and (name == target or target not in parameters):
            raw[target] = values[0] if target not in LISTS else ",".join(values)
    try:
        loaded = schema.load({name: _strip(value) for name, value in raw.items()})
        return loaded, []
    except ValidationError as error:
        messages = cast("Mapping[str, Iterable[str]]", error.messages_dict)
        problems = [Problem(name, text) for name, texts in messages.items() for text in texts]
        return dict(error.valid_data or {}), problems


LISTS = frozenset({"service_request_id", "service_code", "status"})


def _strip(value: str) -> str:
    return value.strip()


def read_or_refuse(schema: Arguments, parameters: Parameters) -> dict[str, str]:
    """A schema's fields; Invalid with all that is wrong with them."""
    values, problems = read(schema, parameters)
    if problems:
        raise Invalid.of(problems)
    return values


def read_submission(schema: Arguments, parameters: Parameters) -> tuple[Submission, list[Problem]]:
    """A POST's fields, cleaned, and what is wrong with their text (A07, A17, A59)."""
    problems = [
        Problem(name[:60], "holds a NUL character; leave it out.")
        for name, values in parameters.lists()
        if any("\x00" in value for value in values) or "\x00" in name
    ]
    values, found = read(schema, parameters)
    if not problems:
        problems = found
    field = {name: stripped(value) for name, value in values.items()}
    submission = Submission(
        service_code=field.get("service_code", ""),
        lat=field.get("lat", ""),
        long=field.get("long", ""),
        address_string=field.get("address_string", ""),
        address_id=field.get("address_id", ""),
        description=field.get("description", ""),
        media_urls=tuple(url for url in map(stripped, parameters.getlist("media_url")) if url),
        attributes=_attributes(parameters),
        reporter=Reporter(
            email=field.get("email", ""),
            first_name=field.get("first_name", ""),
            last_name=field.get("last_name", ""),
            phone=field.get("phone", ""),
            device_id=field.get("device_id", ""),
            account_id=field.get("account_id", ""),
        ),
        client_request_id=clean_text(request.headers.get("Idempotency-Key", "")).strip()
        or field.get("client_request_id", ""),
    )
    return submission, problems


def _attributes(parameters: Parameters) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """attribute[CODE], attribute[CODE][] and attribute[CODE][n], gathered by code (A07)."""
    found: dict[str, list[str]] = {}
    for name, values in parameters.lists():
        match = _ATTRIBUTE.fullmatch(name)
        if match:
            found.setdefault(match["code"], []).extend(values)
    return tuple((code, tuple(values)) for code, values in found.items())


def read_search(
    values: Mapping[str, str], jurisdiction: Jurisdiction, *, now: datetime, policy: SpanPolicy
) -> RequestSearch:
    """What a list was asked for. Invalid with every problem found (A19 to A31)."""
    reader = _SearchReader(values, jurisdiction)
    ids = reader.ids()
    if ids:
        search = RequestSearch(jurisdiction_id=jurisdiction.id, ids=ids)
    else:
        search = reader.search(now, policy)
    if reader.problems:
        raise Invalid.of(reader.problems)
    return search


class _SearchReader:
    """One list call's values on their way to a search, with the problems met so far."""

    def __init__(self, values: Mapping[str, str], jurisdiction: Jurisdiction) -> None:
        self.values = values
        self.jurisdiction = jurisdiction
        self.problems: list[Problem] = []

    def search(self, now: datetime, policy: SpanPolicy) -> RequestSearch:
        updated = Window(self.instant("updated_after"), self.instant("updated_before", end_of_day=True))
        start, end = self.instant("start_date"), self.instant("end_date", end_of_day=True)
        requested = Window()
        if start or end or not (updated.start or updated.end):
            requested, found = requested_window(start, end, now, policy)
            self.problems += found
        return RequestSearch(
            jurisdiction_id=self.jurisdiction.id,
            service_codes=tuple(self.words("service_code")),
            statuses=self.statuses(),
            requested=requested,
            updated=updated,
            near=self.circle(),
            box=self.box(),
            sort=self.sort(),
            page=max(1, self.whole_number("page", 1, least=0)),
            page_size=min(MAX_ROWS, self.whole_number("page_size", MAX_ROWS, least=1)),
        )

    def ids(self) -> tuple[str, ...]:
        found = tuple(self.words("service_request_id"))
        if len(found) > MAX_IDS:
            self.problems.append(Problem("service_request_id", f"holds {len(found)} ids; {MAX_IDS} are allowed."))
        return found

    def words(self, name: str) -> list[str]:
        """A comma list, trimmed, each word once (A63)."""
        return list(dict.fromkeys(word for word in map(stripped, self.values.get(name, "").split(",")) if word))

    def statuses(self) -> tuple[Status, ...]:
        found: list[Status] = []
        for word in self.words("status"):
            try:
                found.append(Status(word.lower()))
            except ValueError:
                self.problems.append(Problem("status", f"{word[:40]!r} is unknown; send open, closed or both."))
        return tuple(found)

    def instant(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        text = self.values.get(name, "")
        if not text:
            return None
        try:
            return parse_instant(text, self.jurisdiction.zone, end_of_day=end_of_day)
        except NotAnInstant:
            self.problems.append(instant_problem(name, text))
            return None

    def whole_number(self, name: str, default: int, *, least: int) -> int:
        text = self.values.get(name, "")
        if not text:
            return default
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
            self.problems.append(Problem(name, f"{text[:40]!r} is not a whole number of at least {least}."))
            return default
        return int(text)

    def sort(self) -> Sort:
        text = self.values.get("sort", "")
        if not text:
            return Sort.REQUESTED_DESC
        try:
            return Sort(text)
        except ValueError:
            known = ", ".join(Sort)
            self.problems.append(Problem("sort", f"{text[:40]!r} is unknown; send one of {known}."))
            return Sort.REQUESTED_DESC

    def degrees(self, name: str, text: str) -> float:
        try:
            return parse_degrees(name, text)
        except ValueError as error:
            self.problems.append(Problem(name, str(error)))
            return 0.0

    def circle(self) -> Circle | None:
        given = {name: self.values.get(name, "") for name in ("lat", "long", "radius")}
        if not any(given.values()):
            return None
        missing = [name for name, text in given.items() if not text]
        if missing:
            self.problems.append(Problem(missing[0], "is missing; send lat, long and radius together."))
            return None
        return Circle(
            self.degrees("long", given["long"]), self.degrees("lat", given["lat"]), self.radius(given["radius"])
        )

    def radius(self, text: str) -> float:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII) or not 0 < float(text) <= MAX_RADIUS_M:
            self.problems.append(
                Problem("radius", f"{text[:40]!r} is not a distance; send metres, at most {MAX_RADIUS_M:g}.")
            )
            return 1.0
        return float(text)

    def box(self) -> Box | None:
        text = self.values.get("bbox", "")
        if not text:
            return None
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 4:
            self.problems.append(Problem("bbox", "takes four numbers: west,south,east,north in degrees."))
            return None
        names = ("long", "lat", "long", "lat")
        known = len(self.problems)
        west, south, east, north = (self.degrees(name, part) for name, part in zip(names, parts, strict=True))
        if len(self.problems) > known:
            self.problems[known:] = [Problem("bbox", "takes west,south,east,north in degrees, in this order.")]
        elif south > north:
            self.problems.append(Problem("bbox", "has its south above its north; send west,south,east,north."))
        return Box(west, south, east, north)
