"""The service list and service definitions (1.2, 1.3): bytes made once for each city, language and format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from flask import Response

from open311.domain.services import Attribute, Datatype, Service, Value, translate_all
from open311.formats import Format, document, shape_of
from open311.plugins import Jurisdiction
from open311.web.answers import answer
from open311.web.context import platform
from open311.web.georeport.blueprint import georeport
from open311.web.georeport.languages import content_language, wanted_languages
from open311.web.parsing import read_query
from open311.web.points import read_point
from schemas import ServiceArguments, ServiceDefinitionSchema, ServiceListArguments, ServiceSchema

_ARGUMENTS = ServiceArguments()
_LIST_ARGUMENTS = ServiceListArguments()
_LIST = shape_of(ServiceSchema)
_DEFINITION = shape_of(ServiceDefinitionSchema)


@georeport.call("/services", takes=ServiceListArguments, answers=ServiceSchema, is_hot=True)
def list_services(output: Format) -> Response:
    """List the kinds of request that a city takes.

    With lat and long, those that apply there: none outside the city.
    """
    jurisdiction, languages = _wanted()
    point = read_point(read_query(_LIST_ARGUMENTS))
    if point and not jurisdiction.covers(*point):
        return _localised(document(_LIST, [], output), jurisdiction, languages, output)
    return _localised(_list_body(jurisdiction, languages, output), jurisdiction, languages, output)


@georeport.call(
    "/services/<code:service_code>", takes=ServiceArguments, answers=ServiceDefinitionSchema, is_hot=True
)
def get_service_definition(output: Format, service_code: str) -> Response:
    """Show the questions that belong to one service.

    Needed before a POST only where the service list says `metadata: true`.
    """
    jurisdiction, languages = _wanted()
    service = jurisdiction.require_service(service_code)
    body = _definition_body(jurisdiction, service.code, languages, output)
    return _localised(body, jurisdiction, languages, output)


def _wanted() -> tuple[Jurisdiction, tuple[str, ...]]:
    arguments = read_query(_ARGUMENTS)
    jurisdiction = platform().registry.find(arguments["jurisdiction_id"])
    return jurisdiction, wanted_languages(jurisdiction, arguments["locale"])


def _localised(body: bytes, jurisdiction: Jurisdiction, languages: tuple[str, ...], output: Format) -> Response:
    return answer(body, output, language=content_language(jurisdiction, languages))


@dataclass(frozen=True, slots=True)
class _ListedService:
    """A service as the list shows it."""

    service: Service

    @property
    def code(self) -> str:
        return self.service.code

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def description(self) -> str:
        return self.service.description

    @property
    def has_metadata(self) -> bool:
        return self.service.has_metadata

    @property
    def type(self) -> str:
        return self.service.type

    @property
    def keyword_list(self) -> str:
        return ", ".join(self.service.keywords)

    @property
    def group(self) -> str:
        return self.service.group


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """An attribute with its place in the form (A53)."""

    attribute: Attribute
    order: int

    def __getattr__(self, name: str) -> object:
        return getattr(self.attribute, name)

    @property
    def values(self) -> tuple[Value, ...]:
        return self.attribute.values if self.attribute.datatype.is_list else ()

    @property
    def datatype(self) -> Datatype:
        return self.attribute.datatype


@dataclass(frozen=True, slots=True)
class _Definition:
    """A service's questions in order."""

    code: str
    attributes: tuple[_Question, ...]


@lru_cache(maxsize=256)
def _translated(jurisdiction: Jurisdiction, languages: tuple[str, ...]) -> tuple[Service, ...]:
    texts = [jurisdiction.translations[tag] for tag in languages if tag in jurisdiction.translations]
    return translate_all(jurisdiction.services, texts)


@lru_cache(maxsize=256)
def _list_body(jurisdiction: Jurisdiction, languages: tuple[str, ...], output: Format) -> bytes:
    services = map(_ListedService, _translated(jurisdiction, languages))
    return document(_LIST, _LIST.plain_list(services), output)


@lru_cache(maxsize=4096)
def _definition_body(jurisdiction: Jurisdiction, code: str, languages: tuple[str, ...], output: Format) -> bytes:
    service = next(item for item in _translated(jurisdiction, languages) if item.code == code)
    questions = tuple(
        _Question(attribute=attribute, order=order) for order, attribute in enumerate(service.attributes, start=1)
    )
    return document(_DEFINITION, _DEFINITION.plain(_Definition(code, questions)), output)
