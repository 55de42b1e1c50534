"""Parts that export and erasure of a person share: who may do them, and which systems got data about the person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from open311.domain.access import Principal, Role
from open311.domain.case import REPORTER_FIELDS
from open311.domain.deliveries import Delivery, DeliveryState
from open311.domain.people import Person
from open311.domain.text import clean_text
from open311.errors import Forbidden, Invalid
from open311.operations.access.staff import require_city, require_role
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import deliveries
from open311.storage.engine import Connection
from schemas.texts import tell

_MAY_HAVE_ARRIVED = (DeliveryState.SENDING, DeliveryState.PENDING, DeliveryState.DONE, DeliveryState.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A back office to which a request with data of a person was sent, or may have been sent.

    shared  the names of the reporter's fields that it may get, by today's configuration; None if the back office is
            not configured any more, so that nobody knows
    """

    number: int
    system: str
    shared: tuple[str, ...] | None


def require_eraser(principal: Principal, city: Jurisdiction) -> None:
    """Raise Forbidden unless the principal is an admin for all departments of the city."""
    require_role(principal, Role.ADMIN)
    require_city(principal, city.id)
    if principal.scope.departments:
        raise Forbidden(
            tell("this needs an account for all departments, because the data of a person are in all departments.")
        )


def checked_reason(principal: Principal, city: Jurisdiction, person: Person, reason: str) -> str:
    """The reason, as the audit trail keeps it, after a check that the principal may act for the person.

    Raises Forbidden unless the principal is an admin for all departments, and Invalid if the reason is missing or
    names the person.
    """
    require_eraser(principal, city)
    why = clean_text(reason).strip()
    if not why:
        raise Invalid(tell("is missing; say why you look for the data of a person."), "reason")
    if person.is_in(why):
        fault = tell("names the person; leave that out, because the audit trail keeps the reason for ever.")
        raise Invalid(fault, "reason")
    return why


def recipients_of(
    platform: Platform, connection: Connection, city: Jurisdiction, numbers: Collection[int]
) -> list[Recipient]:
    """The back offices that got data of these requests' reporters, or may have got them, once for each request.

    A back office that gets no field of the reporter is left out.
    """
    join_remotes(platform, connection)
    present = platform.registry.find(city.id)
    sent = deliveries.of_requests(connection, city.id, sorted(numbers))
    pairs = dict.fromkeys((one.number, one.backend) for one in sent if _may_have_arrived(one))
    found = [Recipient(number, name, _shared(present, name)) for number, name in pairs]
    return [one for one in found if one.shared != ()]


def _may_have_arrived(one: Delivery) -> bool:
    return one.state in _MAY_HAVE_ARRIVED or one.attempts > 0


def _shared(city: Jurisdiction, backend: str) -> tuple[str, ...] | None:
    config = city.backend(backend)
    return None if config is None else tuple(name for name in REPORTER_FIELDS if name in config.shared)
