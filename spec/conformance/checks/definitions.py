"""Service definition: C072 to C093."""

from __future__ import annotations

from collections.abc import Iterator

from spec.conformance.answers import UNKNOWN, Answer, Record, UnmetNeedError, text_of
from spec.conformance.probe import Probe, require, segment
from spec.conformance.registry import check
from spec.conformance.survey import attributes_of, definition_in
from spec.shapes import ATTRIBUTE

_FIELDS = tuple(name for name in ATTRIBUTE.members if name != "values")
_LISTS = ("singlevaluelist", "multivaluelist")
_DATATYPES = ("string", "number", "datetime", "text", *_LISTS)


def _rich_definitions(probe: Probe) -> Iterator[tuple[Answer, list[Record]]]:
    """The answer and the attributes of the service G, in every format."""
    for format in probe.formats:
        answer = probe.definition(require(probe.prepared.rich_service), format)
        yield answer, _attributes(answer)


def _attributes(answer: Answer) -> list[Record]:
    attributes = attributes_of(definition_in(answer) or {})
    if not attributes:
        raise UnmetNeedError(f"{answer.call} has no attributes that can be read (see C074 and C075)")
    return attributes


def _values(attribute: Record) -> list[Record]:
    values = attribute.get("values")
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


@check("C072", needs="rich_service")
def definition_in_xml(probe: Probe) -> None:
    code = require(probe.prepared.rich_service)
    answer = probe.definition(code, "xml").must_be(200)
    root = answer.must_be_xml()
    answer.must(root.tag == "service_definition", "the root service_definition", f"<{root.tag}>")
    answer.must(root.findtext("service_code") == code, f"service_code {code}", root.findtext("service_code"))


@check("C073", needs="rich_service")
def definition_in_json(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.definition(require(probe.prepared.rich_service), "json").must_be(200)
    data = answer.must_be_json()
    is_valid = isinstance(data, dict) and {"service_code", "attributes"} <= set(data)
    answer.must(is_valid, "one object with service_code and attributes")


@check("C074", needs="rich_service")
def wrapper_in_xml(probe: Probe) -> None:
    answer = probe.definition(require(probe.prepared.rich_service), "xml")
    elements = answer.document().root.findall("attributes/attribute")
    answer.must(elements, "attribute elements within attributes")


@check("C075", needs="rich_service")
def array_in_json(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.definition(require(probe.prepared.rich_service), "json")
    data = answer.data("service_definition")
    attributes = data.get("attributes") if isinstance(data, dict) else None
    answer.must(isinstance(attributes, list), "attributes as an array")


@check("C076", needs="rich_service")
def fields_are_there(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        for attribute in attributes:
            missing = [name for name in _FIELDS if name not in attribute]
            answer.must(not missing, f"all of {', '.join(_FIELDS)}", f"no {', '.join(missing)}")


@check("C077", needs="rich_service")
def datatypes_are_known(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        for attribute in attributes:
            datatype = text_of(attribute, "datatype")
            answer.must(datatype in _DATATYPES, f"one of {', '.join(_DATATYPES)}", datatype)


@check("C078", needs="rich_service")
def flags_are_boolean(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        for attribute in attributes:
            for name in ("variable", "required"):
                value = attribute.get(name)
                answer.must(isinstance(value, bool), f"{name} true or false", repr(value))


@check("C079", needs="rich_service")
def order_is_unique(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        orders = [text_of(attribute, "order") for attribute in attributes]
        is_valid = all(order.isdecimal() and int(order) > 0 for order in orders)
        answer.must(is_valid and len(set(orders)) == len(orders), "unique positive whole numbers", orders)


@check("C080", needs="rich_service")
def sorted_by_order(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        orders = [text_of(attribute, "order") for attribute in attributes]
        if all(order.isdecimal() for order in orders):
            answer.must(orders == sorted(orders, key=int), "attributes sorted by their order numbers", orders)


@check("C081", needs="rich_service")
def lists_have_values(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        for attribute in attributes:
            if attribute.get("datatype") in _LISTS:
                values = _values(attribute)
                is_valid = values and all({"key", "name"} <= set(value) for value in values)
                answer.must(is_valid, f"values with key and name for {text_of(attribute, 'code')}", values)


@check("C082", needs="rich_service")
def keys_are_strings(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.definition(require(probe.prepared.rich_service), "json")
    for attribute in _attributes(answer):
        wrong = [value["key"] for value in _values(attribute) if not isinstance(value.get("key"), str)]
        answer.must(not wrong, "keys as strings", repr(wrong[:1]))


@check("C083", needs="rich_service")
def keys_are_unique(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        for attribute in attributes:
            keys = [text_of(value, "key") for value in _values(attribute)]
            answer.must(len(set(keys)) == len(keys), "every key once", keys)


@check("C084", needs="rich_service")
def others_have_no_values(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        for attribute in attributes:
            plain = attribute.get("datatype") not in _LISTS
            answer.must(
                not plain or "values" not in attribute, f"no values for {text_of(attribute, 'code')}", "values"
            )


@check("C085", needs="rich_service")
def informing_attributes_are_shown(probe: Probe) -> None:
    for answer, attributes in _rich_definitions(probe):
        informing = [item for item in attributes if item.get("variable") in (False, "false", "False", 0)]
        if not informing:
            raise UnmetNeedError("the definition has no attribute with variable false")
        answer.must(
            all(text_of(item, "description").strip() for item in informing),
            "a description for each attribute with variable false",
            "none",
        )


@check("C086", needs="rich_service")
def unset_texts(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.definition(require(probe.prepared.rich_service), "json")
    for attribute in _attributes(answer):
        nulls = [name for name in ("datatype_description", "description") if attribute.get(name, "") is None]
        answer.must(not nulls, '"" where nothing is set', f"null for {', '.join(nulls)}")


@check("C087")
def unknown_service(probe: Probe) -> None:
    for answer in probe.both(f"services/{UNKNOWN}"):
        answer.must_be(404).must_say("service_code")


@check("C088")
def no_service(probe: Probe) -> None:
    for answer in probe.both("services/"):
        answer.must_be(400).must_say("service_code")


@check("C089", needs="plain_service")
def service_without_attributes(probe: Probe) -> None:
    for format in probe.formats:
        answer = probe.definition(require(probe.prepared.plain_service), format).must_be(200)
        data = answer.data("service_definition")
        attributes = data.get("attributes") if isinstance(data, dict) else None
        answer.must(attributes in ([], None, ""), "empty attributes")


def _odd_code(probe: Probe, characters: str) -> None:
    """Read the definition of a listed service whose code contains one of the characters."""
    format = probe.formats[-1]
    codes = [text_of(service, "service_code") for service in probe.services(format).records("services")]
    odd = [code for code in codes if any(character in code for character in characters)]
    if not odd:
        raise UnmetNeedError(f"no service code contains a character of {characters!r}")
    for each in probe.readings():
        answer = probe.get(f"services/{segment(odd[0])}.{each}").must_be(200)
        data = answer.data("service_definition")
        received = text_of(data, "service_code") if isinstance(data, dict) else ""
        answer.must(received == odd[0], f"the definition of {odd[0]!r}", received)


@check("C090")
def odd_characters(probe: Probe) -> None:
    _odd_code(probe, " :&'")


@check("C091")
def dotted_code(probe: Probe) -> None:
    _odd_code(probe, ".")


@check("C092")
def slashed_code(probe: Probe) -> None:
    _odd_code(probe, "/")


@check("C093")
def promised_definitions(probe: Probe) -> None:
    """Check at most eight of the definitions that the survey has read."""
    services = probe.services("xml").records("services")
    promising = [text_of(item, "service_code") for item in services if item.get("metadata") is True]
    if not promising:
        raise UnmetNeedError("no service has metadata true")
    for code in promising[:8]:
        answer = probe.definition(code, "xml").must_be(200)
        definition = probe.definitions.get(code, {})
        answer.must(text_of(definition, "service_code") == code, f"service_code {code!r}")
        answer.must(attributes_of(definition), "at least one attribute")
