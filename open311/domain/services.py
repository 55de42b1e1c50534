"""The catalogue of a city: its services, their attributes, departments and translations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from open311.domain.sensors import SensorTexts
    from open311.domain.workflow import CitizenText

from open311.domain.lexicons import Synonym
from open311.domain.personal_data import Treatments
from open311.domain.retention import Retention
from open311.domain.seasons import Season
from open311.domain.service_levels import ServiceLevel

ADDED: Mapping[str, object] = {"is_added": True}
"""The metadata of fields that earlier releases did not have. A catalogue's digest leaves out the defaults of these
fields, so that a catalogue without them keeps its changeset when the server is upgraded."""


class ServiceType(StrEnum):
    """What the answer to a POST has: an id, a token, or only a notice (A03)."""

    REALTIME = "realtime"
    BATCH = "batch"
    BLACKBOX = "blackbox"


class Datatype(StrEnum):
    """The standard's six datatypes of an attribute."""

    STRING = "string"
    NUMBER = "number"
    DATETIME = "datetime"
    TEXT = "text"
    SINGLEVALUELIST = "singlevaluelist"
    MULTIVALUELIST = "multivaluelist"

    @property
    def is_list(self) -> bool:
        """Whether an answer is one or more keys of the attribute's values."""
        return self in (Datatype.SINGLEVALUELIST, Datatype.MULTIVALUELIST)


class PhotoRule(StrEnum):
    """Who may see the photos of public requests.

    PUBLIC   everybody
    HELD     everybody, after a person has released them
    PRIVATE  only staff
    """

    PUBLIC = "public"
    HELD = "held"
    PRIVATE = "private"


class Audience(StrEnum):
    """Who may send requests to a service.

    PUBLIC   everybody who has a key
    PRIVATE  everybody who has a key and knows the service's code; the service list does not have the service
    STAFF    staff of the city; no public call shows the service
    """

    PUBLIC = "public"
    PRIVATE = "private"
    STAFF = "staff"


class WhenReplaced(StrEnum):
    """What happens to a POST with the code of a replaced service.

    ACCEPT  the request is stored under the successor's code
    REFUSE  the POST is refused; the error has the service's advice, or else the successor's code
    """

    ACCEPT = "accept"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Value:
    """One choice of a list attribute: the key, which apps send, and the name, which apps show (A08)."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the answer to another attribute: the answer must contain one of `values`."""

    attribute: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.attribute} is {' or '.join(self.values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One question of a service. Its `order` on the wire is its place among the service's attributes (A53).

    public       whether everybody may see the answers. None means yes for the two list datatypes and no for the
                 others, because what people type may contain personal data and a key cannot
    hidden       whether the standard's definition leaves the attribute out; its answers are never public
    set_to       the answer that the server gives, with names of `forms.FIELDS` in braces; apps cannot send it
    default      the answer if the app sends none
    only_if      conditions on earlier attributes; if one is not met, the question is not asked
    asset_layer  name of a layer of assets; the answer is the id of one of these assets
    review       whether a request with an answer is shown only after a person has released it
    """

    code: str
    description: str
    datatype: Datatype = Datatype.STRING
    required: bool = False
    variable: bool = True
    datatype_description: str = ""
    values: tuple[Value, ...] = ()
    public: bool | None = None
    hidden: bool = field(default=False, metadata=ADDED)
    set_to: str = field(default="", metadata=ADDED)
    default: tuple[str, ...] = field(default=(), metadata=ADDED)
    only_if: tuple[Condition, ...] = field(default=(), metadata=ADDED)
    asset_layer: str = field(default="", metadata=ADDED)
    review: bool = field(default=False, metadata=ADDED)

    @property
    def is_public(self) -> bool:
        """Whether everybody may see the answers."""
        if self.hidden:
            return False
        return self.datatype.is_list if self.public is None else self.public

    @property
    def is_shown(self) -> bool:
        """Whether the standard's definition has the attribute: apps show it to people."""
        return not (self.hidden or self.set_to)

    @property
    def is_plain(self) -> bool:
        """Whether the answer depends on nothing but what the app sends for this attribute."""
        return not (self.set_to or self.default or self.only_if or self.asset_layer)

    @property
    def is_always_required(self) -> bool:
        """Whether every POST needs an answer from the app."""
        return self.required and self.is_shown and not (self.only_if or self.default)


@dataclass(frozen=True, slots=True)
class Department:
    """A department of the city. Its name is public, as `agency_responsible`.

    service_level  the service level of its services that have none of their own
    """

    code: str
    name: str
    service_level: ServiceLevel | None = field(default=None, metadata=ADDED)


@dataclass(frozen=True, slots=True)
class Vicinity:
    """The limits within which an earlier request of the same service counts as a possible duplicate.

    radius_m  greatest distance in metres; with 0, no request counts as a duplicate
    days      how many days ago the earlier request may have been made or closed
    """

    radius_m: float = 50.0
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How answers are carried when a request moves to another service.

    to          code of that service
    attributes  attribute's code -> its code in that service; an attribute that is missing keeps its code
    values      attribute's code -> key -> key in that service; a key that is missing stays the same
    """

    to: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One kind of request that citizens can send. Codes are opaque, case-sensitive text.

    duplicates     the limits for possible duplicates; None for the jurisdiction's limits
    include_areas  names of areas; the service is offered only in these, or in the whole city if there are none
    exclude_areas  names of areas in which the service is not offered
    service_level  by when a request should be done; None for the department's
    public         whether everybody may see the requests. None means no for a service for staff, else yes
    photos         who may see the photos; None for the jurisdiction's rule
    active         whether the service is still offered; if not, its requests stay readable
    season         the part of the year in which it can be reported; None for the whole year
    replaced_by    code of the service that takes its place
    when_replaced  what happens to a POST with the code of a replaced service
    instead        advice for the caller when a POST is refused
    moves          how answers are carried to other services
    review         whether new requests are shown only after a person has released them
    privacy        what happens to personal data in the texts of its requests; None for the same as in the city
    retention      how long personal data and photos of its requests are kept; a time that is not set is the city's
    """

    code: str
    name: str
    description: str = ""
    group: str = ""
    keywords: tuple[str, ...] = ()
    type: ServiceType = ServiceType.REALTIME
    attributes: tuple[Attribute, ...] = ()
    department: str = ""
    notice: str = ""
    duplicates: Vicinity | None = None
    include_areas: tuple[str, ...] = field(default=(), metadata=ADDED)
    exclude_areas: tuple[str, ...] = field(default=(), metadata=ADDED)
    service_level: ServiceLevel | None = field(default=None, metadata=ADDED)
    audience: Audience = field(default=Audience.PUBLIC, metadata=ADDED)
    public: bool | None = field(default=None, metadata=ADDED)
    photos: PhotoRule | None = field(default=None, metadata=ADDED)
    active: bool = field(default=True, metadata=ADDED)
    season: Season | None = field(default=None, metadata=ADDED)
    replaced_by: str = field(default="", metadata=ADDED)
    when_replaced: WhenReplaced = field(default=WhenReplaced.ACCEPT, metadata=ADDED)
    instead: str = field(default="", metadata=ADDED)
    moves: tuple[Move, ...] = field(default=(), metadata=ADDED)
    review: bool = field(default=False, metadata=ADDED)
    privacy: Treatments | None = field(default=None, metadata=ADDED)
    retention: Retention = field(default=Retention(), metadata=ADDED)

    @property
    def has_metadata(self) -> bool:
        """Whether the service's definition has any attributes (A50)."""
        return any(attribute.is_shown for attribute in self.attributes)

    @property
    def is_current(self) -> bool:
        """Whether the city still offers the service under this code."""
        return self.active and not self.replaced_by

    @property
    def is_public(self) -> bool:
        """Whether everybody may see the requests."""
        return self.audience is not Audience.STAFF if self.public is None else self.public

    def attribute(self, code: str) -> Attribute | None:
        """The attribute with this code; None if there is none."""
        return next((attribute for attribute in self.attributes if attribute.code == code), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeTranslation:
    """An attribute's texts in another language. For "" and absent keys, the original text is shown."""

    description: str = ""
    datatype_description: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTranslation:
    """A service's texts in another language. For "", the original text is shown."""

    name: str = ""
    description: str = ""
    notice: str = ""
    keywords: tuple[str, ...] = ()
    attributes: Mapping[str, AttributeTranslation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A catalogue's texts in one language: services by code, groups by their original name.

    words            topics of articles, and texts of `days.toml`, by their original words
    emergency_words  see `Emergency.words`
    synonyms         what people say in the language, and what the services are called
    sensor_rules     the texts of rules for sensors, by the rule's code
    """

    services: Mapping[str, ServiceTranslation] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[CitizenText, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict, metadata=ADDED)
    emergency_words: tuple[str, ...] = field(default=(), metadata=ADDED)
    synonyms: tuple[Synonym, ...] = field(default=(), metadata=ADDED)
    sensor_rules: Mapping[str, SensorTexts] = field(default_factory=dict, metadata=ADDED)


def texts_of(translation: Translation) -> Iterator[str]:
    """The texts of a translation that people read on pages: names, descriptions, questions and values."""
    yield from translation.groups.values()
    for service in translation.services.values():
        yield from (service.name, service.description)
        for attribute in service.attributes.values():
            yield from (attribute.description, attribute.datatype_description, *attribute.values.values())


def translate(service: Service, translation: Translation) -> Service:
    """The service with its texts replaced by those of `translation`. Codes and keys never change."""
    group = translation.groups.get(service.group) or service.group
    texts = translation.services.get(service.code)
    if texts is None:
        return replace(service, group=group)
    return replace(
        service,
        name=texts.name or service.name,
        description=texts.description or service.description,
        notice=texts.notice or service.notice,
        keywords=texts.keywords or service.keywords,
        group=group,
        attributes=tuple(
            _translate_attribute(attribute, texts.attributes.get(attribute.code))
            for attribute in service.attributes
        ),
    )


def translate_all(services: Iterable[Service], translations: Sequence[Translation]) -> tuple[Service, ...]:
    """All services, each text in the first of several languages that has it.

    translations  the preferred language first; a text that is in none of them stays in the catalogue's language
    """
    translated = tuple(services)
    for translation in reversed(translations):
        translated = tuple(translate(service, translation) for service in translated)
    return translated


def _translate_attribute(attribute: Attribute, texts: AttributeTranslation | None) -> Attribute:
    if texts is None:
        return attribute
    return replace(
        attribute,
        description=texts.description or attribute.description,
        datatype_description=texts.datatype_description or attribute.datatype_description,
        values=tuple(replace(value, name=texts.values.get(value.key) or value.name) for value in attribute.values),
    )
