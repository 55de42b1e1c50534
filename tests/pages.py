"""Checks of HTML pages: valid, usable with a keyboard and a screen reader, small, and without files of others."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import html5lib
from lxml import html
from lxml.html import HtmlElement
from werkzeug.test import TestResponse

MOST_BYTES = 100_000
_FIELDS = "//input[not(@type='hidden' or @type='image')] | //select | //textarea"


def checked(answer: TestResponse, status: int = 200) -> HtmlElement:
    """The document of a page. Fails if the page breaks a rule that every page keeps."""
    assert answer.status_code == status, answer.text[:2_000]
    assert answer.content_type == "text/html; charset=utf-8"
    assert len(answer.data) < MOST_BYTES
    html5lib.HTMLParser(strict=True).parse(answer.text)
    document = html.fromstring(answer.text)
    assert document.get("lang")
    assert document.get("dir") in ("ltr", "rtl")
    assert document.findtext(".//title")
    _check_structure(document)
    _check_fields(document)
    _check_sources(document)
    return document


def _check_structure(document: HtmlElement) -> None:
    ids = Counter(str(one) for one in document.xpath("//@id"))
    assert not [name for name, count in ids.items() if count > 1], "an id is on the page twice"
    assert len(document.xpath("//h1")) == 1
    levels = [int(one.tag[1]) for one in document.xpath("//h1 | //h2 | //h3")]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels)), levels
    assert document.xpath("//a[@class='skip']/@href") == ["#main"]
    assert len(document.xpath("//main[@id='main']")) == 1
    for name in document.xpath("//@aria-describedby | //@aria-labelledby | //label/@for"):
        assert all(one in ids for one in str(name).split()), f"nothing has the id {name}"
    for link in document.xpath("//a"):
        assert link.text_content().strip() or link.xpath(".//img/@alt"), "a link has no text"
    assert not document.xpath("//img[not(@alt)] | //input[@type='image'][not(@alt)]")


def _check_fields(document: HtmlElement) -> None:
    labelled = set(document.xpath("//label/@for"))
    for field in document.xpath(_FIELDS):
        assert field.get("id") in labelled, f"the field {field.get('name')} has no label"
    for group in document.xpath("//fieldset"):
        assert group.xpath("./legend"), "a fieldset has no legend"
    for button in document.xpath("//button"):
        assert button.text_content().strip()


def _check_sources(document: HtmlElement) -> None:
    sources = [str(one) for one in document.xpath("//link[@rel='stylesheet']/@href | //script/@src | //img/@src")]
    sources += [str(one) for one in document.xpath("//input/@src | //form/@action")]
    assert not [source for source in sources if re.match(r"(?:[a-z]+:)?//", source)], sources
    assert not document.xpath("//script[not(@src)] | //style | //@style"), "the content policy forbids it"
    assert not [name for name in document.xpath("//@*") if getattr(name, "attrname", "").startswith("on")]


def text_of(document: HtmlElement) -> str:
    """The text of a page's main part, with single blanks."""
    return " ".join(" ".join(document.xpath("//main")[0].itertext()).split())
