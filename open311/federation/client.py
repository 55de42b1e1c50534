"""A client of GeoReport v2 servers, which is also our Python SDK.

The client imports neither Flask nor the database nor the schemas. It reads every dialect of `dialects.py`, and
`client.seen` says in which points the server differs from the standard. The values and errors of the client can be
imported from here.
"""

from __future__ import annotations

import json
import mimetypes
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from time import sleep
from typing import Self, TypedDict, TypeVar, Unpack
from urllib.parse import quote, urljoin, urlsplit
from uuid import uuid4

from open311.clock import utc_now
from open311.federation import bodies
from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Answer, Call, Limits, open_transport, retry_after_s
from open311.federation.dialects import Dialect, DialectPoint, Seen
from open311.federation.failures import (
    ForbiddenAddress,
    GeoReportError,
    NotAuthorized,
    Problem,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
    Unreadable,
)
from open311.federation.oauth import AuthorizedTransport, ClientCredentials
from open311.federation.reading import Reader, Record, problems_of
from open311.federation.tls import Tls
from open311.federation.values import (
    Attribute,
    AttributeValue,
    Discovery,
    Endpoint,
    Media,
    NewRequest,
    NewUpdate,
    Plain,
    Receipt,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
    Token,
    UnreadRecord,
    UpdateReceipt,
)

__all__ = [
    "Attribute",
    "AttributeValue",
    "ClientCredentials",
    "Dialect",
    "DialectPoint",
    "Discovery",
    "Endpoint",
    "ForbiddenAddress",
    "GeoReportClient",
    "GeoReportError",
    "Limits",
    "Media",
    "NewRequest",
    "NewUpdate",
    "NotAuthorized",
    "Problem",
    "Receipt",
    "Refused",
    "RequestUpdate",
    "Service",
    "ServiceDefinition",
    "ServiceRequest",
    "Tls",
    "Token",
    "TooLarge",
    "TooSlow",
    "Unreachable",
    "UnreadRecord",
    "Unreadable",
    "UpdateReceipt",
]

USER_AGENT = "open311-client/1 (+http://wiki.open311.org/GeoReport_v2/)"
WINDOW = timedelta(days=90)
"""The longest window of a list of requests that every server accepts."""
UPDATES_WINDOW = timedelta(days=7)

Value = TypeVar("Value")
Query = list[tuple[str, str]]

_PAGES = frozenset({"first", "prev", "next", "last"})
_NOTHING_FOUND = ("no request", "no service request", "no record", "no result", "no matching", "0 requests")
_MOST_WARNINGS = 100
_MOST_UNREAD = 1000
_FLOOR = timedelta(hours=1)
"""A window of this length or less is not halved."""
_LEAST_CUT = 10
_USUAL_LIMITS = frozenset({50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000})
"""The lengths at which servers cut a list. If a server ignores `page`, any length from `_LEAST_CUT` on is
suspicious."""
_LEAST_MASKED = 3
_UNTAKEN = frozenset({501, 503, 505})
"""Errors of a server that say that it has not stored what was sent."""
_SHOWN = frozenset({"jurisdiction_id", "service_code", "service_request_id", "update_id", "status", "lat", "long"})
"""Parameters that are not personal. An error may repeat their values."""


class Options(TypedDict, total=False):
    """The arguments of the client that `discovered` accepts. The suffix of the document's address sets `format`."""

    api_key: str
    format: bodies.Format
    locale: str
    dialect: Dialect | None
    limits: Limits | None
    trusted: Iterable[str]
    tls: Tls | None
    oauth: ClientCredentials | None
    proxy: str
    user_agent: str
    pause: Callable[[float], None]


class GeoReportClient:
    """Calls one GeoReport server. Use it as a context manager, and in one thread only.

    base_url         the address of services.json without /services.json. Its host may be in a private network;
                     other hosts to which the server leads must be public, or in `trusted`
    jurisdiction_id  the city, if the server has several
    format           the format to ask for; an answer is read by its content type
    locale           the language to ask for, such as es
    trusted          addresses whose hosts may be in a private network too
    trusts_base      False if somebody else chose base_url: then its host must be public too, or in `trusted`
    tls              the files for the host of base_url: our certificate, or the server's private authority
    oauth            where calls to the host of base_url get their access token. Its host is trusted
    proxy            the HTTP proxy of all calls. It must refuse private addresses; `Guard` says why
    pause            sleeps between calls and before retries

    seen      the points in which the server differed from the standard
    warnings  the last `Warning` headers of the server
    unread    the last records that could not be read; they are left out of their lists
    """

    def __init__(
        self,
        base_url: str,
        jurisdiction_id: str = "",
        *,
        api_key: str = "",
        format: bodies.Format = "json",
        locale: str = "",
        dialect: Dialect | None = None,
        limits: Limits | None = None,
        trusted: Iterable[str] = (),
        trusts_base: bool = True,
        tls: Tls | None = None,
        oauth: ClientCredentials | None = None,
        proxy: str = "",
        user_agent: str = USER_AGENT,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.jurisdiction_id = jurisdiction_id
        self.format = format
        self.locale = locale
        self.dialect = dialect or Dialect()
        self.limits = limits or Limits()
        self.seen = Seen()
        self.warnings: deque[str] = deque(maxlen=_MOST_WARNINGS)
        self.unread: deque[UnreadRecord] = deque(maxlen=_MOST_UNREAD)
        self._api_key = api_key
        self._headers = {"User-Agent": user_agent, "Accept": _ACCEPT[format]}
        named = [*trusted, *((base_url,) if trusts_base else ()), *((oauth.token_url,) if oauth else ())]
        host = host_of(base_url)
        guard = Guard(frozenset(map(host_of, named)))
        plain = open_transport(self.limits, guard, tls={host: tls} if tls else {}, proxy=proxy, pause=pause)
        self._transport = AuthorizedTransport(plain, oauth, hosts=[host]) if oauth else plain

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session and its connections."""
        self._transport.close()

    @classmethod
    def discovered(
        cls, url: str, jurisdiction_id: str = "", *, type: str = "production", **options: Unpack[Options]
    ) -> Self:
        """The client of the GeoReport address that a discovery document names.

        url      the address of the document, such as https://city.example/open311/discovery.json
        type     production or test
        options  the same arguments as for the client, except `format`, which is the format of the document. The
                 server that the document names must be public, or in `trusted`, or be the host of the document
        """
        base, _, name = url.rpartition("/")
        options["format"] = "xml" if name.endswith(".xml") else "json"
        options["trusted"] = (url, *options.get("trusted", ()))
        with cls(base, **options) as first:
            offered = first.discovery().endpoints
        found = [each.url for each in offered if _is_georeport(each) and each.type.strip().lower() == type]
        if not found:
            raise Unreadable(f"the discovery document names no {type} address of GeoReport v2")
        return cls(found[0], jurisdiction_id, trusts_base=False, **options)

    # --- What the server offers

    def discovery(self) -> Discovery:
        """Where the server is, and how to get a key. Reads `discovery` below the base address."""
        reader, body = self._read(self._call("GET", "discovery"))
        return self._one(reader, Discovery, body, "endpoints")

    def services(self) -> list[Service]:
        """The services of the city."""
        call = self._call("GET", "services", self._city() + self._language())
        return self._all(Service, *self._read(call), call)

    def definition(self, service_code: str) -> ServiceDefinition:
        """The questions of a service, if its `metadata` is true."""
        call = self._call("GET", f"services/{_segment(service_code)}", self._city() + self._language())
        reader, body = self._read(call)
        with _Named(call):
            record = reader.one(ServiceDefinition, body, "attributes")
            return reader.value(ServiceDefinition, {"service_code": service_code, **record})

    def read(self, path: str, parameters: Mapping[str, str] | None = None) -> Plain:
        """The plain data at an address of an extension, such as `jurisdictions`."""
        query = self._city() + self._language() + list((parameters or {}).items())
        return self._read(self._call("GET", path, query))[1]

    # --- Requests

    def requests(
        self,
        *,
        service_request_id: Sequence[str] = (),
        service_code: Sequence[str] = (),
        status: Sequence[str] = (),
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        window: timedelta = WINDOW,
        page_size: int | None = None,
        filters: Mapping[str, str] | None = None,
        shows_key: bool = False,
    ) -> Iterator[ServiceRequest]:
        """The requests of a search, each once. Pages and windows are read as the iterator needs them.

        start_date  the beginning of the search. Without it, the server chooses the dates: 90 days in the standard
        window      longer searches are split into windows of this length, the latest first. If the server has no
                    pages and a list looks cut, its window is halved if it is longer than an hour. `seen` says so
        filters     parameters that the standard does not have, such as updated_after or extensions
        shows_key   whether the client's `api_key` is sent, in the header `X-Api-Key`. Only a search by the caller's
                    own ids of requests needs it
        """
        fixed = self._city() + self._language()
        fixed += _list("service_request_id", service_request_id) + _list("service_code", service_code)
        fixed += _list("status", status) + list((filters or {}).items())
        if page_size is not None:
            fixed.append((self.dialect.page_size_name, str(page_size)))
        windows = list(_windows(start_date, end_date, window))
        key = {"X-Api-Key": self._api_key} if shows_key and self._api_key else {}
        return self._requests(_Search(fixed, page_size, key), windows[::-1])

    def _requests(
        self, search: _Search, windows: list[tuple[datetime | None, datetime | None]]
    ) -> Iterator[ServiceRequest]:
        for start, end in windows:
            whole = yield from self._window(search, start, end)
            yield from self._halves(search, whole, start, end)

    def _window(
        self, search: _Search, start: datetime | None, end: datetime | None
    ) -> Generator[ServiceRequest, None, _Listing]:
        """The new requests of a window, and how the list was read."""
        listing = _Listing()
        for page in self._pages(search, _dates(start, end), listing):
            if search.page_size is not None and len(page) > search.page_size:
                self.seen.note(DialectPoint.OTHER_PAGE_SIZE)
            listing.is_outside |= _is_outside(page.values(), start, end)
            yield from (each for key, each in page.items() if key not in search.known)
            search.known.update(page)
        if listing.is_outside:
            self.seen.note(DialectPoint.WINDOW_IGNORED)
        search.longest = max(search.longest, len(listing.shown))
        return listing

    def _halves(
        self, search: _Search, whole: _Listing, start: datetime | None, end: datetime | None
    ) -> Iterator[ServiceRequest]:
        """The requests that a cut list lacks: those of its two halves, and so on."""
        if not whole.looks_cut(search.longest):
            return
        if start is None or end is None or whole.is_outside or end - start <= _FLOOR:
            self.seen.note(DialectPoint.LIST_CUT)
            return
        self.seen.note(DialectPoint.WINDOW_HALVED)
        middle = _second(start + (end - start) / 2)
        later = yield from self._window(search, middle, end)
        earlier = yield from self._window(search, start, middle)
        if later.shown == earlier.shown:
            self.seen.note(DialectPoint.WINDOW_IGNORED, DialectPoint.LIST_CUT)
            return
        yield from self._halves(search, later, middle, end)
        yield from self._halves(search, earlier, start, middle)

    def _pages(self, search: _Search, dates: Query, listing: _Listing) -> Iterator[dict[str, ServiceRequest]]:
        """The requests of each page.

        The last page is the one whose `Link` has no "next", or the one before an empty page, an error 404, or a
        page that repeats others.
        """
        query = search.fixed + dates
        call = self._call("GET", "requests", query)
        call = replace(call, headers={**call.headers, **search.headers})
        for number in count(1):
            if number > self.limits.max_pages:
                raise TooLarge(f"{call} has more than {self.limits.max_pages} pages")
            answer = self._transport.send(call)
            try:
                reader, body = self._body(call, answer)
            except Refused as error:
                if error.status == 404 and (number > 1 or _says_nothing_found(error)):
                    self.seen.note(DialectPoint.EMPTY_AS_ERROR)
                    return
                raise
            page, unread = self._identified(call, reader, body, is_first=number == 1)
            keys = {*page, *(json.dumps(each.record, sort_keys=True) for each in unread)}
            if not keys:
                return
            if keys <= listing.shown:
                self.seen.note(DialectPoint.REPEATED_PAGE)
                listing.is_repeated = True
                return
            self._keep(unread)
            listing.shown.update(keys)
            listing.pages += 1
            yield page
            following = self._following(call, answer, query, number + 1)
            if following is None:
                listing.is_linked = True
                return
            call = following

    def _identified(
        self, call: Call, reader: Reader, body: Plain, *, is_first: bool
    ) -> tuple[dict[str, ServiceRequest], list[UnreadRecord]]:
        """The requests of a page by id, or by token if they have none; and the records that cannot be read."""
        with _Named(call):
            read, unread = reader.values(ServiceRequest, body, needs_one=is_first)
        return {each.service_request_id or each.token: each for each in read}, unread

    def _keep(self, unread: list[UnreadRecord]) -> None:
        """Keep records that cannot be read, each once, and count them."""
        new = [each for each in unread if each not in self.unread]
        self.seen.note(*([DialectPoint.UNREAD_RECORD] * len(new)))
        self.unread.extend(new)

    def _following(self, call: Call, answer: Answer, query: Query, number: int) -> Call | None:
        """The call for the next page: by `Link`, or else by number. None after the last page."""
        from requests.utils import parse_header_links  # imported here for the same reason as in `open_transport`

        links = {link.get("rel", ""): link["url"] for link in parse_header_links(answer.headers.get("link", ""))}
        if not links.keys() & _PAGES:
            following = self._call("GET", "requests", [*query, ("page", str(number))])
            return replace(following, headers=call.headers)
        if "next" not in links:
            return None
        try:
            url = urljoin(answer.url, links["next"])
        except ValueError:
            raise ForbiddenAddress(f"{call}: its Link is no URL") from None
        # For example, the link may have the host name that the server has behind its proxy.
        if host_of(url) != host_of(self.base_url):
            target = urlsplit(url)
            url = urlsplit(self.base_url)._replace(path=target.path, query=target.query).geturl()
        return replace(call, url=url, query=())

    def request(self, service_request_id: str) -> ServiceRequest:
        """One request.

        Raises Refused with status 404 if there is none, and Unreadable if the answer has several requests without
        the one with this id. An answer with a single request counts, also if its id is another one.
        """
        call = self._call("GET", f"requests/{_segment(service_request_id)}", self._city() + self._language())
        found = self._all(ServiceRequest, *self._read(call), call)
        same = [each for each in found if each.service_request_id == service_request_id]
        if not found:
            raise Refused(str(call), 404, (Problem("404", "the answer is an empty list"),))
        if not same and len(found) > 1:
            raise Unreadable(f"{call} answers with several requests, none of which has this id")
        return (same or found)[0]

    def post_request(self, new: NewRequest, *, key: str = "", headers: Mapping[str, str] | None = None) -> Receipt:
        """Send a request. Needs the client's `api_key`.

        key      the Idempotency-Key. Send the same key again after an error with `is_uncertain`; a server that
                 honours the key stores the request once. Without `key`, each call has a new key
        headers  more headers, such as `Open311-Via`
        """
        call = self._post("requests", _request_parameters(new), key)
        call = replace(call, headers={**call.headers, **(headers or {})})
        call = replace(call, files=[("media", (each.name, each.content, each.content_type)) for each in new.media])
        return self._receipt(Receipt, call)

    def token(self, token: str) -> Token:
        """The token with the id of its request; the id is "" as long as there is none. Raises Unreadable."""
        call = self._call("GET", f"tokens/{_segment(token)}", self._city())
        found = self._all(Token, *self._read(call), call, {"token": token})
        if len(found) != 1:
            raise Unreadable(f"{call} answers with {len(found)} records; one is expected")
        return found[0]

    # --- Updates of requests, mySociety's extension

    def updates(
        self,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        *,
        window: timedelta = UPDATES_WINDOW,
    ) -> Iterator[RequestUpdate]:
        """What happened to requests, each update once. Windows are read as they are needed, the oldest first.

        Without `start_date`, the server chooses the dates. If you call this again and again, begin each window a
        minute before the end of the last one, so that no late update is missed.
        """
        return self._updates(list(_windows(start_date, end_date, window)))

    def _updates(self, windows: list[tuple[datetime | None, datetime | None]]) -> Iterator[RequestUpdate]:
        known: set[tuple[str, str] | RequestUpdate] = set()
        for start, end in windows:
            query = self._city() + ([("api_key", self._api_key)] if self._api_key else [])
            call = self._call("GET", "servicerequestupdates", query + _dates(start, end))
            for update in self._all(RequestUpdate, *self._read(call), call):
                key = (update.service_request_id, update.update_id) if update.update_id else update
                if key not in known:
                    known.add(key)
                    yield update

    def post_update(self, update: NewUpdate, *, key: str = "") -> UpdateReceipt:
        """Send an update of a request. Needs the client's `api_key`. `key` is as in `post_request`."""
        return self._receipt(UpdateReceipt, self._post("servicerequestupdates", _update_parameters(update), key))

    # --- Media

    def media(self, url: str) -> Media:
        """The picture, film or sound at an address, such as a `media_url`.

        Raises Refused for any status but 200, and Unreadable for any other kind of content.
        """
        call = Call("GET", url, headers={"User-Agent": self._headers["User-Agent"]})
        answer = self._transport.send(call)
        if answer.status != 200:
            raise self._refused(call, answer, ())
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind.partition("/")[0] not in ("image", "video", "audio"):
            raise Unreadable(f"{call}: the content type is {kind[:60]!r}, not a picture, film or sound")
        name = urlsplit(answer.url).path.rpartition("/")[2]
        return Media(name or f"media{mimetypes.guess_extension(kind) or ''}", kind, answer.content)

    # --- Calls and answers

    def _city(self) -> Query:
        return [("jurisdiction_id", self.jurisdiction_id)] if self.jurisdiction_id else []

    def _language(self) -> Query:
        return [("locale", self.locale)] if self.locale else []

    def _call(self, method: str, path: str, query: Query | None = None) -> Call:
        return Call(method, f"{self.base_url}/{path}.{self.format}", query or [], headers=self._headers)

    def _post(self, path: str, parameters: Query, key: str) -> Call:
        headers = self._headers | {"Idempotency-Key": key or str(uuid4())}
        data = [*self._city(), ("api_key", self._api_key), *parameters]
        return replace(self._call("POST", path), data=data, headers=headers)

    def _receipt(self, kind: type[Value], call: Call) -> Value:
        try:
            found = self._all(kind, *self._read(call), call)
            if len(found) != 1:
                raise Unreadable(f"{call} answers with {len(found)} records; one is expected")
        except Unreadable as error:
            error.is_uncertain = True
            raise
        except Refused as error:
            error.is_uncertain = error.status >= 500 and error.status not in _UNTAKEN
            raise
        return found[0]

    def _read(self, call: Call) -> tuple[Reader, Plain]:
        return self._body(call, self._transport.send(call))

    def _body(self, call: Call, answer: Answer) -> tuple[Reader, Plain]:
        """The data of an answer. Raises Refused for an error, whatever its status, and otherwise Unreadable."""
        if "warning" in answer.headers:
            self.warnings.append(self._masked(answer.headers["warning"], call))
        with _Named(call):
            try:
                format = bodies.format_of(answer.headers.get("content-type", ""), answer.content)
                body = bodies.plain(answer.content, format)
            except Unreadable:
                if not 200 <= answer.status < 300:
                    raise self._refused(call, answer, ()) from None
                raise
        problems = problems_of(body)
        if not 200 <= answer.status < 300:
            raise self._refused(call, answer, problems)
        if problems and all(problem.code for problem in problems):
            self.seen.note(DialectPoint.ERROR_WITH_200)
            raise self._refused(call, answer, problems)
        return Reader(format, self.dialect, self.seen), body

    def _refused(self, call: Call, answer: Answer, problems: tuple[Problem, ...]) -> Refused:
        code = problems[0].code if problems else ""
        status = int(code) if answer.status < 300 and code in _ERROR_CODES else answer.status
        if 300 <= answer.status < 400:
            problems = (
                Problem(str(status), "the server redirects to another address; only a GET follows a redirect"),
            )
        masked = tuple(Problem(each.code[:20], self._masked(each.description, call)) for each in problems)
        return Refused(str(call), status, masked, retry_after_s(answer.headers))

    def _masked(self, text: str, call: Call) -> str:
        """A text of the server without the key and the personal values of the call."""
        hidden = {value for name, value in call.data if name not in _SHOWN and len(value) >= _LEAST_MASKED}
        hidden |= {self._api_key} - {""}
        for value in sorted(hidden, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def _all(
        self, kind: type[Value], reader: Reader, body: Plain, call: Call, given: Record | None = None
    ) -> list[Value]:
        with _Named(call):
            read, unread = reader.values(kind, body, given)
        self._keep(unread)
        return read

    def _one(self, reader: Reader, kind: type[Value], body: Plain, own: str) -> Value:
        with _Named(self._call("GET", "discovery")):
            return reader.value(kind, reader.one(kind, body, own))


_ACCEPT: dict[str, str] = {"json": "application/json", "xml": "text/xml, application/xml"}
_ERROR_CODES = frozenset(map(str, range(400, 600)))


@dataclass(slots=True)
class _Search:
    """A search of requests while it is read.

    headers  headers of each call, in addition to the usual ones
    known    the requests that the caller has got already
    longest  the length of the longest list. The server's limit is not below it, so no shorter list is cut
    """

    fixed: Query
    page_size: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    longest: int = 0


@dataclass(slots=True)
class _Listing:
    """How the list of a window was read.

    shown        its records by key
    is_repeated  whether the server answered with the same page again
    is_linked    whether `Link` said that this was all
    is_outside   whether it has requests from outside the window
    """

    shown: set[str] = field(default_factory=set)
    pages: int = 0
    is_repeated: bool = False
    is_linked: bool = False
    is_outside: bool = False

    def looks_cut(self, longest: int) -> bool:
        length = len(self.shown)
        if self.pages != 1 or self.is_linked or length < max(longest, _LEAST_CUT):
            return False
        return self.is_repeated or length in _USUAL_LIMITS


def _is_outside(page: Iterable[ServiceRequest], start: datetime | None, end: datetime | None) -> bool:
    times = [each.requested_datetime for each in page if each.requested_datetime]
    return bool(times) and bool((start and min(times) < _second(start)) or (end and max(times) > end))


class _Named:
    """Puts the call into the text of an Unreadable."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Unreadable):
            error.args = (f"{self._call}: {error}",)


def _is_georeport(endpoint: Endpoint) -> bool:
    return endpoint.specification.strip().rstrip("/").lower().endswith("georeport_v2") and bool(endpoint.url)


def _segment(text: str) -> str:
    """A code or id as one segment of a path; it may contain any character."""
    if not text:
        raise ValueError("the code or id is empty; an empty segment would be another address")
    return quote(text, safe="")


def _list(name: str, values: Sequence[str]) -> Query:
    """Values joined by commas, as the standard requires."""
    if isinstance(values, str):
        values = [values]
    if any("," in value for value in values) and len(values) > 1:
        raise ValueError(f"{name}: a value with a comma cannot be one of several; ask for it alone")
    return [(name, ",".join(values))] if values else []


def _windows(
    start: datetime | None, end: datetime | None, window: timedelta
) -> Iterator[tuple[datetime | None, datetime | None]]:
    """The dates from start to end in windows, the oldest first. Two adjacent windows share one instant."""
    for name, moment in (("start_date", start), ("end_date", end)):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{name} has no zone; add a time zone, such as UTC")
    if window < timedelta(seconds=1):
        raise ValueError("window is shorter than a second; use a longer one, because servers count in seconds")
    if start is None:
        yield None, end
        return
    last = end or utc_now()
    while start + window < last:
        yield start, start + window
        start += window
    yield start, last


def _dates(start: datetime | None, end: datetime | None) -> Query:
    return [(name, _written(moment)) for name, moment in (("start_date", start), ("end_date", end)) if moment]


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _written(moment: datetime) -> str:
    return _second(moment.astimezone(UTC)).isoformat().replace("+00:00", "Z")


def _says_nothing_found(error: Refused) -> bool:
    """Whether an error 404 of a list says that nothing was found, and not that the city or address is unknown."""
    return any(words in problem.description.lower() for problem in error.problems for words in _NOTHING_FOUND)


def _request_parameters(new: NewRequest) -> Query:
    place = [(name, repr(value)) for name, value in (("lat", new.lat), ("long", new.long)) if value is not None]
    names = (
        *("description", "address_string", "address_id", "email", "device_id", "account_id"),
        *("first_name", "last_name", "phone", "media_url"),
    )
    texts = [(name, getattr(new, name)) for name in names]
    return [
        ("service_code", new.service_code),
        *place,
        *((name, text) for name, text in texts if text),
        *_answers(new.attribute),
        *new.extra.items(),
    ]


def _answers(attribute: Mapping[str, str | Sequence[str]]) -> Iterator[tuple[str, str]]:
    for code, answer in attribute.items():
        if isinstance(answer, str):
            yield f"attribute[{code}]", answer
        else:
            yield from ((f"attribute[{code}][]", value) for value in answer)


def _update_parameters(update: NewUpdate) -> Query:
    """Status in capitals, as mySociety's servers demand."""
    personal = ("email", "first_name", "last_name", "phone", "account_id")
    return [
        ("service_request_id", update.service_request_id),
        ("update_id", update.update_id),
        ("status", update.status.upper()),
        ("updated_datetime", _written(update.updated_datetime)),
        ("description", update.description),
        *((name, getattr(update, name)) for name in personal if getattr(update, name)),
        *(("media_url", url) for url in update.media_url),
        *update.extra.items(),
    ]
