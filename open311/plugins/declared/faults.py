"""Marshmallow's errors as sentences for the person who writes a city's files.

Each sentence names the place and the key, and says what is wrong and how to correct it.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from open311.plugins.declared.keys import ByCode, OneTable, Table, Tables, cut, shown
from open311.plugins.declared.lines import Path, TextLines

# `found` is `messages` of marshmallow's ValidationError. For one value, it is a list of messages. For a table or a
# list, it is a dict that has such a list or dict for each key, code or index.


def explain(whole: Table, found: Any, data: Any, where: str) -> Iterator[str]:
    """A sentence for each fault of a file: `service pothole: attribute SURFACE: datatype must be …`."""
    return _in_table(whole, found, data, where, whole)


def explain_with_lines(whole: Table, found: Any, data: Any, where: str, text: str) -> Iterator[str]:
    """Like `explain`, with the line after the file's name. `text` is the TOML of the file, from its first line.

    For a missing key, the sentence has the line of the table, or line 1 if the key belongs to the whole file.
    """
    lines = TextLines(text)
    for path, part in _parts(found):
        line = next((found for end in range(len(path), 0, -1) if (found := lines.line(path[:end]))), 1)
        yield from explain(whole, part, data, f"{where}:{line}")


def _parts(found: Any) -> Iterator[tuple[Path, Any]]:
    """The faults one by one, each with the path to its value and as a dict in the shape of `found`."""
    for key, item in found.items():
        if isinstance(item, dict):
            for path, part in _parts(item):
                yield (key, *path), {key: part}
        else:
            yield (key,), {key: item}


def _in_table(table: Table, found: Any, data: Any, where: str, whole: Table) -> Iterator[str]:
    if not isinstance(data, dict):
        yield f"{where} {table.misfit(data)}"
        return
    for key in sorted(found, key=lambda key: "" if key in table.fields else key):
        if key in table.fields:
            yield from _in_value(table.fields[key], key, found[key], data.get(key), where, whole)
        else:
            yield f"{where}: unknown key {shown(key)}; {_cure(key, table, whole)}"


def _in_value(kind: object, key: str, found: Any, value: Any, where: str, whole: Table) -> Iterator[str]:
    if isinstance(found, list):
        yield from (f"{where}: {cut(key)} {message}" for message in found)
    elif isinstance(kind, OneTable):
        yield from _in_table(kind.table, found, value, f"{where}: {kind.table.noun} {cut(key)}", whole)
    elif isinstance(kind, Tables):
        for index, item in found.items():
            table = kind.table_of(value[index])
            title = table.title(value[index], index + 1)
            yield from _in_table(table, item, value[index], f"{where}: {title}", whole)
    elif isinstance(kind, ByCode):
        for code, item in found.items():
            inside = f"{where}: {key}" if isinstance(item, list) else where
            yield from _in_value(kind.each, code, item, value[code], inside, whole)


def _cure(key: str, table: Table, whole: Table) -> str:
    """What to do about an unknown key: the key that the author may have meant, or where to look."""
    near = get_close_matches(key.lower(), table.fields, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if key in whole.fields:
        return "this key belongs to the whole file, so move it above the first [table]."
    return "see jurisdictions/README.md."
