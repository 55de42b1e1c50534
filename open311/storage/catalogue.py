"""The cities' catalogues in the database. They hold names, retired services, and the changeset for discovery."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
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
"""The number of the advisory lock of catalogues and overrides."""


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """How a stored catalogue has changed. Each part is a list of codes.

    is_new    whether the city had no stored catalogue before
    changed   services with a new name or a new group
    retired   services that the catalogue does not have any more
    departed  departments that the catalogue does not have any more
    """

    jurisdiction_id: str
    is_new: bool
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    new_departments: tuple[str, ...] = ()
    departed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for the operator: the city, and what has changed."""
        services = f"{len(self.added)} service{'s' * (len(self.added) != 1)}"
        departments = f"{len(self.new_departments)} department{'s' * (len(self.new_departments) != 1)}"
        if self.is_new:
            return f"{self.jurisdiction_id}: new, with {services} and {departments}"
        parts = {
            "new services": self.added,
            "changed services": self.changed,
            "retired services": self.retired,
            "new departments": self.new_departments,
            "departments that it has no more": self.departed,
        }
        texts = [f"{name} {_some(codes)}" for name, codes in parts.items() if codes]
        return f"{self.jurisdiction_id}: {'; '.join(texts) or 'texts of the catalogue'}"


def _some(codes: tuple[str, ...], most: int = 12) -> str:
    more = f" and {len(codes) - most} more" if len(codes) > most else ""
    return ", ".join(codes[:most]) + more


def catalogue_digest(parts: Any) -> str:
    """A digest of `parts`. If it changes, the changeset changes too."""
    options = (
        orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    )  # orjson would not sort the fields of a dataclass
    return hashlib.sha256(orjson.dumps(parts, option=options, default=_fields)).hexdigest()


def _fields(item: Any) -> dict[str, Any]:
    """A dataclass's values by field name, without the defaults of fields that are marked as `ADDED`."""
    values = {field.name: getattr(item, field.name) for field in fields(item)}  # `asdict` would also copy them
    for field in fields(item):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if field.metadata.get("is_added") and values[field.name] == default:
            del values[field.name]
    return values


def lock_catalogues(connection: Connection) -> None:
    """Take the lock of catalogues and overrides until the transaction ends. Waits until nobody else has it."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def write_catalogue(
    connection: Connection,
    jurisdiction_id: str,
    *,
    name: str,
    digest: str,
    departments: Iterable[Department],
    services: Iterable[Service],
    now: datetime,
) -> CatalogueChange | None:
    """Store a jurisdiction's catalogue. Returns None if the same catalogue is stored already.

    A service that the catalogue no longer has stays stored as retired, because requests refer to it (A69). An
    inactive or replaced service is stored as retired, too. Each change raises the changeset, even if two changes
    come within a second.
    """
    lock_catalogues(connection)
    stored = connection.execute(
        select(jurisdiction.c.digest, jurisdiction.c.changeset).where(
            jurisdiction.c.jurisdiction_id == jurisdiction_id
        )
    ).one_or_none()
    if stored is not None and stored.digest == digest:
        return None
    departments, services = list(departments), list(services)
    change = _change(connection, jurisdiction_id, departments, services, is_new=stored is None)
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
                "is_active": item.is_current,
            }
            for item in services
        ],
        ["jurisdiction_id", "code"],
    )
    return change


def _change(
    connection: Connection,
    jurisdiction_id: str,
    departments: list[Department],
    services: list[Service],
    *,
    is_new: bool,
) -> CatalogueChange:
    """The differences from the stored catalogue. `departed` has all former departments, which stay stored."""
    columns = service.c
    rows = connection.execute(
        select(columns.code, columns.name, columns.group_name, columns.is_active).where(
            columns.jurisdiction_id == jurisdiction_id
        )
    )
    listed = {row.code: (row.name, row.group_name) for row in rows if row.is_active}
    wanted = {item.code: (item.name, item.group) for item in services if item.is_current}
    kept = stored_departments(connection, jurisdiction_id)
    named = [item.code for item in departments]
    return CatalogueChange(
        jurisdiction_id,
        is_new,
        added=tuple(code for code in wanted if code not in listed),
        changed=tuple(code for code, shown in wanted.items() if code in listed and listed[code] != shown),
        retired=tuple(code for code in listed if code not in wanted),
        new_departments=tuple(code for code in named if code not in kept),
        departed=tuple(sorted(kept - set(named))),
    )


def stored_departments(connection: Connection, jurisdiction_id: str) -> set[str]:
    """Codes of all departments that a catalogue of the city has ever had."""
    rows = connection.execute(select(department.c.code).where(department.c.jurisdiction_id == jurisdiction_id))
    return set(rows.scalars())


def is_stored(connection: Connection, jurisdiction_id: str, digest: str) -> bool:
    """Whether the catalogue with this digest is the stored one."""
    found = connection.execute(
        select(jurisdiction.c.digest).where(jurisdiction.c.jurisdiction_id == jurisdiction_id)
    )
    return found.scalar_one_or_none() == digest


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
