"""Who acts, on what, and what for: principals, their scopes and roles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ALL_JURISDICTIONS = "*"


class Role(StrEnum):
    """What a principal may do.

    APP       send requests
    OPERATOR  everything; whoever can run commands on the server
    """

    APP = "app"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Scope:
    """The cities that a principal may act for: one jurisdiction_id, or "*" for all."""

    jurisdiction_id: str = ALL_JURISDICTIONS

    def covers(self, jurisdiction_id: str) -> bool:
        """Whether a city is among them."""
        return self.jurisdiction_id in (ALL_JURISDICTIONS, jurisdiction_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who acts and is known: the actor of events.

    kind     key or shell
    number   of the key; 0 for others
    is_test  what it sends is never routed or listed
    """

    kind: str
    role: Role
    scope: Scope = Scope()
    number: int = 0
    is_test: bool = False

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else self.kind


SHELL = Principal(kind="shell", role=Role.OPERATOR)
"""Whoever runs a command of `open311` on the server."""
