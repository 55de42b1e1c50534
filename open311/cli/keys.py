"""`open311 keys`: creates and revokes api_keys."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import fail, say, say_table
from open311.cli.platforms import command_platform
from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS
from open311.operations.access.api_keys import add_key, list_keys, revoke_key
from open311.storage.keys import ApiKey
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def keys() -> None:
    """Give api_keys to apps that send requests, and revoke them."""


@keys.command()
@click.option("--label", required=True, help="Who the key is for, such as the app's name.")
@click.option(
    "--jurisdiction", default=ALL_JURISDICTIONS, help="A jurisdiction_id; without it, the key is valid for all."
)
@click.option("--contact", default="", help="How to reach the owner of the key.")
@click.option("--test", "is_test", is_flag=True, help="Requests are accepted, but never routed or listed.")
@click.option("--updates", "may_update", is_flag=True, help="Updates with the key count as the city's own.")
@click.option(
    "--staff", "is_for_staff", is_flag=True, help="For the city's own apps: services for staff are open to the key."
)
def add(label: str, jurisdiction: str, contact: str, is_test: bool, may_update: bool, is_for_staff: bool) -> None:
    """Make a key and show it. It cannot be shown again, because only a digest of the key is stored.

    \b
    Example:
      open311 keys add --label "FixIt app" --contact dev@fixit.example
      open311 keys add --label "FixIt, trying out" --test --jurisdiction city.example
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
    say_table(("number", "label", "jurisdiction", "kind", "contact", "made", "revoked"), map(_row, found))


@keys.command()
@click.argument("number", type=int)
def revoke(number: int) -> None:
    """Revoke key NUMBER. From then on, calls with this key get 403.

    \b
    Example:
      open311 keys list
      open311 keys revoke 3
    """
    with command_platform() as platform:
        if not revoke_key(platform, number, now=utc_now()):
            fail(f"there is no valid key {number}; see `open311 keys list`.")
    say(f"Key {number} is revoked.")


def _row(key: ApiKey) -> list[str]:
    return [
        str(key.id),
        key.label,
        "all" if key.jurisdiction_id == ALL_JURISDICTIONS else key.jurisdiction_id,
        " ".join(["test" if key.is_test else "real", *(["staff"] if key.is_for_staff else [])]),
        key.contact,
        format_instant(key.created_at),
        format_instant(key.revoked_at) if key.revoked_at else "",
    ]
