"""The form with the filters of the list, the map, the numbers and the outlook. A page's address has all filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from urllib.parse import urlencode

from markupsafe import Markup

from open311.operations.mailing.rules import mails_followers
from open311.plugins import Jurisdiction
from open311.web.calls import Call
from open311.web.languages import in_languages
from open311.web.portal.rendering import Frame, text_lang, translated_texts
from open311.web.surfaces import BASE
from schemas.arguments import means_key
from schemas.texts import Message, tell

P = ParamSpec("P")
T = TypeVar("T")
LABELS: Mapping[str, Message] = {
    "q": tell("Words, or the number of a report"),
    "service_code": tell("Kind of report"),
    "status": tell("Status"),
    "area": tell("Area"),
    "start_date": tell("Reported from"),
    "end_date": tell("Reported until"),
    "has_photo": tell("Photos"),
    "sort": tell("Order"),
    "group_by": tell("Over time, by"),
}
CHOICES: Mapping[str, Mapping[str, Message]] = {
    "status": {"": tell("All"), "open": tell("Open"), "closed": tell("Closed")},
    "has_photo": {"": tell("All"), "true": tell("With a photo"), "false": tell("Without a photo")},
    "sort": {
        "": tell("Newest first"),
        "requested": tell("Oldest first"),
        "-updated": tell("Last change first"),
    },
    "group_by": {"": tell("Months"), "week": tell("Weeks")},
}
"""The choices of a field: value -> text."""
_OF_PAGING = ("page", "cursor", "page_size", "jurisdiction_id", "langcode")
_NO_FILTERS = (*_OF_PAGING, "locale")
_ORDERS = ("sort", "group_by")
_OF_MAIL = ("service_code", "group", "status", "department", "area", "lat", "long", "radius", "bbox")


@dataclass(frozen=True)
class FilterForm:
    """The form of a page, filled in with the filters of the call.

    fields  the filters for which the form has a field. The form sends all other filters unchanged.
    """

    call: Call
    frame: Frame
    fields: tuple[str, ...]

    labels = LABELS
    choices = CHOICES

    def value(self, name: str) -> str:
        """What was sent for a filter."""
        return ",".join(self.call.request.args.getlist(name)).strip()

    @property
    def services(self) -> Mapping[str, str]:
        """Code and name of each service whose requests can be public."""
        return self._kept(_services_of)(self.call.city, self.frame.catalogue_languages)

    def options(self, name: str) -> Markup:
        """The options of the services or the areas. The option that the call has as a filter is selected.

        There may be hundreds of them on each page, so they are rendered once for each language.
        """
        value = self.value(name)
        if name == "area":
            found = self._kept(_area_options)(self.call.city)
        else:
            key = (self.call.city, self.frame.catalogue_languages, self.frame.language)
            found = self._kept(_service_options)(*key)
        option = Markup('<option value="{}"').format(value)
        return found.replace(option, option + Markup(" selected"), 1) if value else found

    def _kept(self, function: Callable[P, T]) -> Callable[P, T]:
        return self.call.platform.process.cached(function, most=64)

    def chosen(self) -> Iterator[Message]:
        """The filters that the reader has chosen, in words."""
        for name in self.fields:
            value = self.value(name)
            if value and name not in _ORDERS:
                yield self._in_words(name, value)

    def _in_words(self, name: str, value: str) -> Message:
        if name == "q":
            return tell("“{words}”", words=value[:60])
        if name == "service_code":
            return tell("{text}", text=", ".join(self.services.get(code, code) for code in value.split(","))[:200])
        if name == "start_date":
            return tell("from {day}", day=value[:10])
        if name == "end_date":
            return tell("until {day}", day=value[:10])
        return CHOICES.get(name, {}).get(value) or tell("{text}", text=value[:60])

    def kept(self) -> Iterator[tuple[str, str]]:
        """The filters without a field in the form."""
        yield from _sent(self.call, *self.fields, *_OF_PAGING)

    def pairs(self) -> list[tuple[str, str]]:
        """The filters of the call, without order and language, for the address of another page."""
        return _sent(self.call, *_NO_FILTERS, *_ORDERS)

    def download(self, suffix: str) -> str:
        """The address of the same list in a format of the API."""
        query = urlencode([("jurisdiction_id", self.call.city.id), *_sent(self.call, *_NO_FILTERS)])
        return f"{self.call.request.root_path}{BASE}/requests.{suffix}?{query}"

    def on_map(self) -> str:
        """The address of the map with the same filters."""
        return _with(self.frame.map(), self.pairs())

    def as_list(self) -> str:
        """The address of the list with the same filters."""
        return _with(self.frame.link("requests"), self.pairs())


def _services_of(city: Jurisdiction, languages: tuple[str, ...]) -> Mapping[str, str]:
    shown = [one for one in city.services if one.is_public]
    return {service.code: service.name for service in in_languages(shown, city, languages)}


def _service_options(city: Jurisdiction, languages: tuple[str, ...], language: str) -> Markup:
    translated = translated_texts(city, languages)
    return Markup("\n").join(
        Markup('<option value="{}"{}>{}</option>').format(code, text_lang(city, translated, language, text), text)
        for code, text in _services_of(city, languages).items()
    )


def _area_options(city: Jurisdiction) -> Markup:
    return Markup("\n").join(Markup('<option value="{}">{}</option>').format(area, area) for area in city.areas)


@dataclass(frozen=True)
class MailForm:
    """The form by which people get mail about the requests of a page. Mail knows fewer filters than lists.

    action   where the form is sent
    pairs    the filters of the page that mail knows too
    others   whether the page has other filters, which mail leaves out
    """

    action: str
    pairs: tuple[tuple[str, str], ...]
    others: bool

    @classmethod
    def of(cls, call: Call, frame: Frame) -> MailForm | None:
        """The form of a list or a map; None if the city sends no such mail."""
        if not mails_followers(call.platform.settings, call.city):
            return None
        sent = _sent(call, *_NO_FILTERS, *_ORDERS)
        known = tuple((name, value) for name, value in sent if name in _OF_MAIL)
        return cls(frame.link("follow"), known, len(known) < len(sent))


def _sent(call: Call, *without: str) -> list[tuple[str, str]]:
    """The parameters of a call that are not empty, without its api_key and without some others."""
    sent = ((name, value) for name, value in call.request.args.items(multi=True) if value.strip())
    return [(name, value) for name, value in sent if name not in without and not means_key(name)]


def _with(address: str, pairs: list[tuple[str, str]]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(pairs)}" if pairs else address
