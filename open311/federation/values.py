"""What a GeoReport server says, and what a client sends, as values with the standard's names.

A text that the server does not give is "", a list is empty, and a number or a time is None. Points are `lat` and
`long` in degrees, WGS 84. Two members are in most values:

extra   the members that the standard does not have, as plain data
unread  the members whose value could not be read, unchanged
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Plain = object
"""Data as JSON has it: dict, list, str, int, float, bool or None."""
Members = Mapping[str, Plain]


def _members() -> Any:
    """A member with plain data."""
    return field(default_factory=dict, hash=False)


def _personal() -> Any:
    """A member that says who somebody is; `repr` does not show it, so that no log does."""
    return field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address at which a server speaks a specification. `type` is production or test."""

    specification: str = ""
    url: str = ""
    changeset: str = ""
    type: str = ""
    formats: tuple[str, ...] = ()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The addresses of a server. `changeset` is text, because servers write it in many ways."""

    changeset: str = ""
    contact: str = ""
    key_service: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A kind of request. `metadata`: whether it has a definition. `type`: realtime, batch or blackbox."""

    service_code: str
    service_name: str = ""
    description: str = ""
    metadata: bool = False
    type: str = ""
    keywords: tuple[str, ...] = ()
    group: str = ""
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeValue:
    """One answer that a list offers."""

    key: str
    name: str = ""
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A question of a service. `variable` is False for text that is only shown."""

    code: str
    variable: bool = True
    datatype: str = ""
    required: bool = False
    datatype_description: str = ""
    order: int | None = None
    description: str = ""
    values: tuple[AttributeValue, ...] = ()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDefinition:
    """The questions of a service."""

    service_code: str
    attributes: tuple[Attribute, ...] = ()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """A request as the public sees it.

    service_request_id  "" if the server gives only a token
    status              the status, in lower case
    media_url           all pictures; most servers give one at most
    """

    service_request_id: str = ""
    token: str = ""
    status: str = ""
    status_notes: str = ""
    service_name: str = ""
    service_code: str = ""
    description: str = ""
    agency_responsible: str = ""
    service_notice: str = ""
    requested_datetime: datetime | None = None
    updated_datetime: datetime | None = None
    expected_datetime: datetime | None = None
    address: str = ""
    address_id: str = ""
    zipcode: str = ""
    lat: float | None = None
    long: float | None = None
    media_url: tuple[str, ...] = ()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to a new request: its id, or the token that stands for the id."""

    service_request_id: str = ""
    token: str = ""
    service_notice: str = ""
    account_id: str = _personal()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token. `service_request_id` is "" as long as the request has no id."""

    token: str
    service_request_id: str = ""
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUpdate:
    """An update of a request, in mySociety's extension. `status` is in lower case; some servers give no id."""

    update_id: str = ""
    service_request_id: str = ""
    status: str = ""
    updated_datetime: datetime | None = None
    description: str = ""
    media_url: tuple[str, ...] = ()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReceipt:
    """The answer to a new update."""

    update_id: str = ""
    account_id: str = _personal()
    extra: Members = _members()
    unread: Members = _members()


@dataclass(frozen=True, slots=True)
class UnreadRecord:
    """A record of a list that could not be read, unchanged, and the reason."""

    kind: str
    reason: str
    record: Plain = field(repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class Media:
    """A file, such as a photo."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """A request to send. Its place is `lat` and `long`, `address_string`, `address_id`, or several of them.

    attribute  the answers to the questions of the service, by code; a sequence for a list of several answers
    media      files, which go in a multipart body. Few servers take them; `media_url` is the standard's way
    extra      parameters that the standard does not have
    """

    service_code: str
    lat: float | None = None
    long: float | None = None
    description: str = field(default="", repr=False)
    address_string: str = _personal()
    address_id: str = ""
    attribute: Mapping[str, str | Sequence[str]] = field(default_factory=dict, repr=False, hash=False)
    email: str = _personal()
    device_id: str = _personal()
    account_id: str = _personal()
    first_name: str = _personal()
    last_name: str = _personal()
    phone: str = _personal()
    media_url: str = ""
    media: tuple[Media, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpdate:
    """An update to send, in mySociety's extension. `update_id` is the sender's own id; each is used only once."""

    service_request_id: str
    update_id: str
    status: str
    updated_datetime: datetime
    description: str = field(repr=False)
    email: str = _personal()
    first_name: str = _personal()
    last_name: str = _personal()
    phone: str = _personal()
    account_id: str = _personal()
    media_url: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
