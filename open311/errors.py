"""What can go wrong, in words fit for the public. Knows nothing of HTTP.

Each error carries one or more problems. A problem says what is wrong and what to send instead; its text
is shown to citizens and developers, so it never holds an exception's text, SQL or a path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: the parameter's name (or "" for none) and a sentence."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Open311Error(Exception):
    """Base of all foreseen errors."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(field, message),)

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


class Invalid(Open311Error):
    """The caller sent something that cannot be done; holds every problem found (A59)."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Invalid:
        """One error out of many problems; at least one."""
        error = cls("")
        error.problems = tuple(problems)
        return error


class NotFound(Open311Error):
    """A jurisdiction, service, request or token that does not exist."""


class Conflict(Open311Error):
    """Somebody else has changed the same thing meanwhile; only looking again helps."""


class Gone(Open311Error):
    """Something that was given out once and leads nowhere any more; only beginning anew helps."""


class Forbidden(Open311Error):
    """The api_key is missing, wrong, revoked or for another jurisdiction (A56)."""


class Unavailable(Open311Error):
    """The database cannot be reached just now; the same call may work in a moment."""


class Misconfigured(Open311Error):
    """A setting, plugin or machine that the operator has to mend; shown in the shell, never to the public."""
