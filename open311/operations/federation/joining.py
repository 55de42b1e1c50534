"""Add the neighbours of a city to its back ends, after the back ends that the city's files declare.

Neighbours are rows, which can change while processes run. So a process reads them again before work that needs
them, and renews the city in its registry if they have changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock

from open311.domain.remotes import KEYS, OWN_IDS, UPDATES, Remote
from open311.federation.backends.open311 import Open311Config
from open311.operations.platform import Platform
from open311.plugins import Destination, Jurisdiction, Secret
from open311.plugins.registry import Layer
from open311.storage import remotes
from open311.storage.engine import Connection
from open311.storage.remotes import Key

DEADLINE_S = 30


@dataclass
class Joined:
    """The neighbours that a process has added to its cities."""

    remotes: dict[Key, Remote] = field(default_factory=dict)
    codes: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def of_city(self, jurisdiction_id: str) -> list[Remote]:
        """The neighbours of a city."""
        return [one for one in self.remotes.values() if one.jurisdiction_id == jurisdiction_id]


def join_remotes(platform: Platform, connection: Connection) -> Joined:
    """Read the neighbours. If any neighbour has changed, renew all cities that have neighbours or had some."""
    joined = platform.process.cached(_joined)(platform)
    found = {(one.jurisdiction_id, one.name): one for one in remotes.load_all(connection)}
    codes = remotes.load_codes(connection) if found else {}
    with joined.lock:
        if (found, codes) == (joined.remotes, joined.codes):
            return joined
        cities = {key[0] for key in (*found, *joined.remotes)}
        joined.remotes, joined.codes = found, codes
        for jurisdiction_id in cities:
            if jurisdiction_id in platform.registry.jurisdictions:
                change = partial(_with_remotes, joined=joined)
                platform.registry.add_layer(jurisdiction_id, Layer.NEIGHBOURS, change)
    return joined


def with_neighbours(platform: Platform, city: Jurisdiction) -> Jurisdiction:
    """The city as it is now, with its neighbours among its back ends."""
    with platform.database.reading() as connection:
        join_remotes(platform, connection)
    return platform.registry.find(city.id)


def _joined(_: Platform) -> Joined:
    return Joined()


def _with_remotes(city: Jurisdiction, joined: Joined) -> Jurisdiction:
    """The city, with back ends and destinations for the neighbours that get requests, after those of its files."""
    own = [one for one in joined.of_city(city.id) if one.pushes]
    destinations = (
        destination
        for one in own
        for destination in destinations_of(one, city, joined.codes.get((city.id, one.name), frozenset()))
    )
    return replace(
        city,
        backends=(*city.backends, *map(config_of, own)),
        destinations=(*city.destinations, *destinations),
    )


def config_of(one: Remote) -> Open311Config:
    """A neighbour as a back end."""
    return Open311Config(
        name=one.name,
        kind="open311",
        shared=one.shared,
        since=one.since,
        deadline_s=DEADLINE_S,
        sends_updates=UPDATES in one.abilities,
        url=one.url,
        jurisdiction=one.remote_jurisdiction,
        api_key=Secret(env=one.key_env, file=one.key_file),
        format="xml" if one.format == "xml" else "json",
        service_codes=one.codes,
        reference_name="service_request_id_ext" if OWN_IDS in one.abilities else "",
        looks_up=OWN_IDS in one.abilities,
        honours_keys=KEYS in one.abilities,
        takes_updates=UPDATES in one.abilities,
    )


def destinations_of(one: Remote, city: Jurisdiction, codes: Iterable[str]) -> Iterator[Destination]:
    """The destinations for a neighbour: the services that the neighbour has too, in its territory."""
    offered = frozenset(codes)
    for code in one.services or [service.code for service in city.services]:
        if one.code_there(code) in offered:
            for area in one.areas or ("",):
                yield Destination(backends=(one.name,), service=code, area=area)
