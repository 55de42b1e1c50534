"""A call and its answer.

The methods accept any wrapper and any name of the root element, because a separate check judges the shape of
bodies.
"""

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

    def __init__(self, expected: str, received: str, call: str = "") -> None:
        super().__init__(f"expected {expected}, received {received}")
        self.expected = expected
        self.received = received
        self.call = call


class UnmetNeedError(Exception):
    """The check cannot be run on this server. The text says what is missing."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to send. `url` is absolute, and `body` has the bytes to send."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        """The call as a report shows it: shortened, and without the key, because people share reports."""
        headers = "".join(
            f" [{name}: {_shown(name, value)}]" for name, value in self.headers if name != "Content-Type"
        )
        body = f" {self.body.decode('utf-8', 'replace')}" if self.body else ""
        return _cut(f"{self.method} {_without_key(self.url)}{headers}{_without_key(body)}")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call. The names of its headers are in lower case.

    content  the body; only the beginning of a body that is longer than the client reads
    unread   why `content` is only the beginning; "" for a whole body
    """

    call: Call
    status: int
    headers: Mapping[str, str]
    content: bytes
    unread: str = ""

    @property
    def body(self) -> bytes:
        """The whole body. Raises UnmetNeedError if it is longer than the client reads."""
        if self.unread:
            raise UnmetNeedError(self.unread)
        return self.content

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def format(self) -> Format:
        """The format in the call's suffix. If the call has no suffix, the format in the content type."""
        path = urlsplit(self.call.url).path.lower()
        if path.endswith(".json"):
            return "json"
        if path.endswith(".xml"):
            return "xml"
        return "json" if "json" in self.content_type else "xml"

    def link(self, relation: str) -> str:
        """The absolute address that `Link` has for a relation; "" if there is none."""
        links = parse_header_links(self.headers.get("link", ""))
        url = next((link["url"] for link in links if link.get("rel") == relation), "")
        return urljoin(self.call.url, url) if url else ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def __str__(self) -> str:
        beginning = self.content[: 4 * _BODY_SHOWN].decode("utf-8", "replace")
        return _cut(f"{self.status} {self.content_type}: {beginning or 'an empty body'}")

    def json(self) -> Any:
        """The body parsed as JSON, including a wrapper if there is one. Raises UnmetNeedError if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise UnmetNeedError(f"{self.call} has no body in JSON") from error

    def document(self) -> Document:
        """The body parsed as XML. Raises UnmetNeedError if it is not XML."""
        try:
            return read(self.body)
        except UnreadableError as error:
            raise UnmetNeedError(f"{self.call} has no body in XML") from error

    def data(self, kind: Kind) -> Plain:
        """The data of the body. A wrong wrapper or root is ignored."""
        if self.format == "json":
            return unwrapped(self.json())
        return self.document().read_as(kind)

    def records(self, kind: Kind) -> list[Record]:
        """The items of a successful list. Raises UnmetNeedError if the answer has no list."""
        data = self.data(kind) if self.succeeded else None
        if isinstance(data, dict):
            data = [data]
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise UnmetNeedError(f"{self.call} has no list; the status is {self.status}")
        return [item for item in data if isinstance(item, dict)]

    def must(self, holds: object, expected: str, received: object = None) -> None:
        """Raise DeviationError unless `holds` is true; `received` describes the answer in the report."""
        if not holds:
            self.fail(expected, str(self) if received is None else _listed(received))

    def must_be(self, *statuses: int) -> Answer:
        """Raise DeviationError unless the status is one of `statuses`."""
        self.must(self.status in statuses, " or ".join(map(str, statuses)))
        return self

    def must_be_xml(self) -> Any:
        """The root element. Raises DeviationError if the body is not XML."""
        try:
            return read(self.body).root
        except UnreadableError as error:
            self.fail("XML", f"{self.status} {self.content_type}: {error}")

    def must_be_json(self) -> Any:
        """The body parsed as JSON, including a wrapper if there is one.

        Raises DeviationError if the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            self.fail("JSON", str(self))

    def must_say(self, *words: str) -> Answer:
        """Raise DeviationError unless the body contains all the words, in any case."""
        missing = [word for word in words if word.lower() not in self.text.lower()]
        self.must(not missing, f"a text that names {' and '.join(missing)}")
        return self

    def fail(self, expected: str, received: str) -> NoReturn:
        raise DeviationError(expected, _cut(received), str(self.call))


def text_of(record: Mapping[str, Plain], name: str) -> str:
    """A member as text; "" if it is absent or null."""
    value = record.get(name)
    return "" if value is None else str(value)


def number_of(record: Mapping[str, Plain], name: str) -> float | None:
    """A member as a number; None if it is not a number."""
    try:
        return float(text_of(record, name))
    except ValueError:
        return None


def errors_in(answer: Answer) -> list[Record]:
    """The errors in a body, even in a wrong wrapper; empty if there are none."""
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
    """The text without real api_keys. Invented keys stay, because a report must show what the check sent."""
    return _KEY.sub(
        lambda found: found["name"] + (found["key"] if found["key"] in (UNKNOWN, "+") else HIDDEN), text
    )


def _listed(received: object) -> str:
    """A received value in words: for a list, its items or "none"."""
    if isinstance(received, list | tuple | set):
        return ", ".join(str(item) or '""' for item in received) or "none"
    return str(received)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _BODY_SHOWN else f"{text[:_BODY_SHOWN]}…"
