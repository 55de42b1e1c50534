"""Taking in requests that were made elsewhere: mended, matched with the catalogue, stored a batch a transaction.

An id that is stored already is the same request: it stays as it is unless the row is newer, and then the row
changes it and its history says so. So an import that was stopped, or that brings a later state of the same data,
may simply run again. The rules for single rows are in `open311.domain.mending`.

Codes: a living service's own; an alias becomes its living service; a publisher without codes is matched by name;
whatever is left keeps its code and its name as a retired service (A69), so that no request has a code that nobody
can explain. The agency is the source's word. The history holds one entry of kind `imported`, for staff, with the
file, the row and what was mended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from open311.domain.attributes import Answer, AnswerPolicy, check_answers
from open311.domain.dates import format_instant
from open311.domain.imports import ImportedRequest, Mending, Refusal, SourceRow
from open311.domain.mending import mend
from open311.domain.requests import Event, RequestRecord, Status
from open311.domain.services import Service
from open311.domain.text import clean_text
from open311.errors import Invalid
from open311.operations.intake.check_submission import media_url_fault
from open311.operations.platform import Platform
from open311.operations.publishing import Names, names_for, publish_requests
from open311.plugins import Jurisdiction
from open311.storage import catalogue, requests
from open311.storage.engine import Connection

BATCH_ROWS = 2_000
KEPT_MATCHES = 1_000

T = TypeVar("T")
SOURCE = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What rows are imported into, and how.

    origin      what the history calls their source, such as a file's name
    is_dry_run  do everything and keep nothing
    """

    jurisdiction: Jurisdiction
    origin: str
    now: datetime
    batch_rows: int = BATCH_ROWS
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows were read and what became of them; `mended` counts rows by kind of dirt."""

    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    mended: Mapping[Mending, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            read=self.read + other.read,
            new=self.new + other.new,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            refused=self.refused + other.refused,
            mended=Counter(self.mended) + Counter(other.mended),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some rows, once they are stored for good."""

    tally: Tally
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A row that can be stored: mended, and matched with the catalogue.

    own_code  its service_code in the source
    """

    position: int
    request: ImportedRequest
    own_code: str
    service_code: str
    department: str
    media: tuple[str, ...]
    answers: tuple[Answer, ...]
    mended: tuple[Mending, ...]

    @property
    def id(self) -> str:
        """Its service_request_id."""
        return self.request.service_request_id


class _NothingKept(Exception):
    """Ends a dry run's transaction."""


def in_chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Rows in lists of a size, and what is left; before reading fails with Invalid, what came before."""
    chunk: list[T] = []
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) >= size:
                yield chunk
                chunk = []
    except Invalid:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def import_batch(platform: Platform, chunk: list[SourceRow | Refusal], order: Import, matches: Matches) -> Batch:
    """Import some rows in one transaction."""
    arrivals, refusals = _sort_out(chunk, order, matches)
    tally = Tally(read=len(chunk), mended=Counter(kind for arrival in arrivals for kind in arrival.mended))
    with suppress(_NothingKept), platform.database.transaction() as connection:
        store = _Store(platform, connection, order, arrivals)
        for wave in _waves(arrivals):
            store.take(wave)
        if order.is_dry_run:
            raise _NothingKept
    refusals = sorted([*refusals, *store.refusals], key=lambda refusal: refusal.position)
    return Batch(tally + store.tally + Tally(refused=len(refusals)), tuple(refusals))


def _sort_out(
    chunk: list[SourceRow | Refusal], order: Import, matches: Matches
) -> tuple[list[_Arrival], list[Refusal]]:
    arrivals: list[_Arrival] = []
    refusals: list[Refusal] = []
    for row in chunk:
        if isinstance(row, Refusal):
            refusals.append(row)
            continue
        try:
            arrivals.append(_arrival(row, order, matches))
        except Invalid as error:
            refusals.append(Refusal(row.position, clean_text(row.service_request_id.strip()), str(error)))
    return arrivals, refusals


def _waves(arrivals: list[_Arrival]) -> Iterator[list[_Arrival]]:
    """The arrivals in parts in which no id comes twice, in order: a repeated one changes the one before it."""
    left = arrivals
    while left:
        first: dict[str, _Arrival] = {}
        left = [arrival for arrival in left if first.setdefault(arrival.id, arrival) is not arrival]
        yield list(first.values())


# From a row to a record.


def _arrival(row: SourceRow, order: Import, matches: Matches) -> _Arrival:
    """What a row makes. Raises Invalid for one that cannot be kept."""
    city = order.jurisdiction
    request = mend(row, zone=city.zone, now=order.now, covers=city.covers)
    service = matches.service(request.service_codes, request.service_name if request.by_name else "")
    media = tuple([url for url in request.media if clean_text(url) == url and not media_url_fault(url)])
    own_code = _own_code(request)
    mended = request.mended
    if len(media) < len(request.media):
        mended += (Mending.BAD_MEDIA,)
    if service is None:
        mended += (Mending.UNLISTED_SERVICE,)
    elif request.service_codes and request.service_codes[0] != service.code:
        mended += (Mending.OLD_SERVICE,)
    return _Arrival(
        position=row.position,
        request=request,
        own_code=own_code,
        service_code=service.code if service else own_code,
        department=matches.department(request.agency_code, request.agency),
        media=media,
        answers=matches.answers(service.code, request.answers) if service and request.answers else (),
        mended=mended,
    )


def _own_code(request: ImportedRequest) -> str:
    """The code as the source has it, its name where it has none."""
    return request.service_codes[0] if request.service_codes else request.service_name


class Matches:
    """What a source's words mean in the catalogue. A file says few things many times, so answers are kept."""

    def __init__(self, city: Jurisdiction) -> None:
        self._city = city
        self.service = lru_cache(KEPT_MATCHES)(self._service)
        self.department = lru_cache(KEPT_MATCHES)(self._department)
        self.answers = lru_cache(KEPT_MATCHES)(self._answers)

    def _service(self, codes: tuple[str, ...], name: str) -> Service | None:
        """The living service by a code, else by its name; None if the catalogue has none."""
        for code in codes:
            found = self._city.service(code)
            if found is not None:
                return found
        wanted = name.casefold()
        if not wanted:
            return None
        return next((service for service in self._city.services if service.name.casefold() == wanted), None)

    def _department(self, code: str, name: str) -> str:
        """The department that the source means, by code or name; "" where it is none of the catalogue's."""
        wanted = name.casefold()
        for department in self._city.departments:
            if department.code == code or (wanted and department.name.casefold() == wanted):
                return department.code
        return ""

    def _answers(self, service_code: str, answers: tuple[tuple[str, str], ...]) -> tuple[Answer, ...]:
        """Those of the source's answers that the service asks for and can take."""
        service = self._city.require_service(service_code)
        sent = {code: (value,) for code, value in answers}
        found, _ = check_answers(service, sent, AnswerPolicy(zone=self._city.zone, accept_labels=True))
        return found


def _record(city: Jurisdiction, arrival: _Arrival, number: int = 0) -> RequestRecord:
    """The record that a row makes; without a number, to compare it with the one that is stored."""
    request = arrival.request
    return RequestRecord(
        jurisdiction_id=city.id,
        number=number,
        service_request_id=request.service_request_id,
        service_code=arrival.service_code,
        status=request.status,
        status_notes=request.status_notes,
        description=request.description,
        department=arrival.department,
        agency_responsible=request.agency,
        route_reason=SOURCE,
        service_notice=request.service_notice,
        requested_at=request.requested_at,
        updated_at=request.updated_at,
        changed_at=request.changed_at,
        expected_at=request.expected_at,
        place=request.place,
        is_outside=request.is_outside,
        media_urls=arrival.media,
        answers=arrival.answers,
        source=SOURCE,
    )


# From records to the database.


class _Store:
    """One batch's transaction: what it has stored so far, and what it could not store."""

    def __init__(
        self, platform: Platform, connection: Connection, order: Import, arrivals: Sequence[_Arrival]
    ) -> None:
        self._platform = platform
        self._connection = connection
        self._order = order
        self._origin = clean_text(order.origin)
        self._city = city = order.jurisdiction
        catalogue.add_retired_services(connection, city.id, _retired(city, arrivals))
        self._names: Names = names_for(connection, city)
        self.tally = Tally()
        self.refusals: list[Refusal] = []

    def take(self, wave: Sequence[_Arrival]) -> None:
        """Store arrivals, no two of one id: new ones, and newer ones."""
        stored = requests.load_records(self._connection, self._city.id, sorted(arrival.id for arrival in wave))
        self._add([arrival for arrival in wave if arrival.id not in stored])
        self._change(
            [
                (stored[arrival.id], _record(self._city, arrival), arrival)
                for arrival in wave
                if arrival.id in stored
            ]
        )

    def _add(self, arrivals: list[_Arrival]) -> None:
        arrivals.sort(key=lambda arrival: arrival.id)  # two imports at once wait for each other in one order
        numbers = self._platform.numbers.many(self._platform.database.hot, len(arrivals))
        numbered = dict(zip(numbers, arrivals, strict=True))
        records = [_record(self._city, arrival, number) for number, arrival in numbered.items()]
        kept = requests.add_records(self._connection, records)
        added = [record for record in records if record.number in kept]
        histories = {record.number: [self._imported(numbered[record.number])] for record in added}
        requests.insert_histories(self._connection, ((record, histories[record.number]) for record in added))
        publish_requests(self._connection, added, self._names, histories)
        self.tally += Tally(new=len(added))
        if len(added) < len(arrivals):  # somebody else stored them meanwhile; now they can be seen
            self.take([arrival for number, arrival in numbered.items() if number not in kept])

    def _change(self, known: Sequence[tuple[RequestRecord, RequestRecord, _Arrival]]) -> None:
        newer: list[tuple[RequestRecord, RequestRecord, _Arrival]] = []
        unchanged = 0
        for before, record, arrival in known:
            if not _is_same_request(before, record):
                self._refuse(before, arrival)
            elif _is_newer(before, record):
                newer.append((before, _merge(before, record), arrival))
            else:
                unchanged += 1
        for _, after, _ in newer:
            requests.save_record(self._connection, after)
        requests.insert_histories(
            self._connection,
            ((after, [*_events(before, after), self._imported(arrival)]) for before, after, arrival in newer),
        )
        publish_requests(self._connection, (after for _, after, _ in newer), self._names)
        self.tally += Tally(updated=len(newer), unchanged=unchanged)

    def _refuse(self, before: RequestRecord, arrival: _Arrival) -> None:
        reason = f"is the id of a request made here at {format_instant(before.requested_at)}, which is another one."
        error = Invalid(reason, "service_request_id")
        self.refusals.append(Refusal(arrival.position, before.service_request_id, str(error)))

    def _imported(self, arrival: _Arrival) -> Event:
        said = [f"{self._origin}, row {arrival.position}", *map(str, arrival.mended)]
        if arrival.own_code != arrival.service_code:
            said.append(f"its service_code there: {arrival.own_code}")
        return Event(self._order.now, "imported", "; ".join(said))


def _retired(city: Jurisdiction, arrivals: Sequence[_Arrival]) -> dict[str, str]:
    """Codes that the catalogue lacks with the names they come with, in one order for all imports."""
    names = {
        arrival.service_code: arrival.request.service_name or arrival.own_code
        for arrival in reversed(arrivals)
        if city.service(arrival.service_code) is None
    }
    return dict(sorted(names.items()))


def _is_same_request(before: RequestRecord, arrival: RequestRecord) -> bool:
    """Whether an id means the same request here and there; ids that we gave out may clash with a source's."""
    return before.source == SOURCE or before.requested_at == arrival.requested_at


def _is_newer(before: RequestRecord, arrival: RequestRecord) -> bool:
    """Whether a row says more than what is stored. Sources without a closing time only change their status."""
    if arrival.changed_at != before.changed_at:
        return arrival.changed_at > before.changed_at
    return arrival.status is Status.CLOSED and before.status is Status.OPEN


def _merge(before: RequestRecord, arrival: RequestRecord) -> RequestRecord:
    """The stored record as the newer row has it. What the row leaves out stays.

    Of a request that was made here, what the citizen sent stays too; the source only tells how it goes on.
    """
    progress = replace(
        before,
        status=arrival.status,
        status_notes=arrival.status_notes,
        department=arrival.department or before.department,
        agency_responsible=arrival.agency_responsible or before.agency_responsible,
        is_triage=before.is_triage and not arrival.department,
        updated_at=arrival.updated_at,
        changed_at=arrival.changed_at,
        expected_at=arrival.expected_at or before.expected_at,
    )
    if before.source != SOURCE:
        return progress
    is_placed = arrival.place.has_point or arrival.place.address
    return replace(
        progress,
        service_code=arrival.service_code,
        description=arrival.description or before.description,
        service_notice=arrival.service_notice or before.service_notice,
        requested_at=arrival.requested_at,
        place=arrival.place if is_placed else before.place,
        is_outside=arrival.is_outside if is_placed else before.is_outside,
        media_urls=arrival.media_urls or before.media_urls,
        answers=arrival.answers or before.answers,
    )


def _events(before: RequestRecord, after: RequestRecord) -> Iterator[Event]:
    """What a newer row changed, for everybody, at the time the source says."""
    if after.status != before.status:
        yield Event(after.updated_at, "status", after.status, is_public=True)
    if after.status_notes and after.status_notes != before.status_notes:
        yield Event(after.changed_at, "note", after.status_notes, is_public=True)
    if after.agency_responsible != before.agency_responsible:
        yield Event(after.changed_at, "transferred", after.agency_responsible, is_public=True)
