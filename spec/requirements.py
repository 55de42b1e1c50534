"""The numbered requirements and rules, read from spec/georeport-v2.md and spec/extensions.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "georeport-v2.md"
EXTENSIONS = Path(__file__).parent / "extensions.md"

_ROW = re.compile(r"^\| (C\d{3}) \| (MUST|SHOULD|MAY) \| (.+) \| ([^|]+) \|$")
_RULE = re.compile(r"^\| ([A-Z]{1,2}\d+) \| (.+) \|$")
_HEADING = re.compile(r"^## (.+)$")


class Level(IntEnum):
    """How binding a requirement is. A lower number is more binding."""

    MUST = 1
    SHOULD = 2
    MAY = 3


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of the tables. `text` and `source` are Markdown. The rules of our extensions have the level MAY."""

    number: str
    level: Level
    family: str
    text: str
    source: str


@cache
def requirements() -> dict[str, Requirement]:
    """All requirements by number, in the order of the two pages."""
    rows = (
        *(Requirement(row[1], Level[row[2]], family, row[3], row[4]) for family, row in _rows(SOURCE, _ROW)),
        *(Requirement(row[1], Level.MAY, family, row[2], "EXT") for family, row in _rows(EXTENSIONS, _RULE)),
    )
    return {requirement.number: requirement for requirement in rows}


def _rows(page: Path, form: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """The lines of a page that match `form`, each with the heading above it."""
    family = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.match(line):
            family = heading[1]
        elif row := form.match(line):
            yield family, row


def families() -> list[str]:
    """The families of requirements, in the order of the two pages."""
    return list(dict.fromkeys(requirement.family for requirement in requirements().values()))
