"""Access rights: principals, their roles and their scopes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ALL_JURISDICTIONS = "*"


class Role(StrEnum):
    """What a principal may do.

    APP       may send requests
    OPERATOR  may do everything; every person who can run commands on the server is an operator
    MONITOR   may read metrics
    """

    APP = "app"
    OPERATOR = "operator"
    MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Scope:
    """The cities that a principal may act for: one jurisdiction_id, or "*" for all."""

    jurisdiction_id: str = ALL_JURISDICTIONS

    def covers(self, jurisdiction_id: str) -> bool:
        """Whether the scope includes this city."""
        return self.jurisdiction_id in (ALL_JURISDICTIONS, jurisdiction_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated actor. Events have `str(principal)` as their `actor`.

    kind     `key` or `shell`
    number   the key's number; 0 for the shell
    is_test  whether the requests that it sends are tests, which are never routed or listed
    label    the label of the key, for the log and metrics
    """

    kind: str
    role: Role
    scope: Scope = Scope()
    number: int = 0
    is_test: bool = False
    label: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else self.kind


SHELL = Principal(kind="shell", role=Role.OPERATOR)
"""The person who runs a command of `open311` on the server."""
PROMETHEUS = Principal(kind="prometheus", role=Role.MONITOR)
"""The program that reads the metrics."""
