"""`open311 requests`: lists, shows and changes requests, for staff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from open311.cli.group import CommandGroup
from open311.cli.orders import example_of, filter_options, order_options, read_filters, read_order, text_of
from open311.cli.output import say, say_json, say_pieces, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.rerouting import reroute
from open311.cli.shell import shell_user
from open311.cli.staff_view import lines_elsewhere, lines_of, lines_of_personal_data, lines_of_photos, name_of
from open311.cli.status_links import renew_link, revoke_links
from open311.cli.suspected import drop_report, drop_update, release_update
from open311.clock import utc_now
from open311.domain.commands import Command, commands
from open311.domain.events import Erasable
from open311.domain.queues import QueueSearch
from open311.errors import Invalid
from open311.operations.access.assignees import ME
from open311.operations.desk.queues import QueuePage, count_queues, find_queue, queue_search
from open311.operations.desk.rendering import (
    json_of,
    plain_counts,
    plain_instant,
    plain_queue,
    plain_reporter,
    plain_request,
)
from open311.operations.desk.whole_request import read_reporter, read_whole_request
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request, requests_with_copies
from open311.operations.workflow.read_request import find_without_id, read_request
from schemas.staff import MAX_QUEUE_ROWS
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def requests() -> None:
    """List requests, look at single ones and change them, as staff do."""


requests.add_command(reroute)
requests.add_command(renew_link)
requests.add_command(revoke_links)
requests.add_command(drop_report)
requests.add_command(release_update)
requests.add_command(drop_update)

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_HEADINGS = ("request", "state", "service", "department", "assignee", "priority", "due", "requested", "description")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the staff API has it.")


@requests.command("list")
@_JURISDICTION
@filter_options
@click.option("--all", "is_whole", is_flag=True, help="Print all pages, for example to export them.")
@_JSON
def list_all(jurisdiction: str, is_whole: bool, as_json: bool, **filters: str | bool | None) -> None:
    """List the requests that wait for staff, the earliest due date first.

    Without filters, the list has the open requests that are not merged into others. Without --all, it has one page.

    \b
    Example:
      open311 requests list --department streets --overdue true --jurisdiction city.example
      open311 requests list --state closed --json --all --jurisdiction city.example
    """
    if filters.get("assignee") == ME:
        raise Invalid("`me` is the account of a token, and a shell has none; name an account.", "--assignee")
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        now = utc_now()
        values = read_filters(filters | ({"page_size": MAX_QUEUE_ROWS} if is_whole else {}), city)
        search = queue_search(platform, city, values, principal=shell_user())
        pages = (plain_queue(page, city, now) for page in _pages(platform, search, now, is_whole=is_whole))
        if as_json:
            say_pieces(_queue_in_json(pages))
            return
        last = _say_queue(pages)
    if last:
        say(f"More follow: --cursor {last}, or --all")


def _pages(platform: Platform, search: QueueSearch, now: datetime, *, is_whole: bool) -> Iterator[QueuePage]:
    """The first page of a queue; with `is_whole`, all pages."""
    while True:
        page = find_queue(platform, search, now)
        yield page
        if page.next_key is None or not is_whole:
            return
        search = replace(search, after=page.next_key)


def _queue_in_json(pages: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A queue as the staff API has it, with the rows of all these pages. Only one page is in memory."""
    yield b'{"requests":['
    separator, cursor = b"\n", None
    for page in pages:
        for item in page["requests"]:
            yield separator + json_of(item)
            separator = b",\n"
        cursor = page["cursor"]
    yield b'\n],"cursor":' + json_of(cursor) + b"}\n"


def _say_queue(pages: Iterable[Mapping[str, Any]]) -> str | None:
    """Print pages of a queue as tables. Returns the cursor of the last page."""
    cursor = None
    for page in pages:
        say_table(_HEADINGS, map(_row, page["requests"]))
        cursor = page["cursor"]
    return cursor


@requests.command()
@_JURISDICTION
@_JSON
def queues(jurisdiction: str, as_json: bool) -> None:
    """Show how much waits in each department.

    \b
    Example:
      open311 requests queues --jurisdiction city.example
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        body = plain_counts(count_queues(platform, city, principal=shell_user(), now=utc_now()), city)
    if as_json:
        say_json(json_of(body, is_indented=True))
        return
    columns = ("open", "overdue", "unassigned", "triage", "suspected", "held_photos", "merged")
    say_table(
        ("department", "name", *columns),
        (
            (one["department"] or "-", one["name"] or "-", *(str(one[name]) for name in columns))
            for one in body["queues"]
        ),
    )
    if body["uncounted_changes"]:
        say(f"{body['uncounted_changes']} changes are not counted in open and merged yet.")


@requests.command()
@click.argument("request")
@_JURISDICTION
@click.option("--reporter", "with_reporter", is_flag=True, help="Show also who sent the request: personal data.")
@click.option("--reason", default="", help="Why you look at the reporter; kept in the audit trail.")
@_JSON
def show(request: str, jurisdiction: str, with_reporter: bool, reason: str, as_json: bool) -> None:
    """Show what staff need of REQUEST: place, texts, answers, media, history; with --reporter, also who sent it.

    REQUEST is a service_request_id, a token, a number or an id in another system. Requests of blackbox services
    have no service_request_id and no token.

    \b
    Example:
      open311 requests show 2026-0000042 --jurisdiction city.example
      open311 requests show 2026-0000042 --reporter --reason "Call back about the entrance."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        whole = read_whole_request(platform, city, request, principal=shell_user())
        view, sender = whole.view, None
        if with_reporter:
            why = reason or "open311 requests show --reporter"
            _, sender = read_reporter(platform, city, request, reason=why, principal=shell_user(), now=utc_now())
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
    for line in lines_of(view, whole.names, utc_now(), asks_for_reporter=with_reporter):
        say(line)
    for line in (*lines_of_photos(whole), *lines_of_personal_data(whole), *lines_elsewhere(whole)):
        say(line)


@requests.command()
@_JURISDICTION
@click.option("--most", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many to list.")
def without_id(jurisdiction: str, most: int) -> None:
    """List the newest requests without an id: those of blackbox services, and those that have only a token.

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
@click.option("--reason", default="", help="Why, without the name of the person; kept in the history.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask before erasing.")
def erase(request: str, jurisdiction: str, parts: tuple[str, ...], reason: str, is_sure: bool) -> None:
    """Erase parts of REQUEST permanently. Its history records what was erased.

    REQUEST is a service_request_id, a token, a number or an id in another system.

    With --part media, the photos that this server keeps are erased. The worker deletes their files, and tries again
    until they are gone; `open311 media check` shows how many photos still have files.

    Backups and files that others have downloaded still contain the erased parts. Dumps are made anew by the worker.
    Requests that were merged into REQUEST keep their copies of its notes; the command names them.

    \b
    Example:
      open311 requests erase 2026-0000042 --part reporter --part notes --reason "Letter of 1 March."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        wanted = [part for part in Erasable if part in parts]
        name = name_of(read_request(platform, city, request).record)
        if not is_sure:
            click.confirm(f"Erase {', '.join(wanted)} of {name} permanently?", abort=True)
        record = erase_from_request(
            platform, city, request, wanted, now=utc_now(), actor=str(shell_user()), reason=reason
        )
        copies = requests_with_copies(platform, city, record) if Erasable.NOTES in wanted else []
    say(f"{name_of(record)}: erased {', '.join(wanted)}.")
    for copy in copies:
        say(f"{name_of(copy)} is merged into it and may have copies of its notes; erase the notes of that one too.")


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
            record = act(platform, city, request, [order], principal=shell_user(), now=now)
            whole = read_whole_request(platform, city, record.number, principal=shell_user())
            copies = requests_with_copies(platform, city, record) if name == "hide" else []
        if as_json:
            say_json(json_of(plain_request(whole, now), is_indented=True))
            return
        say(text_of(whole, city.zone))
        for copy in copies:
            say(f"{name_of(copy)} is merged into it and may have copies of its texts; hide that request too.")

    decorated = _JSON(_JURISDICTION(order_options(name)(give)))
    reason = " It needs --reason." if command.needs_reason else ""
    known = "REQUEST is a service_request_id, a token, a number or an id in another system."
    example = f"\b\nExample:\n  open311 requests {_word(name)} 2026-0000042{example_of(name)}"
    return click.command(_word(name), help=f"{command.summary()}{reason}\n\n{known}\n\n{example}")(
        click.argument("request")(decorated)
    )


for _name, _command in commands().items():
    requests.add_command(_order_command(_name, _command))
