"""Whether a pooler of connections, such as PgBouncer, is between the server and PostgreSQL, and how it is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from open311.errors import Misconfigured

POOLED = (
    "DATABASE_URL names a pooler, such as PgBouncer. Set OPEN311_DIRECT_DATABASE_URL to the address of PostgreSQL"
    " itself, for the worker and for commands."
)
UNPREPARED = "A pooler of transactions loses prepared statements. Set OPEN311_PREPARE_STATEMENTS=false."
_SAME = {"timezone": {"Etc/UTC": "UTC"}}
"""Values of settings that mean the same as others."""


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler answers at the address of this connection.

    A client gets a process id, for cancelling. A pooler invents this id, so it differs from the id of the backend
    that runs the statements.
    """
    raw: Any = connection.connection.driver_connection
    told: int = raw.info.backend_pid
    pid: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return pid != told


def unmet_settings(connection: Connection, wanted: Mapping[str, str]) -> dict[str, str]:
    """The settings that do not have the wanted value in the session of a statement, each with its actual value."""
    rows = connection.execute(
        text("SELECT lower(name), setting FROM pg_settings WHERE lower(name) = ANY(:names)"),
        {"names": list(wanted)},
    )
    found = {name: _SAME.get(name, {}).get(value, value) for name, value in rows}
    return {name: found.get(name, "") for name, value in wanted.items() if found.get(name) != value}


def database_identity(connection: Connection) -> tuple[int, int]:
    """What a database has in common with no other: the cluster's identifier, and its own number in the cluster."""
    row = connection.execute(
        text(
            "SELECT system_identifier, pg_database.oid::bigint FROM pg_control_system(), pg_database"
            " WHERE datname = current_database()"
        )
    ).one()
    return row.system_identifier, row.oid


def refuse_pooler(connection: Connection) -> None:
    """Raises Misconfigured if a pooler answers at the address of this connection.

    Behind a pooler of transactions LISTEN hears nothing, and what a session sets is lost or changes other sessions.
    """
    if is_pooled(connection):
        raise Misconfigured(POOLED)
