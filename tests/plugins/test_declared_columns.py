"""Column maps in TOML files: valid maps are read, and the error for a wrong map names its key."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from open311.domain.imports import SourceRow
from open311.formats.reading import ColumnMap, open_source, shipped_maps
from open311.formats.reading import maps as reading_maps
from open311.plugins import Misconfigured, declared
from open311.plugins.declared.columns import load_map
from tests.formats.maps import CITIES

SOUND = """
[columns]
service_request_id = "Ticket #"
service_name = "Type"
requested_datetime = "Opened"
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "my_city.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def only(column_map: ColumnMap, body: str) -> SourceRow:
    found = open_source(io.BytesIO(body.encode()), [column_map])
    (row,) = found.column_map.rows(found.found)
    assert isinstance(row, SourceRow)
    return row


def test_a_new_citys_file_is_read_with_a_map_and_without_code(write: Write) -> None:
    column_map = load_map(
        write(
            'dates = "day first"\nblanks = ["-"]\nstand_ins = ["1, 2"]\nspaced_address = true\n'
            + SOUND
            + 'status = "State"\naddress = ["{Street!} {No}, {City|Borough}", "Place"]\nlat = "Y"\nlong = "X"\n'
            '[answers]\nSURFACE = "Surface"\n[statuses]\n"sent out" = "open"\n'
        )
    )
    head = "Ticket #;Type;Opened;State;Street;No;City;Borough;Place;Y;X;Surface;Name\n"
    row = only(column_map, head + "7;Pothole;3/4/2026;Sent Out;Mill  Lane;5;-;Oldtown;Park;1,0;2;metal;Ann\n")
    assert (column_map.name, row.service_request_id, row.service_name) == ("my_city", "7", "Pothole")
    assert (row.requested, row.status, row.detailed_status) == ("2026-04-03", "open", "Sent Out")
    assert row.address == "Mill, Lane 5, Oldtown"
    assert (row.lat, row.long, row.answers) == ("", "", (("SURFACE", "metal"),))
    assert "Ann" not in str(row)
    assert only(column_map, head + "7;Pothole;3/4/2026;Open;;5;;Oldtown;Park;;;;\n").address == "Park"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "my_city.toml: columns is missing"),
        (
            "[columns]\n",
            'my_city.toml: table columns: service_request_id is missing; write service_request_id = "…".',
        ),
        (SOUND + 'adress = "x"\n', "my_city.toml: table columns: unknown key 'adress'; did you mean address?"),
        (SOUND + "lat = 7\n", "my_city.toml: table columns: lat must be a string or a list of strings, not 7."),
        (SOUND + 'address = "{Street"\n', "address has a brace without its other half: '{Street'."),
        (SOUND + 'address = "{!}"\n', "address names no column: '{!}'."),
        ('dates = "usual"\n' + SOUND, "dates must be one of month first, day first, not 'usual'."),
        ('stand_ins = ["here"]\n' + SOUND, "stand_ins must be two numbers such as"),
        ('required = ["Type"]\n' + SOUND, "required must hold keys of [columns], not 'Type'."),
        (
            'required = ["status"]\n' + SOUND,
            "required contains status, which is not a key of [columns]; add it there.",
        ),
        (SOUND.replace('service_name = "Type"', ""), "[columns] must have service_code or service_name"),
        (SOUND + '[statuses]\nsent = "away"\n', "statuses: sent must be one of open, closed, not 'away'."),
        ("dates = \n", "my_city.toml: is not TOML: "),
    ],
)
def test_the_error_for_a_wrong_map_names_the_key_and_the_cure(write: Write, text: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_map(write(text))
    assert fault in str(caught.value)


def test_a_fault_in_a_column_map_is_reported_as_a_fault_of_its_city(tmp_path: Path) -> None:
    city = tmp_path / "oldtown"
    (city / "columns").mkdir(parents=True)
    (city / "jurisdiction.toml").write_text((CITIES / "demo" / "jurisdiction.toml").read_text(encoding="utf-8"))
    (city / "columns" / "oldtown.toml").write_text("[columns]\n")
    with pytest.raises(Misconfigured, match=r"oldtown/columns/oldtown\.toml: table columns: service_request_id is"):
        declared.load(city)


def test_the_column_maps_of_the_server_are_valid() -> None:
    folder = Path(reading_maps.__file__).parent / "maps"
    loaded = {path.stem: load_map(path) for path in folder.glob("*.toml")}
    assert loaded.keys() == {each.name for each in shipped_maps()}
    assert all(each == loaded[each.name] for each in shipped_maps())
