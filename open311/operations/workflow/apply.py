"""The only place where requests change: it applies events and writes row, history, outbox and publication.

All changes to stored requests use `change_requests`: those of staff, imports, tokens and maintenance. New requests
use `add_requests`. A POST instead uses `storage.hot.submissions`, which stores one request in one statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from open311.domain.events import Event, apply_all
from open311.domain.requests import RequestRecord
from open311.errors import NotFound
from open311.operations.publishing import Names, notes_of, publish_requests
from open311.plugins import Jurisdiction
from open311.storage import history, requests, tokens
from open311.storage.engine import Connection

Change = tuple[RequestRecord, Sequence[Event]]
"""A request before its change, and the events that change it."""


def load_request(connection: Connection, jurisdiction: Jurisdiction, name: str) -> RequestRecord:
    """Load a request and lock it until the transaction ends. Raises NotFound for an unknown name.

    name  its service_request_id, else its token, else its number: requests of blackbox services have no id, and
          those of batch services have none at first
    """
    record = requests.load_record(connection, jurisdiction.id, service_request_id=name) if name else None
    if record is None:
        number = tokens.number_of(connection, jurisdiction.id, name) or _number(name)
        record = requests.load_record(connection, jurisdiction.id, number=number) if number else None
    if record is None:
        raise NotFound(f"{name[:60]!r} is not a request here.", "service_request_id")
    return record


def _number(name: str) -> int:
    return int(name) if re.fullmatch(r"\d{1,18}", name, re.ASCII) else 0


def change_requests(connection: Connection, changes: Iterable[Change], names: Names) -> list[RequestRecord]:
    """Apply events to stored requests, in the caller's transaction. Returns the changed requests.

    The caller has loaded the requests and thereby locked them. Raises Conflict if a request was changed since.
    """
    applied = [
        (replace(apply_all(before, events), version=before.version + 1), events) for before, events in changes
    ]
    for after, _ in applied:
        requests.save_record(connection, after)
    history.insert_histories(connection, applied)
    found = [after for after, _ in applied]
    publish_requests(connection, found, names)
    return found


def add_requests(connection: Connection, added: Iterable[Change], names: Names) -> None:
    """Write the histories and publications of requests that the caller has just stored."""
    new = list(added)
    history.insert_histories(connection, new)
    publish_requests(
        connection,
        [record for record, _ in new],
        names,
        {record.number: notes_of(events) for record, events in new},
    )
