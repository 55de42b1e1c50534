"""The probe that each check gets: the server under test, with a method for each call of the standard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from spec.conformance.answers import Answer, Call, Format, Record, UnmetNeedError, text_of
from spec.conformance.client import Client
from spec.conformance.preparation import Endpoint, Preparation

T = TypeVar("T")
Pairs = Sequence[tuple[str, str]]

FORM = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Target:
    """The server under test.

    base_url       the address of services.xml without /services.xml
    discovery_url  the address of discovery.xml without /discovery.xml; "" to search for the address
    writes         whether the checks may send new requests
    thorough       whether to call in both formats even if one format is enough
    """

    base_url: str
    discovery_url: str = ""
    jurisdiction_id: str = ""
    api_key: str = ""
    writes: bool = False
    thorough: bool = False


@dataclass(slots=True)
class Probe:
    """Sends calls to one target. Answers to GETs are cached. `now` is the time when the run began."""

    client: Client
    target: Target
    prepared: Preparation = field(default_factory=Preparation)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    formats: tuple[Format, ...] = ("xml", "json")
    discovery_base: str = ""
    several: bool = False
    definitions: Mapping[str, Record] = field(default_factory=dict)

    # --- Calls

    def get(
        self,
        path: str,
        params: Pairs = (),
        *,
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
        at: Endpoint | None = None,
    ) -> Answer:
        """GET a path below the base, with the target's jurisdiction unless `params` or `at` name one."""
        return self.client.get(self.call("GET", path, params, headers=headers, at=at), fresh=fresh)

    def call(
        self,
        method: str,
        path: str,
        params: Pairs = (),
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        at: Endpoint | None = None,
    ) -> Call:
        """A call to a path below the base, with any method."""
        endpoint = at or self.here
        has_jurisdiction = any(name == "jurisdiction_id" for name, _ in params)
        if endpoint.jurisdiction_id and not has_jurisdiction:
            params = (("jurisdiction_id", endpoint.jurisdiction_id), *params)
        url = f"{endpoint.base_url}/{path}" + (f"?{urlencode(params)}" if params else "")
        return Call(method, url, tuple((headers or {}).items()), body)

    @property
    def here(self) -> Endpoint:
        return Endpoint(self.target.base_url, self.target.jurisdiction_id)

    def both(self, path: str, params: Pairs = ()) -> Iterator[Answer]:
        """GET a path, given without suffix, in every format that the server offers."""
        for format in self.formats:
            yield self.get(f"{path}.{format}", params)

    def readings(self) -> Sequence[Format]:
        """The formats for a check that needs only one: JSON if offered; all formats if the run is thorough."""
        return self.formats if self.target.thorough else self.formats[-1:]

    def json_offered(self) -> None:
        """Raise UnmetNeedError if the server does not offer JSON."""
        if "json" not in self.formats:
            raise UnmetNeedError("the server does not offer JSON")

    def discovery(self, format: Format, *, fresh: bool = False) -> Answer:
        if not self.discovery_base:
            raise UnmetNeedError("no discovery was found (see C001)")
        return self.client.get(Call("GET", f"{self.discovery_base}/discovery.{format}"), fresh=fresh)

    def services(self, format: Format) -> Answer:
        return self.get(f"services.{format}")

    def definition(self, code: str, format: Format) -> Answer:
        return self.get(f"services/{segment(code)}.{format}")

    def request(self, request_id: str, format: Format, *, fresh: bool = False) -> Answer:
        return self.get(f"requests/{segment(request_id)}.{format}", fresh=fresh)

    def token(self, token: str, format: Format, *, fresh: bool = False) -> Answer:
        return self.get(f"tokens/{segment(token)}.{format}", fresh=fresh)

    def listings(self, *params: tuple[str, str]) -> Iterator[tuple[Answer, list[Record]]]:
        """The list of requests for `params`, as answer and records, in each of the `readings`."""
        for format in self.readings():
            answer = self.get(f"requests.{format}", params)
            yield answer, answer.records("requests")

    def listing(self, *params: tuple[str, str]) -> tuple[Answer, list[Record]]:
        return next(iter(self.listings(*params)))

    # --- Times

    def ago(self, days: float) -> str:
        """The time `days` before the run, in whole seconds, with Z."""
        return stamp(self.now - timedelta(days=days))

    # --- Sending requests

    def form(self, service: str = "", *, without: Iterable[str] = (), **fields: str) -> list[tuple[str, str]]:
        """A complete form for a request: key, service P, point and description. `fields` replace or add values."""
        point = require(self.prepared.point)
        complete = {
            "api_key": self.target.api_key,
            "service_code": service or require(self.prepared.plain_service),
            "lat": str(point.lat),
            "long": str(point.long),
            "description": "Conformance test; please ignore.",
        }
        if self.target.jurisdiction_id:
            complete["jurisdiction_id"] = self.target.jurisdiction_id
        complete |= fields
        return [(name, value) for name, value in complete.items() if name not in set(without)]

    def post(
        self,
        fields: Iterable[tuple[str, str]],
        format: Format | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Pairs = (),
        base_url: str = "",
    ) -> Answer:
        """POST a form to requests, in JSON if no format is given and the server offers JSON."""
        return self.post_body(
            urlencode(list(fields)).encode(), FORM, format, headers=headers, query=query, base_url=base_url
        )

    def post_body(
        self,
        body: bytes,
        content_type: str,
        format: Format | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Pairs = (),
        base_url: str = "",
    ) -> Answer:
        """POST bytes to requests. With an empty `content_type`, the header is not sent."""
        url = f"{base_url or self.target.base_url}/requests.{format or self.formats[-1]}"
        url += f"?{urlencode(query)}" if query else ""
        typed = {"Content-Type": content_type} if content_type else {}
        return self.client.send(Call("POST", url, tuple({**typed, **(headers or {})}.items()), body))

    def read_back(self, receipt: Record, format: Format | None = None) -> Record:
        """GET the request that a POST with this answer has created."""
        request_id = text_of(receipt, "service_request_id")
        if not request_id:
            raise UnmetNeedError("the answer to the POST has no id, so the request cannot be read")
        answer = self.request(request_id, format or self.formats[-1], fresh=True)
        return only(answer)


def created(answer: Answer) -> Record:
    """The only item of the answer to a POST. Raises DeviationError if the POST did not succeed."""
    answer.must(answer.succeeded, "the request to be created")
    items = answer.records("created")
    answer.must(len(items) == 1, "one item")
    return items[0]


def only(answer: Answer) -> Record:
    """The first request of an answer. Other checks judge whether there is exactly one."""
    records = answer.records("requests")
    if not records:
        raise UnmetNeedError(f"{answer.call} has no request")
    return records[0]


def require(need: T | None) -> T:
    """The value of a need that the check has declared. The runner skips checks whose needs are missing."""
    if need is None:
        raise UnmetNeedError("the check did not declare a missing need")
    return need


def segment(text: str) -> str:
    """A code or id, percent-encoded as one segment of a path."""
    return quote(text, safe="")


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime | None:
    """A time with a zone from an answer; None if the text is not such a time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
