"""The migrations of the database schema: numbered and small, and the previous release keeps running on the result.

Alembic is imported inside functions, because web processes do not need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2.errors import FeatureNotSupported, InsufficientPrivilege, UndefinedFile
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from open311.errors import Misconfigured

if TYPE_CHECKING:
    from alembic.config import Config

LOCK = 3_110_001
RIGHTS = (
    "The database needs the extensions postgis and btree_gist and a role that may make tables in the schema public;"
    " an administrator gives them with CREATE EXTENSION and GRANT CREATE ON SCHEMA public."
)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Migrate the schema to `revision`, in the caller's transaction. A lock lets one process migrate at a time.

    Raises Misconfigured for an unknown revision, and if the role lacks a privilege that the schema needs.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = _config()
    config.attributes["connection"] = connection
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if revision not in ("head", "base", *known):
        raise Misconfigured(
            f"there is no revision {revision!r}; use head, base or one of {', '.join(sorted(known))}."
        )
    try:
        if revision == "base" or revision < (current(connection) or ""):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
    except DBAPIError as error:
        if isinstance(error.orig, (InsufficientPrivilege, FeatureNotSupported, UndefinedFile)):
            raise Misconfigured(
                f"the schema cannot be made: {error.orig.diag.message_primary}. {RIGHTS}"
            ) from error
        raise


def current(connection: Connection) -> str | None:
    """The revision of the database; None before the first migration."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The revision that this release needs."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
