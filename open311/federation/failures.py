"""What can go wrong in a call to another server. No text has a key, a query or a personal value of the call."""

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
    """The call would have gone to an address that is not public or is no URL, or from https to http."""


class TooSlow(GeoReportError):
    """The whole answer did not arrive in time."""


class TooLarge(GeoReportError):
    """The answer, or the number of its pages or redirects, is above the limit."""


class Unreadable(GeoReportError):
    """The answer is not what the call asked for: another content type, broken JSON or XML, or another shape."""


class NotAuthorized(GeoReportError):
    """The authorization server gave no access token, so the server has not taken the call.

    The call was not sent, or it got 401 with an earlier token.
    status         the HTTP status of the authorization server; 200 if its answer has no token that can be sent
    retry_after_s  after how many seconds that server may be called again; None if it does not say
    """

    def __init__(self, text: str, status: int = 200, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of an answer, with the standard's names."""

    code: str
    description: str

    def __str__(self) -> str:
        return f"{self.code}: {self.description}" if self.code else self.description


def _in_words(problem: Problem, status: int) -> str:
    """An error of an answer, without the code if the code is the status."""
    return problem.description if problem.code == str(status) and problem.description else str(problem)


class Refused(GeoReportError):
    """The server answered with an error.

    where          the call: its method and its address, without a query
    status         the HTTP status, also if the body names another code; the body's code if the status is 200 to 299
    problems       the errors in the body; none if the body has no errors that can be read
    retry_after_s  after how many seconds the server may be called again; None if it does not say
    """

    def __init__(
        self, where: str, status: int, problems: tuple[Problem, ...] = (), retry_after_s: float | None = None
    ) -> None:
        errors = (
            "; ".join(_in_words(problem, status) for problem in problems) or "without an error that can be read"
        )
        super().__init__(f"{where} answered {status}: {errors}")
        self.where = where
        self.status = status
        self.problems = problems
        self.retry_after_s = retry_after_s
