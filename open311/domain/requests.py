"""Service requests as values: the stored record, its public fields, a POST and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from open311.domain.attributes import Answer
from open311.domain.forms import Remark
from open311.domain.personal_data import DataKind
from open311.domain.photos import SentPhoto
from open311.domain.places import Place
from open311.domain.values import quick_dataclass

MAX_DESCRIPTION_CHARACTERS = 4_000
TEST_REASON = "test key"
"""The `route_reason` of a request that was sent with a test key, which no rule routes."""


class Status(StrEnum):
    """The standard's two states. More detailed ones belong in `extended_attributes` (A23)."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """The person who sent a request. No answer to a public GET shows these fields (A16)."""

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    device_id: str = ""
    account_id: str = ""

    def __bool__(self) -> bool:
        return any((self.email, self.first_name, self.last_name, self.phone, self.device_id, self.account_id))


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class PublicRequest:
    """The standard's public fields of a request. All instants are in UTC and whole seconds.

    updated_at  the time of the last change that the public sees; for a closed request, of the closing (A34)
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


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedAttributes:
    """Public fields of a request that the standard does not have (spec/extensions.md, E3).

    supporters  how many people say "me too"
    origin  the address of the request at the neighbour from which it was pulled; "" for other requests
    via     the servers that the request passed before: see domain.origins
    """

    detailed_status: str = ""
    outcome: str = ""
    channel: str = ""
    closed_at: datetime | None = None
    department: str = ""
    group: str = ""
    areas: tuple[str, ...] = ()
    media_urls: tuple[str, ...] = ()
    possible_duplicate_of: str = ""
    supporters: int = 0
    origin: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One public entry of a request's history."""

    at: datetime
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class NamedAnswer:
    """One answer with the texts to show it.

    code   the attribute's code
    label  the question
    value  the key or text that was sent
    name   the name of the key; for free text, the text itself
    """

    code: str
    label: str
    value: str
    name: str


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """All fields that `extensions=` can add to a request (spec/extensions.md, E1)."""

    extended_attributes: ExtendedAttributes
    notes: tuple[Note, ...] = ()
    attributes: tuple[NamedAnswer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The fields of a POST, cleaned but not yet checked against the catalogue.

    lat         the text as sent
    long        the text as sent
    attributes  attribute code -> values in the order sent
    external_id  the sender's own id of the request; "" if it has none
    via         the servers that the request passed before, if another server sends it: see domain.origins
    photos      the photos in the call
    own_address  the address of this server that the sender has called
    language    the language in which the reporter gets mail; "" if the city sends none
    sms_language  the language in which the reporter wants text messages; "" if the reporter wants none
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
    external_id: str = ""
    via: tuple[str, ...] = ()
    photos: tuple[SentPhoto, ...] = ()
    own_address: str = ""
    language: str = ""
    sms_language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to a POST: an id, a token, or neither (A02, A03).

    service_code        the code under which the request is stored
    service_notice      as the record has it, in the city's first language
    unknown_attributes  codes of attributes that the service does not ask for, and that were dropped
    kept_attributes     codes of attributes that the service does not ask for, and that are kept for staff
    replaced_service    the code that was sent, if another service has replaced its service; "" if none has
    remarks             what the caller is told about answers
    candidates          the names of all who may have to act, if the point is near a border
    photos              how many photos are stored and will be prepared
    lost_photos         how many photos could not be stored
    masked              the kinds of personal data that the public does not read in the request's texts
    is_held             whether the request is shown only after a person has released it
    status_secret       the secret of the link with which the reporter can read the request; "" without a link
    is_new              whether this call has made the request, and does not repeat an earlier one
    """

    service_request_id: str = ""
    token: str = ""
    service_code: str = ""
    service_notice: str = ""
    account_id: str = ""
    unknown_attributes: tuple[str, ...] = ()
    kept_attributes: tuple[str, ...] = ()
    replaced_service: str = ""
    remarks: tuple[Remark, ...] = ()
    candidates: tuple[str, ...] = ()
    photos: int = 0
    lost_photos: int = 0
    masked: tuple[DataKind, ...] = ()
    is_held: bool = False
    status_secret: str = ""
    is_new: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """The state of a token: resolved to an id, failed with a reason, or neither yet (A12, A13)."""

    token: str
    service_request_id: str = ""
    failure: str = ""


class Visibility(StrEnum):
    """Who can see a request.

    PUBLIC     everybody
    HELD       only staff, until a person has reviewed it
    UNLISTED   everybody who knows its id; for requests of test keys (A33)
    PRIVATE    only staff
    WITHDRAWN  only staff; somebody has hidden it, or the neighbour from which it came does not show it any more

    With a status link, reporters can read their own requests in each case.
    """

    PUBLIC = "public"
    HELD = "held"
    UNLISTED = "unlisted"
    PRIVATE = "private"
    WITHDRAWN = "withdrawn"

    @property
    def is_shown(self) -> bool:
        """Whether people who are neither staff nor the reporter can see the request."""
        return self in (Visibility.PUBLIC, Visibility.UNLISTED)


class Progress(StrEnum):
    """How far the work on an open request is. NONE: not begun; department and triage say where it waits."""

    NONE = ""
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    SCHEDULED = "scheduled"
    ON_HOLD = "on_hold"


class Priority(StrEnum):
    """How urgent a request is among those of its queue."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


@quick_dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A request as it is stored, without its reporter.

    number              an internal number that only staff see; requests of the same second are ordered by it
    service_request_id  "" while only its token is known, and for blackbox services
    department          a code; "" if no department has it, or if only `agency_responsible` is known
    agency_responsible  the agency's name from an import; if "", the department's name is shown
    is_outside          whether the point lies outside the boundary of a city that flags such requests
    updated_at          the time that the API shows; for a closed request, the time of the closing (A34)
    changed_at          the time of the last change of any kind
    detailed_status     the status in the source's own words, from an import or a neighbour
    outcome             the result of a closed request, an `Outcome`; "" for an open one
    progress            how far the work on an open request is; "" for a closed one
    progress_detail     the code of one of the city's own states, which says more than `progress`; "" for none
    assignee            the account that works on it, as `str(principal)`; "" for nobody
    scheduled_at        when somebody will visit the place
    held_since          since when the work is on hold
    merged_into         the number of the request that it was merged into; 0 for none
    areas               names of the areas around the point. They change only by the event `areas`
    source              api, import, remote (of a neighbour) or example
    channel             how the request reached the city: api, phone, web, …
    possible_duplicate_of  service_request_id of an earlier request nearby, found on arrival, or of the public
                        request into which this one was merged; "" for none
    unmasked            marks of texts that look like personal data and that staff let the public read
    version             1 at first; grows by 1 with each change
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
    progress: Progress = Progress.NONE
    progress_detail: str = ""
    assignee: str = ""
    priority: Priority = Priority.NORMAL
    scheduled_at: datetime | None = None
    held_since: datetime | None = None
    merged_into: int = 0
    unmasked: tuple[str, ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        """Put the three instants in order, because clocks may differ and searches rely on that order."""
        if not self.requested_at <= self.updated_at <= self.changed_at:
            updated_at = max(self.requested_at, self.updated_at)
            object.__setattr__(self, "updated_at", updated_at)
            object.__setattr__(self, "changed_at", max(updated_at, self.changed_at))

    @property
    def is_test(self) -> bool:
        """Whether it was sent with a test key. Such a request waits in no queue, and no department gets it."""
        return self.visibility is Visibility.UNLISTED or self.route_reason == TEST_REASON

    @property
    def erasure_salt(self) -> str:
        """The salt of the marks of what is erased from this request (`domain.erasures`)."""
        return f"{self.jurisdiction_id} {self.number}"
