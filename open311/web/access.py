"""Access rules: who may call an address. Each endpoint names its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.wrappers import Request

from open311.operations.access.api_keys import require_key, require_key_for
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage.keys import ApiKey
from open311.web.parsing import Parameters, first


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an address.

    find_key  finds the caller's key before the city and the parameters are looked at; raises Forbidden without one.
              None where anybody may call.
    """

    name: str
    find_key: Callable[[Platform, Request, Parameters], ApiKey] | None

    def check_city(self, key: ApiKey | None, city: Jurisdiction | None) -> None:
        """Forbidden where the key is for another city than the one that is asked."""
        if key is not None and city is not None:
            require_key_for(key, city.id)


def _caller_key(platform: Platform, request: Request, sent: Parameters) -> ApiKey:
    """The key of the caller: parameter, Authorization: Bearer or X-Api-Key. Raises Forbidden (A56, A57)."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    bearer = credential.strip() if scheme.lower() == "bearer" else ""
    given = first(sent, "api_key") or bearer or request.headers.get("X-Api-Key", "").strip()
    return require_key(platform, given)


ANYBODY = Access("anybody", None)
"""Public: no key is looked at."""
API_KEY = Access("api_key", _caller_key)
"""Whoever holds a living api_key that is good for the city."""
