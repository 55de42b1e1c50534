"""Fetches a picture from an address that a citizen's app has sent."""

from __future__ import annotations

from open311.domain.photos import CopyFault
from open311.federation.adapters import USER_AGENT
from open311.federation.addresses import Guard
from open311.federation.calls import Call, Limits, open_transport
from open311.federation.failures import ForbiddenAddress, GeoReportError, Refused, TooLarge, TooSlow

TIMEOUT_S = 10.0
DEADLINE_S = 15.0
"""The time for the whole answer of one server. After a redirect, the next server has as much time again."""
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "image/*"}
_GONE = frozenset({404, 410})


class NotFetchedError(Exception):
    """There is no picture.

    is_passing  whether the same call may succeed later
    """

    def __init__(self, fault: CopyFault, *, is_passing: bool = False) -> None:
        super().__init__(fault)
        self.fault = fault
        self.is_passing = is_passing


def fetch_picture(url: str, *, most_bytes: int, proxy: str, guard: Guard) -> bytes:
    """The bytes at an address, after redirects. Raises NotFetchedError.

    proxy  the HTTP proxy of outgoing calls; "" for none
    guard  checks the host at each connection, also after a redirect
    """
    limits = Limits(timeout_s=TIMEOUT_S, deadline_s=DEADLINE_S, retries=0, rate_per_s=0, max_body_bytes=most_bytes)
    transport = open_transport(limits, guard, proxy=proxy)
    try:
        answer = transport.send(Call("GET", url, headers=_HEADERS))
    except GeoReportError as error:
        raise _failure(error) from error
    finally:
        transport.close()
    if answer.status == 200:
        return answer.content
    if answer.status in _GONE:
        raise NotFetchedError(CopyFault.GONE)
    raise NotFetchedError(CopyFault.REFUSED, is_passing=answer.status == 429 or answer.status >= 500)


def _failure(error: GeoReportError) -> NotFetchedError:
    match error:
        case ForbiddenAddress():
            return NotFetchedError(CopyFault.FORBIDDEN_ADDRESS)
        case TooLarge():
            return NotFetchedError(CopyFault.TOO_LARGE)
        case TooSlow():
            return NotFetchedError(CopyFault.TOO_SLOW, is_passing=True)
        case Refused():
            return NotFetchedError(CopyFault.REFUSED, is_passing=True)
    return NotFetchedError(CopyFault.UNREACHABLE, is_passing=True)
