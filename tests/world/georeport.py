"""Answers the calls of GeoReport from a neighbour's memory, in a dialect."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from tests.world.city import OWN_ID_NAMES, City, Filed, Refusal, Service, Update, own_id_of
from tests.world.dialects import Dialect
from tests.world.documents import Document, Record, write
from tests.world.serving import Asked, Reply

BASE = "/v2"
CLIENT_ID = "neighbour-client"
CLIENT_SECRET = "neighbour-secret"
TOKEN_SECONDS = 3600
_CLOSED = frozenset(
    {"closed", "fixed", "duplicate", "not_councils_responsibility", "no_further_action", "internal_referral"}
    | {"cancelled"}
)


def _whole(text: str | None, usual: int) -> int:
    return int(text) if text and text.isdecimal() else usual


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d{1,3}(\.\d{1,20})?(e-?\d{1,2})?", text, re.ASCII) is not None


def _basic(header: str) -> tuple[str | None, str | None]:
    """User and password of an Authorization header, as RFC 6749 encodes them."""
    try:
        user, _, password = base64.b64decode(header.partition(" ")[2]).decode().partition(":")
    except ValueError:
        return None, None
    return unquote(user), unquote(password)


def label_of(asked: Asked) -> str:
    """A call as faults name it: "POST requests", "GET services", "GET tokens", "GET requests/C-1", "POST oauth"."""
    path = asked.path.removeprefix(BASE).strip("/")
    first, slash, rest = path.partition("/")
    if first in ("services", "tokens", "requests") and slash:
        return f"{asked.method} {first}/{unquote(rest).rpartition('.')[0]}"
    return f"{asked.method} {first.partition('.')[0]}"


@dataclass(frozen=True)
class Sent:
    """The parameters and files of a POST."""

    parameters: tuple[tuple[str, str], ...]
    media: tuple[tuple[str, str, bytes], ...]
    key: str

    @classmethod
    def read(cls, asked: Asked) -> Sent:
        """The parameters of the query and of a body, which is a form or multipart."""
        kind, options = parse_options_header(asked.header("Content-Type"))
        _, form, files = FormDataParser().parse(io.BytesIO(asked.body), kind, len(asked.body), options)
        query = parse_qsl(urlsplit(asked.target).query, keep_blank_values=True)
        media = [(each.filename or "", each.mimetype, each.read()) for each in files.values()]
        for each in files.values():
            each.close()
        return cls((*query, *form.items(multi=True)), tuple(media), asked.header("Idempotency-Key"))

    @property
    def own_id(self) -> str:
        return own_id_of(self.parameters)

    def get(self, name: str) -> str:
        """The first value of a parameter; "" if it was not sent."""
        return next((value for each, value in self.parameters if each == name), "")


@dataclass(frozen=True)
class GeoReport:
    """The calls of one neighbour. `origin` is its address, and `city_id` its jurisdiction."""

    city: City
    dialect: Dialect
    origin: str
    city_id: str = "neighbour.example"

    def __call__(self, asked: Asked) -> Reply:
        """The honest reply to a call."""
        path, _, suffix = asked.path.rpartition(".")
        if asked.path == "/oauth/token":
            return self._oauth(asked)
        format = suffix if suffix in self.dialect.formats else self.dialect.formats[0]
        try:
            if suffix not in self.dialect.formats:
                raise Refusal(404, "this format is unknown")
            with self.city.lock:
                document, status = self._document(asked, path)
        except Refusal as refusal:
            errors = [{"code": refusal.status, "description": refusal.description}]
            return write(Document("errors", "error", errors), format, self.dialect, refusal.status)
        return write(document, format, self.dialect, status)

    def _document(self, asked: Asked, path: str) -> tuple[Document, int]:
        if asked.method == "GET" and path == "/discovery":
            return self._discovery(), 200
        call, _, rest = path.removeprefix(f"{BASE}/").partition("/")
        query = dict(parse_qsl(urlsplit(asked.target).query, keep_blank_values=True))
        sent = Sent.read(asked) if asked.method == "POST" else None
        self._check_city(query | dict(sent.parameters if sent else ()))
        self._check_caller(asked, query | dict(sent.parameters if sent else ()))
        if sent is not None and not rest and call in _POSTS:
            return _POSTS[call](self, sent), 201 if call == "requests" else 200
        if asked.method == "GET" and (call, bool(rest)) in _GETS:
            return _GETS[call, bool(rest)](self, query, unquote(rest)), 200
        raise Refusal(404, "this address is unknown")

    # --- Who calls

    def _check_city(self, values: Mapping[str, str]) -> None:
        given = values.get("jurisdiction_id")
        if given == "" and self.dialect.refuses_empty_city:
            raise Refusal(404, "jurisdiction_id was empty")
        if not given and self.dialect.needs_city:
            raise Refusal(400, "jurisdiction_id was not provided")
        if given and given != self.city_id:
            raise Refusal(404, "jurisdiction_id was not found")

    def _check_caller(self, asked: Asked, values: Mapping[str, str]) -> None:
        if asked.method == "GET" and not self.dialect.guards_reading:
            return
        if self.dialect.auth == "key" and values.get("api_key") not in self.city.api_keys:
            raise Refusal(403, "api_key is missing or wrong")
        if self.dialect.auth == "oauth":
            kind, _, bearer = asked.header("Authorization").partition(" ")
            if kind.lower() != "bearer" or not self.city.knows_bearer(bearer.strip()):
                raise Refusal(401, "the bearer token is missing, has ended or is wrong")

    def _oauth(self, asked: Asked) -> Reply:
        """Grants a token to the client by RFC 6749, 4.4; the secret is in the body or in Authorization."""
        form = dict(asked.form)
        basic = asked.header("Authorization").lower().startswith("basic ")
        identity = (form.get("client_id"), form.get("client_secret"))
        if basic:
            identity = _basic(asked.header("Authorization"))
        if form.get("grant_type") != "client_credentials":
            return Reply(b'{"error":"unsupported_grant_type"}', status=400)
        if identity != (CLIENT_ID, CLIENT_SECRET):
            return Reply(b'{"error":"invalid_client"}', status=401, headers={"WWW-Authenticate": "Basic"})
        granted = {"access_token": self.city.grant(), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return Reply(json.dumps(granted).encode(), headers={"Cache-Control": "no-store"})

    # --- What it offers

    def _discovery(self) -> Document:
        endpoint = {
            "specification": "http://wiki.open311.org/GeoReport_v2",
            "url": self.origin + BASE,
            "changeset": "2026-01-01T00:00:00Z",
            "type": "production",
            "formats": ["text/xml" if each == "xml" else "application/json" for each in self.dialect.formats],
        }
        content = {
            "changeset": "2026-01-01T00:00:00Z",
            "contact": "A neighbour of the tests.",
            "key_service": "none",
            "endpoints": [endpoint],
        }
        return Document("discovery", "discovery", content)

    def _services(self, *_: object) -> Document:
        return Document("services", "service", [self._service(each) for each in self.city.services])

    def _service(self, service: Service) -> Record:
        plain = service.plain()
        if self.dialect.ids_as_numbers and service.code.isdecimal():
            plain["service_code"] = int(service.code)
        return plain

    def _definition(self, _: object, code: str) -> Document:
        service = self.city.service(code)
        return Document(
            "service_definition", "", {"service_code": service.code, "attributes": list(service.attributes)}
        )

    # --- Requests

    def _take(self, sent: Sent) -> Document:
        code = sent.get("service_code")
        if not code:
            raise Refusal(400, "service_code was not provided")
        service = self.city.service(code)
        has_point = sent.get("lat") and sent.get("long")
        if not (has_point or sent.get("address_string") or sent.get("address_id")):
            raise Refusal(400, "lat and long, address_string or address_id was not provided")
        if has_point and not (_is_number(sent.get("lat")) and _is_number(sent.get("long"))):
            raise Refusal(400, "lat or long is not a number")
        for attribute in service.attributes:
            if attribute["required"] and not any(
                name.startswith(f"attribute[{attribute['code']}]") for name, value in sent.parameters if value
            ):
                raise Refusal(400, f"attribute[{attribute['code']}] was not provided")
        filed = self.city.repeated(sent.key, sent.parameters) if self.dialect.honours_key and sent.key else None
        if filed is None:
            self._refuse_own_id(sent)
            filed = self.city.take(code, sent.parameters, media=sent.media, key=sent.key)
        return Document("service_requests", "request", [self._receipt(filed)])

    def _refuse_own_id(self, sent: Sent) -> None:
        own = sent.own_id
        if own and self.dialect.refuses_own_id and any(each.own_id == own for each in self.city.accepted):
            raise Refusal(409, f"external_id {own} was sent before")

    def _receipt(self, filed: Filed) -> Record:
        rest = {"service_notice": "", "account_id": ""}
        if filed.token:
            return {"token": filed.token, **rest}
        if filed.service_request_id:
            return {"service_request_id": self._id(filed.service_request_id), **rest}
        return rest | {"service_notice": "Thank you. We read every message."}

    def _id(self, text: str) -> str | int:
        return int(text) if self.dialect.ids_as_numbers and text.isdecimal() else text

    def _token(self, _: object, token: str) -> Document:
        filed = self.city.poll(token, self.dialect.polls_per_token)
        record = {"token": token}
        if filed.service_request_id:
            record["service_request_id"] = filed.service_request_id
        return Document("service_requests", "request", [record])

    def _one(self, _: object, identity: str) -> Document:
        found = [each for each in self._listed() if each.service_request_id == identity]
        if not found:
            raise Refusal(404, f"service_request_id {identity} was not found")
        return Document("service_requests", "request", [self._request(each) for each in found])

    def _list(self, query: Mapping[str, str], _: str) -> Document:
        found = [each for each in self._listed() if self._matches(each, query)]
        found.sort(key=lambda each: (each.at, each.number), reverse=True)
        return Document("service_requests", "request", [self._request(each) for each in self._page(found, query)])

    def _listed(self) -> list[Filed]:
        """The requests that lists show."""
        shown = [each for each in self.city.requests if each.service_request_id]
        if self.dialect.lists_without_id:
            shown += [each for each in self.city.requests if each.token and not each.service_request_id]
        return shown

    def _matches(self, filed: Filed, query: Mapping[str, str]) -> bool:
        status = "closed" if filed.status in _CLOSED else "open"
        for name, value in (
            ("service_request_id", filed.service_request_id),
            ("service_code", filed.service_code),
            ("status", status),
        ):
            if query.get(name) and value not in query[name].split(","):
                return False
        if self.dialect.finds_own_id and any(
            query.get(name, filed.own_id) != filed.own_id for name in OWN_ID_NAMES
        ):
            return False
        windows = (
            ("start_date", "end_date", filed.at),
            ("updated_after", "updated_before", filed.updated_at or filed.at),
        )
        return all(self._is_within(query.get(first), query.get(last), at) for first, last, at in windows)

    def _is_within(self, first: str | None, last: str | None, at: datetime) -> bool:
        if self.dialect.ignores_dates:
            return True
        start, end = self._moment(first), self._moment(last)
        days = self.dialect.most_days
        if days and start and (end or self.city.now) - start > timedelta(days=days):
            raise Refusal(400, f"start_date: a window has {days} days at most")
        return (start is None or at >= start) and (end is None or at.replace(microsecond=0) <= end)

    def _moment(self, text: str | None) -> datetime | None:
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise Refusal(400, "a date could not be read") from None
        return found if found.tzinfo else found.replace(tzinfo=timezone(timedelta(hours=self.dialect.zone_hours)))

    def _page(self, found: list[Filed], query: Mapping[str, str]) -> list[Filed]:
        dialect = self.dialect
        size = _whole(query.get(dialect.page_size_name), dialect.page_size)
        size = dialect.cuts_pages_to or max(1, min(size, dialect.most_per_page))
        page = max(1, _whole(query.get("page"), 1)) if dialect.page_size_name else 1
        if dialect.repeats_last_page:
            page = min(page, max(1, -(-len(found) // size)))
        return found[(page - 1) * size : page * size]

    def _request(self, filed: Filed) -> Record:
        dialect = self.dialect
        names = {each.code: each.plain()["service_name"] for each in self.city.services}
        urls = [value for name, value in filed.parameters if name == "media_url"]
        record = {
            "service_request_id": self._id(filed.service_request_id) if filed.service_request_id else None,
            "status": self._status("closed" if filed.status in _CLOSED else "open"),
            "status_notes": filed.status_notes,
            "service_name": names.get(filed.service_code, ""),
            "service_code": filed.service_code,
            "description": filed.get("description"),
            "agency_responsible": "",
            "service_notice": "",
            "requested_datetime": filed.at,
            "updated_datetime": filed.updated_at or filed.at,
            "expected_datetime": "unknown" if dialect.invents_times else None,
            "address": filed.get("address_string"),
            "address_id": filed.get("address_id"),
            "zipcode": None,
            **self._place(filed),
            "media_url": urls if dialect.lists_media and urls else (urls or [""])[0],
        }
        if filed.token:
            record["token"] = filed.token
        if dialect.shows_own_id and filed.own_id:
            record["external_id"] = filed.own_id
        return record

    def _place(self, filed: Filed) -> Record:
        if filed.get("lat") and filed.get("long"):
            return {"lat": float(filed.get("lat")), "long": float(filed.get("long"))}
        unknown = 0.0 if self.dialect.zero_for_unknown else None
        return {"lat": unknown, "long": unknown}

    def _status(self, status: str) -> str:
        return status.capitalize() if self.dialect.capitals else status

    # --- Updates

    def _updates(self, query: Mapping[str, str], _: str) -> Document:
        if not self.dialect.reads_updates:
            raise Refusal(404, "this address is unknown")
        found = [
            each
            for each in self.city.updates
            if self._is_within(query.get("start_date"), query.get("end_date"), each.at)
        ]
        found.sort(key=lambda each: each.at)
        return Document("service_request_updates", "request_update", [self._update(each) for each in found])

    def _update(self, update: Update) -> Record:
        return {
            "update_id": update.update_id,
            "service_request_id": self._id(self.city.requests[update.number - 1].service_request_id),
            "status": self._status(update.status),
            "updated_datetime": update.at,
            "description": update.description,
            "media_url": (update.media_url or ("",))[0],
        }

    def _receive(self, sent: Sent) -> Document:
        if not self.dialect.takes_updates:
            raise Refusal(404, "this address is unknown")
        for name in ("service_request_id", "update_id", "status", "updated_datetime", "description"):
            if not sent.get(name) and name != "description":
                raise Refusal(400, f"{name} was not provided")
        at = self._moment(sent.get("updated_datetime"))
        assert at is not None
        known = [each for each in self.city.received if sent.key and each.key == sent.key]
        update = (
            known[0]
            if known and self.dialect.honours_key
            else self.city.receive(sent.parameters, at=at, key=sent.key)
        )
        return Document("service_request_updates", "request_update", [{"update_id": update.update_id}])


_GETS: dict[tuple[str, bool], Callable[[GeoReport, Mapping[str, str], str], Document]] = {
    ("services", False): GeoReport._services,
    ("services", True): GeoReport._definition,
    ("requests", False): GeoReport._list,
    ("requests", True): GeoReport._one,
    ("tokens", True): GeoReport._token,
    ("servicerequestupdates", False): GeoReport._updates,
}
_POSTS: dict[str, Callable[[GeoReport, Sent], Document]] = {
    "requests": GeoReport._take,
    "servicerequestupdates": GeoReport._receive,
}
