"""The commands by which staff change a request. A class describes one command: its fields, and who may give it.

`domain.workflow.TRANSITIONS` says in which states a command is legal. `operations.workflow.effects` says which
events a command causes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import ClassVar

from open311.domain.access import Role
from open311.domain.requests import Priority
from open311.domain.workflow import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Base of all commands.

    name         the name of the command in the API and on the command line
    role         the lowest role that may give the command
    needs_reason whether the command must have a reason
    reason       why the command is given; for staff only
    """

    name: ClassVar[str] = ""
    role: ClassVar[Role] = Role.AGENT
    needs_reason: ClassVar[bool] = False

    reason: str = ""

    @classmethod
    def summary(cls) -> str:
        """The beginning of the docstring: what the command does, without its fields."""
        return re.split(r" `\w+`:", cls.__doc__ or "")[0].replace("`", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(Command):
    """Give a request to a person. `account`: the account's name; "" for nobody."""

    name = "assign"
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Command):
    """Give a request to another department. The work begins anew there."""

    name = "transfer"
    department: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prioritise(Command):
    """Say how urgent a request is."""

    name = "prioritise"
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressCommand(Command):
    """Base of the commands that say how far the work is. `detail`: the code of one of the city's own states."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(ProgressCommand):
    """Say that the department has seen the request."""

    name = "acknowledge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(ProgressCommand):
    """Begin the work, or go on after a hold."""

    name = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(ProgressCommand):
    """Say when somebody will visit the place. `visit`: None if an update from another system gives no date."""

    name = "schedule"
    visit: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule(Command):
    """Move the date of the visit, the date by which the request should be done, or both."""

    name = "reschedule"
    needs_reason = True
    visit: datetime | None = None
    expected: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(ProgressCommand):
    """Stop the work, because it waits for something. The clock of its due date stands still."""

    name = "hold"
    needs_reason = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Command):
    """Close a request. `note`: what the public reads; "" for the city's text for this outcome."""

    name = "close"
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(Command):
    """Open a closed request again. `note`: what the public reads; "" for the city's text for reopenings."""

    name = "reopen"
    needs_reason = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Command):
    """Write something about a request, for staff, or for everybody if `public`."""

    name = "note"
    text: str
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskReporter(Command):
    """Ask the reporter something. The question is public. The work is on hold until an answer comes."""

    name = "ask_reporter"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Command):
    """Merge a request into another one about the same thing. `into`: that request's id or number."""

    name = "merge"
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerge(Command):
    """Undo a merge."""

    name = "unmerge"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeService(Command):
    """Move a request to another service. Answers that the new service does not ask for are kept for staff."""

    name = "change_service"
    service_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hide(Command):
    """Withdraw a request from the public."""

    name = "hide"
    role = Role.DISPATCHER
    needs_reason = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Command):
    """Show a hidden request again, to the people who could see it before it was hidden."""

    name = "show"
    role = Role.DISPATCHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Command):
    """Show a request to the public after a review."""

    name = "release"
    role = Role.DISPATCHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Correct(Command):
    """Correct parts of the report. All other parts stay. The old text of a part is not kept."""

    name = "correct"
    needs_reason = True
    description: str | None = None
    address: str | None = None
    lat: float | None = None
    long: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmask(Command):
    """Show the public a text that was masked and is no personal data. `text`: the masked text, as it was typed."""

    name = "unmask"
    role = Role.DISPATCHER
    needs_reason = True
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask(Command):
    """Mask again what `unmask` has shown. `text`: the shown text, as it was typed."""

    name = "mask"
    role = Role.DISPATCHER
    text: str


@cache
def commands() -> dict[str, type[Command]]:
    """Every command, by its name."""
    shapes = (*Command.__subclasses__(), *ProgressCommand.__subclasses__())
    return {shape.name: shape for shape in shapes if shape.name}
