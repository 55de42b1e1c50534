"""The only place where requests change: it applies events and writes row, history, outbox and publication.

All changes to stored requests use `change_requests`: those of staff, imports, tokens and maintenance. New requests
use `add_requests`. A POST instead uses `storage.hot.submissions`, which stores one request in one statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from open311.domain.events import Event, NoteAdded, StatusChanged, apply_all
from open311.domain.requests import RequestRecord, Status
from open311.domain.workflow import Outcome, word_of
from open311.errors import NotFound
from open311.operations.publishing import Names, notes_of, publish_requests
from open311.operations.workflow.texts import text_for
from open311.plugins import Jurisdiction
from open311.storage import history, requests, tokens, updates
from open311.storage.engine import Connection
from open311.storage.updates import NewUpdate
from schemas.texts import tell

Change = tuple[RequestRecord, Sequence[Event]]
"""A request before its change, and the events that change it."""


def load_request(
    connection: Connection, jurisdiction: Jurisdiction, name: str | int, *, is_locked: bool = True
) -> RequestRecord:
    """Load a request. Raises NotFound for an unknown name.

    name       its service_request_id, else its token, else its number: requests of blackbox services have no id,
               and those of batch services have none at first. An int is the number and nothing else
    is_locked  whether the request is locked until the transaction ends, which everybody needs who changes it
    """
    load = partial(requests.load_record, connection, jurisdiction.id, is_locked=is_locked)
    if isinstance(name, int):
        record = load(number=name)
    else:
        record = load(service_request_id=name) if name else None
        if record is None and (number := tokens.number_of(connection, jurisdiction.id, name) or _number(name)):
            record = load(number=number)
    if record is None:
        raise NotFound(tell("{id!r} is not a request here.", id=str(name)[:60]), "service_request_id")
    return record


def _number(name: str) -> int:
    return int(name) if re.fullmatch(r"\d{1,18}", name, re.ASCII) else 0


def change_requests(connection: Connection, changes: Iterable[Change], names: Names) -> list[RequestRecord]:
    """Apply events to stored requests, in the caller's transaction. Returns the changed requests, in this order.

    The requests that were merged into one of them follow it when it is closed or opened again.
    The caller has loaded the requests and thereby locked them. Raises Conflict if a request was changed since.
    """
    asked = list(changes)
    applied = [_applied(*change) for change in asked]
    following = list(_followers(connection, applied, names.jurisdiction))
    befores = [before for before, _ in (*asked, *following)]
    everything = [*applied, *(_applied(*change) for change in following)]
    for after, _ in everything:
        requests.save_record(connection, after)
    history.insert_histories(connection, everything)
    publish_requests(connection, [after for after, _ in everything], names)
    updates.add_public(connection, _public_updates(befores, everything))
    return [after for after, _ in applied]


def _public_updates(befores: Iterable[RequestRecord], applied: Iterable[Change]) -> Iterator[NewUpdate]:
    """What the public can read of these changes: another word for the state, or a text."""
    for before, (after, events) in zip(befores, applied, strict=True):
        texts = [event.note for event in events if event.is_public and event.note]
        word = word_of(after)
        if after.visibility.is_shown and after.service_request_id and (texts or word != word_of(before)):
            yield NewUpdate(
                jurisdiction_id=after.jurisdiction_id,
                request_id=after.number,
                version=after.version,
                at=max(event.at for event in events),
                status=word,
                description="\n".join(texts),
            )


def _applied(before: RequestRecord, events: Sequence[Event]) -> Change:
    return replace(apply_all(before, events), version=before.version + 1), events


def _followers(connection: Connection, applied: Iterable[Change], jurisdiction: Jurisdiction) -> Iterator[Change]:
    """The events of the requests that were merged into those whose status has changed."""
    moved = {
        after.number: (after, event)
        for after, events in applied
        for event in events
        if isinstance(event, StatusChanged)
    }
    if not moved:
        return
    jurisdiction_id = next(iter(moved.values()))[0].jurisdiction_id
    for child in requests.load_merged(connection, jurisdiction_id, list(moved)):
        parent, event = moved[child.merged_into]
        if child.number not in moved and child.status != parent.status:
            yield child, list(_following(child, parent, event, jurisdiction))


def cause_of_following(parent: RequestRecord) -> str:
    """The cause of the events of requests that follow this one."""
    return f"merged into {parent.service_request_id or parent.number}"


def _following(
    child: RequestRecord, parent: RequestRecord, event: StatusChanged, jurisdiction: Jurisdiction
) -> Iterator[Event]:
    """A request gets the text of the other one only if the public sees that one too."""
    shared: dict[str, Any] = {"at": event.at, "actor": event.actor, "cause": cause_of_following(parent)}
    yield StatusChanged(
        **shared,
        old=child.status,
        new=parent.status,
        department=child.department,
        outcome=parent.outcome,
        is_merged=True,
    )
    note = parent.status_notes if parent.visibility.is_shown else ""
    if not note and parent.status is Status.CLOSED:
        note = text_for(jurisdiction, child, parent.outcome or Outcome.UNKNOWN, event.at)
    if note and note != child.status_notes:
        yield NoteAdded(**shared, note=note)


def add_requests(connection: Connection, added: Iterable[Change], names: Names) -> None:
    """Write the histories and publications of requests that the caller has just stored."""
    new = list(added)
    history.insert_histories(connection, new)
    publish_requests(
        connection,
        [record for record, _ in new],
        names,
        {record.number: notes_of(events) for record, events in new},
    )
