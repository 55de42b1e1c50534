"""People say "me too" about a request, and take it back (decision 0049).

A "me too" is no event of the request: it does not change the version that staff work on, and nobody gets mail about
it. But it changes the publication, in the same transaction. The request is locked meanwhile, so that many calls at
the same time all count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from open311.domain.abuse import UNKNOWN, Sender
from open311.domain.access import PORTAL, Principal
from open311.domain.requests import RequestRecord, Status, Visibility
from open311.domain.supporters import Supporter, SupporterKind
from open311.errors import Conflict, Forbidden, NotFound
from open311.operations.access.blocks import current_blocks
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publish_requests
from open311.plugins import Jurisdiction
from open311.storage import counted_requests, mails, requests, supporters
from open311.storage.engine import Connection, undeadlocked
from schemas.texts import tell

CLOSED = tell("is closed, so nobody can support it any more. If the problem is there again, send a new report.")
MERGED_NOW = tell("was merged into another request just now; send the call again.")
HIDDEN_PARENT = tell("was merged into a request that is not public, so it cannot be supported.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The result of a call.

    service_request_id  the request that counts the person: the one that was named, or the one it was merged into
    supporters          how many people support it now
    is_given            whether the person is one of them
    """

    service_request_id: str
    supporters: int
    is_given: bool


def support(
    platform: Platform,
    city: Jurisdiction,
    service_request_id: str,
    person: Supporter,
    *,
    principal: Principal,
    now: datetime,
    sender: Sender = UNKNOWN,
) -> Support:
    """Count a person as a supporter of an open public request. A second call changes nothing.

    A call that has filled the honeypot, or comes from a blocked sender, gets the usual answer and is not counted.
    Raises NotFound for a request that the public cannot read, and Forbidden if a test key names a request that was
    not sent with a test key. Raises Conflict for a closed request, for a request that was merged into one that the
    public cannot read, and if the request was merged just now.
    """
    is_counted = not _is_abuse(platform, city, person, sender, now)

    def run() -> Support:
        with platform.database.transaction() as connection:
            record = _target(connection, city, service_request_id, principal)
            return give(connection, city, record, person, now, is_counted=is_counted)

    return undeadlocked(run)


def give(
    connection: Connection,
    city: Jurisdiction,
    record: RequestRecord,
    person: Supporter,
    now: datetime,
    *,
    is_counted: bool = True,
) -> Support:
    """Count a person as a supporter of a locked request. Raises Conflict if the request is closed."""
    if record.status is Status.CLOSED:
        raise Conflict(CLOSED, "service_request_id")
    place = (city.id, record.number)
    digest = person.digest(mails.make_key(connection), city.id)
    if is_counted and supporters.add(connection, *place, person.api_key_id, digest, now):
        publish_requests(connection, [record], names_for(connection, city))
        counted_requests.note_support(connection, city.id, [record.number])
    return _support(connection, record, is_given=True)


def take_back(
    platform: Platform, city: Jurisdiction, service_request_id: str, person: Supporter, *, principal: Principal
) -> Support:
    """Do not count a person any more, also for a closed request. A second call changes nothing.

    Raises the errors of `support`, but no Conflict for a closed request.
    """

    def run() -> Support:
        with platform.database.transaction() as connection:
            record = _target(connection, city, service_request_id, principal)
            return withdraw(connection, city, record, person)

    return undeadlocked(run)


def withdraw(connection: Connection, city: Jurisdiction, record: RequestRecord, person: Supporter) -> Support:
    """Do not count a person as a supporter of a locked request, nor of those that were merged into it."""
    merged = requests.load_merged(connection, city.id, [record.number], is_locked=True)
    concerned = {one.number: one for one in (record, *merged)}
    digest = person.digest(mails.make_key(connection), city.id)
    if supporters.remove(connection, city.id, [*concerned], person.api_key_id, digest):
        publish_requests(connection, concerned.values(), names_for(connection, city))
        counted_requests.note_support(connection, city.id, concerned)
    return _support(connection, record, is_given=False)


def _target(connection: Connection, city: Jurisdiction, name: str, principal: Principal) -> RequestRecord:
    """Lock and return the request that counts the supporters of the request with this id."""
    named = requests.load_record(connection, city.id, service_request_id=name, is_locked=False) if name else None
    if named is None or not named.visibility.is_shown:
        raise _unknown(name)
    if principal.is_test and named.visibility is not Visibility.UNLISTED:
        raise Forbidden(tell("is a test key, which can only support requests of test keys."), "api_key")
    if principal.kind == PORTAL.kind and named.is_test:
        raise _unknown(name)
    return locked_target(connection, city, named)


def locked_target(connection: Connection, city: Jurisdiction, named: RequestRecord) -> RequestRecord:
    """Lock and return the request that counts the supporters of the request `named`.

    This is `named` itself or, if `named` was merged into another request, the other request.

    named  a request that the caller has read without a lock. If the caller had locked a merged request, this
           function would then lock the request that counts. `withdraw` locks these two in the opposite order, so
           both calls could be in a deadlock
    Raises NotFound if the public cannot read `named` any more. Raises Conflict if `named` was merged into a
    request that the public cannot read, or if the request that counts was itself merged just now.
    """
    locked = requests.load_record(connection, city.id, number=named.merged_into or named.number)
    if locked is None or not locked.visibility.is_shown or not locked.service_request_id:
        raise (
            Conflict(HIDDEN_PARENT, "service_request_id")
            if named.merged_into
            else _unknown(named.service_request_id)
        )
    if locked.merged_into:  # it was merged after it was read
        raise Conflict(MERGED_NOW, "service_request_id")
    return locked


def _unknown(name: str) -> NotFound:
    return NotFound(tell("{id!r} is not a request here.", id=name[:60]), "service_request_id")


def _is_abuse(platform: Platform, city: Jurisdiction, person: Supporter, sender: Sender, now: datetime) -> bool:
    block = current_blocks(platform).find(
        city.id,
        now,
        key=person.api_key_id,
        address=sender.address,
        device=person.value if person.kind is SupporterKind.DEVICE else "",
        email=person.value if person.kind is SupporterKind.EMAIL else "",
    )
    return sender.is_caught or block is not None


def _support(connection: Connection, record: RequestRecord, *, is_given: bool) -> Support:
    people = supporters.count(connection, record.jurisdiction_id, [record.number])
    return Support(
        service_request_id=record.service_request_id,
        supporters=people.get(record.number, 0),
        is_given=is_given,
    )
