from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from sqlalchemy import inspect, text

from open311.errors import Misconfigured, Unavailable
from open311.storage.catalogue import lock_catalogues
from open311.storage.engine import Connection, Database, open_database
from open311.storage.migrations import current, head, migrate, migrate_live, versions
from open311.storage.migrations.indexes import BUILDING
from open311.storage.migrations.procrastinate_files import apply_files, installed_files
from open311.storage.tables import metadata
from tests.storage.schema import described
from tests.waiting import until

# Databases have run these migrations, so do not edit them. Write a new migration for a correction.
RELEASED = {
    "0001_requests": "d23766ff2196514f186db6a625d7e42914f0b336921361bf8d4e1049e355b5da",
    "0002_jobs": "f02b52003944a46ae7ff70cae7d66be6e58738ce0d251a57c60a71d093d6a5e9",
    "0003_events": "8c8df0cd8a9122694223d7f6947355359ef1e6791e2f452febec8dd9d79c2b8a",
    "0004_held_changes": "ce66342f11295b111a7ffac7cc5a42ae86a3cec1d3757ff40034cc162a4ac3d0",
    "0005_department": "1ca636a8b7f82b5c92c159e9f01cb5297e54988c8d026392000691a3b410a886",
    "0006_work": "d0f1d584bda95d33ec8878ca2ded2fc04e8620e2077348f9baf4977b093534b9",
    "0007_staff_keys": "b83c102e6f196e6c54f1e0f10e445657b7e7b9bc98ebfae1c775042e02fc4c91",
    "0008_deliveries": "37673e2da4313f0c4fe9e8559f5f7a18a1827e5e4ebca317c95d65ef2430e64a",
    "0009_staff_tokens": "7b796e76800c01cb0abc5b47cfbd3b7e518de80789d943e74b97d2345a2b17fb",
    "0010_neighbours": "f534a738f15533111cb15fe60bb4c7c3a28daea8e8176aea506ca00cf3a07dfc",
    "0011_media": "c196b02c915030c673a35a2c75a8c1364770168cf2a885e6d48134ec4423ad34",
    "0012_personal_data": "f4181463bc1ae9cc15fa07e46c2398d2f7fed8845c997e1a57750239d0901e65",
    "0013_retention": "acdf937833d0c12f0b2876ef6f9bf4c52c121e7ea6228860cc8bf5f729f34c3e",
    "0014_abuse": "44d115c55c8b66657dcbcaafc513d3bb3c139f9a53f586d82bfe6e3f77a2752f",
    "0015_unprepared_media": "c927becfb99e6bad68e69ec8b4e68dd95bc7ccdfa17d5ecf17db290758cb96c8",
    "0016_delivered": "1296fd2b5da54d91aef7378de378e391c35ad5dcad5a76c6f5f086b71c1c34fc",
    "0017_kept_photos": "cc2932593e67a426c829c84b96aeec44a14e8b8100a3e37e079117a6de8e16e7",
    "0018_statistics": "d97ff949011e48b5f6d7bd566ad8d103b231e6912053466a40e709d313aeba46",
    "0019_map_cells": "8da1e153b6a79568acdf1bae9500eb46466268afcb1bacb68135a0bb231ece24",
    "0020_held_updates": "c9ea8b1c6ff22867a01f6e6854519fec005f6f433e8f045381f686506a154702",
    "0021_media_store": "cfa2b3479a81b90e500e22c752de0a66978d76e016c2c4952c463ec2bf2367a4",
    "0022_staff_sessions": "c7d57e02a52e78802d1d27b787ade47851014953bde6b66f2e1ce0729a0b68fa",
    "0023_close_cells": "be1dd5176443ac551aad0e3c5b11cb94b896e4a23d4679406646af5d5596327f",
    "0024_subscriptions": "9352a1328f720945bfc145d4e86d7fad084a20d2082959607188ae06f6409289",
    "0025_mail": "a90952abe372727661e14f41fff79345f383ff1f37cf2927fcc05a3110319a22",
    "0026_mail_about_filters": "5bb9b6bcb0f6baca737bc8024ebed7605ee8863aba058ff75955cde3d115b06c",
    "0027_indexes_for_maps_and_queues": "7cc64783b89a9f9d48e35bf65250faafa88d2a907ea63303da9745e750eb9fa3",
    "0028_open_counts": "26dfaccb4f5e2b11a78aa9abebc7d2c734e3beca2d66a6b9d9fdbfe3a7efbba1",
    "0029_overrides": "47712e39983119b225386adc16641850e2b08b106b8f18f301e4ca6102ca1e71",
    "0030_supporters": "cf1e4605129678a6eb032f5667bf9eb55d9a7fb4882a94dfe3e44e9f425f781b",
    "0031_city_notices": "03f8f550b0f6a79327c4707c04d770588764b8b11a70d76f9e35148c8de070ce",
    "0032_suggestion_counts": "812a558e8713a282e08558bcc409cbf452300458a6d772f72514c548a6ef97c5",
    "0033_forecasts": "e37ac202d91533705f736e5bfcabf9d027b278cee314fd9e6974e4085ccd29ea",
    "0034_sensors": "1448ef1fe74ce037cead01aee08f983469730624b1a549bb472b2960f76a6273",
    "0035_counted_supporters": "2095e527c9ade516e30e4ffc11181fcb708e3604c196d9217a68201e913cc04d",
    "0036_timelines": "065a5f505a16aa8dc05fdb42172ee38032a52bec6806eff1df5adde636ccc265",
    "0037_digests": "d4702917b72c5a08b49021b23550fb070323fcc034a6c425f5cd60e07b5ae1b6",
    "0038_sms": "15d91064d7f8631cfaff740b43cfa79011a28975f2d87df50e07147cf94ed035",
}


@pytest.fixture(scope="module")
def database(make_database: Callable[[str], str]) -> Iterator[Database]:
    """A migrated database whose schema these tests may change."""
    database = open_database(make_database("migrations"))
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection whose changes are rolled back at the end."""
    with database.engine.connect() as found:
        transaction = found.begin()
        yield found
        transaction.rollback()


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"spatial_ref_sys"}


def queue_of(connection: Connection, schema: str = "public") -> dict[tuple[str, str], str]:
    """The objects of a schema that belong to procrastinate."""
    objects = described(connection, schema)
    return {(kind, name): text for (kind, name), text in objects.items() if "procrastinate" in name}


def _is_ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    """Whether autogenerate compares an object. Tables of procrastinate, PostGIS and Alembic are skipped."""
    return kind != "table" or not (name or "").startswith(("procrastinate_", "spatial_ref_sys", "alembic_version"))


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_migrated_schema_is_what_the_tables_declare(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection, opts={"include_object": _is_ours, "compare_type": True, "compare_server_default": True}
    )
    assert compare_metadata(context, metadata) == []


def test_head_and_current_are_those_of_alembic(connection: Connection) -> None:
    script = ScriptDirectory(str(Path(str(versions.__file__)).parents[1]))
    assert head() == script.get_current_head()
    assert current(connection) == MigrationContext.configure(connection).get_current_revision()


def test_a_downgrade_removes_everything_and_an_upgrade_restores_it(connection: Connection) -> None:
    before = tables(connection)
    migrate(connection, "base")
    assert current(connection) is None
    assert tables(connection) == {"alembic_version"}
    assert not inspect(connection).get_sequence_names()
    migrate(connection)
    assert current(connection) == head()
    assert tables(connection) == before


def test_a_migration_can_stop_at_a_revision(connection: Connection) -> None:
    migrate(connection, "0001")
    assert current(connection) == "0001"
    assert not queue_of(connection)
    migrate(connection)
    assert current(connection) == head()


def test_migrating_again_changes_nothing(connection: Connection) -> None:
    before = tables(connection)
    migrate(connection)
    assert current(connection) == head()
    assert tables(connection) == before


def test_the_error_for_a_role_without_rights_names_the_missing_right(connection: Connection) -> None:
    connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    if connection.exec_driver_sql("SHOW is_superuser").scalar_one() == "on":
        connection.exec_driver_sql("CREATE ROLE open311_guest; SET LOCAL ROLE open311_guest")
    with pytest.raises(Misconfigured, match=r"(permission denied|no schema has been selected).*CREATE EXTENSION"):
        migrate(connection)


@pytest.fixture
def beginning(make_database: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database at the first revision."""
    database = open_database(make_database(request.function.__name__[:40]))
    with database.transaction() as connection:
        migrate(connection, "0001")
    yield database
    database.close()


@pytest.fixture
def reader(beginning: Database) -> Iterator[Connection]:
    """The connection of another session, whose open transaction has read service_request."""
    with beginning.engine.connect() as found:
        found.exec_driver_sql("SELECT count(*) FROM service_request")
        yield found


def test_a_migration_that_waits_too_long_for_a_lock_changes_nothing(
    beginning: Database, reader: Connection
) -> None:
    with beginning.transaction() as connection:
        before = described(connection)
    with (
        pytest.raises(Unavailable, match=r"The schema is as it was: .* more than 0.05 s, .*, and migrate again"),
        beginning.transaction() as connection,
    ):
        migrate(connection, lock_timeout_s=0.05)
    with beginning.transaction() as connection:
        assert described(connection) == before
        assert current(connection) == "0001"
    reader.rollback()
    with beginning.transaction() as connection:
        migrate(connection)
        assert current(connection) == head()


def waiting_for_a_lock(connection: Connection) -> bool:
    """Whether a session of this database waits for a lock on a table."""
    found = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE datname = current_database() AND NOT granted AND locktype = 'relation'"
    )
    return bool(found.scalar_one())


def test_a_migration_releases_its_locks_while_it_waits_for_a_session_that_needs_them(
    beginning: Database, reader: Connection
) -> None:
    """Otherwise both wait for each other, and PostgreSQL ends one of them."""

    def migrate_all() -> str | None:
        with beginning.transaction() as connection:
            migrate(connection, lock_timeout_s=30)
            return current(connection)

    with ThreadPoolExecutor(1) as pool:
        migrating = pool.submit(migrate_all)
        until(lambda: waiting_for_a_lock(reader), "the migration to wait for the table that the reader has read")
        for table in ("request_event", "service_request"):
            reader.exec_driver_sql(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        reader.rollback()
        assert migrating.result() == head()


WAITING_BUILDER = """
    SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%%' AND NOT granted
"""
WRITE = "LOCK TABLE publication, service_request IN ROW EXCLUSIVE MODE"


def builder_behind(connection: Connection) -> int:
    """The process that waits for older transactions, to build an index concurrently."""
    found = until(lambda: connection.exec_driver_sql(WAITING_BUILDER).scalar(), "a build to wait for a writer")
    return int(found)


def invalid_indexes(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid").scalar_one())


def test_writers_do_not_wait_while_two_operators_build_large_indexes(beginning: Database) -> None:
    with ThreadPoolExecutor(2) as pool, beginning.reading() as observer:
        migrate_live(beginning, "0025")
        with beginning.transaction() as writer:
            writer.exec_driver_sql(WRITE)
            operators = [pool.submit(migrate_live, beginning) for _ in range(2)]
            builder_behind(observer)
            observer.exec_driver_sql(f"BEGIN; {WRITE} NOWAIT; COMMIT")
        for operator in operators:
            operator.result()
        assert current(observer) == head()
        assert not invalid_indexes(observer)


def test_a_catalogue_can_be_changed_while_large_indexes_are_built(database: Database) -> None:
    with database.reading() as builder, database.transaction() as connection:
        builder.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": BUILDING})
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        lock_catalogues(connection)
        builder.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": BUILDING})


def test_an_index_of_an_interrupted_build_is_built_again(beginning: Database) -> None:
    with ThreadPoolExecutor(1) as pool, beginning.reading() as observer:
        migrate_live(beginning, "0026")
        with beginning.transaction() as writer:
            writer.exec_driver_sql(WRITE)
            operator = pool.submit(migrate_live, beginning)
            builder = builder_behind(observer)
            observer.exec_driver_sql("SELECT pg_cancel_backend(%s)", (builder,))
            assert operator.exception() is not None
        assert invalid_indexes(observer)
        assert current(observer) == "0026"
        migrate_live(beginning)
        assert current(observer) == head()
        assert not invalid_indexes(observer)


def test_a_migration_has_no_time_limit_and_restores_the_limits_of_its_session(database: Database) -> None:
    show = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SET statement_timeout = '15s'; SET lock_timeout = '5s'")
        connection.commit()
        migrate(connection)
        assert tuple(connection.exec_driver_sql(show).one()) == ("0", "3s")
        connection.commit()
        assert tuple(connection.exec_driver_sql(show).one()) == ("15s", "5s")
        connection.exec_driver_sql("RESET statement_timeout; RESET lock_timeout")
        connection.commit()


def test_the_error_for_an_unknown_revision_lists_the_known_ones(connection: Connection) -> None:
    with pytest.raises(Misconfigured, match="no revision '9999'; use head, base or one of 0001"):
        migrate(connection, "9999")


def test_no_released_migration_is_edited() -> None:
    folder = Path(versions.__path__[0])
    digests = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[0-9]*.py")}
    assert digests == RELEASED, (
        "write a new migration; change a digest in RELEASED only if no database has run the migration"
    )


def test_the_job_queue_has_the_schema_of_the_installed_procrastinate(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE SCHEMA theirs; SET LOCAL search_path = theirs")
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(SchemaManager.get_schema())
    expected = queue_of(connection, "theirs")
    assert len(expected) > 50
    assert queue_of(connection) == expected


def test_every_migration_of_procrastinate_is_applied_by_one_of_ours() -> None:
    applied = [
        name
        for migration in sorted(RELEASED)
        for name in getattr(import_module(f"{versions.__name__}.{migration}"), "PROCRASTINATE_FILES", ())
    ]
    assert sorted(applied) == sorted(installed_files()), (
        "write a migration that applies the new files of procrastinate"
    )


@pytest.mark.parametrize(
    ("name", "problem"), [("00.00.00_01_initial.sql", "another"), ("09.00.00_01_pre_nothing.sql", "no")]
)
def test_a_changed_or_missing_sql_file_of_procrastinate_is_refused(
    connection: Connection, name: str, problem: str
) -> None:
    before = described(connection)
    with pytest.raises(Misconfigured, match=rf"procrastinate [\d.]+ has {problem} {name}.*\.lock/run\.txt"):
        apply_files(connection, {name: "0" * 64}, {})
    assert described(connection) == before
