"""Sends calls to other servers: in time, at a steady rate, with retries, and with limits on what comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, ProtocolError
from urllib3.util.retry import RequestHistory, Retry

from open311.federation.addresses import Guard, host_of
from open311.federation.failures import (
    ForbiddenAddress,
    GeoReportError,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
)

_CHUNK = 65_536
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({429, 500, 502, 503, 504})
"""The statuses after which the same call may succeed."""
_SIZES = frozenset({"content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call may cost.

    timeout_s       for connecting, and between two reads
    deadline_s      for the whole answer to one try
    retries         how often a call is repeated; a POST only if the server cannot have taken it
    backoff_s       the pause before the first retry is twice this; each later pause doubles. Jitter is added
    patience_s      the longest pause; if a server asks for more by Retry-After, the call fails
    rate_per_s      the most calls in a second; 0 for no limit
    max_body_bytes  the largest body, after decompression
    max_pages       the most pages of a list
    repeats_posts   whether the server honours Idempotency-Key, so that a POST may be repeated as a GET is
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
    """A call to send. Only a POST has `data` and `files`. `repr` shows no parameter, because some are personal."""

    method: str
    url: str = field(repr=False)
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    data: Sequence[tuple[str, str]] = field(default=(), repr=False)
    files: Sequence[tuple[str, tuple[str, bytes, str]]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """The call without query."""
        return f"{self.method} {_shown(self.url)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. The names of its headers are in lower case; `url` is the address after redirects."""

    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Transport:
    """One session with other servers. Use it in one thread only."""

    def __init__(self, limits: Limits, guard: Guard, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.limits = limits
        self._pause = pause
        self._last_s: float | None = None
        self._watch = _Watch()
        self._session = _Session()
        self._session.trust_env = False  # a proxy would resolve names itself, behind the guard
        self._session.headers.clear()
        self._session.headers["Accept-Encoding"] = "gzip, deflate"
        adapter = _GuardedAdapter(guard, self._watch)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        self._session.close()

    def send(self, call: Call) -> Answer:
        """The answer to a call, after retries and redirects. The answer may still have the status of an error.

        Raises Unreachable, ForbiddenAddress, TooSlow or TooLarge; or Refused if the server asks for a longer pause
        than `patience_s`.
        """
        # With one entry in its history, urllib3 pauses before the first retry too.
        first = (RequestHistory(None, None, None, None, None),)
        limits = self.limits
        retry = Retry(
            limits.retries,
            allowed_methods=None,
            backoff_factor=limits.backoff_s,
            backoff_jitter=limits.backoff_s,
            backoff_max=limits.patience_s,
            history=first,
        )
        while True:
            answer, error = self._try(call)
            if not self._may_repeat(call, answer, error):
                break
            try:
                retry = retry.increment(call.method, "", error=ProtocolError("no answer, or an error that passes"))
            except MaxRetryError:
                break
            self._wait(call, retry, answer)
        if answer is None:
            assert error is not None
            raise error
        return answer

    def _try(self, call: Call) -> tuple[Answer | None, GeoReportError | None]:
        """The answer, or the error, which knows whether the server may have taken a POST."""
        self._keep_pace()
        try:
            return self._redirected(call), None
        except GeoReportError as error:
            error.is_uncertain = call.method == "POST" and self._watch.is_sent
            return None, error

    def _may_repeat(self, call: Call, answer: Answer | None, error: GeoReportError | None) -> bool:
        is_safe = call.method == "GET" or self.limits.repeats_posts
        if answer is not None:
            return answer.status in _PASSING and (is_safe or answer.status == 429)
        return isinstance(error, (Unreachable, TooSlow)) and (is_safe or not error.is_uncertain)

    def _wait(self, call: Call, retry: Retry, answer: Answer | None) -> None:
        wanted_s = retry_after_s(answer.headers) if answer else None
        if answer and wanted_s is not None and wanted_s > self.limits.patience_s:
            raise Refused(str(call), answer.status, (), wanted_s)
        self._pause(max(retry.get_backoff_time(), wanted_s or 0.0))

    def _redirected(self, call: Call) -> Answer:
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._exchange(call)
            target = answer.headers.get("location", "")
            if call.method != "GET" or answer.status not in _REDIRECTS or not target:
                return answer
            url = _joined(call.url, target)
            if urlsplit(call.url).scheme == "https" and urlsplit(url).scheme != "https":
                raise ForbiddenAddress(f"{call} leads from https to http")
            call = Call("GET", url, headers=call.headers)
        raise TooLarge(f"{call} is redirected more than {_MOST_REDIRECTS} times")

    def _exchange(self, call: Call) -> Answer:
        host_of(call.url)
        self._watch.begin(self.limits.deadline_s)
        try:
            return self._answer(call)
        except GeoReportError:
            raise
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            if self._watch.is_over:
                raise TooSlow(f"{call} was not answered within {self.limits.deadline_s:g} seconds") from None
            if isinstance(error, requests.Timeout):
                raise TooSlow(f"{call} was silent for {self.limits.timeout_s:g} seconds") from None
            raise Unreachable(f"{call} has no complete answer: {type(error).__name__}") from None
        finally:
            self._watch.end()

    def _answer(self, call: Call) -> Answer:
        with self._session.request(
            call.method,
            call.url,
            params=list(call.query) or None,
            data=list(call.data) or None,
            files=list(call.files) or None,
            headers=dict(call.headers),
            timeout=self.limits.timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            content = b"" if response.status_code in _REDIRECTS else self._body(call, response)
            if self._watch.is_over:
                raise TooSlow(f"{call} was not answered within {self.limits.deadline_s:g} seconds")
            if not content and response.status_code == 200 and not headers.keys() & _SIZES:
                raise Unreachable(f"{call} has an answer without body and without its size, as if it were cut")
            return Answer(response.url, response.status_code, headers, content)

    def _body(self, call: Call, response: requests.Response) -> bytes:
        limit = self.limits.max_body_bytes
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise TooLarge(f"{call} answers with more than {limit} bytes")
        return bytes(body)

    def _keep_pace(self) -> None:
        rate = self.limits.rate_per_s
        if rate and self._last_s is not None:
            wait_s = self._last_s + 1 / rate - time.monotonic()
            if wait_s > 0:
                self._pause(wait_s)
        self._last_s = time.monotonic()


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The pause in seconds that Retry-After asks for; None without a header that can be read."""
    value = headers.get("retry-after", "")
    try:
        return float(Retry().parse_retry_after(value)) if value else None
    except (InvalidHeader, OverflowError, ValueError):
        return None


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise ForbiddenAddress(f"{_shown(url)} leads to an address that is not a URL") from None


def _shown(url: str) -> str:
    """An address without user and query, for errors."""
    host, port = host_of(url)
    return f"{urlsplit(url).scheme}://{host}:{port}{urlsplit(url).path}"


class _Session(requests.Session):
    """Follows no redirect. `allow_redirects=False` is not enough: the body would be read without a limit."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None


class _Watch:
    """Ends a call at its deadline. The timeout of a socket never ends an answer that comes byte by byte.

    is_sent  whether a byte of the call has been sent
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._timer: threading.Timer | None = None
        self._turn = 0
        self.is_over = self.is_sent = False

    def begin(self, deadline_s: float) -> None:
        with self._lock:
            self._turn += 1
            self.is_over = self.is_sent = False
        self._timer = threading.Timer(deadline_s, self._cut, (self._turn,))
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._turn += 1
            while self._lines:
                self._lines.pop().close()

    def follow(self, line: socket.socket) -> None:
        """Watch a connection. A second descriptor is watched, because TLS detaches the socket that it wraps."""
        with self._lock:
            self._lines.append(socket.fromfd(line.fileno(), line.family, line.type))
        if self.is_over:
            self._cut(self._turn)

    def _cut(self, turn: int) -> None:
        with self._lock:
            if turn != self._turn:  # the timer of an earlier call
                return
            self.is_over = True
            for line in self._lines:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:  # the other side has closed it
                    continue


class _GuardedAdapter(HTTPAdapter):
    """Opens connections only to addresses that the guard permits, and has them watched."""

    def __init__(self, guard: Guard, watch: _Watch) -> None:
        self._guard, self._watch = guard, watch
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._guard, self._watch)


def _pools(guard: Guard, watch: _Watch) -> dict[str, type[HTTPConnectionPool]]:
    class Guarded(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            host = self._dns_host
            try:
                for address in guard.addresses(host, self.port):
                    self._dns_host = address
                    try:
                        return self._watched(super()._new_conn())
                    except HTTPError as error:
                        failure = error
            finally:
                self._dns_host = host
            raise failure

        def _watched(self, line: socket.socket) -> socket.socket:
            watch.follow(line)
            return line

        def request(self, *arguments: Any, **options: Any) -> None:
            if self.sock is not None:
                watch.follow(self.sock)
            super().request(*arguments, **options)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            watch.is_sent = True
            super().send(data)

    class GuardedTls(Guarded, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Guarded

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedTls

    return {"http": Pool, "https": TlsPool}
