"""Erasure of texts and personal data in a request. The history stays and records what was erased."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from open311.domain.erasures import marks_of
from open311.domain.events import SYSTEM, Erasable, Erased, Event
from open311.domain.requests import RequestRecord
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import cause_of_following, change_requests, load_request
from open311.plugins import Jurisdiction
from open311.storage import history, requests, updates


def erase_from_request(
    platform: Platform,
    jurisdiction: Jurisdiction,
    name: str,
    parts: Collection[Erasable],
    *,
    now: datetime,
    actor: str = SYSTEM,
) -> RequestRecord:
    """Erase parts of a request from the record, its history and its publication, in one transaction.

    An event is written even if there was nothing to erase, because it proves that somebody asked for the erasure.
    Backups, downloaded files and existing dumps still contain the erased parts.

    name  the request's service_request_id, its token or its number
    Raises NotFound for an unknown name.
    """
    event = Erased(at=now, actor=actor, what=tuple(part for part in Erasable if part in parts))
    with platform.database.transaction() as connection:
        before = load_request(connection, jurisdiction, name)
        history_before = history.load_events(connection, jurisdiction.id, before.number)
        event = replace(event, marks=_marks(before, event, history_before))
        if Erasable.NOTES in parts:
            history.blank_notes(connection, jurisdiction.id, before.number)
            updates.blank_public(connection, jurisdiction.id, before.number)
        if Erasable.MEDIA in parts:
            updates.blank_media(connection, jurisdiction.id, before.number)
        if Erasable.REPORTER in parts:
            requests.delete_reporter(connection, jurisdiction.id, before.number)
            updates.blank_senders(connection, jurisdiction.id, before.number)
        [after] = change_requests(connection, [(before, [event])], names_for(connection, jurisdiction))
    return after


def requests_with_copies(
    platform: Platform, jurisdiction: Jurisdiction, record: RequestRecord
) -> list[RequestRecord]:
    """The requests that followed this one and still have texts that may be those of its notes."""
    cause = cause_of_following(record)
    with platform.database.reading() as connection:
        numbers = history.numbers_with_copies(connection, jurisdiction.id, cause)
        return [load_request(connection, jurisdiction, number, is_locked=False) for number in numbers]


def _marks(record: RequestRecord, event: Erased, events: Sequence[Event]) -> tuple[str, ...]:
    """The marks of what the event erases, in the record and in the texts of its history."""
    values = [getattr(record, name) for name in event.emptied]
    if Erasable.NOTES in event.what:
        values += [former.note for former in events if former.has_text]
    return marks_of(values, record.erasure_salt)
