"""The data of a person: find them, export them as a file, and erase them. Only for admins of all departments.

Data that identify a person are sent only in the bodies of forms, so that no address and no log has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from werkzeug.wrappers import Response

from open311.domain.people import IDENTIFYING_FIELDS, Person, nothing_found, read_person
from open311.errors import Invalid, NotFound
from open311.operations.access.sealing import seal, unseal
from open311.operations.access.staff import names_of
from open311.operations.desk.rendering import json_of
from open311.operations.people.erase_person import ErasedPart, erase_person
from open311.operations.people.export_person import export_person
from open311.operations.people.named import require_eraser
from open311.operations.people.proof import read_proof
from open311.translations import translations_in
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.portal.rendering import see_other
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import DeskFrame, desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import for_staff
from open311.web.surfaces import DESK
from schemas.desk import ErasurePageArguments, PersonArguments
from schemas.portal import PageArguments
from schemas.texts import Message, tell

_PEOPLE = "/<jurisdiction_id>/people"
MOST_NAMED = 100
"""How many requests the page of an erasure names at most."""


@endpoint(DESK, _PEOPLE, reads=PageArguments, **ON_PAGE)
def people_page(call: Call) -> Answer:
    """The form that finds the data of a person."""
    return _page(call)


@endpoint(DESK, _PEOPLE, reads=PersonArguments, method="POST", **ON_PAGE)
def act_on_person(call: Call) -> Answer | Response:
    """Find, export or erase what the city has about a person. The audit trail keeps who did it and why."""
    act = _ACTS.get(call.values["do"])
    if act is None:
        raise NotFound(tell("There is nothing at this address; see the API page at /docs."))
    try:
        return act(call, _person(call))
    except Invalid as error:
        return _page(call, faults={one.field: for_staff(one.message) for one in error.problems}, status=400)


@endpoint(DESK, f"{_PEOPLE}/erasures/<erasure>", reads=ErasurePageArguments, **ON_PAGE)
def erasure_page(call: Call, erasure: str) -> Answer:
    """The proof of an erasure. It does not say whose data it was."""
    proof = read_proof(call.platform, call.city, erasure, principal=call.caller)
    told = unseal(call.platform, call.values["told"]) if call.values["told"] else None
    return desk_page(
        call,
        "erasure.html",
        proof=proof,
        names=names_of(call.platform, [proof.actor]),
        copies=told["copies"] if isinstance(told, dict) and told.get("erasure") == erasure else [],
        fields=words.PERSON_FIELDS,
    )


def _find(call: Call, person: Person) -> Answer:
    page = next(export_person(call.platform, call.city, person, **_asked(call)))
    return _page(call, found=page.requests, subscriptions=page.subscriptions, has_more=bool(page.last))


def _export(call: Call, person: Person) -> Response:
    """A file with all data, not in pages. `requests` and `subscriptions` are as in the answer of the staff API."""
    pages = list(export_person(call.platform, call.city, person, **_asked(call)))
    body = {
        "jurisdiction_id": call.city.id,
        "made_datetime": call.now,
        "requests": list(chain.from_iterable(page.requests for page in pages)),
        "subscriptions": list(chain.from_iterable(page.subscriptions for page in pages)),
    }
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="personal-data.json"'}
    return Response(json_of(body), content_type="application/json", headers=headers)


def _try(call: Call, person: Person) -> Answer:
    parts = list(_erased(call, person, is_dry_run=True))
    return _page(call, trial=_sum_of(parts), is_trial=True)


def _erase(call: Call, person: Person) -> Answer:
    if call.values["confirmed"].strip().casefold() not in _confirmations(call):
        parts = list(_erased(call, person, is_dry_run=True))
        fault = tell("Please type the word {word}.", word=words.ERASE)
        return _page(call, trial=_sum_of(parts), is_trial=True, faults={"confirmed": fault}, status=400)
    parts = list(_erased(call, person, is_dry_run=False))
    erasure = parts[0].erasure
    copies = [name for part in parts for name in part.copies][:MOST_NAMED]
    told = seal(call.platform, {"erasure": erasure, "copies": copies}) if copies else ""
    return see_other(DeskFrame.of(call).link(f"people/erasures/{erasure}", told=told))


_ACTS: Mapping[str, Callable[[Call, Person], Answer | Response]] = {
    "find": _find,
    "export": _export,
    "try": _try,
    "erase": _erase,
}


def _erased(call: Call, person: Person, *, is_dry_run: bool) -> Iterator[ErasedPart]:
    return erase_person(
        call.platform,
        call.city,
        person,
        with_texts=call.values["texts"],
        is_dry_run=is_dry_run,
        **_asked(call),
    )


def _confirmations(call: Call) -> set[str]:
    """The word that confirms an erasure, in English and in the language of the page."""
    language = DeskFrame.of(call).language
    return {str(words.ERASE).casefold(), translations_in(language).gettext(words.ERASE.template).casefold()}


def _sum_of(parts: list[ErasedPart]) -> dict[str, Any]:
    systems = Counter((one.system, one.shared) for part in parts for one in part.systems)
    return {
        "requests": [name for part in parts for name in part.names],
        "rows": dict(sorted(sum((part.rows for part in parts), Counter[str]()).items())),
        "systems": [(name, shared, number) for (name, shared), number in systems.items()],
        "copies": [name for part in parts for name in part.copies],
        "photos": sum(part.photos for part in parts),
    }


def _person(call: Call) -> Person:
    given = {name: call.values[name] for name in IDENTIFYING_FIELDS if call.values[name].strip()}
    return read_person(given, phone_region=call.city.privacy.phone_region)


def _asked(call: Call) -> dict[str, Any]:
    return {"reason": call.values["reason"], "principal": call.caller, "now": call.now}


def _page(call: Call, *, status: int = 200, faults: Mapping[str, Message] | None = None, **shown: Any) -> Answer:
    require_eraser(call.caller, call.city)
    names = (*IDENTIFYING_FIELDS, "reason")
    empty: dict[str, Any] = {
        "found": None,
        "subscriptions": (),
        "has_more": False,
        "trial": None,
        "is_trial": False,
    }
    return desk_page(
        call,
        "people.html",
        status=status,
        **(empty | shown),
        faults=faults or {},
        sent={name: call.values.get(name) or "" for name in names} | {"texts": call.values.get("texts") or False},
        fields=words.PERSON_FIELDS,
        nothing=nothing_found(),
        erase=words.ERASE,
        most=MOST_NAMED,
    )
