"""From the record to what the public sees, in the transaction that changes the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from open311.domain.requests import Record, ServiceRequest, Visibility
from open311.formats import VERSION, render, shape_of
from open311.plugins import Jurisdiction
from open311.storage import catalogue, editions, publications, requests
from open311.storage.catalogue import catalogue_digest
from open311.storage.engine import Connection
from open311.storage.publications import Publication
from schemas import ServiceRequestSchema

_SHAPE = shape_of(ServiceRequestSchema)
BATCH_ROWS = 500


@dataclass(frozen=True, slots=True)
class Names:
    """A jurisdiction's living names, and those of services that it has retired."""

    jurisdiction: Jurisdiction
    retired: Mapping[str, str]

    def service(self, code: str) -> str:
        """A service's name, its code if nobody knows one."""
        living = self.jurisdiction.service(code)
        if living is not None and living.code == code:
            return living.name
        return self.retired.get(code) or code

    def agency(self, record: Record) -> str:
        """Who is responsible, in words: what an import said, else the department's name."""
        if record.agency_responsible or not record.department:
            return record.agency_responsible
        try:
            return self.jurisdiction.department(record.department).name
        except KeyError:
            return record.department


def names_for(connection: Connection, jurisdiction: Jurisdiction) -> Names:
    """The names that rendering needs; asks the database for those of retired services."""
    return Names(jurisdiction, catalogue.read_service_names(connection, jurisdiction.id))


def public_view(record: Record, names: Names) -> ServiceRequest:
    """What the standard shows of a record (1.6)."""
    return ServiceRequest(
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


def publication_of(record: Record, names: Names) -> Publication:
    """A record's public side; a tombstone for a private one."""
    if record.visibility is Visibility.PRIVATE:
        return Publication(record, None)
    return Publication(record, render(_SHAPE, public_view(record, names)))


def publish(connection: Connection, records: Iterable[Record], names: Names) -> None:
    """Write the public side of records; those without an id have none yet (A14)."""
    publications.publish(
        connection, (publication_of(record, names) for record in records if record.service_request_id)
    )


def edition_of(jurisdiction: Jurisdiction) -> str:
    """Changes whenever a rendition made earlier would look different: the renderer, a service's or department's name."""
    names = {
        "services": {service.code: service.name for service in jurisdiction.services},
        "departments": {department.code: department.name for department in jurisdiction.departments},
    }
    return f"{VERSION}-{catalogue_digest(names)[:16]}"


def republish_batch(connection: Connection, jurisdiction: Jurisdiction, now: datetime) -> int:
    """Render the next requests of the edition in work, in the caller's transaction; how many, 0 at the end."""
    edition = editions.lock_edition(connection, jurisdiction.id)
    if edition is None:
        return 0
    records = requests.load_batch(connection, jurisdiction.id, after=edition.rendered_until, rows=BATCH_ROWS)
    if not records:
        editions.finish_edition(connection, jurisdiction.id, now)
        return 0
    publish(connection, records, names_for(connection, jurisdiction))
    editions.advance_edition(connection, jurisdiction.id, records[-1].number)
    return len(records)
