"""Real PostgreSQL servers that replicate: a primary, and a replica that streams from it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from open311.embedded import databases, find_binaries
from open311.embedded.files import PORT, ClusterFiles
from open311.embedded.processes import command_line
from open311.embedded.server import PostgresServer
from open311.storage.engine import open_database
from open311.storage.migrations import migrate
from tests.waiting import until

DATABASE = "replicated"
SETTINGS = {
    "shared_preload_libraries": "postgis-3",
    "shared_buffers": "32MB",
    "synchronous_commit": "on",
    "autovacuum": "off",  # its transactions would take ids, and tests count them
    "wal_keep_size": "256MB",
    "hot_standby_feedback": "on",
    "wal_retrieve_retry_interval": "100ms",
    "checkpoint_timeout": "1h",
}


class Server:
    """One PostgreSQL server below a folder. Several of them have the same database."""

    def __init__(self, folder: Path, *, durable: bool = False, settings: Mapping[str, str] = SETTINGS) -> None:
        folder.mkdir(mode=0o711)
        self._server = PostgresServer(
            ClusterFiles.find(folder), durable=durable, bin_dir=find_binaries(), settings=settings
        )

    @property
    def sockets(self) -> Path:
        """The folder of the server's socket, for the `host` of an address."""
        return self._server.files.sockets

    @property
    def url(self) -> str:
        """The address of the database on this server only."""
        return databases.make_url(self.sockets, DATABASE)

    def create(self) -> None:
        """Start a server with an empty, migrated database."""
        self._server.create()
        self._server.start()
        databases.ensure_database(self.sockets, DATABASE)
        database = open_database(self.url)
        with database.transaction() as connection:
            migrate(connection)
        database.close()

    def copy(self, primary: Server) -> None:
        """Start as a replica of another server."""
        files = self._server.files
        files.account.give_folder(self._folder_of_data())
        source = f"host={primary.sockets} port={PORT} user={databases.SUPERUSER} application_name=replica"
        program = (find_binaries() or Path()) / "pg_basebackup"
        command = [program, "-d", source, "-D", files.data, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        arguments: dict[str, Any] = files.account.process_arguments()
        subprocess.run([str(word) for word in command], check=True, **arguments)
        self._server.start()

    def _folder_of_data(self) -> Path:
        self._server.files.data.mkdir()
        return self._server.files.data

    def start(self) -> None:
        """Start the server again."""
        self._server.start()

    def stop(self) -> None:
        """Shut the server down cleanly, not by a kill."""
        self._server.stop()

    def kill(self) -> None:
        """End the server by kill -9, and wait until its last process has ended."""
        files = self._server.files
        pid = files.postmaster_pid()
        if pid is None or os.fsencode(files.data) not in command_line(pid):
            return
        os.kill(pid, signal.SIGKILL)
        until(lambda: not self._server.is_up(), "the killed server to end")

    def promote(self) -> None:
        """Make the replica the primary. Returns when it takes writes."""
        self.run("SELECT pg_promote()")

    def pause(self) -> None:
        """Let the replica receive what the primary writes, but not show it. Returns when it is paused."""
        self.run("SELECT pg_wal_replay_pause()")
        until(lambda: self.run("SELECT pg_get_wal_replay_pause_state()") == "paused", "the replay to pause")

    def resume(self) -> None:
        """Let the replica show what it has received."""
        self.run("SELECT pg_wal_replay_resume()")

    def catch_up(self, primary: Server) -> None:
        """Wait until the replica shows all that the primary has written."""
        written = primary.run("SELECT pg_current_wal_insert_lsn()::text")
        sql = f"SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
        until(lambda: self.run(sql), "the replica to catch up")

    def run(self, sql: str) -> Any:
        """Run a statement as the superuser, and return the first value of its result; None if it has no rows."""
        with databases.superuser(self.sockets, DATABASE) as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None


class Pair:
    """A primary and its replica."""

    def __init__(self, primary: Server, replica: Server) -> None:
        self.primary, self.replica = primary, replica

    @property
    def url(self) -> str:
        """The address of both servers. libpq connects to the one that takes writes."""
        hosts = f"{self.primary.sockets},{self.replica.sockets}"
        both = f"host={hosts}&port={PORT},{PORT}&target_session_attrs=read-write"
        return f"postgresql://{databases.OWNER}@/{DATABASE}?{both}"

    def catch_up(self) -> None:
        """Wait until the replica shows all that the primary has written."""
        self.replica.catch_up(self.primary)


@contextmanager
def replicated(
    *, durable: bool = False, is_synchronous: bool = False, settings: Mapping[str, str] = SETTINGS
) -> Iterator[Pair]:
    """A primary with a migrated, empty database, and a replica of it. Both are removed at the end.

    durable         whether the data survives a power cut, as in production
    is_synchronous  whether the primary confirms nothing that the replica does not have
    settings        settings of PostgreSQL, for both
    """
    folder = Path(tempfile.mkdtemp(prefix="open311-"))
    folder.chmod(0o711)
    primary = Server(folder / "one", durable=durable, settings=settings)
    replica = Server(folder / "two", durable=durable, settings=settings)
    try:
        primary.create()
        replica.copy(primary)
        if is_synchronous:
            primary.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.run("SELECT pg_reload_conf()")
        yield Pair(primary, replica)
    finally:
        for server in (replica, primary):
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
