"""What can go wrong in a call to another server. No text contains a key, a query or a value that a citizen sent."""

from __future__ import annotations

from dataclasses import dataclass


class GeoReportError(Exception):
    """Base class of all errors of the client.

    is_uncertain  the call was a POST, and the server may have taken what was sent. Ask the server before you send
                  it again, or send it again with the same key to a server that honours `Idempotency-Key`
    """

    is_uncertain = False


class Unreachable(GeoReportError):
    """There was no connection, or it broke before the answer was complete."""


class ForbiddenAddress(GeoReportError):
    """The call would have gone to an address that is not public, or from https to http."""


class TooSlow(GeoReportError):
    """The whole answer did not arrive in time."""


class TooLarge(GeoReportError):
    """The answer, or the number of its pages, is above the limit."""


class Unreadable(GeoReportError):
    """The answer is not what the call asked for: another content type, broken JSON or XML, or another shape."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of an answer, with the standard's names."""

    code: str
    description: str

    def __str__(self) -> str:
        return f"{self.code}: {self.description}" if self.code else self.description


class Refused(GeoReportError):
    """The server answered with an error.

    status         the HTTP status, also if the body names another code
    problems       the errors in the body; none if the body has no errors that can be read
    retry_after_s  how long the server wants to be left alone, in seconds; None if it does not say
    """

    def __init__(
        self, where: str, status: int, problems: tuple[Problem, ...] = (), retry_after_s: float | None = None
    ) -> None:
        told = "; ".join(str(problem) for problem in problems) or "without an error that can be read"
        super().__init__(f"{where} answered {status}: {told}")
        self.status = status
        self.problems = problems
        self.retry_after_s = retry_after_s
