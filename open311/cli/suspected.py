"""`open311 requests drop`, `release-update` and `drop-update`: decide about what looks like abuse."""

from __future__ import annotations

from typing import Any

import click

from open311.cli.output import say
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.cli.staff_view import name_of
from open311.clock import utc_now
from open311.operations.desk import suspected as operations

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_REASON = click.option("--reason", required=True, help="Why you decide so; staff read it in the history.")
_REQUEST = click.argument("request")
_UPDATE = click.argument("version")


@click.command("drop")
@_REQUEST
@_JURISDICTION
@_REASON
def drop_report(request: str, jurisdiction: str, reason: str) -> None:
    """Hide and close REQUEST, which is held because it looks like abuse. Both are one change.

    REQUEST is a service_request_id, a token, a number or an id in another system. `open311 requests list
    --suspected` lists what waits. `open311 requests release` lets the public see a request that is no abuse.

    \b
    Example:
      open311 requests drop 2026-0000042 --reason "It is an advertisement."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        record = operations.drop_report(
            platform, city, request, reason=reason, principal=shell_user(), now=utc_now()
        )
    say(f"{name_of(record)} is dropped: hidden and closed.")


@click.command("release-update")
@_REQUEST
@_UPDATE
@_JURISDICTION
@_REASON
def release_update(request: str, version: str, **options: Any) -> None:
    """Let a held update of REQUEST count as a comment.

    VERSION is that of the entry held_comment in the history (`open311 requests show REQUEST --json`). The status of
    the update has no effect, and only staff see its photos, as before.

    \b
    Example:
      open311 requests release-update 2026-0000042 7 --reason "The school wrote this."
    """
    _decide(operations.release_update, request, version, **options)
    say(f"The update of version {version} counts as a comment now.")


@click.command("drop-update")
@_REQUEST
@_UPDATE
@_JURISDICTION
@_REASON
def drop_update(request: str, version: str, **options: Any) -> None:
    """Ignore a held update of REQUEST permanently, and erase its text.

    VERSION is that of the entry held_comment in the history (`open311 requests show REQUEST --json`).

    \b
    Example:
      open311 requests drop-update 2026-0000042 7 --reason "It is an advertisement."
    """
    _decide(operations.drop_update, request, version, **options)
    say(f"The update of version {version} is dropped.")


def _decide(decide: Any, request: str, version: str, *, jurisdiction: str, reason: str) -> None:
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        decide(platform, city, request, version, reason=reason, principal=shell_user(), now=utc_now())
