"""Store updates of back offices as they come, before they are applied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from open311.domain.case import RemoteUpdate
from open311.domain.remote_updates import (
    FROM_CONTENT,
    KEEP,
    MOST_CHARACTERS_OF_NAMES,
    StoredUpdate,
    UpdateState,
    word_in,
)
from open311.domain.requests import MAX_DESCRIPTION_CHARACTERS
from open311.domain.text import clean_text
from open311.domain.workflow import MEANINGS, State
from open311.storage import deliveries, external_ids, remote_updates, requests
from open311.storage.deliveries import Place
from open311.storage.engine import Connection

WRONG_CLOCK = timedelta(days=1)
"""If the time of an update is further in the future than this, it is wrong, and the present time is used."""
MOST_MEDIA = 10
FIRST_LOOK = "the first look at the case"
"""The beginning of `cause` in the first snapshot of an open case. The status of this snapshot changes nothing."""


def store_updates(connection: Connection, place: Place, updates: Iterable[RemoteUpdate], now: datetime) -> int:
    """Store the updates that are not stored yet, the oldest first, and return their number.

    An update from before the time for which updates are kept may have been stored and deleted, so it is left out.
    """
    new = [_stored(connection, place, one, now) for one in updates if one.at is None or one.at > now - KEEP]
    return remote_updates.add(connection, sorted(new, key=lambda one: one.at or now))


def store_states(connection: Connection, place: Place, states: Iterable[RemoteUpdate], now: datetime) -> int:
    """Store the states of cases that differ from the last known ones, and return their number.

    The state of an open case that is seen for the first time is no news. If it counted as news, it would reopen a
    request that was closed here meanwhile.
    """
    return remote_updates.add(connection, list(_differing(connection, place, states, now)))


def _differing(
    connection: Connection, place: Place, states: Iterable[RemoteUpdate], now: datetime
) -> Iterator[StoredUpdate]:
    for state in states:
        found = _stored(connection, place, replace(state, update_id=""), now)
        found = replace(found, at=None, is_snapshot=True, digest=_digest(found.status, found.description))
        last = remote_updates.last_snapshot(connection, place, found.remote_id)
        if last is not None and last.digest == found.digest:  # not the texts, because the last one may be erased
            continue
        number = last.id if last else 0
        meaning = MEANINGS.get(word_in(found.status))
        if last is None and meaning is not None and meaning.state is State.ASSIGNED:
            found = replace(found, cause="; ".join(filter(None, (FIRST_LOOK, found.cause))))
        yield replace(found, update_id=_digest(found.update_id, str(number)))


def find_number(connection: Connection, place: Place, update: StoredUpdate) -> int:
    """The number of the request that an update is about; 0 if there is none.

    A back office can only name requests that were delivered to it, or whose id in the back office is stored.
    """
    city, backend = place
    if update.remote_id and (number := external_ids.number_of(connection, city, backend, update.remote_id)):
        return number
    if not update.reference:
        return 0
    if number := deliveries.number_of_key(connection, place, update.reference):
        return number
    record = requests.load_record(connection, city, service_request_id=update.reference, is_locked=False)
    if record is None:
        return 0
    sent = deliveries.of_requests(connection, city, [record.number])
    return record.number if any(one.backend == backend for one in sent) else 0


def _stored(connection: Connection, place: Place, update: RemoteUpdate, now: datetime) -> StoredUpdate:
    """The update as a row. If it is not to be applied, its request is set here: an erasure must find the update."""
    found = _row(place, update, now)
    if found.state is UpdateState.NEW:
        return found
    own = deliveries.number_of_key(connection, place, found.update_id)
    return replace(found, number=own or find_number(connection, place, found))


def _row(place: Place, update: RemoteUpdate, now: datetime) -> StoredUpdate:
    text = clean_text(update.description).strip()
    cut = text[:MAX_DESCRIPTION_CHARACTERS]
    causes = [update.fault] if update.fault else []
    if cut != text:
        causes.append(f"its text had {len(text)} characters and was cut to {len(cut)}")
    at = now if update.at and update.at > now + WRONG_CLOCK else update.at
    is_read = not update.fault
    return StoredUpdate(
        jurisdiction_id=place[0],
        backend=place[1],
        update_id=_update_id(update),
        remote_id=_name(update.remote_id),
        reference=_name(update.reference),
        status=_name(update.status),
        description=cut,
        media_urls=tuple(map(_name, update.media_urls[:MOST_MEDIA])),
        at=at,
        received_at=now,
        state=_state(update),
        due_at=now if is_read and not update.is_echo else None,
        is_unreadable=not is_read,
        cause="; ".join(causes),
    )


def _state(update: RemoteUpdate) -> UpdateState:
    if update.fault:
        return UpdateState.QUARANTINED
    return UpdateState.ECHO if update.is_echo else UpdateState.NEW


def _name(text: str) -> str:
    """A name or word of a back office, cleaned and cut so that it can be stored."""
    return clean_text(text).strip()[:MOST_CHARACTERS_OF_NAMES]


def _update_id(update: RemoteUpdate) -> str:
    """The id of the update. If it has none, or a too long one, the id is a digest of the content."""
    name = clean_text(update.update_id).strip()
    if 0 < len(name) <= MOST_CHARACTERS_OF_NAMES:
        return name
    at = update.at.isoformat() if update.at else ""
    own = (name, update.remote_id, update.reference, update.status, at, update.description, *update.media_urls)
    return _digest(*own)


def _digest(*parts: str) -> str:
    content = orjson.dumps([part.encode("utf-8", "replace").decode() for part in parts])
    return f"{FROM_CONTENT}{hashlib.sha256(content).hexdigest()[:40]}"
