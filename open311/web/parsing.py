"""Reads the raw parameters of a query, or of a body in the same form. The schemas convert the values.

Text that is not UTF-8 is refused.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from open311.errors import Invalid
from schemas.texts import tell

MAX_FIELDS = 1_000
MOST_REMEMBERED_BYTES = 1_000
"""Longer queries are not cached, because they rarely come twice."""
MOST_SEARCHED_BYTES = 20_000
"""If a query is not UTF-8, this many of its bytes are searched for the field that the error names."""

Parameters = dict[str, list[str]]
"""The values of each parameter, in the order in which they were sent."""


def read_query(raw: bytes) -> Parameters:
    """The parameters of a query. Raises Invalid if the query is not UTF-8 or has too many parameters."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise _undecodable(raw[:MOST_SEARCHED_BYTES]) from None
    except ValueError:
        raise too_many_fields() from None
    found: Parameters = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def first(sent: Parameters, name: str) -> str:
    """The first value of a parameter, stripped. Blank values do not count; "" if no value is left."""
    return next((value for value in map(str.strip, sent.get(name, ())) if value), "")


def too_many_fields() -> Invalid:
    """The error for a query or a body with more than `MAX_FIELDS` parameters."""
    return Invalid(tell("there are more than {most} parameters; send fewer.", most=MAX_FIELDS))


def not_utf8(name: str, value: bytes, error: UnicodeDecodeError) -> Invalid:
    """The error for a field that is not UTF-8. It shows the text around the first wrong byte, read as Latin-1."""
    around = value[max(0, error.start - 20) : error.start + 20].decode("latin-1")
    return Invalid(tell("is not UTF-8; read as Latin-1 it says {around!r}. Send UTF-8.", around=around), name[:60])


def _undecodable(raw: bytes) -> Invalid:
    """The error for a query that is not UTF-8. It names the first field with a wrong byte."""
    text = raw.decode("latin-1")  # each character stands for one byte
    for name, value in parse_qsl(text, keep_blank_values=True, encoding="latin-1"):
        try:
            name.encode("latin-1").decode()
        except UnicodeDecodeError:
            return Invalid(tell("the name {name!r} is not UTF-8; send UTF-8.", name=name[:40]))
        try:
            value.encode("latin-1").decode()
        except UnicodeDecodeError as error:
            return not_utf8(name, value.encode("latin-1"), error)
    return Invalid(tell("the parameters are not UTF-8; send UTF-8."))
