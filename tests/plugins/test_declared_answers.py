"""A city's articles and days: what is read from its files, and what is left out with the file and the line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from open311.cli import main
from open311.domain.articles import ArticleKind
from open311.domain.collection_days import Shift
from open311.plugins import Jurisdiction, declared
from open311.plugins.registry import load_registry

FORM = """
id = "mill.example"
name = "Milltown"
time_zone = "UTC"
triage = "desk"
languages = ["en", "es"]
[[departments]]
code = "desk"
name = "Desk"
[[services]]
code = "hole"
name = "Hole"
"""
FAQ = """+++
kind = "faq"
title = "When?"
categories = ["Rubbish"]
+++
On *Mondays*.
"""
AREAS = (
    '{"type":"Feature","properties":{"name":"Hills"},"geometry":{"type":"Polygon",'
    '"coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}}'
)
Write = Callable[..., Jurisdiction]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the files of a city, and loads the city."""

    def load(**files: str) -> Jurisdiction:
        folder = tmp_path / "mill"
        (folder / "answers" / "es").mkdir(parents=True, exist_ok=True)
        (folder / "jurisdiction.toml").write_text(FORM)
        for name, text in files.items():
            path = folder / {"days": "days.toml", "areas": "areas.geojson"}.get(name, f"answers/{name}.md")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return declared.load(folder)

    return load


def test_an_article_is_read_with_its_translation(write: Write) -> None:
    city = write(**{"when": FAQ, "es/when": '+++\ntitle = "¿Cuándo?"\n+++\nLos *lunes*.\n'})
    (article,) = city.articles
    assert (article.id, article.kind, article.title) == ("when", ArticleKind.FAQ, "When?")
    assert (article.html, article.plain) == ("<p>On <em>Mondays</em>.</p>", "On Mondays.")
    assert (article.translations["es"].title, article.translations["es"].plain) == ("¿Cuándo?", "Los lunes.")
    assert city.left_out == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("On Mondays.", "mill/answers/when.md:1: must begin with keys in TOML"),
        (FAQ.replace("faq", "fact"), "mill/answers/when.md:2: kind must be one of service, facility, faq"),
        (FAQ.replace('title = "When?"\n', ""), "mill/answers/when.md:1: title is missing"),
        (FAQ.replace("categories", "categorys"), "mill/answers/when.md:4: unknown key 'categorys'; did you mean"),
        (FAQ.replace('"When?"', '"When?'), "mill/answers/when.md: is not TOML"),
        (FAQ.replace('"When?"', '"When?'), "line 3"),
        (FAQ.replace("*Mondays*", "<b>Mondays</b>"), "mill/answers/when.md:6: has HTML"),
        (FAQ + "\n\n<script>alert(1)</script>\n", "mill/answers/when.md:9: has HTML"),
        (FAQ + "\n![x](https://a.example/x.png)\n", "mill/answers/when.md:8: has a picture"),
        (FAQ + "\n[x](javascript:alert(1))\n", ""),
        (FAQ + "\n[x](/c/other)\n", "mill/answers/when.md:8: has a link that does not begin with"),
        (FAQ + "\n# Big\n", "mill/answers/when.md:8: has a heading of the first level"),
        (FAQ.replace("On *Mondays*.", ""), "mill/answers/when.md: has no text"),
        (FAQ.replace("+++\nOn", 'expires = "soon"\n+++\nOn'), "mill/answers/when.md:5: expires must be a day"),
        (
            FAQ.replace("+++\nOn", '[[actions]]\nlabel = "Go"\nurl = "javascript:alert(1)"\n+++\nOn'),
            "mill/answers/when.md:7: action Go: url must begin with https://",
        ),
        (
            FAQ.replace("+++\nOn", '[[actions]]\nlabel = "Go"\nservice_code = "lamp"\n+++\nOn'),
            "mill/answers/when.md: leads to the service 'lamp', which the city does not have",
        ),
        (FAQ.replace("Rubbish", "web"), "mill/answers/when.md: the topic 'web' is a reserved word"),
        (FAQ.replace("Rubbish", "other"), "mill/answers/when.md: the topic 'other' is a reserved word or the name"),
        (FAQ.replace("+++\nOn", 'related = ["no"]\n+++\nOn'), "mill/answers/when.md: related has 'no'"),
        ("+++\n" + "a" * 2**20 + "\n+++\n", "mill/answers/when.md: is larger than 1 MiB"),
    ],
)
def test_a_faulty_article_is_left_out_and_the_file_and_line_are_named(write: Write, text: str, told: str) -> None:
    city = write(when=text, other=FAQ)
    assert [one.id for one in city.articles if one.id != "when"] == ["other"]
    if told:
        assert [one.id for one in city.articles] == ["other"]
        assert any(fault.startswith(told) or told in fault for fault in city.left_out), city.left_out
    else:  # Markdown does not read this as a link
        assert "href" not in city.articles[-1].html


@pytest.mark.parametrize("name", ["When", "all", "web", "über", "a_b"])
def test_a_name_that_cannot_be_an_id_is_reported(write: Write, name: str) -> None:
    city = write(**{name: FAQ})
    assert city.articles == ()
    assert f"mill/answers/{name}.md: its name becomes the id" in city.left_out[0]


def test_faults_of_translations_leave_out_only_the_translation(write: Write) -> None:
    city = write(**{"when": FAQ, "es/when": "Los lunes", "es/what": FAQ, "fi/when": FAQ})
    assert [one.translations for one in city.articles] == [{}]
    assert [fault.partition(": ")[0] for fault in city.left_out] == [
        "mill/answers/es/what.md",
        "mill/answers/es/when.md:1",
        "mill/answers/fi",
    ]


DAYS = """
[[collections]]
code = "bin"
name = "Bin"
[[collections.rounds]]
zones = ["Hills"]
weekdays = ["mon", "thu"]
first = 2026-01-05
shift = "next_day"
holidays = ["12-25"]
[[lines]]
code = "schools"
name = "Schools"
usual = "Open."
otherwise = "Closed."
"""


def test_rounds_of_days_toml_are_read(write: Write) -> None:
    city = write(days=DAYS, areas=AREAS)
    (one,) = city.days.collections[0].rounds
    assert (one.zones, one.weekdays, one.first, one.shift) == (
        ("Hills",),
        (0, 3),
        date(2026, 1, 5),
        Shift.NEXT_DAY,
    )
    assert city.left_out == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"Hills"', '"Valley"', "mill/days.toml: collection bin: the zone 'Valley' is no feature of areas.geojson"),
        ('"next_day"', '"later"', "mill/days.toml:9: collection bin: round no. 1: shift must be one of none, skip"),
        ('["mon", "thu"]', '"someday"', "mill/days.toml:7: collection bin: round no. 1: weekdays must name days"),
        ("2026-01-05", '"May"', "mill/days.toml:8: collection bin: round no. 1: first must be a day"),
        ('holidays = ["12-25"]', "", "mill/days.toml: collection bin: a shift needs holidays, or a [calendar]"),
        ('"schools"', '"bin"', "mill/days.toml: the code bin is there 2 times"),
        ('code = "bin"', 'code = "Bin 1"', "mill/days.toml:3: collection Bin 1: code must have a-z"),
        (
            'shift = "next_day"',
            'moved = { "2026-12-21" = "2062-12-22" }',
            "mill/days.toml:9: collection bin: round no. 1: moved moves 2026-12-21 by more than half a year",
        ),
        ('usual = "Open."', "", "mill/days.toml:11: line schools: usual is missing"),
    ],
)
def test_faulty_days_are_left_out_and_the_line_is_named(write: Write, old: str, new: str, told: str) -> None:
    city = write(when=FAQ, days=DAYS.replace(old, new, 1), areas=AREAS)
    assert city.days.collections == ()
    assert [one.id for one in city.articles] == ["when"]
    assert any(fault.startswith(told) for fault in city.left_out), city.left_out


def test_a_city_with_a_faulty_article_is_served_and_the_check_fails(write: Write, tmp_path: Path) -> None:
    write(when=FAQ, what="no keys")
    registry = load_registry([str(tmp_path / "mill")])
    assert [one.id for one in registry.jurisdictions["mill.example"].articles] == ["when"]
    assert registry.faults == ()
    result = CliRunner().invoke(main, ["jurisdictions", "check", str(tmp_path / "mill")])
    assert result.exit_code == 1
    assert "left out: mill.example: mill/answers/what.md:1: must begin with keys" in result.output
    assert "sound: mill.example" in result.output
