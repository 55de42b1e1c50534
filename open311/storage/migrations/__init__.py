"""The migrations of the database schema. Each is numbered and small, and lets the previous release keep running.

A migration first locks all tables that it changes. If it waits for a lock for some tenths of a second, it releases
all of them and tries again, and it gives up soon: all other sessions that use the tables wait behind it, and a
session that already has one of the locks would be in a deadlock with it. The time of a statement has no limit,
because a backfill may take long.

A migration with large indexes declares them as `LARGE_INDEXES`. `migrate_live` builds them concurrently before it
runs the migration, so nobody waits for them.

Alembic is imported inside the functions that need it, because the import takes long.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2.errors import (
    FeatureNotSupported,
    InsufficientPrivilege,
    InvalidSchemaName,
    LockNotAvailable,
    UndefinedFile,
)
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from open311.errors import Misconfigured, Unavailable
from open311.storage.migrations.indexes import build_concurrently
from open311.storage.pooling import refuse_pooler

if TYPE_CHECKING:
    from alembic.config import Config

    from open311.storage.engine import Database

LOCK = 3_110_001
LOCK_TIMEOUT_S = 3.0
"""Web requests wait longer than this for a lock, unless OPEN311_STATEMENT_TIMEOUT_MS is from 1 to 9,000. So a
request that waits behind a migration does not fail."""
ATTEMPT_S = 0.2
"""The longest wait for a lock in one attempt. PostgreSQL looks for a deadlock after a second, so it finds none."""
PAUSE_S = 0.1
CHANGED_TABLES: Mapping[str, tuple[str, ...]] = {
    "0003": ("outbox", "request_count", "request_event", "service_request"),
    "0004": ("held_change", "outbox"),
    "0005": ("publication",),
    "0006": ("api_key", "request_event", "service_request"),
    "0007": ("api_key",),
    "0008": ("service_request",),
    "0009": ("audit_entry", "staff_secret"),
    "0010": ("external_id", "jurisdiction", "service_request"),
    "0011": ("service_request",),
    "0012": ("service_request",),
    "0013": ("received_update", "reporter"),
    "0014": ("api_key", "service_request"),
    "0015": ("media",),
    "0016": ("destination",),
    "0017": ("media", "public_update", "received_update", "remote_update", "service_request"),
    "0020": ("received_update",),
    "0022": ("staff_account",),
    "0024": ("service_request",),
    "0025": ("reporter", "service_request"),
    "0026": ("follower", "subscription"),
    "0027": ("publication", "service_request"),
    "0028": ("closed_count", "counted_request", "statistics_check"),
    "0030": ("service_request",),
    "0034": ("api_key", "service_request"),
    "0035": ("closed_count", "counted_request", "open_count", "statistics_check"),
    "0036": ("change_mark",),
    "0037": ("staff_secret", "staff_session"),
    "0038": ("reporter", "service_request"),
}
"""The tables that each migration locks against writers, upwards or downwards, without those that it makes.

It changes them, or a foreign key of a new table refers to them. New tables are not in use yet.
"""
MODES = {"publication": "SHARE ROW EXCLUSIVE"}
"""The locks on tables that public calls read. With such a lock, these calls go on while indexes are built."""
RIGHTS = (
    "The database needs the extensions postgis and btree_gist and a role that may make tables in the schema public;"
    " an administrator can run CREATE EXTENSION and GRANT CREATE ON SCHEMA public."
)
ELSEWHERE = "Only a release that knows this revision can change it: run `open311 db migrate` of that release."


class Fit(Enum):
    """How a database's schema fits this release.

    EXACT    the schema has the revision that this release needs
    NEWER    a later release has migrated the schema; this release works with it, because each release keeps the
             previous release running
    BEHIND   the schema has to be migrated
    EMPTY    the database has never been migrated
    STRANGE  the revision is unknown to every release of this server
    """

    EXACT = "exact"
    NEWER = "newer"
    BEHIND = "behind"
    EMPTY = "empty"
    STRANGE = "strange"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The revision of a database's schema ("" before the first migration), and the one that this release needs."""

    revision: str
    wanted: str

    @property
    def fit(self) -> Fit:
        """How the two revisions fit. They are numbers of four digits, so they can be compared as texts."""
        if self.revision == self.wanted:
            return Fit.EXACT
        if not self.revision:
            return Fit.EMPTY
        if not re.fullmatch(r"\d{4}", self.revision):
            return Fit.STRANGE
        return Fit.NEWER if self.revision > self.wanted else Fit.BEHIND

    @property
    def is_served(self) -> bool:
        """Whether this release works with the schema."""
        return self.fit in (Fit.EXACT, Fit.NEWER)

    def __str__(self) -> str:
        revision, wanted = self.revision, self.wanted
        return {
            Fit.EXACT: wanted,
            Fit.NEWER: f"{revision}, which a newer release has made; this release needs {wanted} and works with it",
            Fit.BEHIND: f"{revision}, but this release needs {wanted}; run `open311 db migrate`",
            Fit.EMPTY: "empty; run `open311 db migrate`",
            Fit.STRANGE: f"{revision!r} is no revision of this server; let DATABASE_URL name its own database",
        }[self.fit]


def schema_state(connection: Connection) -> SchemaState:
    """The state of the database's schema."""
    return SchemaState(current(connection) or "", head())


def migrate_live(database: Database, revision: str = "head", *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
    """Migrate the schema to `revision` while other sessions use it. Large indexes are built concurrently.

    The migrations before one with large indexes stay if a later step fails. A second call continues there.
    Raises the errors of `migrate`, and Misconfigured behind a pooler.
    """
    with database.reading() as connection:
        refuse_pooler(connection)
        stops = _stops(current(connection) or "", revision)
    for migration in stops:
        with database.transaction() as connection:
            migrate(connection, migration.down_revision, lock_timeout_s=lock_timeout_s)
        with database.reading() as connection:
            build_concurrently(connection, migration.LARGE_INDEXES)
    with database.transaction() as connection:
        migrate(connection, revision, lock_timeout_s=lock_timeout_s)


def _stops(before: str, after: str) -> list[Any]:
    """The modules of the migrations on the way up to `after` that have large indexes, in their order."""
    from alembic.script import ScriptDirectory

    migrations = [script.module for script in ScriptDirectory.from_config(_config()).walk_revisions()]
    high = head() if after == "head" else after
    return [one for one in reversed(migrations) if before < one.revision <= high and hasattr(one, "LARGE_INDEXES")]


def migrate(connection: Connection, revision: str = "head", *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
    """Migrate the schema to `revision`, in the caller's transaction. Only one process can migrate at a time.

    lock_timeout_s  the longest wait for a lock on a table or row, > 0. The wait for another migration has no limit
    Raises Misconfigured if the revision is unknown, if this release does not know the schema, or if the role lacks
    a privilege that the schema needs. Raises Unavailable if another session keeps a lock for longer than
    `lock_timeout_s`. After an error, the caller's transaction is lost.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    _take_turns(connection, lock_timeout_s)
    config = _config()
    config.attributes["connection"] = connection
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if revision not in ("head", "base", *known):
        raise Misconfigured(
            f"there is no revision {revision!r}; use head, base or one of {', '.join(sorted(known))}."
        )
    found = schema_state(connection)
    if found.revision and found.revision not in known:
        raise Misconfigured(f"the schema stays as it is: {found}. {ELSEWHERE}")
    _lock_tables(connection, _changed_tables(found.revision, revision), lock_timeout_s)
    try:
        if revision == "base" or revision < found.revision:
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
    except (DBAPIError, LockNotAvailable) as error:  # procrastinate's files do not go through SQLAlchemy
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, LockNotAvailable):
            raise Unavailable(_held_for_long(lock_timeout_s)) from error
        if isinstance(cause, (InsufficientPrivilege, InvalidSchemaName, FeatureNotSupported, UndefinedFile)):
            raise Misconfigured(f"the schema cannot be made: {cause.diag.message_primary}. {RIGHTS}") from error
        raise


def _take_turns(connection: Connection, lock_timeout_s: float) -> None:
    """Wait until no other process migrates, then limit how long this transaction waits for any other lock."""
    connection.execute(
        text("SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)")
    )
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    _limit_waiting(connection, lock_timeout_s)


def _limit_waiting(connection: Connection, lock_timeout_s: float) -> None:
    limit = f"{max(1, round(lock_timeout_s * 1000))}ms"
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit})


def _changed_tables(before: str, after: str) -> set[str]:
    """The tables that the migrations between two revisions change."""
    low, high = sorted("" if revision == "base" else revision for revision in (before, after))
    return {name for revision, names in CHANGED_TABLES.items() if low < revision <= high for name in names}


def _lock_tables(connection: Connection, names: set[str], lock_timeout_s: float) -> None:
    """Lock those of the tables that exist, until the transaction ends. Raises Unavailable."""
    present = text("SELECT to_regclass(:name) IS NOT NULL")
    existing = [name for name in sorted(names) if connection.execute(present, {"name": name}).scalar_one()]
    give_up_at = time.monotonic() + lock_timeout_s
    while existing and not _has_locked(connection, existing, min(ATTEMPT_S, lock_timeout_s)):
        if time.monotonic() > give_up_at:
            raise Unavailable(_held_for_long(lock_timeout_s))
        time.sleep(PAUSE_S)


def _has_locked(connection: Connection, names: list[str], lock_timeout_s: float) -> bool:
    """Try once to lock the tables. If this fails, no table stays locked."""
    try:
        with connection.begin_nested():
            before = connection.execute(text("SHOW lock_timeout")).scalar_one()
            _limit_waiting(connection, lock_timeout_s)
            for name in names:
                connection.exec_driver_sql(f"LOCK TABLE {name} IN {MODES.get(name, 'ACCESS EXCLUSIVE')} MODE")
            connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": before})
    except DBAPIError as error:
        if isinstance(error.orig, LockNotAvailable):
            return False
        raise
    return True


def _held_for_long(lock_timeout_s: float) -> str:
    return (
        f"The schema is as it was: for more than {lock_timeout_s:g} s, another session held a lock that a migration"
        " needs. End what runs for long (pg_stat_activity shows it), an import for instance, and migrate again."
    )


def current(connection: Connection) -> str | None:
    """The revision of the database; None before the first migration."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def head() -> str:
    """The revision that this release needs."""
    return max(file.name[:4] for file in (Path(__file__).parent / "versions").glob("[0-9]*.py"))


def pending(state: SchemaState) -> list[str]:
    """The revisions that have to be migrated, in their order; none if the schema is not behind."""
    if state.fit not in (Fit.BEHIND, Fit.EMPTY):
        return []
    names = sorted(file.name[:4] for file in (Path(__file__).parent / "versions").glob("[0-9]*.py"))
    return [name for name in names if name > state.revision]


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
