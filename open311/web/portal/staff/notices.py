"""The pages for staff about the notices of the city: the list with the form for a new one, and single notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from babel.core import UnknownLocaleError

from open311.domain.city_notices import (
    DEFAULT_CATEGORY,
    DEFAULT_SEVERITY,
    Category,
    CityNotice,
    NoticeText,
    Severity,
)
from open311.domain.public_words import CATEGORIES
from open311.errors import Conflict, Invalid, NotFound, Problem
from open311.operations.notices.managing import (
    NoticeOrder,
    add_notice,
    change_notice,
    end_notice,
    find_notice,
    list_notices,
    read_cursor,
    write_cursor,
)
from open311.translations import languages
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.errors import STATUSES
from open311.web.portal.rendering import name_of, see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import for_staff
from open311.web.staff.notices import number_of
from open311.web.surfaces import DESK
from schemas.desk import NOTICE_SLOTS, NoticeForm, NoticesPageArguments
from schemas.texts import Message, tell
from schemas.values import NotAnInstant, parse_instant

_NOTICES, _NOTICE = "/<jurisdiction_id>/notices", "/<jurisdiction_id>/notices/<notice>"
_ROWS = 50
_FIELDS = ("service_code", "area", "polygon", "category", "severity", "start_datetime", "end_datetime")
_NO_JSON = tell("Please paste a GeoJSON polygon here, or leave it empty.")
_A_TIME = tell("Please choose a date and a time.")
_UNKNOWN_CHOICE = tell("This choice does not exist. Please choose another one.")


@dataclass(frozen=True, slots=True)
class Slot:
    """The fields of the form for one language. `name`: the name of the language in the language itself."""

    number: int
    language: str
    name: str
    headline: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class _Form:
    """The form of a notice: what it holds, and what is wrong with it.

    values  the content of each field by its name; for `service_code`, several codes
    """

    slots: Sequence[Slot]
    values: Mapping[str, Any]
    faults: Mapping[str, Message]
    problems: Sequence[Message] = ()


@endpoint(DESK, _NOTICES, reads=NoticesPageArguments, **ON_PAGE)
def desk_notices_page(call: Call) -> Answer:
    """The notices of the city, the newest first, and the form for a new one."""
    return _list(call, _blank(call), notice=words.NOTICE_ACTS.get(call.values["done"]))


@endpoint(DESK, _NOTICES, reads=NoticeForm, method="POST", **ON_PAGE)
def add_notice_on_page(call: Call) -> Answer:
    """Add a notice. If something is wrong, the form keeps what was typed."""
    try:
        add_notice(call.platform, call.city, _order(call, is_new=True), principal=call.caller, now=call.now)
    except (Invalid, Conflict) as error:
        return _list(call, _sent(call, error.problems), status=STATUSES[type(error)])
    return see_other(DeskFrame.of(call).link("notices", done="add"))


@endpoint(DESK, _NOTICE, reads=NoticesPageArguments, **ON_PAGE)
def desk_notice_page(call: Call, notice: str) -> Answer:
    """One notice, with the forms to change and to end it."""
    found = find_notice(call.platform, call.city, number_of(notice), principal=call.caller)
    return _one(call, found, _filled(call, found), notice=words.NOTICE_ACTS.get(call.values["done"]))


@endpoint(DESK, _NOTICE, reads=NoticeForm, method="POST", **ON_PAGE)
def change_notice_on_page(call: Call, notice: str) -> Answer:
    """Change or end a notice."""
    number, act = number_of(notice), call.values["do"]
    if act not in ("change", "end"):
        raise NotFound(tell("There is nothing at this address; see the API page at /docs."))
    version = call.values["version"]
    options: dict[str, Any] = {
        "principal": call.caller,
        "now": call.now,
        "version": int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0,
    }
    try:
        if act == "end":
            end_notice(call.platform, call.city, number, reason=call.values["reason"], **options)
        else:
            change_notice(call.platform, call.city, number, _order(call, is_new=False), **options)
    except (Invalid, Conflict) as error:
        found = find_notice(call.platform, call.city, number, principal=call.caller)
        form = _sent(call, error.problems) if act == "change" else _filled(call, found, error.problems)
        return _one(call, found, form, status=STATUSES[type(error)])
    return see_other(DeskFrame.of(call).link(f"notices/{number}", done=act))


def _list(call: Call, form: _Form, *, notice: Message | None = None, status: int = 200) -> Answer:
    before = read_cursor(call.values.get("cursor", ""))
    found = list_notices(call.platform, call.city, principal=call.caller, rows=_ROWS, before=before)
    cursor = write_cursor(found)
    return desk_page(
        call,
        "notices.html",
        status=status,
        rows=[(one, words.NOTICE_STATES[one.state(call.now)]) for one in found.notices],
        next_page=DeskFrame.of(call).link("notices", cursor=cursor) if cursor else "",
        notice=notice,
        **_choices(call, form),
    )


def _one(call: Call, found: CityNotice, form: _Form, *, notice: Message | None = None, status: int = 200) -> Answer:
    state = found.state(call.now)
    return desk_page(
        call,
        "notice.html",
        status=status,
        it=found,
        state=words.NOTICE_STATES[state],
        is_over=state.value == "past",
        has_begun=found.was_public(call.now),
        notice=notice,
        **_choices(call, form),
    )


def _choices(call: Call, form: _Form) -> dict[str, Any]:
    """The form with the values that its fields may have."""
    return {
        "form": form,
        "services": [(one.code, one.name) for one in call.city.services],
        "areas": list(call.city.areas),
        "categories": CATEGORIES,
        "severities": words.SEVERITIES,
    }


# --- What a form holds


def _blank(call: Call) -> _Form:
    chosen = {"service_code": (), "category": DEFAULT_CATEGORY.value, "severity": DEFAULT_SEVERITY.value}
    return _Form(_slots(call, ()), dict.fromkeys(_FIELDS, "") | chosen, {})


def _filled(call: Call, found: CityNotice, problems: Sequence[Problem] = ()) -> _Form:
    """The form with what a notice has."""
    values = {
        "service_code": found.service_codes,
        "area": found.area,
        "polygon": "" if found.polygon is None else orjson.dumps(found.polygon).decode(),
        "category": found.category.value,
        "severity": found.severity.value,
        "start_datetime": _local(call, found.starts_at),
        "end_datetime": _local(call, found.ends_at),
    }
    return _Form(_slots(call, found.texts), values, {}, [for_staff(one.message) for one in problems])


def _sent(call: Call, problems: Sequence[Problem]) -> _Form:
    """The form with what was sent."""
    values = {name: call.values[name] for name in _FIELDS}
    known = {"texts", "service_codes", *_FIELDS}
    faults = {one.field: for_staff(one.message) for one in reversed(problems) if one.field in known}
    faults |= {"service_code": faults["service_codes"]} if "service_codes" in faults else {}
    others = [for_staff(one.message) for one in problems if one.field not in known]
    return _Form(_slots(call, _texts(call)), values, faults, others)


def _slots(call: Call, texts: Sequence[NoticeText]) -> list[Slot]:
    """The fields for each language: of the texts that exist already, of the city, and of this server."""
    by_tag = {text.language: text for text in texts}
    tags = dict.fromkeys([call.city.languages[0], *by_tag, *call.city.languages, *languages()])
    found = []
    for number, tag in enumerate(list(tags)[:NOTICE_SLOTS], start=1):
        text = by_tag.get(tag)
        found.append(Slot(number, tag, _name(tag), text.headline if text else "", text.description if text else ""))
    return found


def _name(tag: str) -> str:
    try:
        return name_of(tag)
    except (ValueError, UnknownLocaleError):  # a form may send anything
        return tag


def _texts(call: Call) -> list[NoticeText]:
    """The texts that a form holds. A language without any text is left out."""
    found = []
    for slot in range(1, NOTICE_SLOTS + 1):
        headline, description = call.values[f"headline_{slot}"], call.values[f"description_{slot}"]
        if headline or description:
            found.append(
                NoticeText(language=call.values[f"language_{slot}"], headline=headline, description=description)
            )
    return found


def _order(call: Call, *, is_new: bool) -> NoticeOrder:
    """What a form orders. Raises Invalid for values that cannot be read."""
    problems: list[Problem] = []
    values = call.values
    starts_at = _instant(call, "start_datetime", problems)
    ends_at = _instant(call, "end_datetime", problems)
    if not values["end_datetime"]:
        problems.append(Problem("end_datetime", _A_TIME))
    polygon: Any = {}
    if values["polygon"]:
        try:
            polygon = orjson.loads(values["polygon"])
        except orjson.JSONDecodeError:
            problems.append(Problem("polygon", _NO_JSON))
    for name, kind in (("category", Category), ("severity", Severity)):
        if values[name] not in [one.value for one in kind]:
            problems.append(Problem(name, _UNKNOWN_CHOICE))
    if problems:
        raise Invalid.of(problems)
    return NoticeOrder(
        texts=_texts(call),
        service_codes=values["service_code"],
        area=values["area"],
        polygon=polygon,
        category=Category(values["category"]),
        severity=Severity(values["severity"]),
        starts_at=starts_at if is_new else _kept(call, starts_at),
        ends_at=ends_at,
    )


def _kept(call: Call, starts_at: datetime | None) -> datetime | None:
    """The new beginning of the notice; None if the field is empty."""
    return starts_at if call.values["start_datetime"] else None


def _instant(call: Call, name: str, problems: list[Problem]) -> datetime | None:
    """The time in a field of a form, read in the zone of the city.

    None if the field is empty, or if it is faulty. The fault is added to `problems`.
    """
    if not call.values[name]:
        return None
    try:
        return parse_instant(call.values[name], call.city.zone)
    except NotAnInstant:
        problems.append(Problem(name, _A_TIME))
        return None


def _local(call: Call, at: datetime) -> str:
    """A time as a field of a form holds it."""
    return at.astimezone(call.city.zone).strftime("%Y-%m-%dT%H:%M:%S")
