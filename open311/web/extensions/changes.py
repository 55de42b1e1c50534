"""The change feed: the requests whose public side has changed, in the order of writing (K1 to K10)."""

from __future__ import annotations

from open311.errors import Invalid
from open311.formats import join_items, shape_of
from open311.operations.reading.follow_changes import (
    BEGINNING,
    Position,
    follow_changes,
    position_at,
    read_position,
    write_position,
)
from open311.operations.reading.searches import department_code, unknown_department
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.links import page_url
from open311.web.surfaces import GEOREPORT
from schemas.extensions import ChangeArguments, ChangeSchema
from schemas.texts import tell

_SHAPE = shape_of(ChangeSchema)


@endpoint(
    GEOREPORT,
    "/changes",
    reads=ChangeArguments,
    access=ANYBODY,
    answers=ChangeSchema,
    is_extension=True,
    errors=(410,),
    headers=("Link", "X-Caught-Up", "X-Cursor"),
)
def list_changes(call: Call) -> Answer:
    """List what became public, changed or was withdrawn, in the order of writing (extension).

    Store X-Cursor and send it as `cursor` next time. Then no change is missed or repeated, even after a restart of
    either side. If a request has changed several times since, the feed shows only its last state.
    """
    values, city = call.values, call.city
    unknown = unknown_department(values["department"], city)
    found = follow_changes(
        call.platform,
        city.id,
        _position(call),
        call.output,
        values["extensions"],
        rows=values["page_size"],
        wait_s=values["wait"],
        department=department_code(values["department"], city),
    )
    cursor = write_position(city.id, found.reached)
    headers = (
        ("X-Cursor", cursor),
        ("X-Caught-Up", "true" if found.is_caught_up else "false"),
        ("Link", f'<{page_url(call, {"cursor": cursor}, "since")}>; rel="next"'),
    )
    body = join_items(_SHAPE, found.items, call.output)
    return Answer(body=body, validator=found.validator, headers=headers, warnings=(unknown,) if unknown else ())


def _position(call: Call) -> Position:
    """The position to read from.

    It is the position of the cursor. Without a cursor, it is a position from which no change later than
    `since` is missed. Without both, it is the beginning.
    """
    cursor, since = call.values["cursor"], call.values["since"]
    if cursor:
        try:
            return read_position(cursor, call.city.id)
        except ValueError:
            raise Invalid(tell("is not a cursor of this feed; start again without it."), "cursor") from None
    return position_at(call.platform, call.city.id, since) if since else BEGINNING
