"""Answers that depend on other answers, on the city's assets, on the place, or on a default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from shapely import LineString, Point, box

from open311.domain.assets import AssetLayer, LayerRule
from open311.domain.attributes import AnswerPolicy, check_answers
from open311.domain.forms import FormFiller
from open311.domain.places import Place
from open311.domain.services import Attribute, Condition, Datatype, Service, Value

HERE = Place(lat=60.17, long=24.94, address="5 Mill\nLane")
CHOICES = tuple(Value(key, key.title()) for key in ("brick", "metal", "other"))
SURFACE = Attribute(code="SURFACE", description="?", datatype=Datatype.SINGLEVALUELIST, values=CHOICES)
OTHER = Attribute(code="OTHER", description="?", required=True, only_if=(Condition("SURFACE", ("other", "metal")),))
WHY = Attribute(code="WHY", description="?", required=True, only_if=(Condition("OTHER", ("tin",)),))
LAMP = Attribute(code="LAMP", description="?", asset_layer="lamps")
LAMPS = {"L-1": Point(24.94, 60.17), "L-2": Point(24.94, 60.1711), "L-3": Point(24.94, 60.1712)}


def lamps(**rule: Any) -> AssetLayer:
    return AssetLayer(LayerRule(name="lamps", **rule), tuple(LAMPS), tuple(LAMPS.values()))


def fill(
    *attributes: Attribute, place: Place = HERE, layer: AssetLayer | None = None, **sent: str
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The answers, the problems and the remarks."""
    filler = FormFiller(
        place=place,
        received=datetime(2026, 3, 1, 12, tzinfo=UTC),
        layers={"lamps": layer or lamps()},
        areas=lambda _: ("Ward 1", "Hills"),
    )
    service = Service(code="s", name="S", attributes=attributes)
    given = {code: (value,) for code, value in sent.items()}
    answers, problems = check_answers(service, given, AnswerPolicy(zone=UTC), filler)
    remarks = [f"{remark.code} {remark.text}" for remark in filler.remarks]
    return {answer.code: answer.values[0] for answer in answers}, list(map(str, problems)), remarks


# --- Questions that depend on other answers


def test_a_question_that_is_not_asked_is_not_required() -> None:
    assert fill(SURFACE, OTHER, SURFACE="brick") == ({"SURFACE": "brick"}, [], [])
    assert fill(SURFACE, OTHER) == ({}, [], [])


def test_a_question_that_is_asked_is_required() -> None:
    _, problems, _ = fill(SURFACE, OTHER, SURFACE="other")
    assert problems == ["OTHER required; answer it as attribute[OTHER]."]


@pytest.mark.parametrize("surface", ["other", "metal"])
def test_any_one_of_the_answers_of_a_condition_fulfils_it(surface: str) -> None:
    answers, problems, remarks = fill(SURFACE, OTHER, SURFACE=surface, OTHER="tin")
    assert answers == {"SURFACE": surface, "OTHER": "tin"}
    assert (problems, remarks) == ([], [])


def test_an_answer_to_a_question_that_is_not_asked_is_dropped_with_a_remark() -> None:
    answers, problems, remarks = fill(SURFACE, OTHER, SURFACE="brick", OTHER="tin")
    assert answers == {"SURFACE": "brick"}
    assert problems == []
    assert remarks == ["OTHER is ignored; it is asked only if SURFACE is other or metal"]


def test_a_question_is_not_asked_if_it_depends_on_a_question_that_is_not_asked() -> None:
    assert fill(SURFACE, OTHER, WHY, SURFACE="brick", OTHER="tin")[1] == []
    assert fill(SURFACE, OTHER, WHY, SURFACE="other", OTHER="tin")[1] == [
        "WHY required; answer it as attribute[WHY]."
    ]


def test_without_a_form_filler_conditions_and_set_answers_are_ignored() -> None:
    service = Service(code="s", name="S", attributes=(SURFACE, Attribute(code="SET", description="?", set_to="x")))
    answers, problems = check_answers(service, {"SET": ("y",)}, AnswerPolicy(zone=UTC))
    assert [answer.values for answer in answers] == [("y",)]
    assert problems == []


# --- Answers that the server gives


def test_a_default_replaces_a_missing_or_blank_answer() -> None:
    count = Attribute(code="COUNT", description="?", datatype=Datatype.NUMBER, default=("1",))
    assert fill(count)[0] == {"COUNT": "1"}
    assert fill(count, COUNT="3")[0] == {"COUNT": "3"}
    assert fill(count, COUNT=" ")[0] == {"COUNT": "1"}


@pytest.mark.parametrize(
    ("template", "place", "text"),
    [
        ("by app", HERE, "by app"),
        ("{area}", HERE, "Ward 1, Hills"),
        ("{lat},{long}", HERE, "60.170000,24.940000"),
        ("{address} ({address_id})", HERE, "5 Mill Lane ()"),
        ("{received}", HERE, "2026-03-01T12:00:00+00:00"),
        ("{lat}", Place(address="x"), None),
        ("at {lat}", Place(address="x"), None),
    ],
)
def test_the_server_gives_an_answer(template: str, place: Place, text: str | None) -> None:
    answers, problems, _ = fill(Attribute(code="SET", description="?", set_to=template), place=place)
    assert (answers.get("SET"), problems) == (text, [])


def test_a_sent_answer_to_a_question_that_the_server_answers_is_dropped_with_a_remark() -> None:
    answers, _, remarks = fill(Attribute(code="SET", description="?", set_to="ours"), SET="theirs")
    assert answers == {"SET": "ours"}
    assert remarks == ["SET is ignored; the server sets it"]


# --- Assets


def test_the_id_of_an_asset_near_the_point_is_valid() -> None:
    assert fill(LAMP, LAMP="L-1") == ({"LAMP": "L-1"}, [], [])


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("L-9", "LAMP 'L-9' is not in the city's list lamps; send one that is near the point: L-1."),
        (
            "L-2",
            "LAMP 'L-2' of the city's list lamps is not within 30 m of the point;"
            " send one that is near the point: L-1.",
        ),
    ],
)
def test_the_error_for_a_wrong_id_names_the_ids_near_the_point(sent: str, problem: str) -> None:
    assert fill(LAMP, LAMP=sent)[1] == [problem]


def test_an_unknown_id_is_kept_with_a_remark_if_the_city_allows_it() -> None:
    answers, problems, remarks = fill(LAMP, layer=lamps(unknown_id="warn"), LAMP="L-9")
    assert (answers, problems) == ({"LAMP": "L-9"}, [])
    assert remarks == ["LAMP 'L-9' is not in the city's list lamps; it is kept as it was sent"]


def test_without_coordinates_only_the_id_is_checked() -> None:
    place = Place(address="5 Mill Lane")
    assert fill(LAMP, place=place, LAMP="L-2")[1] == []
    assert fill(LAMP, place=place, LAMP="L-9")[1] == [
        "LAMP 'L-9' is not in the city's list lamps; correct it or leave it out."
    ]
    assert fill(LAMP, place=place, layer=lamps(fill=True))[0] == {}


def test_the_only_asset_near_the_point_is_filled_in_with_a_remark() -> None:
    answers, _, remarks = fill(LAMP, layer=lamps(fill=True))
    assert answers == {"LAMP": "L-1"}
    assert remarks == ["LAMP is set to L-1, the only entry of the city's list lamps near the point"]


@pytest.mark.parametrize("radius_m", [30, 200])
def test_nothing_is_filled_in_without_the_setting_or_with_several_assets_near(radius_m: int) -> None:
    assert fill(LAMP, layer=lamps(radius_m=radius_m, fill=radius_m == 200))[0] == {}


def test_an_id_that_the_server_fills_in_answers_a_required_question() -> None:
    required = Attribute(code="LAMP", description="?", required=True, asset_layer="lamps")
    assert fill(required, layer=lamps(fill=True))[1] == []
    assert fill(required)[1] == ["LAMP required; answer it as attribute[LAMP]."]


def test_assets_near_a_point_are_ordered_by_distance() -> None:
    assert lamps(radius_m=200).near((24.94, 60.1710)) == ["L-2", "L-3", "L-1"]
    assert lamps().near((-120.0, 10.0)) == []


def test_distances_are_in_metres_at_any_latitude_and_for_any_geometry() -> None:
    street = LineString([(24.93, 60.1701), (24.95, 60.1701)])
    geometries = (Point(24.941, 60.17), street, box(24.9, 60.1, 25.0, 60.2))
    layer = AssetLayer(LayerRule(name="lamps"), ("east", "street", "park"), geometries)
    found = [layer.distance_m(name, (24.94, 60.17)) for name in layer.ids]
    assert found == pytest.approx([55.3, 11.1, 0.0], abs=0.2)
    assert layer.near((24.94, 60.17)) == ["park", "street"]
