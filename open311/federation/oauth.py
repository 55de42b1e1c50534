"""OAuth2 client credentials: calls that carry an access token. Source: RFC 6749, 4.4, and RFC 6750.

The code is ours, because a library would open its own connections, which `Transport` neither limits nor checks for
private addresses.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit

from open311.federation import bodies
from open311.federation.addresses import Host, host_of
from open311.federation.calls import Answer, Call, retry_after_s
from open311.federation.failures import GeoReportError, NotAuthorized, Unreadable
from open311.outgoing import LOOPBACK

if TYPE_CHECKING:
    from open311.federation.transport import Transport

_USUAL_LIFE_S = 300.0
_LEEWAY_S = 60.0
_LEAST_MASKED = 8
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*", re.ASCII)
_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
"""The errors of RFC 6749. Any other text of the server is not repeated, because it may quote the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """What an authorization server wants to know before it gives a token.

    token_url  must be https, or on the loopback
    in_body    whether the id and the secret go in the body; most servers want them in `Authorization`
    extra      parameters that some servers want, such as `audience`
    """

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str = ""
    in_body: bool = False
    extra: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        host, _ = host_of(self.token_url)
        if urlsplit(self.token_url).scheme != "https" and host not in LOOPBACK:
            raise ValueError("token_url must be https, because the secret is sent there")
        if not self.client_id or not self.client_secret:
            raise ValueError("client_id and client_secret must not be empty")

    def call(self) -> Call:
        """The call that asks for a token."""
        data = [("grant_type", "client_credentials"), *self.extra.items()]
        headers = {"Accept": "application/json"}
        if self.scope:
            data.append(("scope", self.scope))
        if self.in_body:
            data += [("client_id", self.client_id), ("client_secret", self.client_secret)]
        else:
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return Call("POST", self.token_url, data=data, headers=headers, is_repeatable=True)


class AuthorizedTransport:
    """Sends calls to some hosts with an access token, and others without it. Use it in one thread only.

    hosts  the hosts that get the token
    clock  seconds that never go back
    """

    def __init__(
        self,
        transport: Transport,
        credentials: ClientCredentials,
        *,
        hosts: Collection[Host],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._hosts = frozenset(hosts)
        self._clock = clock
        self._token = ""
        self._ends_s = 0.0

    def close(self) -> None:
        self._transport.close()

    def send(self, call: Call) -> Answer:
        """The same as `Transport.send`. After a 401, the call is sent once more with a new token.

        Raises NotAuthorized if there is no token. Then the server has not taken the call: it was not sent, or it
        got 401.
        """
        if host_of(call.url) not in self._hosts:
            return self._transport.send(call)
        answer = self._sent(call)
        if answer.status == 401:
            self._token = ""
            answer = self._sent(call)
        return answer

    def _sent(self, call: Call) -> Answer:
        if not self._token or self._clock() >= self._ends_s:
            self._token, self._ends_s = self._fetched()
        headers = {**call.headers, "Authorization": f"Bearer {self._token}"}
        return self._masked(self._transport.send(replace(call, headers=headers)))

    def _masked(self, answer: Answer) -> Answer:
        """The answer without the token, which a server may quote in an error."""
        if len(self._token) < _LEAST_MASKED:
            return answer
        headers = {name: value.replace(self._token, "***") for name, value in answer.headers.items()}
        return replace(answer, headers=headers, content=answer.content.replace(self._token.encode(), b"***"))

    def _fetched(self) -> tuple[str, float]:
        """A new token, and the time until which it is used: shortly before its end."""
        asked_s = self._clock()
        call = self._credentials.call()
        try:
            found = _members(call, self._transport.send(call))
        except GeoReportError as error:
            error.is_uncertain = False  # nothing but the question for a token was sent
            raise
        token = found.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise NotAuthorized(f"{call} gave no access token that can be sent")
        if str(found.get("token_type", "bearer")).lower() != "bearer":
            raise NotAuthorized(f"{call} gave a token of another type than Bearer")
        life_s = _seconds(found.get("expires_in"))
        return token, asked_s + life_s - min(_LEEWAY_S, life_s / 2)


def _members(call: Call, answer: Answer) -> Mapping[str, object]:
    try:
        found = bodies.plain(answer.content, "json")
    except Unreadable:
        found = None
    members = found if isinstance(found, dict) else {}
    if answer.status != 200:
        code = members.get("error")
        reason = code if isinstance(code, str) and code in _ERRORS else "without an error that can be read"
        raise NotAuthorized(
            f"{call} gave no access token: {answer.status}, {reason}", answer.status, retry_after_s(answer.headers)
        )
    return members


def _seconds(plain: object) -> float:
    """The life of a token. Some servers write the number as text, and some leave it out."""
    if isinstance(plain, bool) or not re.fullmatch(r"\d{1,9}(\.0*)?", str(plain), re.ASCII):
        return _USUAL_LIFE_S
    return float(str(plain))
