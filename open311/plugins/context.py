"""What a back end gets from the server: HTTP, mail, a memory, a log, the time.

The server's limits hold for these objects: a call reaches only hosts that the configuration names, and each call
ends in time. The objects use the proxy of `OPEN311_PROXY` and the operator's mail server without more code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Literal, Protocol

from open311.domain.results import Accepted, Failed, Rejected, Result, Retry

if TYPE_CHECKING:
    from open311.plugins.backends import HttpConfig, Secret

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
NAME_LIMIT, VALUE_LIMIT = 200, 65_536
_UNTAKEN = frozenset({501, 503, 505})
"""The statuses from 500 up that mean: the server has not done the work."""


class CallFailed(Exception):
    """A call got no answer or no access token, or a mail was not accepted. A back end need not catch this error.

    result  what this means for a delivery: `Retry`, `Rejected` or `Failed`
    Raises TypeError for any other kind of result.
    """

    def __init__(self, result: Result) -> None:
        if not isinstance(result, Retry | Rejected | Failed):
            raise TypeError(f"{type(result).__name__} is no failure")
        super().__init__(str(result))
        self.result = result


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM format.

    ca    the authorities that we trust for the other server's certificate, instead of the public authorities
    cert  our certificate, followed by the intermediate certificates
    key   the private key of our certificate, without a password; "" if the file `cert` has the key
    """

    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """What we need to get access tokens with OAuth2 client credentials.

    in_body  whether the id and the secret are sent in the body; most servers want them in `Authorization`
    extra    further parameters that the server wants, such as `audience`
    """

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str = ""
    in_body: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer. The names of its headers are in lower case.

    origin         scheme, host and port of the other server, for messages
    retry_after_s  the pause that the server asks for, in seconds; None if the server asks for no pause
    is_write       whether the call could change something on the other server
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    origin: str = ""
    retry_after_s: float | None = None
    is_write: bool = True

    @property
    def is_ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The value of a JSON body; None if the body is not JSON in UTF-8."""
        try:
            return json.loads(self.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return None

    def unreadable(self) -> Retry:
        """The result for an answer that the back end cannot read."""
        answered = f"{self.origin} answered {self.status} with what cannot be read"
        return Retry(cause=answered, is_uncertain=self.is_write)

    def result(self) -> Result:
        """The result of a delivery for this status. It contains no text of the other server."""
        answered = f"{self.origin} answered {self.status}"
        if self.is_ok:
            return Accepted()
        if self.status == 410:
            return Failed(f"{answered}: the address is gone")
        if self.status in (401, 403):
            return Retry(cause=f"{answered}: it does not accept our credentials", after_s=self.retry_after_s)
        if 300 <= self.status < 400:
            return Retry(cause=f"{answered}: write the address to which it leads into backends.toml")
        if self.status in (404, 405):  # the address is wrong, perhaps for minutes, or the case is missing there
            return Retry(cause=answered, is_down=False)
        if self.status in (408, 425, 429) or self.status >= 500:
            is_taken = self.status >= 500 and self.status not in _UNTAKEN
            return Retry(cause=answered, after_s=self.retry_after_s, is_uncertain=self.is_write and is_taken)
        return Rejected(answered)


class Http(Protocol):
    """A session with the server of `HttpConfig.url`, for one thread. Only a GET follows redirects."""

    def send(
        self,
        method: Method,
        path: str = "",
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        form: Sequence[tuple[str, str]] = (),
    ) -> HttpAnswer:
        """Make a call, and return the answer with any status. Raises CallFailed if there is no answer.

        path  a text to add to the configured address; "" for the address itself
        body  the Content-Type is JSON if `headers` has no Content-Type
        """

    def close(self) -> None:
        """End the connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail. All recipients get the same mail, and see each other's addresses.

    id      the beginning of the Message-ID; the same at each try, so that a repetition can be recognised
    answer  the Message-ID of the mail that this mail answers; "" for the first mail
    """

    to: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    id: str
    answer: str = ""
    reply_to: str = field(default="", repr=False)


class Mailer(Protocol):
    """The operator's mail server."""

    def send(self, letter: Letter) -> str:
        """Send a mail, and return its Message-ID. Raises CallFailed."""

    def check(self) -> None:
        """Log in at the mail server, and send nothing. Raises CallFailed."""


class Store(Protocol):
    """The memory of one back end of one city. `put` stores a value at once, and the value survives restarts.

    Store no personal data here, because an erasure does not find them.
    """

    def get(self, name: str) -> str:
        """A value; "" if there is none."""

    def put(self, name: str, value: str) -> None:
        """Store a value; "" removes it. Raises ValueError as `check_item` does."""


class Log(Protocol):
    """The server's log. The server masks secrets of the back end's configuration, but it masks no personal data."""

    def info(self, event: str, **values: Any) -> object: ...

    def warning(self, event: str, **values: Any) -> object: ...

    def error(self, event: str, **values: Any) -> object: ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a back end gets from the server.

    city        the city's name, for people to read
    now         the current time
    zone        the city's time zone
    open_http   opens the HTTP session of a configuration. Raises Misconfigured
    mailer      None if the operator has no mail server
    public_url  the address of this server; "" if it is not known
    proxy       the HTTP proxy of all calls, for kinds that do not use `open_http`; "" for none
    """

    jurisdiction_id: str
    city: str
    now: Callable[[], datetime]
    open_http: Callable[[HttpConfig], Http]
    store: Store
    log: Log
    zone: tzinfo = UTC
    mailer: Mailer | None = None
    public_url: str = ""
    proxy: str = field(default="", repr=False)


def check_item(name: str, value: str) -> None:
    """Check the name and the value that a back end wants to store.

    Raises ValueError for an empty name, for a NUL, and above NAME_LIMIT or VALUE_LIMIT characters.
    """
    if not name or len(name) > NAME_LIMIT or len(value) > VALUE_LIMIT or "\0" in name + value:
        raise ValueError(
            f"a name has 1 to {NAME_LIMIT} characters and a value at most {VALUE_LIMIT}, none of them NUL"
        )
