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
from sys import intern
from typing import Any

from babel.core import get_global
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from open311.observe import logger
from schemas.texts import Message

log = logger(__name__)

ENGLISH = "en"
"""The language in which the texts are written."""
READ_BY_A_PERSON: frozenset[str] = frozenset()
"""The languages of which a person has read every translation. Pages in any other language say that a machine made
them, and so does the header of the language's file."""
COMPLETE = ("es",)
"""The languages into which every text is translated. The others need only the texts that citizens read."""
FOLDER = Path(__file__).parent
FROM_RIGHT = frozenset({"Adlm", "Arab", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"})
"""The scripts that are written from right to left, by ISO 15924."""
_OF_PAGES = re.compile(r"%\((\w+)\)s")
"""A placeholder in a text of a page's template."""
_PLACEHOLDER = re.compile(r'(?<!["{>])(?:%\(\w+\)s|\{\w[^{}]*\})')
"""A placeholder that is neither the begin of an attribute of HTML nor that of an element."""


def languages() -> tuple[str, ...]:
    """The BCP 47 tags of the languages that texts can be shown in, English first."""
    return (ENGLISH, *_ours())


def closest(tag: str, known: Iterable[str]) -> str:
    """The known language that a BCP 47 tag means; "" if there is none.

    The result is the tag itself, else the language without region, else the same language in the same script, else
    the same language. So zh-CN finds zh-Hans. zh-TW finds zh-Hans too if there is no zh-Hant: readers of zh-TW
    understand it better than English, and CLDR's language matching says the same.
    """
    by_tag = {language.lower(): language for language in known}
    wanted = tag.lower()
    base = _base(wanted)
    if found := by_tag.get(wanted) or by_tag.get(base):
        return found
    same = [language for language in by_tag if _base(language) == base]
    if not same:
        return ""
    return by_tag[next((one for one in same if _script(one) == _script(wanted)), same[0])]


def _base(tag: str) -> str:
    return tag.partition("-")[0]


def _script(tag: str) -> str:
    """The script of a language, such as hans: the one that the tag names, else the usual one in the region."""
    parts = tag.split("-")
    if named := next((part for part in parts[1:] if len(part) == 4 and part.isalpha()), ""):
        return named
    usual: Mapping[str, str] = get_global("likely_subtags")
    full = usual.get("_".join((parts[0], *map(str.upper, parts[1:2])))) or usual.get(parts[0]) or ""
    return "".join(full.lower().split("_")[1:2])


def is_machine_made(language: str) -> bool:
    """Whether no person has read the translations into a language yet."""
    return language != ENGLISH and language not in READ_BY_A_PERSON


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


def has_text(text: str, language: str) -> bool:
    """Whether a text of ours is shown in a language, and not in English. True for texts that are not ours."""
    if language == ENGLISH or not isinstance(text, Message):
        return True
    translations = _ours().get(language)
    return translations is not None and text.template in translations.templates


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
    """Whether a translation cannot be filled in with the values of its English text.

    A plural form may lack the number, because "two photos" needs no digit in some languages.
    """
    try:
        wanted = _placeholders(_forms(entry.id)[-1])
        found = [_placeholders(text) for text in _forms(entry.string) if text]
    except ValueError:
        return True
    optional = {one for one in wanted if one[0] == "count"} if entry.pluralizable else set()
    return any(not wanted - optional <= form <= wanted for form in found)


class Texts(Translations):
    """The translations into one language.

    templates  the English texts that have a translation; for a text with plural forms, the singular
    """

    templates: frozenset[str]

    def _parse(self, fp: Any) -> None:
        """Read the translations. All languages share their English texts, which takes a megabyte less memory."""
        super()._parse(fp)
        self._catalog = {_shared(text): translation for text, translation in self._catalog.items()}


@cache
def _ours() -> Mapping[str, Texts]:
    return load(FOLDER)


def load(folder: Path) -> Mapping[str, Texts]:
    """The translations in a folder, by BCP 47 tag. A file that cannot be read is left out, and the log names it."""
    found: dict[str, Texts] = {}
    for tag, path in files(folder).items():
        try:
            found[tag] = _usable(read_file(path), tag)
        except Exception as error:  # babel raises errors of many kinds; the server has to start all the same
            log.error("translations cannot be read", language=tag, cause=repr(error))
    return found


def _usable(entries: Catalog, tag: str) -> Texts:
    """The translations without those that cannot be filled in. The log names these."""
    for entry in list(entries):
        if entry.id and not entry.fuzzy and has_wrong_placeholders(entry):
            log.error("a translation has other placeholders than its text", language=tag, text=_forms(entry.id)[0])
            entries.delete(entry.id)
    if is_from_right(tag):
        for entry in entries:
            forms = tuple(map(_isolated, _forms(entry.string)))
            entry.string = forms if entry.pluralizable else forms[0]
    compiled = BytesIO()
    write_mo(compiled, entries)
    compiled.seek(0)
    texts = Texts(compiled)
    texts.templates = frozenset(
        intern(_forms(entry.id)[0]) for entry in entries if entry.id and is_translated(entry)
    )
    return texts


def _shared(text: str | tuple[str, int]) -> str | tuple[str, int]:
    """The same text for all who ask for it; gettext adds the number of the plural form to a text with forms."""
    return intern(text) if isinstance(text, str) else (intern(text[0]), text[1])


def is_from_right(language: str) -> bool:
    """Whether a language is written from right to left, by its script.

    Babel knows the direction too, but it reads a megabyte of data for each language that it is asked about.
    """
    base, *parts = language.split("-")
    script = next((part for part in parts if len(part) == 4), "")
    likely = get_global("likely_subtags").get(base.lower(), "")
    return (script or next((part for part in likely.split("_") if len(part) == 4), "")).title() in FROM_RIGHT


def _isolated(translation: str) -> str:
    """A translation whose values keep their own direction, so that 2026-17 is not shown as 17-2026.

    Unicode's isolates (FSI and PDI) do that in pages and in plain text. A value in an attribute of HTML, or alone
    in an element, stays as it is. A translator writes such an element, <bdi>, where people may copy the value.
    """
    return _PLACEHOLDER.sub("\u2068\\g<0>\u2069", translation)


def is_translated(entry: Entry) -> bool:
    """Whether a text and all its plural forms have a translation that is not fuzzy."""
    forms = _forms(entry.string)
    return bool(forms and all(forms)) and not entry.fuzzy


def _forms(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    """The forms of a text: one, or one for each plural form of the language."""
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def _placeholders(template: str) -> set[tuple[str, str | None, str | None]]:
    """The placeholders of a template, each with format and conversion. Raises ValueError for a lone brace."""
    parts = Formatter().parse(template)
    ours = {(name, form, conversion) for _, name, form, conversion in parts if name is not None}
    return ours | {(name, "%", None) for name in _OF_PAGES.findall(template)}
