"""The parsers of the client read or refuse any bytes and any data."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from open311.federation import bodies
from open311.federation.dialects import Dialect, Seen
from open311.federation.failures import Unreadable
from open311.federation.reading import Reader, problems_of
from open311.federation.values import (
    Attribute,
    Discovery,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
)

LISTS: tuple[type[Any], ...] = (Service, ServiceRequest, RequestUpdate)
NAMES = st.sampled_from(
    [
        *(
            "service_request_id",
            "service_code",
            "status",
            "lat",
            "long",
            "media_url",
            "requested_datetime",
            "token",
        ),
        *(
            "keywords",
            "metadata",
            "attributes",
            "values",
            "code",
            "key",
            "order",
            "endpoints",
            "formats",
            "update_id",
        ),
        *("description", "errors", "service_requests", "data", "other"),
    ]
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


FIRST, LAST = datetime(1970, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001  # the test adds a zone


def reader(format: bodies.Format) -> Reader:
    return Reader(format, Dialect(), Seen())


@given(st.binary(max_size=300), st.sampled_from(["json", "xml"]))
@example(b"<a xmlns:b='c'><b:d/></a>", "xml")
@example(b'"\\ud800"', "json")
def test_any_bytes_are_read_or_refused(content: bytes, format: bodies.Format) -> None:
    try:
        found = bodies.plain(content, format)
    except Unreadable:
        return
    problems_of(found)


@given(DATA)
@example({"data": {"data": {"data": {}}}})
@example([{"service_request_id": "1", "lat": 10**400, "long": True}])
@example([{"service_code": "x", "keywords": [[]]}])
def test_any_data_is_read_without_loss_or_refused(data: object) -> None:
    for kind in LISTS:
        try:
            records = reader("json").records(kind, data)
            values, left_out = reader("json").values(kind, data)
        except Unreadable:
            continue
        kept = [each.record for each in left_out]
        read = [record for record in records if record not in kept]
        assert len(values) + len(kept) == len(records)
        for record, value in zip(read, values, strict=True):
            known = {*value.extra, *value.unread, *value.__dataclass_fields__}
            assert isinstance(record, dict)
            assert record.keys() <= known | {"extra", "unread"}
    objects: dict[type[Any], str] = {Discovery: "endpoints", ServiceDefinition: "attributes", Attribute: "values"}
    for kind, own in objects.items():
        try:
            reader("json").value(kind, reader("json").one(kind, data, own))
        except Unreadable:
            continue


@given(st.lists(st.tuples(XML_TEXT, XML_TEXT), max_size=4))
def test_json_and_xml_of_the_same_services_are_read_alike(pairs: list[tuple[str, str]]) -> None:
    rows = [(f"c{number}{code.strip()}", name.replace("\r", "")) for number, (code, name) in enumerate(pairs)]
    as_json = json.dumps([{"service_code": code, "service_name": name} for code, name in rows]).encode()
    items = "".join(
        f"<service><service_code>{escape(code)}</service_code><service_name>{escape(name)}</service_name></service>"
        for code, name in rows
    )
    as_xml = f"<services>{items}</services>".encode()
    assert services("json", as_json) == services("xml", as_xml)


def services(format: bodies.Format, content: bytes) -> list[Service]:
    each = reader(format)
    read, unread = each.values(Service, bodies.plain(content, format))
    assert unread == []
    return read


@given(st.datetimes(FIRST, LAST), st.integers(-14 * 60, 14 * 60))
def test_a_time_in_any_zone_is_read(moment: datetime, minutes: int) -> None:
    sent = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    record = {"service_request_id": "1", "requested_datetime": sent.isoformat()}
    read = reader("json").value(ServiceRequest, record).requested_datetime
    assert read == sent.replace(microsecond=0)
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "2026-02-30", "2026-01-01T25:00", "2026-01-01T00:00+99:00"]
)
def test_a_time_that_does_not_exist_is_kept_as_an_unread_text(text: str) -> None:
    value = reader("json").value(ServiceRequest, {"requested_datetime": text})
    assert (value.requested_datetime, value.unread) == (None, {"requested_datetime": text})
