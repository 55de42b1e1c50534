"""Service requests as values: what is stored, what the public sees, what a POST answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from open311.domain.attributes import Answer
from open311.domain.places import Place

MAX_DESCRIPTION_CHARACTERS = 4_000


class Status(StrEnum):
    """The standard's two words; finer states belong to `extended_attributes` (A23)."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who sent a request. Never leaves by a public route (A16)."""

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    device_id: str = ""
    account_id: str = ""

    def __bool__(self) -> bool:
        return any((self.email, self.first_name, self.last_name, self.phone, self.device_id, self.account_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRequest:
    """The public side of a request: the standard's fields and nothing more.

    requested_at, updated_at, expected_at  UTC, whole seconds; updated_at is the closing time once closed (A34)
    """

    service_request_id: str
    status: Status
    service_code: str
    service_name: str
    requested_at: datetime
    updated_at: datetime
    place: Place
    description: str = ""
    status_notes: str = ""
    agency_responsible: str = ""
    service_notice: str = ""
    expected_at: datetime | None = None
    media_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedAttributes:
    """What we show of a request beyond the standard (spec/extensions.md)."""

    detailed_status: str = ""
    outcome: str = ""
    channel: str = ""
    closed_at: datetime | None = None
    department: str = ""
    group: str = ""
    areas: tuple[str, ...] = ()
    media_urls: tuple[str, ...] = ()
    possible_duplicate_of: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One public entry of a request's history."""

    at: datetime
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class NamedAnswer:
    """One answer with the words around it: code, question, key or text, the key's name."""

    code: str
    label: str
    value: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """All that `extensions=` can add to a request."""

    extended_attributes: ExtendedAttributes
    notes: tuple[Note, ...] = ()
    attributes: tuple[NamedAnswer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A POST's fields, cleaned, before they are checked against the catalogue.

    lat, long   as sent, still text
    attributes  attribute code -> values in the order sent
    """

    service_code: str = ""
    lat: str = ""
    long: str = ""
    address_string: str = ""
    address_id: str = ""
    description: str = ""
    media_urls: tuple[str, ...] = ()
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    reporter: Reporter = Reporter()
    client_request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a POST answers: an id, a token, or neither (A02, A03)."""

    service_request_id: str = ""
    token: str = ""
    service_notice: str = ""
    account_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """What is known of a token: resolved with an id, failed with a reason, or neither yet (A12, A13)."""

    token: str
    service_request_id: str = ""
    failure: str = ""


class Visibility(StrEnum):
    """Who can see a request.

    PUBLIC     everybody
    HELD       staff alone, until somebody has looked at it
    UNLISTED   whoever knows its id: requests of test keys (A33)
    PRIVATE    staff alone
    WITHDRAWN  staff alone; it was public, and should not have been
    """

    PUBLIC = "public"
    HELD = "held"
    UNLISTED = "unlisted"
    PRIVATE = "private"
    WITHDRAWN = "withdrawn"

    @property
    def is_shown(self) -> bool:
        """Whether anybody but staff can see it."""
        return self in (Visibility.PUBLIC, Visibility.UNLISTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A request as it is kept, the reporter apart.

    number              ours, never shown; orders requests of the same second
    service_request_id  "" while a token stands for it, and for blackbox services
    department          code; "" where only `agency_responsible` is known, and for test keys
    agency_responsible  the name that came with an import; "" to show the department's
    is_outside          the point lies outside the boundary, and the city flags such rather than refuse them
    updated_at          as shown: the closing time once closed (A34); `changed_at` is the true last change
    detailed_status     the back office's own word; outcome: what came of it, once closed
    areas               names of the jurisdiction's areas that held the point when it was reported
    source              api, import or example; channel: how it came to the city (api, phone, web, …)
    possible_duplicate_of  service_request_id of an earlier request nearby, when this one came; "" for none
    version             grows with each change, from 1
    """

    jurisdiction_id: str
    number: int
    service_code: str
    place: Place
    requested_at: datetime
    updated_at: datetime
    changed_at: datetime
    service_request_id: str = ""
    status: Status = Status.OPEN
    detailed_status: str = ""
    outcome: str = ""
    status_notes: str = ""
    description: str = ""
    department: str = ""
    agency_responsible: str = ""
    route_reason: str = ""
    is_triage: bool = False
    service_notice: str = ""
    expected_at: datetime | None = None
    is_outside: bool = False
    areas: tuple[str, ...] = ()
    media_urls: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    visibility: Visibility = Visibility.PUBLIC
    source: str = "api"
    channel: str = ""
    possible_duplicate_of: str = ""
    version: int = 1

    def __post_init__(self) -> None:
        """Keep the instants in order, whatever two clocks say: searches rely on it."""
        if not self.requested_at <= self.updated_at <= self.changed_at:
            updated_at = max(self.requested_at, self.updated_at)
            object.__setattr__(self, "updated_at", updated_at)
            object.__setattr__(self, "changed_at", max(updated_at, self.changed_at))
