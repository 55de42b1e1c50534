"""A real PgBouncer in transaction mode, with the file of the operator's guide."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from tests.ports import free_port
from tests.waiting import until

GUIDE = Path(__file__).parents[1] / "spec" / "operating.md"
INI = re.compile(r"^```ini\n#!/etc/pgbouncer/pgbouncer\.ini\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def program() -> str:
    """The path of PgBouncer; skips the test if it is not installed."""
    found = shutil.which("pgbouncer", path=os.pathsep.join((os.environ["PATH"], "/usr/sbin")))
    if found is None:
        pytest.skip("there is no pgbouncer on this machine (Debian: apt-get install pgbouncer)")
    return found


def file_of_guide() -> str:
    """The complete file pgbouncer.ini of the guide."""
    [text] = INI.findall(GUIDE.read_text(encoding="utf-8"))
    return str(text)


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer.

    url  the URL of the database through it
    """

    url: str
    pid: int


@contextmanager
def pooling(url: str, **changes: str) -> Iterator[Pooler]:
    """Run PgBouncer in front of a database until the block ends.

    url      the SQLAlchemy URL of the database
    changes  other values of the file, such as default_pool_size="2"; connect_query="" leaves it out
    """
    pgbouncer, target = program(), make_url(url)
    port = int(changes.get("listen_port", free_port()))
    folder = Path(tempfile.mkdtemp(prefix="open311-pgbouncer-"))
    file, log = folder / "pgbouncer.ini", folder / "log"
    values = {"listen_port": str(port), "auth_type": "any", "logfile": str(log)}
    file.write_text(_configuration(target, values | changes), encoding="utf-8")
    process = subprocess.Popen([pgbouncer, *_user(target, folder), str(file)], stderr=subprocess.DEVNULL)

    def is_listening() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(is_listening, "PgBouncer to listen")
        through = URL.create("postgresql", target.username, target.password, "127.0.0.1", port, target.database)
        yield Pooler(through.render_as_string(hide_password=False), process.pid)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def _configuration(target: URL, values: dict[str, str]) -> str:
    """The guide's file for another database, with other values."""
    query = values.pop("connect_query", None)
    lines = []
    for line in file_of_guide().splitlines():
        name = line.partition(" = ")[0]
        if name == "open311":
            lines.append(_database_line(line, target, query))
        elif name not in values and name != "auth_file":
            lines.append(line)
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in values.items())]) + "\n"


def _database_line(line: str, target: URL, query: str | None) -> str:
    rest = line.partition("dbname=open311")[2]
    if query is not None:
        rest = f" connect_query='{query}'" if query else ""
    named = {
        "host": target.host or target.query.get("host", ""),
        "port": target.port or target.query.get("port", "5432"),
        "dbname": target.database,
        "user": target.username,
        "password": target.password,
    }
    place = " ".join(f"{name}={value}" for name, value in named.items() if value)
    return f"{target.database} = {place}{rest}"


def _user(target: URL, folder: Path) -> list[str]:
    """The options with which PgBouncer, started by root, becomes the owner of the socket of PostgreSQL."""
    if os.geteuid() != 0:
        return []
    sockets = target.query.get("host")
    name = Path(sockets).owner() if isinstance(sockets, str) and sockets.startswith("/") else "nobody"
    shutil.chown(folder, name)
    return ["-u", name]
