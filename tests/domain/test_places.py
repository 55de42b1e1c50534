from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.domain.places import Place, read_place
from schemas.values import parse_degrees


@pytest.mark.requirement("C117")
def test_zero_is_a_valid_coordinate() -> None:
    place, problems = read_place(lat="0", long="0")
    assert problems == []
    assert place.has_point
    assert place.point == (0.0, 0.0)


def test_a_place_keeps_point_address_and_address_id() -> None:
    place, problems = read_place(lat="60.5", long="-25.25", address="5 Mill Lane", address_id="A-7")
    assert problems == []
    assert place == Place(lat=60.5, long=-25.25, address="5 Mill Lane", address_id="A-7")
    assert place.point == (-25.25, 60.5), "a point has the longitude first"


@pytest.mark.parametrize("parameters", [{"address": "5 Mill Lane"}, {"address_id": "#NOTPINPOINTED#"}])
def test_an_address_without_coordinates_is_a_place_without_a_point(parameters: dict[str, str]) -> None:
    place, problems = read_place(**parameters)
    assert problems == []
    assert not place.has_point
    assert place.point is None


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, ["lat"]),
        ({"lat": "60"}, ["long"]),
        ({"long": "25"}, ["lat"]),
        ({"lat": "60", "address": "5 Mill Lane"}, ["long"]),
        ({"long": "25", "address_id": "A-7"}, ["lat"]),
        ({"lat": "x", "long": "y"}, ["lat", "long"]),
        ({"lat": "x"}, ["long", "lat"]),
        ({"lat": "91", "long": "181", "address": "5 Mill Lane"}, ["lat", "long"]),
    ],
)
def test_each_problem_names_its_field(sent: dict[str, str], fields: list[str]) -> None:
    _, problems = read_place(**sent)
    assert [problem.field for problem in problems] == fields


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        *(("60", 60.0), ("-60.25", -60.25), ("+1.5", 1.5), (".5", 0.5), ("7.", 7.0), ("90", 90.0), ("-90", -90.0)),
        *(("-3.8e-05", -0.000038), ("4.07E+1", 40.7), ("1e1", 10.0), ("0e0", 0.0)),
    ],
)
def test_decimal_degrees_are_read(text: str, degrees: float) -> None:
    assert parse_degrees("lat", text) == degrees


@pytest.mark.parametrize(
    "text",
    [
        *("abc", "60,5", "NaN", "inf", "1e", "e1", "1e2", "1e999", "1e1000", "0x10", "60 N", "60°", "٦٠"),
        *("1_0", "--1", "", ".", "90.0000001", "-91"),
    ],
)
def test_invalid_text_is_refused_as_latitude(text: str) -> None:
    with pytest.raises(ValueError, match="send"):
        parse_degrees("lat", text)


def test_a_very_long_number_is_refused_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="not a number") as caught:
        parse_degrees("long", "1" * 100_000)
    assert len(str(caught.value)) < 200


@given(st.decimals(-180, 180, places=9))
def test_nine_decimals_are_kept(degrees: Decimal) -> None:
    assert Decimal(f"{parse_degrees('long', f'{degrees:f}'):.9f}") == degrees
