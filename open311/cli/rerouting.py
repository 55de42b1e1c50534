"""`open311 requests reroute`: moves open requests to the departments that the city's rules give them now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import click

from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.staff_view import name_of
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.operations.workflow.reroute_requests import Move, Rerouted, reroute_requests

EXAMPLES = 3
_HEADINGS = ("requests", "from", "to", "rule", "for example")


@click.command()
@click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
@click.option("--apply", "is_applied", is_flag=True, help="Move the requests. Without it, nothing is changed.")
def reroute(jurisdiction: str, is_applied: bool) -> None:
    """Show which open requests would move to another department by the city's rules of today, or move them.

    Use it after the city has changed its routes, or has given up a department or an area. Requests that a person
    has transferred or works on, and imported requests whose source names the department, stay where they are,
    unless their department does not exist any more. Each move is recorded in the history and is public at once.

    \b
    Example:
      open311 requests reroute --jurisdiction city.example
      open311 requests reroute --jurisdiction city.example --apply
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        found = list(reroute_requests(platform, city, now=utc_now(), actor=str(SHELL), is_dry_run=not is_applied))
    moves = [move for batch in found for move in batch.moves]
    if moves:
        say_table(_HEADINGS, _rows(moves))
    say(_summary(found, len(moves), is_applied=is_applied))


def _rows(moves: Iterable[Move]) -> list[tuple[str, ...]]:
    """A line for all requests that move in the same way, the most frequent way first."""
    alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for move in moves:
        old, route = move.request.department or "-", move.route
        way = (
            (old, route.department, route.reason) if route else (old, old, f"areas: {', '.join(move.areas) or '-'}")
        )
        alike[way].append(name_of(move.request))
    most_first = sorted(alike.items(), key=lambda item: -len(item[1]))
    return [(str(len(names)), *way, ", ".join(names[:EXAMPLES])) for way, names in most_first]


def _summary(found: Iterable[Rerouted], moved: int, *, is_applied: bool) -> str:
    batches = list(found)
    seen, kept, failed = (sum(getattr(batch, name) for batch in batches) for name in ("seen", "kept", "failed"))
    text = f"{moved} of {seen} open requests {'moved' if is_applied else 'would move'}."
    text += f" {kept} stay where a person or their source has put them." if kept else ""
    text += f" {failed} stay because the city's Python failed; the log says why." if failed else ""
    return text if is_applied or not moved else f"{text} Run the command with --apply to move them."
