"""Corrections of faulty values in imported rows, with a test for each rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.imports import ImportedRequest, Mending, SourceRow
from open311.domain.mending import mend
from open311.domain.places import Place
from open311.domain.requests import Status
from open311.errors import Invalid

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
OPENED = datetime(2026, 4, 3, 18, 10, tzinfo=UTC)
LIMIT = 4_000


def covers(long: float, lat: float) -> bool:
    return 40 < lat < 41 and -75 < long < -73


def row(**changes: Any) -> SourceRow:
    values: dict[str, Any] = {
        "position": 1,
        "service_request_id": "7",
        "service_codes": ("potholes",),
        "status": "open",
        "requested": "2026-04-03T14:10:00",
    }
    return SourceRow(**values | changes)


def mended(**changes: Any) -> ImportedRequest:
    return mend(row(**changes), zone=NEW_YORK, now=NOW, covers=covers)


def refusal(**changes: Any) -> str:
    with pytest.raises(Invalid) as caught:
        mended(**changes)
    return str(caught.value)


def test_a_row_without_faults_is_not_changed() -> None:
    request = mended(updated="2026-04-04T10:00:00Z", lat="40.7", long="-74.0", description=" A hole. ")
    assert request.mended == ()
    assert request.requested_at == OPENED
    assert request.updated_at == request.changed_at == datetime(2026, 4, 4, 10, tzinfo=UTC)
    assert request.place == Place(lat=40.7, long=-74.0)
    assert request.description == "A hole."


def test_a_time_without_zone_is_in_the_citys_zone_and_a_zone_is_kept() -> None:
    assert mended(requested="2026-01-03 14:10").requested_at == datetime(2026, 1, 3, 19, 10, tzinfo=UTC)
    assert mended(requested="2026-01-03T14:10:00.999Z").requested_at == datetime(2026, 1, 3, 14, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"service_request_id": " "}, "service_request_id: is missing."),
        ({"service_request_id": "a\x00b"}, "service_request_id: holds control characters."),
        ({"service_request_id": "9" * 201}, "service_request_id: has 201 characters; 200 are allowed."),
        ({"service_codes": ()}, "service_code: is missing, and so is service_name."),
        ({"service_codes": ("x" * 301,)}, "service_code: has 301 characters; 300 are allowed."),
        ({"requested": ""}, "requested_datetime: is missing."),
        ({"requested": "yesterday"}, "requested_datetime: 'yesterday' is not a date and time"),
        (
            {"requested": "1900-01-01"},
            "requested_datetime: '1900-01-01' is impossible: the opening must not be before 1980 or in the future.",
        ),
        (
            {"requested": "2100-01-01"},
            "requested_datetime: '2100-01-01' is impossible: the opening must not be before 1980 or in the future.",
        ),
        ({"requested": "9" * 5_000}, "requested_datetime: '999999"),
    ],
)
def test_a_row_with_a_missing_or_invalid_essential_value_is_refused(changes: dict[str, Any], words: str) -> None:
    assert refusal(**changes).startswith(words)


@pytest.mark.parametrize(
    "damaged", ["1.01E+11", "1,01E+11", "1e+16", "5E+08", "1.01e11", "101009000001234567.0", "9007199254740993.0"]
)
def test_an_id_that_lost_digits_is_refused_with_its_cure(damaged: str) -> None:
    said = refusal(service_request_id=damaged)
    assert said.startswith(f"service_request_id: '{damaged}' is a number that lost digits")
    assert said.endswith("export the file again with the ids as text.")


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        ("59000001.0", "59000001"),
        ("101009000001.00", "101009000001"),
        ("7,0", "7"),
        ("5.9000001e7", "59000001"),
        ("1.01009000001E+11", "101009000001"),
        ("1,01009000001E+11", "101009000001"),
    ],
)
def test_an_id_with_an_empty_fraction_is_whole_again(damaged: str, whole: str) -> None:
    found = mended(service_request_id=damaged)
    assert (found.service_request_id, found.mended) == (whole, (Mending.DAMAGED_NUMBER,))


def test_codes_and_zipcodes_that_became_decimals_are_read_without_fraction() -> None:
    found = mended(service_codes=("42.0",), zipcode="10001.0")
    assert found.service_codes == ("42.0", "42"), "the catalogue decides which of them it has"
    assert (found.place.zipcode, found.mended) == ("10001", (Mending.DAMAGED_NUMBER,))


def test_an_id_that_lost_no_digits_is_kept_unchanged() -> None:
    for identifier in (
        "0012",
        "101001366957",
        "4fbd/40b2, x",
        "1e5",
        "9" * 200,
        "ß-Ω",
        "007.0",
        "12.1",
        "1E5",
        "2.0.1",
    ):
        assert mended(service_request_id=identifier).service_request_id == identifier


def test_a_closing_time_before_the_opening_becomes_the_opening_time() -> None:
    request = mended(status="Closed", closed="2026-04-01T09:00:00")
    assert request.mended == (Mending.CLOSED_BEFORE_OPENED,)
    assert request.updated_at == OPENED


def test_an_update_time_before_the_opening_becomes_the_opening_time() -> None:
    request = mended(updated="2026-04-02T23:00:00")
    assert request.mended == (Mending.UPDATED_BEFORE_OPENED,)
    assert request.updated_at == request.changed_at == OPENED


@pytest.mark.parametrize("day", ["2026-04-03T00:00:00", "2026-04-03"])
def test_a_date_without_time_of_day_is_not_reported_as_a_wrong_time(day: str) -> None:
    assert mended(updated=day).mended == (Mending.DAY_ONLY,)
    assert mended(updated=day).updated_at == OPENED


def test_a_closing_in_the_hour_that_clocks_repeat_follows_its_opening() -> None:
    found = mend(
        row(requested="2025-11-02 01:50:00", status="Closed", closed="2025-11-02 01:10:00"),
        zone=NEW_YORK,
        now=NOW,
        covers=covers,
    )
    assert found.updated_at - found.requested_at == timedelta(minutes=20)
    assert found.mended == (Mending.REPEATED_HOUR,)


@pytest.mark.parametrize("year", ["1900", "2100"])
def test_a_closing_date_of_1900_or_2100_counts_as_absent(year: str) -> None:
    request = mended(status="Closed", closed=f"{year}-01-01", updated="2026-04-05T08:00:00Z")
    assert request.mended == (Mending.IMPOSSIBLE_DATE,)
    assert request.status is Status.CLOSED
    assert request.updated_at == datetime(2026, 4, 5, 8, tzinfo=UTC)


def test_a_closing_date_does_not_close_an_open_request() -> None:
    request = mended(status="Pending", closed="2026-04-05T08:00:00Z", updated="2026-04-04T08:00:00Z")
    assert request.mended == (Mending.CLOSING_OF_OPEN,)
    assert request.status is Status.OPEN
    assert request.updated_at == datetime(2026, 4, 5, 8, tzinfo=UTC)


def test_updated_at_is_the_closing_time_and_changed_at_the_last_change() -> None:
    request = mended(status="Closed", closed="2026-04-05T08:00:00Z", updated="2026-05-01T00:00:00Z")
    assert request.updated_at == datetime(2026, 4, 5, 8, tzinfo=UTC)
    assert request.changed_at == datetime(2026, 5, 1, tzinfo=UTC)


def test_a_closed_request_without_a_later_time_is_closed_at_its_opening() -> None:
    request = mended(status="closed")
    assert request.mended == (Mending.CLOSED_UNDATED,)
    assert request.updated_at == OPENED


def test_an_unreadable_update_time_is_dropped() -> None:
    assert mended(updated="soon").mended == (Mending.UNREADABLE_DATE,)
    assert mended(updated="soon").updated_at == OPENED


def test_an_expected_time_is_between_the_opening_and_20_years_later() -> None:
    assert mended(expected="2026-07-15").expected_at == datetime(2026, 7, 15, 4, tzinfo=UTC)
    for impossible in ("1900-01-01", "2026-04-01", "2100-01-01"):
        request = mended(expected=impossible)
        assert (request.expected_at, request.mended) == (None, (Mending.IMPOSSIBLE_DATE,))


@pytest.mark.parametrize(
    "word",
    [
        *("Open", "OPEN", "In Progress", "in_progress", "Unspecified", "Email Sent", " new ", "Open - Dup"),
        *("Duplicate (open)", "Work In Progress", "Open (Pending)", "INITIATED"),
    ],
)
def test_each_word_for_an_open_request_is_read_as_open(word: str) -> None:
    assert (mended(status=word).status, mended(status=word).mended) == (Status.OPEN, ())


@pytest.mark.parametrize(
    "word",
    [
        *(
            "Closed",
            "CLOSED",
            "Completed",
            "Cancelled",
            "closed - duplicate",
            "no_further_action",
            "Cancel",
            "CLOSE",
        ),
        *("RESOL", "Duplicate (Closed)", "Completed - Dup", "Closed -Incomplete Information", "TO BE DELETED"),
    ],
)
def test_each_word_for_a_closed_request_is_read_as_closed(word: str) -> None:
    assert mended(status=word, updated="2026-04-04").status is Status.CLOSED


@pytest.mark.parametrize(
    ("status", "detailed", "kept"),
    [
        ("Pending", "", "Pending"),
        ("Duplicate (Closed)", "", "Duplicate (Closed)"),
        ("BROOKLYN", "", "BROOKLYN"),
        ("closed", "CLSD-311", "CLSD-311"),
        ("CLOSED", "", ""),
        ("open", "Open", ""),
        ("", "", ""),
    ],
)
def test_the_sources_own_status_word_is_kept(status: str, detailed: str, kept: str) -> None:
    assert mended(status=status, detailed_status=detailed).detailed_status == kept


@pytest.mark.parametrize("word", ["", "BROOKLYN", "not closed"])
def test_the_closing_date_decides_the_status_if_the_word_is_unknown(word: str) -> None:
    assert mended(status=word).status is Status.OPEN
    assert mended(status=word, closed="2026-04-05").status is Status.CLOSED
    assert mended(status=word).mended == (Mending.UNKNOWN_STATUS,)


@pytest.mark.parametrize(
    ("lat", "long", "point", "kinds"),
    [
        ("", "", None, ()),
        ("0", "0.0", None, (Mending.ZERO_POINT,)),
        ("40.7", "", None, (Mending.BAD_POINT,)),
        ("40,7", "-74", None, (Mending.BAD_POINT,)),
        ("NaN", "NaN", None, (Mending.BAD_POINT,)),
        ("998623", "195267", None, (Mending.BAD_POINT,)),
        ("95", "100", None, (Mending.BAD_POINT,)),
        ("-74.0", "40.7", (-74.0, 40.7), (Mending.SWAPPED_POINT,)),
        ("51.5", "0", (0.0, 51.5), ()),
        ("12.5", "40.7", (40.7, 12.5), ()),  # the point is outside the city in either order
        (" 40.70 ", "-74.0", (-74.0, 40.7), ()),
    ],
)
def test_swapped_and_invalid_coordinates_are_corrected(
    lat: str, long: str, point: tuple[float, float] | None, kinds: tuple[Mending, ...]
) -> None:
    request = mended(lat=lat, long=long, address="1 Main St")
    assert (request.place.point, request.mended) == (point, kinds)
    assert request.place.address == "1 Main St"


def test_coordinates_out_of_range_are_swapped_also_without_a_boundary() -> None:
    found = mend(row(lat="-122.4", long="37.8"), zone=NEW_YORK, now=NOW, covers=lambda long, lat: True)
    assert found.place.point == (-122.4, 37.8)


def test_long_texts_are_cut_to_the_limit_and_reported() -> None:
    assert mended(description="x" * LIMIT).description == "x" * LIMIT
    request = mended(description="x" * (LIMIT + 1))
    assert request.description == "x" * (LIMIT - 1) + "…"
    assert request.mended == (Mending.CUT_TEXT,)


def test_characters_forbidden_in_xml_are_removed() -> None:
    request = mended(description="a\x00b\x0bc\r\nd", address="1 Main\x1f St")
    assert (request.description, request.place.address) == ("abc\nd", "1 Main St")
    assert request.mended == (Mending.CONTROL_CHARACTERS,)


def test_bytes_that_are_not_utf8_are_read_as_windows_1252() -> None:
    request = mended(status_notes=b"Transportation\x92s caf\xe9".decode("utf-8", "surrogateescape"))
    assert request.status_notes == "Transportation’s café"
    assert request.mended == (Mending.WRONG_ENCODING,)


_texts = st.text() | st.sampled_from(
    ["2026-04-05", "2026-04-01T25:00", "0001-01-01", "9999-12-31T23:59:59-14:00", "0", "1e400"]
)
_fields = (
    *("service_request_id", "service_name", "status", "requested", "updated", "closed", "expected"),
    *("lat", "long", "address", "description", "agency"),
)


@given(st.dictionaries(st.sampled_from(_fields), _texts))
def test_any_row_is_corrected_or_refused(changes: dict[str, str]) -> None:
    try:
        request = mended(**changes)
    except Invalid:
        return
    assert request.requested_at <= request.updated_at <= request.changed_at <= NOW + timedelta(days=1)
    assert len(request.description) <= LIMIT
