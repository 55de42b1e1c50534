"""The raw parameters of a call, from query and body, in every encoding that clients use (A05, A06).

Text that is not UTF-8 is refused. The schemas convert the values.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from open311.errors import Invalid
from schemas.arguments import Arguments

MAX_FIELDS = 1_000
MOST_REMEMBERED_BYTES = 1_000
"""Longer queries are not cached, because they rarely come twice."""
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_REPLACEMENT = "\ufffd".encode()

Parameters = dict[str, list[str]]
"""The values of each parameter, in the order in which they were sent."""


def read_query(raw: bytes) -> Parameters:
    """The parameters of a query. Raises Invalid if it is not UTF-8 or has too many parameters."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise Invalid("the parameters are not UTF-8; send UTF-8.") from None
    except ValueError:
        raise Invalid(f"there are more than {MAX_FIELDS} parameters; send fewer.") from None
    found: Parameters = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def read_form(request: Request, schema: Arguments) -> Parameters:
    """The parameters of body and query. If both have one, even under an alias, the body's values count (A05).

    Raises UnsupportedMediaType if the body is no form (A06), Invalid if text is not UTF-8.
    """
    body = _read_body(request)
    known = {schema.own_name(name) for name in body}
    rest = {
        name: values
        for name, values in read_query(request.query_string).items()
        if schema.own_name(name) not in known
    }
    return body | rest


def first(sent: Parameters, name: str) -> str:
    """The first value of a parameter that is not blank, stripped; "" if there is none."""
    return next((value for value in map(str.strip, sent.get(name, ())) if value), "")


def _read_body(request: Request) -> Parameters:
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
        return read_query(raw)
    return _multipart(request.form, raw)


def _multipart(form: MultiDict[str, str], raw: bytes) -> Parameters:
    found = dict(form.lists())
    if None in found:
        raise Invalid("a part of the body has no name; give each part a name.")
    is_replaced = any("\ufffd" in text for name, values in found.items() for text in (name, *values))
    if is_replaced and _REPLACEMENT not in raw:
        raise Invalid("the body is not UTF-8; send UTF-8.")
    return found
