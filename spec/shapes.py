"""The fields of each body of the standard, and the conversion of XML texts to values.

The members have the order of the standard's tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["services", "service_definition", "requests", "created", "token", "errors", "discovery"]
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


def _text(text: str) -> Plain:
    return text


def _text_or_null(text: str) -> Plain:
    return text or None


def _flag(text: str) -> Plain:
    return {"true": True, "false": False}.get(text, text)


def _number(text: str) -> Plain:
    """A plain decimal as a float, and "" as None. Other texts stay texts, so that the schema refuses them."""
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text or None


def _integer(text: str) -> Plain:
    return int(text) if text.isdecimal() else text


@dataclass(frozen=True, slots=True)
class Leaf:
    """A member that is one text. If `free` is true, people type the text, so blanks around it are allowed."""

    read: Callable[[str], Plain]
    free: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    members: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class Series:
    """A wrapper element whose items all have the same name. In JSON it is an array."""

    item: str
    shape: Shape


Shape: TypeAlias = Leaf | Record | Series


@dataclass(frozen=True, slots=True)
class Body:
    """A body: the name of its XML root, which JSON does not have, and the shape below it."""

    root: str
    shape: Record | Series


ID = Leaf(_text)
ID_OR_NULL = Leaf(_text_or_null)
WORDS = Leaf(_text, free=True)
WORDS_OR_NULL = Leaf(_text_or_null, free=True)
FLAG = Leaf(_flag)
NUMBER = Leaf(_number)
INTEGER = Leaf(_integer)
TIME = Leaf(_text)
TIME_OR_NULL = Leaf(_text_or_null)

SERVICE = Record(
    {
        "service_code": ID,
        "service_name": WORDS,
        "description": WORDS,
        "metadata": FLAG,
        "type": ID,
        "keywords": WORDS,
        "group": WORDS,
    }
)
VALUE = Record({"key": ID, "name": WORDS})
ATTRIBUTE = Record(
    {
        "variable": FLAG,
        "code": ID,
        "datatype": ID,
        "required": FLAG,
        "datatype_description": WORDS,
        "order": INTEGER,
        "description": WORDS,
        "values": Series("value", VALUE),
    }
)
DEFINITION = Record({"service_code": ID, "attributes": Series("attribute", ATTRIBUTE)})
REQUEST = Record(
    {
        "service_request_id": ID,
        "status": ID,
        "status_notes": WORDS_OR_NULL,
        "service_name": WORDS,
        "service_code": ID,
        "description": WORDS_OR_NULL,
        "agency_responsible": WORDS_OR_NULL,
        "service_notice": WORDS_OR_NULL,
        "requested_datetime": TIME,
        "updated_datetime": TIME,
        "expected_datetime": TIME_OR_NULL,
        "address": WORDS_OR_NULL,
        "address_id": ID_OR_NULL,
        "zipcode": ID_OR_NULL,
        "lat": NUMBER,
        "long": NUMBER,
        "media_url": ID_OR_NULL,
    }
)
RECEIPT = Record(
    {
        "service_request_id": ID,
        "token": ID,
        "service_notice": WORDS_OR_NULL,
        "account_id": ID_OR_NULL,
    }
)
ERROR = Record({"code": INTEGER, "description": WORDS})
ENDPOINT = Record(
    {
        "specification": ID,
        "url": ID,
        "changeset": TIME,
        "type": ID,
        "formats": Series("format", ID),
    }
)
DISCOVERY = Record(
    {
        "changeset": TIME,
        "contact": WORDS,
        "key_service": WORDS,
        "endpoints": Series("endpoint", ENDPOINT),
    }
)
# Requests, answers to POST and tokens have the same root. Their members do not conflict.
_ANY_REQUEST = Series("request", Record({**RECEIPT.members, **REQUEST.members}))

BODIES: Mapping[Kind, Body] = {
    "services": Body("services", Series("service", SERVICE)),
    "service_definition": Body("service_definition", DEFINITION),
    "requests": Body("service_requests", _ANY_REQUEST),
    "created": Body("service_requests", _ANY_REQUEST),
    "token": Body("service_requests", _ANY_REQUEST),
    "errors": Body("errors", Series("error", ERROR)),
    "discovery": Body("discovery", DISCOVERY),
}
ROOTS: Mapping[str, Body] = {body.root: body for body in BODIES.values()}
