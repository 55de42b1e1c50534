"""Add and remove neighbours of a city, and compare their catalogues with the stored ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.access import ALL_JURISDICTIONS
from open311.domain.case import SHAREABLE
from open311.domain.deliveries import NEIGHBOUR_REMOVED
from open311.domain.remotes import CatalogueChanges, PullState, Remote, RemoteService, compare
from open311.errors import Invalid, NotFound
from open311.operations.federation.joining import join_remotes
from open311.operations.federation.looking import Look, look_over, open_client, read_services
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.plugins.backends import NAME
from open311.storage import deliveries, keys, origins, remotes
from open311.storage.engine import Connection
from open311.storage.hot.transactions import within


@dataclass(frozen=True, slots=True)
class NeighbourView:
    """A neighbour, its catalogue, the state of its pulls, and the numbers of deliveries that have not ended."""

    remote: Remote
    services: Sequence[RemoteService]
    pull: PullState
    waiting: Mapping[str, int]


def parse_territory(city: Jurisdiction, wanted: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The areas and services of `area:NAME` and `service:CODE`. Raises Invalid for what the city does not have."""
    areas, services = [], []
    for text in wanted:
        kind, _, name = text.partition(":")
        if kind == "area" and name in city.areas:
            areas.append(name)
        elif kind == "service" and (service := city.service(name)):
            services.append(service.code)
        else:
            known = ", ".join([*(f"area:{one}" for one in list(city.areas)[:12]), "service:CODE"])
            raise Invalid(f"{text!r} is no area or service of {city.id}; use some of {known}.", "for")
    return tuple(dict.fromkeys(areas)), tuple(dict.fromkeys(services))


def add_neighbour(
    platform: Platform, new: Remote, *, now: datetime, is_moved: bool = False
) -> tuple[Remote, Look, CatalogueChanges]:
    """Inspect a server, and make it a neighbour of the city, or change the neighbour that has this name.

    A neighbour to which requests are sent already keeps its cut-over, so that no request is left out.

    is_moved  whether the operator says that the name belongs to this server, and only the server's address is new

    Raises Invalid if the server cannot be a neighbour, GeoReportError if the server cannot be read.
    """
    city = platform.registry.find(new.jurisdiction_id)
    with platform.database.transaction() as connection:
        is_known = remotes.load(connection, (new.jurisdiction_id, new.name)) is not None
        _require_partner_key(connection, new)
    _require_fit(city, new, is_known=is_known)
    with open_client(new, proxy=platform.settings.proxy) as client:
        look = look_over(client)
    with platform.database.transaction() as connection:
        _require_other(connection, city, look)
        known = remotes.load(connection, (new.jurisdiction_id, new.name))
        _require_name(connection, new, look, is_moved=is_moved)
        found = replace(
            new,
            since=known.since if known and known.pushes else new.since,
            title=new.title or look.title or new.name,
            federation_id=look.federation_id,
            abilities=look.abilities,
        )
        remotes.save(connection, found, now)
        changes = _store_catalogue(connection, found, look.services, now)
        _require_mapped(city, found, look.services)
        join_remotes(platform, connection)
    return found, look, changes


def find_neighbour(platform: Platform, jurisdiction_id: str, name: str) -> Remote | None:
    """The neighbour with this name; None if there is none."""
    with platform.database.transaction() as connection:
        return remotes.load(connection, (jurisdiction_id, name))


def what_stops(platform: Platform, before: Remote, after: Remote) -> list[str]:
    """What no longer works after a change of a neighbour, as sentences with numbers."""
    key = (after.jurisdiction_id, after.name)
    with platform.database.reading() as connection:
        copies = len(remotes.copies(connection, key))
        waiting = sum(deliveries.count_open(connection).get(key, {}).values())
    lines = []
    if before.pulls and not after.pulls:
        lines.append(f"copies of its requests that stay here and are not changed any more: {copies}")
    elif before.federation_id != after.federation_id:
        gone = "those that the new address does not have are withdrawn"
        lines.append(f"copies of requests from the former address: {copies}; {gone}")
    if before.pushes and not after.pushes:
        lines.append(f"deliveries to it that are not sent any more: {waiting}")
    return lines


def sync_neighbour(platform: Platform, jurisdiction_id: str, name: str, *, now: datetime) -> CatalogueChanges:
    """Read the catalogue of a neighbour again.

    Raises NotFound, Misconfigured if our key for the neighbour is missing, GeoReportError if the catalogue cannot
    be read, and Invalid if it is empty.
    """
    with platform.database.transaction() as connection:
        one = _require(connection, jurisdiction_id, name)
    with open_client(one, proxy=platform.settings.proxy) as client:
        services = read_services(client)
    if not services:
        raise Invalid("has no services now; the catalogue that is stored stays.", name)
    with platform.database.transaction() as connection:
        changes = _store_catalogue(connection, one, services, now)
        join_remotes(platform, connection)
    return changes


def remove_neighbour(platform: Platform, jurisdiction_id: str, name: str, *, now: datetime) -> int:
    """Delete a neighbour, and park the deliveries that wait for it. Returns their number. Raises NotFound.

    The requests that were pulled from it or sent to it stay.
    """
    key = (jurisdiction_id, name)
    with platform.database.transaction() as connection:
        _require(connection, jurisdiction_id, name)
        remotes.remove(connection, key)
        join_remotes(platform, connection)
        return deliveries.park_all(connection, key, NEIGHBOUR_REMOVED, now)


def list_neighbours(platform: Platform, jurisdiction_id: str | None = None) -> list[NeighbourView]:
    """All neighbours of the cities that are served. With `jurisdiction_id`, only those of one city."""
    with platform.database.reading() as connection:
        return [
            _view(connection, one)
            for one in remotes.load_all(connection)
            if platform.registry.get(one.jurisdiction_id) is not None
            and jurisdiction_id in (None, one.jurisdiction_id)
        ]


def _view(connection: Connection, one: Remote) -> NeighbourView:
    key = (one.jurisdiction_id, one.name)
    waiting = deliveries.count_open(connection).get(key, {})
    return NeighbourView(one, remotes.load_services(connection, key), remotes.load_pull(connection, key), waiting)


def _require(connection: Connection, jurisdiction_id: str, name: str) -> Remote:
    one = remotes.load(connection, (jurisdiction_id, name))
    if one is None:
        raise NotFound(f"{name!r} is not a neighbour of {jurisdiction_id}; `open311 federate list` shows them.")
    return one


def _require_fit(city: Jurisdiction, new: Remote, *, is_known: bool) -> None:
    """Raise Invalid if the city cannot have such a neighbour."""
    if not NAME.fullmatch(new.name):
        raise Invalid("must have small letters, digits and - only, at most 40.", "name")
    if not is_known and city.backend(new.name) is not None:
        raise Invalid(f"{new.name} is the name of a back end of {city.id}; choose another one.", "name")
    for name in new.shared:
        if name not in SHAREABLE:
            raise Invalid(f"holds {name!r}; use some of {', '.join(SHAREABLE)}.", "share")
    for ours in new.codes:
        if city.service(ours) is None:
            raise Invalid(f"{ours!r} is no service of {city.id}.", "map")
    if new.pushes and not (new.key_env or new.key_file):
        raise Invalid(
            "is missing: to send requests to the neighbour, say where the key is that the neighbour gave you"
            " (--key-env or --key-file), or use --no-push.",
            "key-env",
        )


def _require_partner_key(connection: Connection, new: Remote) -> None:
    """Raise Invalid if the key that we gave the neighbour is not a valid key of the city."""
    if not new.partner_key:
        return
    wanted = (ALL_JURISDICTIONS, new.jurisdiction_id)
    valid = {one.id for one in keys.list_keys(connection) if not one.revoked_at and one.jurisdiction_id in wanted}
    if new.partner_key not in valid:
        fault = f"{new.partner_key} is no valid key of {new.jurisdiction_id}; see `open311 keys list`."
        raise Invalid(fault, "partner-key")


def _require_other(connection: Connection, city: Jurisdiction, look: Look) -> None:
    """Raise Invalid if the server is the city itself."""
    if look.federation_id == origins.federation_id(within(connection), city.id):
        raise Invalid(f"is {city.id} itself; a city cannot federate with itself.", "url")


def _require_name(connection: Connection, new: Remote, look: Look, *, is_moved: bool) -> None:
    """Raise Invalid if the name belongs to another server, or the server has another name."""
    for one in remotes.load_all(connection):
        is_same = one.jurisdiction_id == new.jurisdiction_id and one.federation_id == look.federation_id
        if is_same and one.name != new.name:
            raise Invalid(f"is that of {one.name}, which is a neighbour already; change that one.", "url")
    if not remotes.bind_name(connection, (new.jurisdiction_id, new.name), look.federation_id, is_moved=is_moved):
        fault = (
            f"{new.name} belongs to another server, in which our requests have ids. Choose another name."
            " If it is the same server at another address, use --moved."
        )
        raise Invalid(fault, "name")


def _require_mapped(city: Jurisdiction, one: Remote, services: Sequence[RemoteService]) -> None:
    """Raise Invalid if the neighbour lacks a service that the options name, or a service for our requests."""
    offered = {service.code for service in services}
    wanted = [*one.codes, *one.services]
    missing = [code for code in dict.fromkeys(wanted) if one.code_there(code) not in offered]
    if missing:
        theirs = ", ".join(sorted(offered)[:12]) or "no services"
        raise Invalid(f"the neighbour has no service for {', '.join(missing)}; it has {theirs}. Use --map.", "map")
    if one.pushes and not any(one.code_there(service.code) in offered for service in city.services):
        raise Invalid("none of its codes is one of ours; map them with --map OURS=THEIRS.", "map")


def _store_catalogue(
    connection: Connection, one: Remote, services: Sequence[RemoteService], now: datetime
) -> CatalogueChanges:
    key = (one.jurisdiction_id, one.name)
    changes = compare(remotes.load_services(connection, key), services)
    remotes.save_services(connection, key, services, now)
    return changes
