"""Access rules: who may call an address. Each endpoint names its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.wrappers import Request

from open311.domain.access import Principal
from open311.operations.access.api_keys import require_key, require_scope
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.web.parsing import Parameters, first


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an address.

    identify  finds out who calls before the city and the parameters are looked at; raises Forbidden for others.
              None where anybody may call.
    """

    name: str
    identify: Callable[[Platform, Request, Parameters], Principal] | None

    def check_city(self, principal: Principal | None, city: Jurisdiction | None) -> None:
        """Forbidden where the caller may not act for the city that is asked."""
        if principal is not None and city is not None:
            require_scope(principal, city.id)


def _key_holder(platform: Platform, request: Request, sent: Parameters) -> Principal:
    """Whoever holds the key in api_key, Authorization: Bearer or X-Api-Key. Raises Forbidden (A56, A57)."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    bearer = credential.strip() if scheme.lower() == "bearer" else ""
    given = first(sent, "api_key") or bearer or request.headers.get("X-Api-Key", "").strip()
    return require_key(platform, given)


ANYBODY = Access("anybody", None)
"""Public: no key is looked at."""
API_KEY = Access("api_key", _key_holder)
"""Whoever holds a living api_key that is good for the city."""
