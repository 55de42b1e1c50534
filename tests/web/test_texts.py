"""The texts of the source: all can be translated, and the translations are complete."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.plurals import get_plural
from werkzeug.exceptions import HTTPException

from open311.errors import Open311Error
from open311.translations import (
    COMPLETE,
    FOLDER,
    files,
    has_wrong_placeholders,
    is_machine_made,
    is_translated,
    read_file,
)
from open311.web.texts import CITIZENS, collect, is_for_citizens, update
from schemas.texts import Message

SOURCE = Path(__file__).parents[2]
REFUSING = ("open311/web", "open311/domain", "open311/operations", "open311/plugins", "open311/storage", "schemas")
"""The packages that raise errors for callers."""
NOT_OVER_HTTP = (
    "open311/domain/mending.py",
    "open311/operations/federation",
    "open311/operations/importing",
    "open311/operations/statistics/trying",
    "open311/operations/upkeep",
    "open311/plugins/declared",
    "open311/storage/migrations",
)
"""The parts of REFUSING whose texts only operators see, in the shell or in the log. These texts are in English."""
TEXTS = {"tell": 1, "tell_count": 2}
"""The functions that make texts, with the number of templates that they take."""
PLACES = {"Problem": 1, "ValidationError": 0} | {
    kind.__name__: 0 for kind in (*Open311Error.__subclasses__(), *HTTPException.__subclasses__())
}
"""The place of the text among the arguments of an error."""
del PLACES["Misconfigured"]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Name and syntax tree of each module that raises errors for callers."""
    for package in REFUSING:
        for path in sorted((SOURCE / package).rglob("*.py")):
            name = str(path.relative_to(SOURCE))
            if not name.startswith(NOT_OVER_HTTP):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


@cache
def collected() -> frozenset[Any]:
    """The texts of the source."""
    return frozenset(entry.id for entry in collect() if entry.id)


def calls(tree: ast.AST, names: dict[str, int]) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node.func.id, node


def is_plain(text: ast.expr, names: dict[str, list[ast.expr]], module: str) -> bool:
    """Whether an expression is a text that cannot be translated.

    names  what a function assigns to its local names
    """
    if isinstance(text, ast.JoinedStr | ast.BinOp):
        return True
    if isinstance(text, ast.Constant):
        return text.value != ""
    if isinstance(text, ast.IfExp):
        return is_plain(text.body, names, module) or is_plain(text.orelse, names, module)
    if isinstance(text, ast.BoolOp):
        return any(is_plain(value, names, module) for value in text.values)
    if not isinstance(text, ast.Name):
        return False
    if text.id in names:
        return any(is_plain(value, {}, module) for value in names[text.id])
    value = getattr(import_module(module.removesuffix(".py").replace("/", ".")), text.id, None)
    return isinstance(value, str) and not isinstance(value, Message)


def assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


def plain_texts(module: str, tree: ast.Module) -> Iterator[str]:
    """The place of each error whose text cannot be translated."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = assigned(function)
        for kind, call in calls(function, PLACES):
            texts = [
                *call.args[PLACES[kind] :][:1],
                *(word.value for word in call.keywords if word.arg == "message"),
            ]
            if any(is_plain(text, names, module) for text in texts):
                yield f"{module}:{call.lineno}"


def test_no_error_for_callers_has_a_plain_text() -> None:
    found = {place for module, tree in modules() for place in plain_texts(module, tree)}
    assert not found, f"write these texts with schemas.texts.tell: {sorted(found)}"


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("raise Invalid('is wrong.')", True),
        ("raise Invalid(f'is {x}.', 'lat')", True),
        ("yield Problem('lat', 'is ' + x)", True),
        ("yield Problem('lat', message='is wrong.')", True),
        ("fault = f'is {x}.'\n    raise NotFound(fault)", True),
        ("raise ValidationError('is wrong.' if x else tell('is right.'))", True),
        ("raise UnsupportedMediaType(SOURCE_TEXT)", True),
        ("raise Invalid(tell('is {x}.', x=x), 'lat')", False),
        ("raise ValueError('not for callers')", False),
        ("raise Invalid(str(error), 'lat')", False),
    ],
)
def test_a_plain_text_is_found(code: str, is_found: bool) -> None:
    tree = ast.parse(f"def refuse():\n    {code}\n")
    assert bool(list(plain_texts("tests/web/test_texts.py", tree))) is is_found


SOURCE_TEXT = "is a constant that cannot be translated"


def test_every_template_is_a_literal_with_the_names_of_its_values() -> None:
    for package in ("open311", "schemas"):
        for path in sorted((SOURCE / package).rglob("*.py")):
            for name, call in calls(ast.parse(path.read_text(encoding="utf-8")), TEXTS):
                place = f"{path.relative_to(SOURCE)}:{call.lineno}"
                assert len(call.args) == TEXTS[name], place
                for template in call.args:
                    assert isinstance(template, ast.Constant), f"{place}: make texts cannot read this template"
                    assert isinstance(template.value, str), place
                    if all(word.arg for word in call.keywords):
                        fields = {
                            field for _, field, _, _ in Formatter().parse(template.value) if field is not None
                        }
                        values = {word.arg for word in call.keywords}
                        assert fields - {"count"} == values - {"count"}, (
                            f"{place}: {fields} are filled in with {values}"
                        )


@pytest.mark.parametrize("language", files())
def test_every_text_that_citizens_read_is_translated(language: str) -> None:
    entries = {entry.id: entry for entry in read_file(files()[language]) if entry.id}
    assert set(entries) == collected(), "run `make texts`, then translate what it has added"
    missing = [
        text
        for text, entry in entries.items()
        if not is_translated(entry) and (language in COMPLETE or is_for_citizens(entry))
    ]
    assert not missing, f"{files()[language].relative_to(SOURCE)} lacks translations"
    wrong = [text for text, entry in entries.items() if not entry.fuzzy and has_wrong_placeholders(entry)]
    assert not wrong, "these translations have other placeholders than their texts"


@pytest.mark.parametrize("language", files())
def test_plural_forms_are_those_of_cldr(language: str) -> None:
    entries = read_file(files()[language])
    usual = get_plural(language.replace("-", "_"))
    assert (entries.num_plurals, entries.plural_expr) == (usual.num_plurals, usual.plural_expr)
    assert all(len(entry.string) == entries.num_plurals for entry in entries if entry.pluralizable)


@pytest.mark.parametrize("language", files())
def test_a_file_says_whether_a_machine_made_it(language: str) -> None:
    begin = files()[language].read_text(encoding="utf-8").partition("msgid")[0]
    assert ("A machine made the translations" in begin) is is_machine_made(language)


def test_every_place_of_texts_for_citizens_exists() -> None:
    for place in CITIZENS:
        assert (SOURCE / place).exists(), place


def test_the_texts_that_callers_see_are_collected() -> None:
    assert "is missing; send one of {known}." in collected()
    assert ("{names} is ignored {why}", "{names} are ignored {why}") in collected()
    assert "The server cannot provide the requested range." in collected()
    assert "Unknown field." in collected()


def test_a_language_begins_with_all_texts_and_keeps_its_translations(tmp_path: Path) -> None:
    [line] = update(["pt-BR"], tmp_path)
    count = len(collected())
    for_citizens = sum(map(is_for_citizens, (entry for entry in collect() if entry.id)))
    assert line == f"pt-BR: {count} texts, {count} without a translation, {for_citizens} of these for citizens"
    path = tmp_path / "pt_BR" / "LC_MESSAGES" / "messages.po"
    begun = path.read_text(encoding="utf-8")
    assert 'msgid "is missing; {how}"\nmsgstr ""' in begun
    path.write_text(begun.replace('{how}"\nmsgstr ""', '{how}"\nmsgstr "falta; {how}"', 1), encoding="utf-8")
    [line] = update((), tmp_path)
    assert line.startswith(f"pt-BR: {count} texts, {count - 1} without a translation, ")
    assert files(tmp_path) == {"pt-BR": path}


def test_make_texts_does_not_change_files_that_are_up_to_date(tmp_path: Path) -> None:
    for path in files().values():
        copy = tmp_path / path.relative_to(FOLDER)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    list(update((), tmp_path))
    for path in files().values():
        assert (tmp_path / path.relative_to(FOLDER)).read_text() == path.read_text(), "run `make texts`"
