"""Addresses of the pages of a list, under the public address of this server."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode

from open311.web.calls import Call
from open311.web.parsing import read_query
from schemas.arguments import means_key


def page_url(call: Call, changes: dict[str, str], *without: str) -> str:
    """The address of another page of the call's list. It never contains the caller's api_key, however it is named.

    changes  parameters to set
    without  names of parameters to remove
    """
    kept = _kept(call.request.query_string, without)
    query = f"{kept}&{urlencode(changes)}" if kept and changes else kept or urlencode(changes)
    address = call.own_address() + call.request.path
    return f"{address}?{query}" if query else address


def own_url(call: Call) -> str:
    """The address of the call's own page, in the form of `page_url`."""
    args = call.request.args
    return page_url(call, {name: args[name] for name in ("page", "cursor") if name in args})


@lru_cache(maxsize=1_024)
def _kept(query: bytes, without: tuple[str, ...]) -> str:
    """The part of a query that is the same for all pages of a list."""
    dropped = ("page", "cursor", *without)
    kept = {
        name: values for name, values in read_query(query).items() if name not in dropped and not means_key(name)
    }
    pairs = [(name, value) for name, values in kept.items() for value in values]
    return urlencode(pairs)
