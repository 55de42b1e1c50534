"""Publications: the public views of records. Each is written in the transaction that changes the record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from open311.domain.events import Event
from open311.domain.requests import (
    ExtendedAttributes,
    Extras,
    NamedAnswer,
    Note,
    PublicRequest,
    RequestRecord,
    Status,
)
from open311.domain.services import Service
from open311.domain.text import folded
from open311.formats import render_request
from open311.plugins import Jurisdiction
from open311.storage import catalogue, history, publications
from open311.storage.engine import Connection
from open311.storage.publications import Publication, text_search_language

ROWS_PER_TRANSACTION = 1_000
"""How many requests one transaction renders when all requests of a city are rendered again."""

__all__ = ["Names", "names_for", "publication_of", "publish_requests", "text_search_language"]


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


def extras_of(record: RequestRecord, names: Names, notes: Iterable[Note]) -> Extras:
    """The fields that `extensions=` can add. They never have the reporter, and only answers to public questions."""
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


def publication_of(record: RequestRecord, names: Names, notes: Iterable[Note]) -> Publication:
    """A record's publication; a tombstone if only staff can see the record."""
    if not record.visibility.is_shown:
        return Publication(record, None)
    shown = public_view(record, names)
    words = (shown.service_name, shown.description, shown.status_notes, record.place.address)
    return Publication(
        record,
        render_request(shown, extras_of(record, names, notes)),
        agency=shown.agency_responsible,
        words=folded(" ".join(words)),
        language=text_search_language(names.jurisdiction.languages[0]),
    )


def publish_requests(
    connection: Connection,
    records: Iterable[RequestRecord],
    names: Names,
    notes: Mapping[int, Sequence[Note]] | None = None,
) -> None:
    """Write the publications of records whose history is stored. A record without an id is not published yet (A14).

    notes  the complete public history of each record, by the record's number; None to read it from the database
    """
    shown = [record for record in records if record.service_request_id]
    if notes is None:
        numbers = [record.number for record in shown]
        notes = history.load_notes(connection, names.jurisdiction.id, numbers) if shown else {}
    publications.write_publications(
        connection, [publication_of(record, names, notes.get(record.number, ())) for record in shown]
    )
