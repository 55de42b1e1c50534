"""The compiled renderer gives the same output as the schemas' dump, and XML has the same data as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from open311.domain.places import Place
from open311.domain.requests import ExtendedAttributes, Extras, PublicRequest, Receipt, Status, TokenState
from open311.domain.text import clean_text
from open311.formats import JSON, XML, Rendition, document, join_items, render_request, shape_of
from schemas.georeport import ErrorSchema, ReceiptSchema, ServiceRequestSchema, ServiceSchema, TokenSchema
from spec.bodies import deviations, same_data
from tests import build
from tests.dumping import dumping

ANY_TEXT = st.text(st.characters())
CLEAN_TEXT = ANY_TEXT.map(clean_text)
INSTANTS = st.datetimes(
    datetime.min.replace(year=2), datetime.max.replace(year=9998), timezones=st.timezones() | st.just(UTC)
)
NO_POINT = st.just({"lat": None, "long": None})
POINTS = st.fixed_dictionaries({"lat": st.floats(-90, 90), "long": st.floats(-180, 180)}) | NO_POINT


def places(text: st.SearchStrategy[str]) -> st.SearchStrategy[Place]:
    words = st.fixed_dictionaries({"address": text, "address_id": text, "zipcode": text})
    return st.builds(lambda point, word: Place(**point, **word), POINTS, words)


def requests(text: st.SearchStrategy[str]) -> st.SearchStrategy[PublicRequest]:
    return st.builds(
        PublicRequest,
        service_request_id=text,
        status=st.sampled_from(Status),
        service_code=text,
        service_name=text,
        requested_at=INSTANTS,
        updated_at=INSTANTS,
        place=places(text),
        description=text,
        status_notes=text,
        agency_responsible=text,
        service_notice=text,
        expected_at=st.none() | INSTANTS,
        media_url=text,
    )


def rendered(request: PublicRequest) -> Rendition:
    """The rendition of a request that has no extensions."""
    return render_request(request, Extras(extended_attributes=ExtendedAttributes()))


@given(requests(CLEAN_TEXT))
def test_the_renderer_gives_the_output_of_the_schemas_dump(request: PublicRequest) -> None:
    dumped = dict(dumping(ServiceRequestSchema).dump(request))
    plain = shape_of(ServiceRequestSchema).plain(request)
    assert plain == dumped
    assert list(plain) == list(dumped), "both have the fields in the same order"
    assert json.loads(rendered(request).json) == dumped


@pytest.mark.requirement("C015")
@given(st.lists(requests(ANY_TEXT), max_size=3))
def test_any_text_gives_two_well_formed_documents_with_the_same_data(found: list[PublicRequest]) -> None:
    shape = shape_of(ServiceRequestSchema)
    renditions = [rendered(request) for request in found]
    xml = join_items(shape, [item.xml.encode() for item in renditions], XML)
    in_json = join_items(shape, [item.json.encode() for item in renditions], JSON)
    assert same_data(xml, in_json, "requests") == []
    assert etree.fromstring(xml).tag == "service_requests"
    assert xml == document(shape, shape.plain_list(found), XML)
    assert json.loads(in_json) == shape.plain_list(found)


@given(st.floats(-180, 180))
@pytest.mark.requirement("C227")
def test_a_coordinate_is_the_same_decimal_without_exponent_in_both_formats(degrees: float) -> None:
    request = build.service_request(place=Place(lat=0.0, long=degrees))
    rendition = rendered(request)
    text = etree.fromstring(rendition.xml).findtext("long") or ""
    whole, point, decimals = text.lstrip("-").partition(".")
    assert (whole + decimals).isdigit()
    assert point
    assert len(decimals) <= 9
    assert float(text) == json.loads(rendition.json)["long"]
    assert abs(float(text) - degrees) <= 0.6e-9


@pytest.mark.parametrize(
    ("degrees", "text"),
    [(-0.0, "0.0"), (60.0, "60.0"), (1e-9, "0.000000001"), (4e-10, "0.0"), (-4e-10, "0.0"), (0.1 + 0.2, "0.3")],
)
def test_small_and_whole_coordinates_are_written_without_exponent(degrees: float, text: str) -> None:
    rendition = rendered(build.service_request(place=Place(lat=degrees, long=1.0)))
    assert f"<lat>{text}</lat>" in rendition.xml
    assert json.loads(rendition.json)["lat"] == float(text)


def test_an_unset_field_is_null_in_json_and_empty_in_xml() -> None:
    rendition = rendered(build.service_request(place=Place(address="5 Mill Lane")))
    content = json.loads(rendition.json)
    empty = [name for name, value in content.items() if value is None]
    assert {"lat", "long", "media_url", "status_notes", "expected_datetime", "zipcode"} <= set(empty)
    assert all(f"<{name}/>" in rendition.xml for name in empty)


@pytest.mark.parametrize(
    ("schema", "value", "absent"),
    [
        (ReceiptSchema, Receipt(service_request_id="7"), {"token"}),
        (ReceiptSchema, Receipt(token="t"), {"service_request_id"}),
        (ReceiptSchema, Receipt(service_notice="Thanks"), {"service_request_id", "token"}),
        (TokenSchema, TokenState(token="t"), {"service_request_id"}),
        (TokenSchema, TokenState(token="t", service_request_id="7"), set()),
    ],
)
def test_a_missing_id_or_token_is_left_out(schema: Any, value: Any, absent: set[str]) -> None:
    plain = shape_of(schema).plain(value)
    assert set(schema().fields) - set(plain) == absent
    xml = document(shape_of(schema), [plain], XML).decode()
    assert not any(f"<{name}" in xml for name in absent)


def test_an_empty_list_is_an_empty_root_in_xml_and_brackets_in_json() -> None:
    assert document(shape_of(ServiceSchema), [], JSON) == b"[]"
    assert document(shape_of(ServiceSchema), [], XML).endswith(b"<services/>")
    assert join_items(shape_of(ServiceRequestSchema), [], XML).endswith(b"?>\n<service_requests/>")


@given(st.lists(ANY_TEXT.filter(lambda text: clean_text(text).strip()), min_size=1, max_size=3))
def test_an_error_that_quotes_any_text_has_the_standards_shape(texts: list[str]) -> None:
    rows = [{"code": 400, "description": clean_text(text)} for text in texts]
    for output in (JSON, XML):
        body = document(shape_of(ErrorSchema), rows, output)
        assert deviations(body, media_type=output.media_type, kind="errors") == []
