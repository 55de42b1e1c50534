"""`open311 areas`: a city's wards and districts."""

from __future__ import annotations

import click
from rich.progress import Progress

from open311.cli.group import CommandGroup
from open311.cli.output import console, say
from open311.cli.platforms import chosen_cities, command_platform
from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.upkeep import recompute_areas
from open311.plugins import Jurisdiction


@click.group(cls=CommandGroup)
def areas() -> None:
    """Find out which of a city's areas each request lies in."""


@areas.command()
@click.option("--jurisdiction", help="One city; without it, every city that is served.")
def recompute(jurisdiction: str | None) -> None:
    """Find the areas of every request again, after a city has redrawn its areas.

    Without this command, a request gets other areas only if its place changes, or if `open311 requests reroute`
    finds that one of its areas does not exist any more. The history of a request keeps its former areas
    (`open311 requests show`). You can stop this command and run it again.

    \b
    Example:
      open311 areas recompute --jurisdiction city.example
    """
    with command_platform() as platform:
        for city in chosen_cities(platform, jurisdiction):
            changed = _recompute(platform, city)
            say(f"{city.id}: {changed} requests lie in other areas than before.")


def _recompute(platform: Platform, city: Jurisdiction) -> int:
    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task(city.id, total=recompute_areas.count_requests(platform, city))
        return recompute_areas.recompute_areas(
            platform, city, now=utc_now(), on_batch=lambda rows: bar.advance(task, rows)
        )
