"""The pages for citizens in each language: all texts, the direction, and the marks of texts in other languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.plurals import get_plural
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from jurisdictions.demo import jurisdiction as demo
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Datatype,
    ServiceTranslation,
    Translation,
    Value,
)
from open311.translations import languages, translations_in
from open311.web.portal import rendering
from open311.web.portal.rendering import Frame
from schemas.texts import tell
from tests import build
from tests.pages import checked, text_of
from tests.web.test_portal_report import PLACE, Browser

CITY = "/c/city.example/"
TAGS = languages()
NAMES = ["English", "العربية", "Español", "Français", "Kreyòl ayisyen", "简体中文"]
MACHINE = {
    "ar": "هذه الترجمة آلية",
    "es": "la hizo una máquina",
    "fr": "faite par une machine",
    "ht": "yon machin",
    "zh-Hans": "机器翻译",
}


def frame(language: str, city: Any = demo) -> Frame:
    """The frame of a page in a language."""
    return Frame(Request(EnvironBuilder(query_string={"locale": language}).get_environ()), city)


def rendered(source: str, language: str, **values: Any) -> str:
    """The text of a short template, rendered as for a page in this language."""
    return rendering._environment(language).from_string(source).render(**values)


@pytest.mark.parametrize("language", TAGS)
@pytest.mark.parametrize("path", ["", "requests", "numbers", "data", "privacy", "report?service_code=graffiti"])
def test_each_page_is_in_the_language_and_says_who_translated_it(
    client: FlaskClient, path: str, language: str
) -> None:
    answer = client.get(f"{CITY}{path}", headers={"Accept-Language": language})
    document = checked(answer)
    assert (document.get("lang"), answer.headers["Content-Language"]) == (language, language)
    assert document.get("dir") == ("rtl" if language == "ar" else "ltr")
    footer = document.xpath("//footer")[0].text_content()
    assert [tag for tag, text in MACHINE.items() if text in footer] == [language] * (language != "en")
    assert not document.xpath("//main//*[@lang='en']"), "a text is in English"


def test_the_switch_has_the_languages_own_names(client: FlaskClient) -> None:
    for path in (CITY, "/map/city.example"):
        document = checked(client.get(f"{path}?locale=ar"))
        assert [one.text for one in document.xpath("//footer//a[@hreflang]")] == NAMES
    landing = client.get("/?locale=ar", headers={"Accept": "text/html"}).text
    assert 'dir="rtl"' in landing
    assert all(name in landing for name in NAMES)
    assert "/c/city.example/?locale=ar" in landing


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-SG", "zh-Hans"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-Hant-HK", "zh-Hans"),
        ("ar-EG", "ar"),
        ("fr-CA", "fr"),
        ("ht-HT", "ht"),
        ("ko, zh-Hans-CN", "zh-Hans"),
    ],
)
def test_a_regional_variant_gets_the_language(client: FlaskClient, accepted: str, language: str) -> None:
    document = checked(client.get(CITY, headers={"Accept-Language": accepted}))
    assert document.get("lang") == language
    assert not document.xpath("//main//@lang")


@pytest.mark.parametrize("language", [tag for tag in TAGS if tag != "en"])
def test_the_demo_city_is_complete_in_each_language(language: str) -> None:
    translation = demo.translations[language]
    assert translation.emergency_words
    assert set(translation.groups) == {one.group for one in demo.services if one.group}
    for service in demo.services:
        texts = translation.services[service.code]
        for name in ("name", "description", "notice", "keywords"):
            assert bool(getattr(texts, name)) >= bool(getattr(service, name)), f"{service.code}: {name}"
        for attribute in service.attributes:
            found = texts.attributes[attribute.code]
            for name in ("description", "datatype_description"):
                assert bool(getattr(found, name)) >= bool(getattr(attribute, name)), f"{attribute.code}: {name}"
            assert set(found.values) == {value.key for value in attribute.values}, attribute.code


@pytest.mark.parametrize("language", TAGS)
def test_each_language_has_words_for_emergencies_and_tells_the_number(client: FlaskClient, language: str) -> None:
    words = demo.emergency.words if language == "en" else demo.translations[language].emergency_words
    browser = Browser(client).open("potholes", locale=language).press("next", description=f"({words[0]})")
    document = browser.document
    assert document is not None
    (box,) = document.xpath("//div[@id='emergency']")
    assert "112" in box.text_content()
    assert not box.xpath(".//@lang")


def test_the_language_is_kept_through_all_steps(client: FlaskClient) -> None:
    browser = Browser(client).open("potholes", locale="ar")
    document = browser.document
    for go, typed in (("next", {"description": "حفرة عميقة"}), ("next", PLACE), ("send", {})):
        document = browser.press(go, **typed).document
        assert document is not None
        assert (document.get("lang"), document.get("dir")) == ("ar", "rtl")
    assert document is not None
    assert "أُرسل بلاغك" in text_of(document)
    assert all("locale=ar" in link for link in document.xpath("//main//a/@href") if "/c/" in link)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 11, 100])
@pytest.mark.parametrize("language", TAGS)
def test_each_plural_form_can_be_filled_in(language: str, count: int) -> None:
    one, several = "{{ count }} kind of problem fits.", "{{ count }} kinds of problem fit, the best first."
    shown = rendered(
        f"{{% trans count=count %}}{one}{{% pluralize %}}{several}{{% endtrans %}}", language, count=count
    )
    assert "%" not in shown
    translate = translations_in(language).ngettext
    one, several = "%(count)s kind of problem fits.", "%(count)s kinds of problem fit, the best first."
    forms = {translate(one, several, n) for n in range(200)}
    assert len(forms) <= get_plural(language.replace("-", "_")).num_plurals
    if language == "ar":
        assert len(forms) >= 5


def test_a_text_of_ours_that_is_not_translated_is_marked_as_english() -> None:
    source = "<p>{{ text|told }}</p>"
    text = tell("nobody has translated <b>{name}</b> yet", name="<i>")
    shown = rendered(source, "ar", text=text)
    assert shown == '<p><span lang="en" dir="ltr">nobody has translated &lt;b&gt;&lt;i&gt;&lt;/b&gt; yet</span></p>'
    assert "lang" not in rendered(source, "ar", text=tell("Open"))
    assert "lang" not in rendered(source, "ar", text="the name of a department")
    assert "lang" not in rendered(source, "en", text=text)


def test_a_text_of_the_catalogue_that_is_not_translated_is_marked(make_app: Callable[..., Flask]) -> None:
    attribute = Attribute(
        code="WHERE",
        description="Where?",
        datatype=Datatype.SINGLEVALUELIST,
        values=(Value(key="1", name="On a door"),),
    )
    paint = replace(build.HOLE, name="Graffiti", description="On a wall", group="Streets", attributes=(attribute,))
    words = {attribute.code: AttributeTranslation(description="أين؟")}
    arabic = Translation(services={paint.code: ServiceTranslation(name="كتابة", attributes=words)})
    city = build.city(languages=("en", "ar"), services=(paint,), translations={"ar": arabic})
    client = make_app(city).test_client()
    start = checked(client.get("/c/test.example/?locale=ar"))
    (link,) = start.xpath("//ul[@class='services']//a")
    assert (link.text, link.get("lang")) == ("كتابة", None)
    for text in ("On a wall", "Streets"):
        (found,) = start.xpath(f"//main//*[text()='{text}']")
        assert (found.get("lang"), found.get("dir")) == ("en", "ltr")
    form = checked(client.get(f"/c/test.example/report?service_code={paint.code}&locale=ar"))
    (question,) = form.xpath("//main//*[text()='أين؟']")
    assert question.get("lang") is None
    for value in form.xpath("//div[@class='choice']/label"):
        assert value.get("lang") == "en"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "November 30, 2026, 9:05 AM EST | 12,345.6 | 30 hours | 2.5 days | November 2026"),
        ("es", "30 de noviembre de 2026, 9:05 EST | 12.345,6 | 30 horas | 2,5 días | noviembre de 2026"),
        ("fr", "30 novembre 2026, 09:05 EST | 12 345,6 | 30 heures | 2,5 jours | novembre 2026"),
        ("ht", "30 novembre 2026, 09:05 EST | 12 345,6 | 30 heures | 2,5 jours | novembre 2026"),
        ("zh-Hans", "2026年11月30日 09:05 EST | 12,345.6 | 30小时 | 2.5天 | 2026年11月"),
        ("ar", "30 نوفمبر 2026، 9:05 ص EST | 12,345.6 | 30 ساعة | 2.5 يوم | نوفمبر 2026"),
    ],
)
def test_dates_and_numbers_have_the_forms_of_the_language(language: str, expected: str) -> None:
    at = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)
    source = (
        "{{ at|at_time(zone) }} | {{ 12345.6|number }} | {{ 30|duration }} | {{ 60|duration }} | {{ at|month }}"
    )
    shown = rendered(source, language, at=at, zone=ZoneInfo("America/New_York"))
    assert re.sub(r"\s", " ", shown) == expected


def test_a_value_keeps_its_own_direction_in_a_text_from_right_to_left() -> None:
    shown = rendered("{% trans id=id %}Report {{ id }}{% endtrans %}", "ar", id="2026-0000017")
    assert shown == "البلاغ <bdi>2026-0000017</bdi>"
    fault = tell("Please answer: {question}", question="Height?")
    assert rendered("{{ text|told }}", "ar", text=fault) == "يُرجى الإجابة: \u2068Height?\u2069"
    link = translations_in("ar").gettext(
        'Discovery as <a href="%(base)s/discovery.json">JSON</a> and <a href="%(base)s/discovery.xml">XML</a>'
    )
    assert '<a href="%(base)s/discovery.json">' in link
    assert "\u2068" not in rendered("{{ text|told }}", "fr", text=fault)
