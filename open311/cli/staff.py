"""`open311 staff`: accounts of staff, their tokens and login links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from open311.cli.auditing import audit
from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_account_city
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS, STAFF, Role
from open311.operations.access import staff as accounts
from open311.operations.access.staff import OVERLAP, TOKEN_DAYS, Issued
from open311.operations.desk.bulk import REFUSED, BulkResult
from open311.operations.desk.handover import Work, check_receiver, find_lost_work, find_work, hand_over
from open311.operations.platform import Platform
from open311.storage.accounts import Account, Secret, SecretKind
from open311.web.surfaces import sign_in_path
from schemas.values import format_instant

MOST_NAMED = 10
NOBODY = "nobody"
"""The word of --reassign for no account."""


@click.group(cls=CommandGroup)
def staff() -> None:
    """Add, change and revoke accounts of staff, give them tokens and login links, and read the audit trail."""


_JURISDICTION = click.option(
    "--jurisdiction",
    default="",
    help=f"The city's jurisdiction_id, or {ALL_JURISDICTIONS} for all. Not needed if only one city is served.",
)
_ROLES = click.Choice([str(role) for role in STAFF])
_LABEL = click.option("--label", default="", help="What the token is for, to distinguish it from others.")
_DAYS = click.option(
    "--days", type=int, default=TOKEN_DAYS, show_default=True, help="After how many days the token expires."
)


@staff.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the account may do.")
@click.option(
    "--department", "departments", multiple=True, help="Code; may be given several times. If it is not given, all."
)
@_JURISDICTION
@_DAYS
@_LABEL
def add(name: str, role: str, departments: tuple[str, ...], jurisdiction: str, days: int, label: str) -> None:
    """Add the account NAME and show a token for it. The token cannot be shown again.

    NAME is how the person or program signs in: an email address or a short name. Only staff see it.

    \b
    Example:
      open311 staff add ada@city.example --role admin --jurisdiction city.example
      open311 staff add crew-7 --role agent --department streets --days 30 --jurisdiction city.example
    """
    with command_platform() as platform:
        issued = accounts.add_account(
            platform,
            name=name,
            role=Role(role),
            jurisdiction_id=find_account_city(platform, jurisdiction),
            departments=departments,
            days=days,
            label=label,
            principal=shell_user(),
            now=utc_now(),
        )
    _say_account(issued.account)
    _say_token(issued)


@staff.command()
@click.argument("name")
@click.option("--role", type=_ROLES, help="What the account may do from now on.")
@click.option(
    "--department",
    "departments",
    multiple=True,
    help="Code; may be given several times. The account loses all other departments.",
)
@click.option("--all-departments", "is_for_all", is_flag=True, help="Let the account work for all departments.")
@_JURISDICTION
def change(name: str, role: str | None, departments: tuple[str, ...], is_for_all: bool, jurisdiction: str) -> None:
    """Give the account NAME another role or other departments. Its tokens have the new rights at once.

    \b
    Example:
      open311 staff change crew-7 --role dispatcher --jurisdiction city.example
      open311 staff change crew-7 --department streets --department parks --jurisdiction city.example
    """
    if departments and is_for_all:
        raise click.UsageError("Give --department or --all-departments, not both.")
    if not (role or departments or is_for_all):
        raise click.UsageError("Say what to change: --role, --department or --all-departments.")
    with command_platform() as platform:
        account = accounts.change_account(
            platform,
            find_account_city(platform, jurisdiction),
            name,
            role=Role(role) if role else None,
            departments=departments if departments or is_for_all else None,
            principal=shell_user(),
            now=utc_now(),
        )
        lost = find_lost_work(platform, account)
        gone = accounts.gone_departments(platform, account)
    _say_account(account)
    _say_gone(gone)
    if lost:
        say(f"{_requests(lost)} assigned to {account.name}, who may not work on that any more: {_named(lost)}.")
        say("Give the work to somebody else with `open311 requests assign`.")


@staff.command()
@click.argument("name")
@_JURISDICTION
@_DAYS
@_LABEL
def restore(name: str, jurisdiction: str, days: int, label: str) -> None:
    """Make the revoked account NAME valid again, with the rights that it had, and show a new token for it.

    Its old tokens stay invalid.

    \b
    Example:
      open311 staff restore crew-7 --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction)
        issued = accounts.restore_account(
            platform, city, name, days=days, label=label, principal=shell_user(), now=utc_now()
        )
        gone = accounts.gone_departments(platform, issued.account)
    _say_account(issued.account)
    _say_gone(gone)
    _say_token(issued)


@staff.command("list")
@_JURISDICTION
def list_all(jurisdiction: str) -> None:
    """Show accounts with their valid tokens: all accounts, or with --jurisdiction those of one city.

    Departments that the city does not have any more are marked.

    \b
    Example:
      open311 staff list --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction) if jurisdiction else None
        found = accounts.list_accounts(platform, city)
        rows = [_row(account, secrets, accounts.gone_departments(platform, account)) for account, secrets in found]
        stranded = [one for one in accounts.find_stranded(platform) if city in (None, one.account.jurisdiction_id)]
    say_table(("number", "name", "role", "for", "tokens", "made", "revoked"), rows)
    for one in stranded:
        say(f"Look at {one}.")


@staff.command()
@click.argument("name")
@_JURISDICTION
@_DAYS
@_LABEL
def token(name: str, jurisdiction: str, days: int, label: str) -> None:
    """Make another token for the account NAME. Its other tokens stay valid.

    \b
    Example:
      open311 staff token crew-7 --days 30 --label "tablet" --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction)
        issued = accounts.issue_token(
            platform, city, name, days=days, label=label, principal=shell_user(), now=utc_now()
        )
    _say_token(issued)


@staff.command()
@click.argument("name")
@_JURISDICTION
@_DAYS
@_LABEL
@click.option("--now", "is_at_once", is_flag=True, help="End the old tokens now, for example after a leak.")
def rotate(name: str, jurisdiction: str, days: int, label: str, is_at_once: bool) -> None:
    """Make a new token for the account NAME. Its old tokens are valid for 24 more hours; with --now they end.

    \b
    Example:
      open311 staff rotate crew-7 --jurisdiction city.example
      open311 staff rotate crew-7 --now --jurisdiction city.example
    """
    with command_platform() as platform:
        issued = accounts.rotate_token(
            platform,
            find_account_city(platform, jurisdiction),
            name,
            days=days,
            label=label,
            is_at_once=is_at_once,
            principal=shell_user(),
            now=utc_now(),
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
@click.option("--reassign", default="", metavar="NAME", help="Who gets the open requests; `nobody` for nobody.")
def revoke(name: str, jurisdiction: str, number: int | None, reassign: str) -> None:
    """Revoke the account NAME with all its tokens, or only one of its tokens.

    What the account did stays in the histories. `open311 staff restore` makes the account valid again. Open
    requests stay assigned to the account, unless --reassign names another account, or nobody. You can also reassign
    them later, by the same command.

    \b
    Example:
      open311 staff revoke crew-7 --jurisdiction city.example
      open311 staff revoke crew-7 --reassign ada@city.example --jurisdiction city.example
      open311 staff revoke crew-7 --token 12 --jurisdiction city.example
    """
    if number is not None and reassign:
        raise click.UsageError("--reassign is for a whole account; leave out --token.")
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction)
        if number is not None:
            accounts.revoke_token(platform, city, name, number, principal=shell_user(), now=utc_now())
            say(f"Token {number} is revoked.")
            return
        _revoke_account(platform, city, name, reassign)


def _revoke_account(platform: Platform, city: str, name: str, receiver: str) -> None:
    """Revoke an account, and give its open requests to `receiver`; without a receiver, name these requests."""
    caller, now = shell_user(), utc_now()
    account = accounts.find_account(platform, city, name)
    if receiver:
        check_receiver(platform, account, _assignee(receiver), principal=caller)
        if receiver == account.name:
            raise click.UsageError("--reassign names the account that is revoked; name another one, or nobody.")
    if account.revoked_at is None or not receiver:
        account = accounts.revoke_account(platform, city, name, principal=caller, now=now)
        say(f"Account {account.id} is revoked.")
    work = find_work(platform, account)
    if receiver:
        reason = "The account of the former assignee is revoked."
        results = hand_over(platform, work, _assignee(receiver), reason=reason, principal=caller, now=now)
        _say_results(results, _assignee(receiver) or NOBODY)
    elif work:
        say(f"{_requests(work)} assigned to {account.name}: {_named(work)}.")
        again = f"open311 staff revoke {account.name} --jurisdiction {city} --reassign NAME"
        say(f"Run `{again}` to give the work to somebody; `nobody` instead of NAME is possible.")


@staff.command()
@click.argument("name")
@_JURISDICTION
def login_link(name: str, jurisdiction: str) -> None:
    """Make a link with which the owner of the account NAME can sign in once, within ten minutes.

    The link leads to the pages for staff. Programs use tokens. The link begins with OPEN311_PUBLIC_URL or, if it is
    not set, has OPEN311_HOST and OPEN311_PORT.

    \b
    Example:
      open311 staff login-link ada@city.example --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_account_city(platform, jurisdiction)
        issued = accounts.issue_login(platform, city, name, principal=shell_user(), now=utc_now())
        settings = platform.settings
    address = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    say(f"The link works once, until {format_instant(issued.expires_at)}. It is not shown again:")
    say(f"{address}{sign_in_path(issued.secret)}")


staff.add_command(audit)


def _assignee(receiver: str) -> str:
    """The receiver as the command `assign` names it: "" for nobody."""
    return "" if receiver == NOBODY else receiver


def _say_account(account: Account) -> None:
    say(f"Account {account.id}, {account.name}, {account.role} of {_scope(account)}.")


def _say_token(issued: Issued) -> None:
    until = format_instant(issued.expires_at)
    say(f"Token {issued.number} for {issued.account.name}, valid until {until}. It is not shown again:")
    say(issued.secret)


def _say_gone(gone: Sequence[str]) -> None:
    if gone:
        say(f"The city does not have {', '.join(gone)} any more; give other departments with `staff change`.")


def _say_results(results: Sequence[BulkResult], receiver: str) -> None:
    """Print what was done with the work of an account."""
    refused = [one for one in results if one.result == REFUSED]
    moved = len(results) - len(refused)
    say(f"{moved} open {'request is' if moved == 1 else 'requests are'} now assigned to {receiver}.")
    for one in refused:
        say(f"{one.name} stays: {'; '.join(problem.message for problem in one.problems)}")


def _requests(work: Sequence[Work]) -> str:
    count = sum(len(part.numbers) for part in work)
    return "1 open request is" if count == 1 else f"{count} open requests are"


def _named(work: Sequence[Work]) -> str:
    """The first requests of some work, by their numbers."""
    numbers = [number for part in work for number in part.numbers]
    shown = ", ".join(f"number {number}" for number in numbers[:MOST_NAMED])
    return f"{shown} and others" if len(numbers) > MOST_NAMED else shown


def _scope(account: Account, gone: Sequence[str] = ()) -> str:
    city = "all cities" if account.jurisdiction_id == ALL_JURISDICTIONS else account.jurisdiction_id
    departments = [f"{code} (gone)" if code in gone else code for code in account.departments]
    return f"{city}: {', '.join(departments)}" if departments else city


def _row(account: Account, secrets: list[Secret], gone: Sequence[str]) -> list[str]:
    return [
        str(account.id),
        account.name,
        account.role,
        _scope(account, gone),
        "\n".join(_valid_tokens(secrets)),
        format_instant(account.created_at),
        format_instant(account.revoked_at) if account.revoked_at else "",
    ]


def _valid_tokens(secrets: list[Secret]) -> Iterator[str]:
    for secret in secrets:
        if secret.kind is SecretKind.TOKEN and secret.revoked_at is None and secret.expires_at > utc_now():
            label = f" {secret.label}," if secret.label else ""
            used = f"used {format_instant(secret.last_used_at)}" if secret.last_used_at else "never used"
            yield f"{secret.id}{label} until {format_instant(secret.expires_at)}, {used}"
