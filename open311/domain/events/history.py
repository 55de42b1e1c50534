"""Reading stored events, and applying them to requests."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from open311.domain.events.base import Event, own_fields
from open311.domain.events.report import Imported, Received, VisibilityChanged
from open311.domain.events.work import ServiceChanged
from open311.domain.requests import RequestRecord, Visibility


@cache
def kinds() -> dict[str, type[Event]]:
    """Every kind of event, by the name under which its events are stored."""
    found: dict[str, type[Event]] = {}
    left = [Event]
    while left:
        children = left.pop().__subclasses__()
        found |= {child.kind: child for child in children}
        left += children
    return found


def read_event(kind: str, data: dict[str, Any], **envelope: Any) -> Event:
    """Make an event from its stored kind and data. Raises KeyError for an unknown kind."""
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
    """Build a request again from its whole history.

    record   the stored request; what events do not contain comes from it: the report itself, the id and the number
    history  all events of the request, the oldest first
    """
    found = history[0].begin(record)
    for event in history[1:]:
        found = event.restored(event.apply(found), record)
    return found


def visibility_before(history: Sequence[Event]) -> Visibility:
    """Who could see the request before it was hidden or moved to a service whose requests are private.

    history  all events of the request, the oldest first
    The result is PRIVATE if the request was private from the beginning, or if somebody made it private.
    """
    first = history[0]
    found = Visibility(first.visibility) if isinstance(first, Received | Imported) else Visibility.PUBLIC
    moves = {event.version for event in history if isinstance(event, ServiceChanged)}
    for event in history:
        if isinstance(event, VisibilityChanged) and not _is_cover(event, moves):
            found = Visibility(event.new)
    return found


def _is_cover(event: VisibilityChanged, moves: Collection[int]) -> bool:
    """Whether the event hides the request for now.

    Three events do so: `hide`; a move to a private service; and `show`, if the request is hidden and its service is
    private, because the request then becomes private and not public.

    moves  the versions of the request right after its changes of service; events of release 0.1 have the version 0
    """
    if event.new == Visibility.PRIVATE and event.version:
        return event.version in moves or event.old == Visibility.WITHDRAWN
    return event.new == Visibility.WITHDRAWN


def _value(kind: str, value: Any) -> Any:
    if value is not None and kind.startswith("datetime"):
        return datetime.fromisoformat(value)
    return tuple(value) if kind.startswith("tuple") else value
