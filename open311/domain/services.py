"""Services, their attributes and the departments behind them: what a city offers (GeoReport 1.2, 1.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum


class ServiceType(StrEnum):
    """How a POST is answered: with an id, with a token, or with a notice only (A03)."""

    REALTIME = "realtime"
    BATCH = "batch"
    BLACKBOX = "blackbox"


class Datatype(StrEnum):
    """The six datatypes of an attribute (1.3)."""

    STRING = "string"
    NUMBER = "number"
    DATETIME = "datetime"
    TEXT = "text"
    SINGLEVALUELIST = "singlevaluelist"
    MULTIVALUELIST = "multivaluelist"

    @property
    def is_list(self) -> bool:
        """Whether the answer is one or more of the attribute's keys."""
        return self in (Datatype.SINGLEVALUELIST, Datatype.MULTIVALUELIST)


@dataclass(frozen=True, slots=True)
class Value:
    """One choice of a list attribute: the key that is sent and the name that is shown (A08)."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One question of a service. Its order is its place among the service's attributes (A53).

    public  whether answers may be shown to everybody; None: those of the two list datatypes, as a key is never
            personal and free text may be
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
        """Whether answers may be shown to everybody."""
        return self.datatype.is_list if self.public is None else self.public


@dataclass(frozen=True, slots=True)
class Department:
    """Who does the work. The name is public: it is what `agency_responsible` says."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Vicinity:
    """How near in place and time an earlier request of the same service may be the same thing.

    radius_m  metres; 0: two requests are never the same thing
    days      how long ago the earlier one may have been made, or closed
    """

    radius_m: float = 50.0
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One kind of request a city takes. Codes are opaque, case-sensitive text.

    duplicates  where to look for the same thing reported before; None: as the jurisdiction says
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

    @property
    def has_metadata(self) -> bool:
        """True if there is anything to show in the definition (A50)."""
        return bool(self.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeTranslation:
    """Texts of one attribute in another language; "" and absent keys fall back."""

    description: str = ""
    datatype_description: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTranslation:
    """Texts of one service in another language; "" falls back, string by string."""

    name: str = ""
    description: str = ""
    notice: str = ""
    keywords: tuple[str, ...] = ()
    attributes: Mapping[str, AttributeTranslation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A catalogue's texts in one language: services by code, groups by their name."""

    services: Mapping[str, ServiceTranslation] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def translate(service: Service, translation: Translation) -> Service:
    """The service with every text that `translation` has; codes and keys never change."""
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
    """All services in the first of several languages that has each string.

    translations  best language first; what none has stays in the catalogue's own language
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
