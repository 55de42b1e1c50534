"""The operating system user that PostgreSQL runs as. PostgreSQL refuses to run as root."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open311.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """The user that PostgreSQL runs as.

    other  the user's entry in the password database; None if it is the user of this process
    """

    other: pwd.struct_passwd | None

    @classmethod
    def find(cls, data: Path) -> ServerAccount:
        """Find the user that the server must run as, for the folder `data`.

        The user is the owner of existing data. If there is no data, or root owns the data, the user is the user of
        this process. A process of root uses the user `postgres` instead of root.

        Raises PermissionError if a third user owns the data and this process does not run as root. Raises
        `Misconfigured` if the user `postgres` is needed and does not exist.
        """
        uid = os.geteuid()
        if data.exists() and (owner := data.stat().st_uid) not in {0, uid}:
            if uid != 0:
                raise PermissionError(errno.EACCES, "it belongs to another user", str(data))
            return cls(pwd.getpwuid(owner))
        if uid != 0:
            return cls(None)
        try:
            return cls(pwd.getpwnam("postgres"))
        except KeyError:
            raise Misconfigured(
                "PostgreSQL refuses to run as root, and there is no user postgres: run as an ordinary user, or "
                "set DATABASE_URL."
            ) from None

    @property
    def uid(self) -> int:
        """The server user's id."""
        return os.geteuid() if self.other is None else self.other.pw_uid

    @property
    def name(self) -> str:
        """The server user's name, for messages."""
        return pwd.getpwuid(self.uid).pw_name

    def process_arguments(self) -> dict[str, Any]:
        """Arguments for `subprocess` to start a child as this user, without our PG* and locale variables."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        env["LC_ALL"] = "C"
        arguments: dict[str, Any] = {"env": env, "cwd": "/", "umask": 0o077, "close_fds": True}
        return arguments | self._identity()

    def give(self, file: Path | int) -> None:
        """Make this user the owner of a file or of an open descriptor."""
        if self.other is not None:
            os.chown(file, self.other.pw_uid, self.other.pw_gid)

    def give_folder(self, folder: Path) -> None:
        """Make this user the owner of a folder, and close it to everybody else."""
        folder.chmod(0o700)
        self.give(folder)

    def can_enter(self, folder: Path) -> bool:
        """Whether this user can enter a folder.

        A child process of this user tests the access. The mode of the folder does not show this, because a folder
        above may be closed.
        """
        if self.other is None:
            return True
        tested = subprocess.run(  # noqa: S603 (no word of the command comes from outside)
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)], check=False, cwd="/", **self._identity()
        )
        return tested.returncode == 0

    def _identity(self) -> dict[str, Any]:
        if self.other is None:
            return {}
        return {"user": self.other.pw_uid, "group": self.other.pw_gid, "extra_groups": []}
