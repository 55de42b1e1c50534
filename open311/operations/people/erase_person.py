"""Erase what a city has about a person, and prove it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from open311.domain.access import Principal
from open311.domain.erasures import marks_of
from open311.domain.events import Erasable, Erased
from open311.domain.people import Person
from open311.domain.photos import Photo, is_address_of
from open311.domain.requests import RequestRecord
from open311.operations.masking import Mask
from open311.operations.media.erasing import defer_deletion, erase_originals_of_updates, erase_photos_of_updates
from open311.operations.people.named import Recipient, checked_reason, recipients_of
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import Change, cause_of_following, change_requests, publish_supported
from open311.operations.workflow.erase_request import blank_texts, erasing, photos_erased
from open311.plugins import Jurisdiction
from open311.storage import audit, followers, history, people, requests, sms, supporters, updates
from open311.storage.audit import Entry
from open311.storage.engine import Connection, undeadlocked
from open311.storage.updates import Received

ERASE_PERSON = "reporter.erase"
ASKED = "a person asked for it"
"""The cause of the events of these erasures."""
AT_ONCE = 200
"""How many requests one transaction changes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedPart:
    """What one transaction has erased, or would erase.

    erasure  the id of the whole erasure, which the entries of the audit trail have too
    numbers  the numbers of the requests
    names    the ids of the requests; for a request without an id, its number
    rows     how many rows held something that was erased, by the table, or by the table and its column
    systems  the back offices that got the person's data, or may have got them, with the names of the fields
    copies   ids of other requests: those that were merged into one of `numbers` and have copies of its notes
    photos   how many photos have files that the worker deletes after the commit
    last     the number of the last request, after which the next part begins
    is_last  whether nothing is left
    """

    erasure: str
    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    rows: Counter[str] = field(default_factory=Counter)
    systems: Sequence[Recipient] = ()
    copies: tuple[str, ...] = ()
    photos: int = 0
    last: int = 0
    is_last: bool = True


class _Undone(Exception):
    """Raised to roll back a dry run."""


def erase_person(
    platform: Platform,
    city: Jurisdiction,
    person: Person,
    *,
    with_texts: bool = False,
    reason: str,
    principal: Principal,
    now: datetime,
    is_dry_run: bool = False,
    after: int = 0,
) -> Iterator[ErasedPart]:
    """Erase what the city has about a person. Yields what each transaction has erased; at least one part.

    The person's name, email address, phone number and ids are erased from requests and updates, and so are the
    originals of photos, because their metadata may name the person. With `with_texts`, these are erased too: the
    descriptions, answers, photos and notes of requests that the person sent, the personal data in the addresses of
    their places, and the person's comments on requests of others with the photos of these comments. The counts of
    requests do not change; the number of a request's supporters can grow, see `_erase`. Each part has an entry in
    the audit trail, which says what was erased where, but not whose data it was. A dry run rolls back each
    transaction.

    after  the number of a request: only requests with higher numbers
    Raises Forbidden and Invalid: see `checked_reason`.
    """
    why = checked_reason(principal, city, person, reason)
    eraser = _Eraser(platform, city, person, with_texts, why, principal, now, str(uuid4()))
    while True:
        part = eraser.try_part(after) if is_dry_run else eraser.erase_part(after)
        yield part
        if part.is_last:
            return
        after = part.last


@dataclass(frozen=True, slots=True)
class _Eraser:
    platform: Platform
    city: Jurisdiction
    person: Person
    with_texts: bool
    reason: str
    principal: Principal
    now: datetime
    erasure: str

    def erase_part(self, after: int) -> ErasedPart:
        def once() -> ErasedPart:
            with self.platform.database.transaction() as connection:
                return self._part(connection, after)

        return undeadlocked(once)

    def try_part(self, after: int) -> ErasedPart:
        """What would be erased. All statements run, so that the numbers are right, and are rolled back."""
        found = ErasedPart(erasure=self.erasure)
        try:
            with self.platform.database.transaction() as connection:
                found = self._part(connection, after)
                raise _Undone
        except _Undone:
            return found

    def _part(self, connection: Connection, after: int) -> ErasedPart:
        city = self.city
        numbers = people.numbers_of(connection, city.id, self.person, after=after, rows=AT_ONCE + 1)
        records = requests.load_numbers(connection, city.id, numbers[:AT_ONCE], is_locked=True)
        own = people.reporters_of(connection, city.id, list(records), self.person)
        sent = people.updates_of(connection, city.id, list(records), self.person)
        systems = recipients_of(self.platform, connection, city, own)
        copies = self._copies(connection, [records[number] for number in own]) if self.with_texts else ()
        parts = [Erasable.REPORTER, *(_TEXTS if self.with_texts else ())]
        by_others = [one for one in sent if one.request_id not in own]
        photos = photos_erased(connection, city, list(own), parts)
        photos += (theirs := self._photos_of(connection, by_others))
        rows, after_them = self._erase(connection, records, own, sent, parts, theirs)
        rows["media"] += len(photos)
        part = ErasedPart(
            erasure=self.erasure,
            numbers=tuple(record.number for record in after_them),
            names=tuple(record.service_request_id or str(record.number) for record in after_them),
            rows=+rows,
            systems=systems,
            copies=copies,
            photos=defer_deletion(self.platform, connection, photos, self.now, erasure=self.erasure),
            last=max(records, default=after),
            is_last=len(numbers) <= AT_ONCE,
        )
        audit.add_entry(connection, self._entry(part))
        return part

    def _erase(
        self,
        connection: Connection,
        records: Mapping[int, RequestRecord],
        own: Collection[int],
        sent: Sequence[Received],
        parts: Collection[Erasable],
        photos: Sequence[Photo],
    ) -> tuple[Counter[str], list[RequestRecord]]:
        """Erase the person from requests. Returns how many rows of each table changed, and the changed requests.

        photos  the photos that came with the person's updates of requests of others
        """
        mine = [records[number] for number in own]
        by_others = [one for one in sent if one.request_id not in own]
        shared: dict[str, Any] = {"now": self.now, "actor": str(self.principal), "cause": ASKED}
        cleared = [self._cleared(record) for record in mine]
        changes = erasing(connection, self.city, cleared, parts, **shared)
        changes += self._comment_events(connection, records, by_others, photos)
        rows = blank_texts(connection, self.city, mine, parts)
        rows["service_request.address"] += sum(one is not old for one, old in zip(cleared, mine, strict=True))
        rows["reporter"] += people.delete_reporters(connection, self.city.id, own)
        rows["follower"] += self._without_mail(connection, records, own)
        rows["sms"] += sms.remove_from(connection, self.city.id, list(own))
        rows["supporter"] += supporters.forget(connection, self.city.id, self.person, list(records))
        if self.with_texts:
            places = [(one.request_id, one.version) for one in by_others]
            rows["request_event"] += history.blank_comments(connection, self.city.id, places)
            rows["public_update"] += updates.blank_public_changes(connection, self.city.id, places)
            rows["public_update.media_url"] += updates.blank_public_media_of(connection, self.city.id, places)
            rows["received_update.media_urls"] += updates.blank_media_of(connection, self.city.id, by_others)
        rows["received_update"] += people.blank_senders(connection, self.city.id, sent)
        names = names_for(connection, self.city)
        after = change_requests(connection, changes, names)
        # The digest is gone, so a person who supported a request and also one merged into it is counted twice from
        # now on.
        if rows["supporter"]:
            publish_supported(connection, {record.merged_into for record in records.values()} - {0}, names)
        return rows, after

    def _without_mail(
        self, connection: Connection, records: Mapping[int, RequestRecord], own: Collection[int]
    ) -> int:
        """Delete the rows that make the person a follower, and the mails that wait because of these rows.

        The person may follow requests or filters. Returns the number of rows, without the mails.

        If the person wants no mail at all, the digest of the address stays: otherwise the city might write again.
        """
        city = self.city.id
        count = followers.remove_from(connection, city, list(own), reporters_only=True)
        left = followers.of_person(connection, city, self.person, list(records))
        left += followers.subscribed(connection, city, self.person.email)
        return count + followers.remove(connection, city, [one.id for one in left])

    def _cleared(self, record: RequestRecord) -> RequestRecord:
        """The request without personal data in its address, if texts are erased. The rest of the address stays."""
        address = record.place.address
        cleared = Mask.of(record, self.city).cleared(address) if self.with_texts and address else address
        return record if cleared == address else replace(record, place=replace(record.place, address=cleared))

    def _photos_of(self, connection: Connection, sent: Sequence[Received]) -> list[Photo]:
        """Erase the photos that updates brought, or only their originals if texts stay. Returns these photos."""
        versions: dict[int, set[int]] = {}
        for one in sent:
            versions.setdefault(one.request_id, set()).add(one.version)
        erase = erase_photos_of_updates if self.with_texts else erase_originals_of_updates
        return [
            photo for number, some in versions.items() for photo in erase(connection, self.city.id, number, some)
        ]

    def _comment_events(
        self,
        connection: Connection,
        records: Mapping[int, RequestRecord],
        sent: Sequence[Received],
        photos: Sequence[Photo],
    ) -> list[Change]:
        """The events for requests of others on which the person commented, with the marks of these comments.

        photos  the photos that the person's updates brought
        """
        numbers = sorted({one.request_id for one in sent})
        versions = {(one.request_id, one.version) for one in sent}
        known = history.load_histories(connection, self.city.id, numbers) if self.with_texts and numbers else {}
        event = Erased(at=self.now, actor=str(self.principal), cause=ASKED, what=(Erasable.REPORTER,))
        changes: list[Change] = []
        for number in numbers:
            texts = [
                one.note
                for one in known.get(number, ())
                if one.kind in history.COMMENTS and (number, one.version) in versions
            ]
            marks = marks_of(texts, records[number].erasure_salt)
            addresses = self._addresses(records[number], photos) if self.with_texts else ()
            changes.append((records[number], [replace(event, marks=marks, addresses=addresses)]))
        return changes

    def _addresses(self, record: RequestRecord, photos: Iterable[Photo]) -> tuple[str, ...]:
        """The addresses at which a request shows some of these photos."""
        mine = [photo for photo in photos if photo.request_id == record.number]
        return tuple(url for url in record.media_urls if any(is_address_of(photo, url) for photo in mine))

    def _copies(self, connection: Connection, records: Sequence[RequestRecord]) -> tuple[str, ...]:
        found = {
            number
            for record in records
            for number in history.numbers_with_copies(connection, self.city.id, cause_of_following(record))
        }
        copied = requests.load_numbers(connection, self.city.id, sorted(found)) if found else {}
        return tuple(one.service_request_id or str(one.number) for _, one in sorted(copied.items()))

    def _entry(self, part: ErasedPart) -> Entry:
        """The proof: what was erased where. It does not say whose data it was."""
        systems = Counter(one.system for one in part.systems)
        return Entry(
            jurisdiction_id=self.city.id,
            at=self.now,
            actor=str(self.principal),
            act=ERASE_PERSON,
            subject=part.erasure,
            reason=self.reason,
            details={
                "found_by": list(self.person.named_by),
                "with_texts": self.with_texts,
                "requests": list(part.numbers),
                "rows": dict(sorted(part.rows.items())),
                "photos_to_delete": part.photos,
                "systems": dict(sorted(systems.items())),
            },
        )


_TEXTS = (Erasable.DESCRIPTION, Erasable.NOTES, Erasable.ANSWERS, Erasable.MEDIA)
