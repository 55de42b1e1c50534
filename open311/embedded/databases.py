"""Connections to the server, and databases inside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2  # psycopg2 has no type stubs
from psycopg2 import extensions, sql

from open311.embedded.files import PORT

SUPERUSER = "postgres"
MAINTENANCE = "postgres"
"""The database that exists in every cluster."""
OWNER = "open311"


def make_dsn(sockets: Path, database: str, *, user: str = OWNER) -> str:
    """The libpq connection string of a database."""
    return str(extensions.make_dsn(host=str(sockets), port=PORT, user=user, dbname=database))


def make_url(sockets: Path, database: str) -> str:
    """The SQLAlchemy URL of a database."""
    host = quote(str(sockets), safe="/")
    return f"postgresql+psycopg2://{OWNER}@/{quote(database, safe='')}?host={host}&port={PORT}"


def is_private_url(url: str) -> bool:
    """Whether a URL is one that `make_url` has made, for any cluster."""
    return url.startswith(f"postgresql+psycopg2://{OWNER}@/") and url.endswith(f"&port={PORT}")


@contextmanager
def superuser(sockets: Path, database: str = MAINTENANCE) -> Iterator[Any]:
    """A cursor of the superuser, in autocommit mode."""
    dsn = make_dsn(sockets, database, user=SUPERUSER)
    with closing(psycopg2.connect(dsn, connect_timeout=5)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def is_answering(sockets: Path) -> bool:
    """Whether the superuser can connect.

    Other users may get no connection, because PostgreSQL reserves some connections for superusers.
    """
    try:
        with superuser(sockets) as cursor:
            cursor.execute("SELECT 1")
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return False
    return True


def has_database(cursor: Any, name: str) -> bool:
    """Whether there is a database with this name."""
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return cursor.fetchone() is not None


def create_database(cursor: Any, name: str, template: str) -> None:
    """Create a database as a copy of the database `template`."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    cursor.execute(statement.format(*map(sql.Identifier, (name, OWNER, template))))


def ensure_database(sockets: Path, name: str) -> None:
    """Create a database with its extensions, or add to an existing one the extensions that it lacks."""
    with superuser(sockets) as cursor:
        # The web server and the worker may call this function at the same time. The lock makes the second wait.
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
        if not has_database(cursor, name):
            create_database(cursor, name, "template0")
        with superuser(sockets, name) as inside:
            _create_extensions(inside)


def drop_database(cursor: Any, name: str) -> None:
    """Drop a database if it exists, and end its sessions."""
    cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _create_extensions(cursor: Any) -> None:
    cursor.execute("SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'unaccent')")
    for name in ("postgis", "btree_gist", *sorted(row[0] for row in cursor.fetchall())):
        cursor.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
