"""Sends calls to other servers: in time, at a steady rate, with retries, and with limits on what comes back.

Other modules open a transport by `calls.open_transport`, so that processes without calls do not import this module.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError
from urllib3.util.retry import RequestHistory, Retry

from open311.federation.addresses import Guard, Host, host_of
from open311.federation.calls import Answer, Call, Limits, retry_after_s, shown_address
from open311.federation.deadlines import Deadline
from open311.federation.failures import (
    ForbiddenAddress,
    GeoReportError,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
)
from open311.federation.tls import Tls
from open311.outgoing import proxy_of
from open311.tracing import calling, carried

_CHUNK = 65_536
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({429, 500, 502, 503, 504})
"""The statuses after which the same call may succeed."""
_DOUBLING = frozenset({"POST", "PATCH"})
"""The methods that are not idempotent: a call that is sent twice may have its effect twice."""
_ANYWHERE = frozenset({"user-agent", "accept", "accept-language"})
"""The headers that also go to another host after a redirect; others may be secret."""
_CERTIFICATE_ALERTS = frozenset(
    f"{version}_ALERT_{alert}"
    for version in ("TLSV13", "TLSV1", "SSLV3")
    for alert in (
        *("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "CERTIFICATE_EXPIRED"),
        *("CERTIFICATE_REVOKED", "UNSUPPORTED_CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE"),
    )
)
"""With these alerts, a server refuses our certificate. With TLS 1.3, they come after the call was sent, but the
server has not read the call."""
_SIZES = frozenset({"content-length", "transfer-encoding"})


class Transport:
    """One session with other servers. Use it in one thread only.

    tls    the TLS files for some hosts: only these hosts get our certificate, and a private authority counts only
           for them
    proxy  the HTTP proxy of all calls, such as http://user:password@proxy.example:3128; "" for none. It is never
           taken from the environment. `Guard` says what can be checked with a proxy, and what cannot
    """

    def __init__(
        self,
        limits: Limits,
        guard: Guard,
        *,
        tls: Mapping[Host, Tls] | None = None,
        proxy: str = "",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limits = limits
        self._guard = guard
        self._tls = dict(tls or {})
        for each in self._tls.values():
            each.check()
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._pause = pause
        self._last_s: float | None = None
        self._deadline = Deadline()
        self._session = _Session()
        self._session.trust_env = False  # neither a proxy nor a password comes from the environment
        self._session.headers.clear()
        self._session.headers["Accept-Encoding"] = "gzip, deflate"
        adapter = _GuardedAdapter(guard, self._deadline, proxy)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        self._session.close()

    def send(self, call: Call) -> Answer:
        """The answer to a call, after retries and redirects. The answer may still have the status of an error.

        Raises Unreachable, ForbiddenAddress, TooSlow or TooLarge; or Refused if the server asks for a longer pause
        than `patience_s`.
        """
        with calling(call.method) as note:
            if trace := carried():
                call = replace(call, headers={**call.headers, **trace})
            answer = self._send(call)
            note(answer.status)
        return answer

    def _send(self, call: Call) -> Answer:
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
        """The answer, or the error. `is_uncertain` of the error says whether the server may have taken a POST."""
        self._keep_pace()
        try:
            return self._redirected(call), None
        except GeoReportError as error:
            error.is_uncertain = call.method in _DOUBLING and self._deadline.is_sent
            return None, error

    def _may_repeat(self, call: Call, answer: Answer | None, error: GeoReportError | None) -> bool:
        is_safe = call.method == "GET" or call.is_repeatable or self.limits.repeats_posts
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
            call = Call("GET", url, headers=_allowed_headers(call, url))
        raise TooLarge(f"{call} is redirected more than {_MOST_REDIRECTS} times")

    def _exchange(self, call: Call) -> Answer:
        host = host_of(call.url)
        if self._proxies:
            self._guard.check_for_proxy(*host)
        self._deadline.begin(self.limits.deadline_s)
        try:
            return self._answer(call, self._tls.get(host, _PUBLIC))
        except GeoReportError:
            raise
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            if self._deadline.is_over:
                raise TooSlow(f"{call} was not answered within {self.limits.deadline_s:g} seconds") from None
            if isinstance(error, requests.Timeout):
                raise TooSlow(f"{call} was silent for {self.limits.timeout_s:g} seconds") from None
            self._deadline.is_sent = self._deadline.is_sent and not _refuses_certificate(error)
            raise Unreachable(f"{call} {_fault(error)}") from None
        finally:
            self._deadline.end()

    def _answer(self, call: Call, tls: Tls) -> Answer:
        with self._session.request(
            call.method,
            call.url,
            params=list(call.query) or None,
            data=call.body or list(call.data) or None,
            files=list(call.files) or None,
            headers=dict(call.headers),
            timeout=self.limits.timeout_s,
            allow_redirects=False,
            stream=True,
            proxies=self._proxies,
            verify=tls.ca or True,
            cert=tls.pair,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            content = b"" if response.status_code in _REDIRECTS else self._body(call, response)
            if self._deadline.is_over:
                raise TooSlow(f"{call} was not answered within {self.limits.deadline_s:g} seconds")
            if call.needs_body and not content and response.status_code == 200 and not headers.keys() & _SIZES:
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


_PUBLIC = Tls()


def _allowed_headers(call: Call, url: str) -> Mapping[str, str]:
    """The headers of a call that may go to the address of a redirect."""
    if host_of(url) == host_of(call.url):
        return call.headers
    return {name: value for name, value in call.headers.items() if name.lower() in _ANYWHERE}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it. urllib3 has some of them in `reason` only."""
    while error is not None:
        yield error
        inner = [each for each in (getattr(error, "reason", None), *error.args) if isinstance(each, BaseException)]
        error = inner[0] if inner else error.__cause__ or error.__context__


def _raise_alert(line: object) -> None:
    """Raise the alert with which the other side has ended TLS, if one can be read after a failed write."""
    if isinstance(line, ssl.SSLSocket):
        try:
            line.read(1)
        except (OSError, ValueError) as error:
            if _refuses_certificate(error):
                raise


def _refuses_certificate(error: BaseException) -> bool:
    return any(isinstance(each, ssl.SSLError) and each.reason in _CERTIFICATE_ALERTS for each in _causes(error))


def _fault(error: BaseException) -> str:
    """What went wrong in a call without a complete answer, as the end of a sentence."""
    causes = list(_causes(error))
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return "was not sent: nothing listens at this address, the connection is refused"
    if any(isinstance(each, socket.gaierror) for each in causes):
        return "was not sent: the name of the host leads to no address"
    return f"has no complete answer: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """The kind of an error, and what is wrong with a certificate; no other text, because it may be personal."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"{type(error).__name__}, {each.verify_message}"
        if isinstance(each, ssl.SSLError) and each.reason in _CERTIFICATE_ALERTS:
            return f"{type(error).__name__}, the server refuses our certificate or its lack"
    return type(error).__name__


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise ForbiddenAddress(f"{shown_address(url)} leads to an address that is not a URL") from None


class _Session(requests.Session):
    """Follows no redirect. `allow_redirects=False` is not enough: the body would be read without a limit."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None


class _GuardedAdapter(HTTPAdapter):
    """Opens connections only to addresses that the guard permits, or to the proxy. The deadline watches them."""

    def __init__(self, guard: Guard, deadline: Deadline, proxy: str) -> None:
        self._pools = _pools(Guard(frozenset({proxy_of(proxy)})) if proxy else guard, deadline)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(guard: Guard, deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
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
            deadline.follow(line)
            return line

        def request(self, *arguments: Any, **options: Any) -> None:
            if self.sock is not None:
                deadline.follow(self.sock)
            super().request(*arguments, **options)

        def _tunnel(self) -> None:
            try:
                super()._tunnel()
            finally:
                deadline.is_sent = False  # what was sent is for the proxy only

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            deadline.is_sent = True
            try:
                super().send(data)
            except OSError:
                _raise_alert(self.sock)
                raise

    class GuardedTls(Guarded, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Guarded

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = GuardedTls

    return {"http": Pool, "https": TlsPool}
