"""Articles: texts with which a city answers what people ask, about a service, a facility or a common question.

Open311's Inquiry v1 calls the three kinds services, facilities and FAQs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from open311.domain.lexicons import Lexicon
from open311.domain.text import folded
from open311.domain.text_search import Texts, TextSearch

NEVER = date(2099, 12, 31)
"""When an article without `expires` expires. Inquiry v1 wants a time, and its examples have this day."""
ALL = "all"
_LEAST_IN_BODY = 0.5
"""An article that has words of a search only in its body must have this share of them."""


class ArticleKind(StrEnum):
    """What an article is about."""

    SERVICE = "service"
    FACILITY = "facility"
    FAQ = "faq"


class Promotion(StrEnum):
    """The lists of Inquiry v1 that have a name: what is shown first on the web, on phones, and beside a finder."""

    WEB = "web"
    MOBILE = "mobile"
    FINDER = "finder"


RESERVED = (ALL, *Promotion)
"""Words that name lists in paths, where an id or a topic can stand too. So no article has such an id or topic."""


class ActionType(StrEnum):
    """The types of Inquiry v1 for what a reader can do next."""

    SERVICE_REQUEST = "Service Request"
    LINK = "Link"
    LITERATURE = "Literature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a reader can do next.

    url           the address; "" if the action leads to the form for a report, or is only a text
    service_code  the service to report; "" for none
    """

    label: str
    type: ActionType = ActionType.LINK
    url: str = ""
    service_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleTexts:
    """The texts of an article in another language. If a text is empty, readers get the text of the article itself.

    html   the body as HTML, made of Markdown
    plain  the body without markup
    """

    title: str = ""
    summary: str = ""
    html: str = ""
    plain: str = ""
    keywords: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    address_note: str = ""
    hours: str = ""
    eligibility: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article.

    id            the name of its file; unique in the city
    language      the BCP 47 tag of its texts
    categories    the city's words for its topics; Inquiry v1 filters services and FAQs by them
    expires       the article is gone from midnight of this day on; None if it does not expire
    promoted      the lists of Inquiry v1 in which it is shown first
    related       ids of other articles that belong to this one; all of them are about services
    credit        where its facts come from; "" if the city itself has written them
    type          the type of a facility, such as Library; Inquiry v1 filters facilities by it
    point         (long, lat) of a facility in degrees, WGS 84; None if it is not known
    translations  its texts in other languages, by BCP 47 tag
    """

    id: str
    kind: ArticleKind
    language: str
    title: str
    summary: str
    html: str
    plain: str
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    expires: date | None = None
    promoted: tuple[Promotion, ...] = ()
    actions: tuple[Action, ...] = ()
    related: tuple[str, ...] = ()
    credit: str = ""
    type: str = ""
    features: tuple[str, ...] = ()
    address: str = ""
    address_note: str = ""
    borough: str = ""
    city: str = ""
    state: str = ""
    zipcode: str = ""
    hours: str = ""
    point: tuple[float, float] | None = None
    eligibility: str = ""
    translations: Mapping[str, ArticleTexts] = field(default_factory=dict)

    @property
    def expires_on(self) -> date:
        """The day from which on the article is gone; NEVER if it does not expire."""
        return self.expires or NEVER

    @property
    def topics(self) -> tuple[str, ...]:
        """The words by which lists are filtered: the type of a facility, and the categories of the others."""
        return (self.type,) if self.kind is ArticleKind.FACILITY else self.categories

    def is_current(self, day: date) -> bool:
        """Whether the article has not expired on a day of the city."""
        return day < self.expires_on

    def leads_to(self, service_code: str) -> bool:
        """Whether the article is about reporting to a service."""
        return any(action.service_code == service_code for action in self.actions)


Words = Mapping[str, str]
"""The city's words for topics in another language, by the original words."""


def translated(article: Article, languages: Iterable[str], words: Mapping[str, Words]) -> Article:
    """The article in the first of the languages in which it has texts.

    words  the translated topics by language
    """
    for language in languages:
        if language == article.language:
            break
        texts = article.translations.get(language)
        if texts is not None:
            return _with_texts(article, language, texts, words.get(language, {}))
    return article


def _with_texts(article: Article, language: str, texts: ArticleTexts, words: Words) -> Article:
    labels = texts.labels or tuple(action.label for action in article.actions)
    return replace(
        article,
        language=language,
        title=texts.title or article.title,
        summary=texts.summary or article.summary,
        html=texts.html or article.html,
        plain=texts.plain or article.plain,
        keywords=texts.keywords or article.keywords,
        categories=tuple(words.get(one, one) for one in article.categories),
        type=words.get(article.type, article.type),
        actions=tuple(replace(one, label=label) for one, label in zip(article.actions, labels, strict=True)),
        features=texts.features or article.features,
        address_note=texts.address_note or article.address_note,
        hours=texts.hours or article.hours,
        eligibility=texts.eligibility or article.eligibility,
    )


def named(articles: Sequence[Article], name: str, words: Iterable[Words]) -> Sequence[Article] | None:
    """The articles that the last part of a path of Inquiry v1 names; None if it is no topic of the city.

    articles  all articles of a kind, also those that have expired, so that a topic stays known
    words     the translated topics, in any order
    A topic may be written in any language of the city and in any case.
    """
    if name == ALL:
        return articles
    if name in list(Promotion):
        return [one for one in articles if name in one.promoted]
    wanted, known = folded(name), tuple(words)
    found = [one for one in articles if any(wanted in _spellings(topic, known) for topic in one.topics)]
    return found or None


def _spellings(topic: str, words: Iterable[Words]) -> Iterator[str]:
    yield folded(topic)
    for translations in words:
        if topic in translations:
            yield folded(translations[topic])


def search_among(own: Sequence[Article], shown: Sequence[Article], lexicons: Iterable[Lexicon]) -> TextSearch:
    """The search among articles, by their texts in their own languages and in the reader's."""
    items = [{one.language: _texts(one) for one in both} for both in zip(own, shown, strict=True)]
    return TextSearch(items, lexicons, least_in_description=_LEAST_IN_BODY, must_tell=False)


def _texts(article: Article) -> Texts:
    return Texts(
        name=article.title,
        keywords=" ".join(article.keywords),
        group=" ".join((*article.categories, article.type, *article.features)),
        description=f"{article.summary} {article.plain}",
    )
