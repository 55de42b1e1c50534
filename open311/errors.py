"""The errors of this server, with texts for the public. This module does not depend on HTTP.

Each error holds one or more problems. A problem says what is wrong and what to send instead. Citizens and
developers see its text, so it never contains an exception's text, SQL or a path. Only the operator sees the text of
Misconfigured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.texts import Message


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a call.

    field    the name of the faulty parameter; "" if the fault is not in a single parameter
    message  a sentence for the public
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Open311Error(Exception):
    """Base class of all errors that the server raises on purpose.

    warnings  what else the caller should know about the call, such as misspelt names
    """

    warnings: tuple[Message, ...] = ()

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(field, message),)

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


class Invalid(Open311Error):
    """The call is invalid. The error holds every problem that was found (A59)."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Invalid:
        """One error that holds all these problems. There must be at least one problem."""
        error = cls("")
        error.problems = tuple(problems)
        return error


class NotFound(Open311Error):
    """What the call names does not exist, such as a jurisdiction, a service, a request or a photo."""


class Conflict(Open311Error):
    """The call does not fit the present state of a record, for example because somebody else has changed it.

    The caller must read the record again before it tries again.
    """


class Gone(Open311Error):
    """The caller's cursor is no longer valid. The caller must begin again without a cursor."""


class TooMuch(Open311Error):
    """The call contains more than the server accepts at once. Nothing of it is stored."""


class Forbidden(Open311Error):
    """The caller may not do this. For example, the api_key is missing or wrong (A56), or the role is too low."""


class Unauthenticated(Open311Error):
    """The token or the session of staff, or the signature of a back office, is missing, wrong or too old."""


class Unavailable(Open311Error):
    """What the call needs, such as the database, cannot do its work. The same call may succeed in a moment."""


class NotYet(Unavailable):
    """What the call asks for is made regularly, and there is none yet. Nothing is wrong.

    retry_after_s  how many seconds later the same call may succeed
    """

    def __init__(self, message: str, field: str = "", *, retry_after_s: int) -> None:
        super().__init__(message, field)
        self.retry_after_s = retry_after_s


class Misconfigured(Open311Error):
    """A setting or a plugin has a fault, or the machine lacks something. Only the operator sees the text."""
