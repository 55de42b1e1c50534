"""The servers that a request has passed before it came here, so that it is not sent to one of these servers again.

A hop is the federation_id of a city (its name for other servers) and the id that the request has in that city. The
first hop of a request is its origin, and the last is the city that sent it here. A server sends the hops in the
header `Open311-Via`, separated by commas, and shows them in `extended_attributes`.

A hop begins with `~` if an app sent it and no neighbour confirmed it. Such a hop also stops loops, but it does not
prove that two requests are the same. Otherwise an app could make its report look like a request that is known, here
or at the next server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote
from uuid import NAMESPACE_URL, uuid5

HEADER = "Open311-Via"
UNPROVEN = "~"
MOST_HOPS = 8
"""A request with more hops is refused: no reasonable federation has so many servers in a row."""
_CITY = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HOP = re.compile(rf"~?{_CITY.pattern}=[A-Za-z0-9%._~-]{{1,300}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from.

    via         its hops
    url         the address of the request at the neighbour from which it was pulled; "" if it was not pulled
    is_trusted  whether a neighbour has sent the hops; False if an app has sent them
    """

    via: tuple[str, ...] = ()
    url: str = ""
    is_trusted: bool = True


def is_federation_id(text: str) -> bool:
    """Whether a hop can have this text as its federation_id."""
    return _CITY.fullmatch(text) is not None


def hop(federation_id: str, service_request_id: str) -> str:
    """The hop of a request at a city."""
    return f"{federation_id}={quote(service_request_id, safe='')}"


def id_at(via: Iterable[str], federation_id: str) -> str:
    """The id that a request had at a city; "" if the request never was at that city."""
    found = (one.lstrip(UNPROVEN).partition("=") for one in via)
    return next((unquote(name) for city, _, name in found if city == federation_id), "")


def cities_in(via: Iterable[str]) -> set[str]:
    """The federation_ids of all cities where a request was."""
    return {one.lstrip(UNPROVEN).partition("=")[0] for one in via}


def unproven(via: Iterable[str]) -> tuple[str, ...]:
    """The hops, marked as sent by an app."""
    return tuple(UNPROVEN + one.lstrip(UNPROVEN) for one in via)


def proven(via: Iterable[str]) -> list[str]:
    """The hops that neighbours have confirmed."""
    return [one for one in via if not one.startswith(UNPROVEN)]


def written(via: Iterable[str]) -> str:
    """The hops as a header has them."""
    return ", ".join(via)


def read(text: str) -> tuple[str, ...]:
    """The hops in a header. Raises ValueError for a header that cannot be read."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for one in found:
        if not _HOP.fullmatch(one):
            raise ValueError(one)
    return found


def id_by_address(url: str, jurisdiction_id: str) -> str:
    """The federation_id for a city whose server does not name one.

    It is made from the address, so that all neighbours of the city compute the same.
    """
    return str(uuid5(NAMESPACE_URL, f"{url.rstrip('/')} {jurisdiction_id}"))
