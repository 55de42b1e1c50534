"""`open311 publish`: renders public requests again."""

from __future__ import annotations

import click
from rich.progress import Progress
from rich.table import Table

from open311.cli.output import console, say
from open311.cli.platforms import chosen_cities, command_platform
from open311.clock import utc_now
from open311.operations.platform import Platform
from open311.operations.upkeep.republish import read_progress, republish, restart_edition
from open311.operations.upkeep.sync_catalogues import store_catalogue
from schemas.values import format_instant


@click.command()
@click.option("--jurisdiction", help="One city; without it, every city that is served.")
@click.option("--again", is_flag=True, help="Render everything once more, even what is up to date.")
@click.option("--status", is_flag=True, help="Only show how far each city has come.")
def publish(jurisdiction: str | None, again: bool, status: bool) -> None:
    """Render requests again after names or the renderer have changed.

    The worker does the same in the background. This command does it now, with a progress bar. You can stop this
    command and run it again, or run it several times at once.

    \b
    Examples:
      open311 publish --status
      open311 publish --jurisdiction city.example --again
    """
    with command_platform() as platform:
        cities = chosen_cities(platform, jurisdiction)
        if status:
            _show(platform, [city.id for city in cities])
            return
        for city in cities:
            for change in store_catalogue(platform, city, utc_now()):
                say(f"Stored the changed catalogue: {change}. The requests are rendered with the new names now.")
            if again:
                restart_edition(platform, city.id, utc_now())
            say(f"{city.id}: {_republish(platform, city.id)} requests rendered.")


def _republish(platform: Platform, jurisdiction_id: str) -> int:
    progress = next(row for row in read_progress(platform) if row.edition.jurisdiction_id == jurisdiction_id)
    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task(jurisdiction_id, total=progress.total, completed=progress.rendered)
        return republish(platform, jurisdiction_id, utc_now(), lambda rows: bar.advance(task, rows))


def _show(platform: Platform, ids: list[str]) -> None:
    table = Table("jurisdiction", "edition", "rendered", "of", "begun", "finished", box=None)
    for row in read_progress(platform):
        if row.edition.jurisdiction_id in ids:
            finished = row.edition.finished_at
            table.add_row(
                row.edition.jurisdiction_id,
                row.edition.edition,
                str(row.rendered),
                str(row.total),
                format_instant(row.edition.begun_at),
                format_instant(finished) if finished else "in work",
            )
    console().print(table)
