"""The proof of an erasure, from the audit trail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from open311.domain.access import Principal
from open311.errors import NotFound
from open311.operations.people.erase_person import ERASE_PERSON
from open311.operations.people.named import require_eraser
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import audit
from schemas.texts import tell

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the audit trail says about an erasure. It does not say whose data it was.

    requests    how many requests had something that was erased
    rows        how many rows held something that was erased, by the table, or by the table and its column
    systems     how many requests each back office got, or may have got
    found_by    the fields by which the person was found
    with_texts  whether texts and photos were erased too
    """

    erasure: str
    at: datetime
    actor: str
    reason: str
    requests: int
    rows: Mapping[str, int]
    systems: Mapping[str, int]
    found_by: tuple[str, ...]
    with_texts: bool
    photos_to_delete: int


def read_proof(platform: Platform, city: Jurisdiction, erasure: str, *, principal: Principal) -> Proof:
    """The proof of an erasure in the city. Raises Forbidden, and NotFound if there was none with this id."""
    require_eraser(principal, city)
    found = []
    if _ID.fullmatch(erasure):
        with platform.database.reading() as connection:
            found = audit.list_entries(connection, city.id, about=[erasure])
    parts = [one for one in found if one.act == ERASE_PERSON]
    if not parts:
        raise NotFound(tell("There was no erasure with this number here."), "erasure")
    rows, systems = Counter[str](), Counter[str]()
    for part in parts:
        rows.update(part.details["rows"])
        systems.update(part.details["systems"])
    first = parts[0]
    return Proof(
        erasure=erasure,
        at=first.at,
        actor=first.actor,
        reason=first.reason,
        requests=sum(len(part.details["requests"]) for part in parts),
        rows=dict(sorted(rows.items())),
        systems=dict(sorted(systems.items())),
        found_by=tuple(first.details["found_by"]),
        with_texts=first.details["with_texts"],
        photos_to_delete=sum(part.details["photos_to_delete"] for part in parts),
    )
