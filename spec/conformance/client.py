"""The HTTP client. It sends one call at a time, limits rate, time and size, and caches the answers to GETs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

import requests

from spec.conformance.answers import Answer, Call, UnmetNeedError

USER_AGENT = "open311-conformance/1 (+http://wiki.open311.org/GeoReport_v2/)"
_CHUNK = 65_536
_PAUSE_S = 10.0
"""The pause in seconds after a 429 without Retry-After."""


class UnreachableError(Exception):
    """The server did not answer. The text says why."""


@dataclass(frozen=True, slots=True)
class Manners:
    """The limits that protect the server and the run.

    rate_per_s      the maximum rate of calls; 0 for no limit, which only your own server should get
    timeout_s       the timeout for connecting, and between two chunks; an answer may take four times as long
    max_body_bytes  the maximum size of a body after decompression; the client reads no further. The memory that a
                    run needs can be a hundred times this size
    max_kept_bytes  the maximum size of all bodies in the cache. Above it, the oldest bodies are dropped; a check
                    that needs a dropped body sends the call again
    patience_s      the maximum sum of all pauses that the server asks for by 429 and Retry-After
    """

    rate_per_s: float = 2.0
    timeout_s: float = 15.0
    max_body_bytes: int = 4_000_000
    max_kept_bytes: int = 64_000_000
    patience_s: float = 600.0


@dataclass(slots=True)
class Client:
    """Sends calls, and caches the answers to GETs."""

    manners: Manners = field(default_factory=Manners)
    session: requests.Session = field(default_factory=requests.Session)
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    sent: int = 0
    paused_s: float = 0.0
    _last_s: float | None = None
    _seen: dict[Call, Answer] = field(default_factory=dict)
    _kept_bytes: int = 0

    def __post_init__(self) -> None:
        # Remove default headers of the session, such as Accept: a call has only the headers that the check sets.
        self.session.headers.clear()
        self.session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
        self.session.trust_env = False
        self.session.max_redirects = 5

    @property
    def answers(self) -> list[Answer]:
        """The cached answers, oldest first."""
        return list(self._seen.values())

    def get(self, call: Call, *, fresh: bool = False) -> Answer:
        """The answer to a GET, from the cache unless `fresh`."""
        if fresh or call not in self._seen:
            self._keep(call, self.send(call))
        return self._seen[call]

    def _keep(self, call: Call, answer: Answer) -> None:
        """Put an answer into the cache. While the cache is too large, drop the oldest answers."""
        self._kept_bytes += len(answer.content)
        if call in self._seen:
            self._kept_bytes -= len(self._seen.pop(call).content)
        self._seen[call] = answer
        while self._kept_bytes > self.manners.max_kept_bytes and len(self._seen) > 1:
            oldest = next(iter(self._seen))
            self._kept_bytes -= len(self._seen.pop(oldest).content)

    def send(self, call: Call, *, patient: bool = True) -> Answer:
        """The answer to a call. If `patient`, a call that gets 429 is sent again after the pause in Retry-After.

        Raises UnreachableError if no answer comes, UnmetNeedError if the answer or the pauses take too long.
        """
        answer = self._send(call)
        while patient and answer.status == 429:
            self._wait_for_retry(answer)
            answer = self._send(call)
        return answer

    def _wait_for_retry(self, answer: Answer) -> None:
        retry_after = answer.headers.get("retry-after", "").strip()
        wait_s = max(1.0, float(retry_after)) if retry_after.isdecimal() else _PAUSE_S
        if self.paused_s + wait_s > self.manners.patience_s:
            raise UnmetNeedError("the server accepts no more calls for now (429); use a lower --rate")
        self.paused_s += wait_s
        self.pause(wait_s)

    def _send(self, call: Call) -> Answer:
        self._keep_pace()
        self.sent += 1
        try:
            return self._in_time(call)
        except requests.RequestException as error:
            raise UnreachableError(f"{call}: {type(error).__name__}") from error

    def _in_time(self, call: Call) -> Answer:
        """The answer to a call, if it is complete in time.

        If a server keeps sending single bytes, in headers or body, the socket's timeout never ends the call. So a
        thread waits for the answer. If the whole answer takes too long, the caller goes on without the thread.
        """
        limit_s = 4 * self.manners.timeout_s
        found: Future[Answer] = Future()

        def exchange() -> None:
            try:
                found.set_result(self._exchange(call))
            except BaseException as error:
                found.set_exception(error)

        threading.Thread(target=exchange, daemon=True, name="call").start()
        done, _ = wait([found], limit_s)
        if not done:
            raise UnmetNeedError(f"{call} takes more than {limit_s:.0f} seconds to answer")
        return found.result()

    def _exchange(self, call: Call) -> Answer:
        with self.session.request(
            call.method,
            call.url,
            data=call.body,
            headers=dict(call.headers),
            timeout=self.manners.timeout_s,
            allow_redirects=call.method == "GET",
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(call, response.status_code, headers, *self._body(call, response))

    def _body(self, call: Call, response: requests.Response) -> tuple[bytes, str]:
        """The body and ""; or the beginning of a body that is too long, and a sentence about this."""
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self.manners.max_body_bytes:
                limit = self.manners.max_body_bytes
                return bytes(body[:_CHUNK]), f"{call} answers with more than {limit} bytes; --max-bytes reads more"
        return bytes(body), ""

    def _keep_pace(self) -> None:
        now = self.clock()
        if self.manners.rate_per_s and self._last_s is not None:
            wait_s = self._last_s + 1 / self.manners.rate_per_s - now
            if wait_s > 0:
                self.pause(wait_s)
        self._last_s = self.clock()
