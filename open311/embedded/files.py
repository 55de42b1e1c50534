"""The files of a cluster.

They are in the cluster's home, a folder such as var/pg:

    gate        locked by the process that creates, starts or stops the server
    holders     locked by every process that holds the cluster
    data        PostgreSQL's data (0700, owned by the server's user)
    run         the folder of the unix socket (0700, owned by the server's user)
    elsewhere   the path of another folder, which has `data` and `run`; exists only if the server's user cannot
                reach the home
    server.log  PostgreSQL's log
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from open311.embedded.account import ServerAccount
from open311.errors import Misconfigured

FALLBACK_ROOT = Path("/var/lib/open311-embedded")
# tempfile.gettempdir() is not used, because it depends on TMPDIR, and every process must find the same folder.
SHORT_ROOT = Path("/tmp")  # noqa: S108

PORT = 5432
"""The port is only a part of the socket's file name. The server does not listen on TCP."""
MAX_SOCKET_BYTES = 103
"""The longest socket path on macOS; Linux allows 107."""
# libpq splits a list of hosts at commas, and SQLAlchemy splits host and port at a colon.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+ -]+")
MAX_LOG_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """The folders of a cluster, and the user that owns its data.

    home     the folder of `Cluster`; it has the locks and the log
    base     the folder that has the data: the home, or the folder that the file `elsewhere` names
    sockets  the folder of the unix socket
    left     the folder that the file `elsewhere` names, if that folder is not used and the home has no data;
             None otherwise
    """

    home: Path
    base: Path
    sockets: Path
    account: ServerAccount
    left: Path | None

    @classmethod
    def find(cls, home: Path) -> ClusterFiles:
        """Find the folders of a cluster. Every process gets the same result.

        The caller must hold the lock on the file `gate`, because this function may write the file `elsewhere`.
        Raises Misconfigured if the cluster's user cannot reach the folder any more.
        """
        named = _read_elsewhere(home)
        elsewhere = named if named is not None and _belongs_to(home, named) else None
        base = elsewhere or home
        left = named if elsewhere is None and not (home / "data").exists() else None
        account = ServerAccount.find(base / "data")
        if elsewhere is None and not account.can_enter(home):
            if (home / "data").exists():
                raise Misconfigured(
                    f"The user {account.name} cannot reach {home} any more: a folder above it is closed. "
                    "Open it (chmod o+x), or set DATABASE_URL."
                )
            base = _make_elsewhere(home)
        return cls(home, base, _sockets_folder(base, account), account, left)

    @property
    def data(self) -> Path:
        """PostgreSQL's data."""
        return self.base / "data"

    @property
    def holders(self) -> Path:
        """The file that every holder locks."""
        return self.home / "holders"

    @property
    def log(self) -> Path:
        """PostgreSQL's log."""
        return self.home / "server.log"

    def prepare_sockets(self) -> None:
        """Make the folder of the socket. Refuse another user's folder, because everybody can make one in /tmp.

        Raises Misconfigured for such a folder.
        """
        with contextlib.suppress(FileExistsError):
            self.sockets.mkdir(mode=0o700)
            self.account.give_folder(self.sockets)
        status = self.sockets.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {self.account.uid, os.geteuid()}:
            raise Misconfigured(f"{self.sockets} is not ours; remove it.")
        self.account.give_folder(self.sockets)

    @contextmanager
    def open_log(self) -> Iterator[int]:
        """A file descriptor that appends to the log. A log that is too large is first renamed to server.log.1."""
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.account.give(fd)
            yield fd
        finally:
            os.close(fd)

    def log_tail(self) -> str:
        """The log's last lines, indented for a message."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-8:])

    def postmaster_pid(self) -> int | None:
        """The process id in postmaster.pid. That process may be dead, or may not be PostgreSQL."""
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def clear_stale_locks(self) -> None:
        """Remove the lock files of a dead postmaster.

        PostgreSQL does not remove them if the process id in them belongs to a zombie, to another process of the
        same user or, in a copied folder, to the server of the original folder. Removing them is safe: if backends
        of the dead postmaster still live, PostgreSQL finds their shared memory and refuses to start.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (self.sockets / name).unlink(missing_ok=True)


def _read_elsewhere(home: Path) -> Path | None:
    """The folder that the file `elsewhere` names; None without the file."""
    note = home / "elsewhere"
    return Path(note.read_text().strip()) if note.exists() else None


def _belongs_to(home: Path, base: Path) -> bool:
    """Whether a folder has the data of this home: it exists, and the file `elsewhere` was not copied here."""
    is_mine = base.parent == FALLBACK_ROOT and base.name.startswith(f"{_digest(home)}-")
    return is_mine and base.is_dir()


def _make_elsewhere(home: Path) -> Path:
    """Make a folder outside the home that the server's user can reach.

    A part of its name is random, so that a new clone at the same path does not find the old clone's data.
    """
    base = FALLBACK_ROOT / f"{_digest(home)}-{secrets.token_hex(4)}"
    for folder in (FALLBACK_ROOT, base):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    (base / "home").write_text(f"{home}\n")  # Tells operators and `make clean` which home the folder belongs to.
    (home / "elsewhere").write_text(f"{base}\n")
    return base


def _sockets_folder(base: Path, account: ServerAccount) -> Path:
    """The folder `run` next to the data, or a folder in /tmp if that path is too long or has unusual characters."""
    run_folder = base / "run"
    if (
        PLAIN_PATH.fullmatch(str(run_folder))
        and len(str(run_folder)) + len(f"/.s.PGSQL.{PORT}") <= MAX_SOCKET_BYTES
    ):
        return run_folder
    return SHORT_ROOT / f"open311-{account.uid}-{_digest(base)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
