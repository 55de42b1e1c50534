"""The private PostGIS cluster, with real servers and real processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest
import sqlalchemy

from open311.embedded import Cluster
from tests.embedded.conftest import open_folder
from tests.waiting import until

AS_ROOT = os.geteuid() == 0
WAIT_S = 30

HOLDER = """
import sys
from pathlib import Path
from open311.embedded import Cluster
with Cluster(Path(sys.argv[1]), durable=False):
    print("up", flush=True)
    sys.stdin.read()
"""

FORKING_HOLDER = """
import os, sys
from pathlib import Path
from open311.embedded import Cluster
with Cluster(Path(sys.argv[1]), durable=False) as cluster:
    child = os.fork()
    if child == 0:
        cluster.release()
        os._exit(0)
    os.waitpid(child, 0)
    print("still up:", cluster.has_database("postgres"))
"""

# The imports come before setuid, because an ordinary user may not be able to read the packages' folder.
ORDINARY_USER = """
import os, sys
from pathlib import Path
import psycopg2
from open311.embedded import Cluster
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with Cluster(Path(sys.argv[1]), durable=False) as cluster:
    cluster.create_database("town")
    connection = psycopg2.connect(cluster.dsn("town"))
    cursor = connection.cursor()
    cursor.execute("SELECT postgis_version()")
    print(os.geteuid(), cursor.fetchone()[0], flush=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running cluster with the database "town"."""
    with open_folder() as path, Cluster(path / "pg", durable=False) as running:
        running.create_database("town")
        yield running


@pytest.fixture(scope="module")
def stopped_home() -> Iterator[Path]:
    """The home of a cluster that was created and stopped. To copy it is faster than another initdb."""
    with open_folder() as path:
        with Cluster(path / "pg", durable=False):
            pass
        yield path / "pg"


def copied(home: Path, target: Path) -> Path:
    """A copy of a cluster's home with the same owners, as if somebody had copied a whole clone with `cp -a`."""
    subprocess.run(["cp", "-a", str(home), str(target)], check=True, timeout=WAIT_S)
    return target


def ask(cluster: Cluster, statement: str, database: str = "postgres") -> Any:
    """Run and commit a statement; returns the first value of its first row, None if there are no rows."""
    with (
        closing(psycopg2.connect(cluster.dsn(database))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def is_up(cluster: Cluster) -> bool:
    try:
        return bool(ask(cluster, "SELECT 1") == 1)
    except psycopg2.OperationalError:
        return False


def postmaster(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text().splitlines()[0])


def start_holder(home: Path) -> subprocess.Popen[str]:
    """Start another process that holds the cluster until its input ends, in its own process group."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_holder(holder: subprocess.Popen[str]) -> None:
    os.killpg(holder.pid, signal.SIGKILL)
    holder.communicate(timeout=WAIT_S)


# Access


def test_sqlalchemy_psycopg2_and_psycopg3_reach_postgis_below_a_path_with_blanks(cluster: Cluster) -> None:
    assert " " in str(cluster.home)
    engine = sqlalchemy.create_engine(cluster.url("town"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT postgis_version()").scalar_one().startswith("3.")
    engine.dispose()
    assert ask(cluster, "SELECT postgis_version()", "town").startswith("3.")
    with psycopg.connect(cluster.dsn("town")) as connection_3:
        assert connection_3.execute("SELECT current_database()").fetchone() == ("town",)


def test_a_new_database_has_the_extensions_and_knows_the_case_of_letters_with_accents(cluster: Cluster) -> None:
    names = ask(cluster, "SELECT array_agg(extname::text) FROM pg_extension", "town")
    assert {"postgis", "btree_gist", "pg_trgm", "unaccent"} <= set(names)
    assert ask(cluster, "SELECT lower('ÉCOLE')", "town") == "école"
    assert ask(cluster, "SELECT 'ÉCOLE' ILIKE 'école'", "town") is True


def test_the_role_owns_its_databases_and_is_not_a_superuser(cluster: Cluster) -> None:
    assert ask(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", "town") is False
    ask(cluster, "CREATE TABLE owned (id int)", "town")
    ask(cluster, "DROP TABLE owned", "town")


def test_creating_a_database_again_keeps_its_data(cluster: Cluster) -> None:
    cluster.create_database("again")
    ask(cluster, "CREATE TABLE kept AS SELECT 7 AS n", "again")
    cluster.create_database("again")
    assert ask(cluster, "SELECT n FROM kept", "again") == 7
    cluster.drop_database("again")


def test_a_template_is_copied_and_a_database_with_a_session_is_dropped(cluster: Cluster) -> None:
    cluster.create_database("copy", template="town")
    assert cluster.has_database("copy")
    with pytest.raises(psycopg2.errors.DuplicateDatabase):
        cluster.create_database("copy", template="town")
    with closing(psycopg2.connect(cluster.dsn("copy"))):
        cluster.drop_database("copy")
    assert not cluster.has_database("copy")
    cluster.drop_database("copy")


def test_a_database_name_may_have_any_characters(cluster: Cluster) -> None:
    name = 'a "quoted" town?x=1'
    cluster.create_database(name, template="town")
    engine = sqlalchemy.create_engine(cluster.url(name))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_database()").scalar_one() == name
    engine.dispose()
    cluster.drop_database(name)


def test_the_cluster_has_no_port_and_refuses_other_users(cluster: Cluster) -> None:
    sockets = Path(psycopg2.extensions.parse_dsn(cluster.dsn("town"))["host"])
    assert sockets.stat().st_mode & 0o077 == 0
    assert (cluster.home / "data").stat().st_mode & 0o077 == 0
    assert ask(cluster, "SHOW listen_addresses") == ""


def test_only_the_cluster_for_tests_is_not_durable(cluster: Cluster, stopped_home: Path, folder: Path) -> None:
    assert ask(cluster, "SHOW fsync") == "off"
    with Cluster(copied(stopped_home, folder / "pg")) as durable:
        assert [ask(durable, f"SHOW {name}") for name in ("fsync", "full_page_writes", "jit")] == [
            "on",
            "on",
            "off",
        ]


def test_a_cluster_has_the_given_settings(stopped_home: Path, folder: Path) -> None:
    with Cluster(
        copied(stopped_home, folder / "pg"), durable=False, settings={"shared_buffers": "32MB"}
    ) as cluster:
        assert ask(cluster, "SHOW shared_buffers") == "32MB"


# Holders, which keep the server running


def test_the_last_holder_to_release_stops_the_server(stopped_home: Path, folder: Path) -> None:
    home = copied(stopped_home, folder / "pg")
    first, second = Cluster(home, durable=False), Cluster(home, durable=False)
    first.hold()
    second.hold()
    first.release()
    assert is_up(second)
    second.release()
    assert not is_up(second)
    second.release()


def test_a_server_with_a_killed_holder_runs_until_the_last_living_holder_releases_it(
    stopped_home: Path, folder: Path
) -> None:
    home = copied(stopped_home, folder / "pg")
    first = start_holder(home)
    assert first.stdout is not None
    assert first.stdout.readline() == "up\n"
    with Cluster(home, durable=False) as other:
        kill_holder(first)
        assert is_up(other)
    # If the server had inherited the lock of the killed holder, the server would still run.
    assert not is_up(other)


def test_processes_that_start_at_the_same_time_share_one_server(folder: Path) -> None:
    home = folder / "pg"
    holders = [start_holder(home) for _ in range(4)]
    for holder in holders:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
    cluster = Cluster(home, durable=False)
    assert is_up(cluster)
    for holder in holders:
        holder.communicate(timeout=WAIT_S)
        assert holder.returncode == 0
    assert not is_up(cluster)


def test_the_end_of_a_forked_child_does_not_release_the_parents_hold(stopped_home: Path, folder: Path) -> None:
    command = [sys.executable, "-c", FORKING_HOLDER, str(copied(stopped_home, folder / "pg"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert done.stdout == "still up: True\n", done.stderr


# Crashes, copies, unusual folders


def test_kill_9_of_the_whole_server_loses_no_committed_data(stopped_home: Path, folder: Path) -> None:
    home = copied(stopped_home, folder / "pg")
    with Cluster(home) as cluster:
        cluster.create_database("town", template="template0")
        ask(cluster, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n", "town")
        backends = ask(cluster, "SELECT array_agg(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        for pid in (postmaster(home), *backends):
            with contextlib.suppress(ProcessLookupError):  # the other processes end after the postmaster
                os.kill(pid, signal.SIGKILL)
        cluster.ensure_running()
        assert ask(cluster, "SELECT count(*) FROM kept", "town") == 1000
    assert not is_up(cluster)


def test_kill_9_of_holder_and_postmaster_is_repaired_by_the_next_holder(stopped_home: Path, folder: Path) -> None:
    home = copied(stopped_home, folder / "pg")
    first = start_holder(home)
    assert first.stdout is not None
    assert first.stdout.readline() == "up\n"
    kill_holder(first)
    killed = postmaster(home)
    os.kill(killed, signal.SIGKILL)
    with Cluster(home, durable=False) as cluster:
        assert is_up(cluster)
        assert postmaster(home) != killed
    assert not is_up(cluster)


def test_a_folder_copied_from_a_running_clone_becomes_a_separate_cluster(
    cluster: Cluster, stopped_home: Path, folder: Path
) -> None:
    """The copied postmaster.pid names a running server of the same user, as can also happen after a reboot."""
    home = copied(stopped_home, folder / "pg")
    shutil.copy(cluster.home / "data" / "postmaster.pid", home / "data" / "postmaster.pid")
    with Cluster(home, durable=False) as copy:
        assert not copy.has_database("town")
        assert cluster.has_database("town")


def test_an_interrupted_creation_is_repeated(folder: Path) -> None:
    home = folder / "pg"
    first = start_holder(home)
    until(lambda: list(home.glob("data.*.tmp")), "a creation that is under way")
    kill_holder(first)
    assert not (home / "data").exists()
    with Cluster(home, durable=False) as cluster:
        assert is_up(cluster)
        assert not list(home.glob("data.*.tmp"))


def test_a_cluster_in_a_folder_with_a_long_path_uses_a_short_socket_path(stopped_home: Path, folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with Cluster(copied(stopped_home, deep / "pg"), durable=False) as cluster:
        assert is_up(cluster)
        sockets = Path(psycopg2.extensions.parse_dsn(cluster.dsn("postgres"))["host"])
        assert len(str(sockets)) < 60
        assert sockets.stat().st_mode & 0o777 == 0o700
    sockets.rmdir()


def test_a_path_can_contain_separators_of_libpq_and_sqlalchemy(stopped_home: Path, folder: Path) -> None:
    with Cluster(copied(stopped_home, folder / "a,b:c'd\"e$f é"), durable=False) as cluster:
        engine = sqlalchemy.create_engine(cluster.url("postgres"))
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        engine.dispose()
    Path(psycopg2.extensions.parse_dsn(cluster.dsn("postgres"))["host"]).rmdir()


def test_a_clone_in_an_inaccessible_folder_has_its_data_in_another_folder(folder: Path) -> None:
    folder.chmod(0o700)
    with Cluster(folder / "pg", durable=False) as cluster:
        assert is_up(cluster)
        assert Cluster(folder / "pg").dsn("postgres") == cluster.dsn("postgres")
    note = folder / "pg" / "elsewhere"
    assert note.exists() == AS_ROOT
    if AS_ROOT:
        elsewhere = Path(note.read_text().strip())
        assert (elsewhere / "home").read_text().strip() == str(folder / "pg")
        # A copied clone must not use the data of the original.
        copy = copied(folder / "pg", folder / "copy")
        assert cluster.left is None
        assert Cluster(copy).left == elsewhere, "the copy starts without data, and `open311 run` says so"
        assert Cluster(copy).dsn("postgres") != cluster.dsn("postgres")
        shutil.rmtree((copy / "elsewhere").read_text().strip())
        shutil.rmtree(elsewhere)


def test_an_ordinary_user_can_have_a_cluster(folder: Path) -> None:
    if AS_ROOT:
        os.chown(folder, 65534, 65534)
    command = [sys.executable, "-c", ORDINARY_USER, str(folder / "pg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, env=os.environ | {"HOME": "/"})
    assert done.returncode == 0, done.stderr
    uid, version = done.stdout.split(maxsplit=1)
    assert int(uid) == (folder / "pg" / "data").stat().st_uid != 0
    assert version.startswith("3.")
