"""`open311 staff audit`: shows the audit trail."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

import click

from open311.cli.output import say, say_json, say_table
from open311.cli.platforms import command_platform, find_account_city
from open311.domain.access import ALL_JURISDICTIONS
from open311.errors import Invalid
from open311.operations.access.trail import Trail, read_trail
from open311.operations.desk.rendering import json_of
from open311.operations.platform import Platform
from open311.storage.audit import Entry
from schemas.values import NotAnInstant, format_instant, parse_instant

MOST = 200


@click.command()
@click.option(
    "--jurisdiction",
    default="",
    help=f"The city's jurisdiction_id, or {ALL_JURISDICTIONS} for accounts of all cities."
    " If it is not given, the acts of all cities are shown.",
)
@click.option("--account", default="", metavar="NAME", help="Only acts by this account or on it.")
@click.option("--since", default="", metavar="TIME", help="Only acts from this date or time on.")
@click.option(
    "--most",
    type=click.IntRange(1, 100_000),
    default=MOST,
    show_default=True,
    help="How many of the newest acts to show.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print all acts as JSON, one object per line; --most does not apply."
)
def audit(jurisdiction: str, account: str, since: str, most: int, as_json: bool) -> None:
    """Show the audit trail: who did what, and who read, exported or erased the data of reporters.

    It has what operators and staff did with accounts, tokens, login links, sessions, keys, blocks, links of
    reporters, notices, texts of the city, deliveries, updates of back offices, and subscriptions. The oldest act
    comes first. What staff do with requests is in the histories of the requests: see `open311 requests show`.

    \b
    Example:
      open311 staff audit --jurisdiction city.example
      open311 staff audit --account ada@city.example --since 2026-11-01 --json
    """
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction) if jurisdiction else None
        trail = read_trail(
            platform,
            jurisdiction_id=city,
            account=account,
            since=_instant(since, _zone(platform, city)) if since else None,
            most=None if as_json else most,
        )
    if as_json:
        for entry in trail.entries:
            say_json(json_of(_plain(entry, trail)))
        return
    say_table(
        ("when", "who", "act", "on", "jurisdiction", "details", "reason"),
        (_row(entry, trail) for entry in trail.entries),
    )
    if not trail.is_whole:
        say(f"Only the newest {most} acts are shown; --most and --json show more.")


def _zone(platform: Platform, city: str | None) -> tzinfo:
    """The time zone for a date that names none: the zone of the city, or of the only city; otherwise UTC."""
    cities = [one for one in platform.registry if city in (None, one.id)]
    return cities[0].zone if len(cities) == 1 else UTC


def _instant(text: str, zone: tzinfo) -> datetime:
    try:
        return parse_instant(text, zone)
    except NotAnInstant as error:
        raise Invalid(str(error), "--since") from None


def _plain(entry: Entry, trail: Trail) -> dict[str, Any]:
    return {
        "at": format_instant(entry.at),
        "actor": entry.actor,
        "actor_name": trail.names.get(entry.actor),
        "act": entry.act,
        "subject": entry.subject,
        "subject_name": trail.names.get(entry.subject),
        "jurisdiction_id": entry.jurisdiction_id,
        "details": dict(entry.details),
        "reason": entry.reason or None,
    }


def _row(entry: Entry, trail: Trail) -> list[str]:
    return [
        format_instant(entry.at),
        _named(entry.actor, trail),
        entry.act,
        _named(entry.subject, trail),
        entry.jurisdiction_id,
        "; ".join(f"{name}: {_in_words(value, name)}" for name, value in entry.details.items()),
        entry.reason,
    ]


def _named(actor: str, trail: Trail) -> str:
    name = trail.names.get(actor)
    return f"{name} ({actor})" if name else actor


def _in_words(value: Any, name: str) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(one, name)}" for name, one in value.items())
    if isinstance(value, list):
        # An account without a list of departments has all of them.
        return ", ".join(map(str, value)) or ("all" if name == "departments" else "none")
    return str(value)
