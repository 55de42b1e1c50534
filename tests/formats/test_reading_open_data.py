"""Open data of New York and Boston, with the columns of several years, and CSV in every common form."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from open311.domain.imports import Mending, Refusal, SourceRow
from open311.errors import Invalid
from open311.formats.reading import Source, open_source
from tests.formats.maps import every_map

SAMPLES = Path(__file__).parent.parent / "samples"
HEADER = "unique_key,created_date,complaint_type,status,descriptor\n"
ROW = "7,2026-04-03T14:10:00.000,Rodent,Open,Rat Sighting\n"


def source(body: bytes | str, wanted: str = "") -> Source:
    """Open a file. It is tried with the column maps of all cities."""
    return open_source(io.BytesIO(body.encode() if isinstance(body, str) else body), every_map(), wanted=wanted)


def rows_of(found: Source) -> list[SourceRow | Refusal]:
    """All rows of a source, with the standard's field names."""
    return found.column_map.rows(found.found)


def read(body: bytes | str, wanted: str = "") -> list[SourceRow]:
    return [row for row in rows_of(source(body, wanted)) if isinstance(row, SourceRow)]


def sample(name: str) -> tuple[str, list[SourceRow]]:
    found = source((SAMPLES / name).read_bytes())
    return found.format, [row for row in rows_of(found) if isinstance(row, SourceRow)]


def test_new_yorks_download_is_read() -> None:
    kind, rows = sample("newyork.csv")
    assert kind == "newyork-csv"
    assert len(rows) == 12
    assert rows[0] == SourceRow(
        position=1,
        line=2,
        service_request_id="90000001",
        service_codes=("Noise - Residential",),
        service_name="Noise - Residential",
        status="Closed",
        status_notes="The police came, and saw nothing.",
        description="Banging/Pounding",
        agency="New York City Police Department",
        agency_code="NYPD",
        requested="2019-04-18T21:55:45",
        updated="2019-04-19T03:45:24",
        closed="2019-04-19T03:45:24",
        address="1 EXAMPLE PARKWAY, BROOKLYN",
        zipcode="11235",
        lat="40.5863974",
        long="-73.9325913",
        answers=(("descriptor", "Banging/Pounding"),),
    )


def test_new_yorks_due_date_is_not_an_expected_time() -> None:
    _, rows = sample("newyork.csv")
    assert {row.expected for row in rows} == {""}


def test_new_yorks_crossings_become_addresses_and_its_words_for_no_value_are_empty() -> None:
    _, rows = sample("newyork.csv")
    assert rows[1].address == "EXAMPLE ST & OTHER ST, NEW YORK"
    assert rows[3].zipcode == ""


def test_new_yorks_api_is_read_with_its_own_column_names() -> None:
    kind, (row,) = sample("newyork_api.csv")
    assert kind == "newyork-csv"
    assert row.description == "Banging/Pounding: Upstairs"
    assert (row.requested, row.service_codes) == ("2019-04-18T21:55:45.000", ("Noise - Residential",))


def test_new_yorks_column_titles_of_2026_are_read() -> None:
    head = "Unique Key,Created Date,Problem (formerly Complaint Type),Problem Detail (formerly Descriptor),Status\n"
    (row,) = read(head + "7,04/03/2026 02:10:00 PM,Rodent,Rat Sighting,Open\n")
    assert (row.service_codes, row.description) == (("Rodent",), "Rat Sighting")


def test_new_yorks_json_is_read() -> None:
    body = '[{"Unique Key": 7, "Created Date": "04/03/2026", "Complaint Type": "Rodent", "Status": "Open"}]'
    found = source(body)
    assert found.format == "newyork-json"
    assert [row.service_request_id for row in rows_of(found) if isinstance(row, SourceRow)] == ["7"]


def test_bostons_download_is_read() -> None:
    kind, rows = sample("boston.csv")
    assert kind == "boston-csv"
    assert rows[0] == SourceRow(
        position=1,
        line=2,
        service_request_id="101009999001",
        service_codes=("Mayor's 24 Hour Hotline:Needle Program:Needle Pickup", "Needle Pickup"),
        service_name="Needle Pickup",
        by_name=True,
        status="Closed",
        status_notes="Case Closed. Closed date : Wed Jan 19 11:42:16 EST 2022 Resolved Removed  ",
        agency="Mayor's 24 Hour Hotline",
        requested="2022-01-19 11:18:00",
        closed="2022-01-19 11:42:16",
        address="42 Example St, Boston, MA, 02113",
        zipcode="02113",
        lat="42.3634",
        long="-71.0566",
        media=("https://311.example.com/media/report.jpg#spot=1",),
    )
    assert rows[1].expected == "2022-01-04 08:30:00"


def test_bostons_point_for_unknown_places_is_dropped() -> None:
    _, rows = sample("boston.csv")
    assert (rows[1].lat, rows[1].long, rows[1].mended) == ("", "", (Mending.STAND_IN_POINT,))
    assert rows[1].address == "INTERSECTION of Example Rd & Other St, Jamaica Plain, MA"


def test_bostons_own_labels_are_not_read() -> None:
    _, rows = sample("boston.csv")
    assert "somebody" not in str(rows)


def test_bostons_columns_of_2025_are_read() -> None:
    kind, (row,) = sample("boston_2025.csv")
    assert kind == "boston-csv"
    assert (row.service_request_id, row.expected) == ("101009999101", "2025-09-02 04:30:00")
    assert row.media == ("https://pictures.example.com/a.jpg",)


def test_bostons_zipcodes_from_a_spreadsheet_get_their_leading_zero() -> None:
    head = "case_enquiry_id,open_dt,type,case_status,location_zipcode\n"
    rows = read(
        head + "7,2026-04-03,Pothole,Open,2118\n8,2026-04-03,Pothole,Open,02118\n9,2026-04-03,Pothole,Open,2118.0\n"
    )
    assert [row.zipcode for row in rows] == ["02118"] * 3
    assert [row.mended for row in rows] == [(Mending.SHORT_ZIPCODE,), (), (Mending.SHORT_ZIPCODE,)]


# CSV in every common form


@pytest.mark.parametrize(
    "body",
    [
        HEADER + ROW,
        b"\xef\xbb\xbf" + (HEADER + ROW).encode(),
        (HEADER + ROW).encode("utf-16"),
        (HEADER + ROW).replace("\n", "\r\n"),
        (HEADER + ROW).replace("\n", "\r"),
        (HEADER + ROW).replace(",", ";"),
        (HEADER + ROW).replace(",", "\t"),
        HEADER + "\n\n" + ROW.rstrip(),
        HEADER.upper() + ROW,
    ],
)
def test_csv_is_read_with_any_encoding_line_end_and_delimiter(body: bytes | str) -> None:
    (row,) = read(body)
    assert (row.position, row.service_request_id, row.description) == (1, "7", "Rat Sighting")


def test_line_breaks_commas_and_quotes_in_values_are_kept() -> None:
    (row,) = read(HEADER + '7,2026-04-03,Rodent,Open,"One, ""two""\nand three"\n')
    assert row.description == 'One, "two"\nand three'


def test_a_header_without_rows_has_no_requests() -> None:
    assert read(HEADER) == []


def test_a_row_that_does_not_fit_the_header_is_refused_and_the_next_is_read() -> None:
    rows = rows_of(source(HEADER + "8,2026-04-03\n" + ROW + "9,a,b,c,d,e\n"))
    assert rows[0] == Refusal(1, "", "has 2 values where the header has 5; is it cut off?", 2)
    assert isinstance(rows[1], SourceRow)
    cure = "put quotes around a value that holds ','."
    assert rows[2] == Refusal(3, "", f"has 6 values where the header has 5; {cure}", 4)


def test_a_value_above_the_size_limit_refuses_only_its_row() -> None:
    broken = '8,2026-04-03,Rodent,Open,"' + "x" * 140_000 + "\n"
    rows = rows_of(source(HEADER + broken + ROW))
    assert isinstance(rows[0], Refusal)
    assert "cannot be read as CSV" in rows[0].reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "unique_key,status\n1,Open\n",
            "lacks the columns created_date, complaint_type of newyork data; its columns are ",
        ),
        ("case_enquiry_id,open_dt,type\n", "lacks the column case_status of boston data; its columns are case_enq"),
        ("name,price\n1,2\n", "fits none of the column maps boston, "),
        ("just some words", "fits none of the column maps"),
    ],
)
def test_the_error_for_missing_columns_names_them(body: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        source(body)
    assert str(caught.value).startswith(words)


def test_a_file_that_lacks_columns_of_the_wanted_format_is_refused() -> None:
    with pytest.raises(
        Invalid, match="lacks the columns case_enquiry_id, open_dt, type, case_status of boston data"
    ):
        source(HEADER, "boston-csv")


def test_a_line_above_the_size_limit_is_refused() -> None:
    with pytest.raises(Invalid, match="has a line of more than"):
        rows_of(source(HEADER + "x" * 4_000_001))


class _Endless(io.RawIOBase):
    """A CSV without end. It counts the bytes that were read from it."""

    def __init__(self) -> None:
        self._parts: Iterator[bytes] = iter([HEADER.encode()])
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = next(self._parts, ROW.encode())
        buffer[: len(part)] = part
        self.taken += len(part)
        return len(part)


def test_csv_is_read_on_demand() -> None:
    stream = _Endless()
    found = open_source(io.BufferedReader(stream), every_map()).found
    for _ in range(100):
        next(found)
    assert stream.taken < 100_000
