"""Collects the texts of the source for their translators. `make texts` runs this module."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po
from marshmallow import Schema, fields
from werkzeug.exceptions import default_exceptions

from open311 import __version__
from open311.clock import exact_now
from open311.translations import FOLDER, files, is_machine_made, is_translated, read_file
from open311.web.errors import WORDS

_SOURCE = FOLDER.parents[1]
_FUNCTIONS = {"tell": None, "tell_count": (1, 2), "_": None, "gettext": None, "ngettext": (1, 2)}
"""The functions with texts as arguments. (1, 2): the first two arguments are texts; None: only the first is a text.

In templates, `trans` counts as gettext.
"""
_SOURCES = [("**.py", "python"), ("**.html", "jinja2")]
_TEMPLATES = {"**.html": {"trimmed": "true", "silent": "false"}}
_FIELDS = (fields.Field, fields.String, fields.Number, fields.Integer, fields.Boolean, fields.List, fields.Url)

CITIZENS = (
    "open311/domain/availability.py",
    "open311/domain/public_words.py",
    "open311/media/stores.py",
    "open311/operations/access/status_links.py",
    "open311/operations/inquiry/",
    "open311/operations/intake/check_submission.py",
    "open311/operations/intake/repeating.py",
    "open311/operations/intake/submit_request.py",
    "open311/operations/mailing/",
    "open311/operations/masking.py",
    "open311/operations/media/choosing.py",
    "open311/operations/media/telling.py",
    "open311/operations/sms/composing.py",
    "open311/operations/workflow/texts.py",
    "open311/plugins/registry.py",
    "open311/storage/failures.py",
    "open311/web/access.py",
    "open311/web/errors.py",
    "open311/web/inquiry/",
    "open311/web/portal/",
    "open311/web/submissions.py",
    "open311/web/templates/landing.html",
    "schemas/texts.py",
)
"""The files that have texts for citizens: texts of pages, and of errors after a form was sent. Some of these files
have texts for programs too."""
_FOR_STAFF = "open311/web/portal/staff/"
_MACHINE = "A machine made the translations. No person has read them yet."


def collect(source: Path = _SOURCE) -> Catalog:
    """Every text that a caller can see, each with the files that have it."""
    found = Catalog(project="open311-server", charset="utf-8")
    for package in ("open311", "schemas"):
        for file, _, text, *_ in extract_from_dir(source / package, _SOURCES, _TEMPLATES, keywords=_FUNCTIONS):
            found.add(text, locations=[(f"{package}/{file}", 0)])
    for library, texts in {"werkzeug": _of_werkzeug(), "marshmallow": _of_marshmallow()}.items():
        for text in texts:
            found.add(text, locations=[(library, 0)])
    return found


def _of_werkzeug() -> Iterator[str]:
    """The texts of errors that only Werkzeug has."""
    for status, error in default_exceptions.items():
        if status not in WORDS and error.description:
            yield error.description


def _of_marshmallow() -> Iterator[str]:
    """The error texts of marshmallow's fields and schemas, except texts with placeholders."""
    kinds: list[Mapping[str, Any]] = [kind.default_error_messages for kind in _FIELDS]
    kinds.append(Schema().error_messages)
    yield from sorted({text for kind in kinds for text in kind.values() if "{" not in text})


def update(languages: Iterable[str] = (), folder: Path = FOLDER) -> Iterator[str]:
    """Bring the file of each language up to date. Yields a line for each file.

    languages  tags of languages to begin, in addition to the languages that have a file
    A text that is no longer in the source is deleted. If a text has changed a little, its former translation stays,
    marked as fuzzy, and callers get English until a translator removes the mark.
    """
    collected = collect()
    for tag in languages:
        path = folder / tag.replace("-", "_") / "LC_MESSAGES" / "messages.po"
        if not path.exists():
            path.parent.mkdir(parents=True)
            _write(_begun(tag), path)
    for tag, path in files(folder).items():
        entries = read_file(path)
        entries.update(collected, update_creation_date=False)
        entries.header_comment = _comment(tag)
        _write(entries, path)
        missing = [entry for entry in entries if entry.id and not is_translated(entry)]
        of_pages = sum(map(is_for_citizens, missing))
        yield f"{tag}: {len(entries)} texts, {len(missing)} without a translation, {of_pages} of these for citizens"


def is_for_citizens(entry: Entry) -> bool:
    """Whether citizens may read a text."""
    paths = [path for path, _ in entry.locations]
    return any(path.startswith(CITIZENS) and not path.startswith(_FOR_STAFF) for path in paths)


def _comment(tag: str) -> str:
    """The first lines of a file."""
    machine = f"\n# {_MACHINE}" if is_machine_made(tag) else ""
    return f"# Texts of open311-server for callers. `make texts` updates this file.{machine}"


def _begun(tag: str) -> Catalog:
    """An empty file. Its header has the fields that gettext's tools need."""
    us = "the translators of open311-server"
    return Catalog(
        tag.replace("-", "_"),
        project="open311-server",
        version=__version__,
        msgid_bugs_address="see CONTRIBUTING.md",
        last_translator=us,
        language_team=us,
        revision_date=exact_now(),
        fuzzy=False,
    )


def _write(entries: Catalog, path: Path) -> None:
    with path.open("wb") as file:
        write_po(file, entries, width=116, sort_output=True, ignore_obsolete=True, include_lineno=False)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in update(sys.argv[1:]))
