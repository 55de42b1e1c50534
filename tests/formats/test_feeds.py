"""GeoJSON, CSV, Atom, NDJSON, Bulk and GeoParquet have the same data as JSON, as read by other libraries."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import geoparquet_validator
import pyarrow.parquet
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from open311.domain.places import Place
from open311.domain.requests import (
    ExtendedAttributes,
    Extras,
    NamedAnswer,
    Note,
    PublicRequest,
    Status,
)
from open311.domain.text import clean_text
from open311.formats import JSON, render_request, shape_of, with_fragments
from open311.formats.writing import (
    AtomFeed,
    BulkFormat,
    CsvWriter,
    GeoJsonWriter,
    GeoParquetWriter,
    NdjsonWriter,
    bulk_writer,
    csv_columns,
    in_pieces,
    whole,
    write_atom,
)
from open311.formats.writing.atom import GEOREPORT, tag
from open311.formats.writing.bulk import COLUMNS
from open311.formats.writing.geoparquet import GROUP_ROWS
from schemas.georeport import ExtrasSchema, ServiceRequestSchema
from tests import build

ATOM = {"a": "http://www.w3.org/2005/Atom", "g": GEOREPORT, "geo": "http://www.georss.org/georss"}
EXTENSIONS = [column.name for column in shape_of(ExtrasSchema).columns]
FEED = AtomFeed(
    jurisdiction_id="city.example",
    title="Requests",
    author="City",
    api="https://a.example/v2",
    pages="https://a.example/c/city.example/requests/",
)
NASTY = [
    "",
    "plain",
    'say "hello", he said',
    "two\nlines\n",
    "a,b;c\td",
    "=cmd|' /C calc'!A0",
    "=cmd()",
    "+1",
    "-2",
    "@SUM(1)",
    "'=x",
    "''-y",
    "＝FF",
    "<b>&amp;</b>]]>",
    "Grüße, naïve Öl",
    "🕳️ hole 👩‍👩‍👧",
    "line\u2028paragraph\u2029next\u0085end",
    "\ufeffbom",
    "null",
    "{}",
    "\\N",
]
TEXT = (st.sampled_from(NASTY) | st.text(st.characters(), max_size=12)).map(clean_text)
INSTANTS = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
POINTS = st.fixed_dictionaries({"lat": st.floats(-90, 90), "long": st.floats(-180, 180)}) | st.just(
    dict[str, float]()
)
WORDS = st.fixed_dictionaries({"address": TEXT, "address_id": TEXT, "zipcode": TEXT})
PLACES = st.builds(lambda point, words: Place(**point, **words), POINTS, WORDS)
REQUESTS = st.builds(
    PublicRequest,
    service_request_id=TEXT,
    status=st.sampled_from(Status),
    service_code=TEXT,
    service_name=TEXT,
    requested_at=INSTANTS,
    updated_at=INSTANTS,
    place=PLACES,
    description=TEXT,
    status_notes=TEXT,
    agency_responsible=TEXT,
    service_notice=TEXT,
    expected_at=st.none() | INSTANTS,
    media_url=TEXT,
)
EXTRAS = st.builds(
    Extras,
    extended_attributes=st.builds(
        ExtendedAttributes,
        detailed_status=TEXT,
        outcome=TEXT,
        channel=TEXT,
        closed_at=st.none() | INSTANTS,
        department=TEXT,
        group=TEXT,
        areas=st.lists(TEXT, max_size=2).map(tuple),
        media_urls=st.lists(TEXT, max_size=2).map(tuple),
        supporters=st.integers(0, 20_000),
    ),
    notes=st.lists(st.builds(Note, INSTANTS, TEXT, TEXT), max_size=2).map(tuple),
    attributes=st.lists(st.builds(NamedAnswer, TEXT, TEXT, TEXT, TEXT), max_size=2).map(tuple),
)


def item(request: PublicRequest, extras: Extras | None = None) -> bytes:
    """A request as an item of a list, with its extensions if it has any."""
    empty = Extras(extended_attributes=ExtendedAttributes())
    rendition = render_request(request, extras or empty)
    body = rendition.json.encode()
    return with_fragments(body, rendition.json_extras, JSON) if extras else body


ITEMS = st.lists(st.builds(item, REQUESTS, EXTRAS), max_size=4)
few = settings(max_examples=20)


def table(body: bytes) -> list[dict[str, str]]:
    """CSV read by Python's csv module in strict mode, with CRLF at the end of each line."""
    text = body.decode()
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = list(reader)
    assert text.endswith("\r\n")
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def unescaped(text: str) -> str:
    """The text of a cell without the apostrophe that was added against formulas."""
    return text[1:] if re.match(r"'+[=+\-@\t\r\n＝＋－＠]", text) else text


def flat(data: dict[str, Any]) -> dict[str, Any]:
    """An item as a table row: a field of an object becomes a field `object.field`."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            found[name] = value
    return found


def usual(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without the empty columns that JSON leaves out."""
    others = tuple(f"extended_attributes.{name}" for name in ("supporters", "origin", "via"))
    return {name: value for name, value in row.items() if name not in others or value}


def cell_value(text: str, like: Any) -> Any:
    """The value of a cell, with the type of `like`."""
    if isinstance(like, list):
        return json.loads(text)
    if isinstance(like, int | float):
        return type(like)(text)
    return unescaped(text) or None


@few
@given(ITEMS)
def test_csv_has_the_data_of_json(items: list[bytes]) -> None:
    rows = table(whole(CsvWriter(csv_columns(EXTENSIONS)), items))
    assert len(rows) == len(items)
    for row, expected in zip(rows, map(flat, map(json.loads, items)), strict=True):
        assert list(usual(row)) == list(expected)
        for name, value in expected.items():
            assert cell_value(row[name], value) == (value or None if isinstance(value, str) else value), name


@few
@given(ITEMS)
def test_no_cell_of_the_spreadsheet_csv_is_a_formula(items: list[bytes]) -> None:
    for row in table(whole(CsvWriter(csv_columns(EXTENSIONS)), items)):
        for name, text in row.items():
            if name not in ("lat", "long"):
                assert not re.match(r"[=+\-@\t\r\n＝＋－＠]", text), (name, text)


@pytest.mark.parametrize("text", NASTY)
def test_escaping_against_formulas_is_reversible(text: str) -> None:
    (row,) = table(whole(CsvWriter(csv_columns()), [item(build.service_request(description=text))]))
    assert unescaped(row["description"]) == clean_text(text)


def test_small_and_negative_coordinates_are_plain_decimals() -> None:
    place = Place(lat=-0.00001, long=-179.5)
    (row,) = table(whole(CsvWriter(csv_columns()), [item(build.service_request(place=place))]))
    assert (row["lat"], row["long"]) == ("-0.00001", "-179.5")


def test_csv_without_requests_has_only_a_header() -> None:
    body = whole(CsvWriter(csv_columns()), [])
    assert body.decode() == ",".join(shape.name for shape in shape_of(ServiceRequestSchema).columns) + "\r\n"


@few
@given(ITEMS)
def test_ndjson_has_the_data_of_json(items: list[bytes]) -> None:
    lines = whole(NdjsonWriter(), items).decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [json.loads(text) for text in items]


@few
@given(ITEMS)
def test_geojson_has_the_data_of_json(items: list[bytes]) -> None:
    body = json.loads(whole(GeoJsonWriter(), items))
    assert body.keys() == {"type", "features"}
    assert body["type"] == "FeatureCollection"
    for feature, expected in zip(body["features"], map(json.loads, items), strict=True):
        assert feature.keys() == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        assert feature["id"] == expected["service_request_id"]
        assert feature["properties"] == expected
        if expected["lat"] is None:
            assert feature["geometry"] is None
        else:
            point = shapely.geometry.shape(feature["geometry"])
            assert (point.geom_type, point.x, point.y) == ("Point", expected["long"], expected["lat"])


def elements(node: etree._Element) -> Any:
    """The children of an element as JSON values: text, objects or lists."""
    return {etree.QName(child).localname: child for child in node}


@few
@given(ITEMS)
def test_atom_has_the_data_of_json(items: list[bytes]) -> None:
    feed = etree.fromstring(write_atom(FEED, items))
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    entries = feed.findall("a:entry", ATOM)
    for entry, expected in zip(entries, map(json.loads, items), strict=True):
        request_id = expected["service_request_id"]
        assert entry.findtext("a:id", namespaces=ATOM) == tag("city.example", "requests", request_id)
        assert entry.findtext("a:updated", namespaces=ATOM) == expected["updated_datetime"]
        assert entry.findtext("a:published", namespaces=ATOM) == expected["requested_datetime"]
        summary = expected["description"] or expected["status_notes"] or ""
        assert (entry.findtext("a:summary", namespaces=ATOM) or "") == summary
        terms = [node.get("term") for node in entry.findall("a:category", ATOM)]
        assert terms == [expected["service_code"] or None, expected["status"]]
        point = entry.findtext("geo:point", namespaces=ATOM)
        assert (point is None) == (expected["lat"] is None)
        if point is not None:
            assert [float(part) for part in point.split()] == [expected["lat"], expected["long"]]
        fields = elements(entry.find("g:request", ATOM))
        assert list(fields) == list(expected)
        for name, value in expected.items():
            if isinstance(value, str):
                assert (fields[name].text or "") == value
            elif isinstance(value, float):
                assert float(fields[name].text) == value
        assert len(fields["notes"]) == len(expected["notes"])
        inner = elements(fields["extended_attributes"])
        assert [node.text or "" for node in inner["areas"]] == expected["extended_attributes"]["areas"]


def test_feedparser_reads_the_atom_feed() -> None:
    items = [
        item(build.service_request(service_request_id="a/b ü", description="<b>Öl</b> & more")),
        item(
            build.service_request(service_request_id="2", place=Place(), media_url="https://a.example/1.jpg?x=1&y")
        ),
    ]
    links = {
        "self": "https://a.example/v2/requests.atom?q=a&b",
        "next": "https://a.example/n",
        "license": "https://l",
    }
    feed = AtomFeed(
        jurisdiction_id="city.example",
        title="Requests <&>",
        author="City & Co",
        api="https://a.example/v2",
        pages="https://a.example/c/city.example/requests/",
        about="q=a&status=open",
        links=links,
        rights="City",
    )
    read = feedparser.parse(write_atom(feed, items))
    assert not read.bozo
    assert read.version == "atom10"
    assert {link.rel: link.href for link in read.feed.links} == links
    assert read.feed.id == "tag:city.example,2026:city.example/requests/q%3Da%26status%3Dopen"
    assert read.feed.author == "City & Co"
    assert read.feed.updated == "2026-03-01T12:00:00Z"
    first, second = read.entries
    assert first.id == "tag:city.example,2026:city.example/requests/a%2Fb%20%C3%BC"
    assert first.title == "Pothole: 5 Mill Lane"
    assert first.where["coordinates"] == (24.9414, 60.1718)
    assert first.link == "https://a.example/c/city.example/requests/a%2Fb%20%C3%BC"
    assert "where" not in second
    assert second.enclosures[0].href == "https://a.example/1.jpg?x=1&y"


@pytest.mark.parametrize("jurisdiction_id", ["city.example", "City Ünïon", "..", "a,b:c/d"])
def test_tags_of_every_city_follow_rfc_4151(jurisdiction_id: str) -> None:
    found = tag(jurisdiction_id, "requests", "1 2")
    assert re.fullmatch(r"tag:[a-z0-9]([a-z0-9.-]*[a-z0-9])?,\d{4}:[A-Za-z0-9._~%/-]+", found)
    assert found != tag(jurisdiction_id, "requests", "1", "2")


def test_an_empty_atom_feed_is_valid() -> None:
    read = feedparser.parse(write_atom(FEED, []))
    assert not read.bozo
    assert (read.entries, read.feed.updated) == ([], "1970-01-01T00:00:00Z")


@pytest.mark.requirement("C286")
@pytest.mark.requirement("C287")
@pytest.mark.requirement("C289")
@pytest.mark.requirement("C294")
@few
@given(ITEMS)
@example([item(build.service_request(description="=cmd()"))])
def test_bulk_has_the_data_of_json_in_three_formats(items: list[bytes]) -> None:
    rows = table(whole(bulk_writer(BulkFormat.CSV), build.bulk_lines(items)))
    in_json = json.loads(whole(bulk_writer(BulkFormat.JSON), items))
    in_xml = etree.fromstring(whole(bulk_writer(BulkFormat.XML), items))
    assert in_xml.tag == "service_requests"
    for row, data, node, source in zip(rows, in_json, in_xml, map(json.loads, items), strict=True):
        assert list(row) == list(COLUMNS)
        assert [name.replace("closed_date", "closed_datetime") for name in row] == [child.tag for child in node]
        assert [child.tag for child in node] == list(data)
        for child, text, value in zip(node, row.values(), data.values(), strict=True):
            if isinstance(value, float):
                assert float(text) == value == float(child.text)
            else:
                assert text == (value or "") == (child.text or "")
        for name in ("service_request_id", "requested_datetime", "status_notes", "description", "lat", "long"):
            assert data[name] == source[name]
        assert data["closed_datetime"] == source.get("extended_attributes", {}).get("closed_datetime")


@pytest.mark.parametrize(
    ("word", "shown"), [("assigned", "assigned"), ("", "Closed"), ("in work", "Closed"), ("a\u2028b", "Closed")]
)
def test_the_status_description_of_bulk_is_one_word(word: str, shown: str) -> None:
    extras = Extras(extended_attributes=ExtendedAttributes(detailed_status=word, channel="phone"))
    text = item(build.service_request(status=Status.CLOSED), extras)
    (row,) = table(whole(bulk_writer(BulkFormat.CSV), build.bulk_lines([text])))
    assert (row["status_description"], row["source"], row["service_subtype"]) == (shown, "phone", "")


# --- GeoParquet


def parquet(items: Sequence[bytes], batch: int = 1_000) -> pyarrow.parquet.ParquetFile:
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    return pyarrow.parquet.ParquetFile(io.BytesIO(b"".join(in_pieces(GeoParquetWriter(), batches))))


def as_json(value: Any) -> Any:
    """An Arrow value as a JSON value."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


@few
@given(ITEMS)
def test_geoparquet_has_the_data_of_json(items: list[bytes]) -> None:
    rows = parquet(items).read().to_pylist()
    for row, expected in zip(rows, map(flat, map(json.loads, items)), strict=True):
        wkb = row.pop("geometry")
        assert {name: as_json(value) for name, value in usual(row).items()} == expected
        assert list(usual(row)) == list(expected)
        if expected["lat"] is None:
            assert wkb is None
        else:
            point = shapely.from_wkb(wkb)
            assert (point.geom_type, point.x, point.y) == ("Point", expected["long"], expected["lat"])


def test_the_metadata_follows_geoparquet_1_1() -> None:
    places = [Place(lat=60.5, long=-24.5), Place(), Place(lat=-10.0, long=30.25)]
    file = parquet([item(build.service_request(place=place)) for place in places])
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == "geometry"
    (column,) = geo["columns"].values()
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Point"]
    assert column["bbox"] == [-24.5, -10.0, 30.25, 60.5]
    assert column["crs"]["id"] == {"authority": "OGC", "code": "CRS84"}
    assert [axis["abbreviation"] for axis in column["crs"]["coordinate_system"]["axis"]] == ["Lon", "Lat"]
    geometry = file.schema_arrow.field("geometry")
    assert str(geometry.type) == "binary"
    assert str(file.schema_arrow.field("requested_datetime").type) == "timestamp[ms, tz=UTC]"
    assert str(file.schema_arrow.field("extended_attributes.areas").type).startswith("list<")


@few
@given(ITEMS)
def test_the_validator_accepts_every_geoparquet(items: list[bytes]) -> None:
    report = geoparquet_validator.check_bytes("requests", b"".join(in_pieces(GeoParquetWriter(), [items])))
    statuses = {outcome["id"]: outcome["status"] for outcome in report["outcomes"]}
    assert geoparquet_validator.failed(report, "core") == []
    assert statuses["/conf/core/geo-metadata"] == "pass"


def test_the_validator_finds_a_planted_fault() -> None:
    whole = b"".join(in_pieces(GeoParquetWriter(), [[item(build.service_request())]]))
    faulty = whole.replace(b'"geometry_types":["Point"]', b'"geometry_types":["Polyg"]')
    assert faulty != whole
    assert geoparquet_validator.failed(geoparquet_validator.check_bytes("faulty", faulty), "core")


def test_geoparquet_without_requests_is_valid_and_has_no_bounding_box() -> None:
    file = parquet([])
    assert file.metadata.num_rows == 0
    assert "bbox" not in json.loads(file.metadata.metadata[b"geo"])["columns"]["geometry"]


def test_a_row_group_is_written_as_soon_as_it_is_full() -> None:
    one = item(build.service_request())
    writer = GeoParquetWriter()
    assert writer.begin() == b"PAR1"
    assert writer.more([one] * (GROUP_ROWS - 1)) == b""
    assert len(writer.more([one] * 2)) > 1_000
    writer.end()


def test_instants_before_1970_and_far_in_the_future_are_kept() -> None:
    old, new = datetime(1901, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2250, 1, 1, tzinfo=UTC) + timedelta(seconds=1)
    (row,) = parquet([item(build.service_request(requested_at=old, expected_at=new))]).read().to_pylist()
    assert (row["requested_datetime"], row["expected_datetime"]) == (old, new)
