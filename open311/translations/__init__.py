"""The texts of this server in other languages than English. `schemas/texts.py` says how a text is written.

Each language has a file, `<language>/LC_MESSAGES/messages.po`. The files are read when the server starts. They are
not compiled before, so a new file works without a build. `make texts` brings the files up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from open311.observe import logger
from schemas.texts import Message

log = logger(__name__)

ENGLISH = "en"
FOLDER = Path(__file__).parent
_OF_PAGES = re.compile(r"%\((\w+)\)s")
"""A placeholder in a text of a page's template."""


def languages() -> tuple[str, ...]:
    """The BCP 47 tags of the languages that texts can be shown in, English first."""
    return (ENGLISH, *_ours())


def closest(tag: str, known: Iterable[str]) -> str:
    """The known language that a BCP 47 tag means: itself, else without its region; "" if neither is known."""
    by_tag = {language.lower(): language for language in known}
    wanted = tag.lower()
    return by_tag.get(wanted) or by_tag.get(wanted.partition("-")[0]) or ""


def in_language(text: str, language: str) -> str:
    """A text in another language; in English if the language lacks the text."""
    translations = _ours().get(language)
    if translations is None or not text:
        return text
    if not isinstance(text, Message):
        return str(translations.gettext(text))  # a text of a library
    if text.plural:
        template = translations.ngettext(text.template, text.plural, text.values["count"])
    else:
        template = translations.gettext(text.template)
    values = {
        name: in_language(value, language) if isinstance(value, Message) else value
        for name, value in text.values.items()
    }
    return str(template).format(**values)


def translations_in(language: str) -> NullTranslations:
    """The translations into a language; those into English leave each text as it is."""
    return _ours().get(language) or NullTranslations()


def read_file(path: Path) -> Catalog:
    """The entries of a file in gettext's format. Raises an error if it is not in this format."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], abort_invalid=True)


def files(folder: Path = FOLDER) -> dict[str, Path]:
    """The file of each language, by BCP 47 tag."""
    return {path.parts[-3].replace("_", "-"): path for path in sorted(folder.glob("*/LC_MESSAGES/messages.po"))}


def has_wrong_placeholders(entry: Entry) -> bool:
    """Whether a translation cannot be filled in with the values of its English text."""
    try:
        wanted = _placeholders(_forms(entry.id)[-1])
        return any(_placeholders(text) != wanted for text in _forms(entry.string) if text)
    except ValueError:
        return True


@cache
def _ours() -> Mapping[str, Translations]:
    return load(FOLDER)


def load(folder: Path) -> Mapping[str, Translations]:
    """The translations in a folder, by BCP 47 tag. A file that cannot be read is left out, and the log names it."""
    found: dict[str, Translations] = {}
    for tag, path in files(folder).items():
        try:
            found[tag] = _usable(read_file(path), tag)
        except Exception as error:  # babel raises errors of many kinds; the server has to start all the same
            log.error("translations cannot be read", language=tag, cause=repr(error))
    return found


def _usable(entries: Catalog, tag: str) -> Translations:
    """The translations without those that cannot be filled in. The log names these."""
    for entry in list(entries):
        if entry.id and has_wrong_placeholders(entry):
            log.error("a translation has other placeholders than its text", language=tag, text=_forms(entry.id)[0])
            entries.delete(entry.id)
    compiled = BytesIO()
    write_mo(compiled, entries)
    compiled.seek(0)
    return Translations(compiled)


def _forms(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    """The forms of a text: one, or one for each plural form of the language."""
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def _placeholders(template: str) -> set[tuple[str, str | None, str | None]]:
    """The placeholders of a template, each with format and conversion. Raises ValueError for a lone brace."""
    parts = Formatter().parse(template)
    ours = {(name, form, conversion) for _, name, form, conversion in parts if name is not None}
    return ours | {(name, "%", None) for name in _OF_PAGES.findall(template)}
