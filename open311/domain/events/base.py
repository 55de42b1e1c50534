"""The base of all kinds of events.

A request's history is its events. An event says who acted (`actor`), what led to the event (`cause`), and what
changed. The fields for what changed belong to the kind of event. They never hold personal data or texts that people
wrote: texts are stored apart from the events, so that texts can be erased and the events stay the same.

`apply` is the only place where an event changes a request, so a request is what its events say.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, cast

from open311.domain.requests import Priority, Progress, RequestRecord, Status
from schemas.values import format_instant

SYSTEM = "system"
REPORTER = "reporter"


MERGED = "merged"
"""The word that replaces the status when an open merged request is counted, because it is in no queue."""

Counted = tuple[str, str]
"""Where a request is counted: the code of its department, and its status or MERGED."""


def counted_as(status: str, *, is_merged: bool) -> str:
    """The status under which a request is counted; MERGED for an open request that is merged."""
    return MERGED if is_merged and status == Status.OPEN else status


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all kinds of events.

    at        when the event happened; an import may bring events of the past
    actor     who acted: a principal such as `key:3`, the `reporter`, or the `system`
    cause     what led to the event, such as a row of a file; "" if only the actor did
    version   the version that the request had after the event; 0 until the event is stored
    note      what somebody wrote, stored apart from the other fields; "" for none, and after an erasure
    reason    why the actor did this, for staff only; stored apart and erased like a note

    Each kind has three class attributes:

    kind       the name under which its events are stored; it never changes
    is_public  whether the public sees its events as notes of the request
    has_text   whether its events have a `note`; an erasure of notes blanks the note
    """

    kind: ClassVar[str]
    is_public: ClassVar[bool] = False
    has_text: ClassVar[bool] = False

    at: datetime
    actor: str = SYSTEM
    cause: str = ""
    version: int = 0
    note: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse a note if the kind has no text: such a note would be neither stored nor erased."""
        if self.note and not self.has_text:
            raise TypeError(f"an event of the kind {self.kind!r} has no text; set has_text in its class")

    @property
    def data(self) -> dict[str, Any]:
        """The fields that this kind adds to those of `Event`, as values for JSON."""
        return {name: plain(getattr(self, name)) for name in own_fields(cast("Hashable", type(self)))}

    @property
    def description(self) -> str:
        """The event in one line, for staff and, if the event is public, for the notes of the request."""
        return self.note

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """Where the request was counted before the event, and where it is counted now; None for nowhere."""
        return None, None

    @property
    def takes_back(self) -> bool:
        """Whether the public cannot read something any more that it could read before."""
        return False

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request after this event."""
        return record

    def restored(self, record: RequestRecord, stored: RequestRecord) -> RequestRecord:  # noqa: ARG002
        """Used by replay: copies from the stored request what events do not contain.

        record  the request after this event, without those parts
        stored  the stored request
        """
        return record

    def begin(self, record: RequestRecord) -> RequestRecord:
        """The request right after this event, if the event is the first of the history."""
        return self.apply(record)


def touched(record: RequestRecord, at: datetime, *, is_update: bool = False) -> RequestRecord:
    """Set the time of the last change, and for an open request also that of the last update.

    is_update  set the time of the last update for a closed request too
    """
    is_shown = is_update or record.status is Status.OPEN
    return replace(
        record,
        updated_at=max(at, record.requested_at) if is_shown else record.updated_at,
        changed_at=max(at, record.changed_at),
    )


def unseen(record: RequestRecord, at: datetime) -> RequestRecord:
    """Set only the time of the last change, because the public does not see what changed."""
    return replace(record, changed_at=max(at, record.changed_at))


@cache
def defaults(shape: Hashable) -> dict[str, Any]:
    """The fields that a kind of event adds to those of `Event`, each with its default."""
    own = own_fields(shape)
    return {field.name: field.default for field in fields(cast("Any", shape)) if field.name in own}


@cache
def own_fields(shape: Hashable) -> dict[str, str]:
    """The fields that a kind of event declares itself, each with the text of its type.

    A kind may declare a field of `Event` again: `Routed` stores the routing rule in `reason`. Such a field is
    stored like the other fields of the kind.
    """
    kind = cast("Any", shape)
    envelope = {field.name for field in fields(Event)}
    own = {
        name for one in kind.__mro__[: kind.__mro__.index(Event)] for name in vars(one).get("__annotations__", ())
    }
    return {row.name: str(row.type) for row in fields(kind) if row.name not in envelope or row.name in own}


NOT_BEGUN: dict[str, Any] = {
    "progress": Progress.NONE,
    "progress_detail": "",
    "assignee": "",
    "scheduled_at": None,
    "held_since": None,
}
"""The values of the fields about the work before the work begins."""
AT_FIRST: dict[str, Any] = {
    **NOT_BEGUN,
    "priority": Priority.NORMAL,
    "merged_into": 0,
    "outcome": "",
    "unmasked": (),
}
"""The values that a new request has in the fields about the work on it."""


def plain(value: Any) -> Any:
    return format_instant(value) if isinstance(value, datetime) else value
