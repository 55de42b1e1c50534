"""Finds the language of an answer: that of `locale`, else of Accept-Language, else the city's first language."""

from __future__ import annotations

from werkzeug.wrappers import Request

from open311.plugins import Jurisdiction


def wanted_languages(request: Request, jurisdiction: Jurisdiction, locale: str) -> tuple[str, ...]:
    """The languages in which to look up texts, the preferred one first. Empty means the city's first language."""
    if not locale and "Accept-Language" not in request.headers:
        return ()
    known = {language.lower(): language for language in jurisdiction.languages}
    own = jurisdiction.languages[0]
    wanted: list[str] = []
    accepted = [tag for tag, quality in request.accept_languages if quality > 0]
    for tag in [locale.replace("_", "-")] if locale else accepted:
        found = known.get(tag.lower()) or known.get(tag.lower().partition("-")[0])
        if found == own:
            break
        if found and found not in wanted:
            wanted.append(found)
    return tuple(wanted)


def content_language(jurisdiction: Jurisdiction, languages: tuple[str, ...]) -> str:
    """The value of the header Content-Language."""
    return languages[0] if languages else jurisdiction.languages[0]
