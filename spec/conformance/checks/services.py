"""Service list: C054 to C071."""

from __future__ import annotations

from collections.abc import Iterator

from spec.conformance.answers import Answer, Record, UnmetNeedError, text_of
from spec.conformance.probe import Probe, require
from spec.conformance.registry import check
from spec.conformance.survey import attributes_of
from spec.shapes import SERVICE

_FIELDS = tuple(SERVICE.members)


def _lists(probe: Probe) -> Iterator[tuple[Answer, list[Record]]]:
    """The list in every format. Raises UnmetNeedError if it is empty."""
    for answer in probe.both("services"):
        records = answer.records("services")
        if not records:
            raise UnmetNeedError("the list of services is empty")
        yield answer, records


@check("C054")
def xml_structure(probe: Probe) -> None:
    answer = probe.services("xml").must_be(200)
    root = answer.must_be_xml()
    answer.must(root.tag == "services", "the root services", f"<{root.tag}>")
    others = {child.tag for child in root} - {"service"}
    answer.must(not others, "service children only", sorted(others))


@check("C055")
def json_structure(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.services("json").must_be(200)
    data = answer.must_be_json()
    bare = isinstance(data, list) and all(isinstance(item, dict) for item in data)
    answer.must(bare, "a bare array of objects")


@check("C056")
def fields_are_there(probe: Probe) -> None:
    for answer, records in _lists(probe):
        for record in records:
            missing = [name for name in _FIELDS if name not in record]
            answer.must(
                not missing,
                f"all of {', '.join(_FIELDS)}",
                f"no {', '.join(missing)} in {text_of(record, 'service_code')!r}",
            )


@check("C057")
def codes_are_unique(probe: Probe) -> None:
    for answer, records in _lists(probe):
        codes = [text_of(record, "service_code").strip() for record in records]
        answer.must(all(codes), "a service_code in every service", "a blank service_code")
        repeated = sorted({code for code in codes if codes.count(code) > 1})
        answer.must(not repeated, "every code once", f"{repeated} more than one time")


@check("C058")
def metadata_is_boolean(probe: Probe) -> None:
    for answer, records in _lists(probe):
        wrong = [record.get("metadata") for record in records if not isinstance(record.get("metadata"), bool)]
        answer.must(not wrong, "metadata true or false", repr(wrong[:1]))


@check("C059")
def types_are_known(probe: Probe) -> None:
    for answer, records in _lists(probe):
        types = {text_of(record, "type") for record in records}
        answer.must(types <= {"realtime", "batch", "blackbox"}, "realtime, batch or blackbox", sorted(types))


def _json_list(probe: Probe) -> tuple[Answer, list[Record]]:
    probe.json_offered()
    answer = probe.services("json")
    return answer, answer.records("services")


@check("C060")
def codes_are_strings(probe: Probe) -> None:
    answer, records = _json_list(probe)
    wrong = [record.get("service_code") for record in records if not isinstance(record.get("service_code"), str)]
    answer.must(not wrong, "service codes as strings", repr(wrong[:1]))


def _check_empty_texts(probe: Probe, *names: str) -> None:
    answer, records = _json_list(probe)
    nulls = [name for record in records for name in names if name in record and record[name] is None]
    answer.must(not nulls, '"" where nothing is set', f"null for {nulls[:1]}")
    if not any(record.get(name) == "" for record in records for name in names):
        raise UnmetNeedError(f"no service is without {' or '.join(names)}")


@check("C061")
def unset_group(probe: Probe) -> None:
    _check_empty_texts(probe, "group")


@check("C062")
def unset_texts(probe: Probe) -> None:
    _check_empty_texts(probe, "keywords", "description")


@check("C063")
def keywords_are_one_text(probe: Probe) -> None:
    has_keywords = False
    for answer, records in _lists(probe):
        values = [record.get("keywords") for record in records]
        wrong = [value for value in values if not isinstance(value, str | None)]
        answer.must(not wrong, "keywords as one text", repr(wrong[:1]))
        has_keywords = has_keywords or any(values)
    if not has_keywords:
        raise UnmetNeedError("no service has keywords")


def _definitions(probe: Probe) -> Iterator[tuple[Answer, Record, Record]]:
    """For each listed service with a definition in the survey: the list, the service and the definition."""
    services = {text_of(item, "service_code"): item for item in probe.services("xml").records("services")}
    for code, definition in probe.definitions.items():
        if code in services:
            yield probe.services("xml"), services[code], definition


@check("C064")
def metadata_true(probe: Probe) -> None:
    is_checked = False
    for answer, service, definition in _definitions(probe):
        if attributes_of(definition):
            is_checked = True
            answer.must(
                service.get("metadata") is True,
                f"metadata true, as {text_of(service, 'service_code')} has attributes",
                service.get("metadata"),
            )
    if not is_checked:
        raise UnmetNeedError("no service with attributes was found")


@check("C065")
def metadata_false(probe: Probe) -> None:
    is_checked = False
    for answer, service, definition in _definitions(probe):
        if definition.get("attributes") == []:
            is_checked = True
            answer.must(
                service.get("metadata") is False,
                f"metadata false, as {text_of(service, 'service_code')} has no attributes",
                service.get("metadata"),
            )
    if not is_checked:
        raise UnmetNeedError("no definition without attributes was found")


@check("C066", needs="retired")
def retired_is_not_listed(probe: Probe) -> None:
    code = require(probe.prepared.retired).service_code
    for answer, records in _lists(probe):
        listed = [text_of(record, "service_code") for record in records]
        answer.must(code not in listed, f"no {code}", "it is listed")


@check("C067", needs="empty")
def no_services(probe: Probe) -> None:
    at = require(probe.prepared.empty)
    xml = probe.get("services.xml", at=at).must_be(200)
    root = xml.document().root
    xml.must(root.tag == "services" and len(root) == 0, "an empty <services/>")
    if "json" in probe.formats:
        json = probe.get("services.json", at=at).must_be(200)
        json.must(json.json() == [], "[]")


@check("C068")
def elements_once(probe: Probe) -> None:
    answer = probe.services("xml")
    for service in answer.document().root:
        names = [child.tag for child in service]
        repeated = sorted({name for name in names if names.count(name) > 1})
        answer.must(not repeated, "every element once", f"{repeated} more than one time")


@check("C069")
def order_of_elements(probe: Probe) -> None:
    answer = probe.services("xml")
    for service in answer.document().root:
        names = [child.tag for child in service if child.tag in _FIELDS]
        expected = [name for name in _FIELDS if name in names]
        answer.must(list(dict.fromkeys(names)) == expected, ", ".join(expected), ", ".join(names))


@check("C070", needs="point")
def services_at_a_place(probe: Probe) -> None:
    format = probe.formats[-1]
    every = {text_of(item, "service_code") for item in probe.services(format).records("services")}
    far = probe.get(f"services.{format}", [("lat", "-48.87"), ("long", "-123.39")])
    point = require(probe.prepared.point)
    near = probe.get(f"services.{format}", [("lat", str(point.lat)), ("long", str(point.long))])
    if "place_services" not in probe.prepared.offered and (
        far.succeeded and len(far.records("services")) == len(every)
    ):
        raise UnmetNeedError("not offered: services by place")
    codes = {text_of(item, "service_code") for item in near.must_be(200).records("services")}
    near.must(codes <= every and codes, "some of the services", sorted(codes))


@check("C071", needs="locale")
def names_in_another_language(probe: Probe) -> None:
    format = probe.formats[-1]
    plain = probe.services(format).records("services")
    answer = probe.get(f"services.{format}", [("locale", require(probe.prepared.locale))]).must_be(200)
    other = answer.records("services")
    codes, names = (
        [[text_of(item, name) for item in records] for records in (plain, other)]
        for name in ("service_code", "service_name")
    )
    answer.must(codes[0] == codes[1], "the same codes", codes[1])
    answer.must(names[0] != names[1], "other names", "the same names")
