"""The base of all kinds of events.

A request's history is its events. Each says who acted (`actor`), what led to it (`cause`), and in fields of its own
what changed. Those fields never hold personal data or what people wrote: texts are kept apart, so that they can be
erased without rewriting history.

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
"""What an open request counts as while it is merged into another one: it waits in no queue."""

Counted = tuple[str, str]
"""Where a request is counted: the code of its department, and its status or MERGED."""


def counted_as(status: str, *, is_merged: bool) -> str:
    """What a request counts as."""
    return MERGED if is_merged and status == Status.OPEN else status


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all kinds.

    at        when it happened; an import may tell about the past
    actor     who acted: a principal such as `key:3`, the `reporter`, or the `system`
    cause     what led to it, such as a file's row; "" where nobody asked
    version   the version of the request that it led to; 0 until it is stored
    note      what somebody wrote, stored apart from the other fields; "" for none, and after an erasure
    reason    why the actor did it, for staff only; stored apart and erased like a note

    Each kind says three things about itself:

    kind       the name under which its events are stored; it never changes
    is_public  whether the public sees its events as notes of the request
    has_text   whether its events have a `note`; an erasure of notes blanks it
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
        """Refuse a text where the kind has none, because it would be neither stored nor erased."""
        if self.note and not self.has_text:
            raise TypeError(f"an event of the kind {self.kind!r} has no text; set has_text in its class")

    @property
    def data(self) -> dict[str, Any]:
        """Its own fields, as JSON has them."""
        return {name: plain(getattr(self, name)) for name in own_fields(cast("Hashable", type(self)))}

    @property
    def description(self) -> str:
        """What to say about it in one line: in the notes, if it is public, and to staff."""
        return self.note

    @property
    def counted(self) -> tuple[Counted | None, Counted | None]:
        """Where the request was counted before, and where it is now; None for nowhere."""
        return None, None

    def apply(self, record: RequestRecord) -> RequestRecord:
        """The request after this event."""
        return record

    def restored(self, record: RequestRecord, lent: RequestRecord) -> RequestRecord:  # noqa: ARG002
        """The request right after this event in a replay. `lent`: the stored request, for what no event holds."""
        return record

    def begin(self, record: RequestRecord) -> RequestRecord:
        """The request right after this event, if its history begins with it."""
        return self.apply(record)


def touched(record: RequestRecord, at: datetime, *, is_update: bool = False) -> RequestRecord:
    """The request, changed at an instant, which is shown as its last update unless it is closed."""
    is_shown = is_update or record.status is Status.OPEN
    return replace(
        record,
        updated_at=max(at, record.requested_at) if is_shown else record.updated_at,
        changed_at=max(at, record.changed_at),
    )


@cache
def defaults(shape: Hashable) -> dict[str, Any]:
    """The fields that a kind has beside those of all events, each with its default."""
    own = own_fields(shape)
    return {field.name: field.default for field in fields(cast("Any", shape)) if field.name in own}


@cache
def own_fields(shape: Hashable) -> dict[str, str]:
    """The fields that a kind declares beside those of all events, each with its type as it is written.

    A kind may declare a field of all events again, such as the routing rule in `reason`. It is then kept like the
    kind's other fields.
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
"""The fields of the work, as they are before it begins."""
AT_FIRST: dict[str, Any] = {**NOT_BEGUN, "priority": Priority.NORMAL, "merged_into": 0, "outcome": ""}
"""The fields that only staff change, as they are in a new request."""


def plain(value: Any) -> Any:
    return format_instant(value) if isinstance(value, datetime) else value
