"""How often suggested services are chosen. A row counts reports, and says nothing about any one of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from open311.domain.requests import Visibility
from open311.storage.tables import publication, suggestion_count


class Outcome(NamedTuple):
    """A service that was suggested before a report, its rank from 1, and whether the report was sent to it."""

    service_code: str
    rank: int
    is_chosen: bool


def add(connection: Connection, jurisdiction_id: str, outcomes: Iterable[Outcome]) -> None:
    """Count the outcomes of one report. Rows are locked in the order of their keys, so there are no deadlocks."""
    rows = [{"jurisdiction_id": jurisdiction_id, **one._asdict(), "reports": 1} for one in sorted(set(outcomes))]
    if rows:
        statement = insert(suggestion_count).values(rows)
        counted = {"reports": suggestion_count.c.reports + statement.excluded.reports}
        keys = suggestion_count.primary_key.columns
        connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=counted))


def counts(connection: Connection, jurisdiction_id: str) -> dict[Outcome, int]:
    """How many reports each outcome has had, in the order of the keys."""
    table = suggestion_count.c
    found = select(table.service_code, table.rank, table.is_chosen, table.reports)
    rows = connection.execute(
        found.where(table.jurisdiction_id == jurisdiction_id).order_by(
            table.service_code, table.rank, table.is_chosen
        )
    )
    return {Outcome(row.service_code, row.rank, row.is_chosen): row.reports for row in rows}


def published_texts(connection: Connection, jurisdiction_id: str, most: int) -> list[tuple[str, str]]:
    """Service code and public description of the newest public requests that have one, the newest first."""
    table = publication.c
    description = cast(table.json, JSONB)["description"].astext
    found = (
        select(table.service_code, description.label("description"))
        .where(table.jurisdiction_id == jurisdiction_id, table.visibility == Visibility.PUBLIC.value)
        .where(func.coalesce(description, "") != "")
        .order_by(table.requested_at.desc(), table.id.desc())
        .limit(most)
    )
    return [(row.service_code, row.description) for row in connection.execute(found)]
