"""Reading a call's parameters: strictly UTF-8, from body and query, in every encoding clients use (A05 to A07)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import cast
from urllib.parse import parse_qsl

from flask import request as form_request
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from open311.domain.requests import Reporter, Submission
from open311.domain.text import clean_text, stripped
from open311.errors import Invalid, Problem
from open311.web.context import request
from schemas import Arguments

MAX_FIELDS = 1_000
MOST_REMEMBERED_BYTES = 1_000
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


def read_query(schema: Arguments) -> Mapping[str, str]:
    """The query's fields, stripped, "" where absent. Invalid with all that is wrong with them."""
    raw = request.query_string
    return _remembered(schema, raw) if len(raw) <= MOST_REMEMBERED_BYTES else _read_query(schema, raw)


def names_in(query: bytes) -> Iterable[str]:
    """The names of a query's parameters."""
    return _pairs(query).keys()


def pairs_in(query: bytes) -> Iterable[tuple[str, str]]:
    """A query's parameters with their values, in its order as far as names do not repeat."""
    return _pairs(query).items(multi=True)


def _read_query(schema: Arguments, raw: bytes) -> Mapping[str, str]:
    values, problems = read(schema, _pairs(raw))
    if problems:
        raise Invalid.of(problems)
    return values


_remembered = lru_cache(maxsize=2_048)(_read_query)
"""Most callers send the same query again and again; reading it takes longer than what follows."""


def form_parameters() -> Parameters:
    """Body and query together; where both have a name, the body's values count (A05).

    Raises UnsupportedMediaType for other bodies than forms (A06), Invalid for text that is not UTF-8.
    """
    body = _body_parameters()
    known = {_plain_name(name) for name in body}
    for name, values in _pairs(request.query_string).lists():
        if _plain_name(name) not in known:
            body.setlist(name, values)
    return body


def _plain_name(name: str) -> str:
    """What a name stands for: `deviceid` for device_id, `attribute[X][]` for attribute[X]."""
    match = _ATTRIBUTE.fullmatch(name)
    return f"attribute[{match['code']}]" if match else ALIASES.get(name, name)


def _body_parameters() -> Parameters:
    media_type = form_request.mimetype
    charset = form_request.mimetype_params.get("charset", "utf-8").lower()
    if media_type and media_type not in FORM_TYPES:
        raise UnsupportedMediaType(f"{media_type} is not read here; send {FORM_TYPES[0]} or {FORM_TYPES[1]}.")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(f"charset {charset} is not read here; send UTF-8.")
    raw = form_request.get_data(cache=True)
    if form_request.content_length is None and len(raw) >= (form_request.max_content_length or len(raw) + 1):
        raise RequestEntityTooLarge  # Werkzeug cuts a chunked body at the limit and says nothing
    if media_type != FORM_TYPES[1]:
        return _pairs(raw)
    form = Parameters(form_request.form)
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
