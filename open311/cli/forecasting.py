"""`open311 forecast`: makes the forecasts of a city now, and tries the methods on counts from a file."""

from __future__ import annotations

from io import StringIO
from typing import BinaryIO

import click

from open311.cli.group import CommandGroup
from open311.cli.output import counted, say, say_table
from open311.cli.platforms import chosen_cities, command_platform
from open311.clock import utc_now
from open311.errors import Invalid
from open311.operations.statistics.forecasting import make_forecasts
from open311.operations.statistics.trying import read_counts, read_month, try_methods

_HEADINGS = (
    *("months ahead", "method", "months", "error", "last year's month", "newest month", "intervals held"),
    "published",
)


@click.group(cls=CommandGroup)
def forecast() -> None:
    """Forecast the number of requests."""


@forecast.command()
@click.option("--jurisdiction", help="One city; without it, every city that is served.")
def make(jurisdiction: str | None) -> None:
    """Make the forecasts of a city now, and store them.

    The worker makes them once a day, so nobody needs this regularly. Use it after an import of old requests, so
    that you need not wait. A city has no forecasts until its statistics are counted.

    \b
    Example:
      open311 forecast make --jurisdiction city.example
    """
    with command_platform() as platform:
        for city in chosen_cities(platform, jurisdiction):
            found = make_forecasts(platform, city, utc_now())
            forecasts = [one for row in found.rows for one in row.forecasts]
            published = sum(one.is_published for one in forecasts)
            share = f"{published} of {counted(len(forecasts), 'forecast')}"
            say(f"{city.id}: {share} are published, in {counted(len(found.rows), 'row')}.")


@forecast.command("try")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--first",
    help="The first month that is forecast, such as 2016-01; by default, the last ten years are forecast.",
)
@click.option("--last", help="The last month that is used. Send it if the file has only a part of its last month.")
def try_command(file: BinaryIO, first: str | None, last: str | None) -> None:
    """Try the methods on counts from a file, and show how near their forecasts would have been.

    FILE is CSV with a header and two columns: a month (2026-03) or a day (2026-03-31), and the number of requests.
    Months that it does not have are missing, and not 0. Nothing is stored, and no database is needed. An error is
    the sum of the absolute differences between forecast and number, divided by the sum of the numbers. The columns
    "last year's month" and "newest month" have the errors of two simple guesses: the number of the same month of
    the year before, and the number of the newest month.

    \b
    Example:
      open311 forecast try counts.csv --first 2016-01 --last 2025-09
    """
    bounds = {
        name: read_month(value, f"--{name}")
        for name, value in (("first", first), ("last", last))
        if value is not None
    }
    try:
        series = read_counts(StringIO(file.read().decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError:
        raise Invalid("is not text in UTF-8; save it as CSV in UTF-8.", "FILE") from None
    say_table(
        _HEADINGS,
        [
            (
                str(one.ahead),
                one.method.value,
                str(one.tested.tests),
                _percent(one.tested.error),
                _percent(one.tested.last_year_error),
                _percent(one.tested.newest_error),
                f"{_percent(one.tested.coverage)} of {one.tested.tried}",
                (one.reason.value or "yes") if one.is_chosen else "",
            )
            for one in try_methods(series, **bounds)
        ],
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
