"""The schema's history. Numbered, small, and such that the previous release keeps running."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

LOCK = 3_110_001


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to `revision`, inside the caller's transaction; one process at a time."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = _config()
    config.attributes["connection"] = connection
    if revision == "base" or revision < (current(connection) or ""):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The revision that this release wants."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
