from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from open311.errors import Misconfigured
from open311.storage.engine import Connection, Database, open_database
from open311.storage.migrations import current, head, migrate
from open311.storage.tables import metadata


@pytest.fixture(scope="module")
def database(make_database: Callable[[str], str]) -> Iterator[Database]:
    """A migrated database whose schema these tests may change."""
    found = open_database(make_database("migrations"))
    yield found
    found.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection whose changes are rolled back at the end."""
    with database.engine.connect() as found:
        transaction = found.begin()
        yield found
        transaction.rollback()


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"spatial_ref_sys"}


def _is_ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    """Whether autogenerate compares an object; it skips those of procrastinate and PostGIS."""
    return kind != "table" or not (name or "").startswith(("procrastinate_", "spatial_ref_sys", "alembic_version"))


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_migrated_schema_is_what_the_tables_declare(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection, opts={"include_object": _is_ours, "compare_type": True, "compare_server_default": True}
    )
    assert compare_metadata(context, metadata) == []


def test_going_down_leaves_nothing_and_up_again_everything(connection: Connection) -> None:
    before = tables(connection)
    migrate(connection, "base")
    assert current(connection) is None
    assert tables(connection) == {"alembic_version"}
    assert not inspect(connection).get_sequence_names()
    migrate(connection)
    assert current(connection) == head()
    assert tables(connection) == before


def test_each_revision_can_be_stopped_at(connection: Connection) -> None:
    migrate(connection, "0001")
    assert current(connection) == "0001"
    assert not any(name.startswith("procrastinate_") for name in tables(connection))
    migrate(connection)
    assert current(connection) == head()


def test_migrating_what_is_migrated_changes_nothing(connection: Connection) -> None:
    before = tables(connection)
    migrate(connection)
    assert current(connection) == head()
    assert tables(connection) == before


def test_a_role_without_rights_is_told_what_is_missing(connection: Connection) -> None:
    connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    if connection.exec_driver_sql("SHOW is_superuser").scalar_one() == "on":
        connection.exec_driver_sql("CREATE ROLE open311_guest; SET LOCAL ROLE open311_guest")
    with pytest.raises(Misconfigured, match=r"permission denied.*CREATE EXTENSION"):
        migrate(connection)


def test_an_unknown_revision_is_named_with_those_there_are(connection: Connection) -> None:
    with pytest.raises(Misconfigured, match="no revision '9999'; use head, base or one of 0001"):
        migrate(connection, "9999")
