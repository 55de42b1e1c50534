"""Example requests and a demo key, which `open311 run` adds for newcomers."""

from __future__ import annotations

import secrets

from rich.progress import track

from open311.cli.output import console, counted, say
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.access import Role
from open311.operations.access.api_keys import add_key, number_of_key
from open311.operations.access.staff import add_account, issue_login, list_accounts
from open311.operations.platform import Platform
from open311.operations.upkeep.examples import add_examples

DEMO_CITY, DEMO_ACCOUNT = "city.example", "demo"


def fill_with_examples(platform: Platform, count: int) -> None:
    """Add made-up requests to each city that has no requests yet."""
    cities = list(platform.registry)
    progress = track(cities, "Making up example requests", console=console(), transient=True)
    numbers = [add_examples(platform, city, count=count, now=utc_now()) for city in progress]
    if filled := sum(number > 0 for number in numbers):
        say(f"Made up {sum(numbers)} example requests in {counted(filled, 'city', 'cities')}.")


def add_demo_key(platform: Platform) -> str:
    """The key that `open311 run` shows. It is stored in the data folder, so that it is the same in every run."""
    file = platform.settings.data_path / "demo-key"
    secret = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    if not secret:
        secret = f"demo-{secrets.token_urlsafe(18)}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secret + "\n", encoding="utf-8")
    if not number_of_key(platform, secret):
        add_key(platform, label="demo", now=utc_now(), secret=secret)
    return secret


def add_demo_login(platform: Platform) -> str:
    """The secret of a new login link for the account DEMO_ACCOUNT of the demo city.

    "" if the demo city is not served, or if somebody has revoked the account.
    """
    if DEMO_CITY not in platform.registry.jurisdictions:
        return ""
    caller, now = shell_user(), utc_now()
    known = [account for account, _ in list_accounts(platform, DEMO_CITY) if account.name == DEMO_ACCOUNT]
    if not known:
        add_account(
            platform,
            name=DEMO_ACCOUNT,
            role=Role.DISPATCHER,
            jurisdiction_id=DEMO_CITY,
            label="demo",
            principal=caller,
            now=now,
        )
    elif known[0].revoked_at is not None:
        return ""
    return issue_login(platform, DEMO_CITY, DEMO_ACCOUNT, principal=caller, now=now).secret
