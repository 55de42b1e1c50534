"""Functions that run procrastinate's own migrations from its installed release. Names and digests are checked.

Procrastinate's schema.sql is not used, because it changes with each release. With it, databases that were made with
different releases would differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from importlib import metadata, resources

from sqlalchemy import Connection

from open311.errors import Misconfigured


def apply_files(
    connection: Connection, files: Mapping[str, str], edits: Mapping[str, Iterable[tuple[str, str]]]
) -> None:
    """Run some of procrastinate's files in order, in the caller's transaction.

    files  SHA-256 of each file, by name
    edits  by name, the replacements (before, after) that are made in a file before it runs
    Raises Misconfigured, before anything runs, if the installed release lacks a file or has another version of it.
    """
    texts = {name: _read(name, digest) for name, digest in files.items()}
    # A raw cursor, because SQLAlchemy would read % and : in the files as parameters.
    with closing(connection.connection.cursor()) as cursor:
        for name, text in texts.items():
            for before, after in edits.get(name, ()):
                text = text.replace(before, after)
            cursor.execute(text)


def installed_files() -> set[str]:
    """The names of all migrations that the installed release has."""
    folder = resources.files("procrastinate") / "sql" / "migrations"
    return {file.name for file in folder.iterdir() if file.name.endswith(".sql")}


def _read(name: str, digest: str) -> str:
    file = resources.files("procrastinate") / "sql" / "migrations" / name
    found = file.read_bytes() if file.is_file() else None
    if found is None or hashlib.sha256(found).hexdigest() != digest:
        problem = "no" if found is None else "another"
        raise Misconfigured(
            f"procrastinate {metadata.version('procrastinate')} has {problem} {name}, which the job queue's tables"
            " are made of; install the release that .lock/run.txt names."
        )
    return found.decode()
