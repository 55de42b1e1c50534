"""The language of an answer. It comes from the parameter locale or, without locale, from Accept-Language.

The texts of a city's catalogue are in the languages of the city, and in its first language by default. Our own
texts are in the languages that have translations, and in English by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from werkzeug.wrappers import Request

from open311.domain.services import Service, translate_all
from open311.plugins import Jurisdiction
from open311.translations import ENGLISH, closest, in_language, languages
from open311.web.surfaces import LOCALE


def wanted_languages(request: Request, jurisdiction: Jurisdiction, locale: str) -> tuple[str, ...]:
    """The languages in which to look up texts, the preferred one first. Empty means the city's first language."""
    if not locale and "Accept-Language" not in request.headers:
        return ()
    own = jurisdiction.languages[0]
    wanted: list[str] = []
    for found in _known(request, jurisdiction.languages, locale):
        if found == own:
            break
        if found not in wanted:
            wanted.append(found)
    return tuple(wanted)


def content_language(jurisdiction: Jurisdiction, languages: tuple[str, ...]) -> str:
    """The value of the header Content-Language."""
    return languages[0] if languages else jurisdiction.languages[0]


def in_languages(
    services: Iterable[Service], jurisdiction: Jurisdiction, languages: Iterable[str]
) -> tuple[Service, ...]:
    """The services. Each of their texts is in the first of the languages that has the text."""
    texts = [jurisdiction.translations[tag] for tag in languages if tag in jurisdiction.translations]
    return translate_all(services, texts)


def caller_language(request: Request, known: Sequence[str] | None = None) -> str:
    """The language in which a caller gets our own texts: one of the known ones, else English.

    known  by default, all languages that have translations
    """
    locale = request.environ.get(LOCALE) or request.args.get("locale") or request.args.get("langcode") or ""
    return next(iter(_known(request, languages() if known is None else known, locale)), ENGLISH)


def preferred(request: Request, known: Sequence[str], locale: str = "") -> tuple[str, ...]:
    """Those of the known languages that a caller wants, in the caller's order."""
    wanted = locale or request.environ.get(LOCALE) or request.args.get("locale") or ""
    return tuple(_known(request, known, wanted))


def for_caller(text: str, request: Request) -> str:
    """A text of this server in the language of the caller."""
    return in_language(text, caller_language(request))


def _known(request: Request, known: Sequence[str], locale: str) -> Iterable[str]:
    """The known languages that a call wants, in its order."""
    accepted = [tag for tag, quality in request.accept_languages if quality > 0]
    for tag in [locale.strip().replace("_", "-")] if locale.strip() else accepted:
        if found := closest(tag, known):
            yield found
