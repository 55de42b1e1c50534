"""Texts and questions of the city that admins may change: the list of them, and the form of each."""

from __future__ import annotations

import re
from typing import Any

from open311.domain.overrides import Item, OverrideKind, Standing
from open311.errors import Conflict, Invalid, NotFound
from open311.operations.overriding.editing import (
    drop_override,
    list_overrides,
    may_edit,
    put_override,
    read_item,
)
from open311.plugins import Jurisdiction
from open311.plugins.declared.overrides import code_faults, languages_of, reduced
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.errors import STATUSES
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.override_forms import Texts, questions_of, texts_of, value_of
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import for_staff
from open311.web.surfaces import DESK
from schemas.desk import CataloguePageArguments, ItemChangeArguments, ItemPageArguments
from schemas.texts import Message, tell

_CATALOGUE, _ITEM = "/<jurisdiction_id>/catalogue", "/<jurisdiction_id>/catalogue/item"
_NOTHING = tell("There is nothing at this address; see the API page at /docs.")
SAVED, DROPPED, SAME = "saved", "dropped", "same"


@endpoint(DESK, _CATALOGUE, reads=CataloguePageArguments, **ON_PAGE)
def catalogue_page(call: Call) -> Answer:
    """What admins have changed in addition to the files of the city, and all that they may change."""
    return _list(call, notice=words.OVERRIDE_ACTS.get(call.values["done"]))


@endpoint(DESK, _ITEM, reads=ItemPageArguments, **ON_PAGE)
def item_page(call: Call) -> Answer:
    """The form of one item of the catalogue."""
    values = call.values
    name = values["item"] or f"text:{values['language']}:{values['outcome']}:{values['code']}"
    return _form(call, name)


@endpoint(DESK, _ITEM, reads=ItemChangeArguments, method="POST", **ON_PAGE)
def change_item_on_page(call: Call) -> Answer:
    """Change an item, or let the files count again. If that fails, show the form with what was typed."""
    name, act = call.values["item"], call.values["do"]
    seen = _seen(call.values["version"])
    by: dict[str, Any] = {"seen": seen, "principal": call.caller, "now": call.now}
    if act == "drop":
        try:
            drop_override(call.platform, call.city, name, **by)
        except (Conflict, Invalid) as error:
            return _list(call, alarm=for_staff(error.problems[0].message), status=STATUSES[type(error)])
        return _done(call, DROPPED)
    if act != "save":
        raise NotFound(_NOTHING)
    found = read_item(call.platform, call.city, name, principal=call.caller)
    texts = _texts(call)
    value = value_of(found.item, found.base, texts)
    try:
        if reduced(found.base, value) or any(code_faults(found.base, value)):
            put_override(call.platform, call.city, name, value, **by)
            return _done(call, SAVED)
        if found.stand is None:
            return _done(call, SAME)
        drop_override(call.platform, call.city, name, **by)
    except (Conflict, Invalid) as error:
        return _form(call, name, texts=texts, error=error, status=STATUSES[type(error)])
    return _done(call, DROPPED)


def _texts(call: Call) -> Texts:
    """What the fields of the sent form hold. Browsers send the end of a line as two characters."""
    return {name: texts[0].replace("\r\n", "\n").strip() for name, texts in call.values["texts"]}


def _done(call: Call, act: str) -> Answer:
    return see_other(DeskFrame.of(call).link("catalogue", done=act))


def _seen(text: str) -> int:
    """The version in a form. Raises Invalid for a form that no page has made."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise Invalid(tell("This form has no version. Open the page again, and send it from there."))
    return int(text)


def _form(
    call: Call, name: str, *, texts: Texts | None = None, error: Conflict | Invalid | None = None, status: int = 200
) -> Answer:
    found = read_item(call.platform, call.city, name, principal=call.caller)
    item = found.item
    faults = {one.field: for_staff(one.message) for one in error.problems} if error else {}
    held = texts_of(item, found.value, base=found.base) if texts is None else texts
    questions = questions_of(item, found.base, held, faults)
    fields = {one.name.removeprefix("attribute[").removesuffix("]") for each in questions for one in each.fields}
    return desk_page(
        call,
        "item.html",
        status=status,
        found=found,
        title=_title(call.city, item),
        questions=questions,
        alarms=[fault for field, fault in faults.items() if field not in fields],
        is_form=item.kind is OverrideKind.FORM,
        words=words,
    )


def _list(call: Call, *, notice: Message | None = None, alarm: Message | None = None, status: int = 200) -> Answer:
    city = call.city
    stands = list_overrides(call.platform, city, principal=call.caller)
    languages = languages_of(city)
    return desk_page(
        call,
        "catalogue.html",
        status=status,
        stands=[(one, _title(city, one.override.item)) for one in stands],
        to_look_at=[one for one in stands if one.standing is not Standing.APPLIED],
        may_edit=may_edit(city, call.caller),
        languages=languages,
        services=city.services,
        groups=list(dict.fromkeys(one.group for one in city.services if one.group)),
        notice=notice,
        alarm=alarm,
        words=words,
    )


def _title(city: Jurisdiction, item: Item) -> Message:
    """The title of an item on the pages."""
    service = city.service(item.code) if item.code else None
    name = service.name if service else item.code
    if item.kind is OverrideKind.FORM:
        return tell("Questions: {service}", service=name)
    if item.kind is OverrideKind.GROUP:
        return tell("Group {group} ({language})", group=item.code, language=item.language)
    if item.kind is OverrideKind.SERVICE:
        return tell("Service {service} ({language})", service=name, language=item.language)
    moment = words.MOMENTS.get(item.outcome, item.outcome)
    if item.code:
        return tell(
            "Text: {moment}, only {service} ({language})", moment=moment, service=name, language=item.language
        )
    return tell("Text: {moment} ({language})", moment=moment, language=item.language)
