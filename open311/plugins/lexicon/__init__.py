"""Lexicons: how people write about the services of any city. There is a file for each language.

A city adds its own words in `[[synonyms]]` of `jurisdiction.toml`, and for other languages in `languages/*.toml`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from open311.domain.lexicons import Lexicon, Synonym

if TYPE_CHECKING:
    from open311.plugins.interface import Jurisdiction


def lexicons_of(city: Jurisdiction) -> tuple[Lexicon, ...]:
    """The lexicons of a city's languages, and the city's own synonyms in all of them."""
    tags = dict.fromkeys((*city.languages, *city.translations))
    translated = (synonym for texts in city.translations.values() for synonym in texts.synonyms)
    own = Lexicon(synonyms=(*city.synonyms, *translated))
    return (own, *(found for tag in tags if (found := _lexicon(tag)) is not None))


@cache
def _lexicon(tag: str) -> Lexicon | None:
    """The lexicon of a language, such as `es` for `es-MX`; None if there is none."""
    for name in (tag, tag.partition("-")[0]):
        file = resources.files(__package__) / f"{name}.toml"
        if name.replace("-", "").isalnum() and file.is_file():
            return _read(tomllib.loads(file.read_text("utf-8")))
    return None


def _read(found: dict[str, str | list[dict[str, list[str]]]]) -> Lexicon:
    words = {name: frozenset(text.split()) for name, text in found.items() if isinstance(text, str)}
    tables = [table for one in found.values() if isinstance(one, list) for table in one]
    return Lexicon(
        synonyms=tuple(Synonym(said=tuple(one["said"]), means=tuple(one["means"])) for one in tables),
        ignored=words.get("ignored", frozenset()),
        negated=words.get("negated", frozenset()),
        places=words.get("places", frozenset()),
    )
