"""Storing matched rows: new requests, and changes to stored ones, each with its history and its publication.

A request's history gets one event of kind `imported`, for staff, with the file, the row and what was mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from open311.domain.events import Imported
from open311.domain.imports import Refusal
from open311.domain.requests import RequestRecord
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.operations.importing.matching import MatchedRow
from open311.operations.importing.merging import events_between, is_newer, is_same_request, merge_intake
from open311.operations.platform import Platform
from open311.operations.publishing import Names, names_for
from open311.operations.workflow.apply import Change, add_requests, change_requests
from open311.plugins import Jurisdiction
from open311.storage import catalogue, requests
from open311.storage.engine import Connection
from schemas.values import format_instant


class BatchWriter:
    """Stores the rows of a batch in the caller's transaction, and counts what becomes of them."""

    def __init__(
        self, platform: Platform, connection: Connection, city: Jurisdiction, *, origin: str, now: datetime
    ) -> None:
        self._platform = platform
        self._connection = connection
        self._city = city
        self._origin = clean_text(origin)
        self._now = now
        self.new = self.updated = self.unchanged = 0
        self.refusals: list[Refusal] = []

    def write(self, rows: Sequence[MatchedRow]) -> None:
        """Store rows in their order; a row whose id came before may change what the earlier row stored."""
        catalogue.add_retired_services(self._connection, self._city.id, _retired_services(self._city, rows))
        names = names_for(self._connection, self._city)
        for part in _without_repeats(rows):
            self._write(part, names)

    def _write(self, rows: Sequence[MatchedRow], names: Names) -> None:
        """Store rows of which no two have the same id."""
        stored = requests.load_records(self._connection, self._city.id, sorted(row.id for row in rows))
        self._add([row for row in rows if row.id not in stored], names)
        self._change([(stored[row.id], row) for row in rows if row.id in stored], names)

    def _add(self, rows: list[MatchedRow], names: Names) -> None:
        rows.sort(key=lambda row: row.id)  # two imports at once wait for each other in one order
        numbers = self._platform.process.numbers.many(self._platform.database.hot, len(rows))
        numbered = dict(zip(numbers, rows, strict=True))
        records = [row.record(self._city.id, number) for number, row in numbered.items()]
        kept = requests.add_records(self._connection, records)
        added = [record for record in records if record.number in kept]
        events = ([self._imported(numbered[record.number], record, is_new=True)] for record in added)
        add_requests(self._connection, zip(added, events, strict=True), names)
        self.new += len(added)
        if len(added) < len(rows):  # another import has stored the others meanwhile; now they can be read
            self._write([row for number, row in numbered.items() if number not in kept], names)

    def _change(self, pairs: Sequence[tuple[RequestRecord, MatchedRow]], names: Names) -> None:
        """Merge rows into the stored records that they are about."""
        changes: list[Change] = []
        for before, row in pairs:
            imported = row.record(self._city.id)
            if not is_same_request(before, imported):
                self.refusals.append(_refusal(before, row))
            elif is_newer(before, imported):
                said = self._imported(row, imported, is_new=False)
                changes.append((merge_intake(before, imported), [*events_between(before, imported), said]))
            else:
                self.unchanged += 1
        change_requests(self._connection, changes, names)
        self.updated += len(changes)

    def _imported(self, row: MatchedRow, record: RequestRecord, *, is_new: bool) -> Imported:
        mended = [str(mending) for mending in row.mended]
        if row.source_code != row.service_code:
            mended.append(f"its service_code there: {row.source_code}")
        return Imported(
            at=self._now,
            cause=f"{self._origin}, row {row.position}",
            is_new=is_new,
            status=record.status,
            department=record.department,
            agency=record.agency_responsible,
            expected=record.expected_at,
            updated=record.updated_at,
            changed=record.changed_at,
            has_notes=bool(record.status_notes),
            mended=tuple(mended),
        )


def _refusal(before: RequestRecord, row: MatchedRow) -> Refusal:
    """Why a row cannot change the stored record that has its id."""
    reason = f"is the id of a request made here at {format_instant(before.requested_at)}, which is another one."
    return Refusal(row.position, row.id, str(Invalid(reason, "service_request_id")))


def _without_repeats(rows: Sequence[MatchedRow]) -> Iterator[list[MatchedRow]]:
    """The rows in parts, in their order; within a part no id repeats."""
    left = list(rows)
    while left:
        first: dict[str, MatchedRow] = {}
        left = [row for row in left if first.setdefault(row.id, row) is not row]
        yield list(first.values())


def _retired_services(city: Jurisdiction, rows: Sequence[MatchedRow]) -> dict[str, str]:
    """Codes that the catalogue lacks, with the names that the rows give them; sorted, for two imports at once."""
    names = {
        row.service_code: row.request.service_name or row.source_code
        for row in reversed(rows)
        if city.service(row.service_code) is None
    }
    return dict(sorted(names.items()))
