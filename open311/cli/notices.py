"""`open311 notices`: what a city tells everybody for a time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.domain.city_notices import (
    DEFAULT_CATEGORY,
    DEFAULT_SEVERITY,
    Category,
    CityNotice,
    NoticeText,
    Severity,
)
from open311.errors import Invalid
from open311.operations.notices import managing
from open311.operations.notices.managing import NoticeOrder
from open311.plugins import Jurisdiction
from schemas.values import NotAnInstant, format_instant, parse_instant

_ROWS = 100


@click.group(cls=CommandGroup)
def notices() -> None:
    """Tell everybody something for a time: that the water is off, or that an office is closed."""


_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)


@notices.command("list")
@_JURISDICTION
@click.option(
    "--before", type=click.IntRange(1, 2**63 - 1), help="Only notices with lower numbers, for the next page."
)
def list_command(jurisdiction: str, before: int | None) -> None:
    """Show the newest 100 notices of a city, also those that are planned or over."""
    now = utc_now()
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        page = managing.list_notices(platform, city, principal=shell_user(), rows=_ROWS, before=before)
    heads = ("number", "state", "from", "until", "severity", "about", "headline", "by")
    say_table(heads, [_row(one, now) for one in page.notices])
    if page.cursor is not None:
        say(f"--before {page.cursor} shows the next page.")


@notices.command()
@click.argument("headline")
@click.option("--text", default="", help="More than the headline.")
@click.option(
    "--in",
    "others",
    nargs=3,
    multiple=True,
    metavar="LANGUAGE HEADLINE TEXT",
    help='The same in another language. May be repeated. "" for no text.',
)
@click.option(
    "--until", "end", required=True, help="Until when the notice is shown, at most 366 days after the beginning."
)
@click.option("--from", "start", default="", help="From when the notice is shown; by default, from now on.")
@click.option(
    "--service", "services", multiple=True, help="The code of a service that the notice is about. May be repeated."
)
@click.option("--area", default="", help="The name of an area of the city that the notice is about.")
@click.option(
    "--polygon",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a GeoJSON Polygon or MultiPolygon, the place that the notice is about.",
)
@click.option(
    "--category",
    type=click.Choice([one.value for one in Category]),
    default=DEFAULT_CATEGORY.value,
    show_default=True,
    help="What the notice is about, in the words of CAP 1.2.",
)
@click.option(
    "--severity",
    type=click.Choice([one.value for one in Severity]),
    default=DEFAULT_SEVERITY.value,
    show_default=True,
    help="How bad the event is, in the words of CAP 1.2.",
)
@_JURISDICTION
def add(
    headline: str, text: str, others: tuple[tuple[str, str, str], ...], jurisdiction: str, **given: Any
) -> None:
    """Tell everybody HEADLINE, in the city's first language.

    Times without a zone are in the zone of the city.

    \b
    Examples:
      open311 notices add "Water is off in Harbour" --area Harbour --until "$(date --date tomorrow +%FT18:00)"
      open311 notices add "City hall is closed" --in es "Cerrado" "" --until "$(date --date tomorrow +%F)"
    """
    now = utc_now()
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        texts = [NoticeText(language=city.languages[0], headline=headline, description=text)]
        texts += [NoticeText(language=tag, headline=line, description=more) for tag, line, more in others]
        order = NoticeOrder(
            texts=texts,
            service_codes=given["services"],
            area=given["area"],
            polygon=_polygon(given["polygon"]),
            category=Category(given["category"]),
            severity=Severity(given["severity"]),
            starts_at=_instant(given["start"], city, "--from") if given["start"] else None,
            ends_at=_instant(given["end"], city, "--until"),
        )
        added = managing.add_notice(platform, city, order, principal=shell_user(), now=now)
    say(
        f"Notice {added.number} is shown from {format_instant(added.starts_at)}"
        f" until {format_instant(added.ends_at)}."
    )


@notices.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", default="", help="Why; kept in the audit trail.")
@_JURISDICTION
def end(number: int, reason: str, jurisdiction: str) -> None:
    """End notice NUMBER before its time.

    \b
    Example:
      open311 notices list
      open311 notices end 7 --reason "The water runs again."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        managing.end_notice(platform, city, number, principal=shell_user(), now=utc_now(), reason=reason)
    say(f"Notice {number} has ended.")


def _row(notice: CityNotice, now: datetime) -> list[str]:
    about = [notice.area or ("a shape" if notice.polygon else ""), ", ".join(notice.service_codes)]
    return [
        str(notice.number),
        notice.state(now).value,
        format_instant(notice.starts_at),
        format_instant(notice.ended_at or notice.ends_at),
        notice.severity.value,
        "; ".join(filter(None, about)) or "the whole city",
        notice.texts[0].headline,
        notice.actor,
    ]


def _instant(text: str, city: Jurisdiction, option: str) -> datetime:
    try:
        return parse_instant(text, city.zone)
    except NotAnInstant as error:
        raise Invalid(str(error), option) from None


def _polygon(path: Path | None) -> Any:
    if path is None:
        return {}
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        raise Invalid("has no JSON; name a file with a GeoJSON polygon.", "--polygon") from None
