"""`open311 keys`: creates and revokes api_keys."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import fail, say, say_table
from open311.cli.platforms import command_platform
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS
from open311.operations.access.api_keys import (
    add_key,
    list_keys,
    resume_key,
    revoke_key,
    set_notice,
    suspend_key,
)
from open311.storage.keys import ApiKey
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def keys() -> None:
    """Give api_keys to apps that send requests, suspend and revoke them, and write notices to an app's users."""


@keys.command()
@click.option("--label", required=True, help="Who the key is for, such as the app's name.")
@click.option(
    "--jurisdiction", default=ALL_JURISDICTIONS, help="A jurisdiction_id; without it, the key is valid for all."
)
@click.option("--contact", default="", help="How to reach the owner of the key.")
@click.option(
    "--test", "is_test", is_flag=True, help="Requests are accepted, but never routed, and in no public list."
)
@click.option("--updates", "may_update", is_flag=True, help="Updates with the key count as the city's own.")
@click.option(
    "--staff", "is_for_staff", is_flag=True, help="For the city's own apps: services for staff are open to the key."
)
@click.option(
    "--thing",
    "things",
    multiple=True,
    help="The id of a thing of [[sensors]] in jurisdiction.toml: the key may only send observations of such things."
    " Can be given several times.",
)
def add(
    label: str,
    jurisdiction: str,
    contact: str,
    is_test: bool,
    may_update: bool,
    is_for_staff: bool,
    things: tuple[str, ...],
) -> None:
    """Make a key and show it. It cannot be shown again, because only a digest of the key is stored.

    \b
    Example:
      open311 keys add --label "FixIt app" --contact dev@fixit.example
      open311 keys add --label "FixIt, trying out" --test --jurisdiction city.example
      open311 keys add --label "Gauges" --thing elm-underpass --jurisdiction city.example
    """
    with command_platform() as platform:
        number, secret = add_key(
            platform,
            label=label,
            jurisdiction_id=jurisdiction,
            contact=contact,
            is_test=is_test,
            may_update=may_update,
            is_for_staff=is_for_staff,
            things=things,
            principal=shell_user(),
            now=utc_now(),
        )
        place = platform.database.place
    say(f"Key {number} for {label}, in the database {place}. It is not shown again:")
    say(secret)


@keys.command("list")
def list_all() -> None:
    """Show all keys, without their secrets."""
    with command_platform() as platform:
        found = list_keys(platform)
    say_table(
        ("number", "label", "jurisdiction", "kind", "contact", "made", "revoked", "suspended", "notice"),
        map(_row, found),
    )


@keys.command()
@click.argument("number", type=int)
def revoke(number: int) -> None:
    """Revoke key NUMBER. From then on, it gets 403 from calls that need a key.

    \b
    Example:
      open311 keys list
      open311 keys revoke 3
    """
    with command_platform() as platform:
        if not revoke_key(platform, number, principal=shell_user(), now=utc_now()):
            fail(f"there is no valid key {number}; see `open311 keys list`.")
    say(f"Key {number} is revoked.")


@keys.command()
@click.argument("number", type=int)
@click.argument("text", default="")
def notice(number: int, text: str) -> None:
    """Tell the users of the app with key NUMBER something, such as that they should update it.

    The answer to each report has TEXT in service_notice and in a Warning. Without TEXT, the notice is removed.

    \b
    Example:
      open311 keys notice 3 "Please update the app: this version sends no photos."
      open311 keys notice 3
    """
    with command_platform() as platform:
        if not set_notice(platform, number, text, principal=shell_user(), now=utc_now()):
            fail(f"there is no valid key {number}; see `open311 keys list`.")
    say(f"The users of key {number} are told: {text.strip()}" if text.strip() else f"Key {number} has no notice.")


@keys.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="What the callers are told.")
def suspend(number: int, reason: str) -> None:
    """Refuse key NUMBER for now: calls that need a key get 403 with the reason, at once and in all processes.

    \b
    Example:
      open311 keys suspend 3 --reason "This version of the app sends each report twice; please update it."
    """
    with command_platform() as platform:
        if not suspend_key(platform, number, reason, principal=shell_user(), now=utc_now()):
            fail(f"there is no valid key {number}; see `open311 keys list`.")
    say(f"Key {number} is suspended; `open311 keys resume {number}` ends it.")


@keys.command()
@click.argument("number", type=int)
def resume(number: int) -> None:
    """Accept calls with the suspended key NUMBER again.

    \b
    Example:
      open311 keys resume 3
    """
    with command_platform() as platform:
        if not resume_key(platform, number, principal=shell_user(), now=utc_now()):
            fail(f"there is no valid key {number}; see `open311 keys list`.")
    say(f"Key {number} is accepted.")


def _row(key: ApiKey) -> list[str]:
    rights = {"updates": key.may_update, "staff": key.is_for_staff}
    kind = ["test" if key.is_test else "real", *(name for name, is_given in rights.items() if is_given)]
    if key.things:
        kind = ["things:", *key.things]
    return [
        str(key.id),
        key.label,
        "all" if key.jurisdiction_id == ALL_JURISDICTIONS else key.jurisdiction_id,
        " ".join(kind),
        key.contact,
        format_instant(key.created_at),
        format_instant(key.revoked_at) if key.revoked_at else "",
        key.suspended_for,
        key.notice,
    ]
