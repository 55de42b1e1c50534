"""Webhooks to receivers that subscribers name, and to the gateway for text messages.

Only public addresses and trusted hosts are called, and no redirect is followed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import orjson

from open311.federation.addresses import Guard, Host, host_of
from open311.federation.calls import Call, Limits, open_transport, retry_after_s
from open311.federation.failures import ForbiddenAddress, GeoReportError, Refused, TooLarge, TooSlow
from open311.federation.signing import sign

MOST_ANSWER_BYTES = 65_536
"""The largest answer that is read. Only the answer to a challenge matters."""


class NoAddress(Exception):
    """The host of a URL has no address now."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a call.

    fault    "" if the receiver has accepted the webhook; a status such as "503"; or one of unreachable, slow, large
             and forbidden
    after_s  the pause that the receiver asks for; None if it asks for none
    """

    fault: str
    after_s: float | None = None
    content: bytes = b""

    def answers(self, challenge: str) -> bool:
        """Whether the body is the challenge, as a text or as the member `challenge` of a JSON object."""
        text = self.content.decode("utf-8", "replace").strip()
        if text == challenge:
            return True
        try:
            found = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return False
        return isinstance(found, dict) and found.get("challenge") == challenge


def trusted_hosts(names: Iterable[str]) -> frozenset[Host]:
    """Hosts with ports, such as hooks.city.internal:8080, as `Guard` has them. Raises ForbiddenAddress."""
    return frozenset(host_of(f"http://{name}") for name in names)


class Receivers:
    """Sends webhooks. Use it in one thread only.

    timeout_s  the most seconds for the whole answer
    trusted    hosts that may have private addresses, and that may be called without TLS
    """

    def __init__(self, *, timeout_s: float, trusted: frozenset[Host] = frozenset(), proxy: str = "") -> None:
        self._guard, self._trusted, self._proxy = Guard(trusted), trusted, proxy
        limits = Limits(
            timeout_s=timeout_s, deadline_s=timeout_s, retries=0, rate_per_s=0, max_body_bytes=MOST_ANSWER_BYTES
        )
        self._transport = open_transport(limits, self._guard, proxy=proxy)

    def close(self) -> None:
        """End the connections."""
        self._transport.close()

    def check(self, url: str) -> None:
        """Check whether a URL may be called. Raises ForbiddenAddress if not, NoAddress if its host is unknown."""
        host = host_of(url)
        if urlsplit(url).scheme != "https" and host not in self._trusted:
            raise ForbiddenAddress("only https is called")
        try:
            if self._proxy:
                self._guard.check_for_proxy(*host)
            else:
                self._guard.addresses(*host)
        except (socket.gaierror, UnicodeError):
            raise NoAddress from None

    def send(self, url: str, body: bytes, webhook_id: str, *, secrets: tuple[str, ...], now: datetime) -> Reply:
        """Send one webhook. Its address is checked again, because a name may lead elsewhere now."""
        headers = sign(body, webhook_id, secrets=secrets, now=now)
        headers |= {"Content-Type": "application/json", "User-Agent": "open311-webhooks"}
        try:
            if urlsplit(url).scheme != "https" and host_of(url) not in self._trusted:
                raise ForbiddenAddress("only https is called")
            answer = self._transport.send(Call("POST", url, headers=headers, body=body, needs_body=False))
        except ForbiddenAddress:
            return Reply("forbidden")
        except TooSlow:
            return Reply("slow")
        except TooLarge:
            return Reply("large")
        except Refused as error:
            return Reply(str(error.status), error.retry_after_s)
        except GeoReportError:
            return Reply("unreachable")
        if 200 <= answer.status < 300:
            return Reply("", content=answer.content)
        return Reply(str(answer.status), retry_after_s(answer.headers))
