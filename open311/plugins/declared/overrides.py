"""Overrides of a city's files: which keys of the files can be overridden, and the city with its overrides.

The tables here use the same types of keys as the tables of the files, and `find_faults` checks the whole city. So
an override must be valid in the files too. In addition, its texts and lists have limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError

from open311.domain.overrides import Item, Override, OverrideKind, Stand, Standing
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Service,
    ServiceTranslation,
    Translation,
    Value,
)
from open311.domain.workflow import MOMENTS, CitizenText, Outcome
from open311.plugins.declared.faults import explain
from open311.plugins.declared.keys import CitizenSentence, Flag, Table, Tables, Text, Texts
from open311.plugins.declared.schemas import ServiceTextsTable, Values, ValueTable
from open311.plugins.interface import Jurisdiction
from open311.plugins.testing import find_faults

MOST_CHARACTERS = 4_000
MOST_ENTRIES = 500
_PLACE = re.compile(r"\S+\.toml:\d+: ")
Plain = Mapping[str, Any]


class TextTable(Table):
    """The override of a text for citizens."""

    header = "text"

    text = CitizenSentence("The text")


class OwnTextsTable(Table):
    """The override of a service's texts in the city's first language."""

    header = "service"

    name = Text("The `service_name`", default=None)
    description = Text("One or two sentences for citizens", default=None)
    group = Text("A heading under which apps show the service", default=None)
    keywords = Texts("Other words for the service", default=None)
    notice = Text("The `service_notice`", default=None)


class QuestionTable(Table):
    """The override of a question."""

    header, noun = "attributes", "attribute"

    code = Text("The code of the question, which stays")
    description = Text("The question", default=None)
    datatype_description = Text("A hint how to write the answer", default=None)
    required = Flag("Whether a POST without an answer to it is refused", default=None)
    values = Values(ValueTable(), "The choices")


class FormTable(Table):
    """The override of a service's questions, in their order."""

    header = "form"

    attributes = Tables(QuestionTable(), "The questions")


class GroupTable(Table):
    """The override of a group's name in another language."""

    header = "group"

    name = Text("The name")


def table_of(city: Jurisdiction, item: Item) -> Table:
    """The keys that an override of an item can have."""
    if item.kind is OverrideKind.SERVICE and item.language != city.languages[0]:
        return ServiceTextsTable()
    tables: Mapping[OverrideKind, type[Table]] = {
        OverrideKind.TEXT: TextTable,
        OverrideKind.SERVICE: OwnTextsTable,
        OverrideKind.FORM: FormTable,
        OverrideKind.GROUP: GroupTable,
    }
    return tables[item.kind]()


def languages_of(city: Jurisdiction) -> tuple[str, ...]:
    """The languages in which a city's texts can be overridden, the first language first."""
    return tuple(dict.fromkeys((*city.languages, *city.translations)))


def base_of(city: Jurisdiction, item: Item) -> Plain | None:
    """All fields of an item as the city has them; None if the city has no such item."""
    service = city.service(item.code) if item.code else None
    if service is not None and service.code != item.code:
        service = None  # the code is an alias
    first = city.languages[0]
    if item.kind is not OverrideKind.FORM and item.language not in languages_of(city):
        return None
    if item.kind is OverrideKind.TEXT:
        return _text(city, item) if item.outcome in (*Outcome, *MOMENTS) and (service or not item.code) else None
    if item.kind is OverrideKind.GROUP:
        is_there = item.language != first and any(one.group == item.code for one in city.services if one.group)
        translated = _translation(city, item.language).groups.get(item.code, "")
        return {"name": translated} if is_there else None
    if service is None:
        return None
    if item.kind is OverrideKind.FORM:
        return {"attributes": [_question(one) for one in service.attributes]} if service.attributes else None
    return _own_texts(service) if item.language == first else _translated(city, item, service)


def _text(city: Jurisdiction, item: Item) -> Plain:
    texts = city.texts if item.language == city.languages[0] else _translation(city, item.language).texts
    found = [one.text for one in texts if (one.outcome, one.service) == (item.outcome, item.code)]
    return {"text": found[0] if found else ""}


def _own_texts(service: Service) -> Plain:
    return {
        "name": service.name,
        "description": service.description,
        "group": service.group,
        "keywords": list(service.keywords),
        "notice": service.notice,
    }


def _translated(city: Jurisdiction, item: Item, service: Service) -> Plain:
    texts = _translation(city, item.language).services.get(item.code, ServiceTranslation())
    found = {one.code: texts.attributes.get(one.code, AttributeTranslation()) for one in service.attributes}
    return {
        "name": texts.name,
        "description": texts.description,
        "notice": texts.notice,
        "keywords": list(texts.keywords),
        "attributes": {
            one.code: {
                "description": found[one.code].description,
                "datatype_description": found[one.code].datatype_description,
                "values": {value.key: found[one.code].values.get(value.key, "") for value in one.values},
            }
            for one in service.attributes
        },
    }


def _translation(city: Jurisdiction, language: str) -> Translation:
    return city.translations.get(language, Translation())


def _question(attribute: Attribute) -> dict[str, Any]:
    return {
        "code": attribute.code,
        "description": attribute.description,
        "datatype_description": attribute.datatype_description,
        "required": attribute.required,
        "values": [{"key": value.key, "name": value.name} for value in attribute.values],
    }


def value_faults(city: Jurisdiction, item: Item, sent: Plain) -> Iterator[tuple[str, str]]:
    """Faults of an override as it was sent: pairs of the field and a sentence.

    Except for those about the limits, the faults are the same as in the files. What depends on the rest of the
    catalogue is not checked here; see `with_overrides`.
    """
    limits = f"has a text of more than {MOST_CHARACTERS} characters, or a list of more than {MOST_ENTRIES} entries"
    yield from ((name, f"{limits}; shorten it") for name in sent if not _is_modest(sent[name]))
    table = table_of(city, item)
    try:
        table.read(dict(sent))
    except ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {"": error.messages}
        for name, found in messages.items():
            sentences = explain(table, {name: found}, sent, "")
            yield from ((name, sentence.removeprefix(":").strip()) for sentence in sentences)


def _is_modest(value: Any) -> bool:
    """Whether no text and no list in a value is too long."""
    if isinstance(value, str):
        return len(value) <= MOST_CHARACTERS
    if isinstance(value, dict):
        return len(value) <= MOST_ENTRIES and all(_is_modest(one) for one in (*value, *value.values()))
    return not isinstance(value, list) or (len(value) <= MOST_ENTRIES and all(map(_is_modest, value)))


def code_faults(base: Plain, sent: Plain) -> Iterator[tuple[str, str]]:
    """Faults in the codes of the questions of a form, or of a translation: pairs of the code and what is wrong."""
    known = _codes(base)
    seen: set[str] = set()
    for code in _codes(sent):
        if code not in known:
            yield code, "unknown"
        elif code in seen:
            yield code, "twice"
        seen.add(code)
    if isinstance(sent.get("attributes"), dict):
        for code, texts in sent["attributes"].items():
            values = base["attributes"].get(code, {}).get("values", {})
            yield from ((f"{code}: {key}", "unknown") for key in texts.get("values", {}) if key not in values)


def _codes(value: Plain) -> list[str]:
    questions = value.get("attributes", ())
    return [one["code"] for one in questions] if isinstance(questions, list) else list(questions)


def reduced(base: Plain, sent: Plain) -> dict[str, Any]:
    """The fields of a valid override that differ from its base. {} if the override changes nothing.

    For a form, the result has the codes of all questions, because the order of the codes can be overridden too.
    """
    value = _normal(sent)
    if isinstance(base.get("attributes"), list) and "attributes" in value:
        whole = merged(base, value)
        return {} if whole == base else {"attributes": [_changes(base, one) for one in whole["attributes"]]}
    changed = {name: part for name, part in value.items() if name != "attributes" and part != base[name]}
    translated = {
        code: {
            name: _values_of(base["attributes"][code]["values"], part) if name == "values" else part
            for name, part in texts.items()
            if _merged_texts(base["attributes"][code], {name: part}) != base["attributes"][code]
        }
        for code, texts in value.get("attributes", {}).items()
    }
    translated = {code: texts for code, texts in translated.items() if texts}
    return changed | ({"attributes": translated} if translated else {})


def _values_of(base: Plain, names: Any) -> dict[str, str]:
    return {key: name for key, name in names.items() if base.get(key) != name}


def _changes(base: Plain, question: Plain) -> dict[str, Any]:
    known = next(one for one in base["attributes"] if one["code"] == question["code"])
    return {name: part for name, part in question.items() if name == "code" or part != known[name]}


def _normal(sent: Plain) -> dict[str, Any]:
    """A valid override with lists where the files also allow a single text."""
    value: dict[str, Any] = {
        name: [part] if name == "keywords" and isinstance(part, str) else part for name, part in sent.items()
    }
    if isinstance(value.get("attributes"), list):
        value["attributes"] = [
            {name: _choices(part) if name == "values" else part for name, part in one.items()}
            for one in value["attributes"]
        ]
    return value


def _choices(values: Iterable[Any]) -> list[dict[str, str]]:
    return [{"key": one, "name": one} if isinstance(one, str) else dict(one) for one in values]


def picked(base: Plain, value: Plain) -> dict[str, Any]:
    """What the base says for the fields that an override has."""
    return {
        name: picked(base[name], part)
        if isinstance(part, Mapping) and isinstance(base[name], Mapping)
        else base[name]
        for name, part in value.items()
        if name in base
    }


def merged(base: Plain, value: Plain) -> dict[str, Any]:
    """All fields of an item with its override. Questions that the base does not have any more are left out.

    Questions that are new in the base come last.
    """
    found = {**base, **{name: part for name, part in value.items() if name in base and name != "attributes"}}
    questions = base.get("attributes")
    if isinstance(questions, list):
        known = {one["code"]: one for one in questions}
        named = [one for one in value.get("attributes", ()) if one["code"] in known]
        rest = [one for one in questions if one["code"] not in {each["code"] for each in named}]
        found["attributes"] = [{**known[one["code"]], **one} for one in named] + rest
    elif isinstance(questions, Mapping):
        texts = value.get("attributes", {})
        found["attributes"] = {code: _merged_texts(one, texts.get(code, {})) for code, one in questions.items()}
    return found


def _merged_texts(base: Plain, texts: Plain) -> dict[str, Any]:
    names = {key: name for key, name in texts.get("values", {}).items() if key in base["values"]}
    return {**base, **texts, "values": {**base["values"], **names}}


def ground_of(city: Jurisdiction, overrides: Iterable[Override], item: Item) -> Jurisdiction:
    """The city to which an override of the item is applied.

    For a translation, it is the city with the overrides of the texts that are translated. For any other item, it is
    the city as its files declare it.
    """
    if _is_original(city, item):
        return city
    originals = [one for one in overrides if _is_original(city, one.item)]
    return with_overrides(city, originals)[0]


def with_overrides(declared: Jurisdiction, overrides: Iterable[Override]) -> tuple[Jurisdiction, list[Stand]]:
    """The city with its overrides, and how each override compares with the files.

    declared  the city as its files declare it
    An override with which the city would be faulty does not count.
    """
    stored = list(overrides)
    if not declared.overrides:
        return declared, [Stand(one, Standing.OFF) for one in stored]
    city, stands = declared, dict[Item, Stand]()
    for is_original in (True, False):
        some = [one for one in stored if _is_original(declared, one.item) is is_original]
        city, found = _with_some(city, some)
        stands |= {stand.override.item: stand for stand in found}
    return city, [stands[one.item] for one in stored]


def _is_original(city: Jurisdiction, item: Item) -> bool:
    """Whether an item is a form, or a text in the city's first language."""
    return item.kind is OverrideKind.FORM or item.language == city.languages[0]


def _with_some(ground: Jurisdiction, overrides: Sequence[Override]) -> tuple[Jurisdiction, list[Stand]]:
    stands = [Stand(one, _standing(ground, one)) for one in overrides]
    city = _all(ground, [stand.override for stand in stands if _counts(stand)])
    if city is ground or not find_faults(city):
        return city, stands
    return _with_fitting(ground, stands)


def _with_fitting(ground: Jurisdiction, stands: Sequence[Stand]) -> tuple[Jurisdiction, list[Stand]]:
    """The city with the overrides that fit, tried one after the other."""
    fitting: list[Override] = []
    checked: list[Stand] = []
    for stand in stands:
        faults = find_faults(_all(ground, [*fitting, stand.override])) if _counts(stand) else []
        if faults:
            fault = _PLACE.sub("", faults[0])  # without file and line: the files do not have the fault
            checked.append(replace(stand, standing=Standing.MISFIT, fault=fault))
            continue
        fitting += [stand.override] if _counts(stand) else []
        checked.append(stand)
    return _all(ground, fitting), checked


def _counts(stand: Stand) -> bool:
    return stand.standing in (Standing.APPLIED, Standing.CHANGED)


def _standing(ground: Jurisdiction, override: Override) -> Standing:
    base = base_of(ground, override.item)
    if base is None:
        return Standing.GONE
    if merged(base, override.value) == base:
        return Standing.EQUAL
    return Standing.APPLIED if picked(base, override.value) == override.base else Standing.CHANGED


def _all(ground: Jurisdiction, overrides: Iterable[Override]) -> Jurisdiction:
    city = ground
    for one in overrides:
        base = base_of(ground, one.item)
        assert base is not None
        city = _APPLIERS[one.item.kind](city, one.item, merged(base, one.value))
    return city if city is ground else _without_orphans(city)


def _without_orphans(city: Jurisdiction) -> Jurisdiction:
    """The city without translations of groups and choices that it does not have any more."""
    groups = {service.group for service in city.services}
    keys = {
        (service.code, attribute.code): {value.key for value in attribute.values}
        for service in city.services
        for attribute in service.attributes
    }

    def kept(code: str, texts: ServiceTranslation) -> ServiceTranslation:
        attributes = {
            name: replace(one, values={key: text for key, text in one.values.items() if key in keys[code, name]})
            for name, one in texts.attributes.items()
            if (code, name) in keys
        }
        return replace(texts, attributes=attributes)

    translations = {
        language: replace(
            one,
            groups={group: name for group, name in one.groups.items() if group in groups},
            services={code: kept(code, texts) for code, texts in one.services.items()},
        )
        for language, one in city.translations.items()
    }
    return replace(city, translations=translations)


def _with_text(city: Jurisdiction, item: Item, value: Plain) -> Jurisdiction:
    new = CitizenText(outcome=item.outcome, service=item.code, text=value["text"])

    def changed(texts: tuple[CitizenText, ...]) -> tuple[CitizenText, ...]:
        place = (item.outcome, item.code)
        if not any((one.outcome, one.service) == place for one in texts):
            return (*texts, new)
        return tuple(new if (one.outcome, one.service) == place else one for one in texts)

    if item.language == city.languages[0]:
        return replace(city, texts=changed(city.texts))
    translation = _translation(city, item.language)
    return _with_translation(city, item.language, replace(translation, texts=changed(translation.texts)))


def _with_service(city: Jurisdiction, item: Item, value: Plain) -> Jurisdiction:
    if item.language == city.languages[0]:
        return _with_changed(city, item.code, {**value, "keywords": tuple(value["keywords"])})
    attributes = {code: AttributeTranslation(**_without_blanks(one)) for code, one in value["attributes"].items()}
    texts = ServiceTranslation(
        name=value["name"],
        description=value["description"],
        notice=value["notice"],
        keywords=tuple(value["keywords"]),
        attributes={code: one for code, one in attributes.items() if one != AttributeTranslation()},
    )
    translation = _translation(city, item.language)
    services = {**translation.services, item.code: texts}
    return _with_translation(city, item.language, replace(translation, services=services))


def _without_blanks(texts: Plain) -> dict[str, Any]:
    return {**texts, "values": {key: name for key, name in texts["values"].items() if name}}


def _with_form(city: Jurisdiction, item: Item, value: Plain) -> Jurisdiction:
    service = city.service(item.code)
    assert service is not None
    known = {one.code: one for one in service.attributes}
    attributes = tuple(
        replace(
            known[one["code"]],
            description=one["description"],
            datatype_description=one["datatype_description"],
            required=one["required"],
            values=tuple(Value(choice["key"], choice["name"]) for choice in one["values"]),
        )
        for one in value["attributes"]
    )
    return _with_changed(city, item.code, {"attributes": attributes})


def _with_group(city: Jurisdiction, item: Item, value: Plain) -> Jurisdiction:
    translation = _translation(city, item.language)
    return _with_translation(
        city, item.language, replace(translation, groups={**translation.groups, item.code: value["name"]})
    )


def _with_changed(city: Jurisdiction, code: str, fields: Plain) -> Jurisdiction:
    services = tuple(replace(one, **fields) if one.code == code else one for one in city.services)
    return replace(city, services=services)


def _with_translation(city: Jurisdiction, language: str, translation: Translation) -> Jurisdiction:
    return replace(city, translations={**city.translations, language: translation})


_APPLIERS: Mapping[OverrideKind, Callable[[Jurisdiction, Item, Plain], Jurisdiction]] = {
    OverrideKind.TEXT: _with_text,
    OverrideKind.SERVICE: _with_service,
    OverrideKind.FORM: _with_form,
    OverrideKind.GROUP: _with_group,
}
