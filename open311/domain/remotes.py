"""Neighbours: other GeoReport servers with which a city federates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

OWN_IDS, KEYS, UPDATES = "own_ids", "keys", "updates"
"""The abilities of a neighbour: own ids of partners (I1 to I4), Idempotency-Key, and request updates."""
PULL_EVERY = timedelta(minutes=5)
"""How often the requests of a neighbour are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A neighbour of one of our cities.

    name            the name that our city gives the neighbour. The neighbour's requests have the ids `NAME-ID` here
    title           the name of the neighbour for people
    url             the address of the neighbour's API
    remote_jurisdiction  the jurisdiction_id of the neighbour on its server; "" if the server has only one city
    key_env         the name of the environment variable with the key that the neighbour gave us; "" for none
    key_file        the path of the file with the key that the neighbour gave us; "" for none
    partner_key     the number of the key that we gave the neighbour; 0 without a key
    federation_id   the neighbour's name for other servers
    areas           names of our areas that are the neighbour's territory; empty for our whole city
    services        codes of our services whose requests are sent; empty for all that the neighbour has too
    codes           our code of a service -> the neighbour's code; codes that are missing are the same
    shared          the allow-list: the fields that may be sent, as for a back end
    abilities       some of OWN_IDS, KEYS, UPDATES
    pushes          whether our requests are sent to the neighbour
    pulls           whether the neighbour's requests are shown here
    since           only requests from this time on are pushed
    """

    jurisdiction_id: str
    name: str
    url: str
    since: datetime
    title: str = ""
    remote_jurisdiction: str = ""
    format: str = "json"
    key_env: str = ""
    key_file: str = ""
    partner_key: int = 0
    federation_id: str = ""
    areas: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    pushes: bool = True
    pulls: bool = False

    def code_there(self, code: str) -> str:
        """The neighbour's code of one of our services."""
        return self.codes.get(code, code)

    def code_here(self, code: str) -> str:
        """Our code of one of the neighbour's services: the mapped code, else `NAME-CODE`."""
        return next((ours for ours, theirs in self.codes.items() if theirs == code), f"{self.name}-{code}")

    def id_here(self, service_request_id: str) -> str:
        """Our id of one of the neighbour's requests."""
        return f"{self.name}-{service_request_id}"


@dataclass(frozen=True, slots=True)
class RemoteService:
    """A service of a neighbour. `retired_at`: since when the neighbour does not have the service any more."""

    code: str
    name: str = ""
    group: str = ""
    type: str = ""
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """How far the requests of a neighbour have been read.

    until   when the last pull began, by our clock: the neighbour's changes up to then are known; None before the
            first pull. If the neighbour's clock is slow by more than the overlap of two pulls, a change may be seen
            only when all requests are compared
    asked   the last id that was asked for because it is not in the neighbour's list; the next pull goes on after it
    cause   why the last pull failed, or how many requests were left out and why; "" if all are shown. A pull that
            reads only changes keeps what the pull before it has left out
    """

    until: datetime | None = None
    at: datetime | None = None
    due_at: datetime | None = None
    asked: str = ""
    failures: int = 0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """How a neighbour's catalogue has changed: codes with names."""

    new: tuple[RemoteService, ...] = ()
    renamed: tuple[tuple[RemoteService, str], ...] = ()
    vanished: tuple[RemoteService, ...] = ()
    returned: tuple[RemoteService, ...] = ()

    def lines(self) -> list[str]:
        """The changes, each in one line."""
        return [
            *(f"new: {one.code} ({one.name})" for one in self.new),
            *(f"renamed: {one.code} ({before} -> {one.name})" for one, before in self.renamed),
            *(f"vanished: {one.code} ({one.name}); it is retired here" for one in self.vanished),
            *(f"is back: {one.code} ({one.name})" for one in self.returned),
        ]


def compare(known: Iterable[RemoteService], found: Iterable[RemoteService]) -> CatalogueChanges:
    """The changes between two versions of a catalogue."""
    before, now = {one.code: one for one in known}, {one.code: one for one in found}
    current = {code for code, one in before.items() if one.retired_at is None}
    return CatalogueChanges(
        new=tuple(one for code, one in now.items() if code not in before),
        renamed=tuple(
            (one, before[code].name)
            for code, one in now.items()
            if code in current and before[code].name != one.name
        ),
        vanished=tuple(one for code, one in before.items() if code in current and code not in now),
        returned=tuple(one for code, one in now.items() if code in before and code not in current),
    )
