"""Articles of a city: `answers/NAME.md`, and `answers/LANGUAGE/NAME.md` with the texts in other languages.

A file has TOML between two lines `+++`, and then Markdown. A file with a fault is left out; the city is served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import Any

from marshmallow import ValidationError, validates_schema

from open311.domain.articles import (
    RESERVED,
    Action,
    ActionType,
    Article,
    ArticleKind,
    ArticleTexts,
    Promotion,
)
from open311.formats.markdown import MarkdownError, read_markdown
from open311.plugins.declared.files import File
from open311.plugins.declared.keys import Choice, Chosen, Key, Table, Tables, Text, Texts, cut
from open311.plugins.declared.times import OneDay
from open311.plugins.interface import Jurisdiction

FOLDER = "answers"
MAX_ARTICLE_MIB = 1
_FENCE = "+++"
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS = re.compile(r"(https?://|mailto:|tel:)\S+")


class WebAddress(Text):
    """A web address, or one for mail or phone."""

    kind = "a web address"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The address, if it begins with a known scheme and has no blanks."""
        text = super().deserialize(value, attr, data, **kwargs)
        if text and not _ADDRESS.fullmatch(text):
            raise ValidationError(f"must begin with https://, http://, mailto: or tel:, not {cut(text)!r}.")
        return text


class Degrees(Key):
    """Decimal degrees."""

    kind = "a number of degrees"

    def __init__(self, meaning: str, *, most: int) -> None:
        super().__init__(meaning, default=None, unset="none")
        self.most = most

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.misfit(value)
        if not -self.most <= value <= self.most:
            raise ValidationError(f"must be -{self.most} to {self.most}, not {value}.")
        return float(value)


class Words(Text):
    """A text that is not empty."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The text without blanks around it."""
        text = super().deserialize(value, attr, data, **kwargs).strip()
        if not text:
            raise ValidationError("is empty; readers would see nothing.")
        return text


class ActionTable(Table):
    """What a reader can do next."""

    makes, header, noun, known_by = Action, "[[actions]]", "action", "label"

    label = Words("What the reader reads, such as `Order a larger bin`")
    type = Choice(ActionType, "The type of Inquiry v1", default=ActionType.LINK)
    url = WebAddress("The address; without it and `service_code`, the label is a plain text", default="")
    service_code = Text("Code of a service: the action leads to its form. Not together with `url`", default="")

    def _load_fast(self, table: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        raise KeyError("label")  # the caller then uses `load`, because only `load` runs `_check`

    @validates_schema
    def _check(self, table: dict[str, Any], **_: object) -> None:
        if table["url"] and table["service_code"]:
            raise ValidationError({"url": ["cannot be combined with service_code; leave out one of them."]})


class ArticleTable(Table):
    """The keys of an article."""

    header = "answers/*.md"

    kind = Choice(ArticleKind, "What it is about: a service, a facility, or a question that is often asked")
    # marshmallow takes the field out of the class, so the method of Table stays
    title = Words("The question, or the name of the service or the facility")  # type: ignore[assignment]
    summary = Text("One sentence for lists", default="")
    categories = Texts("Its topics in your words, such as `Rubbish`; pages group articles by the first", default=())
    keywords = Texts("Other words that people search for", default=())
    expires = OneDay(
        "The first day on which it is not shown any more, such as `2027-01-10`",
        default=None,
        unset="it does not expire",
    )
    promoted = Chosen(
        Promotion,
        "The named lists of Inquiry v1 in which it is shown; `web` is for what is asked most",
        default=(),
        unset="none",
    )
    actions = Tables(ActionTable(), "What a reader can do next, see below")
    related = Texts("Articles about services that belong to it: names of their files without `.md`", default=())
    credit = Text("Where its facts come from, if not from the city itself", default="")
    type = Text("The type of a facility, such as `Library`", default="")
    features = Texts("What a facility has, such as `Playground`", default=())
    address = Text("The street address of a facility", default="")
    address_note = Text("How to find it", default="")
    borough = Text("The part of the city", default="")
    city = Text("The city of the address", default="")
    state = Text("The state of the address", default="")
    zipcode = Text("The postal code of the address", default="")
    hours = Text("When it is open, in words", default="")
    lat = Degrees("Latitude, WGS 84", most=90)
    long = Degrees("Longitude, WGS 84", most=180)
    eligibility = Text("Who can use it", default="")

    def _load_fast(self, table: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        raise KeyError("kind")  # the caller then uses `load`, because only `load` runs `_check`

    @validates_schema
    def _check(self, table: dict[str, Any], **_: object) -> None:
        is_facility = table["kind"] is ArticleKind.FACILITY
        if is_facility and not table["type"]:
            raise ValidationError({"type": ["is missing; a facility needs one, such as Library."]})
        if is_facility and table["categories"]:
            raise ValidationError({"categories": ["belong to services and questions; a facility has a type."]})
        if not is_facility and not table["categories"]:
            raise ValidationError({"categories": ['are missing; write categories = ["…"].']})
        if (table["lat"] is None) != (table["long"] is None):
            raise ValidationError({"lat": ["and long belong together; write both or none."]})


class ArticleTextsTable(Table):
    """The keys of an article's texts in another language."""

    header = "answers/LANGUAGE/*.md"

    title = Text("The title", default="", unset="the article's")  # type: ignore[assignment]  # as above
    summary = Text("One sentence for lists", default="", unset="the article's")
    keywords = Texts("Other words that people search for", default=(), unset="the article's")
    labels = Texts("The labels of the actions, in their order", default=(), unset="the article's")
    features = Texts("What a facility has", default=(), unset="the article's")
    address_note = Text("How to find it", default="", unset="the article's")
    hours = Text("When it is open", default="", unset="the article's")
    eligibility = Text("Who can use it", default="", unset="the article's")


ARTICLE, ARTICLE_TEXTS = ArticleTable(), ArticleTextsTable()


def with_articles(city: Jurisdiction, folder: Traversable) -> Jurisdiction:
    """The city with the articles of its folder. The faults of files that are left out are added to `left_out`."""
    inner, left_out = folder / FOLDER, list[str]()
    if not inner.is_dir():
        return city
    names = dict(_files(inner))
    known, found = {service.code for service in city.services}, dict[str, Article]()
    for name, path in names.items():
        file = File(path, f"{folder.name}/{FOLDER}/{name}.md", left_out, MAX_ARTICLE_MIB)
        article = _article(file, name, city.languages[0])
        if article is not None and _fits(file, article, known):
            found[name] = article
    _leave_out_clashes(folder, found, left_out)
    for language in sorted(path.name for path in inner.iterdir() if path.is_dir() and path.name != "__pycache__"):
        where = f"{folder.name}/{FOLDER}/{language}"
        if language not in city.languages:
            left_out.append(f"{where}: is no language of the city; see languages in jurisdiction.toml.")
            continue
        for name, path in _files(inner / language):
            file = File(path, f"{where}/{name}.md", left_out, MAX_ARTICLE_MIB)
            if name not in names:
                file.report(f"translates {FOLDER}/{name}.md, which does not exist; rename this file, or delete it.")
            elif name in found and (texts := _texts(file, found[name])) is not None:
                found[name] = replace(found[name], translations={**found[name].translations, language: texts})
    return replace(city, articles=tuple(found.values()), left_out=(*city.left_out, *left_out))


def _files(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    """The Markdown files of a folder, by their names without suffix."""
    paths = [path for path in folder.iterdir() if path.name.endswith(".md") and path.is_file()]
    for path in sorted(paths, key=lambda path: path.name):
        yield path.name.removesuffix(".md"), path


def _parts(file: File, table: Table) -> tuple[dict[str, Any], Any] | None:
    """The keys of a file, and its body as HTML and plain text; None after a fault."""
    text = file.text()
    if text is None:
        return None
    lines = text.replace("\r\n", "\n").split("\n")
    fences = [number for number, line in enumerate(lines) if line.strip() == _FENCE][:2]
    if len(fences) < 2 or fences[0] != 0:
        File(file.path, f"{file.where}:1", file.faults).report(
            f"must begin with keys in TOML between two lines {_FENCE}, and then have the text in Markdown."
        )
        return None
    # The fence becomes an empty line, so that the lines of the TOML have the numbers of the file.
    keys = file.toml_with_lines(table, "\n".join(["", *lines[1 : fences[1]]]))
    if keys is None:
        return None
    try:
        return keys, read_markdown("\n".join(lines[fences[1] + 1 :]))
    except MarkdownError as error:
        line = fences[1] + 1 + error.line
        File(file.path, f"{file.where}:{line}", file.faults).report(str(error))
        return None


def _article(file: File, name: str, language: str) -> Article | None:
    if not _ID.fullmatch(name) or name in RESERVED:
        file.report(
            f"its name becomes the id; it must have a-z, 0-9 and hyphens, and be none of {', '.join(RESERVED)}."
        )
        return None
    parts = _parts(file, ARTICLE)
    if parts is None:
        return None
    keys, body = parts
    if not body.plain:
        file.report("has no text after the keys.")
        return None
    lat, long = keys.pop("lat"), keys.pop("long")
    return Article(
        id=name,
        language=language,
        html=body.html,
        plain=body.plain,
        point=None if lat is None else (long, lat),
        **keys,
    )


def _texts(file: File, article: Article) -> ArticleTexts | None:
    parts = _parts(file, ARTICLE_TEXTS)
    if parts is None:
        return None
    keys, body = parts
    for key, own in (("labels", article.actions), ("features", article.features)):
        if keys[key] and len(keys[key]) != len(own):
            file.report(f"{key} must be {len(own)}, as in the article, not {len(keys[key])}.")
            return None
    return ArticleTexts(html=body.html, plain=body.plain, **keys)


def _fits(file: File, article: Article, services: set[str]) -> bool:
    """Whether all services to which the article leads exist. Reports a fault."""
    unknown = [one.service_code for one in article.actions if one.service_code not in {"", *services}]
    for code in unknown:
        file.report(f"leads to the service {cut(code)!r}, which the city does not have; correct service_code.")
    return not unknown


def _leave_out_clashes(folder: Traversable, found: dict[str, Article], left_out: list[str]) -> None:
    """Leave out articles with a topic that is a reserved word or an id, or with an unknown related article."""
    ids: Mapping[ArticleKind, set[str]] = {
        kind: {one.id for one in found.values() if one.kind is kind} for kind in ArticleKind
    }
    for name, article in list(found.items()):
        where = f"{folder.name}/{FOLDER}/{name}.md"
        for topic in article.topics:
            if topic in RESERVED or topic in ids[article.kind]:
                is_taken = "is a reserved word or the name of an article; choose another one."
                left_out.append(f"{where}: the topic {cut(topic)!r} {is_taken}")
                found.pop(name, None)
        for one in article.related:
            if one not in ids[ArticleKind.SERVICE]:
                left_out.append(f"{where}: related has {cut(one)!r}, which is no article about a service.")
                found.pop(name, None)
