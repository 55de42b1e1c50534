"""Stores matched rows: new requests and changes to stored requests, with their histories and publications.

A request's history gets an event of kind `imported` for each row that makes or changes the request. The event tells
staff the file, the row and the repairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from open311.domain.events import Imported
from open311.domain.imports import Conflict, Mending, Refusal
from open311.domain.requests import RequestRecord
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.operations.importing.areas import AreaMap
from open311.operations.importing.matching import MatchedRow
from open311.operations.importing.merging import (
    Differences,
    Past,
    decide,
    differences,
    events_between,
    is_same_request,
    merge_report,
    without_erased,
)
from open311.operations.importing.nearby import possible_duplicates
from open311.operations.platform import Platform
from open311.operations.publishing import Names, names_for
from open311.operations.workflow.apply import Change, add_requests, change_requests
from open311.storage import catalogue, requests
from open311.storage.engine import Connection
from open311.storage.history import load_histories
from schemas.values import format_instant


class BatchWriter:
    """Stores the rows of a batch in the caller's transaction, and counts the results."""

    def __init__(
        self, platform: Platform, connection: Connection, areas: AreaMap, *, origin: str, now: datetime
    ) -> None:
        self._platform = platform
        self._connection = connection
        self._jurisdiction = areas.jurisdiction
        self._areas = areas
        self._origin = clean_text(origin)
        self._now = now
        self.new = self.changed = self.unchanged = 0
        self.conflicts: list[Conflict] = []
        self.refusals: list[Refusal] = []
        self.mended: Counter[Mending] = Counter()
        self._repeated: set[str] = set()
        self._silent: dict[str, list[Imported]] = {}
        """Id that comes twice in the batch -> the events of its rows that changed nothing.

        They are stored if a later row changes the request, so that a second import recognises these rows.
        """

    def write(self, rows: Sequence[MatchedRow]) -> None:
        """Store rows in their order. If an id comes twice, the later row may change what the earlier row stored."""
        catalogue.add_retired_services(self._connection, self._jurisdiction.id, _retired_services(rows))
        names = names_for(self._connection, self._jurisdiction)
        named = [_with_other_name(row, names) for row in rows]
        self.mended.update(kind for row in named for kind in row.mended)
        parts = list(_without_repeats(named))
        self._repeated = {row.id for part in parts[1:] for row in part}
        for part in parts:
            self._write(part, names)

    def _write(self, rows: Sequence[MatchedRow], names: Names) -> None:
        """Store rows with different ids."""
        stored = requests.load_records(self._connection, self._jurisdiction.id, sorted(row.id for row in rows))
        self._add([row for row in rows if row.id not in stored], names)
        self._change([(stored[row.id], row) for row in rows if row.id in stored], names)

    def _add(self, rows: list[MatchedRow], names: Names) -> None:
        rows.sort(key=lambda row: row.id)  # the same order in all imports avoids deadlocks
        numbers = self._platform.process.numbers.many(self._platform.database.hot, len(rows))
        numbered = dict(zip(numbers, rows, strict=True))
        records = self._records(numbered)
        kept = requests.add_records(self._connection, records)
        added = [record for record in records if record.number in kept]
        events = ([self._brought(numbered[record.number], record)] for record in added)
        add_requests(self._connection, zip(added, events, strict=True), names)
        self.new += len(added)
        if len(added) < len(rows):  # another import has stored the other rows meanwhile; change those
            self._write([row for number, row in numbered.items() if number not in kept], names)

    def _records(self, numbered: Mapping[int, MatchedRow]) -> list[RequestRecord]:
        """Records of new rows, with their areas and possible duplicates."""
        rows = list(numbered.values())
        areas = self._areas.look_up([row.request.place for row in rows])
        duplicates = possible_duplicates(self._connection, self._jurisdiction, rows)
        return [
            row.record(number, areas=where, possible_duplicate_of=duplicates.get(row.id, ""))
            for (number, row), where in zip(numbered.items(), areas, strict=True)
        ]

    def _change(self, pairs: Sequence[tuple[RequestRecord, MatchedRow]], names: Names) -> None:
        """Merge rows into the stored records that they are about."""
        changes = [self._merged(*one, names) for one in self._differing(pairs)]
        change_requests(self._connection, changes, names)

    def _differing(
        self, pairs: Sequence[tuple[RequestRecord, MatchedRow]]
    ) -> list[tuple[RequestRecord, MatchedRow, Imported, Differences]]:
        """The rows that change a request, each with its event and its differences. Other rows are only counted."""
        differing = []
        for before, row in pairs:
            if not is_same_request(before, row):
                self.refusals.append(_refusal(before, row))
            elif found := differences(before, row):
                differing.append((before, row, found))
            else:
                self._leave(row)
        numbers = [before.number for before, _, _ in differing]
        histories = load_histories(self._connection, self._jurisdiction.id, numbers) if numbers else {}
        to_store = []
        for before, row, found in differing:
            imported, past = self._changed_by(row), Past.of(histories[before.number])
            kept = without_erased(before, found, past)
            if len(kept) < len(found):
                self.mended[Mending.STAYS_ERASED] += 1
            counts, conflicts = decide(row, imported, kept, past)
            if conflicts:
                self.conflicts.append(Conflict(row.position, row.id, " ".join(conflicts), row.line))
            elif counts:
                self.changed += 1
            else:
                self._leave(row)
            if counts:
                to_store.append((before, row, imported, counts))
        return to_store

    def _leave(self, row: MatchedRow) -> None:
        """Count a row that changes nothing."""
        self.unchanged += 1
        if row.id in self._repeated:
            self._silent.setdefault(row.id, []).append(self._changed_by(row))

    def _merged(
        self, before: RequestRecord, row: MatchedRow, imported: Imported, found: Differences, names: Names
    ) -> Change:
        """The stored record with the row's changes to the report, and the events for the other changes."""
        after = merge_report(before, found)
        is_moved = after.place.point != before.place.point
        areas = self._areas.look_up([after.place])[0] if is_moved else before.areas
        earlier = self._silent.pop(row.id, [])
        return after, [*earlier, *events_between(before, row, imported, found, names, areas)]

    def _brought(self, row: MatchedRow, record: RequestRecord) -> Imported:
        """The event that says that a row made a new request."""
        return Imported(
            at=self._now,
            cause=f"{self._origin}, row {row.position}",
            is_new=True,
            status=record.status,
            department=record.department,
            agency=record.agency_responsible,
            expected=record.expected_at,
            updated=record.updated_at,
            changed=record.changed_at,
            is_dated=row.request.is_dated,
            has_notes=bool(record.status_notes),
            is_triage=record.is_triage,
            mended=_remarks(row),
            visibility=record.visibility,
        )

    def _changed_by(self, row: MatchedRow) -> Imported:
        """The event that says what a row has about a stored request."""
        request = row.request
        return Imported(
            at=self._now,
            cause=f"{self._origin}, row {row.position}",
            status=request.status,
            department=row.route.department,
            agency=request.agency,
            expected=request.expected_at,
            changed=request.changed_at,
            is_dated=request.is_dated,
            mended=_remarks(row),
        )


def _remarks(row: MatchedRow) -> tuple[str, ...]:
    """The repairs in a row, and the code and name of its service in the source if the request has others."""
    remarks = [str(mending) for mending in row.mended]
    if row.source_code != row.service.code:
        remarks.append(f"its service_code in the source: {row.source_code}")
    if Mending.OTHER_NAME in row.mended:
        remarks.append(f"its service_name in the source: {row.request.service_name}")
    return tuple(remarks)


def _refusal(before: RequestRecord, row: MatchedRow) -> Refusal:
    """Why a row cannot change the stored record that has its id."""
    reason = f"is already the id of another request, which was made here at {format_instant(before.requested_at)}."
    return Refusal(row.position, row.id, str(Invalid(reason, "service_request_id")), row.line)


def _with_other_name(row: MatchedRow, names: Names) -> MatchedRow:
    """The row. It is marked if the code of its retired service already has another name."""
    name = row.request.service_name
    if row.is_listed or not name or names.service(row.service.code) == name:
        return row
    return replace(row, mended=(*row.mended, Mending.OTHER_NAME))


def _without_repeats(rows: Sequence[MatchedRow]) -> Iterator[list[MatchedRow]]:
    """The rows in their order, divided into parts. Within a part, no id repeats."""
    left = list(rows)
    while left:
        first: dict[str, MatchedRow] = {}
        left = [row for row in left if first.setdefault(row.id, row) is not row]
        yield list(first.values())


def _retired_services(rows: Sequence[MatchedRow]) -> dict[str, str]:
    """Code that the catalogue lacks -> first name in the rows. Sorted, so that two imports do not deadlock."""
    names = {row.service.code: row.service.name for row in reversed(rows) if not row.is_listed}
    return dict(sorted(names.items()))
