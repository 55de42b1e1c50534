"""Access rights: principals, their roles and their scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

ALL_JURISDICTIONS = "*"


class Role(StrEnum):
    """What a principal may do.

    APP         may send requests
    SENSOR      may send observations of some things, and nothing else
    OPERATOR    may do everything; every person who can run commands on the server is an operator
    MONITOR     may read metrics
    READER      of staff: may read requests
    AGENT       of staff: may also work on them
    DISPATCHER  of staff: may also decide what the public sees, and decide about deliveries and notices
    ADMIN       of staff: may also export and erase data of persons, and manage keys, blocks and texts
    """

    APP = "app"
    SENSOR = "sensor"
    OPERATOR = "operator"
    MONITOR = "monitor"
    READER = "reader"
    AGENT = "agent"
    DISPATCHER = "dispatcher"
    ADMIN = "admin"

    @property
    def is_staff(self) -> bool:
        """Whether this is a role of staff."""
        return self in STAFF

    def includes(self, other: Role) -> bool:
        """Whether a principal with this role may do what `other`, a role of staff, may do. Operators may do all."""
        return self is Role.OPERATOR or (
            self in STAFF and other in STAFF and STAFF.index(self) >= STAFF.index(other)
        )


STAFF = (Role.READER, Role.AGENT, Role.DISPATCHER, Role.ADMIN)
"""The roles of staff. Each may do what those before it may do, and more."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a principal may act for.

    jurisdiction_id  the id of one city, or "*" for all
    departments      codes of departments; empty for all
    """

    jurisdiction_id: str = ALL_JURISDICTIONS
    departments: frozenset[str] = frozenset()

    @property
    def is_everywhere(self) -> bool:
        """Whether the scope includes all cities."""
        return self.jurisdiction_id == ALL_JURISDICTIONS

    def covers(self, jurisdiction_id: str) -> bool:
        """Whether the scope includes this city."""
        return self.jurisdiction_id in (ALL_JURISDICTIONS, jurisdiction_id)

    def covers_department(self, department: str) -> bool:
        """Whether the scope includes the requests of this department. "" stands for no department."""
        return not self.departments or department in self.departments


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated actor. Events have `str(principal)` as their `actor`.

    kind     `key`, `staff`, `shell`, `portal`, `reporter`, `sensor` or `prometheus`; `system:NAME` of a back office
    number   the number of the key or account; for a sensor, the number of the key that sent its observations; 0 for
             the others
    may_update  whether updates by this key count as the city's own
    is_test  whether the requests that it sends are tests, which are never routed or listed
    label    the label of the key, for the log and metrics; never the name of a person
    is_for_staff  whether the key belongs to an app of the city's own people
    notice   what the users of the app with this key are told; "" for nothing
    user     the name of the shell's user; "" if it is not known
    token    the number of the token that an account called with; 0 for none
    expires_at  when the token expires; None without a token
    things   the things whose observations a key of sensors may send
    """

    kind: str
    role: Role
    scope: Scope = Scope()
    number: int = 0
    is_test: bool = False
    may_update: bool = False
    label: str = ""
    is_for_staff: bool = False
    notice: str = ""
    user: str = ""
    token: int = 0
    expires_at: datetime | None = None
    things: frozenset[str] = frozenset()

    @property
    def is_staff(self) -> bool:
        """Whether the actor works for the city, and so may send requests for services that are only for staff."""
        return self.is_for_staff or self.role not in (Role.APP, Role.SENSOR, Role.MONITOR)

    @property
    def channel(self) -> str:
        """How a request that the principal sends reaches the city."""
        return {"portal": "web", "sensor": "sensor"}.get(self.kind, "api")

    def __str__(self) -> str:
        name = str(self.number) if self.number else self.user
        return f"{self.kind}:{name}" if name else self.kind


SHELL = Principal(kind="shell", role=Role.OPERATOR)
"""Whoever runs a command of `open311` on the server. `open311.cli.shell` adds the user's name."""
PORTAL = Principal(kind="portal", role=Role.APP)
"""Whoever sends a report by the pages for citizens."""
REPORTER = Principal(kind="reporter", role=Role.AGENT)
"""A reporter who uses the link in a mail to answer or to open the request again. No call has this principal."""
PROMETHEUS = Principal(kind="prometheus", role=Role.MONITOR)
"""The program that reads the metrics."""
