"""Apply events to requests and write the rows, the histories, the outbox and the publications.

All changes to stored requests use `change_requests`: those by staff, imports, tokens and maintenance. New requests
use `add_requests`. A POST instead uses `storage.hot.submissions`, which stores one request in one statement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from open311.domain.events import Event, NoteAdded, StatusChanged, apply_all
from open311.domain.requests import RequestRecord, Status, Visibility
from open311.domain.workflow import REOPENED_TEXT, Outcome
from open311.errors import Conflict, NotFound
from open311.operations.publishing import Names, notes_of, publish_requests
from open311.operations.workflow.public_updates import mask_again, updates_of
from open311.operations.workflow.texts import text_for
from open311.plugins import Jurisdiction
from open311.storage import counted_requests, external_ids, history, requests, supporters, tokens, updates
from open311.storage.engine import Connection
from schemas.texts import tell

Change = tuple[RequestRecord, Sequence[Event]]
"""A request before its change, and the events that change it."""


def load_request(
    connection: Connection, jurisdiction: Jurisdiction, name: str | int, *, is_locked: bool = True
) -> RequestRecord:
    """Load a request. Raises NotFound for an unknown name, Conflict for an ambiguous one.

    name       the service_request_id, else the token, else the number, else the id in another system. An int is
               always the number. Not every request has a service_request_id: those of blackbox services never have
               one, and those of batch services have none at first
    is_locked  whether to lock the request until the transaction ends. Whoever changes the request must lock it
    """
    load = partial(requests.load_record, connection, jurisdiction.id, is_locked=is_locked)
    if isinstance(name, int):
        record = load(number=name)
    else:
        record = load(service_request_id=name) if name else None
        if record is None and (number := tokens.number_of(connection, jurisdiction.id, name) or _number(name)):
            record = load(number=number)
        if record is None and (number := _number_elsewhere(connection, jurisdiction, name)):
            record = load(number=number)
    if record is None:
        raise NotFound(tell("{id!r} is not a request here.", id=str(name)[:60]), "service_request_id")
    return record


def _number_elsewhere(connection: Connection, jurisdiction: Jurisdiction, name: str) -> int:
    """The number of the request that has this id in another system; 0 for none. Raises Conflict for several."""
    numbers = external_ids.numbers_named(connection, jurisdiction.id, name)
    if len(numbers) > 1:
        named = {"id": name[:60], "numbers": ", ".join(map(str, numbers))}
        fault = tell("{id!r} names several requests in other systems; use one of the numbers {numbers}.", **named)
        raise Conflict(fault, "service_request_id")
    return numbers[0] if numbers else 0


def _number(name: str) -> int:
    return int(name) if re.fullmatch(r"\d{1,18}", name, re.ASCII) else 0


def change_requests(connection: Connection, changes: Iterable[Change], names: Names) -> list[RequestRecord]:
    """Apply events to stored requests, in the caller's transaction.

    Returns the requests of `changes` as they are after the change, in the same order.

    If a request is closed or opened again, the requests that are merged into it are closed or opened again too.
    The caller must have loaded the requests with a lock. Raises Conflict if a request was changed since it was
    loaded.
    """
    asked = list(changes)
    applied = [_applied(*change) for change in asked]
    following = list(_followers(connection, applied, names.jurisdiction))
    befores = [before for before, _ in (*asked, *following)]
    everything = [*applied, *(_applied(*change) for change in following)]
    requests.save_records(connection, [after for after, _ in everything])
    history.insert_histories(connection, everything)
    publish_requests(connection, [after for after, _ in everything], names)
    _publish_naming(connection, befores, everything, names)
    _publish_parents(connection, befores, everything, names)
    visible = [(before, *change) for before, change in zip(befores, everything, strict=True)]
    updates.add_public(connection, updates_of(connection, visible, names.jurisdiction))
    remasked = [after for before, after, _ in visible if _mask(before) != _mask(after)]
    mask_again(connection, remasked, names.jurisdiction)
    return [after for after, _ in applied]


def _mask(record: RequestRecord) -> tuple[object, ...]:
    """What decides how the texts of a request are masked."""
    return record.service_code, record.unmasked


def _publish_naming(
    connection: Connection, befores: Sequence[RequestRecord], applied: Sequence[Change], names: Names
) -> None:
    """Publish again the requests that name a request that has become hidden or public."""
    changed = {after.number for after, _ in applied}
    for before, (after, _) in zip(befores, applied, strict=True):
        was_public, is_public = (one.visibility is Visibility.PUBLIC for one in (before, after))
        if was_public == is_public or not after.service_request_id:
            continue
        naming = _naming(connection, after, names.jurisdiction)
        publish_requests(connection, [one for one in naming if one.number not in changed], names)
        if not is_public:
            texts = {one.number: _neutral(one, after, names.jurisdiction) for one in naming}
            updates.replace_naming(connection, after.jurisdiction_id, after.service_request_id, texts)


def _publish_parents(
    connection: Connection, befores: Sequence[RequestRecord], applied: Sequence[Change], names: Names
) -> None:
    """Publish again the requests whose number of supporters has changed by a merge or an unmerge."""
    moved = [
        (before, after)
        for before, (after, _) in zip(befores, applied, strict=True)
        if before.merged_into != after.merged_into
    ]
    city = names.jurisdiction.id
    supported = supporters.count(connection, city, [after.number for _, after in moved]) if moved else {}
    parents = {one.merged_into for pair in moved for one in pair if one.number in supported} - {0}
    publish_supported(connection, parents, names)


def publish_supported(connection: Connection, numbers: Collection[int], names: Names) -> None:
    """Publish again requests whose number of supporters may have changed without an event of theirs."""
    if numbers:
        city = names.jurisdiction.id
        found = requests.load_numbers(connection, city, [*numbers], is_locked=True)
        publish_requests(connection, found.values(), names)
        counted_requests.note_support(connection, city, found)


def _naming(connection: Connection, after: RequestRecord, city: Jurisdiction) -> list[RequestRecord]:
    """The requests that name this one: those that are merged into it, and those that may repeat it."""
    children = requests.load_merged(connection, city.id, [after.number])
    others = requests.load_naming(connection, city.id, after.service_request_id)
    return list({one.number: one for one in (*children, *others)}.values())


def _neutral(record: RequestRecord, hidden: RequestRecord, city: Jurisdiction) -> str:
    return text_for(city, record, Outcome.DUPLICATE, hidden.changed_at)


def _applied(before: RequestRecord, events: Sequence[Event]) -> Change:
    return replace(apply_all(before, events), version=before.version + 1), events


def _followers(connection: Connection, applied: Iterable[Change], jurisdiction: Jurisdiction) -> Iterator[Change]:
    """The requests that are merged into requests whose status has changed, with the events that change them too."""
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


_FOLLOWING = "merged into "


def cause_of_following(parent: RequestRecord) -> str:
    """The cause of the events of requests that are merged into this one and change together with it."""
    return f"{_FOLLOWING}{parent.service_request_id or parent.number}"


def is_following(event: Event) -> bool:
    """Whether a merged request has the event because its parent was closed or reopened."""
    return event.cause.startswith(_FOLLOWING)


def _following(
    child: RequestRecord, parent: RequestRecord, event: StatusChanged, jurisdiction: Jurisdiction
) -> Iterator[Event]:
    """The events of a merged request when its parent was closed or opened again.

    The merged request gets the public text of its parent only if the public can see the parent.
    """
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
    if not note:
        moment = parent.outcome or Outcome.UNKNOWN if parent.status is Status.CLOSED else REOPENED_TEXT
        note = text_for(jurisdiction, child, moment, event.at)
    if note != child.status_notes:
        yield NoteAdded(**shared, note=note)


def add_requests(connection: Connection, added: Iterable[Change], names: Names) -> None:
    """Write the histories and publications of requests that the caller has just stored.

    added  each new request with its events
    """
    new = list(added)
    history.insert_histories(connection, new)
    publish_requests(
        connection,
        [record for record, _ in new],
        names,
        {record.number: notes_of(events) for record, events in new},
    )
