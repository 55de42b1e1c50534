"""`open311 blocks`: the senders whose reports are held."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_account_city
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.abuse import Block, BlockKind
from open311.domain.access import ALL_JURISDICTIONS
from open311.operations.access import blocks as operations
from open311.operations.access.blocks import USUAL_DAYS, BlockOrder
from schemas.values import format_instant

SHOWN_DIGITS = 12


@click.group(cls=CommandGroup)
def blocks() -> None:
    """Hold the reports of senders who abuse the server, until a person has looked at the reports."""


_JURISDICTION = click.option(
    "--jurisdiction",
    default="",
    help=f"The city's jurisdiction_id, or {ALL_JURISDICTIONS} for all. Not needed if only one city is served.",
)


@blocks.command()
@click.argument("kind", metavar="KIND", type=click.Choice([str(kind) for kind in BlockKind]))
@click.argument("value")
@click.option("--reason", required=True, help="Why; staff read it in the history of each held report.")
@click.option(
    "--days",
    type=int,
    default=USUAL_DAYS,
    show_default=True,
    help="After how many days the block ends; 0: never.",
)
@_JURISDICTION
def add(kind: str, value: str, reason: str, days: int, jurisdiction: str) -> None:
    """Hold the reports of a sender: KIND is key, address, device or email.

    VALUE is the number of a key, a network address or a range of addresses, a device_id, or an e-mail address. A
    range has at most a /16 of IPv4 or a /32 of IPv6. The sender gets the usual answers. Devices and e-mail
    addresses are stored as digests only.

    \b
    Example:
      open311 blocks add address 203.0.113.0/24 --reason "Spam wave of 3 March." --days 7
      open311 blocks add address 2001:db8:7::/48 --reason "The same spammer."
      open311 blocks add email spam@mail.example --reason "Insults." --jurisdiction city.example
    """
    with command_platform() as platform:
        order = BlockOrder(
            kind=BlockKind(kind),
            value=value,
            reason=reason,
            days=days,
            jurisdiction_id=find_account_city(platform, jurisdiction),
        )
        added = operations.add_block(platform, order, principal=shell_user(), now=utc_now())
    who = f"this {added.kind}" if added.kind.is_hashed else f"{added.kind} {added.value}"
    say(f"Block {added.id}: reports of {who} are held {_until(added)}.")


@blocks.command("list")
@_JURISDICTION
def list_all(jurisdiction: str) -> None:
    """Show the blocks of a city, and those that are for all cities. Digests are cut."""
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction)
        found = operations.list_blocks(platform, city, principal=shell_user())
    say_table(("number", "kind", "value", "jurisdiction", "made", "ends", "by", "reason"), map(_row, found))


@blocks.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", required=True, help="Why; kept in the audit trail.")
def remove(number: int, reason: str) -> None:
    """Remove block NUMBER. Reports that are held already stay held until a person releases them.

    \b
    Example:
      open311 blocks list
      open311 blocks remove 7 --reason "The wave is over."
    """
    with command_platform() as platform:
        operations.remove_block(platform, number, reason=reason, principal=shell_user(), now=utc_now())
    say(f"Block {number} is removed.")


def _row(block: Block) -> list[str]:
    return [
        str(block.id),
        block.kind,
        f"{block.value[:SHOWN_DIGITS]}…" if block.kind.is_hashed else block.value,
        "all" if block.jurisdiction_id == ALL_JURISDICTIONS else block.jurisdiction_id,
        format_instant(block.created_at),
        format_instant(block.expires_at) if block.expires_at else "",
        block.actor,
        block.reason,
    ]


def _until(block: Block) -> str:
    return f"until {format_instant(block.expires_at)}" if block.expires_at else "without end"
