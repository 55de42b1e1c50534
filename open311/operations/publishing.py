"""Publications: the public views of records. Each is written in the transaction that changes the record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from open311.domain.events import Event
from open311.domain.origins import Origin, written
from open311.domain.requests import (
    ExtendedAttributes,
    Extras,
    NamedAnswer,
    Note,
    PublicRequest,
    RequestRecord,
    Status,
    Visibility,
)
from open311.domain.services import Service
from open311.domain.text import folded
from open311.domain.workflow import Outcome
from open311.formats import render_request
from open311.operations.masking import masked_request
from open311.operations.workflow.texts import text_for
from open311.plugins import Jurisdiction
from open311.storage import catalogue, history, origins, publications, requests, supporters
from open311.storage.engine import Connection
from open311.storage.publications import Publication, text_search_language

ROWS_PER_TRANSACTION = 1_000
"""How many requests one transaction renders when all requests of a city are rendered again."""

__all__ = ["Names", "names_for", "publication_of", "publish_requests", "text_search_language", "without_hidden"]


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a jurisdiction's catalogue, and the names of its retired services."""

    jurisdiction: Jurisdiction
    retired: Mapping[str, str]

    def service(self, code: str) -> str:
        """A service's name; its code if no name is known."""
        current = self.jurisdiction.service(code)
        if current is not None and current.code == code:
            return current.name
        return self.retired.get(code) or code

    def agency(self, record: RequestRecord) -> str:
        """The name of the responsible agency: the name from the import, otherwise the department's name."""
        if record.agency_responsible or not record.department:
            return record.agency_responsible
        try:
            return self.jurisdiction.department(record.department).name
        except KeyError:
            return record.department


def names_for(connection: Connection, jurisdiction: Jurisdiction) -> Names:
    """The names that rendering needs. The names of retired services come from the database."""
    return Names(jurisdiction, catalogue.read_service_names(connection, jurisdiction.id))


def public_view(record: RequestRecord, names: Names) -> PublicRequest:
    """The standard's fields of a record."""
    return PublicRequest(
        service_request_id=record.service_request_id,
        status=record.status,
        status_notes=record.status_notes,
        service_code=record.service_code,
        service_name=names.service(record.service_code),
        description=record.description,
        agency_responsible=names.agency(record),
        service_notice=record.service_notice,
        requested_at=record.requested_at,
        updated_at=record.updated_at,
        expected_at=record.expected_at,
        place=record.place,
        media_url=record.media_urls[0] if record.media_urls else "",
    )


def extras_of(
    record: RequestRecord, names: Names, notes: Iterable[Note], origin: Origin | None = None, supporters: int = 0
) -> Extras:
    """The fields that `extensions=` can add.

    They have no data of the reporter, and only the answers to public questions.
    """
    service = names.jurisdiction.service(record.service_code)
    return Extras(
        extended_attributes=ExtendedAttributes(
            detailed_status=names.jurisdiction.progress_name(record) or record.detailed_status,
            outcome=record.outcome,
            channel=record.channel,
            closed_at=record.updated_at if record.status is Status.CLOSED else None,
            department=record.department,
            group=service.group if service else "",
            areas=record.areas,
            media_urls=record.media_urls,
            possible_duplicate_of=record.possible_duplicate_of,
            supporters=supporters,
            origin=origin.url if origin else "",
            via=written(origin.via) if origin else "",
        ),
        notes=tuple(notes),
        attributes=tuple(_public_answers(record, service)) if service else (),
    )


def _public_answers(record: RequestRecord, service: Service) -> Iterator[NamedAnswer]:
    answers = {answer.code: answer.values for answer in record.answers if answer.is_asked}
    for attribute in service.attributes if answers else ():
        values = answers.get(attribute.code) if attribute.is_public else None
        choices = {choice.key: choice.name for choice in attribute.values} if values else {}
        for value in values or ():
            yield NamedAnswer(attribute.code, attribute.description, value, choices.get(value, value))


def notes_of(events: Iterable[Event]) -> list[Note]:
    """The public part of a history."""
    return [Note(event.at, event.kind, event.description) for event in events if event.is_public]


def publication_of(
    record: RequestRecord, names: Names, notes: Iterable[Note], origin: Origin | None = None, supporters: int = 0
) -> Publication:
    """A record's publication, with its texts masked; a tombstone if the public cannot read the record."""
    if record.visibility is Visibility.PRIVATE:
        return Publication(record, None)
    record, notes, kinds = masked_request(record, notes, names.jurisdiction)
    if not record.visibility.is_shown:
        return Publication(record, None, personal_data=kinds)
    shown = public_view(record, names)
    words = (shown.service_name, shown.description, shown.status_notes, record.place.address)
    return Publication(
        record,
        render_request(shown, extras_of(record, names, notes, origin, supporters)),
        agency=shown.agency_responsible,
        words=folded(" ".join(words)),
        language=text_search_language(names.jurisdiction.languages[0]),
        personal_data=kinds,
    )


def publish_requests(
    connection: Connection,
    records: Iterable[RequestRecord],
    names: Names,
    notes: Mapping[int, Sequence[Note]] | None = None,
) -> None:
    """Write the publications of records whose history is stored. A record without an id is not published yet (A14).

    notes  only for new records, which have no publication, origin or supporters yet: the public history of each, by
           the record's number. None for other records: then notes, origins and supporters are read from the
           database
    """
    city = names.jurisdiction.id
    shown = [record for record in records if record.service_request_id]
    numbers = [record.number for record in shown]
    found: Mapping[int, Origin] = {}
    people: Mapping[int, int] = {}
    write = publications.add_publications
    if notes is None:
        notes = history.load_notes(connection, city, numbers) if shown else {}
        found = origins.load(connection, city, numbers) if shown else {}
        people = supporters.count(connection, city, numbers) if shown else {}
        write = publications.write_publications
    named = [record.possible_duplicate_of for record in shown if record.possible_duplicate_of]
    hidden = requests.hidden_among(connection, city, named)
    public = [without_hidden(record, notes.get(record.number, ()), names, hidden) for record in shown]
    write(
        connection,
        [
            publication_of(record, names, said, found.get(record.number), people.get(record.number, 0))
            for record, said in public
        ],
    )


def without_hidden(
    record: RequestRecord, notes: Sequence[Note], names: Names, hidden: Collection[str]
) -> tuple[RequestRecord, Sequence[Note]]:
    """A record and its notes. If `possible_duplicate_of` names a hidden request, both lose the id of that request.

    hidden  the ids of hidden requests
    A text that names the hidden request is replaced by the city's text for duplicates, which names none.
    """
    name = record.possible_duplicate_of
    if name not in hidden:
        return record, notes
    neutral = text_for(names.jurisdiction, record, Outcome.DUPLICATE, record.updated_at)
    public_notes = [replace(note, description=neutral) if name in note.description else note for note in notes]
    status_notes = neutral if name in record.status_notes else record.status_notes
    return replace(record, possible_duplicate_of="", status_notes=status_notes), public_notes
