"""Addresses of other pages of a list, as clients see this server."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode

from open311.web.calls import Call
from open311.web.parsing import read_query


def page_url(call: Call, changes: dict[str, str], *without: str) -> str:
    """The address of the call's list with another page; an api_key that came along stays out.

    changes  parameters that lead to the page
    without  parameters that the page does without
    """
    kept = _kept(call.request.query_string, without)
    query = f"{kept}&{urlencode(changes)}" if kept and changes else kept or urlencode(changes)
    address = call.own_address() + call.request.path
    return f"{address}?{query}" if query else address


def own_url(call: Call) -> str:
    """The address of the call's own page, written as `page_url` writes those of others."""
    args = call.request.args
    return page_url(call, {name: args[name] for name in ("page", "cursor") if name in args})


@lru_cache(maxsize=1_024)
def _kept(query: bytes, without: tuple[str, ...]) -> str:
    """What all pages of a list have in common of a query."""
    dropped = ("page", "cursor", "api_key", *without)
    pairs = [(name, value) for name, values in read_query(query).items() for value in values if name not in dropped]
    return urlencode(pairs)
