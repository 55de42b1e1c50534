"""Faults of services, conditions, moves and layers, each with its file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from open311.errors import Misconfigured
from open311.plugins import declared
from open311.plugins.registry import load_registry
from open311.plugins.testing import find_faults

CITY = """
id = "city.example"
name = "Demoville"
time_zone = "UTC"
triage = "desk"
departments = [{ code = "desk", name = "Desk" }]

[[layers]]
name = "lamps"

[[services]]
code = "new"
name = "New"

[[services.attributes]]
code = "WHAT"
description = "?"
datatype = "singlevaluelist"
values = ["a", "b"]

[[services]]
code = "old"
name = "Old"
# service

[[services.attributes]]
code = "KIND"
description = "?"
datatype = "singlevaluelist"
values = ["x", "y"]

[[services.attributes]]
code = "MORE"
description = "?"
# attribute

[[services.moves]]
to = "new"
# move
"""


def asset(asset_id: object = "L-1", x: float = 24.94) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {"id": asset_id},
        "geometry": {"type": "Point", "coordinates": [x, 60.17]},
    }


def collection(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


@pytest.fixture
def city(tmp_path: Path) -> Path:
    folder = tmp_path / "demoville"
    (folder / "layers").mkdir(parents=True)
    (folder / "jurisdiction.toml").write_text(CITY)
    (folder / "layers" / "lamps.geojson").write_text(collection(asset()))
    return folder


def faults(folder: Path, place: str, *lines: str) -> list[str]:
    """The faults of the city if the comment `place` is replaced by these lines."""
    (folder / "jurisdiction.toml").write_text(CITY.replace(f"# {place}", "\n".join(lines)))
    return find_faults(declared.load(folder))


def test_the_city_without_faults_is_sound(city: Path) -> None:
    assert faults(city, "service") == []


@pytest.mark.parametrize(
    ("place", "lines", "fault"),
    [
        (
            "service",
            ['replaced_by = "gone"'],
            "service 'old': replaced_by names 'gone', which is not a service",
        ),
        ("service", ['replaced_by = "old"'], "service 'old': replaced_by leads back to 'old'"),
        ("move", ['attributes = { KIND = "NO" }'], "service 'old': move to 'new': attributes leads to 'NO'"),
        ("move", ['attributes = { NO = "WHAT" }'], "service 'old': move to 'new': attributes names 'NO'"),
        ("move", ["values = { NO = { x = 'a' } }"], "service 'old': move to 'new': values names 'NO'"),
        ("move", ["values = { KIND = { z = 'a' } }"], "values of KIND: 'z' is not a key"),
        (
            "move",
            ['attributes = { KIND = "WHAT" }', "values = { KIND = { x = 'c' } }"],
            "service 'old': move to 'new': values of KIND in 'new': 'c' is not a key",
        ),
        (
            "attribute",
            ['only_if = { NO = "x" }'],
            "service 'old': attribute 'MORE': only_if names 'NO', which is no question before this one",
        ),
        ("attribute", ['only_if = { MORE = "x" }'], "only_if names 'MORE', which is no question before this one"),
        (
            "attribute",
            ['only_if = { KIND = "z" }'],
            "service 'old': attribute 'MORE': only_if: KIND: 'z' is not",
        ),
        ("attribute", ["only_if = { KIND = [] }"], "only_if has no answer for 'KIND'"),
        (
            "attribute",
            ["hidden = true", "public = true"],
            "service 'old': attribute 'MORE': hidden answers are",
        ),
        ("attribute", ["hidden = true", "required = true"], "nobody sees a hidden attribute"),
        ("attribute", ["required = true", 'default = "1"'], "an attribute with a default is never unanswered"),
        (
            "attribute",
            ["variable = false", 'default = "1"'],
            "variable is false, so nobody answers it; leave out def",
        ),
        (
            "attribute",
            ['set_to = "x"', "required = true"],
            "the server gives the answer, so required has no effect",
        ),
        ("attribute", ['set_to = "{no}"'], "set_to has the unknown field {no}; the fields are lat, long, address"),
        (
            "attribute",
            ['datatype = "number"', 'set_to = "{area}"'],
            "service 'old': attribute 'MORE': set_to 'Ex",
        ),
        ("attribute", ['datatype = "number"', 'default = "many"'], "default 'many' is not a number"),
        ("attribute", ['default = ["1", "2"]'], "default must be one answer, not 2"),
        (
            "attribute",
            ['asset_layer = "signs"'],
            "asset_layer names 'signs', which is not declared; add it as [[layers",
        ),
        (
            "attribute",
            ['asset_layer = "lamps"', 'datatype = "text"'],
            "the id of an asset must have the datatype str",
        ),
    ],
)
def test_a_fault_is_named_with_its_line(city: Path, place: str, lines: list[str], fault: str) -> None:
    found = faults(city, place, *lines)
    assert len(found) == 1
    assert fault in found[0]
    assert named_line(city, found[0]) in lines


def named_line(city: Path, fault: str) -> str:
    """The text of the line that a fault names."""
    match = re.match(r"demoville/jurisdiction\.toml:(\d+): ", fault)
    assert match
    return (city / "jurisdiction.toml").read_text().splitlines()[int(match[1]) - 1]


def test_a_move_to_an_unknown_service_is_a_fault(city: Path) -> None:
    (city / "jurisdiction.toml").write_text(CITY.replace('to = "new"', 'to = "gone"'))
    (found,) = find_faults(declared.load(city))
    assert "service 'old': move to 'gone': 'gone' is not a service" in found
    assert named_line(city, found) == 'to = "gone"'


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ('season = { first = "4-1", last = "10-31" }', "first must be a string such as"),
        ('season = { first = "04-31", last = "10-31" }', "not '04-31'."),
        ('season = { first = "04-01" }', "last is missing"),
        ('audience = "nobody"', "audience must be one of public, private, staff, not 'nobody'."),
    ],
)
def test_a_wrong_value_is_named_with_its_table(city: Path, lines: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        faults(city, "service", lines)
    assert "demoville/jurisdiction.toml: service old" in str(caught.value)
    assert fault in str(caught.value)


# --- Layers


def refusal(folder: Path, text: str) -> str:
    (folder / "layers" / "lamps.geojson").write_text(text)
    with pytest.raises(Misconfigured) as caught:
        declared.load(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("features", "fault"),
    [
        ([asset(None)], "feature no. 1 needs the property 'id' with the asset's id."),
        ([asset(), asset()], "feature no. 2 has the id 'L-1', which another feature has too."),
        ([asset(x=2400.0)], "feature no. 1 must be in degrees, (long, lat), WGS 84."),
        ([asset() | {"geometry": None}], "feature no. 1 needs a geometry of [long, lat] pairs."),
        ([7], "feature no. 1 needs the property 'id' with the asset's id."),
    ],
)
def test_a_feature_that_is_no_asset_is_a_fault(city: Path, features: list[object], fault: str) -> None:
    assert refusal(city, collection(*features)) == f"demoville/layers/lamps.geojson: {fault}"


def test_many_faults_of_a_layer_are_counted(city: Path) -> None:
    lines = refusal(city, collection(*(asset(None) for _ in range(100)))).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "demoville/layers/lamps.geojson: 95 more features have faults."


def test_ids_of_assets_may_be_numbers_and_geometries_may_be_lines(city: Path) -> None:
    line = asset(7) | {"geometry": {"type": "LineString", "coordinates": [[24.9, 60.1], [24.9, 60.2]]}}
    (city / "layers" / "lamps.geojson").write_text(collection(asset(8), line))
    assert declared.load(city).layers["lamps"].ids == ("8", "7")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("lamps", "../lamps"), "layer ../lamps: name must have letters, digits, - and _ only"),
        (('[[services]]\ncode = "new"', '[[layers]]\nname = "lamps"\n\n[[services]]\ncode = "new"'), "2 times"),
    ],
)
def test_the_name_of_a_layer_must_be_unique_and_valid_as_a_file_name(
    city: Path, change: tuple[str, str], fault: str
) -> None:
    (city / "jurisdiction.toml").write_text(CITY.replace(*change))
    with pytest.raises(Misconfigured, match="layer"):
        declared.load(city)
    with pytest.raises(Misconfigured) as caught:
        declared.load(city)
    assert fault in str(caught.value)


def test_a_layer_without_a_file_is_a_fault_where_it_is_used(city: Path) -> None:
    (city / "layers" / "lamps.geojson").unlink()
    assert faults(city, "attribute") == []
    (found,) = faults(city, "attribute", 'asset_layer = "lamps"')
    assert "the layer 'lamps' has no assets; put them into layers/lamps.geojson" in found


# --- Maps that the operator provides


def wards(*numbers: object) -> str:
    """A map of squares, each with the property `ward`, as in open data."""
    features = []
    for place, number in enumerate(numbers):
        west, east = 24.0 + place, 25.0 + place
        ring = [[west, 60.0], [east, 60.0], [east, 61.0], [west, 61.0], [west, 60.0]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"ward": number}, "geometry": geometry})
    return collection(*features)


@pytest.fixture
def maps(tmp_path: Path, city: Path) -> Path:
    """The operator's folder, with a folder of the city."""
    (city / "jurisdiction.toml").write_text('area_name = "Ward {ward}"\n' + CITY)
    folder = tmp_path / "maps"
    (folder / "city.example" / "layers").mkdir(parents=True)
    return folder


def test_maps_of_the_operator_replace_those_of_the_city(city: Path, maps: Path) -> None:
    (maps / "city.example" / "areas.geojson").write_text(wards(1, 2.0, "3 A"))
    (maps / "city.example" / "layers" / "lamps.geojson").write_text(collection(asset("L-7")))
    (found,) = load_registry([str(city)], maps=maps)
    assert list(found.areas) == ["Ward 1", "Ward 2", "Ward 3 A"]
    assert found.layers["lamps"].ids == ("L-7",)
    assert found.boundary is None


def test_one_map_of_the_operator_leaves_the_citys_other_maps_in_use(city: Path, maps: Path) -> None:
    (maps / "city.example" / "boundary.geojson").write_text(json.dumps(json.loads(wards(1))["features"][0]))
    (found,) = load_registry([str(city)], maps=maps)
    assert found.layers["lamps"].ids == ("L-1",)
    assert found.boundary is not None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (wards(1, None), "city.example/areas.geojson: feature no. 2 needs a `ward` property of its own."),
        (wards(1, 1), "city.example/areas.geojson: feature Ward 1 needs a `ward` property of its own."),
        ("{}", "city.example/areas.geojson: "),
    ],
)
def test_a_fault_of_an_operators_map_keeps_the_city_from_being_served(
    city: Path, maps: Path, text: str, fault: str
) -> None:
    (maps / "city.example" / "areas.geojson").write_text(text)
    found = load_registry([str(city)], maps=maps)
    assert not found.jurisdictions
    assert fault in found.faults[0].why


def test_maps_that_fit_no_city_and_a_missing_folder_are_reported(city: Path, maps: Path) -> None:
    (maps / "city.exmaple").mkdir()
    assert load_registry([str(city)], maps=maps).unused_maps == (str(maps / "city.exmaple"),)
    with pytest.raises(Misconfigured, match="OPEN311_MAPS_DIR: there is no folder"):
        load_registry([str(city)], maps=maps / "gone")
