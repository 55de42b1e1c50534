"""Lists of a city's articles, single articles, and a search. Articles that have expired are in none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from open311.domain.articles import (
    RESERVED,
    Article,
    ArticleKind,
    Words,
    named,
    search_among,
    translated,
)
from open311.domain.text_search import TextSearch
from open311.errors import NotFound
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.plugins.lexicon import lexicons_of
from schemas.texts import tell

Languages = tuple[str, ...]
_MOST_TOPICS = 12


@dataclass(frozen=True, slots=True)
class Named:
    """The articles that a path of Inquiry v1 names, and whether it names a single one by its id."""

    articles: Sequence[Article]
    is_single: bool


def current_articles(
    city: Jurisdiction, now: datetime, languages: Languages, kind: ArticleKind | None = None
) -> list[Article]:
    """The articles that have not expired, of one kind or all, each in the first of `languages` that it has."""
    return _shown(city, (one for one in city.articles if kind in (None, one.kind)), now, languages)


def find_article(city: Jurisdiction, id: str, now: datetime, languages: Languages) -> Article:
    """The article with this id. Raises NotFound if there is none, or if it has expired."""
    found = _shown(city, (one for one in city.articles if one.id == id), now, languages)
    if not found:
        raise NotFound(tell("There is no answer {id!r} here. It may have expired.", id=id[:60]))
    return found[0]


def find_named(city: Jurisdiction, kind: ArticleKind, name: str, now: datetime, languages: Languages) -> Named:
    """The articles that the last part of a path names: a word such as `all`, an id, or a topic.

    Raises NotFound if it is none of these, or the id of an article that has expired. A topic whose articles have
    all expired has an empty list.
    """
    of_kind = [one for one in city.articles if one.kind is kind]
    single = next((one for one in of_kind if one.id == name), None)
    if single is not None and name not in RESERVED:
        found = _shown(city, [single], now, languages)
        if not found:
            raise _unknown(name, of_kind, now, city)
        return Named(found, is_single=True)
    several = named(of_kind, name, _words(city).values())
    if several is None:
        raise _unknown(name, of_kind, now, city)
    return Named(_shown(city, several, now, languages), is_single=False)


def search_articles(
    platform: Platform, city: Jurisdiction, words: str, now: datetime, languages: Languages, most: int
) -> list[Article]:
    """The articles that fit some words in the reader's language or the city's own, the best first."""
    search, articles = platform.process.cached(_searchable, most=64)(city, languages, city.day(now))
    return [articles[number] for number in search.find(words)[:most]]


def articles_for(city: Jurisdiction, service_code: str, now: datetime, languages: Languages) -> list[Article]:
    """The articles that lead to the form of a service. Somebody about to report may read them first."""
    return _shown(city, (one for one in city.articles if one.leads_to(service_code)), now, languages)


def related_to(city: Jurisdiction, article: Article, now: datetime, languages: Languages) -> list[Article]:
    """The articles about services that an article names as related."""
    return _shown(city, (one for one in city.articles if one.id in article.related), now, languages)


def by_topic(articles: Sequence[Article]) -> list[tuple[str, list[Article]]]:
    """The articles by their first topics, in the order in which the topics occur."""
    found: dict[str, list[Article]] = {}
    for one in articles:
        found.setdefault(one.topics[0], []).append(one)
    return list(found.items())


def _searchable(city: Jurisdiction, languages: Languages, day: date) -> tuple[TextSearch, tuple[Article, ...]]:
    """The search among all articles that have not expired on a day, and the articles in the reader's language."""
    own = [one for one in city.articles if one.is_current(day)]
    shown = tuple(_in_languages(city, own, languages))
    return search_among(own, shown, lexicons_of(city)), shown


def _shown(
    city: Jurisdiction, articles: Iterator[Article] | Sequence[Article], now: datetime, languages: Languages
) -> list[Article]:
    day = city.day(now)
    return list(_in_languages(city, [one for one in articles if one.is_current(day)], languages))


def _in_languages(city: Jurisdiction, articles: Sequence[Article], languages: Languages) -> Iterator[Article]:
    words = _words(city)
    return (translated(one, languages, words) for one in articles)


def _words(city: Jurisdiction) -> Mapping[str, Words]:
    return {language: translation.words for language, translation in city.translations.items()}


def _unknown(name: str, articles: Sequence[Article], now: datetime, city: Jurisdiction) -> NotFound:
    day = city.day(now)
    topics = list(dict.fromkeys(topic for one in articles if one.is_current(day) for topic in one.topics))
    return NotFound(
        tell(
            "{name!r} is neither an id nor a topic here; send all, or one of {topics}.",
            name=name[:60],
            topics="; ".join(topics[:_MOST_TOPICS]) or "–",
        ),
        "topic",
    )
