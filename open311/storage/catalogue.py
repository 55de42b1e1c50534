"""The cities' catalogues in the database. They hold names, retired services, and the changeset for discovery."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert

from open311.domain.services import Department, Service
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.statements import Statement
from open311.storage.tables import department, jurisdiction, service

_LOCK = 3_110_002


def catalogue_digest(parts: Any) -> str:
    """A digest of `parts`. If it changes, the changeset changes too."""
    options = (
        orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    )  # orjson itself would not sort a dataclass's fields
    return hashlib.sha256(orjson.dumps(parts, option=options, default=_fields)).hexdigest()


def _fields(item: Any) -> dict[str, Any]:
    """A dataclass's values by field name. `asdict` would also copy them."""
    return {field.name: getattr(item, field.name) for field in fields(item)}


def write_catalogue(
    connection: Connection,
    jurisdiction_id: str,
    *,
    name: str,
    digest: str,
    departments: Iterable[Department],
    services: Iterable[Service],
    now: datetime,
) -> bool:
    """Store a jurisdiction's catalogue. Returns False if the same catalogue is stored already.

    A service that the catalogue no longer has is kept as retired, because requests refer to it (A69). Each change
    raises the changeset, even two changes within a second.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    stored = connection.execute(
        select(jurisdiction.c.digest, jurisdiction.c.changeset).where(
            jurisdiction.c.jurisdiction_id == jurisdiction_id
        )
    ).one_or_none()
    if stored is not None and stored.digest == digest:
        return False
    changeset = now if stored is None else max(now, stored.changeset + timedelta(seconds=1))
    row = {"jurisdiction_id": jurisdiction_id, "name": name, "digest": digest, "changeset": changeset}
    _upsert(connection, jurisdiction, [row], ["jurisdiction_id"])
    connection.execute(update(service).where(service.c.jurisdiction_id == jurisdiction_id).values(is_active=False))
    _upsert(
        connection,
        department,
        [{"jurisdiction_id": jurisdiction_id, "code": item.code, "name": item.name} for item in departments],
        ["jurisdiction_id", "code"],
    )
    _upsert(
        connection,
        service,
        [
            {
                "jurisdiction_id": jurisdiction_id,
                "code": item.code,
                "name": item.name,
                "group_name": item.group,
                "is_active": True,
            }
            for item in services
        ],
        ["jurisdiction_id", "code"],
    )
    return True


def read_changesets(hot: HotConnections) -> Mapping[str, datetime]:
    """The time of each catalogue's last change, by jurisdiction id."""
    return dict(hot.rows(_changesets(), {}))


@cache
def _changesets() -> Statement:
    return Statement.of(select(jurisdiction.c.jurisdiction_id, jurisdiction.c.changeset), is_prepared=True)


def read_service_names(connection: Connection, jurisdiction_id: str) -> Mapping[str, str]:
    """Names of all services by code, including retired ones."""
    rows = connection.execute(
        select(service.c.code, service.c.name).where(service.c.jurisdiction_id == jurisdiction_id)
    )
    return {row.code: row.name for row in rows}


def add_retired_services(connection: Connection, jurisdiction_id: str, names: Mapping[str, str]) -> None:
    """Store retired services for imported requests. Services that are stored already do not change."""
    rows = [
        {"jurisdiction_id": jurisdiction_id, "code": code, "name": name, "is_active": False}
        for code, name in names.items()
    ]
    if rows:
        connection.execute(insert(service).on_conflict_do_nothing(), rows)


def _upsert(connection: Connection, table: Any, rows: list[dict[str, Any]], key: list[str]) -> None:
    if not rows:
        return
    statement = insert(table)
    changes = {column: statement.excluded[column] for column in rows[0] if column not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), rows)
