"""`open311 staff`: accounts of staff, their tokens and login links."""

from __future__ import annotations

from collections.abc import Iterator

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform
from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS, SHELL, STAFF, Role
from open311.operations.access import staff as accounts
from open311.operations.access.staff import OVERLAP, TOKEN_DAYS, Issued
from open311.operations.platform import Platform
from open311.storage.accounts import Account, Secret, SecretKind
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def staff() -> None:
    """Add accounts of staff, and give them tokens."""


_JURISDICTION = click.option(
    "--jurisdiction",
    default="",
    help=f"The city's jurisdiction_id, or {ALL_JURISDICTIONS} for all. Not needed if only one city is served.",
)
_DAYS = click.option(
    "--days", type=int, default=TOKEN_DAYS, show_default=True, help="After how many days the token expires."
)


@staff.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice([str(role) for role in STAFF]), required=True, help="What the account may do."
)
@click.option("--department", "departments", multiple=True, help="Code; may be given several times. Without: all.")
@_JURISDICTION
@_DAYS
def add(name: str, role: str, departments: tuple[str, ...], jurisdiction: str, days: int) -> None:
    """Add the account NAME and show a token for it. The token cannot be shown again.

    NAME is how the person or program signs in: an email address or a short name. Only staff see it.

    \b
    Example:
      open311 staff add ada@city.example --role admin
      open311 staff add crew-7 --role agent --department streets --days 30
    """
    with command_platform() as platform:
        city = _city(platform, jurisdiction)
        now = utc_now()
        account = accounts.add_account(
            platform,
            name=name,
            role=Role(role),
            jurisdiction_id=city,
            departments=departments,
            principal=SHELL,
            now=now,
        )
        issued = accounts.issue_token(platform, city, account.name, days=days, principal=SHELL, now=now)
    say(f"Account {account.id}, {account.name}, {account.role} of {_scope(account)}.")
    _say_token(issued)


@staff.command("list")
@_JURISDICTION
def list_all(jurisdiction: str) -> None:
    """Show all accounts, and the numbers of their valid tokens."""
    with command_platform() as platform:
        found = accounts.list_accounts(platform, jurisdiction or None)
    say_table(
        ("number", "name", "role", "for", "tokens", "made", "revoked"),
        (_row(account, secrets) for account, secrets in found),
    )


@staff.command()
@click.argument("name")
@_JURISDICTION
@_DAYS
def token(name: str, jurisdiction: str, days: int) -> None:
    """Make another token for the account NAME. Its other tokens stay valid.

    \b
    Example:
      open311 staff token crew-7 --days 30
    """
    with command_platform() as platform:
        city = _city(platform, jurisdiction)
        issued = accounts.issue_token(platform, city, name, days=days, principal=SHELL, now=utc_now())
    _say_token(issued)


@staff.command()
@click.argument("name")
@_JURISDICTION
@_DAYS
@click.option("--now", "is_at_once", is_flag=True, help="End the old tokens now, for example after a leak.")
def rotate(name: str, jurisdiction: str, days: int, is_at_once: bool) -> None:
    """Make a new token for the account NAME. Its old tokens are valid for 24 more hours; with --now they end.

    \b
    Example:
      open311 staff rotate crew-7
      open311 staff rotate crew-7 --now
    """
    with command_platform() as platform:
        city = _city(platform, jurisdiction)
        issued = accounts.rotate_token(
            platform, city, name, days=days, is_at_once=is_at_once, principal=SHELL, now=utc_now()
        )
    hours = int(OVERLAP.total_seconds()) // 3600
    say(
        "The old tokens are no longer valid." if is_at_once else f"The old tokens are valid for {hours} more hours."
    )
    _say_token(issued)


@staff.command()
@click.argument("name")
@_JURISDICTION
@click.option("--token", "number", type=int, help="The number of one token; without it, the whole account.")
def revoke(name: str, jurisdiction: str, number: int | None) -> None:
    """Revoke the account NAME with all its tokens, or only one of its tokens.

    What the account did stays in the histories. Its name cannot be used again.

    \b
    Example:
      open311 staff revoke crew-7
      open311 staff revoke crew-7 --token 12
    """
    with command_platform() as platform:
        city = _city(platform, jurisdiction)
        if number is None:
            account = accounts.revoke_account(platform, city, name, principal=SHELL, now=utc_now())
        else:
            account = accounts.revoke_token(platform, city, name, number, principal=SHELL, now=utc_now())
    say(f"Account {account.id} is revoked." if number is None else f"Token {number} is revoked.")


@staff.command()
@click.argument("name")
@_JURISDICTION
def login_link(name: str, jurisdiction: str) -> None:
    """Make a secret with which the owner of the account NAME can sign in once, within ten minutes.

    The pages where people sign in come with a later release. Programs use tokens.

    \b
    Example:
      open311 staff login-link ada@city.example
    """
    with command_platform() as platform:
        city = _city(platform, jurisdiction)
        issued = accounts.issue_login(platform, city, name, principal=SHELL, now=utc_now())
    say(f"Good once, until {format_instant(issued.expires_at)}. It is not shown again:")
    say(issued.secret)


def _city(platform: Platform, jurisdiction: str) -> str:
    return jurisdiction if jurisdiction == ALL_JURISDICTIONS else platform.registry.find(jurisdiction).id


def _say_token(issued: Issued) -> None:
    say(f"Token for {issued.account.name}, valid until {format_instant(issued.expires_at)}. It is not shown again:")
    say(issued.secret)


def _scope(account: Account) -> str:
    city = "all cities" if account.jurisdiction_id == ALL_JURISDICTIONS else account.jurisdiction_id
    return f"{city}: {', '.join(account.departments)}" if account.departments else city


def _row(account: Account, secrets: list[Secret]) -> list[str]:
    return [
        str(account.id),
        account.name,
        account.role,
        _scope(account),
        ", ".join(_valid_tokens(secrets)),
        format_instant(account.created_at),
        format_instant(account.revoked_at) if account.revoked_at else "",
    ]


def _valid_tokens(secrets: list[Secret]) -> Iterator[str]:
    for secret in secrets:
        if secret.kind is SecretKind.TOKEN and secret.revoked_at is None and secret.expires_at > utc_now():
            yield f"{secret.id} until {format_instant(secret.expires_at)}"
