"""The numbered requirements and decisions, read from spec/georeport-v2.md, which is their only home."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "georeport-v2.md"

_ROW = re.compile(r"^\| (C\d{3}) \| (MUST|SHOULD|MAY) \| (.+) \| ([^|]+) \|$")
_HEADING = re.compile(r"^## (.+)$")


class Level(IntEnum):
    """How binding a requirement is; the lower, the stronger."""

    MUST = 1
    SHOULD = 2
    MAY = 3


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the tables: `text` and `source` are Markdown."""

    number: str
    level: Level
    family: str
    text: str
    source: str


@cache
def requirements() -> dict[str, Requirement]:
    """All requirements by number, in the order of the page."""
    found: dict[str, Requirement] = {}
    family = ""
    for line in SOURCE.read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.match(line):
            family = heading[1]
        elif row := _ROW.match(line):
            found[row[1]] = Requirement(row[1], Level[row[2]], family, row[3], row[4])
    return found


def families() -> list[str]:
    """The families of requirements in the order of the page."""
    return list(dict.fromkeys(requirement.family for requirement in requirements().values()))
