"""The tables of keys in jurisdictions/README.md, generated from the schemas by `make keys`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from open311.plugins.backends import kinds
from open311.plugins.declared.articles import ARTICLE, ARTICLE_TEXTS
from open311.plugins.declared.backends import BACKENDS, BackendTable
from open311.plugins.declared.columns import COLUMN_MAP
from open311.plugins.declared.days import DAYS
from open311.plugins.declared.keys import ByCode, OneTable, Table, Tables
from open311.plugins.declared.schemas import FORM, LANGUAGE

README = Path("jurisdictions/README.md")
_PLACE = re.compile(r"(<!-- keys: (?P<header>.+?) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def renew(text: str) -> str:
    """The text of the README, with every table of keys generated again.

    A table of keys is between `<!-- keys: HEADER -->`, where HEADER is a header such as `[[services]]`, and
    `<!-- end of keys -->`. Raises KeyError for a header that no schema has.
    """
    tables = {table.header: table for table in all_tables()}
    return _PLACE.sub(lambda place: f"{place[1]}\n{_rows(tables[place['header']])}\n{place[3]}", text)


def all_tables() -> Iterator[Table]:
    """Every table of a city's files. Some tables are yielded several times."""
    for file in (FORM, LANGUAGE, COLUMN_MAP, BACKENDS, ARTICLE, ARTICLE_TEXTS, DAYS):
        yield from _with_inner(file)
    for kind in kinds().values():
        if kind.__module__.startswith("open311."):
            yield from _with_inner(kind.table())


def _with_inner(table: Table) -> Iterator[Table]:
    yield table
    for field in table.fields.values():
        kind = field.each if isinstance(field, ByCode) else field
        if isinstance(kind, OneTable | Tables):
            yield from _with_inner(kind.table)


def _rows(table: Table) -> str:
    """The keys of a table, in Markdown. For a kind of back end, only the keys that the kind adds or changes."""
    common = BackendTable().fields if type(table) is not BackendTable and isinstance(table, BackendTable) else {}
    lines = ["| Key | Type | Default | Meaning |", "|---|---|---|---|"]
    for key, field in table.fields.items():
        texts = field.metadata
        if key in common and common[key].metadata == texts:
            continue
        lines.append(f"| `{key}` | {texts['type']} | {texts['default']} | {texts['description']} |")
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    README.write_text(renew(README.read_text(encoding="utf-8")), encoding="utf-8")
