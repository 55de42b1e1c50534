"""A cluster that several processes share. The first holder starts the server, and the last holder stops it."""

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

    home      folder such as var/pg, which is made if it is missing; each home is one cluster
    durable   False for tests: the data survives a killed server, but maybe not a power cut
    bin_dir   folder of the PostgreSQL programs; None for the result of `find_binaries`
    settings  settings of PostgreSQL, which override ours; they have no effect on a server that already runs

    If this process runs as root, the server runs as the owner of existing data or, without data, as the user
    `postgres`. Child processes need only `url` or `dsn`. Every method raises `Misconfigured` if this machine does
    not allow what the method does. The methods for databases also raise psycopg2's errors.
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
        """Keep the server running until `release`. Create and start it if necessary.

        A second call in the same process takes no second hold. A process that is killed no longer holds the
        cluster, but it does not stop the server. The server then runs until the last of the other holders calls
        `release`.
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
        """Release the cluster. The last holder stops the server, which ends all sessions (fast shutdown).

        Has no effect in a process that does not hold the cluster, such as a fork of the holder.
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
        """Start the server unless it answers. A supervisor calls this regularly.

        Call `hold` first, or no process will stop the server. This method also cleans up after kill -9. A call
        takes a few milliseconds if the server is up, and up to `RECOVERY_S` seconds if the server has much to
        recover.
        """
        if self._server.is_up():
            return
        with self._gate():
            if not self._server.is_up():
                self._server.create()
                self._server.start()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database. The URL contains a socket's path, so it works only on this machine."""
        return databases.make_url(self._sockets, database)

    def dsn(self, database: str) -> str:
        """The libpq connection string of a database, for psycopg2, psycopg 3 and psql."""
        return databases.make_dsn(self._sockets, database)

    def has_database(self, name: str) -> bool:
        """Whether the running server has a database with this name."""
        with databases.superuser(self._sockets) as cursor:
            return databases.has_database(cursor, name)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database that belongs to the user of `url`.

        template  a database to copy with all its data; it must have no other session. Raises psycopg2's
                  DuplicateDatabase if `name` exists.
        Without a template the database gets the extensions postgis and btree_gist, and pg_trgm and unaccent if
        the machine has them. An existing database keeps its data and gets the extensions that it lacks.
        """
        if template is None:
            databases.ensure_database(self._sockets, name)
            return
        with databases.superuser(self._sockets) as cursor:
            databases.create_database(cursor, name, template)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and end its sessions."""
        with databases.superuser(self._sockets) as cursor:
            databases.drop_database(cursor, name)

    @property
    def left(self) -> Path | None:
        """The folder that the file `elsewhere` of this home names, if this home does not use the folder.

        The folder then belongs to another home, or does not exist any more. None if the folder is used, if this
        home has data of its own, or if there is no file `elsewhere`. Valid until the cluster is created.
        """
        return self._server.files.left

    def _own_hold(self) -> Hold | None:
        """The hold of this process, or None. A fork inherits its parent's hold and must not end it."""
        return self._hold if self._hold is not None and self._hold.is_ours() else None

    def _gate(self) -> AbstractContextManager[None]:
        """Lock the file `gate`. In the block, no other process or thread creates, starts or stops the server."""
        return only_one(self.home / "gate", within_s=GATE_S)

    @property
    def _sockets(self) -> Path:
        return self._server.files.sockets

    @cached_property
    def _server(self) -> PostgresServer:
        """The server. It is made at the first use, because finding its files creates the home."""
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
            self.home.chmod(0o711)  # The server's user must get through; the folders inside have their own modes.
