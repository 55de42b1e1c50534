"""`open311 requests`: lists, shows and changes requests, for staff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from open311.cli.group import CommandGroup
from open311.cli.orders import example_of, filter_options, order_options, read_filters, read_order, text_of
from open311.cli.output import say, say_json, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.rerouting import reroute
from open311.cli.staff_view import lines_of, name_of
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.commands import Command, commands
from open311.domain.events import Erasable
from open311.operations.desk.queues import find_queue, queue_search
from open311.operations.desk.rendering import json_of, plain_instant, plain_queue, plain_reporter, plain_request
from open311.operations.desk.whole_request import read_reporter, read_whole_request
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request, requests_with_copies
from open311.operations.workflow.read_request import find_without_id
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def requests() -> None:
    """List requests, look at single ones and change them, as staff do."""


requests.add_command(reroute)

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the staff API has it.")


@requests.command("list")
@_JURISDICTION
@filter_options
@_JSON
def list_all(jurisdiction: str, as_json: bool, **filters: str | bool | None) -> None:
    """List the requests that wait for staff, the most urgent due date first.

    Without filters, the list has the open requests that are not merged into others.

    \b
    Example:
      open311 requests list --department streets --overdue true
      open311 requests list --state closed --json
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        now = utc_now()
        search = queue_search(platform, city, read_filters(filters, city), principal=SHELL, now=now)
        body = plain_queue(find_queue(platform, search), city, now)
    if as_json:
        say_json(json_of(body, is_indented=True))
        return
    say_table(
        ("request", "state", "service", "department", "assignee", "priority", "due", "requested", "description"),
        map(_row, body["requests"]),
    )
    if body["cursor"]:
        say(f"More follow: --cursor {body['cursor']}")


@requests.command()
@click.argument("request")
@_JURISDICTION
@click.option("--reporter", "with_reporter", is_flag=True, help="Show also who sent it: personal data.")
@click.option("--reason", default="", help="Why you look at the reporter; kept in the audit trail.")
@_JSON
def show(request: str, jurisdiction: str, with_reporter: bool, reason: str, as_json: bool) -> None:
    """Show what staff need of REQUEST: place, texts, answers, media, history. Its reporter needs --reporter.

    REQUEST is a service_request_id, a token or a number. Requests of blackbox services have only a number.

    \b
    Example:
      open311 requests show 2026-0000042 --jurisdiction city.example
      open311 requests show 2026-0000042 --reporter --reason "Call back about the entrance."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        whole = read_whole_request(platform, city, request, principal=SHELL)
        view, sender = whole.view, None
        if with_reporter:
            why = reason or "open311 requests show --reporter"
            _, sender = read_reporter(platform, city, request, reason=why, principal=SHELL, now=utc_now())
            view = replace(view, reporter=sender or None)
    if as_json:
        body = plain_request(whole, utc_now())
        say_json(
            json_of(
                body | {"reporter": plain_reporter(view.record, sender)} if sender is not None else body,
                is_indented=True,
            )
        )
        return
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

    Backups, files that others have downloaded, and dumps made before still contain the erased parts. Requests that
    were merged into REQUEST keep their copies of its notes; the command names them.

    \b
    Example:
      open311 requests erase 2026-0000042 --jurisdiction city.example --part reporter --part notes
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        wanted = [Erasable(part) for part in parts]
        record = erase_from_request(platform, city, request, wanted, now=utc_now(), actor=str(SHELL))
        copies = requests_with_copies(platform, city, record) if Erasable.NOTES in wanted else []
    say(f"{name_of(record)}: erased {', '.join(part for part in Erasable if part in wanted)}.")
    for copy in copies:
        say(f"{name_of(copy)} followed it and may have copies of its notes; erase the notes of that request too.")


def _row(item: Mapping[str, Any]) -> list[str]:
    return [
        item["service_request_id"] or f"number {item['number']}",
        item["outcome"] or item["state"],
        item["service_code"],
        item["department"] or "-",
        item["assignee"] or "-",
        item["priority"],
        " ".join(filter(None, (item["due"], plain_instant(item["expected_datetime"])))) or "-",
        format_instant(item["requested_datetime"]),
        (item["description"] or "").partition("\n")[0][:60],
    ]


def _word(name: str) -> str:
    """The word for a command in the shell. There, `show` shows a request to the operator."""
    return "unhide" if name == "show" else name.replace("_", "-")


def _order_command(name: str, command: type[Command]) -> click.Command:
    """`open311 requests NAME`: gives one command of the domain to a request."""

    def give(request: str, jurisdiction: str, as_json: bool, **options: Any) -> None:
        with command_platform() as platform:
            city = find_jurisdiction(platform, jurisdiction)
            order = read_order(name, options, city)
            now = utc_now()
            record = act(platform, city, request, [order], principal=SHELL, now=now)
            whole = read_whole_request(platform, city, record.number, principal=SHELL)
        if as_json:
            say_json(json_of(plain_request(whole, now), is_indented=True))
        else:
            say(text_of(whole))

    decorated = _JSON(_JURISDICTION(order_options(name)(give)))
    reason = " It needs --reason." if command.needs_reason else ""
    known = "REQUEST is a service_request_id, a token or a number."
    example = f"\b\nExample:\n  open311 requests {_word(name)} 2026-0000042{example_of(name)}"
    return click.command(_word(name), help=f"{command.summary()}{reason}\n\n{known}\n\n{example}")(
        click.argument("request")(decorated)
    )


for _name, _command in commands().items():
    requests.add_command(_order_command(_name, _command))
