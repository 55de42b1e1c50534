"""Reading a point and its circle from lat, long and radius (A38)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from open311.domain.places import LIMITS, parse_degrees
from open311.errors import Invalid, Problem


def read_point(values: Mapping[str, str], *, is_required: bool = False) -> tuple[float, float] | None:
    """The (long, lat) point in degrees that a call names; None for none. Invalid with all that is wrong with it."""
    given = {name: values.get(name, "") for name in LIMITS}
    if not any(given.values()) and not is_required:
        return None
    problems: list[Problem] = []
    degrees: dict[str, float] = {}
    for name, text in given.items():
        try:
            degrees[name] = parse_degrees(name, text) if text else 0.0
        except ValueError as error:
            problems.append(Problem(name, str(error)))
        if not text:
            problems.append(Problem(name, "is missing; send lat and long together."))
    if problems:
        raise Invalid.of(problems)
    return (degrees["long"], degrees["lat"])


def read_whole_number(values: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number; its default where the call has none. Invalid for one out of range."""
    text = values.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise Invalid(f"{text[:40]!r} is not a whole number from {least} to {most}.", name)
    return int(text)
