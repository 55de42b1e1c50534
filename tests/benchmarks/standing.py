"""Makes the table of all goals with their newest figures, from the pages of runs in spec/benchmarks.

`python -m tests.benchmarks.standing` writes `spec/benchmarks/goals.md`. A test compares the file with the pages,
and the goals with those that the benchmark measures.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.benchmarks.beside import GOAL as BESIDE_GOAL
from tests.benchmarks.contestants import ROOT
from tests.benchmarks.report import Run, goals
from tests.benchmarks.tables import table

PAGES = ROOT / "spec" / "benchmarks"
PAGE = PAGES / "goals.md"
NOT_MEASURED = "not measured since it exists"
_NAME = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)-(?:(?P<rows>\d+)(?P<unit>[km])\b)?")
_COMMIT = re.compile(r"^\| code \| (\S+) \||\b[Cc]ommit ([0-9a-f]{7,}(?:-dirty)?)", re.MULTILINE)
_BESIDE = re.compile(
    r"^\| (a page of 50 requests|one request)(?: \| [\d.]+){2} \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$",
    re.MULTILINE,
)
_UNITS = {"k": 1_000, "m": 1_000_000}
_MISSED = "missed"

_OFFSET = "OFFSET reads what it skips; the links use cursors"
_VIEWS = ", compared with a 50-row page"
WHY = {
    "slowest filter or pair of filters, SQL": "words that every tenth request has: each candidate's row is read,"
    " because no index has both the words and the order",
    "the same page by its number, compared with the first page": _OFFSET,
    "page after 80 % of all requests, compared with the first page": _OFFSET,
    "rate of the CSV export, compared with psql's COPY of the same columns": "a cursor waits while a batch is sent",
    "import with validation, routing and publication": "COPY, the indexes and the text search vector alone need"
    " more than two cores have",
    "POST, compared with naive, which inserts one row": "we write six rows; see the goal for the same rows",
    "one request, compared with FastAPI's": "our server, libpq and the log line do more than FastAPI's, which has"
    " no log line and no ETag",
    f"page: what can be reported{_VIEWS}": "a template renders 82 services",
    f"page: one request{_VIEWS}": "a template, the history and the photos; the page of 50 is sent as it was stored",
    f"page: numbers, another year each time{_VIEWS}": "the template alone costs more, and PostgreSQL takes"
    " half of the whole (0039)",
    f"stats.json by department, another year each time{_VIEWS}": "the first answer of a minute sums 43 rows of each"
    " department and finds two percentiles (0039)",
    f"tiles of zoom 12, a common service{_VIEWS}": "the page of 50 became cheaper, and the tile did not",
    f"tiles of zoom 16{_VIEWS}": "the cells of the index are 16 times as large as the tile (0040)",
    "memory of two workers after pages, statistics and tiles": "copies of shared pages (0021)",
    "time from start to first answer, ten jurisdictions": "0.9 s on a quiet machine, of which imports take 0.64 s",
}
"""Goal -> why it is missed, in short. The README says more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest figure of a goal. `page` is "" if no page has one."""

    goal: str
    wanted: str
    found: str
    verdict: str
    page: str = ""
    commit: str = ""
    rows: int = 0

    @property
    def is_missed(self) -> bool:
        return _MISSED in self.verdict


def measured_goals() -> Iterator[tuple[str, str]]:
    """The goals of `make bench` as they are now: text and what is wanted."""
    empty = Run(cast("Any", None), cast("Any", None), 0, is_quick=False)
    for goal in goals(empty):
        yield goal.text, goal.wanted


def standings(folder: Path = PAGES) -> list[Standing]:
    """The newest figure of each goal. If several pages have the same day, the page with the most rows counts."""
    newest: dict[str, Standing] = {}
    pages = [page for page in folder.glob("*.md") if _NAME.match(page.name)]
    for page in sorted(pages, key=_age):
        newest |= {one.goal: one for one in _of_page(page)}
    wanted = dict(measured_goals())
    missing = [Standing(goal, limit, "–", NOT_MEASURED) for goal, limit in wanted.items() if goal not in newest]
    order = {goal: place for place, goal in enumerate(wanted)}
    return sorted([*newest.values(), *missing], key=lambda one: (order.get(one.goal, len(order)), one.goal))


def _age(page: Path) -> tuple[str, int, int]:
    """The order of the pages. Of two pages with the same day and rows, the page of a run of some parts is newer."""
    return page.name[:10], _rows(page), len(page.name)


def _rows(page: Path) -> int:
    match = _NAME.match(page.name)
    return int(match["rows"]) * _UNITS[match["unit"]] if match and match["rows"] else 0


def _of_page(page: Path) -> Iterator[Standing]:
    """The goals in the table below the heading "Goals", or those of a page of reads during other work."""
    text = page.read_text(encoding="utf-8")
    _, _, section = text.partition("\n## Goals\n")
    commit = _COMMIT.search(text)
    known = next(filter(None, commit.groups())) if commit else ""
    for read, times, least, greatest in _BESIDE.findall(text):
        verdict = "reached" if float(times) <= BESIDE_GOAL else f"**{_MISSED}**"
        goal, found = f"{read}, {page.stem[11:]} at the same time", f"{times} times ({least}–{greatest})"
        yield Standing(goal, f"≤ {BESIDE_GOAL} times", found, verdict, page.name, known)
    for line in section.partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) >= 4 and cells[0] not in ("goal", "---"):
            yield Standing(cells[0], cells[1], cells[2], cells[3], page.name, known, _rows(page))


def page_of(found: list[Standing]) -> str:
    """The table as Markdown."""
    rows = (
        (
            one.goal,
            one.wanted,
            one.found,
            one.verdict + (f": {WHY.get(one.goal, '?')}" if one.is_missed else ""),
            f"{one.rows:,}" if one.rows else "–",
            one.commit or "–",
            f"[{one.page[:10]}]({one.page})" if one.page else "–",
        )
        for one in found
    )
    reached = sum(one.verdict.startswith("reached") for one in found)
    lines = [
        "# All goals, with their newest figures\n",
        "Made from the other pages by `python -m tests.benchmarks.standing`. Of the pages of one day, the one with",
        "most rows counts. A figure is the median of its rounds, with the least and the greatest in brackets.",
        f"{reached} of {len(found)} goals are reached. [README](README.md) says more about those that are not.\n",
        *table(["goal", "wanted", "found", "", "rows", "commit", "page"], rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page_of(standings()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
