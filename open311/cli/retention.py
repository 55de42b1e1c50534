"""`open311 retention`: erase what a city does not keep any longer."""

from __future__ import annotations

from collections import Counter

import click

from open311.cli.output import counted, progress, say, say_table
from open311.cli.platforms import chosen_cities, command_platform
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.operations.people.expiring import KINDS, RetentionKind, count_kept, expire
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction


@click.command("retention")
@click.option("--jurisdiction", help="One city; without it, every city that is served.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Change nothing; show how many requests are due.")
def retention_command(jurisdiction: str | None, is_dry_run: bool) -> None:
    """Erase reporters and photos whose time is over, by the [retention] of the city. The worker does it once a day.

    The time begins when a request is closed. The report has a line for each kind of data and each service. You can
    stop this command and run it again.

    \b
    Example:
      open311 retention --dry-run --jurisdiction city.example
    """
    with command_platform() as platform:
        for city in chosen_cities(platform, jurisdiction):
            for kind in KINDS:
                _expire(platform, city, kind, is_dry_run=is_dry_run)


def _expire(platform: Platform, city: Jurisdiction, kind: RetentionKind, *, is_dry_run: bool) -> None:
    if kind.is_kept_for_ever(city):
        say(f"{city.id}: keeps {kind.name} for ever; its jurisdiction.toml has no {kind.key} in [retention].")
        return
    due, kept = Counter[str](), Counter[str]()
    with progress(f"{city.id}: {kind.name}", count_kept(platform, city, kind)) as advance:
        for batch in expire(platform, city, kind, now=utc_now(), actor=str(shell_user()), is_dry_run=is_dry_run):
            due += batch.due
            kept += batch.kept
            advance(batch.seen)
    if due or kept:
        rows = ((kind.name, code, _days(city, kind, code), str(due[code]), str(kept[code])) for code in due | kept)
        say_table(("data", "service", "days", "due" if is_dry_run else "erased", "not due"), sorted(rows))
    done = "would be erased" if is_dry_run else "were erased"
    found = counted(due.total(), "request")
    say(f"{city.id}: the {kind.name} of {found} {done}; open or not yet due: {kept.total()}.")


def _days(city: Jurisdiction, kind: RetentionKind, service_code: str) -> str:
    days = kind.days_of(city, service_code)
    return "for ever" if days is None else str(days)
