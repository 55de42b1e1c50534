"""Functions that find the PostgreSQL programs on this machine, or install them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from open311.embedded.processes import output_of
from open311.errors import Misconfigured

DEBIAN_ROOT = Path("/usr/lib/postgresql")
HOMEBREW_ROOTS = (Path("/opt/homebrew/opt"), Path("/usr/local/opt"))

INSTALL = ("install", "-y", "--no-install-recommends", "postgresql", "postgresql-postgis")
APT_LOCK_S = 300
"""How long to wait while another apt-get holds its lock."""
WAYS_OUT = f"""\
Do one of these:
  - set DATABASE_URL to an existing PostGIS database: postgresql://user:password@host/name
  - install PostGIS as root: apt-get update && apt-get {" ".join(INSTALL)}
    (macOS: brew install postgis)
  - set PG_BINDIR to the folder with initdb and postgres of a PostgreSQL that has PostGIS\
"""  # noqa: S608 ("UPDATE" here is apt's)


def find_binaries() -> Path | None:
    """The folder with initdb, postgres and pg_ctl of a PostgreSQL that has PostGIS; None if there is none.

    If PG_BINDIR is set, the folder is PG_BINDIR. Otherwise the function searches Debian's folders (newest first),
    Homebrew's folders and the folder of `pg_config`.
    Raises `Misconfigured` if PG_BINDIR is set but has no such programs.
    """
    chosen = os.environ.get("PG_BINDIR")
    if chosen and not _has_postgis(Path(chosen)):
        raise Misconfigured(f"PG_BINDIR={chosen} holds no PostgreSQL with PostGIS.\n{WAYS_OUT}")
    return Path(chosen) if chosen else next(_installed(), None)


def matching_binaries(preferred: Path | None, data: Path, *, home: Path) -> Path:
    """The folder with the programs of the major version that made the data, because no other version can read it.

    preferred  used if its version matches or there is no data yet; None for the result of `find_binaries`
    home       the cluster's folder, for the error
    Raises `Misconfigured` if no PostgreSQL with PostGIS matches.
    """
    preferred = preferred or find_binaries()
    if preferred is None:
        raise Misconfigured(f"No PostgreSQL with PostGIS found.\n{WAYS_OUT}")
    version_file = data / "PG_VERSION"
    if not version_file.exists():
        return preferred
    wanted = version_file.read_text().strip()
    if _major_version(preferred) == wanted:
        return preferred
    found = next((folder for folder in _installed() if _major_version(folder) == wanted), None)
    if found is None:
        raise Misconfigured(
            f"{data} was made by PostgreSQL {wanted}, which is gone: install that version "
            f"again with its PostGIS, or move {home} away to start empty, or set DATABASE_URL."
        )
    return found


def install_binaries(say: Callable[[str], None]) -> Path:
    """Install Debian's PostGIS packages, as root or with a sudo that needs no password, and return their folder.

    say  called with one line before the download of 130 MB
    Raises `Misconfigured`, with advice, if this machine does not allow it or apt-get fails.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        raise Misconfigured(f"No PostgreSQL with PostGIS found, and no apt-get to install it.\n{WAYS_OUT}")
    as_root = _root_prefix()
    if as_root is None:
        raise Misconfigured(f"No PostgreSQL with PostGIS found, and no right to install it.\n{WAYS_OUT}")
    say("Installing PostgreSQL and PostGIS with apt-get (once, about 130 MB)…")
    command = [
        *(*as_root, "env", "DEBIAN_FRONTEND=noninteractive"),
        *(apt, "-q", "-o", f"DPkg::Lock::Timeout={APT_LOCK_S}"),
    ]
    _run_apt(
        [*command, "update"]
    )  # A failed update is ignored, because third-party package sources are often broken.
    installed = _run_apt([*command, *INSTALL])
    found = find_binaries()
    if found is None:
        last_lines = "\n".join(f"  {line}" for line in installed.stdout.strip().splitlines()[-5:])
        raise Misconfigured(f"apt-get could not install PostGIS:\n{last_lines}\n{WAYS_OUT}")
    return found


def _installed() -> Iterator[Path]:
    """The program folder of every complete PostgreSQL in the usual places, the preferred one first."""
    debian = sorted(DEBIAN_ROOT.glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    homebrew = [folder for root in HOMEBREW_ROOTS for folder in sorted(root.glob("postgresql*/bin"))[::-1]]
    configured = output_of("pg_config", "--bindir")
    candidates = [*debian, *homebrew, *([Path(configured)] if configured else [])]
    return (folder for folder in dict.fromkeys(candidates) if _has_postgis(folder))


def _has_postgis(bin_dir: Path) -> bool:
    if not all(os.access(bin_dir / name, os.X_OK) for name in ("initdb", "postgres", "pg_ctl")):
        return False
    share_dir = output_of(str(bin_dir / "pg_config"), "--sharedir")
    return bool(share_dir) and (Path(share_dir) / "extension" / "postgis.control").exists()


def _major_version(bin_dir: Path) -> str:
    """The major version, such as "15" from "postgres (PostgreSQL) 15.20 (Debian …)"; "" if it is unknown."""
    match = re.search(r"\) (\d+)", output_of(str(bin_dir / "postgres"), "--version"))
    return match[1] if match else ""


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else -1.0


def _root_prefix() -> list[str] | None:
    """The words to put before a command to run it as root; None if this process cannot run it as root."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    return [sudo, "-n"] if sudo and output_of(sudo, "-n", "id", "-u") == "0" else None


def _run_apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run apt-get. Wait while another apt-get runs, because apt's own lock timeout does not apply to `update`."""
    give_up_at = time.monotonic() + APT_LOCK_S
    while True:
        done = subprocess.run(  # noqa: S603 (no word of the command comes from outside)
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
