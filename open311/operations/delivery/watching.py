"""The state of all back offices, for health checks, metrics and notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from open311.domain.deliveries import STOPPED, Circuit
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.storage import deliveries
from open311.storage.deliveries import Place
from open311.storage.engine import Connection

LATE = timedelta(minutes=5)
"""How long a due delivery may wait for a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The state of one back office.

    place        its city and its name
    states       how many deliveries have not ended, by state
    quarantined  how many of its updates wait for a person
    oldest_s     the age of the oldest delivery that is on its way, in seconds; 0 for none
    is_late      whether a worker should have tried a delivery long ago, and the back office is not down
    delivered    how many deliveries the back office has accepted, ever. The last seconds may be missing
    is_gone      whether the city has no such back end any more, so that nothing is sent there
    """

    place: Place
    states: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    circuit: Circuit = field(default_factory=Circuit)
    oldest_s: float = 0.0
    is_late: bool = False
    delivered: int = 0
    is_gone: bool = False

    @property
    def stopped(self) -> dict[str, int]:
        """What waits for a person, by its kind."""
        found = {state.value: self.states.get(state.value, 0) for state in STOPPED}
        return {name: count for name, count in (found | {"quarantined": self.quarantined}).items() if count}

    @property
    def moving(self) -> int:
        """How many deliveries are on their way."""
        return sum(count for state, count in self.states.items() if state not in STOPPED)


def watch_backends(connection: Connection, platform: Platform, now: datetime) -> list[Watched]:
    """The state of each back end, and of former back ends with deliveries or updates that have not ended."""
    join_remotes(platform, connection)
    registry = platform.registry
    states, quarantined = deliveries.count_open(connection), deliveries.count_quarantined(connection)
    circuits, delivered = deliveries.circuits(connection), deliveries.delivered(connection)
    declared = [(city.id, config.name) for city in registry for config in city.backends]
    left = [place for place in (*states, *quarantined) if registry.get(place[0]) is not None]
    watched = (
        _watched(connection, place, states.get(place, {}), quarantined.get(place, 0), circuits.get(place), now)
        for place in dict.fromkeys((*declared, *sorted(left)))
    )
    found = [replace(one, delivered=delivered.get(one.place, 0)) for one in watched]
    return [one if one.place in declared else replace(one, is_gone=True, is_late=False) for one in found]


def _watched(
    connection: Connection,
    place: Place,
    states: Mapping[str, int],
    quarantined: int,
    circuit: Circuit | None,
    now: datetime,
) -> Watched:
    is_idle = not any(state not in STOPPED for state in states)
    oldest = None if is_idle else deliveries.oldest_at(connection, place)
    works = circuit is None or not circuit.failures
    return Watched(
        place=place,
        states=states,
        quarantined=quarantined,
        circuit=circuit or Circuit(),
        oldest_s=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        is_late=not is_idle and works and deliveries.is_late(connection, place, now - LATE),
    )
