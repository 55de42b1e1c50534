"""The schemas accept every example and refuse broken bodies with a helpful sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from spec.bodies import EXAMPLES, SCHEMAS, deviations, example, kind_of_example, parse, same_data
from spec.documents import UnreadableError
from spec.shapes import BODIES, Kind

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))
XML, JSON = "text/xml; charset=utf-8", "application/json; charset=utf-8"

Change = Callable[[Any], Any]


def test_every_kind_of_body_has_an_example() -> None:
    assert {kind_of_example(name) for name in NAMES} == set(BODIES)


@pytest.mark.parametrize("media_type", [XML, JSON])
@pytest.mark.parametrize("name", NAMES)
def test_examples_conform(name: str, media_type: str) -> None:
    assert deviations(example(name, media_type), media_type=media_type, kind=kind_of_example(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_validate_against_both_grammars(name: str) -> None:
    document = etree.fromstring(example(name, XML))
    etree.XMLSchema(etree.parse(SCHEMAS / "georeport-v2.xsd")).assertValid(document)
    etree.RelaxNG(etree.parse(SCHEMAS / "georeport-v2.rng")).assertValid(document)


@pytest.mark.parametrize("name", NAMES)
def test_the_xml_and_json_examples_have_the_same_data(name: str) -> None:
    assert same_data(example(name, XML), example(name, JSON), kind_of_example(name)) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "requests-extended"])
def test_xml_and_json_examples_parse_to_equal_data(name: str) -> None:
    assert parse(example(name, XML), XML) == parse(example(name, JSON), JSON)


def _set(**members: Any) -> Change:
    """Change the first record of a body, or the body itself if it is an object."""

    def change(data: Any) -> Any:
        record = data[0] if isinstance(data, list) else data
        record.update(members)
        return data

    return change


def _drop(name: str) -> Change:
    def change(data: Any) -> Any:
        del (data[0] if isinstance(data, list) else data)[name]
        return data

    return change


def _attribute(position: int, **members: Any) -> Change:
    def change(data: Any) -> Any:
        data["attributes"][position].update(members)
        return data

    return change


def _endpoint(**members: Any) -> Change:
    def change(data: Any) -> Any:
        data["endpoints"][0].update(members)
        return data

    return change


BROKEN_JSON: list[tuple[str, Change, str]] = [
    ("services", lambda data: {"services": data}, "wrapped in an object; drop the root name in JSON (A40)"),
    ("services", lambda data: {"service_list": data}, "services is an object: the service list is"),
    ("services", _set(service_code=1), "services[0].service_code is 1: an identifier is a string"),
    ("services", _set(metadata="true"), 'services[0].metadata is "true": this is true or false'),
    ("services", _set(group=None), "services[0].group is null: this is text, empty when unset"),
    ("services", _set(type="instant"), 'services[0].type is "instant": a service is realtime, batch or'),
    ("services", _drop("keywords"), "services[0] lacks keywords: every standard field"),
    ("services", lambda data: [*data, data[0]], 'the service_code "potholes" occurs 2 times'),
    ("service_definition", lambda data: [data], "an array of 1: a definition is one object"),
    ("service_definition", _attribute(2, values=[]), "only the two list datatypes carry values (A52)"),
    ("service_definition", _attribute(0, values=[]), "a list datatype has at least one value"),
    ("service_definition", _attribute(0, datatype="picklist"), "the standard has six datatypes"),
    ("service_definition", _attribute(1, order=1), "the order 1 occurs 2 times"),
    ("service_definition", _attribute(1, order="2"), '.order is "2": order is a whole number from 1'),
    ("service_definition", _attribute(0, values=[{"key": 1, "name": ""}]), "values[0].key is 1:"),
    ("requests", _set(service_request_id=8841), "service_request_id is 8841: an identifier is"),
    ("requests", _set(requested_datetime="2026-02-01T08:00:00"), "with Z or an offset such as +02:00"),
    ("requests", _set(requested_datetime="2026-02-01T08:00:00.5Z"), "no fraction (A27)"),
    ("requests", _set(status="in_progress"), "a status is open or closed (A23)"),
    ("requests", _set(lat="60.1"), "lat is a number from -90 to 90"),
    ("requests", _set(long=181), "requests[0].long is 181: long is a number from -180 to 180"),
    ("requests", _set(description="x" * 4001), "has 4001 characters"),
    ("requests", _set(media_url=" https://a.example/1.jpg"), "one address without blanks"),
    ("requests", _set(zipcode=2134), "requests[0].zipcode is 2134: an identifier is a string, or null"),
    ("requests", _drop("expected_datetime"), "requests[0] lacks expected_datetime: every standard field"),
    ("created-realtime", _set(token="t-1"), "never both (A03)"),
    ("created-realtime", lambda data: data[0], "created is an object: the answer to a POST is an array"),
    ("created-batch", lambda data: data * 2, "created has 2 items"),
    ("token-pending", _drop("token"), "token[0] lacks token"),
    ("token-pending", lambda _: [], "token has 0 items"),
    ("errors", lambda data: data[0], "errors is an object: errors are a bare array"),
    ("errors", _set(code="404"), 'errors[0].code is "404": code is a whole number'),
    ("errors", _set(description=" "), 'errors[0].description is " ": this text may not be blank'),
    ("errors", lambda data: {"errors": data}, "drop the root name"),
    ("discovery", _drop("key_service"), "discovery lacks key_service"),
    ("discovery", _set(changeset="2012-09-18T15:37-05"), "a changeset is a time with a zone"),
    ("discovery", _endpoint(url="https://api.city.example/v2/"), "without a slash at its end (A47)"),
    ("discovery", _endpoint(type="live"), "an endpoint is production or test"),
    ("discovery", _endpoint(formats="text/xml"), "formats is an array of media types"),
]


@pytest.mark.parametrize(("name", "change", "sentence"), BROKEN_JSON)
def test_broken_json_is_refused_with_a_reason(name: str, change: Change, sentence: str) -> None:
    body = json.dumps(change(json.loads(example(name)))).encode()
    faults = deviations(body, media_type=JSON, kind=kind_of_example(name))
    assert any(sentence in line for line in faults), faults
    assert len(faults) == 1, faults


BROKEN_XML: list[tuple[str, str, str, str]] = [
    ("services", "services>", "requests>", "the root element is <requests>; it must be <services>"),
    ("services", "<metadata>true", "<metadata>TRUE", 'metadata is "TRUE": this is true or false'),
    ("services", "<type>batch</type>", "", "lacks type"),
    ("services", "<keywords>lamp</keywords>", "<keywords>lamp</keywords><keywords/>", "fit the grammar"),
    ("services", "<services>", '<services type="array">', "does not fit the grammar"),
    ("services", "<services>", '<services xmlns="urn:x">', "has a namespace"),
    ("services", ' encoding="UTF-8"', "", "lacks its declaration"),
    ("services", "<services>", "<!DOCTYPE services><services>", "has a DOCTYPE"),
    ("services", "Tree &amp; shrub", "Tree & shrub", "not well-formed XML"),
    ("service_definition", "<code>NOTE</code>", "<code>PLATE</code>", 'the code "PLATE" occurs 2 times'),
    ("service_definition", "<values>", "<value><values>", "not well-formed"),
    ("requests", "<lat>60.1718</lat>", "<lat> 60.1718</lat>", "<lat> has blanks around"),
    ("requests", "<lat>60.1718</lat>", "<lat>6.01718e1</lat>", "lat is a number from -90"),
    ("requests", "08:00:00Z<", "08:00:00<", "with Z or an offset"),
    ("requests", "<status>open", "<status>Open", "a status is open or closed"),
    ("requests", "service_requests>", "requests>", "it must be <service_requests>"),
    ("created-realtime", "<service_notice>", "<token>t</token><service_notice>", "never both (A03)"),
    ("token-resolved", "<token>t-7Qm2xKd55</token>", "", "lacks token"),
    ("errors", "errors>", "error>", "the root element is <error>"),
    ("errors", "<code>404</code>", "<code>notFound</code>", "code is a whole number"),
    ("discovery", "<format>application/json</format>", "<mime/>", "formats"),
]


@pytest.mark.parametrize(("name", "before", "after", "sentence"), BROKEN_XML)
def test_broken_xml_is_refused_with_a_reason(name: str, before: str, after: str, sentence: str) -> None:
    body = example(name, XML).replace(before.encode(), after.encode())
    assert body != example(name, XML)
    faults = deviations(body, media_type=XML, kind=kind_of_example(name))
    assert any(sentence in line for line in faults), faults


def test_xml_with_blanks_around_text_is_parsed_and_reported() -> None:
    padded = example("requests-one", XML).replace(b"<lat>60.1718", b"<lat>\n 60.1718 ")
    faults = deviations(padded, media_type=XML, kind="requests")
    assert "requests: <lat> has blanks around its text (A38)." in faults


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[NaN]", b"\xff", b'{"a":'])
def test_an_unparsable_body_is_refused_with_one_sentence(kind: Kind, body: bytes) -> None:
    for media_type in (XML, JSON):
        assert len(deviations(body, media_type=media_type, kind=kind)) == 1


def test_a_body_of_another_media_type_is_refused() -> None:
    (sentence,) = deviations(b"<html/>", media_type="text/html", kind="errors")
    assert "neither JSON nor XML" in sentence
    with pytest.raises(UnreadableError):
        parse(b"<html/>", "text/html")


def test_the_permitted_namespace_is_accepted() -> None:
    body = example("services", XML).replace(
        b"<services>", b'<services xmlns="http://wiki.open311.org/GeoReport_v2">'
    )
    assert deviations(body, media_type=XML, kind="services") == []


def test_entities_are_never_expanded() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<!DOCTYPE errors [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        b"<errors><error><code>400</code><description>&e;</description></error></errors>"
    )
    faults = deviations(body, media_type=XML, kind="errors")
    assert "errors: the document has a DOCTYPE; the standard's XML needs none." in faults
    assert any('description is "": this text may not be blank' in line for line in faults)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (b'"02134"', b"2134", 'requests[0].zipcode: XML has "02134", JSON has 2134.'),
        (b'"potholes"', b'"Potholes"', 'requests[0].service_code: XML has "potholes", JSON has "Potholes".'),
        (b"60.1718", b"60.1719", "requests[0].lat: XML has 60.1718, JSON has 60.1719."),
        (b'"On Tuesday\'s list."', b"null", "requests[0].status_notes: XML has"),
        (b"42.5", b"42", "requests[0].distance: XML has"),
        (b'"app"', b'"web"', 'requests[0].extended_attributes.channel: XML has "app", JSON has "web".'),
    ],
)
def test_differences_between_formats_are_named(before: bytes, after: bytes, sentence: str) -> None:
    xml, changed = example("requests-extended", XML), example("requests-extended").replace(before, after)
    (differences,) = same_data(xml, changed, "requests")
    assert differences.startswith(sentence)


def test_lists_of_different_length_differ() -> None:
    differences = same_data(example("requests", XML), example("requests-one"), "requests")
    assert differences == ["requests: XML has 3 items, JSON has 1."]
