"""`open311 db`: the database's schema."""

from __future__ import annotations

from dataclasses import replace

import click

from open311.cli.environment import settings_with_database
from open311.cli.group import CommandGroup
from open311.cli.numbers import SECONDS
from open311.cli.output import fail, say
from open311.operations.platform import open_platform
from open311.storage import migrations


@click.group(cls=CommandGroup)
def db() -> None:
    """Migrate the database's schema, and show its revision."""


@db.command()
@click.option(
    "--to", "revision", default="head", help="The revision to migrate to, such as 0001, instead of the newest."
)
@click.option(
    "--wait",
    "wait_s",
    type=SECONDS,
    default=migrations.LOCK_TIMEOUT_S,
    show_default=True,
    help="Seconds to wait for a lock before giving up. The server's calls may wait behind it.",
)
def migrate(revision: str, wait_s: float) -> None:
    """Bring the schema to the revision that this release needs.

    The database needs the extensions postgis and btree_gist. If the role in DATABASE_URL may not create
    extensions, an administrator runs first: CREATE EXTENSION postgis; CREATE EXTENSION btree_gist;

    Large indexes are built while the server goes on. The migrations before such an index are one transaction, and
    so are those after it: if one of them waits too long for a lock, the whole transaction is undone. Run this again
    after an interruption; it goes on where it stopped.
    """
    platform = open_platform(replace(settings_with_database(), statement_timeout_ms=0))
    with platform.database.reading() as connection:
        before = migrations.current(connection)
    migrations.migrate_live(platform.database, revision, lock_timeout_s=wait_s)
    with platform.database.reading() as connection:
        after = migrations.current(connection)
    platform.close()
    say(f"The schema was at {before or 'nothing'}, now it is at {after or 'nothing'}.")


@db.command()
def status() -> None:
    """Show the revision of the schema and the one that this release needs. Exit status 1 if it must be migrated."""
    platform = open_platform(settings_with_database())
    with platform.database.reading() as connection:
        state = migrations.schema_state(connection)
    platform.close()
    say(f"The schema is at {state.revision or 'nothing'}; this release needs {state.wanted}.")
    if not state.is_served:
        fail(f"the schema of {platform.database.place} is {state}.")
