"""The ids of batch requests, assigned by the jurisdiction or by this server (A12, A13)."""

from __future__ import annotations

from datetime import datetime, timedelta

from open311.domain.events import TokenRejected, TokenResolved
from open311.domain.requests import RequestRecord
from open311.errors import Misconfigured
from open311.operations.intake.routing import draft_of
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests
from open311.plugins import Accepted, Jurisdiction, Pending, Rejected
from open311.storage import requests, tokens
from open311.storage.engine import Connection
from open311.storage.hot.transactions import within
from open311.storage.queue import Task


def resolve_token(platform: Platform, jurisdiction_id: str, number: int, token: str, now: datetime) -> str:
    """Ask the jurisdiction for the id of a request. Returns the id, or "" if the request has none yet or gets none.

    No transaction is open while the jurisdiction answers. A request gets only one id, even if this function runs
    twice.
    Raises Misconfigured if the city is not served at present, so that the job is tried again.
    """
    jurisdiction = platform.registry.get(jurisdiction_id)
    if jurisdiction is None:
        raise Misconfigured(f"{jurisdiction_id} is not served; its tokens wait until it is served again.")
    with platform.database.transaction() as connection:
        record = requests.load_record(connection, jurisdiction_id, number=number)
    if record is None or record.service_request_id:
        return record.service_request_id if record else ""
    answer = jurisdiction.resolve(token, draft_of(jurisdiction, record))
    with platform.database.transaction() as connection:
        return _settle(platform, connection, jurisdiction, number, token, answer, now)


def _settle(
    platform: Platform,
    connection: Connection,
    jurisdiction: Jurisdiction,
    number: int,
    token: str,
    answer: Accepted | Pending | Rejected,
    now: datetime,
) -> str:
    record = requests.load_record(connection, jurisdiction.id, number=number)
    if record is None or record.service_request_id:
        return record.service_request_id if record else ""
    state = tokens.find_token(within(connection), jurisdiction.id, token)
    if state is None or state.failure:  # a failure is final
        return ""
    if isinstance(answer, Pending):
        later = now + timedelta(seconds=answer.retry_after_s)
        arguments = {"jurisdiction_id": jurisdiction.id, "number": number, "token": token}
        platform.queue.defer(connection, Task.RESOLVE, at=later, **arguments)
        return ""
    if isinstance(answer, Rejected):
        tokens.settle_token(connection, jurisdiction.id, number, failure=answer.reason)
        change_requests(
            connection,
            [(record, [TokenRejected(at=now, reason=answer.reason)])],
            names_for(connection, jurisdiction),
        )
        return ""
    return _accept(platform, connection, jurisdiction, record, answer.service_request_id, now)


def _accept(
    platform: Platform,
    connection: Connection,
    jurisdiction: Jurisdiction,
    record: RequestRecord,
    city_id: str,
    now: datetime,
) -> str:
    request_id = city_id or jurisdiction.new_id(record.number, now)
    while requests.existing_ids(connection, jurisdiction.id, [request_id]):
        request_id = jurisdiction.new_id(platform.process.numbers.next(platform.database.hot), now)
    tokens.settle_token(connection, jurisdiction.id, record.number, service_request_id=request_id)
    change_requests(
        connection,
        [(record, [TokenResolved(at=now, service_request_id=request_id)])],
        names_for(connection, jurisdiction),
    )
    return request_id
