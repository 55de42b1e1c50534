"""The tables of updates of back offices, and of how far the updates of each back office have been read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Row,
    Select,
    Text,
    Update,
    any_,
    bindparam,
    case,
    delete,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from open311.domain.remote_updates import UNDERSTOOD, StoredUpdate, UpdateState
from open311.storage.deliveries import Place
from open311.storage.tables import destination, external_id, remote_update, service_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The state of reading the updates of a back office.

    cursor    the back end's own value; "" for none
    due_at    when the next reading is due; during a reading, when its lease ends
    failures  how many tries in a row have failed; `cause` says why the last one did
    """

    cursor: str = ""
    pulled_at: datetime | None = None
    due_at: datetime | None = None
    failures: int = 0
    cause: str = ""


def add(connection: Connection, new: Iterable[StoredUpdate]) -> int:
    """Store updates whose update_id is not stored yet for the same case, and return their number.

    The case matters, because some back offices count the updates of each case from 1.

    If another transaction is storing the same update, this one waits until the other one ends.
    """
    rows = [_values(one) for one in new]
    return len(connection.execute(_add(), rows).all()) if rows else 0


@cache
def _add() -> ReturningInsert[Any]:
    known = ["jurisdiction_id", "backend", "update_id", "remote_id", "reference"]
    return insert(remote_update).on_conflict_do_nothing(index_elements=known).returning(remote_update.c.id)


def save(connection: Connection, changed: StoredUpdate) -> None:
    """Store the result of an update. The caller must have locked it."""
    save_all(connection, [changed])


def save_all(connection: Connection, changed: Sequence[StoredUpdate]) -> None:
    """Store the results of updates. The caller must have locked them."""
    rows = [
        {f"new_{name}": value for name, value in _values(one).items() if name in _CHANGING}
        | {"of_city": one.jurisdiction_id, "of_id": one.id}
        for one in changed
    ]
    if rows:
        connection.execute(_save_all(), rows)


@cache
def _save_all() -> Update:
    columns = remote_update.c
    return (
        update(remote_update)
        .where(columns.jurisdiction_id == bindparam("of_city"), columns.id == bindparam("of_id"))
        .values({name: bindparam(f"new_{name}") for name in _CHANGING})
    )


def next_due(connection: Connection, jurisdiction_id: str, now: datetime) -> StoredUpdate | None:
    """The next update to apply, locked; None if none is due, or if all are locked."""
    return next(iter(all_due(connection, jurisdiction_id, now, rows=1)), None)


def all_due(connection: Connection, jurisdiction_id: str, now: datetime, *, rows: int) -> list[StoredUpdate]:
    """The next updates to apply, locked, in their order. Those that others have locked are left out."""
    columns = remote_update.c
    query = (
        _all()
        .where(columns.jurisdiction_id == jurisdiction_id, columns.due_at <= now)
        .order_by(columns.due_at, columns.id)
        .limit(literal_column(str(rows)))
        .with_for_update(skip_locked=True)
    )
    return [_stored(row) for row in connection.execute(query)]


def due_cities(connection: Connection, now: datetime) -> set[str]:
    """The jurisdiction_ids of the cities that have updates to apply now."""
    columns = remote_update.c
    query = select(columns.jurisdiction_id).where(columns.due_at <= now).distinct()
    return set(connection.execute(query).scalars())


def load(connection: Connection, jurisdiction_id: str, id: int, *, is_locked: bool = False) -> StoredUpdate | None:
    """One update, or None."""
    query = _all().where(remote_update.c.jurisdiction_id == jurisdiction_id, remote_update.c.id == id)
    row = connection.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _stored(row)


def understood(connection: Connection, place: Place, number: int) -> list[StoredUpdate]:
    """The updates of a request by one back office that have a state of UNDERSTOOD."""
    return understood_of(connection, place, [number])


def understood_of(connection: Connection, place: Place, numbers: Sequence[int]) -> list[StoredUpdate]:
    """The updates of some requests by one back office that have a state of UNDERSTOOD."""
    columns = remote_update.c
    query = _all().where(
        columns.jurisdiction_id == place[0],
        columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
        columns.backend == place[1],
        columns.state.in_([state.value for state in UNDERSTOOD]),
    )
    return [_stored(row) for row in connection.execute(query)]


def last_snapshot(connection: Connection, place: Place, remote_id: str) -> StoredUpdate | None:
    """The last snapshot of a case in a back office; None if there is none."""
    columns = remote_update.c
    query = (
        _all()
        .where(
            columns.jurisdiction_id == place[0],
            columns.backend == place[1],
            columns.remote_id == remote_id,
            columns.is_snapshot,
        )
        .order_by(columns.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _stored(row)


def quarantined(
    connection: Connection, jurisdiction_id: str, *, backend: str = "", after: int = 0, rows: int = 100
) -> list[StoredUpdate]:
    """The updates in quarantine, by id, with the updates of unknown requests that will be tried again.

    backend  only updates of this back end; "" for all
    after    only updates with a larger id
    """
    columns = remote_update.c
    query = (
        _all()
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.state == UpdateState.QUARANTINED.value,
            columns.id > after,
            *([columns.backend == backend] if backend else ()),
        )
        .order_by(columns.id)
        .limit(rows)
    )
    return [_stored(row) for row in connection.execute(query)]


def adopt_cases(connection: Connection, place: Place, remote_ids: Sequence[str], now: datetime) -> None:
    """Link the updates of these cases to their requests, which are known now. The quarantined updates become due.

    Updates that could not be read stay in quarantine.
    """
    columns, ids = remote_update.c, external_id.c
    is_due = (columns.state == UpdateState.QUARANTINED.value) & ~columns.is_unreadable
    connection.execute(
        update(remote_update)
        .where(
            columns.jurisdiction_id == place[0],
            columns.backend == place[1],
            columns.remote_id == any_(bindparam(None, list(remote_ids), ARRAY(Text))),
            columns.request_id.is_(None),
        )
        .where(
            ids.jurisdiction_id == columns.jurisdiction_id,
            ids.system == columns.backend,
            ids.external_id == columns.remote_id,
        )
        .values(request_id=ids.request_id, due_at=case((is_due, now), else_=columns.due_at))
    )


def blank_texts(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the texts and causes of the updates from back offices, and return how many updates had some."""
    return _blank(connection, jurisdiction_id, numbers, description="", cause="")


def blank_media(connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> int:
    """Erase the addresses of pictures in updates from back offices, and return how many updates had some."""
    return _blank(connection, jurisdiction_id, numbers, media_urls=[])


def _blank(connection: Connection, jurisdiction_id: str, numbers: Sequence[int], **values: Any) -> int:
    columns = remote_update.c
    return connection.execute(
        update(remote_update)
        .where(
            columns.jurisdiction_id == jurisdiction_id,
            columns.request_id == any_(bindparam(None, list(numbers), ARRAY(BigInteger))),
            or_(*(columns[name] != value for name, value in values.items())),
        )
        .values(values)
    ).rowcount


def delete_old(connection: Connection, before: datetime) -> int:
    """Delete updates that came before an instant, and return their number.

    Updates of open requests stay, because later updates are compared with them. Updates that will be tried again
    stay too.
    """
    columns, stored = remote_update.c, service_request.c
    is_open = (
        select(stored.id)
        .where(
            stored.jurisdiction_id == columns.jurisdiction_id,
            stored.id == columns.request_id,
            stored.status == "open",
        )
        .exists()
    )
    old = delete(remote_update).where(columns.received_at < before, columns.due_at.is_(None), ~is_open)
    return connection.execute(old).rowcount


# --- Where the next updates are read


def load_pull(connection: Connection, place: Place) -> Pull:
    """The state of reading the updates of a back office; a new one if nothing is stored."""
    row = connection.execute(_pull_of(place)).one_or_none()
    return Pull() if row is None else Pull(**row._mapping)


def claim_pull(connection: Connection, place: Place, now: datetime) -> Pull | None:
    """Like `load_pull`, with a lock. Returns None if no reading is due, or if another worker is reading."""
    connection.execute(
        insert(destination)
        .values(jurisdiction_id=place[0], backend=place[1])
        .on_conflict_do_nothing(index_elements=["jurisdiction_id", "backend"])
    )
    row = connection.execute(_pull_of(place).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    found = Pull(**row._mapping)
    return found if found.due_at is None or found.due_at <= now else None


def end_pause(connection: Connection, place: Place, until: datetime) -> None:
    """If the updates of a back office could not be read, let the next try begin at `until` at the latest."""
    columns = destination.c
    own = (columns.jurisdiction_id == place[0], columns.backend == place[1])
    paused = update(destination).where(*own, columns.pull_failures > 0, columns.pull_due_at > until)
    connection.execute(paused.values(pull_due_at=until))


def save_pull(connection: Connection, place: Place, pull: Pull) -> None:
    """Store the state of reading the updates of a back office."""
    columns = destination.c
    connection.execute(
        update(destination)
        .where(columns.jurisdiction_id == place[0], columns.backend == place[1])
        .values({_COLUMNS[field.name]: getattr(pull, field.name) for field in fields(Pull)})
    )


def due_pulls(connection: Connection, places: Iterable[Place], now: datetime) -> list[Place]:
    """Which of these back ends must be asked for updates now."""
    pulls = ((place, load_pull(connection, place)) for place in places)
    return [place for place, pull in pulls if pull.due_at is None or pull.due_at <= now]


def open_cases(connection: Connection, place: Place, *, after: int, rows: int) -> list[tuple[int, str]]:
    """The numbers of open requests that a back office has, with the back office's ids, sorted by number."""
    links, requests = external_id.c, service_request.c
    same = (requests.jurisdiction_id == links.jurisdiction_id) & (requests.id == links.request_id)
    query = (
        select(links.request_id, links.external_id)
        .select_from(external_id.join(service_request, same))
        .where(
            links.jurisdiction_id == place[0],
            links.system == place[1],
            links.request_id > after,
            requests.status == "open",
        )
        .order_by(links.request_id)
        .limit(rows)
    )
    return [(row.request_id, row.external_id) for row in connection.execute(query)]


def _pull_of(place: Place) -> Select[Any]:
    columns = destination.c
    return select(*(columns[column].label(name) for name, column in _COLUMNS.items())).where(
        columns.jurisdiction_id == place[0], columns.backend == place[1]
    )


_COLUMNS = {
    "cursor": "cursor",
    "pulled_at": "pulled_at",
    "due_at": "pull_due_at",
    "failures": "pull_failures",
    "cause": "pull_cause",
}


_CHANGING = ("request_id", "version", "state", "due_at", "attempts", "cause", "description", "status", "media_urls")


def _all() -> Select[Any]:
    return select(remote_update)


def _values(one: StoredUpdate) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(StoredUpdate) if field.name != "id"}
    number = values.pop("number")
    return values | {
        "request_id": number or None,
        "state": one.state.value,
        "media_urls": list(one.media_urls),
    }


def _stored(row: Row[Any]) -> StoredUpdate:
    values = dict(row._mapping)
    values["number"] = values.pop("request_id") or 0
    values["state"] = UpdateState(values["state"])
    values["media_urls"] = tuple(values["media_urls"])
    return StoredUpdate(**values)
