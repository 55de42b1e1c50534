"""The state of the database itself: versions, indexes, tables, sessions. Nothing here writes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, Index

from open311.storage.tables import metadata

EXTENSIONS = ("postgis", "btree_gist")
_THEIRS = ("procrastinate_", "spatial_ref_sys", "alembic_version")


@dataclass(frozen=True, slots=True)
class Versions:
    """The releases of PostgreSQL and of our extensions.

    server      such as 150020 for 15.20
    extensions  name -> its release in this database ("" if it is missing), and the newest on the machine
    """

    server: int
    shown: str
    extensions: Mapping[str, tuple[str, str]]


def versions(connection: Connection) -> Versions:
    """The releases of the server and of the extensions that we need."""
    server, shown = connection.execute(
        text("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
    ).one()
    rows = connection.execute(
        text(
            "SELECT name, coalesce(installed_version, ''), coalesce(default_version, '')"
            " FROM pg_available_extensions WHERE name = ANY(:names)"
        ),
        {"names": list(EXTENSIONS)},
    )
    found = {name: (installed, newest) for name, installed, newest in rows}
    return Versions(server, shown.split()[0], {name: found.get(name, ("", "")) for name in EXTENSIONS})


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the schema that is missing, or that differs from the declaration of our tables.

    ddl  the statements that correct it without a lock on the table; empty if no statement is known
    """

    what: str
    ddl: tuple[str, ...] = ()


def differences(connection: Connection) -> list[Difference]:
    """Compare the schema with the declared tables. What an operator has added is no difference."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"include_object": _is_ours, "compare_type": True}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type 'xid8'")
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    steps = [step for group in found for step in (group if isinstance(group, list) else [group])]
    changed = {step[1].name for step in steps if step[0] == "remove_index"}
    return [_difference(step, changed) for step in steps if not step[0].startswith("remove_")] + _without_key(
        connection
    )


def _is_ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    """Whether an object is compared. Those of procrastinate and PostGIS are not."""
    return kind != "table" or not (name or "").startswith(_THEIRS)


def _difference(step: tuple[Any, ...], changed: set[str]) -> Difference:
    kind, *rest = step
    if kind == "add_index":
        index: Index = rest[0]
        ddl = str(CreateIndex(index).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        create = " ".join(ddl.split()).replace("INDEX ", "INDEX CONCURRENTLY ", 1)
        if index.name in changed:
            drop = f"DROP INDEX CONCURRENTLY {index.name}"
            return Difference(f"the index {index.name} is not the one that this release declares", (drop, create))
        return Difference(f"the index {index.name} is missing", (create,))
    if kind == "add_table":
        return Difference(f"the table {rest[0].name} is missing")
    if kind == "add_column":
        return Difference(f"the column {rest[1]}.{rest[2].name} is missing")
    if kind.startswith("add_"):
        return Difference(f"the constraint {rest[0].name or ''} of {rest[0].table.name} is missing")
    return Difference(f"the column {rest[1]}.{rest[2]} is not as this release declares it")


def _without_key(connection: Connection) -> list[Difference]:
    names = [table.name for table in metadata.sorted_tables if table.primary_key.columns]
    rows = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY(:names)"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'p') ORDER BY 1"
        ),
        {"names": names},
    )
    return [Difference(f"the primary key of {name} is missing") for (name,) in rows]


def invalid_indexes(connection: Connection) -> list[str]:
    """The indexes that PostgreSQL does not use, because building them was interrupted.

    The indexes of a table are left out while a session builds an index for this table.
    """
    rows = connection.execute(
        text(
            "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relnamespace = 'public'::regnamespace AND NOT (indisvalid AND indisready)"
            " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS building"
            " WHERE building.relid = indrelid AND building.datname = current_database()) ORDER BY 1"
        )
    )
    return [name for (name,) in rows]


@dataclass(frozen=True, slots=True)
class TableState:
    """How PostgreSQL keeps a table.

    live         the estimated number of valid rows
    dead         the estimated number of rows that VACUUM can remove
    changed      how many rows have changed since the planner's statistics were made
    analysed_at  when the planner's statistics were made; None for never
    is_kept      whether autovacuum cares for the table
    """

    name: str
    live: int
    dead: int
    changed: int
    vacuumed_at: datetime | None
    analysed_at: datetime | None
    is_kept: bool


def table_states(connection: Connection) -> Sequence[TableState]:
    """All tables of the schema, largest first."""
    rows = connection.execute(
        text(
            "SELECT stats.relname, n_live_tup, n_dead_tup, n_mod_since_analyze,"
            " greatest(last_vacuum, last_autovacuum), greatest(last_analyze, last_autoanalyze),"
            " current_setting('autovacuum')::boolean"
            " AND NOT 'autovacuum_enabled=false' = ANY(coalesce(reloptions, '{}'))"
            " FROM pg_stat_user_tables AS stats JOIN pg_class ON pg_class.oid = relid"
            " WHERE schemaname = 'public' ORDER BY n_live_tup DESC, 1"
        )
    )
    return [TableState(*row) for row in rows]


def clock(connection: Connection) -> datetime:
    """The time of the database's machine."""
    found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def most_connections(connection: Connection) -> int:
    """How many connections an ordinary role may open altogether."""
    sql = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    return int(connection.execute(text(sql)).scalar_one())


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that has written, so that the change feed waits for it. What it has run is not kept."""

    pid: int
    state: str
    age_s: float


def oldest_transactions(connection: Connection, older_than_s: float, most: int = 5) -> list[OpenTransaction]:
    """The transactions of the whole server that hold back the change feed, the oldest first.

    older_than_s  only transactions that have been open for longer than this
    """
    rows = connection.execute(
        text(
            "SELECT pid, coalesce(state, ''),"
            " extract(epoch FROM clock_timestamp() - xact_start) AS age_s"
            " FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
            " AND xact_start < clock_timestamp() - make_interval(secs => :age) ORDER BY xact_start LIMIT :most"
        ),
        {"age": older_than_s, "most": most},
    )
    return [OpenTransaction(pid, state, float(age_s)) for pid, state, age_s in rows]


def heartbeat_s(connection: Connection) -> float | None:
    """How long ago a worker of the queue gave the last sign of life, in seconds; None if there is no worker."""
    sql = "SELECT extract(epoch FROM clock_timestamp() - max(last_heartbeat)) FROM procrastinate_workers"
    found = connection.execute(text(sql)).scalar_one()
    return None if found is None else float(found)


def use_read_only(connection: Connection) -> bool:
    """Make the session refuse all writes from now on. Returns whether it accepted writes before."""
    sql = "SELECT current_setting('transaction_read_only')::boolean"
    accepted = not connection.execute(text(sql)).scalar_one()
    connection.exec_driver_sql("SET default_transaction_read_only = on")
    return accepted
