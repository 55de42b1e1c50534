"""Notices of cities, as rows."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from open311.domain.city_notices import Category, CityNotice, NoticeText, Severity
from open311.storage.tables import city_notice

_MOST_KEPT = 5_000
"""A cap on the rows of `open_ones` and `unexpired`, far above what the cities of one server have."""


def lock(connection: Connection, jurisdiction_id: str) -> None:
    """Let no other transaction add a notice to the city until this one ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"notices:{jurisdiction_id}", 0))))


def add(connection: Connection, new: CityNotice) -> CityNotice:
    """Store a new notice. Returns it with its number."""
    number = connection.execute(insert(city_notice).values(_values(new)).returning(city_notice.c.id)).scalar_one()
    return replace(new, number=number)


def save(connection: Connection, changed: CityNotice) -> None:
    """Store a changed notice."""
    columns = city_notice.c
    connection.execute(
        update(city_notice)
        .where(columns.jurisdiction_id == changed.jurisdiction_id, columns.id == changed.number)
        .values(_values(changed))
    )


def load(
    connection: Connection, jurisdiction_id: str, number: int, *, is_locked: bool = False
) -> CityNotice | None:
    """One notice of a city; None if there is none with this number."""
    columns = city_notice.c
    query = select(city_notice).where(columns.jurisdiction_id == jurisdiction_id, columns.id == number)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _notice(row)


def open_ones(connection: Connection, now: datetime, jurisdiction_id: str | None = None) -> list[CityNotice]:
    """The notices that are valid or planned, of one city or of all."""
    columns = city_notice.c
    query = select(city_notice).where(columns.ends_at > now, columns.ended_at.is_(None))
    if jurisdiction_id is not None:
        query = query.where(columns.jurisdiction_id == jurisdiction_id)
    query = query.order_by(columns.jurisdiction_id, columns.id).limit(_MOST_KEPT)
    return [_notice(row) for row in connection.execute(query)]


def unexpired(connection: Connection, jurisdiction_id: str, now: datetime) -> list[CityNotice]:
    """The notices of a city that have begun and whose `ends_at` has not come, also those that staff ended early."""
    columns = city_notice.c
    query = (
        select(city_notice)
        .where(columns.jurisdiction_id == jurisdiction_id, columns.ends_at > now, columns.starts_at <= now)
        .order_by(columns.id.desc())
        .limit(_MOST_KEPT)
    )
    return [_notice(row) for row in connection.execute(query)]


def page(
    connection: Connection,
    jurisdiction_id: str,
    *,
    rows: int,
    before: int | None = None,
    begun_by: datetime | None = None,
) -> list[CityNotice]:
    """Notices of a city, the newest first.

    before    only notices with lower numbers
    begun_by  only notices that the public could read at some time up to this instant
    """
    columns = city_notice.c
    query = select(city_notice).where(columns.jurisdiction_id == jurisdiction_id)
    if before is not None:
        query = query.where(columns.id < before)
    if begun_by is not None:
        query = query.where(columns.starts_at <= func.least(begun_by, func.coalesce(columns.ended_at, begun_by)))
    return [_notice(row) for row in connection.execute(query.order_by(columns.id.desc()).limit(rows))]


def _values(one: CityNotice) -> dict[str, Any]:
    values: dict[str, Any] = {
        field.name: getattr(one, field.name) for field in fields(CityNotice) if field.name != "number"
    }
    return values | {
        "texts": [asdict(text) for text in one.texts],
        "service_codes": list(one.service_codes),
        "category": one.category.value,
        "severity": one.severity.value,
        "sent_at": list(one.sent_at),
    }


def _notice(row: Row[Any]) -> CityNotice:
    values = dict(row._mapping)
    own = {name: value for name, value in values.items() if name != "id"}
    return CityNotice(
        **own
        | {
            "number": values["id"],
            "texts": tuple(NoticeText(**text) for text in values["texts"]),
            "service_codes": tuple(values["service_codes"]),
            "category": Category(values["category"]),
            "severity": Severity(values["severity"]),
            "sent_at": tuple(values["sent_at"]),
        }
    )
