"""Editions. An edition identifies the names and the renderer with which a city's publications are rendered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from open311.storage.tables import edition, publication


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A jurisdiction's edition. `rendered_until` is the number of the last request that was rendered with it."""

    jurisdiction_id: str
    edition: str
    rendered_until: int
    begun_at: datetime
    finished_at: datetime | None


def begin_edition(
    connection: Connection, jurisdiction_id: str, name: str, now: datetime, *, is_finished: bool
) -> bool:
    """Make `name` the edition with which all publications have to be rendered. Returns False if it already is.

    is_finished  whether there is nothing to render
    """
    row = {"edition": name, "rendered_until": 0, "begun_at": now, "finished_at": now if is_finished else None}
    statement = (
        insert(edition)
        .values(jurisdiction_id=jurisdiction_id, **row)
        .on_conflict_do_update(index_elements=["jurisdiction_id"], set_=row, where=edition.c.edition != name)
        .returning(edition.c.jurisdiction_id)
    )
    return connection.execute(statement).one_or_none() is not None


def restart_edition(connection: Connection, jurisdiction_id: str, now: datetime) -> None:
    """Mark all publications to be rendered again."""
    connection.execute(
        update(edition)
        .where(edition.c.jurisdiction_id == jurisdiction_id)
        .values(rendered_until=0, begun_at=now, finished_at=None)
    )


def lock_edition(connection: Connection, jurisdiction_id: str) -> Edition | None:
    """The unfinished edition, locked until the transaction ends; None if there is none."""
    row = connection.execute(
        select(edition)
        .where(edition.c.jurisdiction_id == jurisdiction_id, edition.c.finished_at.is_(None))
        .with_for_update()
    ).one_or_none()
    return None if row is None else Edition(**row._mapping)


def advance_edition(connection: Connection, jurisdiction_id: str, until: int) -> None:
    """Store the progress: all requests up to number `until` are rendered."""
    connection.execute(
        update(edition).where(edition.c.jurisdiction_id == jurisdiction_id).values(rendered_until=until)
    )


def finish_edition(connection: Connection, jurisdiction_id: str, now: datetime) -> None:
    """Store that all requests are rendered."""
    connection.execute(update(edition).where(edition.c.jurisdiction_id == jurisdiction_id).values(finished_at=now))


def list_editions(connection: Connection) -> list[Edition]:
    """Every jurisdiction's edition."""
    rows = connection.execute(select(edition).order_by(edition.c.jurisdiction_id))
    return [Edition(**row._mapping) for row in rows]


def count_rendered(connection: Connection, current: Edition) -> tuple[int, int]:
    """How many publications an edition has rendered, and how many there are."""
    is_done = publication.c.id <= current.rendered_until
    row = connection.execute(
        select(func.count().filter(is_done), func.count()).where(
            publication.c.jurisdiction_id == current.jurisdiction_id
        )
    ).one()
    return (row[1], row[1]) if current.finished_at else (row[0], row[1])
