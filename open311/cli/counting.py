"""`open311 recount`: counts all requests again."""

from __future__ import annotations

import click

from open311.cli.output import say
from open311.cli.platforms import chosen_cities, command_platform
from open311.clock import utc_now
from open311.operations.statistics.counting import recount as recount_statistics


@click.command()
@click.option("--jurisdiction", help="One city; without it, every city that is served.")
def recount(jurisdiction: str | None) -> None:
    """Delete the counts of which a city's statistics are made, and count all its requests again.

    The worker compares the counts with all requests once a day, so nobody needs this regularly. Until all requests
    are counted, the statistics of the city get 503. You can stop this command; the worker then goes on.

    \b
    Example:
      open311 recount --jurisdiction city.example
    """
    with command_platform() as platform:
        for city in chosen_cities(platform, jurisdiction):
            say(f"{city.id}: {recount_statistics(platform, city, utc_now())} requests counted.")
