"""What the doctor checks in PostgreSQL: writes, versions, schema, indexes, tables, clock, connections, feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from open311.operations.examining.findings import Finding, Trouble, fault, findings, warning
from open311.settings import Settings
from open311.storage import health, migrations
from open311.storage.engine import Connection, has_room
from open311.storage.health import TableState
from open311.storage.migrations import Fit, SchemaState

LEAST_POSTGRESQL = 13
WORKER_CONNECTIONS = 30
"""How many connections a worker needs in addition to those of the web processes, see spec/operating.md."""
APART_S = 2.0
"""How far the clocks of two machines may be apart. Times of requests come from both."""


@dataclass(frozen=True, slots=True)
class Bloat:
    """Limits; a table beyond `dead` or `stale` is reported.

    rows   fewer dead or changed rows do not matter, nor does a smaller table that was never analysed
    dead   dead rows for each living row
    stale  changed rows for each living row since the statistics were made
    Autovacuum acts at 0.2 (dead) and 0.1 (stale), so a table reaches these limits only if autovacuum does not keep
    up.
    """

    rows: int = 10_000
    dead: float = 0.5
    stale: float = 0.5


def check_writes(is_writable: bool, connection: Connection) -> Iterator[Finding]:
    """A database that is read-only or whose disk is full."""
    return findings("database", "answers, and accepts writes", _writes(is_writable, connection))


def _writes(is_writable: bool, connection: Connection) -> Iterator[Trouble]:
    if not is_writable:
        yield fault(
            "the database is read-only; DATABASE_URL must name the primary",
            'psql "$DATABASE_URL" -c "SELECT pg_is_in_recovery()"',
        )
    elif not has_room(connection):
        yield fault("the disk of the database is full", "df -h")


def check_database_versions(connection: Connection) -> Iterator[Finding]:
    """PostgreSQL that is too old, extensions that are missing or older than their files."""
    found = health.versions(connection)
    shown = ", ".join(f"{name} {installed}" for name, (installed, _) in found.extensions.items())
    return findings("PostgreSQL", f"{found.shown} with {shown}", _versions(found))


def _versions(found: health.Versions) -> Iterator[Trouble]:
    if found.server // 10_000 < LEAST_POSTGRESQL:
        yield fault(
            f"this is PostgreSQL {found.shown}, but this server needs {LEAST_POSTGRESQL} or newer", "pg_upgrade"
        )
    for name, (installed, newest) in found.extensions.items():
        run = f'psql "$ADMIN_URL" -c "{{}} EXTENSION {name}{{}}"'
        if not installed:
            yield fault(f"the extension {name} is missing in this database", run.format("CREATE", ""))
        elif newest and installed != newest:
            yield warning(
                f"the extension {name} is {installed} in this database, but {newest} on the machine",
                run.format("ALTER", " UPDATE"),
            )


def check_schema(state: SchemaState) -> Iterator[Finding]:
    """A schema that is not that of this release: migrations that have not run, or a newer schema."""
    return findings("schema", f"at revision {state.revision}", _schema(state))


def _schema(state: SchemaState) -> Iterator[Trouble]:
    if state.fit is Fit.NEWER:
        yield warning(f"the schema is at {state}", "open311 --version")
    elif not state.is_served:
        pending = migrations.pending(state)
        names = f"; pending: {', '.join(pending)}" if pending else ""
        yield fault(f"the schema is {str(state).partition('; run ')[0]}{names}", "open311 db migrate")


def check_indexes(connection: Connection) -> Iterator[Finding]:
    """Indexes that are missing or invalid, and other differences between the schema and the declared tables."""
    return findings("indexes", "none is missing or invalid, and the tables are as declared", _indexes(connection))


def _indexes(connection: Connection) -> Iterator[Trouble]:
    for name in health.invalid_indexes(connection):
        what = f"the index {name} is invalid, because building it was interrupted"
        is_copy = "_ccnew" in name or "_ccold" in name
        yield fault(what, _psql(f"{'DROP' if is_copy else 'REINDEX'} INDEX CONCURRENTLY {name}"))
    for one in health.differences(connection):
        by_hand = "open311 db migrate in a new database; compare both by pg_dump --schema-only"
        yield fault(one.what, _psql(*one.ddl) if one.ddl else by_hand)


def _psql(*statements: str) -> str:
    options = " ".join("-c '" + one.replace("'", "'\\''") + "'" for one in statements)
    return f'psql "$DATABASE_URL" {options}'


def check_tables(connection: Connection, limits: Bloat) -> Iterator[Finding]:
    """Tables with many dead rows, or without the statistics that plans need."""
    states = health.table_states(connection)
    largest = ", ".join(f"{one.name} {one.live:,}" for one in states[:3])
    return findings("tables", f"vacuumed and analysed; the largest by rows: {largest}", _tables(states, limits))


def _tables(states: Iterable[TableState], limits: Bloat) -> Iterator[Trouble]:
    for one in states:
        if not one.is_kept:
            yield warning(
                f"autovacuum is off for {one.name}",
                _psql(f"ALTER TABLE {one.name} RESET (autovacuum_enabled)", "SHOW autovacuum"),
            )
        if one.dead >= limits.rows and one.dead > limits.dead * one.live:
            when = f"last vacuumed on {one.vacuumed_at:%Y-%m-%d %H:%M} UTC" if one.vacuumed_at else "never vacuumed"
            yield warning(
                f"{one.name} has {one.dead:,} dead rows and {one.live:,} living ones, {when}",
                _psql(f"VACUUM (ANALYZE) {one.name}"),
            )
        elif one.live >= limits.rows and one.analysed_at is None:
            yield warning(f"{one.name} has never been analysed, so plans may be bad", _psql(f"ANALYZE {one.name}"))
        elif one.changed >= limits.rows and one.changed > limits.stale * one.live:
            yield warning(
                f"{one.changed:,} rows of {one.name} have changed since it was analysed, so plans may be bad",
                _psql(f"ANALYZE {one.name}"),
            )


def check_clock(connection: Connection, now: Callable[[], datetime]) -> Iterator[Finding]:
    """A clock of this machine that differs from the clock of the database."""
    return findings("clock", "it agrees with the clock of the database", _clock(connection, now))


def _clock(connection: Connection, now: Callable[[], datetime]) -> Iterator[Trouble]:
    before, theirs, after = now(), health.clock(connection), now()
    apart_s = max((before - theirs).total_seconds(), (theirs - after).total_seconds())
    if apart_s > APART_S:
        side = "behind" if theirs > after else "ahead of"
        yield fault(
            f"the clock of this machine is {apart_s:.0f} s {side} that of the database", "timedatectl status"
        )


def check_connections(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Settings with which the server may open more connections than PostgreSQL admits."""
    return findings(
        "connections",
        "PostgreSQL admits as many connections as the settings need",
        _connections(connection, settings),
    )


def _connections(connection: Connection, settings: Settings) -> Iterator[Trouble]:
    is_pooled = bool(settings.direct_database_url)  # then web processes share the pooler's few connections
    web = 0 if is_pooled else settings.workers * (settings.pool_size + settings.threads)
    needed = web + WORKER_CONNECTIONS
    most = health.most_connections(connection)
    if needed > most:
        who = "a worker" if is_pooled else "one web host and a worker"
        yield warning(
            f"{who} may need {needed} connections, but PostgreSQL admits {most}",
            f'psql "$ADMIN_URL" -c "ALTER SYSTEM SET max_connections = {needed + 20}"',
        )


def check_feed(connection: Connection, older_than_s: float) -> Iterator[Finding]:
    """Transactions that have been open for a long time: the change feed and the webhooks wait for them."""
    return findings("change feed", "no old transaction holds it back", _holding(connection, older_than_s))


def _holding(connection: Connection, older_than_s: float) -> Iterator[Trouble]:
    for one in health.oldest_transactions(connection, older_than_s):
        yield warning(
            f"the session {one.pid} ({one.state}) has held back the change feed for {one.age_s:.0f} s",
            _psql(f"SELECT pg_terminate_backend({one.pid})"),
        )
