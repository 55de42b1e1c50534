from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import import_module
from itertools import pairwise
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
from open311.storage.migrations import CHANGED_TABLES, current, head, migrate, migrate_live, versions
from open311.storage.migrations.indexes import BUILDING
from open311.storage.migrations.procrastinate_files import apply_files, installed_files
from open311.storage.tables import metadata
from tests.storage.schema import described
from tests.waiting import until

# Databases have run these migrations, so do not edit them. Write a new migration for a correction.
RELEASED = {
    "0001_requests": "de9da7b837a133c5f0b7e5d33390ead293cd46446039c965c81551fec3592d5f",
    "0002_jobs": "d03f6b9400a63ee9a15712ac8c9fdd76b9e439a35071ce87dea7805622ef604d",
    "0003_events": "8ecfa734783667b011e0a35637a1ee64c0e6d1338eea79e10b6d67ebbfad9db7",
    "0004_held_changes": "6724944d65730d3710048004f1344d7e915dbc252fe5aff5846fbadf0ae314a8",
    "0005_department": "1722d9009e4a2f2607e3e9078be7c28a98dd771ef20b8bb850bdb380e3ac7e76",
    "0006_work": "f2dfbb9001f414d6134c14e43d6b7d65f74ce7695162e4db6ec67b76c1ca0439",
    "0007_staff_keys": "0a42b60ed340ca621f9443841a17d79583ee01dfa4ab6b8d7026d2d706d1cb5d",
    "0008_deliveries": "d0e4f80cad224fae30b4c9ebd49536624b8f27aac30c2c5e478a0e9e769b7af3",
    "0009_staff_tokens": "4468944d14553b63111e4aeb55f5f9fd957cd13e49c0c2ca1d4d4cc5ee04cf24",
    "0010_neighbours": "1fcdd6fbae0b05067bb2bfc0fb4160d0882f371a0790abe69bd1b7856221d264",
    "0011_media": "81e9a91c51713eb7f6ec98c750c8342a226e33c7fb8b841ab3b6bdf7e6b9fd86",
    "0012_personal_data": "2fd9f2f0e922c5fa3c0e9f4aedc0dd9c4c98bfa8f70bd26c44baaad64432c52e",
    "0013_retention": "466f59bd49b915b6c4e3e4b23b83bf5854868624dd711993e37ba4e298dccde9",
    "0014_abuse": "d4f1303e92d540b5c02cd51adbce93462716a0abd2acadcea6b5f55e2964c8e2",
    "0015_unprepared_media": "038bc8e99742ca04c8fc0c39028830a4034adc427e105a9491bff5519b5ac5cc",
    "0016_delivered": "a5cf3c1a4c5caff4b73bd56d502e5ef55643b0577d899bb3838015e87b0c283b",
    "0017_kept_photos": "773b3ef305056f54d6560023caa7de769cd107c8d6665d64018e67694ab6aff1",
    "0018_statistics": "c7d665d63103805178d468c3c2e65f02f2d5677e2849023cb2eface011402466",
    "0019_map_cells": "e71094ecf34ea869aa38b23dd5f92859bc9e7762f01caed594cb434d90c3e488",
    "0020_held_updates": "f9071c569dacb20662f6fdceabd3486093622f18c7da8c1c08d1e0ea0d63c195",
    "0021_media_store": "8f5f885242c7d504a36255b0466921f3604539e10fca7265c69d94ba172a8e39",
    "0022_staff_sessions": "0678801dc540f3ee1857f4e24748e72037d55cd808dee2e3e39c3c3293fc5b49",
    "0023_close_cells": "acfedb14a434241efc326fe879888d4af466691aec5e78f2840321033863bd44",
    "0024_subscriptions": "c2096e70c1cc500f89ec8ca10ad258092197c1dd3ebe9f4edf39d5515f9e0498",
    "0025_mail": "4d48d37661e7e210ba0234aa128b45103890a9abb1515d299bddeeec04544681",
    "0026_mail_about_filters": "17fafc3f98899606af7782d0f8e27686850b4a96051d954d9d2c679fcf6a2442",
    "0027_indexes_for_maps_and_queues": "648042ea4d2a9a69aee02e9d54c991dc72328653ad123e0247c9ebf455a076cd",
    "0028_open_counts": "994dc2e5225a8fc7e6ba8e650fadb3dd85c62b1203f64004fbac69c23ba32b22",
    "0029_overrides": "64e85190d9b4997e3155a0312364199a3ce57190ae9515905e4a250a0750d789",
    "0030_supporters": "67245a1b34cf3d86bf7ff13d7d95401dd3c6982cd79a3639cc92d6f29ac723e4",
    "0031_city_notices": "870d4cbd7d0d5a70dc0105c7c5c3be57d531a02e44f771e31591be1294455d9c",
    "0032_suggestion_counts": "1dc0f986f31b5a593852bad93ed6f8340fd1f990aaf3ec5909725fdd210fe72b",
    "0033_forecasts": "11e63893623075dab4c17475b65c562ef9740fb4ec2176bca2c11a5324e3d792",
    "0034_sensors": "097d8ca6a67a07ba846000916235fb1f2eaf4e587450c0512098054db0dd939f",
    "0035_counted_supporters": "989cc39f1903062167236eaa995c6aaf42901a4322ac943587fbbd6ca3600c8f",
    "0036_timelines": "0eb77694172689f6200396bfc76b4320caa11bfac26be46f9edc6d4c01026f39",
    "0037_digests": "6f67f729afae9f8940289697e94d2b6a0a9cd051813c6e83f0b395cb150964f2",
    "0038_sms": "0edb33bb027f479cd18caf755fab8c8e6abd1387eabbb8daddb06375dc9942f0",
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


TABLE_IDS = "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
LOCKED = """
    SELECT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
    AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
"""The tables that nobody can write to while this session's transaction is open."""


def locked_by_step(database: Database, revision: str) -> set[str]:
    """The tables that a step to a revision locks against writers, without those that it makes or drops."""
    with database.transaction() as connection:
        before = _table_ids(connection)
        migrate(connection, revision)
        locked = {number for (number,) in connection.exec_driver_sql(LOCKED)}
        names = {name for number, name in _table_ids(connection).items() if number in locked & before.keys()}
    return {name for name in names if name != "alembic_version" and not name.startswith("procrastinate_")}


def _table_ids(connection: Connection) -> dict[int, str]:
    return {int(number): str(name) for number, name in connection.exec_driver_sql(TABLE_IDS)}


def test_each_migration_names_all_tables_that_it_locks(beginning: Database) -> None:
    """A table that is locked later than the others may be held by a POST that waits for one of them."""
    revisions = [name[:4] for name in RELEASED]
    steps = [*pairwise(revisions)]
    unnamed = {}
    for direction in (steps, [(new, old) for old, new in reversed(steps[1:])]):
        for start, end in direction:
            missing = locked_by_step(beginning, end) - {*CHANGED_TABLES.get(max(start, end), ())}
            if missing:
                unnamed[start, end] = missing
    assert unnamed == {}


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
