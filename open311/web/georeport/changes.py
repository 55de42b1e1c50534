"""The change feed: every public change in the order in which it was written (our extension)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import orjson
from flask import Response

from open311.domain.dates import NotAnInstant, instant_problem, parse_instant
from open311.domain.search import MAX_ROWS
from open311.errors import Invalid
from open311.formats import Format, join_items, shape_of
from open311.operations.reading.follow_changes import (
    BEGINNING,
    LONGEST_WAIT_S,
    Changes,
    Position,
    follow_changes,
    position_at,
)
from open311.plugins import Jurisdiction
from open311.web.answers import answer
from open311.web.context import platform
from open311.web.georeport.blueprint import extensions
from open311.web.georeport.listing import page_url, read_extensions
from open311.web.parsing import read_query
from open311.web.points import read_whole_number
from schemas import ChangeArguments, ChangeSchema

_ARGUMENTS = ChangeArguments()
_SHAPE = shape_of(ChangeSchema)
_XID_END = 2**63


@extensions.call("/changes", takes=ChangeArguments, answers=ChangeSchema, errors=(400, 404, 410, 503))
def list_changes(output: Format) -> Response:
    """List what became public, changed or was withdrawn, in the order of writing (extension).

    Keep X-Cursor and send it as `cursor` next time: nothing is missed or repeated, whatever is restarted. Of a
    request that changed several times meanwhile, the last state alone is shown.
    """
    values = read_query(_ARGUMENTS)
    jurisdiction = platform().registry.find(values["jurisdiction_id"])
    found = follow_changes(
        platform(),
        jurisdiction.id,
        _position(values, jurisdiction),
        output,
        read_extensions(values["extensions"]),
        rows=min(MAX_ROWS, read_whole_number(values, "page_size", MAX_ROWS, least=1, most=999_999_999)),
        wait_s=_wait_s(values["wait"]),
    )
    response = answer(join_items(_SHAPE, found.items, output), output, validator=found.validator)
    _add_headers(response, jurisdiction, found)
    return response


def _add_headers(response: Response, jurisdiction: Jurisdiction, found: Changes) -> None:
    cursor = write_cursor(jurisdiction.id, found.reached)
    response.headers["X-Cursor"] = cursor
    response.headers["X-Caught-Up"] = "true" if found.is_caught_up else "false"
    response.headers["Link"] = f'<{page_url({"cursor": cursor}, "since")}>; rel="next"'


def _position(values: Mapping[str, str], jurisdiction: Jurisdiction) -> Position:
    cursor, since = values["cursor"], values["since"]
    if cursor:
        try:
            return read_cursor(cursor, jurisdiction.id)
        except ValueError:
            raise Invalid("is not one that this feed gave out; begin anew without it.", "cursor") from None
    if not since:
        return BEGINNING
    try:
        return position_at(platform(), jurisdiction.id, parse_instant(since, jurisdiction.zone))
    except NotAnInstant:
        raise Invalid.of([instant_problem("since", since)]) from None


def write_cursor(jurisdiction_id: str, position: Position) -> str:
    """A position as clients keep it: opaque, URL-safe, good for one jurisdiction's feed."""
    parts = [jurisdiction_id, position.written_by, position.number]
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read_cursor(text: str, jurisdiction_id: str) -> Position:
    """The position that a cursor stands for; ValueError if it is none of this feed's."""
    written_for, written_by, number = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if written_for != jurisdiction_id or type(written_by) is not int or type(number) is not int:
        raise ValueError(text)
    if not 0 <= written_by < _XID_END or not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return Position(written_by, number)


def _wait_s(text: str) -> float:
    """Seconds to wait; more than we allow is cut."""
    if not text:
        return 0.0
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise Invalid(f"{text[:40]!r} is not a number of seconds; send 0 to {LONGEST_WAIT_S:g}.", "wait")
    return min(float(text), LONGEST_WAIT_S)
