"""`open311 requests`: shows and changes single requests, for staff."""

from __future__ import annotations

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.events import Erasable
from open311.domain.requests import Status, Visibility
from open311.errors import Invalid
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.update_request import RequestUpdate, read_history, update_request
from schemas.values import NotAnInstant, format_instant, parse_instant


@click.group(cls=CommandGroup)
def requests() -> None:
    """Look at single requests and change them, as staff do."""


_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)


@requests.command()
@click.argument("service_request_id")
@_JURISDICTION
def show(service_request_id: str, jurisdiction: str) -> None:
    """Show request SERVICE_REQUEST_ID with its history, without its reporter.

    \b
    Example:
      open311 requests show 2026-0000042 --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        record, events = read_history(platform, city, service_request_id)
    say(f"{record.service_request_id}: {record.service_code}, {record.status}, {record.visibility}")
    say(f"department {record.department or '-'} ({record.route_reason or 'no rule'})")
    for event in events:
        say(f"{format_instant(event.at)}  {event.kind:<11} {event.description}")


@requests.command()
@click.argument("service_request_id")
@_JURISDICTION
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="open or closed.")
@click.option("--note", help="Why it has this status; public.")
@click.option("--department", help="Code of the department that gets it now.")
@click.option("--visibility", type=click.Choice([str(item) for item in Visibility]), help="Who can see it.")
@click.option("--expected", help="When it should be done.")
def update(
    service_request_id: str,
    jurisdiction: str,
    status: str | None,
    note: str | None,
    department: str | None,
    visibility: str | None,
    expected: str | None,
) -> None:
    """Change request SERVICE_REQUEST_ID. The change is public at once and is recorded in the history.

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
        record = update_request(platform, city, service_request_id, change, now=utc_now(), actor=str(SHELL))
    say(f"{record.service_request_id} is {record.status} and {record.visibility}.")


@requests.command()
@click.argument("service_request_id")
@_JURISDICTION
@click.option(
    "--part",
    "parts",
    type=click.Choice([str(part) for part in Erasable]),
    multiple=True,
    required=True,
    help="What to erase; may be given several times.",
)
def erase(service_request_id: str, jurisdiction: str, parts: tuple[str, ...]) -> None:
    """Erase parts of request SERVICE_REQUEST_ID permanently. Its history records what was erased.

    Backups, files that others have downloaded, and dumps made before still contain the erased parts.

    \b
    Example:
      open311 requests erase 2026-0000042 --jurisdiction city.example --part reporter --part notes
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        wanted = [Erasable(part) for part in parts]
        record = erase_from_request(platform, city, service_request_id, wanted, now=utc_now(), actor=str(SHELL))
    say(f"{record.service_request_id}: erased {', '.join(part for part in Erasable if part in wanted)}.")
