"""The tables of neighbours and of their catalogues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.domain.remotes import PullState, Remote, RemoteService
from open311.storage.tables import delivery, external_id, remote, remote_name, remote_service, service_request

Key = tuple[str, str]
"""A jurisdiction_id, and the name of one of its neighbours."""


def load_all(connection: Connection) -> list[Remote]:
    """All neighbours of all cities."""
    columns = [remote.c[field.name] for field in fields(Remote)]
    rows = connection.execute(select(*columns).order_by(remote.c.jurisdiction_id, remote.c.name))
    return [_remote(dict(row._mapping)) for row in rows]


def load(connection: Connection, key: Key) -> Remote | None:
    """One neighbour, locked until the transaction ends; None if there is none."""
    query = select(*(remote.c[field.name] for field in fields(Remote))).where(*_is(key))
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else _remote(dict(row._mapping))


def save(connection: Connection, one: Remote, now: datetime) -> None:
    """Store a neighbour. If it is new, or was not pulled before and is to be pulled now, its pull is due now."""
    values = {field.name: getattr(one, field.name) for field in fields(Remote)}
    lists = ("areas", "services", "shared", "abilities")
    values |= {name: list(values[name]) for name in lists} | {"codes": dict(one.codes)}
    row = pg_insert(remote).values(**values, pull_due_at=now)
    key = ["jurisdiction_id", "name"]
    begins = row.excluded.pulls & ~remote.c.pulls
    changes = {name: row.excluded[name] for name in values if name not in key} | {
        "pull_due_at": case((begins, row.excluded.pull_due_at), else_=remote.c.pull_due_at)
    }
    connection.execute(row.on_conflict_do_update(index_elements=key, set_=changes))


def remove(connection: Connection, key: Key) -> bool:
    """Delete a neighbour. Returns False if there is none."""
    return connection.execute(delete(remote).where(*_is(key))).rowcount > 0


def bind_name(connection: Connection, key: Key, federation_id: str, *, is_moved: bool = False) -> bool:
    """Bind the name of a neighbour to a server. Returns False if the name belongs to another server or back end.

    is_moved  whether the operator says that the server has only moved and is still the same. The name is then bound
              to the new federation_id
    """
    columns = remote_name.c
    own = (columns.jurisdiction_id == key[0], columns.name == key[1])
    bound = connection.execute(select(columns.federation_id).where(*own).with_for_update()).scalar_one_or_none()
    if bound is None:
        ids = select(external_id.c.system).where(
            external_id.c.jurisdiction_id == key[0], external_id.c.system == key[1]
        )
        sent = select(delivery.c.backend).where(delivery.c.jurisdiction_id == key[0], delivery.c.backend == key[1])
        if connection.execute(select(ids.exists() | sent.exists())).scalar_one():
            return False
        values = {"jurisdiction_id": key[0], "name": key[1], "federation_id": federation_id}
        connection.execute(pg_insert(remote_name).values(values))
    elif bound != federation_id and is_moved:
        connection.execute(update(remote_name).where(*own).values(federation_id=federation_id))
    return bound in (None, federation_id) or is_moved


def load_services(connection: Connection, key: Key) -> list[RemoteService]:
    """The services of a neighbour, also retired ones."""
    columns = remote_service.c
    rows = connection.execute(
        select(columns.code, columns.name, columns.group_name, columns.type, columns.retired_at)
        .where(columns.jurisdiction_id == key[0], columns.remote == key[1])
        .order_by(columns.code)
    )
    return [RemoteService(*row) for row in rows]


def load_codes(connection: Connection) -> dict[Key, frozenset[str]]:
    """The codes of the services that each neighbour has now."""
    columns = remote_service.c
    query = select(columns.jurisdiction_id, columns.remote, columns.code).where(columns.retired_at.is_(None))
    found: dict[Key, set[str]] = {}
    for row in connection.execute(query):
        found.setdefault((row.jurisdiction_id, row.remote), set()).add(row.code)
    return {key: frozenset(codes) for key, codes in found.items()}


def save_services(connection: Connection, key: Key, found: Iterable[RemoteService], now: datetime) -> None:
    """Store the catalogue of a neighbour. Services that are not in it any more are retired."""
    columns = remote_service.c
    rows = [
        {
            "jurisdiction_id": key[0],
            "remote": key[1],
            "code": one.code,
            "name": one.name,
            "group_name": one.group,
            "type": one.type,
            "first_seen_at": now,
            "retired_at": None,
        }
        for one in found
    ]
    if rows:
        row = pg_insert(remote_service)
        changes = {name: row.excluded[name] for name in ("name", "group_name", "type", "retired_at")}
        keys = ["jurisdiction_id", "remote", "code"]
        connection.execute(row.on_conflict_do_update(index_elements=keys, set_=changes), rows)
    connection.execute(
        update(remote_service)
        .where(columns.jurisdiction_id == key[0], columns.remote == key[1], columns.retired_at.is_(None))
        .where(columns.code.not_in([row["code"] for row in rows]))
        .values(retired_at=now)
    )
    connection.execute(update(remote).where(*_is(key)).values(synced_at=now))


def load_pull(connection: Connection, key: Key) -> PullState:
    """How far a neighbour's requests have been read."""
    row = connection.execute(select(*_pull_columns()).where(*_is(key))).one_or_none()
    return PullState() if row is None else PullState(**row._mapping)


def save_pull(connection: Connection, key: Key, state: PullState) -> None:
    """Store how far a neighbour's requests have been read, and end the lease."""
    values = {_PULL[field.name]: getattr(state, field.name) for field in fields(PullState)}
    connection.execute(update(remote).where(*_is(key)).values(**values, pull_leased_until=None))


def due_pulls(connection: Connection, now: datetime) -> list[Key]:
    """The neighbours whose requests must be read now, the one that is due longest first."""
    columns = remote.c
    query = select(columns.jurisdiction_id, columns.name).where(
        columns.pulls, columns.pull_due_at <= now, _is_free(now)
    )
    return [(row.jurisdiction_id, row.name) for row in connection.execute(query.order_by(columns.pull_due_at))]


def claim_pull(
    connection: Connection, key: Key, now: datetime, *, until: datetime, is_due: bool
) -> PullState | None:
    """Lease a neighbour, so that nobody else reads it. Returns None if it is not pulled, or somebody reads it.

    is_due  lease the neighbour only if it is due
    """
    query = update(remote).where(*_is(key), remote.c.pulls, _is_free(now))
    if is_due:
        query = query.where(remote.c.pull_due_at <= now)
    claim = query.values(pull_leased_until=until).returning(*_pull_columns())
    row = connection.execute(claim).one_or_none()
    return None if row is None else PullState(**row._mapping)


def extend_lease(connection: Connection, key: Key, until: datetime) -> None:
    """Let the lease of a neighbour end at `until` instead."""
    connection.execute(update(remote).where(*_is(key)).values(pull_leased_until=until))


def end_pause(connection: Connection, key: Key, until: datetime) -> None:
    """If the requests of a neighbour could not be read, let the next try begin at `until` at the latest."""
    columns = remote.c
    paused = update(remote).where(*_is(key), columns.pull_failures > 0, columns.pull_due_at > until)
    connection.execute(paused.values(pull_due_at=until))


def copies(connection: Connection, key: Key, *, since: datetime | None = None) -> dict[str, int]:
    """The numbers of the requests that were pulled from a neighbour and are shown, by the neighbour's ids.

    since  only requests that were reported from this time on; None for all
    """
    columns, stored = external_id.c, service_request.c
    query = (
        select(columns.external_id, columns.request_id)
        .join(
            service_request,
            (stored.jurisdiction_id == columns.jurisdiction_id) & (stored.id == columns.request_id),
        )
        .where(columns.jurisdiction_id == key[0], columns.system == key[1])
        .where(stored.source == "remote", stored.visibility == "public")
    )
    if since is not None:
        query = query.where(stored.requested_at >= since)
    return {row.external_id: row.request_id for row in connection.execute(query)}


_PULL = {
    "until": "pulled_until",
    "at": "pulled_at",
    "due_at": "pull_due_at",
    "asked": "pull_asked",
    "failures": "pull_failures",
    "cause": "cause",
}


def _pull_columns() -> list[ColumnElement[Any]]:
    return [remote.c[column].label(name) for name, column in _PULL.items()]


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Whether nobody reads a neighbour now."""
    return remote.c.pull_leased_until.is_(None) | (remote.c.pull_leased_until <= now)


def _is(key: Key) -> tuple[Any, Any]:
    return remote.c.jurisdiction_id == key[0], remote.c.name == key[1]


def _remote(values: dict[str, Any]) -> Remote:
    lists = ("areas", "services", "shared", "abilities")
    return Remote(**values | {name: tuple(values[name]) for name in lists})
