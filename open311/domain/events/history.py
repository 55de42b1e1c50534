"""Reading stored events, and applying them to requests."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from open311.domain.events.base import Event, own_fields
from open311.domain.requests import RequestRecord


@cache
def kinds() -> dict[str, type[Event]]:
    """Every kind of event, by the name that it is stored under."""
    found: dict[str, type[Event]] = {}
    left = [Event]
    while left:
        children = left.pop().__subclasses__()
        found |= {child.kind: child for child in children}
        left += children
    return found


def read_event(kind: str, data: dict[str, Any], **envelope: Any) -> Event:
    """The event that is stored as this kind and data. KeyError for a kind that no release knows."""
    shape = kinds()[kind]
    own = own_fields(cast("Hashable", shape))
    known = {name: _value(own[name], value) for name, value in data.items() if name in own}
    return shape(**envelope | known)


def apply_all(record: RequestRecord, events: Iterable[Event]) -> RequestRecord:
    """The request after these events, in their order."""
    for event in events:
        record = event.apply(record)
    return record


def replay(record: RequestRecord, history: Sequence[Event]) -> RequestRecord:
    """The request as its history says it is, from the beginning.

    record   lends what events do not hold: the report itself, its id and its number
    history  whole, oldest first
    """
    found = history[0].begin(record)
    for event in history[1:]:
        found = event.restored(event.apply(found), record)
    return found


def _value(kind: str, value: Any) -> Any:
    if value is not None and kind.startswith("datetime"):
        return datetime.fromisoformat(value)
    return tuple(value) if kind.startswith("tuple") else value
