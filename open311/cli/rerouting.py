"""`open311 requests reroute`: moves open requests to the departments that the city's rules give them now."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from open311.cli.output import say, say_table
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.cli.staff_view import name_of
from open311.clock import utc_now
from open311.operations.access.staff import find_stranded
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

    Use it after the city has changed its routes, or has given up a department or an area. A request in an area that
    is gone gets the areas of the present map. Requests that a person has transferred or works on, and imported
    requests whose source names the department, stay where they are, unless their department does not exist any
    more. The command reports how many requests leave a department that a person or a source has chosen, and how
    many lose an assignee or the state of their work, because the new department begins anew. Each move is recorded
    in the history and is public at once.

    \b
    Example:
      open311 requests reroute --jurisdiction city.example
      open311 requests reroute --jurisdiction city.example --apply
    """
    result, actor = _Result(), str(shell_user())
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        for batch in reroute_requests(platform, city, now=utc_now(), actor=actor, is_dry_run=not is_applied):
            result.add(batch)
        stranded = [one for one in find_stranded(platform) if one.account.jurisdiction_id == city.id]
    if result.ways:
        say_table(_HEADINGS, result.rows())
    say(result.summary(is_applied=is_applied))
    for one in stranded:
        say(f"Look at {one}.")


@dataclass
class _Result:
    """The results of all batches together.

    ways      (from, to, rule) -> how many requests move in this way, and the names of the first ones
    begun     how many of the requests that move lose the state of their work
    assigned  how many of the requests that move lose their assignee
    chosen    how many of the requests that move leave a department that a person or a source has chosen
    """

    ways: dict[tuple[str, str, str], tuple[int, list[str]]] = field(default_factory=dict)
    seen: int = 0
    kept: int = 0
    failed: int = 0
    begun: int = 0
    assigned: int = 0
    chosen: int = 0

    def add(self, batch: Rerouted) -> None:
        """Count a batch."""
        self.seen += batch.seen
        self.kept += batch.kept
        self.failed += batch.failed
        self.begun += sum(move.is_begun for move in batch.moves)
        self.assigned += sum(move.is_assigned for move in batch.moves)
        self.chosen += sum(move.is_chosen for move in batch.moves)
        for move in batch.moves:
            number, names = self.ways.get(_way(move), (0, []))
            self.ways[_way(move)] = number + 1, [*names, name_of(move.request)][:EXAMPLES]

    def rows(self) -> list[tuple[str, ...]]:
        """A line for each way, the most frequent one first."""
        most_first = sorted(self.ways.items(), key=lambda item: -item[1][0])
        return [(str(number), *way, ", ".join(names)) for way, (number, names) in most_first]

    def summary(self, *, is_applied: bool) -> str:
        """How many requests move, and how many stay against the rules."""
        moved = sum(number for number, _ in self.ways.values())
        text = f"{moved} of {self.seen} open requests {'moved' if is_applied else 'would move'}."
        text += self._lost()
        text += f" {self.kept} stay where a person or their source has put them." if self.kept else ""
        text += f" {self.failed} stay because the city's Python failed; the log says why." if self.failed else ""
        return text if is_applied or not moved else f"{text} Run the command with --apply to move them."

    def _lost(self) -> str:
        """What the requests that move lose; "" if they lose nothing."""
        parts = (
            f"{self.begun} in progress or on hold" if self.begun else "",
            f"{self.assigned} assigned" if self.assigned else "",
            f"{self.chosen} put there by a person or their source" if self.chosen else "",
        )
        named = ", ".join(filter(None, parts))
        return f" Of these, {named}; the new department begins anew." if named else ""


def _way(move: Move) -> tuple[str, str, str]:
    old = move.request.department or "-"
    if move.route is None:
        return old, old, f"areas: {', '.join(move.areas) or '-'}"
    return old, move.route.department, move.route.reason
