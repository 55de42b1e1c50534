"""Filters of a queue in a JSON body. A filter has the name of a queue's parameter, and a string as its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open311.errors import Invalid, Problem
from schemas.staff import QueueArguments
from schemas.texts import tell

_WITHOUT = ("jurisdiction_id", "cursor", "page_size")
MOST_CHARACTERS = 2_000


def read_filters(filters: Mapping[str, Any], field: str = "filters") -> dict[str, Any]:
    """The values of all parameters of a queue. Raises Invalid for an unknown filter and for a faulty value."""
    schema = QueueArguments()
    problems = list(_problems(filters, schema, field))
    if not problems:
        values, found = schema.read({name: [value] for name, value in filters.items()})
        problems = [Problem(f"{field}.{name}", text) for name, text in found]
        if not problems:
            return values
    raise Invalid.of(problems)


def _problems(filters: Mapping[str, Any], schema: QueueArguments, field: str) -> list[Problem]:
    known = [name for name in schema.parameters if name not in _WITHOUT]
    found = []
    for name, value in filters.items():
        if name not in known:
            fault = tell("is unknown; a queue has {known}.", known=", ".join(known))
            found.append(Problem(f"{field}.{name[:40]}", fault))
        elif not isinstance(value, str) or len(value) > MOST_CHARACTERS:
            fault = tell(
                "is no text, or is too long; send a string of at most {most} characters.", most=MOST_CHARACTERS
            )
            found.append(Problem(f"{field}.{name}", fault))
    return found
