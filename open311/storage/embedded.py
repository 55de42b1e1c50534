"""The embedded default: a private PostGIS cluster, for a machine where nobody set DATABASE_URL.

PostgreSQL as the distribution ships it, but a server of our own: data below one folder, reachable only
through a unix socket in a folder with mode 0700, started by the first process that holds it and stopped
by the last one that lets go. The files in a cluster's home:

    gate        exclusive flock while somebody creates, starts or stops the server
    holders     shared flock of every holder; whoever gets it exclusively was the last
    data, run   the cluster and its socket, both of the server's own user (0700)
    elsewhere   when that user cannot reach this folder: where `data` and `run` are instead
    server.log  PostgreSQL's log

A lock ends with its process, so a holder killed with -9 leaves no count to repair. `pg_ctl status` is not used,
because it counts a zombie as a server: here a server is up when it answers a connection.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg2  # its stubs are not among our dependencies
from psycopg2 import extensions, sql

from open311.errors import Misconfigured

DEBIAN_ROOT = Path("/usr/lib/postgresql")
HOMEBREW_ROOTS = (Path("/opt/homebrew/opt"), Path("/usr/local/opt"))
FALLBACK_ROOT = Path("/var/lib/open311-embedded")
SHORT_ROOT = Path("/tmp")  # noqa: S108 (fixed, as every process must find the same folder whatever its TMPDIR)

ADMIN = "postgres"
OWNER = "open311"
PORT = 5432
"""Only part of the socket's file name: the server listens on no port."""

MAX_SOCKET_BYTES = 103
"""Longest socket path on macOS; Linux takes 107."""
# A comma parts hosts for libpq and a colon a port for SQLAlchemy: paths beyond this set get a short one.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+ -]+")

START_RETRY_S = 10.0
"""How long a server that dies at once is started again; after kill -9 its last backends need a moment."""
RECOVERY_S = 120.0
"""How long a living server may replay its log before it answers."""
STOP_S = 30.0
GATE_S = 180.0
MAX_LOG_BYTES = 5_000_000

INSTALL = ("install", "-y", "--no-install-recommends", "postgresql", "postgresql-postgis")
WAYS_OUT = f"""\
Do one of these:
  - set DATABASE_URL to an existing PostGIS database: postgresql://user:password@host/name
  - install PostGIS as root: apt-get update && apt-get {" ".join(INSTALL)}
    (macOS: brew install postgis)
  - set PG_BINDIR to the folder with initdb and postgres of a PostgreSQL that has PostGIS\
"""  # noqa: S608 ("UPDATE" here is apt's)


def find_binaries() -> Path | None:
    """The folder with initdb, postgres and pg_ctl of a PostgreSQL that has PostGIS; None when there is none.

    Looks at PG_BINDIR, Debian's folders (newest first), Homebrew's and what `pg_config` says.
    Raises `Misconfigured` when PG_BINDIR is set to a folder that has no such thing.
    """
    chosen = os.environ.get("PG_BINDIR")
    if chosen and not _has_postgis(Path(chosen)):
        raise Misconfigured(f"PG_BINDIR={chosen} holds no PostgreSQL with PostGIS.\n{WAYS_OUT}")
    return Path(chosen) if chosen else next(_found_binaries(), None)


def install_binaries(say: Callable[[str], None]) -> Path:
    """Install Debian's PostGIS packages, as root or with a sudo that needs no password, and return their folder.

    say  is called with one line before the download of about 130 MB
    Raises `Misconfigured` with the ways out when that is not possible here or fails.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        raise Misconfigured(f"No PostgreSQL with PostGIS found, and no apt-get to install it.\n{WAYS_OUT}")
    as_root = _root_prefix()
    if as_root is None:
        raise Misconfigured(f"No PostgreSQL with PostGIS found, and no right to install it.\n{WAYS_OUT}")
    say("Installing PostgreSQL and PostGIS with apt-get (once, about 130 MB)…")
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", apt, "-q", "-o", "DPkg::Lock::Timeout=300"]
    _apt([*command, "update"])  # Its result is ignored: a third-party source is often broken.
    installed = _apt([*command, *INSTALL])
    found = find_binaries()
    if found is None:
        last_words = "\n".join(f"  {line}" for line in installed.stdout.strip().splitlines()[-5:])
        raise Misconfigured(f"apt-get could not install PostGIS:\n{last_words}\n{WAYS_OUT}")
    return found


class Cluster:
    """A private PostgreSQL with PostGIS below `home`, shared by every process that holds it.

    home     folder such as var/pg; made when missing; one cluster for each
    durable  False for tests: a power cut may cost the data, a killed server does not
    bin_dir  the PostgreSQL programs; None looks for them with `find_binaries`

    Started by root, the server runs as the owner of existing data, else as the user `postgres`. Child processes
    need only `url` or `dsn`. All methods raise `Misconfigured` where the machine does not allow it, and database
    calls raise psycopg2's errors.
    """

    def __init__(self, home: Path, *, durable: bool = True, bin_dir: Path | None = None) -> None:
        self.home = home.absolute()
        self.durable = durable
        self._bin_dir = bin_dir
        self._known_ground: _Ground | None = None
        self._hold_fd: int | None = None
        self._hold_pid = 0

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def hold(self) -> None:
        """Keep the server running until `release`; start it, and create it, when needed.

        Holding twice has no further effect. A killed process no longer holds, but does not stop the server:
        the last of the others does.
        """
        if not self._is_holding():
            self._ground()
            with self._gate():
                self._hold_fd, self._hold_pid = _open_lock(self.home / "holders"), os.getpid()
                fcntl.flock(self._hold_fd, fcntl.LOCK_SH)
        try:
            self.ensure_running()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go; the last holder stops the server, which ends its sessions at once (fast shutdown).

        Does nothing in a process that does not hold, such as a fork of the holder.
        """
        fd = self._hold_fd
        if fd is None or not self._is_holding():
            return
        with self._gate():
            self._hold_fd = None
            try:
                if _is_lockable(fd):
                    self._stop()
            finally:
                # Unlock explicitly: a fork may keep the descriptor open, and with it the lock.
                fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)

    def ensure_running(self) -> None:
        """Start the server unless it answers; a supervisor may call this again and again.

        Call `hold` first, or no process will stop the server. Repairs what kill -9 left behind. Takes some
        milliseconds when the server answers, up to `RECOVERY_S` seconds when it has much to recover.
        """
        if self._answers():
            return
        with self._gate():
            if not self._answers():
                self._create()
                self._start()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database; contains a path, so it works on this machine only."""
        host = quote(str(self._ground().sockets), safe="/")
        return f"postgresql+psycopg2://{OWNER}@/{quote(database, safe='')}?host={host}&port={PORT}"

    def dsn(self, database: str) -> str:
        """The libpq connection string of a database, for psycopg2, psycopg 3 and psql alike."""
        return self._dsn(database, user=OWNER)

    def has_database(self, name: str) -> bool:
        """Whether the running server has a database of that name."""
        with self._session() as cursor:
            return _has_database(cursor, name)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database that belongs to the user of `url`.

        template  copy this one, with all it holds; nobody may be connected to it.
                  Raises psycopg2's DuplicateDatabase when `name` exists.
        Without template the database gets the extensions postgis and btree_gist, and pg_trgm and unaccent
        where the machine has them; one that exists keeps its data and gets the extensions it lacks.
        """
        with self._session() as cursor:
            if template is not None:
                _create_database(cursor, name, template)
                return
            # Web server and worker may both come here first, so one waits for the other.
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            if not _has_database(cursor, name):
                _create_database(cursor, name, "template0")
            with self._session(name) as inside:
                _create_extensions(inside)

    def drop_database(self, name: str) -> None:
        """Drop a database, if it exists, and end the sessions in it."""
        with self._session() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _is_holding(self) -> bool:
        """Whether this process holds; a fork has the number of its parent's descriptor only."""
        return self._hold_fd is not None and self._hold_pid == os.getpid()

    def _dsn(self, database: str, *, user: str) -> str:
        sockets = str(self._ground().sockets)
        return str(extensions.make_dsn(host=sockets, port=PORT, user=user, dbname=database))

    @contextmanager
    def _session(self, database: str = ADMIN) -> Iterator[Any]:
        """A cursor of the cluster's superuser, each statement its own transaction."""
        with closing(psycopg2.connect(self._dsn(database, user=ADMIN), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    def _answers(self) -> bool:
        """Whether a connection works. As superuser, for whom PostgreSQL reserves some connections."""
        try:
            with self._session() as cursor:
                cursor.execute("SELECT 1")
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return False
        return True

    @contextmanager
    def _gate(self) -> Iterator[None]:
        """One process or thread at a time creates, starts or stops the server."""
        fd = _open_lock(self.home / "gate")
        try:
            if not _wait_until(lambda: _is_lockable(fd), within_s=GATE_S):
                raise Misconfigured(f"Another process has kept {self.home} busy for {GATE_S:.0f} s; end it.")
            yield
        finally:
            os.close(fd)

    def _ground(self) -> _Ground:
        if self._known_ground is None:
            try:
                self._prepare_home()
                with self._gate():
                    self._known_ground = _Ground.find(self.home)
            except OSError as error:
                raise Misconfigured(
                    f"{error.filename}: {error.strerror}. Run as the user that made {self.home}, "
                    "or remove it (the data goes with it), or set DATABASE_URL."
                ) from error
        return self._known_ground

    def _prepare_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home = self.home.resolve()
        if os.geteuid() == 0 and self.home.stat().st_uid == 0:
            self.home.chmod(0o711)  # The server's user must pass through; the files inside have modes of their own.

    def _program(self, name: str) -> str:
        """The path of initdb or postgres, of the major version that made the data."""
        if self._bin_dir is None:
            self._bin_dir = find_binaries()
        if self._bin_dir is None:
            raise Misconfigured(f"No PostgreSQL with PostGIS found.\n{WAYS_OUT}")
        made_by = self._ground().data / "PG_VERSION"
        if made_by.exists() and (wanted := made_by.read_text().strip()) != _major_version(self._bin_dir):
            same = (folder for folder in _found_binaries() if _major_version(folder) == wanted)
            found = next(same, None)
            if found is None:
                raise Misconfigured(
                    f"{made_by.parent} was made by PostgreSQL {wanted}, which is gone: install it "
                    f"again with its PostGIS, or move {self.home} away to start empty, or set DATABASE_URL."
                )
            self._bin_dir = found
        return str(self._bin_dir / name)

    def _create(self) -> None:
        """Make the cluster unless there is one; even a killed process makes it completely or not at all."""
        ground = self._ground()
        for leftover in ground.base.glob("data.*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)
        if ground.data.exists():
            return
        # A name of its own each time: the initdb of a killed process may still be writing.
        draft = Path(tempfile.mkdtemp(prefix="data.", suffix=".tmp", dir=ground.base))
        ground.give(draft)
        locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        command = [self._program("initdb"), "-D", str(draft), "-U", ADMIN, "--auth=trust", "-E", "UTF8"]
        ground.run([*command, f"--locale={locale}", *([] if self.durable else ["--no-sync"])])
        # Not a superuser, as with any hosted PostGIS: what works here works there.
        role = f"CREATE ROLE {OWNER} LOGIN CREATEDB;\n"
        ground.run([self._program("postgres"), "--single", "-D", str(draft), ADMIN], text_in=role)
        draft.rename(ground.data)

    def _start(self) -> None:
        ground, started_at = self._ground(), time.monotonic()
        while True:
            # A postmaster that lives and does not answer is starting or stopping.
            pid = ground.postmaster() or self._spawn()
            if self._answers_or_dies(pid):
                return
            if ground.is_ours(pid) or time.monotonic() > started_at + START_RETRY_S:
                raise Misconfigured(f"PostgreSQL does not start. {ground.log} ends with:\n{ground.log_tail()}")
            time.sleep(0.1)

    def _answers_or_dies(self, pid: int) -> bool:
        """Wait until the server answers or its process ends, at most `RECOVERY_S`; whether it answers."""
        ground = self._ground()
        _wait_until(lambda: not ground.is_ours(pid) or self._answers(), within_s=RECOVERY_S)
        return self._answers()

    def _spawn(self) -> int:
        """Start a postmaster and return its process id.

        It gets its own session, so that Ctrl-C at our terminal does not end it. The shell in between makes it
        an orphan: a child would stay a zombie until we wait for it.
        """
        ground = self._ground()
        ground.clear_stale_locks()
        ground.prepare_sockets()
        options = [option for item in self._settings().items() for option in ("-c", "{}={}".format(*item))]
        command = [self._program("postgres"), "-D", str(ground.data), *options]
        with ground.open_log() as log_fd:
            launched = subprocess.run(  # noqa: S603 (our own words)
                ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log_fd,
                start_new_session=True,
                check=True,
                text=True,
                **ground.as_server(),
            )
        return int(launched.stdout)

    def _settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": f'"{self._ground().sockets}"',
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return settings

    def _stop(self) -> None:
        ground = self._ground()
        pid = ground.postmaster()
        for order in (signal.SIGINT, signal.SIGQUIT):  # fast shutdown, then immediate
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            if _wait_until(lambda: not ground.is_ours(pid), within_s=STOP_S):
                return
        raise Misconfigured(f"PostgreSQL (process {pid}) does not stop; see {ground.log}")


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where a cluster's files are, and whose. `account` is None when the server runs as the current user."""

    base: Path
    sockets: Path
    log: Path
    account: pwd.struct_passwd | None

    @classmethod
    def find(cls, home: Path) -> _Ground:
        """Decide where the cluster's files are, or read what was decided before."""
        elsewhere = _read_elsewhere(home)
        base = elsewhere or home
        account = _server_account(base / "data")
        if account is not None and elsewhere is None and not _can_enter(home, account):
            if (home / "data").exists():
                raise Misconfigured(
                    f"The user {account.pw_name} cannot reach {home} any more: a folder above it is closed. "
                    "Open it (chmod o+x), or set DATABASE_URL."
                )
            base = _make_elsewhere(home)
        return cls(base, _sockets_folder(base, account), home / "server.log", account)

    @property
    def data(self) -> Path:
        return self.base / "data"

    def as_server(self) -> dict[str, Any]:
        """Arguments of `subprocess` that make a child of the server's user, without our PG* variables."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        env["LC_ALL"] = "C"
        arguments: dict[str, Any] = {"env": env, "cwd": "/", "umask": 0o077, "close_fds": True}
        if self.account is not None:
            arguments |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return arguments

    def run(self, command: list[str], *, text_in: str = "") -> None:
        """Run a program as the server's user to its end; if it fails, the error has its output."""
        done = subprocess.run(  # noqa: S603 (our own words)
            command,
            input=text_in,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            **self.as_server(),
        )
        if done.returncode != 0:
            name = Path(command[0]).name
            raise Misconfigured(f"{name} failed in {self.base}:\n{done.stdout.strip()[-2000:]}\n{WAYS_OUT}")

    def give(self, folder: Path) -> None:
        """Give a folder to the server's user and close it to all others."""
        folder.chmod(0o700)
        if self.account is not None:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)

    def prepare_sockets(self) -> None:
        """Make the socket folder; refuse a folder that another user made under its name."""
        with contextlib.suppress(FileExistsError):
            self.sockets.mkdir(mode=0o700)
            self.give(self.sockets)
        seen = self.sockets.lstat()
        uid = os.geteuid() if self.account is None else self.account.pw_uid
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid not in {uid, os.geteuid()}:
            raise Misconfigured(f"{self.sockets} is not ours; remove it.")
        self.give(self.sockets)

    @contextmanager
    def open_log(self) -> Iterator[int]:
        """A descriptor for appending to the log; a long log is renamed first, and one old log is kept."""
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if self.account is not None:
                os.fchown(fd, self.account.pw_uid, self.account.pw_gid)
            yield fd
        finally:
            os.close(fd)

    def log_tail(self) -> str:
        """The log's last lines, indented for a message."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-8:])

    def postmaster(self) -> int | None:
        """The process id of this cluster's living postmaster, which may not answer yet; None without one."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if self.is_ours(pid) else None

    def is_ours(self, pid: int) -> bool:
        """Whether a process serves this cluster; False for a zombie, and for a later process with its number."""
        return os.fsencode(self.data) in _command_line(pid)

    def clear_stale_locks(self) -> None:
        """Remove the lock files of a dead postmaster.

        PostgreSQL does not remove them when the number in them belongs to a zombie, to another process of the
        same user or, in a copied folder, to the original's server. If backends of the dead postmaster still live,
        PostgreSQL sees their shared memory and refuses to start.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (self.sockets / name).unlink(missing_ok=True)


def _found_binaries() -> Iterator[Path]:
    """Every complete PostgreSQL in the usual places, the preferred first."""
    debian = sorted(DEBIAN_ROOT.glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    homebrew = [folder for root in HOMEBREW_ROOTS for folder in sorted(root.glob("postgresql*/bin"))[::-1]]
    said = _ask("pg_config", "--bindir")
    candidates = [*debian, *homebrew, *([Path(said)] if said else [])]
    return (folder for folder in dict.fromkeys(candidates) if _has_postgis(folder))


def _has_postgis(bin_dir: Path) -> bool:
    if not all(os.access(bin_dir / name, os.X_OK) for name in ("initdb", "postgres", "pg_ctl")):
        return False
    share_dir = _ask(str(bin_dir / "pg_config"), "--sharedir")
    return bool(share_dir) and (Path(share_dir) / "extension" / "postgis.control").exists()


def _major_version(bin_dir: Path) -> str:
    """Such as "15", out of "postgres (PostgreSQL) 15.20 (Debian …)"; "" when that cannot be read."""
    match = re.search(r"\) (\d+)", _ask(str(bin_dir / "postgres"), "--version"))
    return match[1] if match else ""


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else -1.0


def _ask(*command: str) -> str:
    """A program's output, or "" when it is missing or fails."""
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            command, capture_output=True, text=True, errors="replace", check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _root_prefix() -> list[str] | None:
    """What to put before a command to run it as root: nothing, or sudo; None if there is no way."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    return [sudo, "-n"] if sudo and _ask(sudo, "-n", "id", "-u") == "0" else None


def _apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run apt-get; wait while another apt-get holds the lock (its own waiting does not cover `update`)."""
    give_up_at = time.monotonic() + 300
    while True:
        done = subprocess.run(  # noqa: S603 (our own words)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == 0 or "Could not get lock" not in done.stdout or time.monotonic() > give_up_at:
            return done
        time.sleep(2)


def _has_database(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return cursor.fetchone() is not None


def _create_database(cursor: Any, name: str, template: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    cursor.execute(statement.format(*map(sql.Identifier, (name, OWNER, template))))


def _create_extensions(cursor: Any) -> None:
    cursor.execute("SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'unaccent')")
    for name in ("postgis", "btree_gist", *sorted(row[0] for row in cursor.fetchall())):
        cursor.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))


def _server_account(data: Path) -> pwd.struct_passwd | None:
    """The user to run the server as, since PostgreSQL refuses root; None for the current user."""
    uid = os.geteuid()
    if data.exists() and (owner := data.stat().st_uid) not in {0, uid}:
        if uid != 0:
            raise PermissionError(errno.EACCES, "it belongs to another user", str(data))
        return pwd.getpwuid(owner)
    if uid != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise Misconfigured(
            "PostgreSQL does not run as root and there is no user postgres: run as an ordinary user, or "
            "set DATABASE_URL."
        ) from None


def _can_enter(folder: Path, account: pwd.struct_passwd) -> bool:
    """Whether a user may enter a folder; tried as that user, because any folder above may be closed."""
    asked = subprocess.run(  # noqa: S603 (our own words)
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)],
        check=False,
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
    )
    return asked.returncode == 0


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _read_elsewhere(home: Path) -> Path | None:
    """The folder that the file `elsewhere` names; None without one, or when it came with a copied folder."""
    note = home / "elsewhere"
    if not note.exists():
        return None
    base = Path(note.read_text().strip())
    is_mine = base.parent == FALLBACK_ROOT and base.name.startswith(f"{_digest(home)}-")
    return base if is_mine and base.is_dir() else None


def _make_elsewhere(home: Path) -> Path:
    """A folder outside of `home` that the server's user can reach.

    Part of its name is drawn at random: a new clone at the same path must not find the old one's data.
    """
    base = FALLBACK_ROOT / f"{_digest(home)}-{secrets.token_hex(4)}"
    for folder in (FALLBACK_ROOT, base):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    (base / "home").write_text(f"{home}\n")  # Tells an operator, and `make clean`, whose folder it is.
    (home / "elsewhere").write_text(f"{base}\n")
    return base


def _sockets_folder(base: Path, account: pwd.struct_passwd | None) -> Path:
    near = base / "run"
    if PLAIN_PATH.fullmatch(str(near)) and len(str(near)) + len(f"/.s.PGSQL.{PORT}") <= MAX_SOCKET_BYTES:
        return near
    uid = os.geteuid() if account is None else account.pw_uid
    return SHORT_ROOT / f"open311-{uid}-{_digest(base)}"


def _command_line(pid: int) -> list[bytes]:
    """The arguments that a process was started with; none for a dead process or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    line = os.fsencode(_ask("ps", "-ww", "-o", "command=", "-p", str(pid)))
    # Without /proc the arguments cannot be separated: take the text between -D and the first setting.
    return [line.partition(b" -D ")[2].partition(b" -c ")[0]]


def _open_lock(path: Path) -> int:
    """A descriptor that no child inherits (Python opens with O_CLOEXEC): a child would keep the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _is_lockable(fd: int) -> bool:
    """Take the lock exclusively if nobody else has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(is_so: Callable[[], bool], *, within_s: float) -> bool:
    """Wait until `is_so` returns true; False after `within_s` seconds."""
    give_up_at = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True
