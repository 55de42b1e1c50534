"""`open311 deliveries updates`: updates of back offices that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from open311.cli.group import CommandGroup
from open311.cli.output import fail, say, say_json, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.remote_updates import StoredUpdate
from open311.operations.delivery import quarantine
from open311.operations.desk.rendering import json_of
from schemas.values import format_instant

MOST = 500


@click.group(cls=CommandGroup)
def updates() -> None:
    """See and steer updates of back offices that the server could not apply."""


_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_REASON = click.option("--reason", required=True, help="Why you decide so; kept in the audit trail.")
_UPDATES = click.argument("update", nargs=-1, required=True, type=click.IntRange(1, 10**18))


@updates.command("list")
@_JURISDICTION
@click.option("--backend", default="", help="Only updates of this back end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(jurisdiction: str, backend: str, as_json: bool) -> None:
    """List the updates that wait for a person: the oldest 500, oldest first.

    \b
    Example:
      open311 deliveries updates list --backend works
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        found = quarantine.list_quarantined(platform, city, backend=backend, most=MOST + 1)
    shown = found[:MOST]
    if as_json:
        say_json(json_of({"updates": [asdict(one) for one in shown]}, is_indented=True))
    else:
        say_table(("update", "back end", "request there", "status", "came", "why it waits"), map(_row, shown))
    if len(found) > MOST:
        say(f"More than {MOST} updates wait; these are the oldest.")


@updates.command()
@_UPDATES
@_JURISDICTION
@_REASON
def retry(update: tuple[int, ...], jurisdiction: str, reason: str) -> None:
    """Let the worker apply each UPDATE again, for example after a change of the table `statuses`.

    \b
    Example:
      open311 deliveries updates retry 12 --reason "The word is in statuses now."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        done = quarantine.retry_quarantined(
            platform, city, update, principal=shell_user(), now=utc_now(), reason=reason
        )
    _tell(update, done, "is tried again")


@updates.command()
@_UPDATES
@_JURISDICTION
@_REASON
def drop(update: tuple[int, ...], jurisdiction: str, reason: str) -> None:
    """Ignore each UPDATE permanently, and erase its text.

    \b
    Example:
      open311 deliveries updates drop 12 --reason "It belongs to another city."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        done = quarantine.drop_quarantined(
            platform, city, update, principal=shell_user(), now=utc_now(), reason=reason
        )
    _tell(update, done, "is dropped")


def _row(one: StoredUpdate) -> tuple[str, ...]:
    came = format_instant(one.received_at)
    return str(one.id), one.backend, one.remote_id or one.reference or "-", one.status or "-", came, one.cause


def _tell(asked: Sequence[int], done: Sequence[StoredUpdate], what: str) -> None:
    """Say what has changed. Exits with 1 if one of the updates does not wait for a person, or cannot be read."""
    for one in done:
        say(f"Update {one.id} {what}.")
    left = sorted(set(asked) - {one.id for one in done})
    if left:
        fail(f"not changed, because they do not wait or cannot be read: {', '.join(map(str, left))}.")
