"""A city's files with its overrides in them. The comments in the files and the order of the keys stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Any

import tomlkit
from tomlkit.items import AoT

from open311.domain.overrides import Item, Override, OverrideKind, Stand, Standing
from open311.errors import Misconfigured
from open311.plugins.declared.overrides import base_of, ground_of, merged, with_overrides
from open311.plugins.interface import Jurisdiction

WHOLE = "jurisdiction.toml"
Document = Any
"""A table of tomlkit. Its types do not say which tables and values it has."""


def files_with(declared: Jurisdiction, stands: Iterable[Stand]) -> dict[str, str]:
    """The files of a city that change if overrides are written into them, by their names in the city's folder.

    Overrides that do not count are left out. Raises Misconfigured if no files declare the city.
    """
    stored = [one.override for one in stands if one.standing in (Standing.APPLIED, Standing.CHANGED)]
    if not stored:
        return {}
    if declared.source is None:
        raise Misconfigured(f"{declared.id} has no files: Python declares it, so its overrides cannot be exported.")
    files = _Files(declared.source)
    for one in stored:
        base = base_of(ground_of(declared, stored, one.item), one.item)
        assert base is not None
        document = files.of(_name_of(declared, one.item))
        _WRITERS[one.item.kind](document, one, merged(base, one.value), declared)
    _remove_orphans(files, with_overrides(declared, stored)[0])
    return files.changed()


class _Files:
    """The files of a folder, each parsed once."""

    def __init__(self, folder: Traversable) -> None:
        self._folder = folder
        self._read: dict[str, tuple[str, Document]] = {}

    def of(self, name: str) -> Document:
        """The document of a file; an empty one if there is no such file."""
        if name not in self._read:
            path = self._folder.joinpath(*name.split("/"))
            text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
            self._read[name] = text, tomlkit.parse(text)
        return self._read[name][1]

    def changed(self) -> dict[str, str]:
        """The texts of the files that have changed."""
        texts = {name: (before, tomlkit.dumps(document)) for name, (before, document) in self._read.items()}
        return {name: after for name, (before, after) in sorted(texts.items()) if before != after}


def _name_of(city: Jurisdiction, item: Item) -> str:
    """The name of the file that has an item."""
    is_whole = item.kind is OverrideKind.FORM or item.language == city.languages[0]
    return WHOLE if is_whole else f"languages/{item.language}.toml"


def _write_text(document: Document, one: Override, value: Mapping[str, Any], _: Jurisdiction) -> None:
    item = one.item
    for text in document.get("texts", ()):
        if (text["outcome"], text.get("service", "")) == (item.outcome, item.code):
            text["text"] = value["text"]
            return
    new = tomlkit.table()
    new["outcome"] = item.outcome
    if item.code:
        new["service"] = item.code
    new["text"] = value["text"]
    if "texts" not in document:
        document["texts"] = tomlkit.aot()
    document["texts"].append(new)


def _write_service(document: Document, one: Override, value: Mapping[str, Any], city: Jurisdiction) -> None:
    if one.item.language == city.languages[0]:
        _write_fields(_by_code(document["services"], one.item.code), one.value, value)
        return
    texts = _table(_table(document, "services"), one.item.code)
    _write_fields(texts, [name for name in one.value if name != "attributes"], value)
    for code, changed in one.value.get("attributes", {}).items():
        question = _table(_table(texts, "attributes"), code)
        _write_fields(question, [name for name in changed if name != "values"], changed)
        for key, name in changed.get("values", {}).items():
            _table(question, "values")[key] = name


def _write_form(document: Document, one: Override, value: Mapping[str, Any], _: Jurisdiction) -> None:
    service = _by_code(document["services"], one.item.code)
    former = list(service["attributes"])
    changed = {each["code"]: each for each in one.value["attributes"]}
    found = tomlkit.aot() if isinstance(service["attributes"], AoT) else tomlkit.array().multiline(multiline=True)
    for question in value["attributes"]:
        table = _by_code(former, question["code"])
        for name in changed.get(question["code"], {}):
            table[name] = _choices(question["values"]) if name == "values" else question[name]
        found.append(table)
    service["attributes"] = found


def _choices(values: Iterable[Mapping[str, str]]) -> Any:
    found = tomlkit.array().multiline(multiline=True)
    for one in values:
        choice = tomlkit.inline_table()
        choice.update(one)
        found.append(choice)
    return found


def _write_group(document: Document, one: Override, value: Mapping[str, Any], _: Jurisdiction) -> None:
    _table(document, "groups")[one.item.code] = value["name"]


def _write_fields(table: Document, names: Iterable[str], value: Mapping[str, Any]) -> None:
    for name in names:
        table[name] = value[name]


def _by_code(tables: Iterable[Document], code: str) -> Document:
    return next(one for one in tables if one["code"] == code)


def _table(parent: Document, name: str) -> Document:
    """The table with this name, which is made if there is none."""
    if name not in parent:
        parent[name] = tomlkit.table()
    return parent[name]


def _remove_orphans(files: _Files, city: Jurisdiction) -> None:
    """Remove translations of groups and choices that the city does not have with its overrides."""
    groups = {service.group for service in city.services}
    for language in city.translations:
        document = files.of(f"languages/{language}.toml")
        for group in [one for one in document.get("groups", {}) if one not in groups]:
            del document["groups"][group]
        for code, texts in document.get("services", {}).items():
            for values, key in list(_orphaned_choices(city, code, texts)):
                del values[key]


def _orphaned_choices(city: Jurisdiction, code: str, texts: Document) -> Iterator[tuple[Document, str]]:
    service = city.service(code)
    for name, question in texts.get("attributes", {}).items():
        attribute = service.attribute(name) if service else None
        keys = {value.key for value in attribute.values} if attribute else set()
        values = question.get("values", {})
        yield from ((values, key) for key in list(values) if key not in keys)


_WRITERS: Mapping[OverrideKind, Callable[[Document, Override, Mapping[str, Any], Jurisdiction], None]] = {
    OverrideKind.TEXT: _write_text,
    OverrideKind.SERVICE: _write_service,
    OverrideKind.FORM: _write_form,
    OverrideKind.GROUP: _write_group,
}
