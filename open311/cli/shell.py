"""Who runs a command: the user of the operating system, as the actor of what the command does."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import replace

from open311.domain.access import SHELL, Principal

MOST_CHARACTERS = 40
_UNSAFE = re.compile(r"[^A-Za-z0-9_.@-]")


def shell_user() -> Principal:
    """The operator who runs this command. As an actor of events and of the audit trail it is `shell:USER`.

    With sudo, USER is the person who called it. The name is a hint and no proof: whoever may run commands with the
    database's password can also write into the database.
    """
    name = _UNSAFE.sub("_", os.environ.get("SUDO_USER") or _login())
    return replace(SHELL, user=name[:MOST_CHARACTERS])


def _login() -> str:
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # in a container, the number of a user may have no name
        return f"uid-{number}"
