"""JSON in every shape that a list of requests has been seen in; read whole, as the list must be found first."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from open311.errors import Invalid
from open311.formats.reading.vocabulary import Columns, plain_name

MAX_BYTES = 256 * 1024 * 1024
MAX_DEPTH = 5
_WRAPPERS = ("service_requests", "service_request", "requests", "request", "data", "results", "items")
_IDS = {"service_request_id", "token", "unique_key", "case_enquiry_id"}


def read_objects(stream: BinaryIO) -> list[Columns]:
    """The requests of a JSON file; an empty body and null are an empty list.

    A bare list; a list under a wrapper's name, at any depth (Toronto, Zürich); one object instead of a list;
    each object under its element's name. Numbers stay the digits they were written with, so that no id is
    rounded. Raises Invalid for what is no JSON, or holds no requests.
    """
    found = _parse(_text(stream))
    _refuse_errors(found)
    return [_columns(item) for item in _items(found)]


def _text(stream: BinaryIO) -> str:
    body = stream.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise Invalid(f"is larger than {MAX_BYTES >> 20} MB, too large for JSON; split it, or use XML or CSV.")
    encoding = json.detect_encoding(body)
    return body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def _parse(text: str) -> Any:
    if not text.strip():
        return []
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise Invalid(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise Invalid("is nested too deeply to be a list of requests.") from None


def _items(found: Any, depth: int = 0) -> list[dict[str, Any]]:
    """The objects that stand for requests."""
    if depth > MAX_DEPTH:
        raise Invalid("is nested too deeply to be a list of requests.")
    if found is None:
        return []
    if isinstance(found, list):
        return [inner for item in found for inner in _unwrapped(item, depth)]
    if isinstance(found, dict):
        return _unwrapped(found, depth)
    raise Invalid("holds no list of requests.")


def _unwrapped(item: Any, depth: int) -> list[dict[str, Any]]:
    """What an object stands for: itself, or what it wraps."""
    if not isinstance(item, dict):
        raise Invalid(f"holds {json.dumps(item)[:40]} where a request should be.")
    if not any(plain_name(name) in _IDS for name in item):
        for name in _WRAPPERS:
            if name in item and not isinstance(item[name], str):
                return _items(item[name], depth + 1)
    return [item] if item else []


def _refuse_errors(found: Any) -> None:
    """An error answer that somebody saved is not an empty list."""
    first = found[0] if isinstance(found, list) and found else found
    if isinstance(first, dict) and "code" in first and "description" in first and "service_code" not in first:
        raise Invalid(f"is an error answer, not a list of requests: {str(first['description'])[:200]}")


def _columns(item: dict[str, Any]) -> Columns:
    return {plain_name(name): _word(value) for name, value in item.items()}


def _word(value: Any) -> str:
    """A member as text. A list gives one word a line, an object (`{"@xsi:nil": "true"}`) gives nothing."""
    if isinstance(value, list):
        return "\n".join(item for item in value if isinstance(item, str))
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""
