"""HTTP and mail for back ends. A back end gets them in its context. They use `transport` and `mail`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from open311.domain.results import Failed, Rejected, Retry
from open311.errors import Misconfigured
from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Answer, Call, Limits, open_transport, retry_after_s
from open311.federation.failures import (
    ForbiddenAddress,
    GeoReportError,
    NotAuthorized,
    Refused,
)
from open311.federation.mail import Mail, MailDeferred, Mailer, MailRefused, MailUncertain
from open311.federation.oauth import AuthorizedTransport, ClientCredentials
from open311.federation.tls import Tls, UnusableTls
from open311.outgoing import SmtpServer, read_mailbox
from open311.plugins.backends import HttpConfig
from open311.plugins.context import CallFailed, HttpAnswer, Letter, Method

USER_AGENT = "open311-server/1 (+http://wiki.open311.org/GeoReport_v2/)"
_TIMEOUTS_OF_A_MAIL = 5
_JSON = "application/json; charset=utf-8"


class HttpSession:
    """The session of one back end. It repeats no call, because a delivery that fails is tried again as a whole.

    Only after a 401, a call with an access token is sent once more with a new token.
    """

    def __init__(self, config: HttpConfig, *, proxy: str = "") -> None:
        self._base = config.address()
        deadline_s = float(config.deadline_s)
        limits = Limits(timeout_s=min(15.0, deadline_s), deadline_s=deadline_s, retries=0, rate_per_s=0)
        oauth, tls = credentials_of(config), tls_of(config)
        try:
            host = host_of(self._base)
            trusted = frozenset({host, *((host_of(oauth.token_url),) if oauth else ())})
            plain = open_transport(limits, Guard(trusted), tls={host: tls} if tls else {}, proxy=proxy)
        except (GeoReportError, UnusableTls) as error:
            raise Misconfigured(f"{error}.") from None
        self._transport = AuthorizedTransport(plain, oauth, hosts=[host]) if oauth else plain
        parts = urlsplit(self._base)
        self.origin = f"{parts.scheme}://{host[0]}:{host[1]}"

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
        """See `plugins.context.Http.send`."""
        own = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if body is not None:
            own["Content-Type"] = _JSON
        call = Call(method, self._url(path), query=query, data=form, body=body, headers={**own, **(headers or {})})
        try:
            answer = self._transport.send(call)
        except GeoReportError as error:
            raise CallFailed(self._failure(call, error)) from None
        return self._answer(method, answer)

    def close(self) -> None:
        """End the connections."""
        self._transport.close()

    def _url(self, path: str) -> str:
        return f"{self._base.rstrip('/')}{path}" if path else self._base

    def _answer(self, method: Method, answer: Answer) -> HttpAnswer:
        return HttpAnswer(
            status=answer.status,
            headers=answer.headers,
            body=answer.content,
            origin=self.origin,
            retry_after_s=retry_after_s(answer.headers),
            is_write=method != "GET",
        )

    def _failure(self, call: Call, error: GeoReportError) -> Retry | Failed:
        """What an error means for a delivery. Paths are left out of the result, because some are secret."""
        cause = str(error).replace(str(call), f"{call.method} {self.origin}")
        if isinstance(error, ForbiddenAddress):
            return Failed(cause)
        after_s = error.retry_after_s if isinstance(error, Refused | NotAuthorized) else None
        return Retry(cause=cause, after_s=after_s, is_uncertain=error.is_uncertain)


class PluginMailer:
    """The operator's mail server, as `plugins.context.Mailer`."""

    def __init__(self, server: SmtpServer, sender: str, *, deadline_s: float, now: Callable[[], datetime]) -> None:
        timeout_s = min(server.timeout_s, deadline_s / _TIMEOUTS_OF_A_MAIL)
        self._mailer = Mailer(replace(server, timeout_s=timeout_s), read_mailbox(sender))
        self._now = now

    def send(self, letter: Letter) -> str:
        """See `plugins.context.Mailer.send`."""
        with _results_of_mail():
            return self._mailer.send(self._mail(letter), now=self._now())

    def check(self) -> None:
        """See `plugins.context.Mailer.check`."""
        with _results_of_mail():
            self._mailer.check()

    def _mail(self, letter: Letter) -> Mail:
        return Mail(
            to=tuple(map(read_mailbox, letter.to)),
            subject=letter.subject,
            text=letter.text,
            message_id=f"<{letter.id}@{self._mailer.sender.domain}>",
            references=(letter.answer,) if letter.answer else (),
            reply_to=read_mailbox(letter.reply_to) if letter.reply_to else None,
        )


@contextmanager
def _results_of_mail() -> Iterator[None]:
    """Raise the errors of a mail as CallFailed."""
    try:
        yield
    except ValueError as error:
        raise CallFailed(Failed(f"the mail cannot be written: {error}")) from None
    except MailRefused as error:
        raise CallFailed(Rejected(str(error))) from None
    except MailDeferred as error:
        raise CallFailed(Retry(cause=str(error))) from None
    except MailUncertain as error:
        raise CallFailed(Retry(cause=str(error), is_uncertain=True)) from None


def tls_of(config: HttpConfig) -> Tls | None:
    """The TLS files of a configuration; None without any. Raises Misconfigured if one cannot be used."""
    if config.tls is None:
        return None
    tls = Tls(ca=config.tls.ca, cert=config.tls.cert, key=config.tls.key)
    try:
        tls.check()
    except UnusableTls as error:
        raise Misconfigured(f"tls: {error}.") from None
    return tls


def credentials_of(config: HttpConfig) -> ClientCredentials | None:
    """The client credentials of a configuration; None if it has none. Raises Misconfigured."""
    oauth = config.oauth
    if oauth is None:
        return None
    try:
        return ClientCredentials(
            token_url=oauth.token_url,
            client_id=oauth.client_id,
            client_secret=oauth.client_secret.read(),
            scope=oauth.scope,
            in_body=oauth.in_body,
            extra=oauth.extra,
        )
    except (ValueError, GeoReportError) as error:
        raise Misconfigured(f"oauth: {error}.") from None
