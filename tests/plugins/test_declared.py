from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from open311.domain.retention import Retention
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
    Treatment,
    Value,
    Vicinity,
    declared,
)
from open311.plugins.declared.files import MAX_MIB
from open311.plugins.testing import check_jurisdiction

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
    """A folder with a complete, valid city."""
    folder = tmp_path / "demoville"
    (folder / "languages").mkdir(parents=True)
    (folder / "jurisdiction.toml").write_text(GOOD, encoding="utf-8")
    (folder / "boundary.geojson").write_text(collection(feature()), encoding="utf-8")
    (folder / "areas.geojson").write_text(collection(feature()), encoding="utf-8")
    (folder / "languages" / "es.toml").write_text(SPANISH, encoding="utf-8")
    return folder


def refusal(folder: Path, file: str, text: str | bytes) -> str:
    """The error message if one of the city's files has this text."""
    (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(Misconfigured) as caught:
        declared.load(folder)
    return str(caught.value)


def test_a_valid_folder_is_read_completely(city: Path) -> None:
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


def test_a_service_and_its_attributes_are_read(city: Path) -> None:
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


def test_a_missing_key_has_its_default(tmp_path: Path) -> None:
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


def test_a_single_feature_with_null_properties_is_accepted(city: Path) -> None:
    (city / "boundary.geojson").write_text(json.dumps(feature(name=None)), encoding="utf-8")

    assert declared.load(city).covers(24.5, 60.5)


def test_a_package_is_read_by_its_name(city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (city / "__init__.py").write_text(
        "from open311.plugins import declared\njurisdiction = declared.load(__package__)\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "demoville", raising=False)

    assert declared.load("demoville").id == "city.example"


def test_the_hooks_of_a_subclass_are_used(city: Path) -> None:
    class ToDesk(Jurisdiction):
        def department_for(self, draft: Draft) -> str | None:
            return "desk" if "gas" in draft.description else None

    jurisdiction = declared.load(city, kind=ToDesk)
    draft = Draft(service=jurisdiction.services[0], place=Place(), description="smells of gas")

    assert jurisdiction.route(draft).department == "desk"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "City.Example"', "", ['id is missing; write id = "…".']),
        ('name = "Demoville"', "", ["name is missing"]),
        ('time_zone = "Europe/Helsinki"', "", ["time_zone is missing"]),
        ('triage = "desk"', "", ["triage is missing"]),
        ('name = "Demoville"', "name = 7", ["name must be a string, not 7; put it in quotes."]),
        ('credit = "Ours."', "credit = 2026-01-01", ["credit must be a string, not 2026-01-01; put it in quotes."]),
        ('credit = "Ours."', "credit = false", ["credit must be a string, not false; put it in quotes."]),
        ('credit = "Ours."', "credit = { name = 1 }", ["credit must be a string, not a table."]),
        ('contact = "open311@city.example"', "contact = []", ["contact must be a string, not a list."]),
        ('languages = ["en", "es"]', "languages = 1", ["languages must be a string or a list of strings"]),
        ('languages = ["en", "es"]', 'languages = ["en", 1]', ["languages must hold strings only, not 1; put it"]),
        ('outside = "refuse"', 'outside = "drop"', ["outside must be one of refuse, flag", "'drop'"]),
        ('credit = "Ours."', 'credits = "Ours."', ["unknown key 'credits'; did you mean credit?"]),
        ('"old" = "lamp:1"', '"old" = 1', ["aliases: old must be a string, not 1; put it in quotes."]),
        ('[aliases]\n"old" = "lamp:1"', 'aliases = "old"', ["aliases must be a table of strings, not 'old'."]),
        ('name = "Street Works"', "", ["department streets", "name is missing"]),
        ('name = "Street Works"', 'name = "S"\nphone = "1"', ["department streets: unknown key 'phone'; see"]),
        ('name = "Lamp"', "", ["service lamp:1", "name is missing"]),
        ('code = "other"', "", ["service no. 2: code is missing"]),
        ('code = "other"', "code = 1", ["service no. 2: code must be a string, not 1; put it in quotes."]),
        ('name = "Other"', 'name = "Other"\ncolour = "red"', ["service other", "unknown key 'colour'"]),
        ('type = "batch"', 'type = "slow"', ["service lamp:1", "type must be one of realtime, batch"]),
        ('type = "batch"', "type = 1", ["service lamp:1: type must be one of realtime", "not 1"]),
        ('keywords = ["light", "dark"]', "keywords = [1]", ["service lamp:1", "keywords"]),
        ('description = "Which?"', "", ["service lamp:1", "attribute KIND", "description is missing"]),
        (
            'datatype = "singlevaluelist"',
            'datatype = "colour"',
            ["attribute KIND", "datatype must be one of string", "'colour'"],
        ),
        ("required = true", 'required = "yes"', ["attribute KIND: required must be true or false, not 'yes'."]),
        ("required = true", "require = true", ["attribute KIND: unknown key 'require'; did you mean required?"]),
        ('values = [{ key = "1", name = "Wall" }, "pole"]', "values = 1", ["KIND", "values must be a list"]),
        ('{ key = "1", name = "Wall" }', "1", ["attribute KIND: value no. 1 must be a string or a table ({ key"]),
        ('{ key = "1", name = "Wall" }', '{ key = "1" }', ["attribute KIND", "name is missing"]),
        ('{ key = "1", name = "Wall" }', '{ key = 1, name = "Wall" }', ["KIND", "key must be a string"]),
        ('{ key = "1", name = "Wall" }', '{ key = "1", name = "W", x = 1 }', ["KIND", "unknown key 'x'"]),
        ('department = "desk"\nservice', "service", ["route no. 1: department is missing"]),
        ('area = "Harbour"', 'zone = "Harbour"', ["route no. 1 to desk: unknown key 'zone'"]),
        ('answers = { KIND = "pole" }', 'answers = "pole"', ["route no. 1 to desk: answers must be a table"]),
        ('answers = { KIND = "pole" }', "answers = { KIND = 1 }", ["to desk: answers: KIND must be a string or"]),
    ],
)
def test_the_error_for_a_fault_in_jurisdiction_toml_names_the_fault(
    city: Path, old: str, new: str, words: list[str]
) -> None:
    assert GOOD.count(old) == 1

    message = refusal(city, "jurisdiction.toml", GOOD.replace(old, new))

    assert message.startswith("demoville/jurisdiction.toml: ")
    assert all(word in message for word in words), message


@pytest.mark.parametrize("tables", ["departments", "services", "routes"])
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ('["x"]', "{noun} no. 1 must be a table ([[{tables}]]), not 'x'."),
        ("[[1]]", "{noun} no. 1 must be a table ([[{tables}]]), not a list."),
        ('"x"', "{tables} must be a list of tables ([[{tables}]]), not 'x'."),
        ("{ code = 1 }", "{tables} must be a list of tables ([[{tables}]]), not a table."),
    ],
)
def test_the_error_for_items_of_the_wrong_type_names_the_list(
    city: Path, tables: str, value: str, fault: str
) -> None:
    head = GOOD.partition("[aliases]")[0]

    message = refusal(city, "jurisdiction.toml", f"{head}\n{tables} = {value}\n")

    assert message == f"demoville/jurisdiction.toml: {fault.format(tables=tables, noun=tables[:-1])}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'id = "open', "is not TOML: "),
        (b'id = "a"\nid = "b"', "is not TOML: "),
        (b"[aliases]\n[aliases]", "is not TOML: "),
        (b'["id"]\n"a"', "is not TOML: "),
        (b"x = " + b"[" * 100_000, "is nested too deeply."),
        (b"[]", "is not TOML: "),
        (b'id = "a"\nname = "\xe9"', "is not UTF-8: line 2 holds the byte 0xE9; save it as UTF-8."),
        ('id = "a"'.encode("utf-16"), "is not UTF-8: line 1 holds the byte 0xFF; save it as UTF-8."),
    ],
)
def test_the_error_for_invalid_toml_names_the_place(city: Path, text: bytes, fault: str) -> None:
    message = refusal(city, "jurisdiction.toml", text)

    assert message.startswith(f"demoville/jurisdiction.toml: {fault}")
    assert "\n" not in message


def test_a_byte_order_mark_is_ignored(city: Path) -> None:
    (city / "jurisdiction.toml").write_text(GOOD, encoding="utf-8-sig")

    assert declared.load(city).id == "city.example"


@pytest.mark.parametrize("file", ["jurisdiction.toml", "boundary.geojson", "areas.geojson", "languages/es.toml"])
def test_a_file_above_the_size_limit_is_not_read(city: Path, file: str) -> None:
    with (city / file).open("r+b") as opened:
        opened.truncate(MAX_MIB * 2**20 + 1)

    with pytest.raises(Misconfigured) as caught:
        declared.load(city)

    assert str(caught.value) == f"demoville/{file}: is larger than {MAX_MIB} MiB; is it the right file?"


def test_the_error_for_a_folder_in_place_of_a_file_names_the_file(city: Path) -> None:
    (city / "jurisdiction.toml").unlink()
    (city / "jurisdiction.toml").mkdir()

    with pytest.raises(Misconfigured, match=r"demoville/jurisdiction\.toml: cannot be read: Is a directory\."):
        declared.load(city)


def test_the_error_for_a_missing_jurisdiction_toml_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"jurisdiction\.toml: the file is missing"):
        declared.load(tmp_path)


@pytest.mark.parametrize("package", [None, "no_such_city"])
def test_the_error_for_a_missing_package_names_the_package(package: str | None) -> None:
    with pytest.raises(Misconfigured, match="package"):
        declared.load(package)


@pytest.mark.parametrize("file", ["boundary.geojson", "areas.geojson"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not GeoJSON: Expecting"),
        ("[]", "is not GeoJSON: it must be a Feature or a FeatureCollection."),
        ("null", "is not GeoJSON: it must be a Feature or a FeatureCollection."),
        ("[" * 100_000, "is nested too deeply."),
        ("{}", "feature no. 1 is not GeoJSON: it must be a Feature"),
        (b"\xff\xfe", "is not UTF-8: line 1"),
        ('{"type": "FeatureCollection"}', "is not GeoJSON: a FeatureCollection must have a list of features."),
        ('{"type": "FeatureCollection", "features": [1]}', "feature no. 1 is not GeoJSON"),
        ('{"type": "Polygon", "coordinates": []}', "feature no. 1 is not GeoJSON: it must be a Feature"),
        ('{"type": "Feature", "geometry": null}', "feature no. 1 is not GeoJSON: it must be a Feature"),
        (collection(feature([[[24.0, 60.0], ["x", 60.0]]])), "feature Harbour is not GeoJSON"),
        (collection(feature([24.0, 60.0], kind="Point")), "feature Harbour must be a Polygon or Multi"),
        (collection(feature([], kind="MultiPolygon")), "feature Harbour must not be empty."),
        (collection(feature(BOW_TIE)), "feature Harbour must be valid: Self-intersection[24.5 60.5]."),
        (collection(feature(METRES)), "feature Harbour must be in degrees, (long, lat), WGS 84."),
    ],
)
def test_the_error_for_a_fault_in_a_geojson_file_names_the_file_and_the_fault(
    city: Path, file: str, text: str | bytes, words: str
) -> None:
    message = refusal(city, file, text)

    assert message.startswith(f"demoville/{file}: {words}")


@pytest.mark.parametrize("features", [[], [feature(), feature(name="Hill")]])
def test_a_boundary_with_several_features_is_refused(city: Path, features: list[dict[str, Any]]) -> None:
    message = refusal(city, "boundary.geojson", collection(*features))

    fault = f"must hold one feature, not {len(features)}; use a MultiPolygon for several parts."
    assert message == f"demoville/boundary.geojson: {fault}"


def test_the_error_for_an_area_without_a_unique_name_names_the_area(city: Path) -> None:
    names = (None, "Harbour", "", "Harbour")

    message = refusal(city, "areas.geojson", collection(*(feature(name=name) for name in names)))

    assert message.splitlines() == [
        f"demoville/areas.geojson: feature {which} needs a `name` property of its own."
        for which in ("no. 1", "no. 3", "Harbour")
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[services", ["is not TOML"]),
        ('service = "x"', ["unknown key 'service'; did you mean services?"]),
        ("groups = 1", ["groups must be a table"]),
        ("[groups]\nStreets = 1", ["groups: Streets must be a string, not 1; put it in quotes."]),
        ('services = "x"', ["services must be a table"]),
        ('[services]\nlamp = "Farola"', ["services: lamp must be a table ([services.", "not 'Farola'."]),
        ("[services.lamp]\nname = 1", ["service lamp: name must be a string"]),
        ('[services.lamp]\ntitle = "x"', ["service lamp: unknown key 'title'"]),
        ('[services.lamp.attributes]\nKIND = "x"', ["service lamp: attributes: KIND must be a table"]),
        ('[services.lamp.attributes.KIND]\nname = "x"', ["service lamp: attribute KIND: unknown key 'name'"]),
        ("[services.lamp.attributes.KIND]\nvalues = { a = 1 }", ["attribute KIND: values: a must be a string"]),
    ],
)
def test_the_error_for_a_fault_in_a_translation_names_the_fault(city: Path, text: str, words: list[str]) -> None:
    message = refusal(city, "languages/es.toml", text)

    assert message.startswith("demoville/languages/es.toml: ")
    assert all(word in message for word in words), message


# --- The vicinity in which duplicates are searched


def with_tables(folder: Path, of_the_city: str, of_the_service: str) -> Jurisdiction:
    """The valid city with these tables of jurisdiction.toml, one for the city and one for its first service."""
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
def test_a_service_has_its_own_vicinity_or_else_the_vicinity_of_the_city(
    city: Path, of_the_city: str, of_the_service: str, expected: Vicinity
) -> None:
    found = with_tables(city, of_the_city, of_the_service)
    assert found.vicinity(found.services[0]) == expected


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("radius_m = -1", "radius_m must be 0 to 1000, not -1."),
        ("radius_m = 1001", "radius_m must be 0 to 1000, not 1001."),
        ("radius_m = 50.5", "radius_m must be a whole number, not 50.5."),
        ("days = 0", "days must be 1 to 365, not 0."),
        ("days = 366", "days must be 1 to 365, not 366."),
        ('days = "7"', "days must be a whole number, not '7'."),
        ("days = true", "days must be a whole number, not true."),
        ("radius_m = 0x" + "f" * 5000, "radius_m must be 0 to 1000, not a huge number."),
        ("m = 1", "unknown key 'm'; see jurisdictions/README.md."),
    ],
)
def test_the_error_for_a_vicinity_out_of_range_names_the_value(city: Path, wrong: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        with_tables(city, f"[duplicates]\n{wrong}", f"[services.duplicates]\n{wrong}")

    assert str(caught.value).splitlines() == [
        f"demoville/jurisdiction.toml: duplicates: {fault}",
        f"demoville/jurisdiction.toml: service lamp:1: duplicates: {fault}",
    ]


# --- How long personal data are kept


@pytest.mark.parametrize(
    ("of_the_city", "of_the_service", "days"),
    [
        ("", "", (None, None)),
        ("[retention]\nreporter_days = 365", "", (365, 365)),
        ("[retention]\nreporter_days = 365", "[services.retention]\nreporter_days = 0", (0, 365)),
        ("[retention]\nreporter_days = 365", "[services.retention]", (365, 365)),
        ("", "[services.retention]\nreporter_days = 30", (30, None)),
    ],
)
def test_a_service_has_its_own_retention_or_else_the_retention_of_the_city(
    city: Path, of_the_city: str, of_the_service: str, days: tuple[int | None, int | None]
) -> None:
    found = with_tables(city, of_the_city, of_the_service)
    codes = (found.services[0].code, "a service of the past")
    assert tuple(found.retention_of(code).reporter_days for code in codes) == days


def test_the_retention_of_photos_does_not_depend_on_the_retention_of_reporters(city: Path) -> None:
    found = with_tables(
        city, "[retention]\nreporter_days = 365\nphoto_days = 730", "[services.retention]\nphoto_days = 0"
    )
    assert found.retention_of(found.services[0].code) == Retention(reporter_days=365, photo_days=0)
    assert found.retention_of("a service of the past") == Retention(reporter_days=365, photo_days=730)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("reporter_days = -1", "reporter_days must be 0 to 36500, not -1."),
        ("reporter_days = 36501", "reporter_days must be 0 to 36500, not 36501."),
        ('reporter_days = "365"', "reporter_days must be a whole number, not '365'."),
        ("reporter_days = true", "reporter_days must be a whole number, not true."),
        ("photo_days = 0.5", "photo_days must be a whole number, not 0.5."),
        ("reporters_days = 1", "unknown key 'reporters_days'; did you mean reporter_days?"),
    ],
)
def test_the_error_for_a_faulty_retention_names_the_value(city: Path, wrong: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        with_tables(city, f"[retention]\n{wrong}", f"[services.retention]\n{wrong}")
    assert str(caught.value).splitlines() == [
        f"demoville/jurisdiction.toml: retention: {fault}",
        f"demoville/jurisdiction.toml: service lamp:1: retention: {fault}",
    ]


# --- Several faults in one error


def test_one_error_has_every_fault_of_every_file(city: Path) -> None:
    (city / "boundary.geojson").write_text(collection(feature(BOW_TIE)), encoding="utf-8")
    (city / "areas.geojson").write_text(collection(feature(METRES), feature(name=None)), encoding="utf-8")
    (city / "languages" / "es.toml").write_text("[group]", encoding="utf-8")
    (city / "languages" / "fi.toml").write_text("[", encoding="utf-8")
    form = GOOD.replace('name = "Demoville"', "nam = 7").replace('type = "batch"', "type = 1")
    form = form.replace("required", "x").replace('"pole"]', "1, 2]").replace('code = "other"', "")

    message = refusal(city, "jurisdiction.toml", form)

    files = ["jurisdiction.toml"] * 7 + ["boundary.geojson", "areas.geojson", "areas.geojson"]
    files += ["languages/es.toml", "languages/fi.toml"]
    faults = [
        'name is missing; write name = "…".',
        "service lamp:1: type must be one of realtime, batch, blackbox, not 1.",
        "service lamp:1: attribute KIND: value no. 2 must be a string or a table ({ key = …, name = … }), not 1.",
        "service lamp:1: attribute KIND: value no. 3 must be a string or a table ({ key = …, name = … }), not 2.",
        "service lamp:1: attribute KIND: unknown key 'x'; see jurisdictions/README.md.",
        'service no. 2: code is missing; write code = "…".',
        "unknown key 'nam'; did you mean name?",
        "feature Harbour must be valid: Self-intersection[24.5 60.5].",
        "feature Harbour must be in degrees, (long, lat), WGS 84.",
        "feature no. 2 needs a `name` property of its own.",
        "unknown key 'group'; did you mean groups?",
        "is not TOML: ",
    ]
    for line, file, fault in zip(message.splitlines(), files, faults, strict=True):
        assert line.startswith(f"demoville/{file}: {fault}")


def test_all_of_a_thousand_faults_are_reported(city: Path) -> None:
    services = "".join(f'[[services]]\ncode = "s{number}"\nnome = "S"\n' for number in range(1000))

    lines = refusal(city, "jurisdiction.toml", GOOD + services).splitlines()

    assert len(lines) == 2000
    assert lines[-1] == "demoville/jurisdiction.toml: service s999: unknown key 'nome'; did you mean name?"


@pytest.mark.parametrize(
    ("table", "key", "cure"),
    [
        ("", "NAME", "did you mean name?"),
        ("", "timezone", "did you mean time_zone?"),
        ("", "department", "did you mean departments?"),
        ("", "_schema", "see jurisdictions/README.md."),
        ("", '""', "see jurisdictions/README.md."),
        ("[duplicates]", "radius", "did you mean radius_m?"),
        ("[duplicates]", "contact", "this key belongs to the whole file, so move it above the first [table]."),
    ],
)
def test_the_error_for_an_unknown_key_suggests_the_right_one(city: Path, table: str, key: str, cure: str) -> None:
    message = refusal(city, "jurisdiction.toml", GOOD.replace("[aliases]", f'{table}\n{key} = "x"\n[aliases]'))

    where = "duplicates: " if table else ""
    shown = "''" if key == '""' else f"'{key}'"
    assert message == f"demoville/jurisdiction.toml: {where}unknown key {shown}; {cure}"


def test_each_fault_with_a_long_code_is_one_short_line(city: Path) -> None:
    code = "lamp\\n\\u2028" + "x" * 500
    form = GOOD.replace('code = "other"', f'code = "{code}"\n"{code}" = 1').replace('name = "Other"', "")

    lines = refusal(city, "jurisdiction.toml", form).splitlines()

    assert [len(line) < 250 for line in lines] == [True, True]


def test_a_city_and_a_service_say_what_happens_to_personal_data(city: Path) -> None:
    found = with_tables(
        city,
        "[privacy]\nphone_region = 'FI'\ncard = 'hold'\nplate_pattern = '[A-Z]{3}-[0-9]{3}'\n"
        "own = 'me@city.example'",
        "review = true\n[services.privacy]\nemail = 'show'",
    )
    service = next(one for one in found.services if one.notice == "Soon.")
    assert service.review
    policy, here = found.privacy_of(""), found.privacy_of(service.code)
    assert (policy.email, policy.card, policy.phone_region) == (Treatment.MASK, Treatment.HOLD, "FI")
    assert (here.email, here.card, here.plate_pattern) == (Treatment.SHOW, Treatment.HOLD, "[A-Z]{3}-[0-9]{3}")
    assert "me@city.example" in policy.own


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            'phone_region = "UK"',
            "phone_region must be the code of a country in capitals, such as \"US\", not 'UK'.",
        ),
        ("phone_region = 358", "phone_region must be a string, not 358; put it in quotes."),
        ('phone = "blur"', "phone must be one of mask, hold, show, not 'blur'."),
        (
            'plate_pattern = "[A"',
            "plate_pattern is no regular expression: unterminated character set at position 0.",
        ),
        ('plate_pattern = "x?"', "plate_pattern matches an empty text; make a part of it necessary."),
        (f'plate_pattern = "{"x" * 301}"', "plate_pattern is longer than 300 characters; shorten it."),
        ('names = "mask"', "unknown key 'names'"),
    ],
)
def test_a_fault_of_the_policy_for_personal_data_is_reported(city: Path, line: str, fault: str) -> None:
    message = refusal(city, "jurisdiction.toml", GOOD.replace("[aliases]", f"[privacy]\n{line}\n[aliases]"))
    assert message.startswith("demoville/jurisdiction.toml: privacy: ")
    assert fault in message
