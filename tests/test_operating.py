"""The operator's guide is correct: its commands run, and systemd and nginx accept its files."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from string import Template
from urllib.parse import quote

import psycopg2
import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from open311.cli import main
from open311.embedded import Cluster, find_binaries
from open311.settings import Settings
from tests.conftest import HOME
from tests.guide import BLOCKS, FILES, HAPROXY, SITE, UPSTREAM
from tests.ports import free_port
from tests.test_readme import serving

ROWS = "service_request_id,service_code,status,requested_datetime,address\n" + "".join(
    f"{number},potholes,open,2026-02-03T14:10:00Z,5 Mill Lane\n" for number in range(1, 4)
)
TLS_BY_PROXY = {"OPEN311_PUBLIC_URL": "https://311.city.example", "OPEN311_TRUSTED_PROXIES": "1"}
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")


@dataclass(frozen=True)
class Database:
    """The names that the test uses instead of the guide's, and the URLs of the databases, as psql reads them."""

    owner: str
    restored: str
    socket: str

    def url(self, database: str, user: str) -> str:
        """The URL of a database for a user."""
        return f"postgresql://{user}@/{database}?{self.socket}"

    def named(self, block: str) -> str:
        """A block of the guide with these names."""
        block = block.replace("open311_restored", self.restored)
        return re.sub(r"\b(ROLE|DATABASE|OWNER|connect) open311\b", rf"\1 {self.owner}", block)


@pytest.fixture
def database(worker_id: str) -> Iterator[Database]:
    """Names for the role and the databases that the guide makes. They are dropped after the test."""
    bin_dir = find_binaries()
    if os.environ.get("DATABASE_URL") or bin_dir is None:
        pytest.skip("the test needs an administrator, whom only the tests' own cluster has")
    with Cluster(HOME, durable=False, bin_dir=bin_dir) as cluster:
        query = make_url(cluster.url("postgres")).query
        socket = f"host={quote(str(query['host']))}&port={query['port']}"
        database = Database(f"guide_{worker_id}", f"restored_{worker_id}", socket)
        yield database
        cluster.drop_database(database.owner)
        cluster.drop_database(database.restored)
        with closing(psycopg2.connect(database.url("postgres", "postgres"))) as connection, connection:
            connection.cursor().execute(f"DROP ROLE IF EXISTS {database.owner}")


class Operator:
    """Runs lines of the guide as a shell does. Commands of open311 run in this process, which saves a minute.

    said  the output of all lines
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.said = ""

    def run(self, line: str) -> None:
        """Run a line, which must succeed."""
        expanded = Template(line).substitute(self._environment)
        words = shlex.split(expanded, comments=True)
        assigned = dict(word.split("=", 1) for word in takewhile(re.compile(r"\w+=").match, words))
        words = words[len(assigned) :]
        if not words:
            self._environment |= assigned
        elif words[0] == "open311":
            done = CliRunner().invoke(main, words[1:], env=self._environment | assigned)
            assert done.exit_code == 0, f"{line}: {done.output}"
            self.said += done.output
        else:
            called = subprocess.run(
                words,
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert called.returncode == 0, f"{line}: {called.stderr}"
            self.said += called.stdout


def reached(block: str, port: int) -> str:
    """A block whose calls reach the test's server, those of the public address as nginx passes them on."""
    public = f"{TLS_BY_PROXY['OPEN311_PUBLIC_URL']}/"
    block = re.sub(
        rf'^curl (.*"){re.escape(public)}',
        r'curl --header "X-Forwarded-Proto: https" \1http://127.0.0.1:3111/',
        block,
        flags=re.MULTILINE,
    )
    return block.replace("127.0.0.1:3111", f"127.0.0.1:{port}")


@needs_curl
def test_an_operator_runs_every_command_of_the_guide(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, bin_dir = free_port(), find_binaries()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("OPEN311_")]:
        monkeypatch.delenv(name)
    for name, value in TLS_BY_PROXY.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "requests.csv").write_text(ROWS)
    url = database.url(database.owner, database.owner)
    operator = Operator(
        tmp_path,
        dict(os.environ)
        | {
            "PATH": os.pathsep.join((str(bin_dir), os.environ["PATH"])),
            "DATABASE_URL": url,
            "ADMIN_URL": database.url("postgres", "postgres"),
            "RESTORED_URL": database.url(database.restored, database.owner),
            "RESTORED_ADMIN_URL": database.url(database.restored, "postgres"),
            "OPEN311_JURISDICTIONS": "demo",
        },
    )
    with serving(Settings(database_url=url, jurisdictions=("demo",), port=port)):
        for block in BLOCKS:
            for line in reached(database.named(block), port).splitlines():
                operator.run(line)
    assert "3 read, 3 new" in operator.said
    assert "3 read, 0 new" in operator.said
    assert operator.said.count('"service_code":"potholes"') == 3, "the list of February"
    assert (tmp_path / "all.csv").read_text().count("potholes") == 3
    assert "Key 1 is revoked." in operator.said
    assert "open requests lack a delivery." in operator.said
    assert operator.said.count("FixIt app, 2027") == 3, "added, listed, and listed in the restored database"


def test_the_guide_contains_the_complete_files() -> None:
    assert sorted(FILES) == [
        HAPROXY,
        UPSTREAM,
        SITE,
        "/etc/open311/environment",
        "/etc/pgbouncer/pgbouncer.ini",
        "/etc/systemd/system/open311-worker.service",
        "/etc/systemd/system/open311.service",
    ]


@pytest.mark.parametrize("name", ["open311.service", "open311-worker.service"])
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    text = FILES[f"/etc/systemd/system/{name}"]
    for line in ("StartLimitIntervalSec=0", "RestartSec=2", "Restart=always"):
        assert line in text.splitlines()
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd on this machine")
    unit = tmp_path / name
    unit.write_text(text.replace("/opt/open311/bin/open311", "/bin/true"))
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert name not in done.stderr, done.stderr


def test_nginx_accepts_the_site(tmp_path: Path) -> None:
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("there is no nginx on this machine")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=311.city.example", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    made = [openssl, "req", "-x509", *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, capture_output=True, check=True)
    site = FILES[SITE]
    site = site.replace("/etc/ssl/private/311.city.example.key", str(key))
    site = site.replace("/etc/ssl/certs/311.city.example.pem", str(certificate))
    site = site.replace("listen 443", "listen 33443").replace("listen 80", "listen 33080")
    configuration = tmp_path / "nginx.conf"
    paths = f"pid {tmp_path}/pid; error_log {tmp_path}/error.log;"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    configuration.write_text(f"{paths} events {{}} http {{ access_log off; {folders} {site} }}")
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "test is successful" in done.stderr, done.stderr
