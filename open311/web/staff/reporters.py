"""The data of a person: their export and their erasure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from open311.domain.people import IDENTIFYING_FIELDS, Person, nothing_found, read_person
from open311.formats import JSON
from open311.operations.people.erase_person import ErasedPart, erase_person
from open311.operations.people.export_person import export_person
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.languages import for_caller
from open311.web.staff.answers import staff_answer
from open311.web.surfaces import STAFF
from schemas.staff import ErasePersonBody, PersonBody, PersonErasureSchema, PersonExportSchema, StaffArguments

_SHARED: dict[str, Any] = {
    "reads": StaffArguments,
    "access": STAFF_ONLY,
    "output": JSON,
    "city": City.OF_CALLER,
    "method": "POST",
}


@endpoint(
    STAFF,
    "/reporters/export",
    body=PersonBody,
    answers=Media("application/json", PersonExportSchema()),
    **_SHARED,
)
def export_reporter(call: Call) -> Answer:
    """Show all that the city has about a person, 200 requests at a time, and nothing of others.

    Needs the role admin, for all departments, and a reason. The audit trail keeps who read it and why.
    """
    page = next(export_person(call.platform, call.city, _person(call), **_asked(call)))
    body = {
        "requests": list(page.requests),
        "subscriptions": list(page.subscriptions),
        "next": page.last or None,
        "notice": _notice(call, (*page.requests, *page.subscriptions)),
    }
    return staff_answer(body)


@endpoint(
    STAFF,
    "/reporters/erase",
    body=ErasePersonBody,
    answers=Media("application/json", PersonErasureSchema()),
    **_SHARED,
)
def erase_reporter(call: Call) -> Answer:
    """Erase permanently what says who a person is and, with `texts`, what the person wrote.

    Needs the role admin, for all departments, and a reason. A call is for at most 200 requests: repeat it with
    `next` until that is null. Without `"dry_run": false`, nothing changes, and the answer says what would be
    erased. The requests stay, and the statistics count them as before. The audit trail keeps the answer, which does
    not say whose data it was. A call that is sent twice does no harm.
    """
    is_dry_run = call.body.get("dry_run", True)
    part = next(
        erase_person(
            call.platform,
            call.city,
            _person(call),
            with_texts=call.body.get("texts", False),
            is_dry_run=is_dry_run,
            **_asked(call),
        )
    )
    return staff_answer(_plain(part, is_dry_run=is_dry_run) | {"notice": _notice(call, (*part.names, *part.rows))})


def _notice(call: Call, found: Sequence[object]) -> str | None:
    """How to look again, if nothing was found."""
    is_first = not call.body.get("after", 0)
    return for_caller(nothing_found(), call.request) if is_first and not found else None


def _person(call: Call) -> Person:
    given = {name: call.body[name] for name in IDENTIFYING_FIELDS if name in call.body}
    return read_person(given, phone_region=call.city.privacy.phone_region)


def _asked(call: Call) -> dict[str, Any]:
    return {
        "reason": call.body["reason"],
        "principal": call.caller,
        "now": call.now,
        "after": call.body.get("after", 0),
    }


def _plain(part: ErasedPart, *, is_dry_run: bool) -> dict[str, Any]:
    systems = Counter((one.system, one.shared) for one in part.systems)
    return {
        "dry_run": is_dry_run,
        "erasure": None if is_dry_run else part.erasure,
        "requests": list(part.names),
        "rows": dict(sorted(part.rows.items())),
        "systems": [
            {"system": name, "shared": None if known is None else list(known), "requests": number}
            for (name, known), number in systems.items()
        ],
        "copies": list(part.copies),
        "photos_to_delete": part.photos,
        "next": None if part.is_last else part.last,
    }
