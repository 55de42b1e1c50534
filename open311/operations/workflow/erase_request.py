"""Erase texts and personal data of a request. The history stays and says what was erased."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.erasures import marks_of
from open311.domain.events import SYSTEM, Erasable, Erased, Event, emptied_by
from open311.domain.photos import Photo
from open311.domain.requests import RequestRecord
from open311.operations.media.erasing import defer_deletion, erase_originals, erase_photos
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import (
    Change,
    cause_of_following,
    change_requests,
    load_request,
    publish_supported,
)
from open311.plugins import Jurisdiction
from open311.storage import (
    deliveries,
    external_ids,
    followers,
    history,
    people,
    remote_updates,
    sms,
    supporters,
    updates,
)
from open311.storage.engine import Connection


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased.

    records  the requests after the erasure
    rows     how many rows held something that was erased, by the table, or by the table and its column
    photos   the photos whose files must be deleted
    """

    records: Sequence[RequestRecord]
    rows: Counter[str]
    photos: Sequence[Photo]


def erase_from_request(
    platform: Platform,
    jurisdiction: Jurisdiction,
    name: str,
    parts: Collection[Erasable],
    *,
    now: datetime,
    actor: str = SYSTEM,
    reason: str = "",
) -> RequestRecord:
    """Erase parts of a request from the record, its history and its publication, in one transaction.

    If photos are erased, the worker also deletes their files. If the reporter is erased, so are the originals of
    photos, because their metadata may tell who took them. A back office may have repeated any part of the request
    in its errors, so the causes of deliveries are also erased. An event is written even if there was nothing to
    erase, because it proves that somebody asked for the erasure. Backups and files that others have downloaded
    still contain the erased parts; the dumps are made anew.

    name    the request's service_request_id, token or number
    reason  why, for staff; kept in the history
    Raises NotFound for an unknown name.
    """
    with platform.database.transaction() as connection:
        before = load_request(connection, jurisdiction, name)
        erased = erase_parts(connection, jurisdiction, [before], parts, now=now, actor=actor, reason=reason)
        defer_deletion(platform, connection, erased.photos, now)
    [after] = erased.records
    return after


def erase_parts(
    connection: Connection,
    jurisdiction: Jurisdiction,
    records: Sequence[RequestRecord],
    parts: Collection[Erasable],
    *,
    now: datetime,
    actor: str = SYSTEM,
    cause: str = "",
    reason: str = "",
) -> Erasure:
    """Erase parts of many requests, in the transaction of the caller, who has locked them.

    In the same transaction, the caller must call `defer_deletion` for the photos of the result.
    """
    numbers = [record.number for record in records]
    changes = erasing(connection, jurisdiction, records, parts, now=now, actor=actor, cause=cause, reason=reason)
    rows = blank_texts(connection, jurisdiction, records, parts)
    if Erasable.REPORTER in parts:
        rows["reporter"] += people.delete_reporters(connection, jurisdiction.id, numbers)
        rows["follower"] += followers.remove_from(connection, jurisdiction.id, numbers)
        rows["sms"] += sms.remove_from(connection, jurisdiction.id, numbers)
        rows["supporter"] += supporters.forget_all(connection, jurisdiction.id, numbers)
        sent = people.updates_of(connection, jurisdiction.id, numbers)
        rows["received_update"] += people.blank_senders(connection, jurisdiction.id, sent)
    photos = photos_erased(connection, jurisdiction, numbers, parts)
    rows["media"] += len(photos)
    names = names_for(connection, jurisdiction)
    after = change_requests(connection, changes, names)
    if rows["supporter"]:  # a person who supported a request and also one merged into it now counts twice
        publish_supported(connection, {record.merged_into for record in records} - {0}, names)
    return Erasure(after, rows, photos)


def photos_erased(
    connection: Connection, jurisdiction: Jurisdiction, numbers: Sequence[int], parts: Collection[Erasable]
) -> list[Photo]:
    """Erase photos, or only their originals for the part REPORTER. Returns those with files to delete."""
    if not {Erasable.MEDIA, Erasable.REPORTER} & set(parts):
        return []
    erase = erase_photos if Erasable.MEDIA in parts else erase_originals
    return [photo for number in numbers for photo in erase(connection, jurisdiction.id, number)]


def erasing(
    connection: Connection,
    jurisdiction: Jurisdiction,
    records: Sequence[RequestRecord],
    parts: Collection[Erasable],
    *,
    now: datetime,
    actor: str,
    cause: str,
    reason: str = "",
) -> list[Change]:
    """The events that erase parts of requests. They must be made before the texts are erased."""
    what = tuple(part for part in Erasable if part in parts)
    event = Erased(at=now, actor=actor, cause=cause, reason=reason, what=what)
    numbers = [record.number for record in records]
    with_notes = Erasable.NOTES in parts
    histories = history.load_histories(connection, jurisdiction.id, numbers) if with_notes else {}
    return [
        (record, [replace(event, marks=_marks(record, event, histories.get(record.number, ())))])
        for record in records
    ]


def blank_texts(
    connection: Connection,
    jurisdiction: Jurisdiction,
    records: Sequence[RequestRecord],
    parts: Collection[Erasable],
) -> Counter[str]:
    """Erase texts and addresses of pictures outside the records. Returns how many rows had some, by table."""
    city, numbers, rows = jurisdiction.id, [record.number for record in records], Counter[str]()
    if Erasable.NOTES in parts:
        rows["request_event"] += history.blank_notes(connection, city, numbers)
        rows["public_update"] += updates.blank_public(connection, city, numbers)
        rows["remote_update"] += remote_updates.blank_texts(connection, city, numbers)
    if Erasable.MEDIA in parts:
        rows["public_update.media_url"] += updates.blank_public_media(connection, city, numbers)
        rows["received_update.media_urls"] += updates.blank_media(connection, city, numbers)
        rows["remote_update.media_urls"] += remote_updates.blank_media(connection, city, numbers)
    rows["delivery.cause"] += deliveries.blank_causes(connection, city, numbers)
    rows["external_id.digest"] += external_ids.forget_digests(connection, city, numbers)
    for record in records:
        filled = (getattr(record, name) for name in emptied_by(parts))
        rows["service_request"] += any(filled)
    return rows


def requests_with_copies(
    platform: Platform, jurisdiction: Jurisdiction, record: RequestRecord
) -> list[RequestRecord]:
    """The requests that were merged into this one and still have texts that may be copies of its notes."""
    cause = cause_of_following(record)
    with platform.database.reading() as connection:
        numbers = history.numbers_with_copies(connection, jurisdiction.id, cause)
        return [load_request(connection, jurisdiction, number, is_locked=False) for number in numbers]


def _marks(record: RequestRecord, event: Erased, events: Sequence[Event]) -> tuple[str, ...]:
    """The marks by which an import recognises the erased values of the record and of its history."""
    values = [getattr(record, name) for name in event.emptied]
    if Erasable.NOTES in event.what:
        values += [former.note for former in events if former.has_text]
    return marks_of(values, record.erasure_salt)
