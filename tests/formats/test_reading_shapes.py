"""Files in the forms that spreadsheets, data portals and this server write, and the notes about such files."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from open311.domain.imports import Refusal, SourceRow
from open311.errors import Invalid
from open311.formats.reading import Source, open_source
from open311.formats.reading.source import SAMPLE_ROWS
from open311.formats.writing.csv import CsvWriter, csv_columns
from open311.formats.writing.geojson import GeoJsonWriter
from open311.formats.writing.ndjson import NdjsonWriter
from open311.formats.writing.writer import Writer
from tests.formats.maps import every_map

HEADER = "service_request_id,status,service_code,requested_datetime\n"
REQUEST = {
    "service_request_id": "7",
    "status": "open",
    "service_code": "x",
    "requested_datetime": "2026-04-03T14:10:00Z",
}


def source(body: bytes | str | list[Any] | dict[str, Any]) -> Source:
    if isinstance(body, list | dict):
        body = json.dumps(body)
    return open_source(io.BytesIO(body.encode() if isinstance(body, str) else body), every_map())


def rows_of(found: Source) -> list[SourceRow | Refusal]:
    return found.column_map.rows(found.found)


def only(body: bytes | str | list[Any] | dict[str, Any]) -> SourceRow:
    (row,) = rows_of(source(body))
    assert isinstance(row, SourceRow)
    return row


# Words for an empty value


@pytest.mark.parametrize(
    "word", ["NaN", "nan", "Infinity", "-inf", "null", "NULL", "N/A", "#N/A", "None", "NaT", "\\N"]
)
def test_words_for_an_empty_value_are_read_as_empty(word: str) -> None:
    assert only([REQUEST | {"address": word, "lat": word, "long": word}]) == only([REQUEST])


def test_nan_and_infinity_in_json_are_read_as_empty() -> None:
    body = '[{"service_request_id": "7", "requested_datetime": "2026-04-03", "lat": NaN, "long": -Infinity}]'
    assert (only(body).lat, only(body).long) == ("", "")


def test_a_text_that_begins_with_a_word_for_empty_is_kept() -> None:
    assert only([REQUEST | {"description": "None of the lamps is lit."}]).description == "None of the lamps is lit."


# JSON


@pytest.mark.parametrize(
    "body",
    [
        {"help": "x", "success": True, "result": {"fields": [{"id": "status"}], "records": [REQUEST], "total": 1}},
        {"rows": [REQUEST], "time": 0.1, "fields": {"status": {"type": "string"}}, "total_rows": 1},
        {"features": [{"attributes": REQUEST}], "geometryType": "esriGeometryPoint"},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None, "properties": REQUEST}]},
        {"@odata.context": "x", "value": [REQUEST]},
        {
            "meta": {"view": {"columns": [{"fieldName": name} for name in REQUEST]}},
            "data": [list(REQUEST.values())],
        },
        {"columns": list(REQUEST), "index": [0], "data": [list(REQUEST.values())]},
    ],
    ids=["ckan", "carto", "arcgis", "geojson", "odata", "socrata", "pandas"],
)
def test_the_json_of_data_portals_is_read(body: dict[str, Any]) -> None:
    row = only(body)
    assert (row.service_request_id, row.service_codes, row.status) == ("7", ("x",), "open")


@pytest.mark.parametrize(
    ("geometry", "point"),
    [
        ({"type": "Point", "coordinates": [24.94, 60.17]}, ("60.17", "24.94")),
        ({"x": 24.94, "y": 60.17}, ("60.17", "24.94")),
        ({"type": "MultiPoint", "coordinates": [[24.94, 60.17]]}, ("60.17", "24.94")),
        ({"type": "LineString", "coordinates": [[24.94, 60.17]]}, ("LineString", "LineString")),
        ({"type": "Point", "coordinates": [[24.94, 60.17]]}, ("Point", "Point")),
        ({"type": "Point", "coordinates": []}, ("Point", "Point")),
        ("somewhere", ("somewhere", "somewhere")),
        (None, ("", "")),
    ],
)
def test_a_feature_gives_its_point_or_the_type_of_another_geometry(geometry: Any, point: tuple[str, str]) -> None:
    row = only({"features": [{"properties": REQUEST, "geometry": geometry}]})
    assert (row.lat, row.long) == point


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"success": False, "error": {"message": "Not found", "__type": "Not Found"}}, "Not found"),
        ({"error": {"code": 400, "message": "Invalid URL"}}, "Invalid URL"),
        ({"error": ["relation does not exist"]}, "relation does not exist"),
        ({"error": True, "message": "Query is malformed"}, "Query is malformed"),
    ],
)
def test_the_error_answers_of_data_portals_are_refused(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=f"is an error answer, not a list of requests: .*{words}"):
        source(body)


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ({"result": {"records": [REQUEST], "total": 40}}, "holds 1 of the 40 requests that it speaks of (total)."),
        ({"numberMatched": 3, "features": [{"properties": REQUEST}]}, "holds 1 of the 3 requests"),
        ({"features": [{"attributes": REQUEST}], "exceededTransferLimit": True}, "says that there are more"),
        ({"results": [REQUEST], "total_count": 9}, "holds 1 of the 9 requests that it speaks of (total_count)."),
        ({"results": [REQUEST], "count": 9, "next": "https://a.example/?page=2"}, "(count)."),
        ({"results": [REQUEST], "next": "https://a.example/?page=2"}, "says that there are more (next)."),
        ({"value": [REQUEST], "@odata.nextLink": "https://a.example/?$skip=1"}, "(@odata.nextLink)."),
        ({"data": [REQUEST], "links": {"next": "https://a.example/?page=2"}}, "(links.next)."),
        ({"data": [REQUEST], "links": {"next": {"href": "https://a.example/?page=2"}}}, "(links.next)."),
        ({"features": [{"properties": REQUEST}], "links": [{"rel": "next", "href": "/?page=2"}]}, "(links.next)."),
    ],
)
def test_a_note_says_that_a_file_is_incomplete(body: dict[str, Any], note: str) -> None:
    (said,) = source(body).notes
    assert note in said


@pytest.mark.parametrize(
    "more",
    [
        {"total_rows": 1, "count": 1, "next": None},
        {"next": "", "links": {"self": "https://a.example/", "next": None}},
        {"links": [{"rel": "self", "href": "/"}]},
        {"next_page": 0},
        {"next_page": "-1"},
    ],
)
def test_a_whole_file_has_no_note(more: dict[str, Any]) -> None:
    assert source({"results": [REQUEST], **more}).notes == ()


def test_structured_values_are_read() -> None:
    row = only(
        [
            REQUEST
            | {
                "media_url": {"url": "https://a.example/1.jpg"},
                "point": {"latitude": "60.17", "longitude": "24.94"},
                "service_subtype": "Bulky Items",
                "service_details": "Mattress",
            }
        ]
    )
    assert row.media == ("https://a.example/1.jpg",)
    assert (row.lat, row.long, row.description) == ("60.17", "24.94", "Bulky Items: Mattress")
    assert only(
        [REQUEST | {"media_urls": [{"url": "https://a.example/1"}, {"url": "https://a.example/2"}]}]
    ).media == (
        "https://a.example/1",
        "https://a.example/2",
    )


def test_columns_that_are_not_read_are_listed_once() -> None:
    found = source([REQUEST, REQUEST | {"ward": 3, "place": {"name": "Park", "@id": "1"}}])
    assert len(rows_of(found)) == 2
    assert found.unread == {"ward", "place_name"}


def test_ndjson_is_read_by_line_and_only_a_broken_line_is_refused() -> None:
    lines = [json.dumps(REQUEST), "", '{"service_request_id": ', json.dumps(REQUEST | {"service_request_id": "8"})]
    found = source("\n".join(lines))
    assert (found.format, found.count) == ("georeport-json", None)
    first, broken, last = rows_of(found)
    assert isinstance(first, SourceRow)
    assert isinstance(broken, Refusal)
    assert isinstance(last, SourceRow)
    assert (broken.position, broken.line) == (2, 3)
    assert broken.reason.startswith("is not JSON: ")
    assert (last.service_request_id, last.position, last.line) == ("8", 3, 4)


# CSV


@pytest.mark.parametrize("end", [",", ",,,", ", "])
def test_empty_values_beyond_the_header_are_ignored(end: str) -> None:
    body = HEADER + f"7,open,x,2026-04-03T14:10:00Z{end.rstrip()}\n"
    assert only(body).service_request_id == "7"


def test_a_header_may_end_with_a_delimiter() -> None:
    assert only(HEADER.replace("\n", ",\n") + "7,open,x,2026-04-03\n").service_request_id == "7"


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_first_line_with_sep_sets_the_delimiter(first: str) -> None:
    row = only(f"{first}\r\n" + HEADER.replace(",", ";") + "7;open;x,y;2026-04-03\n")
    assert (row.service_codes, row.line) == (("x,y",), 3)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_coordinates_may_have_a_decimal_comma(delimiter: str) -> None:
    head = delimiter.join([HEADER.strip().replace(",", delimiter), "lat", "long"])
    row = only(head + "\n" + delimiter.join(["7", "open", "x", "2026-04-03", '"40,7"', '"-73,9"']) + "\n")
    assert (row.lat, row.long) == ("40.7", "-73.9")


def test_coordinates_of_json_may_have_a_decimal_comma() -> None:
    row = only([REQUEST | {"lat": "40,7", "long": "-73,9"}])
    assert (row.lat, row.long) == ("40.7", "-73.9")


@pytest.mark.parametrize("first", ["\n", "\r\n \r\n", "sep=,\n\n"])
def test_blank_lines_before_the_header_are_ignored(first: str) -> None:
    row = only(first + HEADER + "7,open,x,2026-04-03\n")
    assert (row.service_request_id, row.line) == ("7", first.count("\n") + 2)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_csv_is_read_in_the_encodings_of_spreadsheets_and_databases(encoding: str) -> None:
    row = only((HEADER + "7,open,é,2026-04-03\n").encode(encoding))
    assert row.service_codes == ("é",)


def test_gzip_in_gzip_is_refused_with_the_reason() -> None:
    with pytest.raises(Invalid, match="is compressed by gzip twice; unpack it once"):
        source(gzip.compress(gzip.compress((HEADER + "7,open,x,2026-04-03\n").encode())))


def quoted(number: int, text: str) -> str:
    return f"{number},open,x,2026-04-03T14:10:00Z,{text},5 Mill Lane\n"


WITH_TEXT = HEADER.replace("\n", ",description,address\n")


def test_the_error_for_an_unclosed_quote_names_the_lines_that_are_read_separately() -> None:
    body = WITH_TEXT + quoted(1, "ok") + quoted(2, '"24 inch pipe, deep') + quoted(3, "ok") + quoted(4, "ok")
    first, stray, third, fourth = rows_of(source(body))
    assert isinstance(stray, Refusal)
    assert (stray.position, stray.line) == (2, 3)
    assert "It would swallow lines 4 to 5, read separately instead." in stray.reason
    assert [row.service_request_id for row in (first, third, fourth)] == ["1", "3", "4"]


def test_an_unclosed_quote_is_refused_even_if_a_later_quote_seems_to_close_it() -> None:
    rows = rows_of(
        source(WITH_TEXT + quoted(1, '"24 inch, deep') + quoted(2, '"fine"') + quoted(3, '"two\nlines"'))
    )
    assert isinstance(rows[0], Refusal)
    assert [row.description for row in rows[1:] if isinstance(row, SourceRow)] == ["fine", "two\nlines"]
    assert [row.line for row in rows] == [2, 3, 4]


def test_a_quote_inside_a_value_is_kept() -> None:
    assert only(WITH_TEXT + quoted(1, '24" pipe')).description == '24" pipe'


def test_an_unclosed_quote_in_the_last_column_loses_no_row() -> None:
    body = HEADER.replace("\n", ",description\n") + '1,open,x,2026-04-03,"deep, wide\n2,open,x,2026-04-03,ok\n'
    rows = [row for row in rows_of(source(body)) if isinstance(row, SourceRow)]
    assert [row.description.strip() for row in rows] == ["deep, wide", "ok"]


def test_many_unclosed_quotes_each_refuse_only_their_line() -> None:
    body = WITH_TEXT + "".join(quoted(n, '"x, y' if n % 2 else "ok") for n in range(1, 201))
    rows = rows_of(source(body))
    assert [row.service_request_id for row in rows if isinstance(row, SourceRow)] == [
        str(n) for n in range(2, 201, 2)
    ]
    assert len(rows) == 200


# Dates


def dated(*dates: str) -> Source:
    return source(HEADER + "".join(f"{n},open,x,{date}\n" for n, date in enumerate(dates, start=1)))


def requested(found: Source) -> list[str]:
    return [row.requested for row in rows_of(found) if isinstance(row, SourceRow)]


def test_one_date_can_show_the_order_of_all_dates() -> None:
    found = dated("3/4/2026", "13/4/2026")
    assert (requested(found), found.notes) == (["2026-04-03", "2026-04-13"], ())
    found = dated("3/4/2026", "4/13/2026")
    assert (requested(found), found.notes) == (["2026-03-04", "2026-04-13"], ())


def test_without_a_date_that_shows_the_order_the_maps_order_is_used_with_a_note() -> None:
    found = dated("3/4/2026 8:00", "5/5/2026 8:00")
    assert requested(found)[0] == "2026-03-04T08:00:00"
    (said,) = found.notes
    assert said.startswith("has dates such as '3/4/2026 8:00', which fit both orders; they are read with the month")
    assert "as the column map georeport declares" in said


def test_a_date_that_shows_the_order_is_found_after_the_first_sample() -> None:
    found = dated(*["3/4/2026"] * (SAMPLE_ROWS + 5), "13/4/2026")
    assert (requested(found)[0], found.notes) == ("2026-04-03", ())


def test_a_note_names_two_orders_in_one_file() -> None:
    found = dated("13/4/2026", "4/13/2026")
    assert "has dates in both orders, '4/13/2026' and '13/4/2026'" in found.notes[0]
    assert requested(found) == ["2026-13-04", "2026-04-13"], "13/4/2026 is no date with the month first"


def test_a_note_names_years_of_two_digits() -> None:
    found = dated("9/1/26 8:00")
    assert requested(found) == ["2026-09-01T08:00:00"]
    assert "the year last" in found.notes[0]


# What this server writes


ITEM: dict[str, Any] = REQUEST | {
    "status_notes": None,
    "service_name": "Pothole",
    "description": "=1+1, 'quoted'",
    "agency_responsible": "Streets",
    "service_notice": None,
    "updated_datetime": "2026-04-05T14:10:00Z",
    "expected_datetime": None,
    "address": "-5 Mill Lane",
    "address_id": None,
    "zipcode": "00123",
    "lat": 60.17,
    "long": -0.000038,
    "media_url": "https://a.example/1",
    "extended_attributes": {
        "detailed_status": "Crew assigned",
        "outcome": None,
        "channel": "web",
        "closed_datetime": None,
        "department": "STR",
        "group": "Streets",
        "areas": ["Old Town"],
        "media_urls": ["https://a.example/1", "https://a.example/2"],
        "possible_duplicate_of": None,
    },
}


def written(writer: Writer) -> bytes:
    second = ITEM | {"service_request_id": "8"}
    return writer.begin() + writer.more([json.dumps(ITEM).encode(), json.dumps(second).encode()]) + writer.end()


@pytest.mark.parametrize(
    "make",
    [lambda: CsvWriter(csv_columns(["extended_attributes"])), GeoJsonWriter, NdjsonWriter],
    ids=["csv", "geojson", "ndjson"],
)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_files_that_this_server_writes_are_read_back(make: Callable[[], Writer], is_compressed: bool) -> None:
    body = written(make())
    found = source(gzip.compress(body) if is_compressed else body)
    row, second = rows_of(found)
    assert isinstance(row, SourceRow)
    assert isinstance(second, SourceRow)
    assert (row.service_request_id, second.service_request_id) == ("7", "8")
    assert (row.status, row.detailed_status, row.service_codes) == ("open", "Crew assigned", ("x",))
    assert (row.description, row.address, row.zipcode) == ("=1+1, 'quoted'", "-5 Mill Lane", "00123")
    assert (row.agency, row.agency_code) == ("Streets", "STR")
    assert (float(row.lat), float(row.long)) == (60.17, -0.000038)
    assert row.media == ("https://a.example/1", "https://a.example/2")
    assert found.unread >= {"extended_attributes_channel", "extended_attributes_group"}


def test_truncated_gzip_is_read_up_to_its_end_and_then_refused() -> None:
    lines = "".join(f"{n},open,x,2026-04-03T14:10:00Z\n" for n in range(40_000))
    found = source(gzip.compress((HEADER + lines).encode())[:-2_000]).found
    assert next(found)
    with pytest.raises(Invalid, match="is compressed by gzip and damaged, or not whole"):
        list(found)


def test_a_column_map_can_be_sent_to_another_process() -> None:
    found = dated("13/4/2026")
    sent = pickle.loads(pickle.dumps(found.column_map))
    assert sent.rows(found.found) == rows_of(dated("13/4/2026"))


# Rows that fit the header only by chance


def test_a_blank_value_beyond_the_header_is_refused_unless_every_row_has_one() -> None:
    shifted = HEADER + "1,open,x,2026-04-03T14:10:00Z\n2,open,x,2026-04-03,14:10,\n"
    assert isinstance(rows_of(source(shifted))[1], Refusal)
    first, second, third = rows_of(
        source(HEADER + "1,open,x,2026-04-03,\n2,open,x,2026-04-03,\n3,open,x,2026-04-03\n")
    )
    assert (isinstance(first, SourceRow), isinstance(second, SourceRow)) == (True, True)
    assert isinstance(third, Refusal)
    assert third.reason == "has 4 values where the first row has 5; is it cut off?"


def test_a_column_that_occurs_twice_is_reported() -> None:
    found = source("service_request_id,status,service_code,requested_datetime,status\n1,closed,x,2026-04-03,open\n")
    assert "has more than one column status; the last of them is read." in found.notes


def test_only_the_invalid_elements_of_a_list_are_refused() -> None:
    rows = rows_of(source([REQUEST, None, 5, REQUEST | {"service_request_id": "8"}]))
    assert [type(row) for row in rows] == [SourceRow, Refusal, Refusal, SourceRow]
    assert rows[2] == Refusal(3, "", 'holds "5" where a request should be.')
