"""`open311 doctor`: faults of real databases, files and servers are found; a healthy server has none."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
import trustme
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.engine import make_url

from open311.cli import main
from open311.clock import exact_now
from open311.domain.notices import MAIL_SERVER
from open311.domain.remotes import PullState, Remote
from open311.embedded import find_binaries
from open311.jobs.dispatching import dispatch_all
from open311.media.stores import MARKER
from open311.operations.examining.examine import Limits, examine
from open311.operations.examining.findings import Finding, Level
from open311.operations.examining.machine import Room
from open311.operations.examining.stored import Bloat, check_tables
from open311.operations.media.files import own_store
from open311.operations.platform import open_platform
from open311.settings import Settings
from open311.storage import remotes
from open311.storage.engine import Database, libpq_dsn, open_database
from tests import build
from tests.checked_client import platform_of
from tests.disks import small_disk
from tests.ports import free_port
from tests.subscribing import subscribe
from tests.waiting import until

Run = Callable[..., Result]
GIVEN = os.environ.get("DATABASE_URL")
SECRET = "s3cret-hunter2"  # only a test


@pytest.fixture
def alive(shell: None, sweeper: Database) -> Iterator[Database]:
    """The tests' database, with a worker that has just given a sign of life."""
    with sweeper.transaction() as connection:
        connection.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"))
    yield sweeper
    with sweeper.transaction() as connection:
        connection.execute(text("DELETE FROM procrastinate_workers"))


@pytest.fixture
def own(make_database: Callable[[str], str], shell: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database whose schema a test may change."""
    url = make_database(f"doctor{free_port()}")
    monkeypatch.setenv("DATABASE_URL", url)
    database = open_database(Settings(database_url=url).sqlalchemy_url)
    sql(database, "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    yield database
    database.close()


def sql(database: Database, *statements: str) -> None:
    with database.reading() as connection:  # autocommit
        for statement in statements:
            connection.exec_driver_sql(statement)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["doctor", *arguments], prog_name="open311")
    assert "Traceback" not in result.output
    assert isinstance(result.exception, (SystemExit, type(None))), result.exc_info
    return result


def found(limits: Limits | None = None, **options: Any) -> list[Finding]:
    """The findings that are not OK."""
    every = examine(os.environ, options.pop("now", exact_now), limits=limits or Limits(), **options)
    return [one for one in every if one.level is not Level.OK]


def only(findings: list[Finding], subject: str) -> Finding:
    """The only finding, which has this subject."""
    (one,) = findings
    assert one.subject == subject, one
    assert one.cure
    return one


# --- As a whole


def test_a_healthy_server_has_no_finding(alive: Database, bare_shell: None, database_url: str) -> None:
    sql(alive, "DELETE FROM procrastinate_workers")
    environment = os.environ | {"DATABASE_URL": database_url, "OPEN311_JURISDICTIONS": "demo"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "open311", "worker"], env=environment, stderr=subprocess.DEVNULL
    )
    os.environ.update({"DATABASE_URL": database_url, "OPEN311_JURISDICTIONS": "demo"})
    try:
        until(lambda: run().exit_code == 0, "the worker's sign of life")
        result = run("--all")
    finally:
        worker.terminate()
        worker.wait(30)
    assert result.exit_code == 0, result.output
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}
    subjects = {one["subject"] for one in json.loads(run("--all", "--json").stdout)}
    assert {"settings", "packages", "disks", "indexes", "tables", "clock", "queue", "media"} < subjects


def test_the_lines_have_level_sentence_and_cure(shell: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN311_CONTAKT", "x")
    result = run()
    assert result.exit_code == 2, "no worker runs"
    assert (
        "warning settings: OPEN311_CONTAKT: there is no such setting; did you mean OPEN311_CONTACT?; try:"
        in result.stdout
    )
    assert "fault   queue: no worker runs; try: open311 worker" in result.stdout
    listed = json.loads(run("--json").stdout)
    assert [(one["level"], one["subject"]) for one in listed] == [("warning", "settings"), ("fault", "queue")]
    assert set(listed[0]) == {"level", "subject", "what", "cure"}


def test_warnings_alone_have_the_status_1(alive: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN311_CONTAKT", "x")
    assert run().exit_code == 1


def test_the_doctor_writes_nothing(alive: Database) -> None:
    before = _writes(alive)
    assert run("--all").exit_code == 0
    assert _writes(alive) == before
    assert list(Path().iterdir()) == [], "no folder was made"


def _writes(database: Database) -> list[Any]:
    """For each table the number of its rows, and the newest transaction and place of a row. A write changes one."""
    tables = "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY 1"
    with database.reading() as connection:
        names = [name for (name,) in connection.exec_driver_sql(tables)]
        return [
            connection.exec_driver_sql(f"SELECT count(*), max(xmin::text::bigint), max(ctid) FROM {name}").one()
            for name in names
        ]


# --- Settings, secrets, packages


@pytest.mark.parametrize(
    ("environment", "level", "words"),
    [
        ({"OPEN311_PORT": "many"}, Level.FAULT, "OPEN311_PORT: must be a whole number"),
        ({"OPEN311_PUBLIC_URL": "https://311.city.example"}, Level.FAULT, "each call looks like plain HTTP"),
        ({"OPEN311_MAX_PHOTO_BYTES": "30000000"}, Level.WARNING, "so a call with a photo that large gets 413"),
        ({"OPEN311_DESK_IDLE_MIN": "1000"}, Level.WARNING, "so it has no effect"),
        ({"OPEN311_OIDC_CA": "none.pem"}, Level.WARNING, "OPEN311_OIDC_ISSUER is not set"),
        ({"OPEN311_MAIL_FROM": "City <a@city.example>"}, Level.WARNING, "OPEN311_SMTP_URL is not set"),
        (
            {"OPEN311_SMTP_URL": "smtp://mail.city.example", "OPEN311_MAIL_FROM": "a@city.example"},
            Level.WARNING,
            "OPEN311_PUBLIC_URL is not set",
        ),
    ],
)
def test_settings_that_are_wrong_or_contradict_each_other_are_found(
    alive: Database, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], level: Level, words: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    one = only(found(), "settings")
    assert (one.level, words in one.what) == (level, True), one
    assert "a@city.example" not in one.what


def test_a_setting_that_is_given_twice_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    file.chmod(0o600)
    monkeypatch.setenv("OPEN311_METRICS_TOKEN", SECRET)
    monkeypatch.setenv("OPEN311_METRICS_TOKEN_FILE", str(file))
    assert "are both set" in only(found(), "settings").what


def test_a_secret_that_everybody_can_read_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    file.chmod(0o604)
    monkeypatch.setenv("OPEN311_METRICS_TOKEN_FILE", str(file))
    one = only(found(), "secrets")
    assert (one.level, one.cure) == (Level.WARNING, f"chmod o-rwx {file}")
    assert SECRET not in run("--all", "--json").output
    file.chmod(0o640)
    assert found() == []


def backends(folder: Path, monkeypatch: pytest.MonkeyPatch, toml: str) -> None:
    """Give the demo city these back ends."""
    folder.mkdir(exist_ok=True)
    (city,) = open_platform(Settings.from_environ()).registry
    (folder / f"{city.id}.toml").write_text(toml)
    monkeypatch.setenv("OPEN311_BACKENDS_DIR", str(folder))


def test_a_secret_of_a_back_end_that_is_missing_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = '[[backends]]\nname = "works"\nkind = "open311"\nurl = "https://works.example/v2"\n'
    backends(tmp_path / "backends", monkeypatch, toml + 'api_key = { env = "WORKS_KEY" }\n')
    one = only(found(), "secrets")
    assert one.level is Level.FAULT
    assert one.what.startswith("the api_key of works of ")
    assert "WORKS_KEY" in one.what
    monkeypatch.setenv("WORKS_KEY", SECRET)
    assert found() == []
    assert SECRET not in run("--all").output


def test_a_private_key_that_everybody_can_read_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = '[[backends]]\nname = "works"\nkind = "open311"\nurl = "https://works.example/v2"\n'
    tls = f'[backends.tls]\ncert = "{tmp_path / "cert.pem"}"\nkey = "{tmp_path / "key.pem"}"\n'
    issued = trustme.CA().issue_cert("localhost", not_after=exact_now() + timedelta(days=60))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    key = tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    backends(tmp_path / "backends", monkeypatch, toml + tls)
    assert found() == []
    key.chmod(0o644)
    assert only(found(), "secrets").cure == f"chmod o-rwx {key}"
    key.unlink()
    assert only(found(), "secrets").what.startswith("the private key of works of ")


def test_a_package_that_is_too_old_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / "old" / "segno-0.1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: segno\nVersion: 0.1\n")
    monkeypatch.syspath_prepend(str(facts.parent))
    one = only(found(), "packages")
    assert one.what == "segno is 0.1, but this server needs >=1.6"
    assert one.level is Level.FAULT


def test_a_city_that_is_not_served_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "jurisdiction.toml").write_text("nonsense")
    monkeypatch.setenv("OPEN311_JURISDICTIONS", f"demo,{tmp_path / 'broken'}")
    assert "is not served" in only(found(), "cities").what


# --- Disks and certificates


def test_a_disk_that_is_nearly_full_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with small_disk(tmp_path / "small", 40_000_000):
            monkeypatch.setenv("OPEN311_DATA_DIR", str(tmp_path / "small"))
            one = only(found(), "disks")
            assert (one.level, "OPEN311_DATA_DIR: only 40 MB are free" in one.what) == (Level.WARNING, True)
            (tmp_path / "small" / "ballast").write_bytes(bytes(39_000_000))
            one = only(found(), "disks")
            assert (one.level, one.cure) == (Level.FAULT, f"df -h {tmp_path / 'small'}")
    except PermissionError:
        pytest.skip("only root can mount a file system")


def test_a_disk_with_too_few_inodes_is_found(alive: Database) -> None:
    if not os.statvfs(".").f_files:
        pytest.skip("this file system has no fixed number of inodes")
    one = only(found(Limits(room=Room(inodes=2**62))), "disks")
    assert "more files fit" in one.what


def test_a_folder_that_cannot_be_used_is_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    monkeypatch.setenv("OPEN311_MEDIA", str(tmp_path / "file"))
    assert "OPEN311_MEDIA: this user cannot write to" in only(found(), "disks").what


def certificate(folder: Path, **days: int) -> Path:
    """A file with a certificate that expires after this time."""
    file = folder / "ca.pem"
    issued = trustme.CA().issue_cert("localhost", not_after=exact_now() + timedelta(**days))
    issued.cert_chain_pems[0].write_to_path(str(file))
    return file


@pytest.mark.parametrize(
    ("days", "level", "words"), [(-1, Level.FAULT, "expired on"), (5, Level.WARNING, "expires on"), (60, None, "")]
)
def test_certificates_that_expire_are_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, level: Level | None, words: str
) -> None:
    file = certificate(tmp_path, days=days)
    smtp = f"smtp://user:{SECRET}@mail.city.example?ca={quote(str(file))}"
    monkeypatch.setenv("OPEN311_SMTP_URL", smtp)
    monkeypatch.setenv("OPEN311_MAIL_FROM", "desk@city.example")
    monkeypatch.setenv("OPEN311_PUBLIC_URL", "https://311.city.example")
    monkeypatch.setenv("OPEN311_TRUSTED_PROXIES", "1")
    findings = found()
    assert SECRET not in str(findings)
    if level is None:
        assert findings == []
    else:
        one = only(findings, "certificates")
        assert (one.level, words in one.what, "ca in OPEN311_SMTP_URL" in one.what) == (level, True, True)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_found(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("OPEN311_OIDC_ISSUER", "https://login.city.example")
    monkeypatch.setenv("OPEN311_OIDC_CLIENT_ID", "open311")
    monkeypatch.setenv("OPEN311_OIDC_CA", str(tmp_path / "ca.pem"))
    assert "OPEN311_OIDC_CA" in only(found(), "certificates").what


@contextmanager
def tls_server(days: int, ca: trustme.CA) -> Iterator[int]:
    """A server on the loopback that shows a certificate for localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", not_after=exact_now() + timedelta(days=days)).configure_cert(context)
    listener = ssl.SSLContext.wrap_socket(context, _listening(), server_side=True, do_handshake_on_connect=False)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with closing(connection):
                try:
                    connection.do_handshake()
                    connection.recv(1)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    try:
        yield port
    finally:
        listener.shutdown(2)
        listener.close()
        thread.join(10)


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("days", "is_trusted", "words"),
    [
        (60, True, ""),
        (5, True, "the certificate of localhost expires on"),
        (-1, True, "certificate has expired"),
        (60, False, "its certificate is not trusted"),
    ],
)
def test_the_certificate_of_the_public_address_is_checked_only_if_asked(
    alive: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, is_trusted: bool, words: str
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    with tls_server(days, ca) as port:
        monkeypatch.setenv("OPEN311_PUBLIC_URL", f"https://localhost:{port}")
        monkeypatch.setenv("OPEN311_TRUSTED_PROXIES", "1")
        assert found() == [], "nobody asked for it"
        findings = found(asks_address=True)
    assert [one.subject for one in findings] == (["public address"] if words else [])
    assert words in str(findings)


def test_a_public_address_where_nothing_answers_is_found(alive: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN311_PUBLIC_URL", f"https://localhost:{free_port()}")
    monkeypatch.setenv("OPEN311_TRUSTED_PROXIES", "1")
    assert "no TLS there" in only(found(asks_address=True), "public address").what


# --- The database itself


def test_a_dead_database_is_a_finding(shell: None, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://jane:{SECRET}@127.0.0.1:{free_port()}/open311"
    monkeypatch.setenv("DATABASE_URL", url)
    result = run()
    assert result.exit_code == 2
    assert "fault   database: the database cannot be used:" in result.output
    assert SECRET not in result.output
    monkeypatch.setenv("DATABASE_URL", "")
    result = run()
    assert (result.exit_code, "DATABASE_URL" in result.output) == (2, True)


def test_a_database_that_has_not_been_migrated_is_found(own: Database) -> None:
    sql(own, "UPDATE alembic_version SET version_num = '0031'")
    one = only(found(), "schema")
    assert (one.level, one.cure) == (Level.FAULT, "open311 db migrate")
    assert "pending: 0032, 0033" in one.what
    sql(own, "UPDATE alembic_version SET version_num = '9999'")
    assert only(found(), "schema").level is Level.WARNING


def test_a_read_only_database_is_found(own: Database) -> None:
    with own.reading() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
    sql(own, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    one = only(found(), "database")
    assert (one.level, "read-only" in one.what) == (Level.FAULT, True)


ANCIENT = """
    CREATE SCHEMA ancient;
    CREATE FUNCTION ancient.current_setting(name text) RETURNS text LANGUAGE sql AS $$
        SELECT CASE name
            WHEN 'server_version_num' THEN '120022' WHEN 'server_version' THEN '12.22 (Debian 12.22-1)'
            ELSE pg_catalog.current_setting(name)
        END
    $$
"""


def test_a_postgresql_that_is_too_old_is_found(own: Database) -> None:
    name = make_url(os.environ["DATABASE_URL"]).database
    as_administrator(ANCIENT, f'ALTER DATABASE "{name}" SET search_path = ancient, pg_catalog, public')
    as_administrator("GRANT USAGE ON SCHEMA ancient TO public")
    one = only([one for one in found() if one.subject == "PostgreSQL"], "PostgreSQL")
    assert (one.level, one.cure) == (Level.FAULT, "pg_upgrade")
    assert one.what == "this is PostgreSQL 12.22, but this server needs 13 or newer"


def as_administrator(*statements: str) -> None:
    """Run statements in the database of DATABASE_URL as the administrator of the tests' own cluster."""
    if GIVEN:
        pytest.skip("the test needs an administrator, whom only the tests' own cluster has")
    with closing(open_database(administrator_url())) as administrator:
        sql(administrator, *statements)


def administrator_url() -> str:
    url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2", username="postgres")
    return url.render_as_string()


def test_an_extension_that_is_older_than_its_files_is_found(own: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    as_administrator("DROP EXTENSION btree_gist CASCADE", "CREATE EXTENSION btree_gist VERSION '1.2'")
    one = only([one for one in found() if one.subject == "PostgreSQL"], "PostgreSQL")
    assert one.level is Level.WARNING
    assert one.what.startswith("the extension btree_gist is 1.2 in this database, but 1.")
    assert one.cure == 'psql "$ADMIN_URL" -c "ALTER EXTENSION btree_gist UPDATE"'
    monkeypatch.setenv("ADMIN_URL", libpq_dsn(administrator_url()))
    cured(one.cure)
    assert not [one for one in found() if one.subject == "PostgreSQL"]


def test_an_extension_that_is_missing_is_found(own: Database) -> None:
    as_administrator("DROP EXTENSION btree_gist CASCADE")
    missing = [one for one in found() if one.subject == "PostgreSQL"]
    assert only(missing, "PostgreSQL").cure == 'psql "$ADMIN_URL" -c "CREATE EXTENSION btree_gist"'


def cured(cure: str) -> None:
    """Run the cure of a finding, which is a command of a shell."""
    environment = os.environ | {"PATH": f"{find_binaries()}:{os.environ['PATH']}"}
    url = libpq_dsn(Settings.from_environ().sqlalchemy_url)
    subprocess.run(cure, shell=True, check=True, env=environment | {"DATABASE_URL": url}, capture_output=True)


def test_indexes_that_are_missing_invalid_or_changed_are_found(own: Database) -> None:
    sql(own, "DROP INDEX api_key_digest_idx")
    one = only(found(), "indexes")
    assert one.what == "the index api_key_digest_idx is missing"
    cured(one.cure)
    assert found() == []
    sql(own, "DROP INDEX api_key_digest_idx", "CREATE INDEX api_key_digest_idx ON api_key (label)")
    one = only(found(), "indexes")
    assert one.what == "the index api_key_digest_idx is not the one that this release declares"
    cured(one.cure)
    assert found() == []
    sql(
        own,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " VALUES ('a', 'a', 'succeeded'), ('a', 'a', 'succeeded')",
    )
    with pytest.raises(Exception, match="could not create unique index"):
        sql(own, "CREATE UNIQUE INDEX CONCURRENTLY twice_idx ON procrastinate_jobs (task_name)")
    one = only(found(), "indexes")
    assert one.what == "the index twice_idx is invalid, because building it was interrupted"
    sql(own, "DELETE FROM procrastinate_jobs")
    cured(one.cure)
    assert found() == []


def test_other_differences_of_the_schema_are_found(own: Database) -> None:
    sql(own, "ALTER TABLE mail_reminder DROP CONSTRAINT mail_reminder_pkey")
    assert only(found(), "indexes").what == "the primary key of mail_reminder is missing"
    sql(
        own,
        "ALTER TABLE mail_reminder DROP COLUMN daily_at",
        "ALTER TABLE mail_reminder ADD PRIMARY KEY (overdue_at)",
    )
    assert only(found(), "indexes").what == "the column mail_reminder.daily_at is missing"


def test_tables_that_are_not_vacuumed_or_analysed_are_found(own: Database) -> None:
    insert = "INSERT INTO mail_reminder SELECT 'city' || n, now(), now() FROM generate_series(1, 12000) AS n"
    sql(own, "ALTER TABLE mail_reminder SET (autovacuum_enabled = false)", insert)
    kept, large = "autovacuum is off for mail_reminder", "mail_reminder has never been analysed"
    until(lambda: len(bloated(own)) == 2, "both findings")
    findings = about_tables()
    assert [one.what.partition(",")[0] for one in findings] == [kept, large]
    cured(findings[0].cure)
    sql(own, "ALTER TABLE mail_reminder SET (autovacuum_enabled = false)", "DELETE FROM mail_reminder")
    until(lambda: "12,000 dead rows" in str(bloated(own)), "the dead rows")
    findings = about_tables()
    cured(findings[1].cure)
    cured(findings[0].cure)
    until(lambda: not bloated(own), "the cure")
    assert about_tables() == []
    assert about_tables(Limits(bloat=Bloat(rows=0, dead=0.0, stale=-1.0))), "the limits are used"


def about_tables(limits: Limits | None = None) -> list[Finding]:
    return [one for one in found(limits) if one.subject == "tables"]


def bloated(own: Database) -> list[Finding]:
    """What the doctor finds about tables. All its checks together take half a CPU second, too long for a loop."""
    with own.reading() as connection:
        return [one for one in check_tables(connection, Bloat()) if one.level is not Level.OK]


def test_clocks_that_differ_are_found(alive: Database) -> None:
    one = only(found(now=lambda: exact_now() + timedelta(minutes=1)), "clock")
    assert (one.level, "60 s ahead of that of the database" in one.what) == (Level.FAULT, True)
    assert "behind" in only(found(now=lambda: exact_now() - timedelta(minutes=1)), "clock").what


def test_more_connections_than_the_database_admits_are_found(
    alive: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPEN311_POOL_SIZE", "5000")
    assert "PostgreSQL admits" in only(found(), "connections").what


def test_a_transaction_that_holds_back_the_change_feed_is_found(alive: Database, database_url: str) -> None:
    limits = Limits(held_back_s=0.0)
    dsn = libpq_dsn(Settings(database_url=database_url).sqlalchemy_url)
    with closing(psycopg2.connect(dsn)) as holder:
        holder.cursor().execute("INSERT INTO mail_reminder VALUES ('jane@mail.example', now(), now())")
        session = f"the session {holder.info.backend_pid} (idle in transaction) has held back the change feed"
        findings = [one for one in found(limits) if session in one.what]
        assert only(findings, "change feed").level is Level.WARNING
        assert "jane" not in str(findings)
        cured(findings[0].cure)
    assert session not in str(found(limits))


# --- Background work


def test_a_worker_that_has_died_is_found(alive: Database) -> None:
    sql(alive, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    one = only(found(), "queue")
    assert (one.level, one.cure) == (Level.FAULT, "open311 worker")
    assert "sign of life" in one.what


def test_jobs_and_changes_that_wait_are_found(alive: Database) -> None:
    columns = "queue_name, task_name, status, scheduled_at, attempts"
    insert = f"INSERT INTO procrastinate_jobs ({columns}) VALUES ('default', 'clean_up', 'todo',"
    sql(alive, f"{insert} now() - interval '1 hour', 0)")
    one = only(found(), "queue")
    assert (one.level, "stuck jobs: 1; the oldest has waited for 36" in one.what) == (Level.FAULT, True)
    sql(alive, "DELETE FROM procrastinate_jobs", f"{insert} now() + interval '1 hour', 9)")
    one = only(found(), "queue")
    assert (one.level, one.what) == (Level.WARNING, "jobs that fail again and again: clean_up")
    sql(
        alive,
        "DELETE FROM procrastinate_jobs",
        "INSERT INTO outbox (jurisdiction_id, request_id, version, written_at)"
        " VALUES ('city.example', 1, 1, now() - interval '1 hour')",
    )
    one = only(found(), "queue")
    assert (one.level, "changes that are not dispatched: 1" in one.what) == (Level.FAULT, True)
    sql(alive, "DELETE FROM outbox")


def test_mail_that_came_back_and_a_mail_server_that_is_down_are_found(alive: Database) -> None:
    city, server = MAIL_SERVER
    recipient = "INSERT INTO mail_recipient (jurisdiction_id, recipient, bounces, stopped_for, changed_at) VALUES"
    sql(alive, f"{recipient} ('city.example', 'digest', 3, 'bounced', now())")
    one = only(found(), "mail")
    assert (one.level, one.what) == (
        Level.WARNING,
        "addresses of city.example whose mail came back within the last week: 1",
    )
    sql(
        alive,
        "DELETE FROM mail_recipient",
        f"{recipient} ('city.example', 'digest', 0, 'refused', now())",
        f"{recipient} ('city.example', 'older', 3, 'bounced', now() - interval '30 days')",
    )
    assert found() == []
    sql(
        alive,
        "INSERT INTO destination (jurisdiction_id, backend, failures, failing_since, rests_until)"
        f" VALUES ('{city}', '{server}', 20, now() - interval '1 hour', now() + interval '1 minute')",
    )
    assert only(found(), "mail").what == "the mail server is down"


def test_a_media_store_of_another_database_is_found(alive: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = open_platform(Settings.from_environ())
    own_store(platform, exact_now())
    platform.close()
    assert found() == []
    marker = Settings.from_environ().media_path / MARKER
    marker.write_text("another")
    one = only(found(), "media")
    assert (one.level, one.cure) == (Level.FAULT, "open311 media check")
    monkeypatch.setenv("OPEN311_MEDIA", "empty")
    assert only(found(), "media").level is Level.FAULT
    assert not Path("empty").exists(), "nothing is written"


def test_a_back_office_that_is_down_or_waits_for_a_person_is_found(
    alive: Database, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = '[[backends]]\nname = "works"\nkind = "open311"\nurl = "https://works.example/v2"\n'
    backends(tmp_path / "backends", monkeypatch, toml)
    assert found() == []
    build.submit(platform_of(app))
    dispatch_all(platform_of(app))
    columns = "jurisdiction_id, request_id, version, backend, subject, key, state, created_at, due_at"
    insert = f"INSERT INTO delivery ({columns}) SELECT jurisdiction_id, id, 1, 'works', 'case'"
    past = "now() - interval '1 hour', now() - interval '1 hour' FROM service_request"
    known = (
        "INSERT INTO destination (jurisdiction_id, backend) SELECT jurisdiction_id, 'works' FROM service_request"
    )
    sql(alive, known, f"{insert}, 'a', 'parked', {past}")
    one = only(found(), "back offices")
    assert (one.level, one.cure) == (Level.WARNING, "open311 deliveries list")
    assert one.what.endswith(": 1 parked delivery waits for a person")
    sql(alive, "DELETE FROM delivery", f"{insert}, 'b', 'waiting', {past}")
    one = only(found(), "back offices")
    assert (one.level, one.cure) == (Level.FAULT, "open311 worker")
    down = "failures = 20, failing_since = now(), rests_until = now() + interval '1 minute'"
    sql(alive, "DELETE FROM delivery", f"UPDATE destination SET {down}, cause = 'jane@mail.example'")
    one = only(found(), "back offices")
    assert (one.level, "is down since" in one.what, "jane" in one.what) == (Level.FAULT, True, False)


def test_receivers_that_fail_or_were_disabled_are_found(
    alive: Database, app: Flask, client: FlaskClient, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(platform_of(app).settings.__dict__, "webhook_hosts", ("127.0.0.1:9",))
    subscribe(client, key, "http://127.0.0.1:9/secret/path")
    failing = "UPDATE webhook SET failures = 5, failing_since = now() - interval"
    sql(alive, "UPDATE subscription SET state = 'active'", f"{failing} '1 minute'")
    assert found() == []
    sql(alive, f"{failing} '1 day'")
    one = only(found(), "webhooks")
    assert (one.level, "1 failing" in one.what, "secret" in str(one)) == (Level.WARNING, True, False)
    sql(alive, "UPDATE subscription SET state = 'disabled'")
    assert "1 disabled" in only(found(), "webhooks").what


def test_neighbours_that_cannot_be_read_are_found(alive: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    (city,) = open_platform(Settings.from_environ()).registry
    now = exact_now()
    one = Remote(
        jurisdiction_id=city.id,
        name="north",
        url="https://north.example/v2",
        since=now,
        pulls=True,
        key_env="NORTH",
    )
    with alive.transaction() as connection:
        remotes.save(connection, one, now)
    assert "the key of the neighbour north" in only(found(), "secrets").what
    monkeypatch.setenv("NORTH", SECRET)
    assert found() == []
    with alive.transaction() as connection:
        remotes.save_pull(
            connection, (city.id, "north"), PullState(failures=3, due_at=now, cause="jane@mail.example")
        )
    finding = only(found(), "neighbours")
    assert (finding.level, "3 times in a row" in finding.what) == (Level.WARNING, True)
    assert "jane" not in str(finding)
    with alive.transaction() as connection:
        late = PullState(due_at=now - timedelta(hours=2))
        remotes.save_pull(connection, (city.id, "north"), late)
    finding = only(found(), "neighbours")
    assert (finding.level, finding.cure) == (Level.FAULT, "open311 worker")
