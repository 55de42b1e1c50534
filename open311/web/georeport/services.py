"""The service list and service definitions (A49 to A53). Their bodies are cached."""

from __future__ import annotations

from dataclasses import dataclass, fields

from open311.domain.services import Attribute, Condition, Datatype, Service, Value
from open311.formats import Format, document, shape_of
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, endpoint
from open311.web.languages import content_language, in_languages
from open311.web.surfaces import GEOREPORT
from schemas.arguments import DefinitionArguments, ServiceListArguments
from schemas.georeport import ExtendedDefinitionSchema, ServiceDefinitionSchema, ServiceSchema

_LIST = shape_of(ServiceSchema)
_DEFINITION = shape_of(ServiceDefinitionSchema)
_EXTENDED = shape_of(ExtendedDefinitionSchema)


@endpoint(
    GEOREPORT,
    "/services",
    reads=ServiceListArguments,
    access=ANYBODY,
    answers=ServiceSchema,
    is_quick=True,
    city=City.AT_POINT,
    headers=("Content-Language",),
)
def list_services(call: Call) -> Answer:
    """List the services of a city, which are the kinds of request that it now accepts from everybody.

    With lat and long, the list has the services that are offered at this point. It is empty outside the city.
    """
    languages = call.languages
    point = call.point
    if point is not None and not call.city.covers(*point):
        return Answer(body=document(_LIST, [], call.output), language=content_language(call.city, languages))
    left_out = call.city.not_offered_at(point) if point else ()
    in_season = call.city.in_season(call.now)
    return call.platform.process.cached(_list)(call.city, languages, call.output, in_season, left_out)


@endpoint(
    GEOREPORT,
    "/services/<code:service_code>",
    reads=DefinitionArguments,
    access=ANYBODY,
    answers=ExtendedDefinitionSchema,
    is_quick=True,
    headers=("Content-Language",),
)
def get_service_definition(call: Call, service_code: str) -> Answer:
    """Show the questions that belong to one service.

    A client needs this call before a POST only if the service list says `metadata: true`. With extensions=true, the
    answer also has the questions that people are not asked, and each question says on which answers it depends.
    """
    languages = call.languages
    service = call.city.require_readable(service_code, call.now)
    remembered = call.platform.process.cached(_definition, most=4_096)
    return remembered(call.city, service.code, languages, call.output, call.values["extensions"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedService:
    """A service as the service list shows it."""

    code: str
    name: str
    description: str
    has_metadata: bool
    type: str
    keyword_list: str
    group: str

    @classmethod
    def of(cls, service: Service) -> ListedService:
        return cls(
            code=service.code,
            name=service.name,
            description=service.description,
            has_metadata=service.has_metadata,
            type=service.type,
            keyword_list=", ".join(service.keywords),
            group=service.group,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """An attribute as the standard's definition shows it, with `order`: its position in the form (A53)."""

    variable: bool
    code: str
    datatype: Datatype
    required: bool
    datatype_description: str
    order: int
    description: str
    values: tuple[Value, ...]

    @classmethod
    def of(cls, attribute: Attribute, order: int) -> _Question:
        return cls(
            variable=attribute.variable,
            code=attribute.code,
            datatype=attribute.datatype,
            required=attribute.is_always_required,
            datatype_description=attribute.datatype_description,
            order=order,
            description=attribute.description,
            values=attribute.values if attribute.datatype.is_list else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExtendedQuestion(_Question):
    """An attribute with rules that the standard's definition has no fields for."""

    rules: _Rules

    @classmethod
    def of(cls, attribute: Attribute, order: int) -> _ExtendedQuestion:
        question = _Question.of(attribute, order)
        values = {field.name: getattr(question, field.name) for field in fields(question)}
        return cls(**values, rules=_Rules.of(attribute))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The rules of an attribute that `extensions=true` adds."""

    automated: str
    required_if_asked: bool
    default: tuple[str, ...]
    only_if: tuple[Condition, ...]
    asset_layer: str

    @classmethod
    def of(cls, attribute: Attribute) -> _Rules:
        return cls(
            automated="server_set" if attribute.set_to else "hidden_field" if attribute.hidden else "",
            required_if_asked=attribute.required,
            default=attribute.default,
            only_if=attribute.only_if,
            asset_layer=attribute.asset_layer,
        )


@dataclass(frozen=True, slots=True)
class _Definition:
    """A service with its questions, in the order of the form."""

    code: str
    attributes: tuple[_Question, ...]


def _list(
    jurisdiction: Jurisdiction,
    languages: tuple[str, ...],
    output: Format,
    in_season: tuple[str, ...],
    left_out: tuple[str, ...],
) -> Answer:
    listed = [service for service in jurisdiction.listed(in_season) if service.code not in left_out]
    services = map(ListedService.of, in_languages(listed, jurisdiction, languages))
    body = document(_LIST, _LIST.plain_list(services), output)
    return Answer(body=body, language=content_language(jurisdiction, languages))


def _definition(
    jurisdiction: Jurisdiction, code: str, languages: tuple[str, ...], output: Format, is_extended: bool
) -> Answer:
    """The definition in the standard's form, or with every attribute and its rules."""
    [service] = in_languages([jurisdiction.require_service(code)], jurisdiction, languages)
    kind, shape = (_ExtendedQuestion, _EXTENDED) if is_extended else (_Question, _DEFINITION)
    attributes = (attribute for attribute in service.attributes if is_extended or attribute.is_shown)
    questions = tuple(kind.of(attribute, order) for order, attribute in enumerate(attributes, start=1))
    body = document(shape, shape.plain(_Definition(code, questions)), output)
    return Answer(body=body, language=content_language(jurisdiction, languages))
