"""`open311 subscriptions`: who is told of changes by webhooks."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import chosen_cities, command_platform
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.operations.subscriptions import overseeing
from open311.operations.subscriptions.managing import notice_of
from open311.storage.webhooks import Owned
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def subscriptions() -> None:
    """See who is told of changes by webhooks, and stop receivers that make trouble."""


@subscriptions.command("list")
@click.option("--jurisdiction", help="Only this city's subscriptions, by its jurisdiction_id.")
@click.option("--after", default="", help="Only those after this subscription, for the next page.")
@click.option(
    "--most",
    type=click.IntRange(1, 1_000),
    default=200,
    show_default=True,
    help="How many subscriptions are shown.",
)
def list_command(jurisdiction: str | None, after: str, most: int) -> None:
    """Show subscriptions: their keys and receivers, what waits for them, and what is wrong.

    \b
    Example:
      open311 subscriptions list --jurisdiction city.example
    """
    with command_platform() as platform:
        cities = chosen_cities(platform, jurisdiction)
        found = overseeing.list_all(platform, [city.id for city in cities], rows=most + 1, after=after)
    heads = (
        "subscription",
        "jurisdiction",
        "key",
        "state",
        "receiver",
        "waiting",
        "sent",
        "failing since",
        "notice",
    )
    say_table(heads, map(_row, found[:most]))
    if len(found) > most:
        say(f"--after {found[most - 1].subscription.name} shows the next page.")


_SUBSCRIPTION = click.argument("subscription")
_REASON = click.option("--reason", required=True, help="Why; kept in the audit trail.")


@subscriptions.command()
@_SUBSCRIPTION
@_REASON
def disable(subscription: str, reason: str) -> None:
    """Stop SUBSCRIPTION. If its owner resumes it, its receiver is told what it has missed.

    \b
    Example:
      open311 subscriptions disable sub_5f0c6ad2b1e84c17a9d3e2f4 --reason "It is too slow."
    """
    with command_platform() as platform:
        overseeing.disable_one(platform, subscription, reason=reason, principal=shell_user(), now=utc_now())
    say(f"Subscription {subscription} is disabled.")


@subscriptions.command()
@_SUBSCRIPTION
@_REASON
def resume(subscription: str, reason: str) -> None:
    """Send to SUBSCRIPTION again, at once. Its receiver is told what it has missed.

    \b
    Example:
      open311 subscriptions resume sub_5f0c6ad2b1e84c17a9d3e2f4 --reason "The receiver works again."
    """
    with command_platform() as platform:
        overseeing.resume_one(platform, subscription, reason=reason, principal=shell_user(), now=utc_now())
    say(f"Webhooks are sent to subscription {subscription} again.")


@subscriptions.command()
@_SUBSCRIPTION
@_REASON
def delete(subscription: str, reason: str) -> None:
    """Delete SUBSCRIPTION with all that is stored for it.

    \b
    Example:
      open311 subscriptions delete sub_5f0c6ad2b1e84c17a9d3e2f4 --reason "The app is gone."
    """
    with command_platform() as platform:
        overseeing.delete_one(platform, subscription, reason=reason, principal=shell_user(), now=utc_now())
    say(f"Subscription {subscription} is deleted.")


def _row(owned: Owned) -> list[str]:
    """The address is shown without path and query, because they may be secret."""
    subscription, webhook = owned.subscription, owned.webhook
    url = urlsplit(webhook.url)
    return [
        subscription.name,
        subscription.jurisdiction_id,
        str(subscription.owner),
        str(subscription.state),
        f"{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}",
        str(owned.waiting),
        str(webhook.sent),
        format_instant(webhook.failing_since) if webhook.failing_since else "",
        notice_of(owned),
    ]
