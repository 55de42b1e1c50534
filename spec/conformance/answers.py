"""One call and its answer, read with tolerance: one check judges the shape, the others must be able to read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn
from urllib.parse import urljoin, urlsplit

from requests.utils import parse_header_links

from spec.bodies import unwrapped
from spec.documents import Document, UnreadableError, read
from spec.shapes import Kind, Plain

UNKNOWN = "no-such-thing-0"
"""A code, id, key or token that no server has issued."""
HIDDEN = "(the key)"

Format = Literal["xml", "json"]
Record = dict[str, Plain]

_BODY_SHOWN = 300
_KEY = re.compile(r'(?P<name>\bapi_key=|name="api_key".*?\r\n\r\n)(?P<key>[^&\s]+)', re.DOTALL)
_KEY_HEADERS = ("authorization", "x-api-key")


class DeviationError(Exception):
    """The server did not do what the requirement says."""

    def __init__(self, expected: str, came: str, call: str = "") -> None:
        super().__init__(f"expected {expected}, came {came}")
        self.expected = expected
        self.came = came
        self.call = call


class UnmetNeedError(Exception):
    """The check cannot be made here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent. `url` is complete, `headers` are pairs, `body` is as on the wire."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        """As a report shows it: cut short, and without the key, because reports are passed on."""
        headers = "".join(
            f" [{name}: {_shown(name, value)}]" for name, value in self.headers if name != "Content-Type"
        )
        body = f" {self.body.decode('utf-8', 'replace')}" if self.body else ""
        return _cut(f"{self.method} {_without_key(self.url)}{headers}{_without_key(body)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    call: Call
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def format(self) -> Format:
        """By the suffix asked for; without one, by the content type."""
        path = urlsplit(self.call.url).path.lower()
        if path.endswith(".json"):
            return "json"
        if path.endswith(".xml"):
            return "xml"
        return "json" if "json" in self.content_type else "xml"

    def link(self, relation: str) -> str:
        """The address that `Link` gives for a relation, complete; "" for none."""
        links = parse_header_links(self.headers.get("link", ""))
        found = next((link["url"] for link in links if link.get("rel") == relation), "")
        return urljoin(self.call.url, found) if found else ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def __str__(self) -> str:
        return _cut(f"{self.status} {self.content_type}: {self.text or 'an empty body'}")

    def json(self) -> Any:
        """The body as JSON, as sent. Raises UnmetNeedError when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnmetNeedError(f"{self.call} gave no JSON") from error

    def document(self) -> Document:
        """The body as XML. Raises UnmetNeedError when it is none."""
        try:
            return read(self.body)
        except UnreadableError as error:
            raise UnmetNeedError(f"{self.call} gave no XML") from error

    def data(self, kind: Kind) -> Plain:
        """The data of the body. Wrong wrappers and roots are ignored."""
        if self.format == "json":
            return unwrapped(self.json())
        return self.document().read_as(kind)

    def records(self, kind: Kind) -> list[Record]:
        """The items of a successful list. Raises UnmetNeedError when there is no list to read."""
        data = self.data(kind) if self.succeeded else None
        if isinstance(data, dict):
            data = [data]
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise UnmetNeedError(f"{self.call} gave no list: {self.status}")
        return [item for item in data if isinstance(item, dict)]

    def must(self, holds: object, expected: str, came: object = None) -> None:
        """Raises DeviationError unless `holds`; `came` is what the answer has instead."""
        if not holds:
            self.fail(expected, str(self) if came is None else _listed(came))

    def must_be(self, *statuses: int) -> Answer:
        """Raises DeviationError unless the status is one of these."""
        self.must(self.status in statuses, " or ".join(map(str, statuses)))
        return self

    def must_be_xml(self) -> Any:
        """The root element. Raises DeviationError when the body is no XML."""
        try:
            return read(self.body).root
        except UnreadableError as error:
            self.fail("XML", f"{self.status} {self.content_type}: {error}")

    def must_be_json(self) -> Any:
        """The data, as sent. Raises DeviationError when the body is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            self.fail("JSON", str(self))

    def must_say(self, *words: str) -> Answer:
        """Raises DeviationError unless the body names all the words, in any case."""
        missing = [word for word in words if word.lower() not in self.text.lower()]
        self.must(not missing, f"a text that names {' and '.join(missing)}")
        return self

    def fail(self, expected: str, came: str) -> NoReturn:
        raise DeviationError(expected, _cut(came), str(self.call))


def text_of(record: Mapping[str, Plain], name: str) -> str:
    """A member as text: "" when absent or null."""
    value = record.get(name)
    return "" if value is None else str(value)


def number_of(record: Mapping[str, Plain], name: str) -> float | None:
    """A member as a number; None when it is none."""
    try:
        return float(text_of(record, name))
    except ValueError:
        return None


def errors_in(answer: Answer) -> list[Record]:
    """The errors in a body, even in a wrong wrapper; none when there are none to read."""
    try:
        data = answer.data("errors")
    except UnmetNeedError:
        return []
    items = data if isinstance(data, list) else [data]
    return [item for item in items if isinstance(item, dict) and "description" in item]


def ids_of(records: Iterable[Mapping[str, Plain]]) -> list[str]:
    return [text_of(record, "service_request_id") for record in records]


def _shown(header: str, value: str) -> str:
    return HIDDEN if header.lower() in _KEY_HEADERS else value


def _without_key(text: str) -> str:
    """The text without real api_keys. Invented keys stay: the call tests what happens with them."""
    return _KEY.sub(
        lambda found: found["name"] + (found["key"] if found["key"] in (UNKNOWN, "+") else HIDDEN), text
    )


def _listed(came: object) -> str:
    """What came, in words: the items of a list, or none."""
    if isinstance(came, list | tuple | set):
        return ", ".join(str(item) or '""' for item in came) or "none"
    return str(came)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _BODY_SHOWN else f"{text[:_BODY_SHOWN]}…"
