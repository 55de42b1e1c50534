"""Renders pages of the portal. It needs no application context, so that middleware can answer with a page too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from math import floor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import segno
from babel import Locale
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_datetime_format,
    get_timezone_gmt,
)
from babel.numbers import format_decimal, format_percent, get_group_symbol
from babel.units import format_unit
from flask import Response
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from werkzeug.wrappers import Request

from open311 import __version__
from open311.domain.services import texts_of
from open311.errors import Problem
from open311.operations.media.choosing import in_units
from open311.plugins import Jurisdiction
from open311.translations import (
    ENGLISH,
    has_text,
    in_language,
    is_from_right,
    is_machine_made,
    languages,
    translations_in,
)
from open311.web.calls import Answer, Call, PageFormat
from open311.web.languages import caller_language, wanted_languages
from open311.web.surfaces import CITIES, DESK, LOCALE, MAP_PAGE, PORTAL, SIGN_IN, SURFACE
from schemas.arguments import means_key

_CITIZENS, _STAFF = (Path(__file__).parent / name for name in ("citizens", "staff"))
STYLE, PLACE_SCRIPT, SEND_SCRIPT, MAP_SCRIPT = "style.css", "place.js", "send.js", "map.js"
DESK_STYLE, DESK_SCRIPT = "desk.css", "desk.js"
LIBRARY, LIBRARY_STYLE = "maplibre-gl.js", "maplibre-gl.css"
"""Files of MapLibre GL JS, in the package maplibre."""
A_YEAR_S = 31_536_000
"""The address of a file has a digest of its content, so browsers can keep the file for a year."""
_LEAST_DAYS_HOURS = 48
"""From this many hours on, a duration is told in days."""
_KEPT_IN_SWITCH = 4_000
"""A query with more characters than this is left out of the links to other languages, so that no page repeats it
for each language."""

_OTHER_FORMS = {"ht": "fr"}
"""Languages whose dates and numbers CLDR does not have, and the language whose forms their readers know."""
_NAMES = {
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "ht": "Kreyòl ayisyen",
    "ar": "العربية",
    "zh-Hans": "简体中文",
}
"""The names of our languages. They are written here, because to take them from CLDR, a page would have to read the
data of each language. The names of further languages come from CLDR."""


@dataclass(frozen=True)
class Frame:
    """What all pages have in common: the reader's language, the city, and the addresses of other pages.

    city  None for an error outside of any city
    """

    request: Request
    city: Jurisdiction | None = None

    @cached_property
    def language(self) -> str:
        """The BCP 47 tag of the language of our own texts."""
        return caller_language(self.request, self.languages)

    @property
    def languages(self) -> Sequence[str]:
        """The languages in which the page can be shown, English first."""
        return languages()

    @property
    def direction(self) -> str:
        """The direction in which the language is written: ltr or rtl."""
        return direction_of(self.language)

    @property
    def is_machine_made(self) -> bool:
        """Whether no person has read the translations into the language yet."""
        return is_machine_made(self.language)

    @property
    def thousands_separator(self) -> str:
        """The character between thousands in the language, such as a comma."""
        return get_group_symbol(formats_of(self.language))

    @cached_property
    def catalogue_languages(self) -> tuple[str, ...]:
        """The languages in which to look up the texts of the city's catalogue, the preferred one first."""
        return wanted_languages(self.request, self.city, self.locale) if self.city else ()

    @cached_property
    def _translated(self) -> Mapping[str, frozenset[str]]:
        assert self.city is not None
        return translated_texts(self.city, self.catalogue_languages)

    def text_lang(self, text: str) -> Markup:
        """The attributes of an element with a text of the city's catalogue; none if it is in the page's language.

        Each text has its own language, because a catalogue need not have all texts in each language.
        """
        assert self.city is not None
        return text_lang(self.city, self._translated, self.language, text)

    def lang(self, tag: str) -> Markup:
        """The attributes lang and dir of an element in a language; none for the language of the page."""
        return _lang_beside(tag, self.language)

    @cached_property
    def locale(self) -> str:
        """The language that the reader has chosen by a link; "" if the browser chooses."""
        sent = self.request.environ.get(LOCALE) or self.request.args.get("locale") or ""
        return self.language if sent.strip() else ""

    @property
    def software(self) -> str:
        """Name and release of this server."""
        return f"open311-server {__version__}"

    def file(self, name: str) -> str:
        """The address of a style sheet or a script, which changes with its content."""
        surface = DESK if name in (DESK_STYLE, DESK_SCRIPT) else PORTAL
        return f"{self.request.root_path}{surface.prefix}/{name}?v={digest_of(name)}"

    def choices(self) -> list[tuple[str, str, str]]:
        """The languages of our texts: tag, own name, and the address of this page in the language."""
        return [(tag, name_of(tag), self._in(tag)) for tag in self.languages]

    def link(self, path: str = "", **query: str) -> str:
        """The address of a page of the city, in the language that the reader has chosen."""
        pairs = {name: value for name, value in query.items() if value} | (
            {"locale": self.locale} if self.locale else {}
        )
        assert self.city is not None
        address = city_path(self.request.root_path, self.city.id) + path
        return f"{address}?{urlencode(pairs)}" if pairs else address

    def of_request(self, service_request_id: str) -> str:
        """The address of the page of a request."""
        return self.link(f"requests/{quote(service_request_id, safe='')}")

    def own(self, path: str) -> str:
        """The address of the page of a reporter's own request, from its path."""
        return f"{self.request.root_path}{path}" + (f"?{urlencode({'locale': self.locale})}" if self.locale else "")

    def map(self, **query: str) -> str:
        """The address of the map of the city."""
        assert self.city is not None
        pairs = query | ({"locale": self.locale} if self.locale else {})
        address = f"{self.request.root_path}{MAP_PAGE.prefix}/{quote(self.city.id, safe='')}"
        return f"{address}?{urlencode(pairs)}" if pairs else address

    def api(self, path: str, **query: str) -> str:
        """The address of a call of the API for the city."""
        assert self.city is not None
        pairs = {"jurisdiction_id": self.city.id} | {name: value for name, value in query.items() if value}
        return f"{self.request.root_path}{path}?{urlencode(pairs)}"

    def _in(self, tag: str) -> str:
        raw = self.request.query_string
        sent = self.request.args.items(multi=True) if len(raw) <= _KEPT_IN_SWITCH else ()
        kept = ((name, value) for name, value in sent if name not in ("locale", "langcode"))
        pairs = [(name, value) for name, value in kept if not means_key(name)]
        return f"{quote(self.request.root_path + self.request.path)}?{urlencode([*pairs, ('locale', tag)])}"


@lru_cache(maxsize=512)
def qr_code(address: str) -> Markup:
    """A picture of an address that phones can read from paper, as SVG.

    The mask is fixed, because trying all eight masks takes 12 ms instead of 4, and phones can read every mask.
    """
    code = segno.make(address, micro=False, error="m", boost_error=False, mask=2)
    return Markup(code.svg_inline(scale=3, dark="#000", light="#fff"))  # noqa: S704  # made of lines only


def city_path(root_path: str, city_id: str) -> str:
    """The path of a city's first page."""
    return f"{root_path}{PORTAL.prefix}/{quote(city_id, safe='')}/"


def translated_texts(city: Jurisdiction, languages: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The translated texts of a city's catalogue, by language, the preferred language first."""
    translations = city.translations
    return {tag: frozenset(texts_of(translations[tag])) for tag in languages if tag in translations}


def text_lang(city: Jurisdiction, translated: Mapping[str, frozenset[str]], language: str, text: str) -> Markup:
    """The attributes of an element with a text of a city's catalogue, on a page in a language.

    translated  the result of `translated_texts`
    """
    found = (tag for tag, texts in translated.items() if text in texts)
    return _lang_beside(next(found, city.languages[0]), language) if text else Markup("")


def _lang_beside(tag: str, language: str) -> Markup:
    return Markup("") if tag in ("", language) else _lang(tag)


@cache
def _lang(tag: str) -> Markup:
    return Markup(' lang="{}" dir="{}"').format(tag, direction_of(tag))


@cache
def direction_of(language: str) -> str:
    """The direction in which a language is written: ltr or rtl."""
    return "rtl" if is_from_right(language) else "ltr"


@cache
def formats_of(language: str) -> Locale:
    """The locale that has the forms of dates and numbers of a language."""
    return Locale.parse(_OTHER_FORMS.get(language, language), sep="-")


@cache
def name_of(language: str) -> str:
    """The name of a language in the language itself."""
    return _NAMES.get(language) or str(Locale.parse(language, sep="-").get_display_name()).capitalize()


@cache
def digest_of(name: str) -> str:
    """A digest of a static file."""
    return blake2b((folder_of(name) / name).read_bytes(), digest_size=6).hexdigest()


@cache
def folder_of(name: str) -> Path:
    """The folder of a static file. The package maplibre is not imported, because only its files are needed."""
    if name in (DESK_STYLE, DESK_SCRIPT):
        return _STAFF / "static"
    if name not in (LIBRARY, LIBRARY_STYLE):
        return _CITIZENS / "static"
    found = find_spec("maplibre")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "srcjs"


def page(
    call: Call,
    template: str,
    *,
    status: int = 200,
    cache_control: str = "no-cache",
    has_tag: bool = True,
    headers: Sequence[tuple[str, str]] = (),
    **values: Any,
) -> Answer:
    """A page of the call's city."""
    frame = Frame(call.request, call.named_city)
    return Answer(
        body=render(template, frame, values).encode(),
        status=status,
        language=frame.language,
        cache_control=cache_control,
        has_tag=has_tag,
        headers=tuple(headers),
    )


def see_other(address: str, *headers: tuple[str, str]) -> Answer:
    """An answer to a form that leads the browser to a page. Nothing is sent again when that page is reloaded.

    headers  more headers, such as a cookie
    """
    location = ("Location", address)
    return Answer(body=b"", status=303, cache_control="no-store", has_tag=False, headers=(location, *headers))


def error_page(problems: Sequence[Problem], status: int, request: Request) -> Response:
    """An error as a page. The texts of the problems are in the reader's language."""
    frame = Frame(request, city_of(request))
    values = {"problems": problems, "status": status, "back": _way_back(request)}
    template = "desk/error.html" if request.environ[SURFACE] in (DESK, SIGN_IN) else "error.html"
    response = Response(render(template, frame, values), status)
    response.content_type = PageFormat.HTML.media_type
    response.headers["Cache-Control"] = "no-store"
    return response


def city_of(request: Request) -> Jurisdiction | None:
    """The city that the path of a page names; None if there is no such city."""
    prefix = request.environ[SURFACE].prefix
    rest = request.path.removeprefix(f"{prefix}/")
    cities: Iterable[Jurisdiction] = request.environ.get(CITIES, ())
    return next((one for one in cities if rest == one.id or rest.startswith(f"{one.id}/")), None)


def _way_back(request: Request) -> str:
    """The address of the form that was sent, if its address has what was typed; else ""."""
    is_form = request.method == "POST" and request.args.get("kept")
    return request.root_path + request.full_path if is_form else ""


def render(template: str, frame: Frame, values: Mapping[str, Any]) -> str:
    """The HTML of a template."""
    return _environment(frame.language).get_template(template).render(frame=frame, city=frame.city, **values)


class _CompiledOnce(BytecodeCache):
    """The compiled templates of this process. The environments of all languages share them."""

    def __init__(self) -> None:
        self._codes: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template the code that another environment has compiled."""
        bucket.code = self._codes.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        self._codes[bucket.key] = bucket.code


_COMPILED = _CompiledOnce()


def prepare_pages() -> None:
    """Compile the templates for citizens, so that the forks of this process share them."""
    made = _environment(ENGLISH)
    for template in sorted((_CITIZENS / "templates").glob("*.html")):
        made.get_template(template.name)


@cache
def _environment(language: str) -> Environment:
    """The templates with texts, dates and numbers in a language."""
    made = Environment(
        loader=FileSystemLoader([_CITIZENS / "templates", _STAFF / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        bytecode_cache=_COMPILED,
        # The optimizer runs filters on constants at compile time. The languages share the compiled code, so all of
        # them would get the results for one language.
        optimized=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    found = translations_in(language)
    made.install_gettext_callables(found.gettext, found.ngettext, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    locale = formats_of(language)
    day_and_time = str(get_datetime_format("long", locale=locale)).replace("'", "")

    def told(text: str) -> str:
        """The text in the language. English, marked as such, if the language lacks it."""
        shown = in_language(text, language)
        return shown if has_text(text, language) else Markup("<span{}>{}</span>").format(_lang(ENGLISH), shown)

    @lru_cache(maxsize=1_024)
    def day(on: date) -> str:
        return format_date(on, "long", locale=locale)

    def on_day(at: datetime, zone: tzinfo) -> str:
        return day(at.astimezone(zone).date())

    def whole_day(day: date) -> str:
        return format_date(day, "full", locale=locale)

    def at_time(at: datetime, zone: tzinfo) -> str:
        there = at.astimezone(zone)
        name = there.tzname() or ""
        if not name.isalpha():  # the zone has no name
            name = get_timezone_gmt(there, width="long", locale=locale)
        time = f"{format_time(at, 'short', tzinfo=zone, locale=locale)} {name}"
        return day_and_time.replace("{0}", time).replace("{1}", on_day(at, zone))

    def instant(text: str) -> datetime:
        return datetime.fromisoformat(text)

    @lru_cache(maxsize=4_096)
    def number(value: float) -> str:
        return format_decimal(value, locale=locale)

    def size(size_bytes: int) -> str:
        return in_units(size_bytes, floor)

    def in_mail(values: Mapping[str, str]) -> str:
        return urlencode(values, quote_via=quote)

    def in_path(text: str) -> str:
        return quote(text, safe="")

    def month(at: datetime) -> str:
        return format_skeleton("yMMMM", at, locale=locale)

    def short_month(at: datetime) -> str:
        return format_skeleton("yMMM", at, locale=locale)

    def short_day(at: datetime) -> str:
        return format_skeleton("MMMd", at, locale=locale)

    def to_the_second(at: datetime, zone: tzinfo) -> str:
        time = format_time(at, "medium", tzinfo=zone, locale=locale)
        return f"{on_day(at, zone)}, {time}"

    @lru_cache(maxsize=256)
    def percent(value: float) -> str:
        return format_percent(value, locale=locale)

    @lru_cache(maxsize=2_048)
    def duration(hours: int) -> str:
        """Hours below two days, otherwise days with one decimal."""
        if hours < _LEAST_DAYS_HOURS:
            return format_unit(hours, "duration-hour", locale=locale)
        return format_unit(round(hours / 24, 1), "duration-day", locale=locale)

    def days(number: int) -> str:
        return format_unit(number, "duration-day", locale=locale)

    made.filters |= {
        "days": days,
        "size": size,
        "month": month,
        "short_month": short_month,
        "short_day": short_day,
        "to_the_second": to_the_second,
        "percent": percent,
        "duration": duration,
        "in_mail": in_mail,
        "in_path": in_path,
        "instant": instant,
        "told": told,
        "on_day": on_day,
        "whole_day": whole_day,
        "at_time": at_time,
        "number": number,
    }
    return made
