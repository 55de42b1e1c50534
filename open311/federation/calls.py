"""Calls to other servers, their answers and their limits. `transport` sends them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from open311.federation.addresses import Guard, Host, host_of
from open311.federation.tls import Tls

if TYPE_CHECKING:
    from open311.federation.transport import Transport


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, how often it is tried, and how much it may return.

    timeout_s       the most seconds for connecting, and between two reads
    deadline_s      the most seconds for the whole answer of one server; after a redirect, the next server has as
                    much time again
    retries         how often a call is repeated; a POST or PATCH only if the server has not taken it: the call was
                    not sent, or got 429
    backoff_s       the first retry waits twice as long as this, and each later retry twice as long as the one
                    before; jitter is added
    patience_s      the longest pause; if a server asks for more by Retry-After, the call fails
    rate_per_s      the most calls in a second; 0 for no limit
    max_body_bytes  the largest body, after decompression
    max_pages       the most pages of a list
    repeats_posts   whether the server honours Idempotency-Key, so that a POST is repeated as a GET is
    """

    timeout_s: float = 15.0
    deadline_s: float = 60.0
    retries: int = 3
    backoff_s: float = 0.5
    patience_s: float = 60.0
    rate_per_s: float = 5.0
    max_body_bytes: int = 20_000_000
    max_pages: int = 10_000
    repeats_posts: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call to send. `repr` shows no parameter, because some are personal.

    data           the text fields of the form; a GET has none
    files          the files of the form; a GET has none
    body           the bytes of a call without a form, such as JSON; the Content-Type is in `headers`
    is_repeatable  whether sending a POST twice does no harm
    needs_body     whether an answer without body and without its size counts as cut
    """

    method: str
    url: str = field(repr=False)
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    data: Sequence[tuple[str, str]] = field(default=(), repr=False)
    files: Sequence[tuple[str, tuple[str, bytes, str]]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = False
    needs_body: bool = True

    def __post_init__(self) -> None:
        if self.body is not None and (self.data or self.files):
            raise ValueError("a call has either a body or a form")
        if self.method == "GET" and (self.body is not None or self.data or self.files):
            raise ValueError("a GET has neither a body nor a form")

    def __str__(self) -> str:
        """The call without query."""
        return f"{self.method} {shown_address(self.url)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. The names of its headers are in lower case; `url` is the address after redirects."""

    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


def open_transport(
    limits: Limits,
    guard: Guard,
    *,
    tls: Mapping[Host, Tls] | None = None,
    proxy: str = "",
    pause: Callable[[float], None] = time.sleep,
) -> Transport:
    """A new session with other servers; see `Transport`."""
    # Imported here, because requests and urllib3 take 3 MB of memory, and few web processes call other servers.
    from open311.federation.transport import Transport

    return Transport(limits, guard, tls=tls, proxy=proxy, pause=pause)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The pause in seconds that Retry-After asks for; None without a header that can be read."""
    from urllib3.exceptions import InvalidHeader  # imported here for the same reason
    from urllib3.util.retry import Retry

    value = headers.get("retry-after", "")
    try:
        return float(Retry().parse_retry_after(value)) if value else None
    except (InvalidHeader, OverflowError, ValueError):
        return None


def shown_address(url: str) -> str:
    """An address without user and query, for errors."""
    host, port = host_of(url)
    return f"{urlsplit(url).scheme}://{host}:{port}{urlsplit(url).path}"
