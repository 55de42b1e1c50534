"""Make cases from requests: only what a back office may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from open311.domain.case import REPORTER_FIELDS, Case, CaseUpdate, limited
from open311.domain.deliveries import Delivery
from open311.domain.events import Event, ProgressMade, StatusChanged
from open311.domain.origins import Origin, hop
from open311.domain.requests import NamedAnswer, Reporter, RequestRecord, Status
from open311.domain.workflow import Outcome, State, word_for, word_of
from open311.operations.publishing import Names
from open311.plugins import BackendConfig, Jurisdiction
from open311.storage import history, origins, requests
from open311.storage.engine import Connection
from open311.storage.hot.transactions import within


@dataclass(frozen=True, slots=True)
class Ways:
    """Where requests were before they came here, by number, and the federation id of this city; "" for none."""

    origins: Mapping[int, Origin]
    own: str

    @classmethod
    def load(cls, connection: Connection, jurisdiction_id: str, numbers: Sequence[int]) -> Ways:
        """The ways of some requests of a city."""
        own = origins.federation_id(within(connection), jurisdiction_id)
        return cls(origins.load(connection, jurisdiction_id, numbers), own)

    def via(self, number: int, reference: str) -> tuple[str, ...]:
        """The hops of a request, with this city at the end."""
        before = self.origins.get(number, Origin())
        return (*before.via, hop(self.own, reference)) if self.own else before.via


def load_case(
    connection: Connection,
    record: RequestRecord,
    names: Names,
    config: BackendConfig,
    *,
    key: str,
    ways: Ways | None = None,
) -> Case:
    """The case of a request, with only the parts that may be sent to this back office.

    key   the key of the delivery of the request itself
    ways  the ways of this request and maybe of others; None to load them
    """
    shares_reporter = not frozenset(REPORTER_FIELDS).isdisjoint(config.shared)
    city, reference = names.jurisdiction, record.service_request_id or key
    case = Case(
        jurisdiction_id=city.id,
        reference=reference,
        via=(ways or Ways.load(connection, city.id, [record.number])).via(record.number, reference),
        service_request_id=record.service_request_id,
        service_code=record.service_code,
        service_name=names.service(record.service_code),
        department=record.department,
        agency=names.agency(record),
        status=word_of(record),
        requested_at=record.requested_at,
        updated_at=record.updated_at,
        expected_at=record.expected_at,
        priority=record.priority.value,
        areas=record.areas,
        place=record.place,
        description=record.description,
        answers=tuple(_answers(record, city)),
        media_urls=record.media_urls,
        reporter=(requests.load_reporter(connection, city.id, record.number) if shares_reporter else None)
        or Reporter(),
    )
    return limited(case, config.shared, _choices(record, city))


def load_update(
    connection: Connection,
    case: Case,
    city: Jurisdiction,
    config: BackendConfig,
    delivery: Delivery,
    remote_id: str,
) -> CaseUpdate:
    """The update of a case, with only the parts that may be sent to this back office. Erased texts are not sent."""
    known = history.load_events(connection, city.id, delivery.number)
    until = [event for event in known if event.version <= delivery.version]
    events = [event for event in until if event.version == delivery.version]
    is_taken_away = config.name not in city.backends_for(case.service_code, case.department, case.areas)
    shares_notes = "notes" in config.shared
    return CaseUpdate(
        case=case,
        remote_id=remote_id,
        at=max((event.at for event in events), default=delivery.created_at),
        status=word_for(State.CLOSED, Outcome.REFERRED) if is_taken_away else word_after(until),
        description="\n".join(texts_of(events)) if shares_notes else "",
        kinds=tuple(dict.fromkeys(event.kind for event in events)),
    )


def texts_of(events: Iterable[Event]) -> Iterator[str]:
    """The texts in these events that are for citizens or from citizens."""
    return (event.note for event in events if event.note and (event.is_public or event.kind == "comment"))


def word_after(events: Iterable[Event]) -> str:
    """mySociety's word for the state of a request after these events.

    `events` must begin with the first event of the request.
    """
    word = "open"
    for event in events:
        if isinstance(event, StatusChanged):
            is_closed = event.new == Status.CLOSED
            word = word_for(State.CLOSED, Outcome(event.outcome or Outcome.UNKNOWN)) if is_closed else "open"
        elif isinstance(event, ProgressMade):
            word = word_for(State(event.new)) if event.new else "open"
    return word


def _answers(record: RequestRecord, city: Jurisdiction) -> Iterator[NamedAnswer]:
    """The answers with their questions. If the service does not have the question, the label is its code."""
    service = city.service(record.service_code)
    asked = {attribute.code: attribute for attribute in service.attributes} if service else {}
    for answer in record.answers:
        attribute = asked.get(answer.code)
        choices = {choice.key: choice.name for choice in attribute.values} if attribute else {}
        label = attribute.description if attribute else answer.code
        for value in answer.values:
            yield NamedAnswer(answer.code, label, value, choices.get(value, value))


def _choices(record: RequestRecord, city: Jurisdiction) -> Sequence[str]:
    """Codes of the service's attributes whose answers are chosen from a list."""
    service = city.service(record.service_code)
    return [one.code for one in service.attributes if one.datatype.is_list] if service else []
