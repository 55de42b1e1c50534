"""What back ends keep for themselves, as rows."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from open311.storage.deliveries import Place
from open311.storage.tables import backend_value


def load(connection: Connection, place: Place, name: str) -> str:
    """A value of a back end; "" if there is none."""
    columns = backend_value.c
    query = select(columns.value).where(
        columns.jurisdiction_id == place[0], columns.backend == place[1], columns.name == name
    )
    return connection.execute(query).scalar_one_or_none() or ""


def save(connection: Connection, place: Place, name: str, value: str) -> None:
    """Store a value of a back end; "" removes it."""
    columns = backend_value.c
    keys = {"jurisdiction_id": place[0], "backend": place[1], "name": name}
    if not value:
        wanted = (columns[key] == part for key, part in keys.items())
        connection.execute(delete(backend_value).where(*wanted))
        return
    statement = pg_insert(backend_value).values(keys | {"value": value})
    connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_={"value": value}))
