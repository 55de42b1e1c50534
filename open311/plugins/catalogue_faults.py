"""Find faults in a catalogue, such as an unknown replacement, or an attribute that cannot be answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from open311.domain.attributes import AnswerPolicy, value_fault
from open311.domain.forms import FIELDS, FormFiller, unknown_fields
from open311.domain.places import Place
from open311.domain.services import Attribute, Condition, Datatype, Move, Service
from open311.plugins.declared.lines import Lines, Path
from open311.plugins.interface import Jurisdiction

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EXAMPLE = Place(lat=60.0, long=24.0, address="1 Example Street", address_id="1")


class CatalogueFault(NamedTuple):
    """A fault, and the path of keys to the faulty value, beginning at the service."""

    path: Path
    sentence: str


Faults = Iterator[CatalogueFault]


def find_catalogue_faults(city: Jurisdiction) -> Iterator[str]:
    """Sentences about faults in the replacements, the moves and the attributes of services.

    A sentence begins with the file and the line if the city is declared in a file.
    """
    lines = Lines(city.source)
    services = {service.code: service for service in city.services}
    for number, service in enumerate(city.services):
        for fault in _service(service, services, city):
            place = lines.place(("services", number, *fault.path))
            sentence = f"service {service.code!r}: {fault.sentence}"
            yield f"{place}: {sentence}" if place else sentence


def _service(service: Service, services: Mapping[str, Service], city: Jurisdiction) -> Faults:
    yield from _replacement(service, services)
    for number, move in enumerate(service.moves):
        yield from _below(("moves", number), f"move to {move.to!r}", _move(service, move, services.get(move.to)))
    for number, attribute in enumerate(service.attributes):
        faults = (
            *_contradictions(attribute),
            *_conditions(attribute, service.attributes[:number]),
            *_given(attribute, city),
            *_asset(attribute, city),
        )
        yield from _below(("attributes", number), f"attribute {attribute.code!r}", faults)


def _below(path: Path, where: str, faults: Iterable[CatalogueFault]) -> Faults:
    """The faults of a table, with the path and the name of the table added."""
    yield from (CatalogueFault((*path, *fault.path), f"{where}: {fault.sentence}") for fault in faults)


# --- Services


def _replacement(service: Service, services: Mapping[str, Service]) -> Faults:
    path = ("replaced_by",)
    if service.replaced_by and service.replaced_by not in services:
        yield CatalogueFault(path, f"replaced_by names {service.replaced_by!r}, which is not a service")
    seen, code = {service.code}, service.replaced_by
    while code in services:
        if code in seen:
            sentence = f"replaced_by leads back to {code!r}; one of these services must not be replaced"
            yield CatalogueFault(path, sentence)
            return
        seen.add(code)
        code = services[code].replaced_by


def _move(old: Service, move: Move, new: Service | None) -> Faults:
    if new is None:
        yield CatalogueFault(("to",), f"{move.to!r} is not a service")
        return
    for code, new_code in move.attributes.items():
        if old.attribute(code) is None:
            yield CatalogueFault(("attributes",), f"attributes names {code!r}, which this service does not have")
        if new.attribute(new_code) is None:
            sentence = f"attributes leads to {new_code!r}, which {move.to!r} does not have"
            yield CatalogueFault(("attributes", code), sentence)
    for code, keys in move.values.items():
        attribute, target = old.attribute(code), new.attribute(move.attributes.get(code, code))
        if attribute is None:
            yield CatalogueFault(("values",), f"values names {code!r}, which this service does not have")
            continue
        path = ("values", code)
        yield from _unknown_keys(path, f"values of {code}", attribute, keys)
        if target is not None:
            yield from _unknown_keys(path, f"values of {code} in {move.to!r}", target, keys.values())


def _unknown_keys(path: Path, where: str, attribute: Attribute, keys: Iterable[str]) -> Faults:
    """A fault for each key that a list does not have. A free text may have any value."""
    known = {value.key for value in attribute.values}
    for key in keys if attribute.datatype.is_list else ():
        if key not in known:
            yield CatalogueFault(path, f"{where}: {key!r} is not a key")


# --- Attributes


def _contradictions(attribute: Attribute) -> Faults:
    special = [name for name in ("hidden", "set_to", "default", "asset_layer") if getattr(attribute, name)]
    if not attribute.variable and special:
        sentence = f"variable is false, so nobody answers it; leave out {' and '.join(special)}"
        yield CatalogueFault((special[0],), sentence)
    if attribute.hidden and attribute.public:
        yield CatalogueFault(("public",), "hidden answers are never public; leave out hidden or public")
    if attribute.required and attribute.hidden:
        sentence = "nobody sees a hidden attribute, so it cannot be required; leave out hidden or required"
        yield CatalogueFault(("required",), sentence)
    if attribute.required and attribute.default:
        sentence = "an attribute with a default is never unanswered; leave out required or default"
        yield CatalogueFault(("required",), sentence)
    for name in ("required", "default", "asset_layer"):
        if attribute.set_to and getattr(attribute, name):
            yield CatalogueFault((name,), f"the server gives the answer, so {name} has no effect; leave it out")


def _conditions(attribute: Attribute, earlier: Sequence[Attribute]) -> Faults:
    known = {other.code: other for other in earlier if other.variable}
    for condition in attribute.only_if:
        yield from _condition(("only_if", condition.attribute), condition, known.get(condition.attribute))


def _condition(path: Path, condition: Condition, other: Attribute | None) -> Faults:
    if other is None:
        yield CatalogueFault(path, f"only_if names {condition.attribute!r}, which is no question before this one")
    elif not condition.values:
        sentence = (
            f"only_if has no answer for {condition.attribute!r}; write the answers that lead to this question"
        )
        yield CatalogueFault(path, sentence)
    else:
        yield from _unknown_keys(path, f"only_if: {condition.attribute}", other, condition.values)


def _given(attribute: Attribute, city: Jurisdiction) -> Faults:
    """Faults in the keys `default` and `set_to`, with which the server gives the answer."""
    policy = AnswerPolicy(zone=city.zone)
    if len(attribute.default) > 1 and attribute.datatype is not Datatype.MULTIVALUELIST:
        yield CatalogueFault(("default",), f"default must be one answer, not {len(attribute.default)}")
    for value in attribute.default:
        if fault := value_fault(attribute, value, policy):
            yield CatalogueFault(("default",), f"default {fault}")
    if unknown := unknown_fields(attribute.set_to):
        sentence = f"set_to has the unknown field {{{unknown[0]}}}; the fields are {', '.join(FIELDS)}"
        yield CatalogueFault(("set_to",), sentence)
    elif attribute.set_to and (wrong := _set_fault(attribute, policy)):
        yield CatalogueFault(("set_to",), f"set_to {wrong}")


def _set_fault(attribute: Attribute, policy: AnswerPolicy) -> str:
    """The fault of the answer that `set_to` gives for an example; "" if there is none."""
    filler = FormFiller(place=_EXAMPLE, received=_NOON, layers={}, areas=lambda _: ("Example",))
    values = filler.complete(replace(attribute, only_if=()), (), {}) or ()
    return "".join(value_fault(attribute, value, policy) or "" for value in values)


def _asset(attribute: Attribute, city: Jurisdiction) -> Faults:
    name, path = attribute.asset_layer, ("asset_layer",)
    if name and name not in city.layers:
        yield CatalogueFault(path, f"asset_layer names {name!r}, which is not declared; add it as [[layers]]")
    elif name and not city.layers[name].ids:
        yield CatalogueFault(path, f"the layer {name!r} has no assets; put them into layers/{name}.geojson")
    if name and attribute.datatype is not Datatype.STRING:
        sentence = f"the id of an asset must have the datatype string, not {attribute.datatype}"
        yield CatalogueFault(("datatype",), sentence)
