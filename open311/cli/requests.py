"""`open311 requests`: shows and changes single requests, for staff."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.rerouting import reroute
from open311.cli.staff_view import lines_of, name_of
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.events import Erasable
from open311.domain.requests import Status, Visibility
from open311.errors import Invalid
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.read_request import find_without_id, read_request
from open311.operations.workflow.update_request import RequestUpdate, update_request
from schemas.values import NotAnInstant, format_instant, parse_instant


@click.group(cls=CommandGroup)
def requests() -> None:
    """Look at single requests and change them, as staff do."""


requests.add_command(reroute)

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)


@requests.command()
@click.argument("request")
@_JURISDICTION
@click.option("--reporter", "with_reporter", is_flag=True, help="Show also who sent it: personal data.")
def show(request: str, jurisdiction: str, with_reporter: bool) -> None:
    """Show what staff need of REQUEST: place, texts, answers, media, history. Its reporter needs --reporter.

    REQUEST is a service_request_id, a token or a number. Requests of blackbox services have only a number.

    \b
    Example:
      open311 requests show 2026-0000042 --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        view = read_request(platform, city, request, with_reporter=with_reporter)
    for line in lines_of(view, asks_for_reporter=with_reporter):
        say(line)


@requests.command()
@_JURISDICTION
@click.option("--most", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many to list.")
def without_id(jurisdiction: str, most: int) -> None:
    """List the newest requests without an id: of blackbox services, and those whose token waits for an id.

    `open311 requests show NUMBER` shows one of them.
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        found = find_without_id(platform, city, most=most)
    say_table(
        ("number", "requested", "service", "status", "department"),
        (
            (str(one.number), format_instant(one.requested_at), one.service_code, one.status, one.department or "-")
            for one in found
        ),
    )


@requests.command()
@click.argument("request")
@_JURISDICTION
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="open or closed.")
@click.option("--note", help="Why it has this status; public.")
@click.option("--department", help="Code of the department that gets it now.")
@click.option("--visibility", type=click.Choice([str(item) for item in Visibility]), help="Who can see it.")
@click.option("--expected", help="When it should be done.")
def update(
    request: str,
    jurisdiction: str,
    status: str | None,
    note: str | None,
    department: str | None,
    visibility: str | None,
    expected: str | None,
) -> None:
    """Change REQUEST. The change is public at once and is recorded in the history.

    REQUEST is a service_request_id, a token or a number.

    \b
    Example:
      open311 requests update 2026-0000042 --jurisdiction city.example --status closed --note "Filled."
      open311 requests update 2026-0000042 --jurisdiction city.example --department port
    """
    if all(option is None for option in (status, note, department, visibility, expected)):
        raise click.UsageError("Nothing to change; give --status, --note, --department, --visibility, --expected.")
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        try:
            expected_at = parse_instant(expected, city.zone) if expected else None
        except NotAnInstant as error:
            raise Invalid(str(error), "--expected") from None
        change = RequestUpdate(
            status=Status(status) if status else None,
            note=note,
            department=department,
            visibility=Visibility(visibility) if visibility else None,
            expected_at=expected_at,
        )
        record = update_request(platform, city, request, change, now=utc_now(), actor=str(SHELL))
    say(f"{name_of(record)} is {record.status} and {record.visibility}.")


@requests.command()
@click.argument("request")
@_JURISDICTION
@click.option(
    "--part",
    "parts",
    type=click.Choice([str(part) for part in Erasable]),
    multiple=True,
    required=True,
    help="What to erase; may be given several times.",
)
def erase(request: str, jurisdiction: str, parts: tuple[str, ...]) -> None:
    """Erase parts of REQUEST permanently. Its history records what was erased.

    REQUEST is a service_request_id, a token or a number.

    Backups, files that others have downloaded, and dumps made before still contain the erased parts.

    \b
    Example:
      open311 requests erase 2026-0000042 --jurisdiction city.example --part reporter --part notes
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        wanted = [Erasable(part) for part in parts]
        record = erase_from_request(platform, city, request, wanted, now=utc_now(), actor=str(SHELL))
    say(f"{name_of(record)}: erased {', '.join(part for part in Erasable if part in wanted)}.")
