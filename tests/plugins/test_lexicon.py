"""Lexicons, and the synonyms that a city adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from jurisdictions.demo import jurisdiction as demo
from open311.operations.suggesting.suggest import offered_in
from open311.plugins import Misconfigured, Synonym, declared
from open311.plugins.lexicon import lexicons_of
from tests import build

CITY = """
id = "test.example"
name = "Test"
time_zone = "UTC"
languages = ["en", "es-MX"]
triage = "desk"
departments = [{ code = "desk", name = "Desk" }]
services = [{ code = "bin", name = "Litter bin" }, { code = "hole", name = "Pothole" }]
"""


def folder(path: Path, more: str, spanish: str = "") -> Path:
    (path / "languages").mkdir()
    (path / "jurisdiction.toml").write_text(CITY + more, "utf-8")
    (path / "languages" / "es-MX.toml").write_text(spanish, "utf-8")
    return path


def test_a_city_adds_synonyms_in_each_of_its_languages(tmp_path: Path) -> None:
    city = declared.load(
        folder(
            tmp_path,
            '[[synonyms]]\nsaid = ["big belly", "toter"]\nmeans = "litter bin"\n',
            '[[synonyms]]\nsaid = "tambo"\nmeans = ["bin"]\n',
        )
    )
    assert city.synonyms == (Synonym(said=("big belly", "toter"), means=("litter bin",)),)
    offered = offered_in(city, ())
    for sentence in ("the big belly is full", "my toters", "el tambo", "bache en la calle"):
        assert [offered.services[number].code for number in offered.search.find(sentence)][:1] == [
            "hole" if "bache" in sentence else "bin"
        ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('said = []\nmeans = ["bin"]', "synonym no. 1: said must have at least one phrase, each with letters."),
        ('said = ["toter"]\nmeans = ["!"]', "means must have at least one phrase, each with letters."),
        ('said = ["toter"]', "means is missing"),
        ('said = 5\nmeans = ["bin"]', "said must be a string or a list of strings"),
        ('said = ["a"]\nmeans = ["bin"]\nmean = 1', "mean"),
    ],
)
def test_a_synonym_with_a_fault_is_refused(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        declared.load(folder(tmp_path, f"[[synonyms]]\n{table}\n"))
    assert message in str(raised.value)


def test_each_language_of_the_pages_has_a_lexicon_whose_synonyms_are_not_empty() -> None:
    own, *usual = lexicons_of(demo)
    assert not own.synonyms
    assert len(usual) == len(demo.languages) == 6
    for lexicon in usual:
        assert lexicon.ignored
        for synonym in lexicon.synonyms:
            assert synonym.said
            assert synonym.means


def test_a_language_without_a_lexicon_is_searched_by_the_catalogue() -> None:
    city = build.city(languages=("fi", "xx/../en"))
    assert len(lexicons_of(city)) == 1
    assert offered_in(city, ()).search.find("pothole") == [0]
