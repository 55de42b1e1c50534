"""The server process of a cluster.

The server is up if it accepts a connection. `pg_ctl status` is not used, because it reports a zombie as running.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from open311.embedded.binaries import WAYS_OUT, matching_binaries
from open311.embedded.databases import MAINTENANCE, OWNER, SUPERUSER, is_answering
from open311.embedded.files import PORT, ClusterFiles
from open311.embedded.processes import command_line, wait_until
from open311.errors import Misconfigured

START_RETRY_S = 10.0
"""How long to retry if the server dies while it starts.

After kill -9 of a server, its backends exist for a moment longer. A new server refuses to start until they end.
"""
RECOVERY_S = 120.0
"""How long a server may recover (replay its WAL) before it answers."""
STOP_S = 30.0

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # a logged statement would show citizens' data
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer:
    """The PostgreSQL server of one cluster.

    The caller must make sure that only one process at a time creates, starts or stops it.

    durable   False for tests: the data survives a killed server, but maybe not a power cut
    bin_dir   folder of the PostgreSQL programs; None to search for them at the first use
    settings  settings of PostgreSQL, which override `SETTINGS`
    """

    def __init__(
        self, files: ClusterFiles, *, durable: bool, bin_dir: Path | None, settings: Mapping[str, str]
    ) -> None:
        self.files = files
        self._durable = durable
        self._settings = settings
        self._bin_dir = bin_dir

    def is_up(self) -> bool:
        """Whether the server answers."""
        return is_answering(self.files.sockets)

    def create(self) -> None:
        """Create the data unless it exists.

        The work is done in a temporary folder, so that the folder `data` is complete or missing, even if this
        process is killed. The next call removes temporary folders that remain.
        """
        files = self.files
        for leftover in files.base.glob("data.*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)
        if files.data.exists():
            return
        # Each call uses a new name, because the initdb of a killed process may still write into the old folder.
        draft = Path(tempfile.mkdtemp(prefix="data.", suffix=".tmp", dir=files.base))
        files.account.give_folder(draft)
        self._initialize(draft)
        draft.rename(files.data)

    def start(self) -> None:
        """Start the server, or wait for a server that is starting or stopping. Returns when it answers.

        Raises Misconfigured if it does not start.
        """
        files, started_at = self.files, time.monotonic()
        while True:
            pid = self._postmaster() or self._spawn()
            if self._answers_or_dies(pid):
                return
            if self._is_ours(pid) or time.monotonic() > started_at + START_RETRY_S:
                raise Misconfigured(f"PostgreSQL does not start. {files.log} ends with:\n{files.log_tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server and end its sessions: fast shutdown first, then immediate shutdown.

        Raises Misconfigured if it does not stop.
        """
        pid = self._postmaster()
        for order in (signal.SIGINT, signal.SIGQUIT):
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            if wait_until(lambda: not self._is_ours(pid), within_s=STOP_S):
                return
        raise Misconfigured(f"PostgreSQL (process {pid}) does not stop; see {self.files.log}")

    def _initialize(self, data: Path) -> None:
        """Run initdb, and create the role that owns the databases."""
        locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        command = [self._program("initdb"), "-D", str(data), "-U", SUPERUSER, "--auth=trust", "-E", "UTF8"]
        self._run([*command, f"--locale={locale}", *([] if self._durable else ["--no-sync"])])
        # The role is not a superuser, so that code that works here also works on a hosted PostGIS.
        role = f"CREATE ROLE {OWNER} LOGIN CREATEDB;\n"
        self._run([self._program("postgres"), "--single", "-D", str(data), MAINTENANCE], text_in=role)

    def _postmaster(self) -> int | None:
        """The process id of this cluster's postmaster, which may not answer yet; None if it is dead."""
        pid = self.files.postmaster_pid()
        return pid if pid is not None and self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        """Whether this process is the cluster's server, and not a zombie or a later process with the same id."""
        return os.fsencode(self.files.data) in command_line(pid)

    def _answers_or_dies(self, pid: int) -> bool:
        """Wait until the server answers or dies, at most `RECOVERY_S` seconds. Returns whether it answers."""
        wait_until(lambda: self._has_died(pid) or self.is_up(), within_s=RECOVERY_S)
        return self.is_up()

    def _has_died(self, pid: int) -> bool:
        if self._is_ours(pid):
            return False
        time.sleep(0.1)  # when a process begins a program, its command line is empty for a moment
        return not self._is_ours(pid)

    def _spawn(self) -> int:
        """Start a postmaster and return its process id.

        The postmaster has its own session, so that Ctrl-C in our terminal does not end it. A shell starts it and
        exits, so that the postmaster becomes a child of init. A child of ours would stay a zombie after its end.
        """
        files = self.files
        files.clear_stale_locks()
        files.prepare_sockets()
        command = [self._program("postgres"), "-D", str(files.data), *self._options()]
        with files.open_log() as log_fd:
            launched = subprocess.run(  # noqa: S603 (no word of the command comes from outside)
                ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log_fd,
                start_new_session=True,
                check=True,
                text=True,
                **files.account.process_arguments(),
            )
        return int(launched.stdout)

    def _options(self) -> list[str]:
        settings = SETTINGS | {"unix_socket_directories": f'"{self.files.sockets}"'}
        if not self._durable:
            settings |= NOT_DURABLE
        settings |= self._settings
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _run(self, command: list[str], *, text_in: str = "") -> None:
        """Run a program as the server's user, and wait for its end. If it fails, the error shows its output."""
        done = subprocess.run(  # noqa: S603 (no word of the command comes from outside)
            command,
            input=text_in,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            **self.files.account.process_arguments(),
        )
        if done.returncode != 0:
            name = Path(command[0]).name
            output = done.stdout.strip()[-2000:]
            raise Misconfigured(f"{name} failed in {self.files.base}:\n{output}\n{WAYS_OUT}")

    def _program(self, name: str) -> str:
        """The path of a program of the major version that made the data."""
        self._bin_dir = matching_binaries(self._bin_dir, self.files.data, home=self.files.home)
        return str(self._bin_dir / name)
