"""Cases and updates as plain data with the standard's names, for kinds of back ends that send JSON, XML or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from open311.domain.case import REPORTER_FIELDS, Case, CaseUpdate, RemoteUpdate
from schemas.values import clean_text, format_instant, parse_instant

MOST_TEXT = 4_000
"""The most characters of a text that are read from an update."""
CASE_FIELDS = (
    *("jurisdiction_id", "reference", "service_request_id", "service_code", "service_name", "status"),
    *(
        "department",
        "agency_responsible",
        "priority",
        "requested_datetime",
        "updated_datetime",
        "expected_datetime",
    ),
    *(
        "lat",
        "long",
        "address",
        "address_id",
        "zipcode",
        "description",
        "media_url",
        "attributes",
        *REPORTER_FIELDS,
    ),
)
UPDATE_FIELDS = (
    *("update_id", "reference", "service_request_id", "remote_id", "status", "updated_datetime", "description"),
)


def case_document(case: Case) -> dict[str, Any]:
    """A case with the members CASE_FIELDS, without the empty members.

    reference           our name for the case; a case has it even before it has a service_request_id
    service_request_id  our id
    media_url           a list
    attributes          a list of {code, label, value, name}: code, question, the answer as sent, and its text
    """
    place = case.place
    members = {
        "jurisdiction_id": case.jurisdiction_id,
        "reference": case.reference,
        "service_request_id": case.service_request_id,
        "service_code": case.service_code,
        "service_name": case.service_name,
        "status": case.status,
        "department": case.department,
        "agency_responsible": case.agency,
        "priority": case.priority,
        "requested_datetime": format_instant(case.requested_at),
        "updated_datetime": format_instant(case.updated_at),
        "expected_datetime": format_instant(case.expected_at) if case.expected_at else "",
        "lat": place.lat,
        "long": place.long,
        "address": place.address,
        "address_id": place.address_id,
        "zipcode": place.zipcode,
        "description": case.description,
        "media_url": list(case.media_urls),
        "attributes": [
            {"code": one.code, "label": one.label, "value": one.value, "name": one.name} for one in case.answers
        ],
        **{name: getattr(case.reporter, name) for name in REPORTER_FIELDS},
    }
    return {name: value for name, value in members.items() if value not in ("", None, [])}


def case_url(case: Case, public_url: str) -> str:
    """The address of the public data of a case; "" if it has no address. Only public requests have public data."""
    if not case.service_request_id or not public_url:
        return ""
    name, city = quote(case.service_request_id, safe=""), quote(case.jurisdiction_id, safe="")
    return f"{public_url}/open311/v2/requests/{name}.json?jurisdiction_id={city}"


def update_document(update: CaseUpdate, key: str) -> dict[str, Any]:
    """A change of a case with the members UPDATE_FIELDS, without the empty members.

    remote_id  the back office's own id of the case
    """
    members = {
        "update_id": key,
        "reference": update.case.reference,
        "service_request_id": update.case.service_request_id,
        "remote_id": update.remote_id,
        "status": update.status,
        "updated_datetime": format_instant(update.at),
        "description": update.description,
    }
    return {name: value for name, value in members.items() if value}


def read_update(record: object, update_id: str = "") -> RemoteUpdate:
    """An update from plain data.

    record     has some of these members, all of them texts: update_id, service_request_id, reference, status,
               updated_datetime, description and media_url
    update_id  the id to use if the record has no update_id. Updates of different cases may have the same id

    `service_request_id` is the back office's own id of the case, and `reference` is our name for the case. If there
    is no `reference`, `service_request_id` may also be our name. A record that cannot be read gives an update with
    a `fault`.
    """
    if not isinstance(record, Mapping):
        return RemoteUpdate(update_id=update_id, description=_text(record), fault="the update is no object")
    texts = {str(name): _text(value) for name, value in record.items()}
    remote_id = texts.get("service_request_id", "")
    found = RemoteUpdate(
        update_id=texts.get("update_id") or update_id,
        remote_id=remote_id,
        reference=texts.get("reference") or remote_id,
        status=texts.get("status", ""),
        description=texts.get("description", ""),
        media_urls=tuple(filter(None, [texts.get("media_url", "")])),
    )
    return _timed(found, texts.get("updated_datetime", ""))


def _timed(update: RemoteUpdate, text: str) -> RemoteUpdate:
    """The update with its time, or with its fault."""
    values = {name: getattr(update, name) for name in RemoteUpdate.__slots__}
    if not update.update_id:
        return RemoteUpdate(**values | {"fault": "the update has no update_id"})
    if not update.reference:
        return RemoteUpdate(**values | {"fault": "the update names no request"})
    at: datetime | None = None
    if text:
        try:
            at = parse_instant(text, UTC)
        except ValueError:
            return RemoteUpdate(**values | {"fault": "its updated_datetime is no time"})
    return RemoteUpdate(**values | {"at": at})


def _text(value: object) -> str:
    """A value as clean text that is not too long."""
    text = "" if value is None else str(value)
    text = text.encode("utf-8", "replace").decode()
    return clean_text(text[: MOST_TEXT + 1]).strip()[:MOST_TEXT]
