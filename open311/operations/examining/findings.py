"""What the doctor finds: one line for each thing that is wrong, or one for a subject in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is.

    OK       nothing has to be done
    WARNING  the server works, but somebody should look at it
    FAULT    something does not work
    """

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"

    @property
    def status(self) -> int:
        """The exit status of the command: 0, 1 or 2."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor.

    subject  what was checked, such as `indexes`
    what     one sentence, without secrets and personal data
    cure     a command or a setting that corrects what is wrong; "" if the subject is in order
    """

    level: Level
    subject: str
    what: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the subject that is being checked."""

    level: Level
    what: str
    cure: str


def warning(what: str, cure: str) -> Trouble:
    """Something that somebody should look at."""
    return Trouble(Level.WARNING, what, cure)


def fault(what: str, cure: str) -> Trouble:
    """Something that does not work."""
    return Trouble(Level.FAULT, what, cure)


def findings(subject: str, in_order: str, troubles: Iterable[Trouble]) -> Iterator[Finding]:
    """The findings on a subject: its troubles, or `in_order` if there is none."""
    found = [Finding(one.level, subject, one.what, one.cure) for one in troubles]
    yield from found or [Finding(Level.OK, subject, in_order)]


def worst(found: Iterable[Finding]) -> Level:
    """The worst level of all findings."""
    return max((one.level for one in found), key=lambda level: level.status, default=Level.OK)
