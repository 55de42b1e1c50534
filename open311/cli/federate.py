"""`open311 federate`: neighbours, which are cities with GeoReport servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from open311.cli.group import CommandGroup
from open311.cli.output import fail, say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.clock import utc_now
from open311.domain.remotes import Remote
from open311.errors import Invalid
from open311.federation.client import GeoReportError
from open311.operations.federation.neighbours import (
    NeighbourView,
    add_neighbour,
    find_neighbour,
    list_neighbours,
    parse_territory,
    remove_neighbour,
    sync_neighbour,
    what_stops,
)
from open311.operations.federation.pulling import pull
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Jurisdiction
from schemas.values import format_instant

_MOST_REFUSALS = 20
_CITY = click.option("--jurisdiction", "jurisdiction_id", default="", help="The jurisdiction_id of your city.")


@click.group(cls=CommandGroup)
def federate() -> None:
    """Send requests to neighbouring cities with GeoReport servers, and show their requests."""


@federate.command()
@click.argument("url")
@click.option("--name", required=True, help="Your short name for the neighbour: small letters, digits and -.")
@_CITY
@click.option(
    "--remote-jurisdiction", default="", help="The neighbour's jurisdiction_id, if its server has several cities."
)
@click.option(
    "--for",
    "wanted",
    multiple=True,
    metavar="area:NAME|service:CODE",
    help="What is sent to the neighbour: requests in an area of your city, or for a service; repeatable. With areas"
    " and services, a request must be in one of the areas and for one of the services.",
)
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Your code of a service, and the neighbour's code of the same service; repeatable.",
)
@click.option(
    "--map-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Lines of OURS=THEIRS."
)
@click.option(
    "--key-env", default="", help="The environment variable with the api_key that the neighbour has given to you."
)
@click.option("--key-file", default="", help="The file with this api_key.")
@click.option("--partner-key", type=int, default=0, help="The number of the key that you gave the neighbour.")
@click.option(
    "--share",
    multiple=True,
    help="What may be sent in addition to service, place and choices, such as description.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "xml"]),
    default="json",
    show_default=True,
    help="The format to ask for.",
)
@click.option("--push/--no-push", default=True, help="Whether your requests are sent to the neighbour.")
@click.option(
    "--pull/--no-pull", default=False, help="Whether the neighbour's public requests are shown in your lists."
)
@click.option("--moved", is_flag=True, help="NAME is the same server as before, at another address.")
def add(url: str, name: str, jurisdiction_id: str, wanted: tuple[str, ...], **options: Any) -> None:
    """Inspect the server at URL, and make it a neighbour. If a neighbour has this name already, change it.

    \b
    Example:
      open311 federate add https://311.north.example/open311/v2 --name north --for "area:North Side" \\
        --key-env NORTH_KEY --partner-key 4 --map pothole=001 --share description --pull
    """
    now = utc_now()
    with command_platform() as platform:
        ensure_synced(platform)
        city = find_jurisdiction(platform, jurisdiction_id)
        areas, services = parse_territory(city, wanted)
        if options["push"] and not (areas or services):
            fail("name what goes to it with --for, or use --no-push.")
        new = Remote(
            jurisdiction_id=city.id,
            name=name,
            url=url.rstrip("/"),
            since=now,
            remote_jurisdiction=options["remote_jurisdiction"],
            format=options["form"],
            key_env=options["key_env"],
            key_file=options["key_file"],
            partner_key=options["partner_key"],
            areas=areas,
            services=services,
            codes=dict(_pairs(options["pairs"], options["map_file"])),
            shared=options["share"],
            pushes=options["push"],
            pulls=options["pull"],
        )
        before = find_neighbour(platform, city.id, name)
        try:
            found, look, changes = add_neighbour(platform, new, now=now, is_moved=options["moved"])
        except GeoReportError as error:
            fail(f"the server cannot be read: {error}")
        stopped = what_stops(platform, before, found) if before else []
    for line in look.lines:
        say(line)
    for line in (*changes.lines(), *stopped):
        say(line)
    say(f"{found.name} ({found.title}) is a neighbour of {city.id}.")


@federate.command("list")
def list_all() -> None:
    """Show all neighbours of the cities that are served, and which requests are sent to them."""
    with command_platform() as platform:
        found = list_neighbours(platform)
    say_table(_HEADINGS, map(_row, found))


@federate.command()
@click.argument("name")
@_CITY
def status(name: str, jurisdiction_id: str) -> None:
    """Show neighbour NAME with its services and its deliveries.

    \b
    Example:
      open311 federate status north --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction_id)
        found = _find(platform, city, name)
    say_table(("what", "value"), zip(_HEADINGS, _row(found), strict=True))
    for state, count in sorted(found.waiting.items()):
        say(f"deliveries {state}: {count}")
    rows = (
        (one.code, found.remote.code_here(one.code), one.name, "retired" if one.retired_at else "")
        for one in found.services
    )
    say_table(("code there", "code here", "name", ""), rows)


@federate.command()
@click.argument("name")
@_CITY
def sync(name: str, jurisdiction_id: str) -> None:
    """Read the catalogue of neighbour NAME again, and its requests if they are shown here. Say what has changed.

    \b
    Example:
      open311 federate sync north --jurisdiction city.example
    """
    with command_platform() as platform:
        ensure_synced(platform)
        city = find_jurisdiction(platform, jurisdiction_id)
        try:
            changes = sync_neighbour(platform, city.id, name, now=utc_now())
            pulls = _find(platform, city, name).remote.pulls
            pulled = pull(platform, (city.id, name), utc_now, is_whole=True) if pulls else None
        except GeoReportError as error:
            fail(f"{name} cannot be read, and all stays as it was: {error}")
    for line in changes.lines() or ["the catalogue has not changed"]:
        say(line)
    if not pulls:
        say("its requests are not shown here; `open311 federate add` with --pull changes that")
        return
    if pulled is None:
        fail("its requests are being read at this moment; `open311 federate status` shows the result.")
    say(f"requests: {pulled.new} new, {pulled.changed} changed, {pulled.withdrawn} withdrawn")
    for refusal in pulled.refused[:_MOST_REFUSALS]:
        say(f"{refusal.service_request_id or 'a record'} is left out: {refusal.reason}")
    if len(pulled.refused) > _MOST_REFUSALS:
        more = len(pulled.refused) - _MOST_REFUSALS
        say(f"{more} more are left out; `open311 federate status` shows the number of all of them under `fault`")
    if pulled.cause:
        fail(f"the requests could not be read to the end: {pulled.cause}")


@federate.command()
@click.argument("name")
@_CITY
def remove(name: str, jurisdiction_id: str) -> None:
    """Forget neighbour NAME. Requests that came from it or went to it stay, with their ids.

    \b
    Example:
      open311 federate remove north --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction_id)
        parked = remove_neighbour(platform, city.id, name, now=utc_now())
    say(f"{name} is no neighbour of {city.id} any more.")
    if parked:
        say(f"{parked} deliveries that waited for it are parked; see `open311 deliveries list --backend {name}`.")


_HEADINGS = ("city", "name", "title", "address", "for", "push", "pull", "services", "read", "fault")


def _find(platform: Platform, city: Jurisdiction, name: str) -> NeighbourView:
    """The neighbour with this name. Ends the command if there is none."""
    own = {one.remote.name: one for one in list_neighbours(platform) if one.remote.jurisdiction_id == city.id}
    if name not in own:
        fail(f"{name!r} is not a neighbour of {city.id}; `open311 federate list` shows them.")
    return own[name]


def _pairs(given: tuple[str, ...], file: Path | None) -> Iterator[tuple[str, str]]:
    """Pairs of our code of a service and the neighbour's. Raises Invalid for a pair without one of them."""
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    for text in (*lines, *given):
        if not text.strip() or text.startswith("#"):
            continue
        ours, _, theirs = (part.strip() for part in text.partition("="))
        if not ours or not theirs:
            raise Invalid(f"{text!r} must be OURS=THEIRS, two service codes.", "map")
        yield ours, theirs


def _row(one: NeighbourView) -> tuple[str, ...]:
    remote = one.remote
    territory = [f"area:{name}" for name in remote.areas] + [f"service:{code}" for code in remote.services]
    active = sum(service.retired_at is None for service in one.services)
    read_at = format_instant(one.pull.at) if one.pull.at else ""
    words = ("yes" if remote.pushes else "no", "yes" if remote.pulls else "no", str(active), read_at or "")
    place = (remote.jurisdiction_id, remote.name, remote.title, remote.url, ", ".join(territory))
    return (*place, *words, one.pull.cause)
