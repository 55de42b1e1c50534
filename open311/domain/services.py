"""The catalogue of a city: its services, their attributes, departments and translations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from open311.domain.workflow import CitizenText

from open311.domain.service_levels import ServiceLevel


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


@dataclass(frozen=True, slots=True)
class Value:
    """One choice of a list attribute: the key, which apps send, and the name, which apps show (A08)."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One question of a service. Its `order` on the wire is its place among the service's attributes (A53).

    public  whether everybody may see the answers. None means yes for the two list datatypes and no for free text,
            because free text may contain personal data and a key cannot
    """

    code: str
    description: str
    datatype: Datatype = Datatype.STRING
    required: bool = False
    variable: bool = True
    datatype_description: str = ""
    values: tuple[Value, ...] = ()
    public: bool | None = None

    @property
    def is_public(self) -> bool:
        """Whether everybody may see the answers."""
        return self.datatype.is_list if self.public is None else self.public


@dataclass(frozen=True, slots=True)
class Department:
    """A department of the city. Its name is public, as `agency_responsible`.

    service_level  for its services that have none of their own
    """

    code: str
    name: str
    service_level: ServiceLevel | None = None


@dataclass(frozen=True, slots=True)
class Vicinity:
    """The limits within which an earlier request of the same service counts as a possible duplicate.

    radius_m  greatest distance in metres; with 0, no request counts as a duplicate
    days      how many days ago the earlier request may have been made or closed
    """

    radius_m: float = 50.0
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One kind of request that citizens can send. Codes are opaque, case-sensitive text.

    duplicates     the limits for possible duplicates; None for the jurisdiction's limits
    include_areas  names of areas; the service is offered in these alone, or in the whole city if there are none
    exclude_areas  names of areas in which the service is not offered
    service_level  by when a request should be done; None for the department's
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
    include_areas: tuple[str, ...] = ()
    exclude_areas: tuple[str, ...] = ()
    service_level: ServiceLevel | None = None

    @property
    def has_metadata(self) -> bool:
        """Whether the service's definition has any attributes (A50)."""
        return bool(self.attributes)


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
    """A catalogue's texts in one language: services by code, groups by their original name."""

    services: Mapping[str, ServiceTranslation] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[CitizenText, ...] = ()


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
