"""A cluster that processes share: the first holder starts the server, the last one stops it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from open311.embedded import databases
from open311.embedded.files import ClusterFiles
from open311.embedded.locks import Hold, only_one
from open311.embedded.server import PostgresServer
from open311.errors import Misconfigured

GATE_S = 180.0
"""How long to wait for another process that creates, starts or stops the server."""


class Cluster:
    """A private PostgreSQL with PostGIS below `home`, shared by every process that holds it.

    home     folder such as var/pg; made when missing; each home is one cluster
    durable  False for tests: a power cut may cost the data, a killed server does not
    bin_dir  the PostgreSQL programs; None looks for them with `find_binaries`
    settings  PostgreSQL's own, beside ours or instead of them; a running server keeps those it was started with

    In a process of root the server runs as the owner of existing data, else as the user `postgres`. Child
    processes need `url` or `dsn` only. Every method raises `Misconfigured` when this machine prevents what it
    does; the methods about databases also raise psycopg2's errors.
    """

    def __init__(
        self,
        home: Path,
        *,
        durable: bool = True,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.home = home.absolute()
        self._durable = durable
        self._settings = settings
        self._bin_dir = bin_dir
        self._hold: Hold | None = None

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def hold(self) -> None:
        """Keep the server running until `release`; start it, and create it, when needed.

        Holding twice is holding once. A process that is killed no longer holds, but it does not stop the server:
        the next last holder does.
        """
        if self._own_hold() is None:
            holders = self._server.files.holders
            with self._gate():
                self._hold = Hold(holders)
        try:
            self.ensure_running()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Stop holding; the last holder stops the server, which ends its sessions at once (fast shutdown).

        Does nothing in a process that does not hold, such as a fork of the holder.
        """
        hold = self._own_hold()
        if hold is None:
            return
        with self._gate():
            self._hold = None
            try:
                if hold.is_last():
                    self._server.stop()
            finally:
                hold.end()

    def ensure_running(self) -> None:
        """Start the server unless it answers; a supervisor calls this again and again.

        Hold first, or nobody will stop the server. Repairs what kill -9 left behind. Takes some milliseconds when
        the server is up, and up to `RECOVERY_S` seconds when it has much to recover.
        """
        if self._server.is_up():
            return
        with self._gate():
            if not self._server.is_up():
                self._server.create()
                self._server.start()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database; it names a path, so it works on this machine only."""
        return databases.make_url(self._sockets, database)

    def dsn(self, database: str) -> str:
        """The libpq connection string of a database, for psycopg2, psycopg 3 and psql alike."""
        return databases.make_dsn(self._sockets, database)

    def has_database(self, name: str) -> bool:
        """Whether the running server has a database of that name."""
        with databases.superuser(self._sockets) as cursor:
            return databases.has_database(cursor, name)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database that belongs to the user of `url`.

        template  the database to copy, with all its data; nobody may be connected to it.
                  Raises psycopg2's DuplicateDatabase when `name` exists.
        Without a template the database gets the extensions postgis and btree_gist, and pg_trgm and unaccent
        where the machine has them; an existing database keeps its data and gets the extensions that it lacks.
        """
        if template is None:
            databases.ensure_database(self._sockets, name)
            return
        with databases.superuser(self._sockets) as cursor:
            databases.create_database(cursor, name, template)

    def drop_database(self, name: str) -> None:
        """Drop a database, if there is one of that name, and end the sessions in it."""
        with databases.superuser(self._sockets) as cursor:
            databases.drop_database(cursor, name)

    def _own_hold(self) -> Hold | None:
        """The hold of this process. A fork inherits its parent's, which it must not end."""
        return self._hold if self._hold is not None and self._hold.is_ours() else None

    def _gate(self) -> AbstractContextManager[None]:
        """A block in which no other process or thread creates, starts or stops the server."""
        return only_one(self.home / "gate", within_s=GATE_S)

    @property
    def _sockets(self) -> Path:
        return self._server.files.sockets

    @cached_property
    def _server(self) -> PostgresServer:
        """Made when it is needed first: finding its files makes the home."""
        try:
            self._prepare_home()
            with self._gate():
                files = ClusterFiles.find(self.home)
        except OSError as error:
            raise Misconfigured(
                f"{error.filename}: {error.strerror}. Run as the user that made {self.home}, "
                "or remove it (the data goes with it), or set DATABASE_URL."
            ) from error
        return PostgresServer(files, durable=self._durable, bin_dir=self._bin_dir, settings=self._settings)

    def _prepare_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home = self.home.resolve()
        if os.geteuid() == 0 and self.home.stat().st_uid == 0:
            self.home.chmod(0o711)  # The server's user passes through; the parts inside have modes of their own.
