"""Read a request for staff: the record, its history, its token and, if asked for, its reporter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from open311.domain.events import Event
from open311.domain.requests import NamedAnswer, Reporter, RequestRecord, TokenState
from open311.operations.platform import Platform
from open311.operations.workflow.apply import load_request
from open311.plugins import Jurisdiction
from open311.storage import history, requests, tokens
from open311.storage.hot.transactions import within


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffView:
    """A request as staff see it.

    answers   all answers, also those that the public does not see
    events    the history, oldest first
    token     None if the request has none
    reporter  None if the caller did not ask for the reporter, or if nothing about the reporter is stored
    """

    record: RequestRecord
    service_name: str
    answers: tuple[NamedAnswer, ...]
    events: Sequence[Event]
    token: TokenState | None = None
    reporter: Reporter | None = None


def read_request(
    platform: Platform, jurisdiction: Jurisdiction, name: str | int, *, with_reporter: bool = False
) -> StaffView:
    """Read a request for staff, also one that has no id.

    name  the service_request_id, the token or the number; an int is always the number
    Raises NotFound for an unknown name.
    """
    record, events = read_history(platform, jurisdiction, name)
    with platform.database.reading() as connection:
        token = tokens.token_of(connection, jurisdiction.id, record.number)
        state = tokens.find_token(within(connection), jurisdiction.id, token) if token else None
        reporter = requests.load_reporter(connection, jurisdiction.id, record.number) if with_reporter else None
    service = jurisdiction.service(record.service_code)
    return StaffView(
        record=record,
        service_name=service.name if service else "",
        answers=tuple(_answers(record, jurisdiction)),
        events=events,
        token=state,
        reporter=reporter or None,
    )


def read_history(
    platform: Platform, jurisdiction: Jurisdiction, name: str | int
) -> tuple[RequestRecord, list[Event]]:
    """A record and its whole history, oldest first, from one snapshot. Raises NotFound for an unknown name."""
    with platform.database.snapshot() as connection:
        record = load_request(connection, jurisdiction, name, is_locked=False)
        return record, history.load_events(connection, jurisdiction.id, record.number)


def find_without_id(platform: Platform, jurisdiction: Jurisdiction, *, most: int) -> list[RequestRecord]:
    """The newest requests without an id: those of blackbox services, and those that have only a token so far."""
    with platform.database.reading() as connection:
        return requests.load_without_id(connection, jurisdiction.id, most)


def _answers(record: RequestRecord, jurisdiction: Jurisdiction) -> list[NamedAnswer]:
    """The values of all answers, with the question and the value's name.

    The label is "" if the service does not have the question, or did not ask it.
    """
    service = jurisdiction.service(record.service_code)
    asked = {attribute.code: attribute for attribute in service.attributes} if service else {}
    found: list[NamedAnswer] = []
    for answer in record.answers:
        attribute = asked.get(answer.code) if answer.is_asked else None
        label = attribute.description if attribute else ""
        names = {value.key: value.name for value in attribute.values} if attribute else {}
        found += [NamedAnswer(answer.code, label, value, names.get(value, value)) for value in answer.values]
    return found
