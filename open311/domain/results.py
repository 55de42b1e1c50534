"""The results of sending a request to a back office."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The back office has the request. `service_request_id`: the back office's id; "" if it gives none.

    As the answer to the token of a batch request, "" means that our server makes the id.
    """

    service_request_id: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """The back office has the request, and gives its id later.

    retry_after_s  after how many seconds the back office may be asked
    token          the token with which the back office is asked
    """

    retry_after_s: int = 60
    token: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The back office does not want this request. `reason`: a sentence.

    If this is the answer to the token of a batch request, all callers that ask for it see the reason (A13).
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Partial:
    """The back office has the request, but not all of it.

    `missing`: the names of the steps that must be repeated.
    """

    service_request_id: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """The request is not for this back office. `reason`: a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Defer:
    """The back office wants the request, but not before `until`. `reason`: a sentence."""

    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The try failed. A later one may succeed.

    cause         a sentence without personal data, secrets, or texts that people wrote
    after_s       the pause that the back office asks for, in seconds; None if it asks for none
    is_uncertain  whether the back office may have the request although the try failed
    is_down       whether the whole back office is at fault, so that other requests would fail too
    """

    cause: str
    after_s: float | None = None
    is_uncertain: bool = False
    is_down: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """The try failed. Later ones will fail too until a person changes something. `cause`: see `Retry`."""

    cause: str


Resolution = Accepted | Pending | Rejected
"""The answer to the token of a batch request."""
Result = Accepted | Pending | Rejected | Partial | Skip | Defer | Retry | Failed
"""The answer to a request that was sent."""

LONGEST_PAUSE_S = 86_400
MOST_CAUSE, MOST_ID = 500, 300


def sound(result: object) -> Result:
    """The result that the code of a back end has returned, with values that can be stored.

    Raises TypeError if it is no result, or if one of its values has a wrong type or cannot be stored.
    """
    match result:
        case Accepted(service_request_id=str(remote_id)):
            return Accepted(_fit(remote_id, "service_request_id"))
        case Partial(service_request_id=str(remote_id), missing=tuple(missing)) if _are_texts(missing) and missing:
            return Partial(_fit(remote_id, "service_request_id"), missing)
        case Pending(retry_after_s=int() | float() as wait_s, token=str(token)):
            return Pending(int(_pause(wait_s)), _fit(token, "token", 10 * MOST_ID))
        case Rejected(reason=str(text)) | Skip(reason=str(text)):
            return replace(result, reason=_line(text))
        case Defer(until=datetime() as until, reason=str(reason)) if until.tzinfo is not None:
            return Defer(until, _line(reason))
        case Failed(cause=str(text)):
            return Failed(_line(text))
        case Retry(cause=str(text), after_s=after_s, is_uncertain=bool(), is_down=bool()):
            return replace(result, cause=_line(text), after_s=None if after_s is None else _pause(after_s))
    raise TypeError(f"{type(result).__name__} is no result, or has a value of a wrong type")


def _are_texts(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, str) and "\0" not in value for value in values)


def _fit(text: str, what: str, most: int = MOST_ID) -> str:
    if len(text) > most or not text.isprintable():
        raise TypeError(f"{what} has more than {most} characters, or some that cannot be printed")
    return text


def _pause(seconds: float) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise TypeError("a pause must be a number of seconds")
    return max(0, min(seconds, LONGEST_PAUSE_S))


def _line(text: str) -> str:
    """A sentence in one line that is not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= MOST_CAUSE else f"{line[: MOST_CAUSE - 1]}…"
