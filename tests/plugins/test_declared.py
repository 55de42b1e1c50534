from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from open311.plugins import (
    Attribute,
    Datatype,
    Department,
    Draft,
    Jurisdiction,
    Misconfigured,
    Place,
    Rule,
    Service,
    ServiceType,
    Value,
    Vicinity,
    declared,
)
from open311.plugins.testing import check_jurisdiction

README = Path(__file__).parents[2] / "jurisdictions" / "README.md"

GOOD = """
id = "City.Example"
name = "Demoville"
time_zone = "Europe/Helsinki"
languages = ["en", "es"]
contact = "open311@city.example"
credit = "Ours."
outside = "refuse"
id_pattern = "{year}-{number:04}"
triage = "desk"

[aliases]
"old" = "lamp:1"

[[departments]]
code = "streets"
name = "Street Works"

[[departments]]
code = "desk"
name = "Citizens' Desk"

[[services]]
code = "lamp:1"
name = "Lamp"
description = "A lamp."
group = "Streets"
keywords = ["light", "dark"]
type = "batch"
department = "streets"
notice = "Soon."

[[services.attributes]]
code = "KIND"
description = "Which?"
datatype = "singlevaluelist"
required = true
datatype_description = "One."
values = [{ key = "1", name = "Wall" }, "pole"]

[[services.attributes]]
code = "INFO"
description = "Read this."
variable = false

[[services]]
code = "other"
name = "Other"

[[routes]]
department = "desk"
service = "lamp:1"
answers = { KIND = "pole" }
area = "Harbour"
"""
SPANISH = """
[groups]
Streets = "Calles"
[services."lamp:1"]
name = "Farola"
keywords = ["luz"]
[services."lamp:1".attributes.KIND]
description = "¿Cuál?"
values = { 1 = "Muro" }
"""
SQUARE = [[[24.0, 60.0], [25.0, 60.0], [25.0, 61.0], [24.0, 61.0], [24.0, 60.0]]]
BOW_TIE = [[[24.0, 60.0], [25.0, 61.0], [25.0, 60.0], [24.0, 61.0], [24.0, 60.0]]]
METRES = [[[385000.0, 6670000.0], [386000.0, 6670000.0], [386000.0, 6671000.0], [385000.0, 6670000.0]]]


def feature(coordinates: Any = SQUARE, name: str | None = "Harbour", kind: str = "Polygon") -> dict[str, Any]:
    properties = None if name is None else {"name": name}
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A folder with a whole, faultless city."""
    folder = tmp_path / "demoville"
    (folder / "languages").mkdir(parents=True)
    (folder / "jurisdiction.toml").write_text(GOOD, encoding="utf-8")
    (folder / "boundary.geojson").write_text(collection(feature()), encoding="utf-8")
    (folder / "areas.geojson").write_text(collection(feature()), encoding="utf-8")
    (folder / "languages" / "es.toml").write_text(SPANISH, encoding="utf-8")
    return folder


def refusal(folder: Path, file: str, text: str | bytes) -> str:
    """What is said about the city when one of its files holds this instead."""
    (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(Misconfigured) as caught:
        declared.load(folder)
    return str(caught.value)


def test_a_good_folder_says_everything(city: Path) -> None:
    jurisdiction = declared.load(city)

    check_jurisdiction(jurisdiction)
    assert (jurisdiction.id, jurisdiction.name) == ("city.example", "Demoville")
    assert jurisdiction.zone.key == "Europe/Helsinki"
    assert jurisdiction.languages == ("en", "es")
    assert (jurisdiction.contact, jurisdiction.credit) == ("open311@city.example", "Ours.")
    assert (jurisdiction.outside, jurisdiction.id_pattern) == ("refuse", "{year}-{number:04}")
    assert (jurisdiction.triage, jurisdiction.aliases) == ("desk", {"old": "lamp:1"})
    assert jurisdiction.departments[0] == Department("streets", "Street Works")
    assert jurisdiction.covers(24.5, 60.5)
    assert not jurisdiction.covers(23.5, 60.5)
    assert jurisdiction.in_area("Harbour", (24.5, 60.5))
    assert jurisdiction.rules == (
        Rule(department="desk", service="lamp:1", answers={"KIND": ("pole",)}, area="Harbour"),
    )


def test_a_service_and_its_questions_are_read(city: Path) -> None:
    assert declared.load(city).services[0] == Service(
        code="lamp:1",
        name="Lamp",
        description="A lamp.",
        group="Streets",
        keywords=("light", "dark"),
        type=ServiceType.BATCH,
        department="streets",
        notice="Soon.",
        attributes=(
            Attribute(
                code="KIND",
                description="Which?",
                datatype=Datatype.SINGLEVALUELIST,
                required=True,
                datatype_description="One.",
                values=(Value("1", "Wall"), Value("pole", "pole")),
            ),
            Attribute(code="INFO", description="Read this.", variable=False),
        ),
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    text = 'id = "a.example"\nname = "A"\ntime_zone = "UTC"\ntriage = "x"\n'
    (tmp_path / "jurisdiction.toml").write_text(text, encoding="utf-8")

    jurisdiction = declared.load(tmp_path)

    assert jurisdiction.languages == ("en",)
    assert jurisdiction.outside == "flag"
    assert jurisdiction.id_pattern == "{number}"
    assert jurisdiction.boundary is None
    assert jurisdiction.covers(0.0, 0.0)
    assert (jurisdiction.areas, jurisdiction.aliases, jurisdiction.translations) == ({}, {}, {})


def test_a_translation_is_read(city: Path) -> None:
    spanish = declared.load(city).translations["es"]

    assert spanish.groups == {"Streets": "Calles"}
    assert spanish.services["lamp:1"].name == "Farola"
    assert spanish.services["lamp:1"].keywords == ("luz",)
    assert spanish.services["lamp:1"].attributes["KIND"].values == {"1": "Muro"}


def test_a_bare_feature_and_null_properties_are_geojson_too(city: Path) -> None:
    (city / "boundary.geojson").write_text(json.dumps(feature(name=None)), encoding="utf-8")

    assert declared.load(city).covers(24.5, 60.5)


def test_a_package_is_read_by_its_name(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (city / "__init__.py").write_text(
        "from open311.plugins import declared\njurisdiction = declared.load(__package__)\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "demoville", raising=False)

    assert declared.load("demoville").id == "city.example"


def test_a_subclass_brings_its_hooks(city: Path) -> None:
    class Cautious(Jurisdiction):
        def department_for(self, draft: Draft) -> str | None:
            return "desk" if "gas" in draft.description else None

    jurisdiction = declared.load(city, kind=Cautious)
    draft = Draft(service=jurisdiction.services[0], place=Place(), description="smells of gas")

    assert jurisdiction.route(draft).department == "desk"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "City.Example"', "", ["id is missing"]),
        ('name = "Demoville"', "", ["name is missing"]),
        ('time_zone = "Europe/Helsinki"', "", ["time_zone is missing"]),
        ('triage = "desk"', "", ["triage is missing"]),
        ('name = "Demoville"', "name = 7", ["name must be a string", "7"]),
        ('contact = "open311@city.example"', "contact = []", ["contact must be a string"]),
        ('languages = ["en", "es"]', "languages = 1", ["languages must be a string or a list of strings"]),
        ('languages = ["en", "es"]', 'languages = ["en", 1]', ["languages must be a string or a list"]),
        ('outside = "refuse"', 'outside = "drop"', ["outside must be one of refuse, flag", "'drop'"]),
        ('credit = "Ours."', 'credits = "Ours."', ["unknown key 'credits'"]),
        ('"old" = "lamp:1"', '"old" = 1', ["aliases must hold strings"]),
        ('[aliases]\n"old" = "lamp:1"', 'aliases = "old"', ["aliases must be a table"]),
        ('name = "Street Works"', "", ["department streets", "name is missing"]),
        ('name = "Street Works"', 'name = "S"\nphone = "1"', ["department streets", "unknown key 'phone'"]),
        ('name = "Lamp"', "", ["service lamp:1", "name is missing"]),
        ('code = "other"', "", ["service ?", "code is missing"]),
        ('code = "other"', "code = 1", ["service 1", "code must be a string"]),
        ('name = "Other"', 'name = "Other"\ncolour = "red"', ["service other", "unknown key 'colour'"]),
        ('type = "batch"', 'type = "slow"', ["service lamp:1", "type must be one of realtime, batch"]),
        ('type = "batch"', "type = 1", ["service lamp:1", "type must be a string"]),
        ('keywords = ["light", "dark"]', "keywords = [1]", ["service lamp:1", "keywords"]),
        ('description = "Which?"', "", ["service lamp:1", "attribute KIND", "description is missing"]),
        (
            'datatype = "singlevaluelist"',
            'datatype = "colour"',
            ["attribute KIND", "datatype must be one of string", "'colour'"],
        ),
        ("required = true", 'required = "yes"', ["attribute KIND", "required must be a true or false"]),
        ("required = true", "require = true", ["attribute KIND", "unknown key 'require'"]),
        ('values = [{ key = "1", name = "Wall" }, "pole"]', "values = 1", ["KIND", "values must be a list"]),
        ('{ key = "1", name = "Wall" }', "1", ["attribute KIND", "a value must be a string or"]),
        ('{ key = "1", name = "Wall" }', '{ key = "1" }', ["attribute KIND", "name is missing"]),
        ('{ key = "1", name = "Wall" }', '{ key = 1, name = "Wall" }', ["KIND", "key must be a string"]),
        ('{ key = "1", name = "Wall" }', '{ key = "1", name = "W", x = 1 }', ["KIND", "unknown key 'x'"]),
        ('department = "desk"\nservice', "service", ["route to ?", "department is missing"]),
        ('area = "Harbour"', 'zone = "Harbour"', ["route to desk", "unknown key 'zone'"]),
        ('answers = { KIND = "pole" }', 'answers = "pole"', ["route to desk", "answers must be a table"]),
        ('answers = { KIND = "pole" }', "answers = { KIND = 1 }", ["route to desk", "KIND must be a string"]),
    ],
)
def test_a_mistake_in_the_form_is_named(city: Path, old: str, new: str, words: list[str]) -> None:
    assert GOOD.count(old) == 1

    message = refusal(city, "jurisdiction.toml", GOOD.replace(old, new))

    assert message.startswith("demoville/jurisdiction.toml: ")
    assert all(word in message for word in words), message


@pytest.mark.parametrize("tables", ["departments", "services", "routes"])
@pytest.mark.parametrize(("value", "words"), [('["x"]', "must be a list of tables"), ('"x"', "must be a list")])
def test_a_list_of_something_else_is_named(city: Path, tables: str, value: str, words: str) -> None:
    head = GOOD.partition("[aliases]")[0]

    message = refusal(city, "jurisdiction.toml", f"{head}\n{tables} = {value}\n")

    assert f"jurisdiction.toml: {tables} {words}" in message


@pytest.mark.parametrize("text", [b'id = "open', b"\xff\xfe", b'id = "a"\nid = "b"'])
def test_bad_toml_is_named(city: Path, text: bytes) -> None:
    assert "demoville/jurisdiction.toml: is not TOML in UTF-8" in refusal(city, "jurisdiction.toml", text)


def test_a_folder_without_a_form_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"jurisdiction\.toml: the file is missing"):
        declared.load(tmp_path)


@pytest.mark.parametrize("package", [None, "no_such_city"])
def test_a_package_that_is_not_there_is_named(package: str | None) -> None:
    with pytest.raises(Misconfigured, match="package"):
        declared.load(package)


@pytest.mark.parametrize("file", ["boundary.geojson", "areas.geojson"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not GeoJSON"),
        ("[]", "is not GeoJSON"),
        ("{}", "is not GeoJSON"),
        (b"\xff\xfe", "is not GeoJSON"),
        ('{"type": "FeatureCollection"}', "is not GeoJSON"),
        ('{"type": "Polygon", "coordinates": []}', "is not GeoJSON"),
        ('{"type": "Feature", "geometry": null}', "is not GeoJSON"),
        (collection(feature([[[24.0, 60.0], ["x", 60.0]]])), "is not GeoJSON"),
        (collection(feature([24.0, 60.0], kind="Point")), "must be a valid Polygon"),
        (collection(feature([], kind="MultiPolygon")), "must be a valid Polygon"),
        (collection(feature(BOW_TIE)), "must be a valid Polygon"),
        (collection(feature(METRES)), "must be in degrees"),
    ],
)
def test_a_bad_map_is_named(city: Path, file: str, text: str | bytes, words: str) -> None:
    message = refusal(city, file, text)

    assert message.startswith(f"{file}: ")
    assert words in message


@pytest.mark.parametrize("features", [[], [feature(), feature(name="Hill")]])
def test_a_boundary_is_one_feature(city: Path, features: list[dict[str, Any]]) -> None:
    message = refusal(city, "boundary.geojson", collection(*features))

    assert message == "boundary.geojson: must hold one feature; use a MultiPolygon for several parts."


@pytest.mark.parametrize("features", [[feature(name=None)], [feature(name="")], [feature(), feature()]])
def test_each_area_has_a_name_of_its_own(city: Path, features: list[dict[str, Any]]) -> None:
    message = refusal(city, "areas.geojson", collection(*features))

    assert message == "areas.geojson: each feature needs a `name` property of its own."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[services", ["is not TOML"]),
        ('service = "x"', ["unknown key 'service'"]),
        ("groups = 1", ["groups must be a table"]),
        ("[groups]\nStreets = 1", ["groups must hold strings"]),
        ('services = "x"', ["services must be a table"]),
        ('[services]\nlamp = "Farola"', ["services must hold tables"]),
        ("[services.lamp]\nname = 1", ["lamp: name must be a string"]),
        ('[services.lamp]\ntitle = "x"', ["lamp: unknown key 'title'"]),
        ('[services.lamp.attributes]\nKIND = "x"', ["lamp: attributes must hold tables"]),
        ('[services.lamp.attributes.KIND]\nname = "x"', ["lamp: KIND: unknown key 'name'"]),
        ("[services.lamp.attributes.KIND]\nvalues = { a = 1 }", ["KIND: values must hold strings"]),
    ],
)
def test_a_mistake_in_a_translation_is_named(city: Path, text: str, words: list[str]) -> None:
    message = refusal(city, "languages/es.toml", text)

    assert message.startswith("languages/es.toml: ")
    assert all(word in message for word in words), message


def test_the_readme_explains_every_key() -> None:
    text = README.read_text(encoding="utf-8")
    elsewhere = {"boundary", "areas", "translations", "rules"}  # files of their own, and [[routes]]
    kinds = (Jurisdiction, Department, Service, Attribute, Value, Rule)
    keys = {field.name for kind in kinds for field in dataclasses.fields(kind)} - elsewhere

    assert [key for key in sorted(keys) if f"| `{key}` |" not in text] == []


# --- Where to look for duplicates


def with_duplicates(folder: Path, of_the_city: str, of_the_service: str) -> Jurisdiction:
    """The good city with other vicinities: tables as they are written in the form."""
    text = GOOD.replace("[aliases]", f"{of_the_city}\n[aliases]").replace(
        'notice = "Soon."', f'notice = "Soon."\n{of_the_service}'
    )
    (folder / "jurisdiction.toml").write_text(text, encoding="utf-8")
    return declared.load(folder)


@pytest.mark.parametrize(
    ("of_the_city", "of_the_service", "expected"),
    [
        ("", "", Vicinity(50, 7)),
        ("[duplicates]\nradius_m = 20", "", Vicinity(20, 7)),
        ("[duplicates]\nradius_m = 20", "[services.duplicates]\ndays = 30", Vicinity(50, 30)),
        ("", "[services.duplicates]\nradius_m = 0", Vicinity(0, 7)),
    ],
)
def test_a_service_has_its_own_vicinity_or_the_citys(
    city: Path, of_the_city: str, of_the_service: str, expected: Vicinity
) -> None:
    found = with_duplicates(city, of_the_city, of_the_service)
    assert found.vicinity(found.services[0]) == expected


@pytest.mark.parametrize(
    "wrong", ["radius_m = -1", "radius_m = 1001", "days = 0", "days = 366", 'days = "7"', "m = 1"]
)
def test_a_vicinity_out_of_range_is_named(city: Path, wrong: str) -> None:
    with pytest.raises(Misconfigured, match="duplicates"):
        with_duplicates(city, f"[duplicates]\n{wrong}", "")
