"""Texts in other languages, and files of translations with faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel.support import Translations

from open311.observe import configure_logs
from open311.translations import in_language, languages, load
from schemas.texts import tell, tell_count

Write = Callable[..., Path]

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of translations. Returns the folder of all files."""

    def write(text: str, language: str = "fi") -> Path:
        path = tmp_path / language / "LC_MESSAGES" / "messages.po"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def entry(text: str, translation: str, mark: str = "") -> str:
    return f'{mark}\nmsgid "{text}"\nmsgstr "{translation}"\n'


def test_english_is_the_first_language_and_spanish_is_there() -> None:
    assert languages()[0] == "en"
    assert "es" in languages()


def test_a_text_is_filled_in_again_in_the_other_language() -> None:
    fault = tell("holds {count} {unit}; {most} are allowed.", count=101, unit=tell("ids"), most=100)
    assert in_language(fault, "es") == "contiene 101 identificadores; se permiten 100."
    assert in_language(fault, "en") == "holds 101 ids; 100 are allowed."


def test_a_text_with_a_number_has_the_right_plural_form() -> None:
    def ignored(count: int) -> str:
        one, several = (
            "{count} more parameter is ignored or changed",
            "{count} more parameters are ignored or changed",
        )
        return in_language(tell_count(one, several, count=count), "es")

    assert ignored(1).startswith("hay 1 parámetro más")
    assert ignored(2).startswith("hay 2 parámetros más")
    assert ignored(1_000_000).startswith("hay 1000000 parámetros más")


@pytest.mark.parametrize("language", ["en", "es", "xx", ""])
def test_a_text_without_translation_stays_english(language: str) -> None:
    assert in_language(tell("no translator saw {what}", what="this"), language) == "no translator saw this"
    assert in_language("nor this {text}", language) == "nor this {text}"
    assert in_language("", language) == ""


def test_a_text_of_a_library_is_translated() -> None:
    assert in_language("Unknown field.", "es") == "Campo desconocido."


def test_a_file_that_cannot_be_read_is_left_out_and_logged(write: Write, capsys: Any) -> None:
    configure_logs("info")
    write(HEADER + entry("yes", "kyllä"))
    folder = write("msgid no quotes", "sv")
    found = load(folder)
    assert set(found) == {"fi"}
    assert '"language":"sv"' in capsys.readouterr().err.replace(" ", "")


@pytest.mark.parametrize("wrong", ["{nome} puuttuu", "puuttuu", "{name} {0}", "{name!r}", "{name:d}", "{name", "}"])
def test_a_translation_with_other_placeholders_is_left_out_and_logged(
    write: Write, wrong: str, capsys: Any
) -> None:
    configure_logs("info")
    found = load(write(HEADER + entry("{name} is missing", wrong) + entry("{name} is late", "{name} myöhässä")))
    assert found["fi"].gettext("{name} is missing") == "{name} is missing"
    assert found["fi"].gettext("{name} is late") == "{name} myöhässä"
    assert "{name} is missing" in capsys.readouterr().err


def test_a_fuzzy_translation_is_not_shown(write: Write) -> None:
    found = load(write(HEADER + entry("late", "myöhässä", "#, fuzzy"), "pt_BR"))
    assert isinstance(found["pt-BR"], Translations)
    assert found["pt-BR"].gettext("late") == "late"
