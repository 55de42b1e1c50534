"""Overrides are written into a copy of the city's files, so that the files say the same as the overrides."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli

from open311.domain.overrides import Item, Override, Standing
from open311.errors import Misconfigured
from open311.plugins import Jurisdiction, declared
from open311.plugins.declared.exporting import files_with
from open311.plugins.declared.overrides import base_of, ground_of, picked, reduced, with_overrides
from open311.plugins.testing import find_faults
from tests import build

DEMO = Path(__file__).parent.parent.parent / "jurisdictions" / "demo"
CHANGES: dict[str, Mapping[str, Any]] = {
    "text:en:fixed:": {"text": 'Mended by "{department}".'},
    "text:en:fixed:potholes": {"text": "The hole is filled."},
    "text:es:not_found:": {"text": "No lo encontramos."},
    "service:en:potholes": {"name": "Hole", "keywords": ["crater", "hole"], "notice": "", "group": "Roads"},
    "service:en:hotline": {"description": "Anything.\nReally.", "group": "Cleaning"},
    "service:es:potholes": {"description": "Un hoyo."},
    "service:ar:graffiti": {"attributes": {"SURFACE": {"description": "?", "values": {"metal": "Tôle"}}}},
    "service:es:v1.2": {"keywords": ["bici"]},
    "form:graffiti": {
        "attributes": [
            {"code": "TAGS", "required": True},
            {
                "code": "SURFACE",
                "values": ["metal", "001", {"key": "wood & ☂", "name": "Wood"}],
                "description": "On what?",
            },
        ]
    },
    "form:Street:Lights & Poles": {"attributes": [{"code": "2"}, {"code": "1", "description": "What?"}]},
    "group:fr:Roads": {"name": "Voirie"},
    "group:es:Cleaning": {"name": "Aseo"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the demo city, which allow overrides."""
    copy = Path(shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("*.py", "__pycache__")))
    path = copy / "jurisdiction.toml"
    path.write_text(path.read_text().replace("due_soon_hours = 24", "due_soon_hours = 24\noverrides = true"))
    return copy


def overrides_of(city: Jurisdiction, changes: Mapping[str, Mapping[str, Any]]) -> list[Override]:
    """The changes as overrides, as an admin makes them one after the other."""
    stored: list[Override] = []
    for number, (name, sent) in enumerate(changes.items(), 1):
        item = Item.of(name)
        assert item is not None
        base = base_of(ground_of(city, stored, item), item)
        assert base is not None
        value = reduced(base, sent)
        stored.append(
            Override(
                item=item,
                value=value,
                base=picked(base, value),
                version=number,
                actor="staff:1",
                changed_at=build.NOON,
            )
        )
    return stored


def test_the_printed_files_say_what_the_overrides_say(folder: Path) -> None:
    city = declared.load(folder)
    stored = overrides_of(city, CHANGES)
    shown, stands = with_overrides(city, stored)
    assert {str(one.override.item): one.fault for one in stands if one.standing is not Standing.APPLIED} == {}
    files = files_with(city, stands)
    for name, text in files.items():
        (folder / name).write_text(text)
    renewed = declared.load(folder)
    assert find_faults(renewed) == []
    assert {one.standing for one in with_overrides(renewed, stored)[1]} == {Standing.EQUAL}
    assert (renewed.services, set(renewed.texts)) == (shown.services, set(shown.texts))
    for language, translation in renewed.translations.items():
        assert translation.groups == shown.translations[language].groups
        assert set(translation.texts) == set(shown.translations[language].texts)
    assert files_with(renewed, with_overrides(renewed, stored)[1]) == {}


@pytest.mark.parametrize("item", list(CHANGES))
def test_each_change_alone_is_written_where_it_belongs(folder: Path, item: str) -> None:
    city = declared.load(folder)
    if item == "group:fr:Roads":
        item, changes = "group:fr:Streets", {"group:fr:Streets": CHANGES[item]}
    else:
        changes = {item: CHANGES[item]}
    stored = overrides_of(city, changes)
    stands = with_overrides(city, stored)[1]
    for name, text in files_with(city, stands).items():
        (folder / name).write_text(text)
    assert [one.standing for one in with_overrides(declared.load(folder), stored)[1]] == [Standing.EQUAL]


def test_comments_and_untouched_lines_stay(folder: Path) -> None:
    city = declared.load(folder)
    before = (folder / "jurisdiction.toml").read_text()
    stands = with_overrides(city, overrides_of(city, {"service:en:potholes": {"name": "Hole"}}))[1]
    (after,) = files_with(city, stands).values()
    changed = [pair for pair in zip(before.split("\n"), after.split("\n"), strict=True) if pair[0] != pair[1]]
    assert changed == [('name = "Pothole"', 'name = "Hole"')]


def test_a_language_without_a_file_gets_one(folder: Path) -> None:
    path = folder / "jurisdiction.toml"
    path.write_text(re.sub(r'"ar"]', '"ar", "fi"]', path.read_text()))
    city = declared.load(folder)
    stands = with_overrides(city, overrides_of(city, {"service:fi:potholes": {"name": "Kuoppa"}}))[1]
    (text,) = (files := files_with(city, stands)).values()
    assert list(files) == ["languages/fi.toml"]
    assert tomli.loads(text) == {"services": {"potholes": {"name": "Kuoppa"}}}


def test_the_overrides_of_a_city_without_files_cannot_be_exported() -> None:
    city = build.city(overrides=True)
    stands = with_overrides(city, overrides_of(city, {"service:en:potholes": {"name": "Hole"}}))[1]
    with pytest.raises(Misconfigured, match="has no files"):
        files_with(city, stands)
    assert files_with(city, []) == {}
