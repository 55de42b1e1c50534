"""Services, facilities and FAQs of Inquiry v1, and a search over them (Y1 to Y8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import quote, urlencode

from open311.domain.articles import NEVER, Action, Article, ArticleKind
from open311.domain.calendar import instant
from open311.formats import Shape, document, shape_of
from open311.operations.inquiry.articles import Languages, find_named, related_to, search_articles
from open311.plugins import Jurisdiction
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.inquiry.keeping import kept_until_midnight
from open311.web.languages import content_language
from open311.web.portal.rendering import city_path
from open311.web.surfaces import INQUIRY
from schemas.inquiry import (
    AnswerSearchArguments,
    FacilityItemSchema,
    FacilitySchema,
    FaqItemSchema,
    FaqSchema,
    FoundArticleSchema,
    InquiryArguments,
    InquiryServiceItemSchema,
    InquiryServiceSchema,
)

_SHAPES = {
    ArticleKind.SERVICE: (shape_of(InquiryServiceItemSchema), shape_of(InquiryServiceSchema)),
    ArticleKind.FACILITY: (shape_of(FacilityItemSchema), shape_of(FacilitySchema)),
    ArticleKind.FAQ: (shape_of(FaqItemSchema), shape_of(FaqSchema)),
}
_PATHS = {ArticleKind.SERVICE: "services", ArticleKind.FACILITY: "facilities", ArticleKind.FAQ: "web_faqs"}
_FOUND = shape_of(FoundArticleSchema)
_READS: dict[str, Any] = {
    "reads": InquiryArguments,
    "access": ANYBODY,
    "is_extension": True,
    "headers": ("Content-Language",),
}


@dataclass(frozen=True, slots=True)
class _Action:
    """An action with its address."""

    type: str
    label: str
    url: str


class _Item:
    """An article as Inquiry v1 shows it. All attributes that are not defined here are those of the article."""

    def __init__(self, call: Call, article: Article, languages: Languages) -> None:
        self._call, self._article, self._languages = call, article, languages

    def __getattr__(self, name: str) -> Any:
        return getattr(self._article, name)

    @property
    def expiration(self) -> datetime:
        """The midnight at which the article expires."""
        return expiration(self._article, self._call.city)

    @property
    def url(self) -> str:
        """The address of the article's page."""
        return f"{_pages(self._call)}answers/{quote(self._article.id)}"

    @property
    def web_actions(self) -> list[_Action]:
        """The actions. One that leads to a form has the address of the form."""
        return [_Action(one.type, one.label, self._address(one)) for one in self._article.actions]

    @property
    def services(self) -> list[_Item]:
        """The related services that have not expired."""
        found = related_to(self._call.city, self._article, self._call.now, self._languages)
        return [_Item(self._call, one, self._languages) for one in found]

    @property
    def lat(self) -> float | None:
        """Latitude in degrees; None if the article has no point."""
        return self._article.point[1] if self._article.point else None

    @property
    def long(self) -> float | None:
        """Longitude in degrees; None if the article has no point."""
        return self._article.point[0] if self._article.point else None

    def _address(self, action: Action) -> str:
        form = f"{_pages(self._call)}report?{urlencode({'service_code': action.service_code})}"
        return form if action.service_code else action.url


class _Found(_Item):
    """An article that a search has found."""

    @property
    def type(self) -> str:
        """The kind of the article."""
        return self._article.kind.value

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the article: its categories, or the type of a facility."""
        return self._article.topics

    @property
    def api_url(self) -> str:
        """The address at which Inquiry v1 shows the article with all its fields."""
        path = f"{INQUIRY.prefix}/{_PATHS[self._article.kind]}/{quote(self._article.id)}.{self._call.output}"
        return f"{self._call.own_address()}{path}?{urlencode({'jurisdiction_id': self._call.city.id})}"


@endpoint(INQUIRY, "/services/<code:topic>", answers=InquiryServiceSchema, **_READS)
def inquiry_services(call: Call, topic: str) -> Answer:
    """List services and information of the city, or show one of them (Inquiry v1).

    The topic is all, web, mobile, finder, a category, or the id of a service.
    """
    return _answer(call, ArticleKind.SERVICE, topic)


@endpoint(INQUIRY, "/facilities/<code:topic>", answers=FacilitySchema, **_READS)
def inquiry_facilities(call: Call, topic: str) -> Answer:
    """List facilities of the city, such as libraries, or show one of them (Inquiry v1).

    The topic is all, web, mobile, finder, a type of facilities, or the id of a facility.
    """
    return _answer(call, ArticleKind.FACILITY, topic)


@endpoint(INQUIRY, "/web_faqs/<code:topic>", answers=FaqSchema, **_READS)
def inquiry_faqs(call: Call, topic: str) -> Answer:
    """List frequently asked questions, or show one with its answer (Inquiry v1).

    The topic is all, web, mobile, finder, a category, or the id of a question.
    """
    return _answer(call, ArticleKind.FAQ, topic)


@endpoint(INQUIRY, "/faqs/<code:topic>", answers=FaqSchema, **_READS)
def inquiry_faqs_at_old_path(call: Call, topic: str) -> Answer:
    """List frequently asked questions at the other path that Inquiry v1 names, `faqs/web`."""
    return _answer(call, ArticleKind.FAQ, topic)


@endpoint(INQUIRY, "/search", answers=FoundArticleSchema, **_READS | {"reads": AnswerSearchArguments})
def search_answers(call: Call) -> Answer:
    """Search services, facilities and FAQs by words, the best first (extension).

    Case, accents and small typing errors do not matter. The search knows the texts in the city's first language and
    in that of the call.
    """
    languages = call.languages
    words, most = call.values["q"], call.values["page_size"]
    found = search_articles(call.platform, call.city, words, call.now, languages, most)
    items = [_Found(call, one, languages) for one in found]
    return _documents(call, _FOUND, items, languages)


def expiration(article: Article, city: Jurisdiction) -> datetime:
    """When an article expires: a midnight in the city's time zone; 2099-12-31 in UTC if it never expires."""
    if article.expires is None:
        return datetime.combine(NEVER, time(), UTC)
    return instant(article.expires, 0, city.zone)


def _answer(call: Call, kind: ArticleKind, topic: str) -> Answer:
    languages = call.languages
    found = find_named(call.city, kind, topic, call.now, languages)
    of_list, of_one = _SHAPES[kind]
    items = [_Item(call, one, languages) for one in found.articles]
    return _documents(call, of_one if found.is_single else of_list, items, languages)


def _documents(call: Call, shape: Shape, items: list[Any], languages: Languages) -> Answer:
    return Answer(
        body=document(shape, shape.plain_list(items), call.output),
        language=content_language(call.city, languages),
        cache_control=kept_until_midnight(call),
    )


def _pages(call: Call) -> str:
    return city_path(call.own_address(), call.city.id)
