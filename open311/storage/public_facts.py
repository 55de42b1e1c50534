"""What the counts for statistics and maps need of public requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Connection, and_, any_, bindparam, select

from open311.domain.requests import Visibility
from open311.domain.tiles import CELL_ZOOMS
from open311.storage import supporters
from open311.storage.geometry import cell_x, cell_y
from open311.storage.tables import feedback, publication, published_department, service_request


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFacts:
    """What counts need of a public request.

    closed_at  None while it is open
    answers    attribute code -> values, of the attributes that the service asked for
    is_merged  whether it was merged into another request
    cell       x and y of the smallest cell of the map; None without a point
    supporters  how many people say "me too"
    feedback   what the reporter has answered after the last closing; "" for no answer, None if nobody was asked
    """

    number: int
    service_code: str
    department: str
    areas: tuple[str, ...]
    requested_at: datetime
    closed_at: datetime | None
    expected_at: datetime | None
    answers: Mapping[str, Sequence[str]]
    is_merged: bool
    cell: tuple[int, int] | None
    supporters: int
    feedback: str | None


def load_facts(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> list[PublicFacts]:
    """The facts of those of the requests that are public."""
    shown, stored, said = publication.c, service_request.c, feedback.c
    is_same = and_(shown.jurisdiction_id == stored.jurisdiction_id, shown.id == stored.id)
    is_about = and_(said.jurisdiction_id == shown.jurisdiction_id, said.request_id == shown.id)
    people = supporters.count(connection, jurisdiction_id, numbers)
    found = connection.execute(
        select(
            shown.id,
            shown.service_code,
            published_department.label("department"),
            shown.areas,
            shown.requested_at,
            shown.status,
            shown.updated_at,
            shown.point.is_not(None).label("has_point"),
            cell_x(shown.long, CELL_ZOOMS[-1]).label("x"),
            cell_y(shown.lat, CELL_ZOOMS[-1]).label("y"),
            stored.expected_at,
            stored.answers,
            stored.merged_into,
            said.answer,
        )
        .join_from(publication, service_request, is_same)
        .outerjoin(feedback, is_about)
        .where(
            shown.jurisdiction_id == jurisdiction_id,
            shown.id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            shown.visibility == Visibility.PUBLIC,
        )
    )
    return [
        PublicFacts(
            number=row.id,
            service_code=row.service_code,
            department=row.department,
            areas=tuple(row.areas),
            requested_at=row.requested_at,
            closed_at=row.updated_at if row.status == "closed" else None,
            expected_at=row.expected_at,
            answers={item["code"]: item["values"] for item in row.answers if item.get("is_asked", True)},
            is_merged=row.merged_into != 0,
            cell=(row.x, row.y) if row.has_point else None,
            supporters=people.get(row.id, 0),
            feedback=row.answer,
        )
        for row in found
    ]
