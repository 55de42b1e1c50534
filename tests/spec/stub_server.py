"""A small GeoReport server that conforms to the standard, with a list of faults that tests can switch on.

It stands for other servers: the tests of the suite run against it and not against ours. It answers calls in memory,
or over HTTP through `serve`.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import requests
from requests.adapters import BaseAdapter

from spec.conformance.answers import Answer, Call
from spec.conformance.client import Client
from spec.conformance.preparation import (
    EXTENSIONS,
    Closing,
    Endpoint,
    Form,
    Gauge,
    Member,
    Offers,
    Point,
    Preparation,
    Retired,
    Several,
    Throttle,
)
from spec.shapes import REQUEST
from tests.spec.stub_extensions import NO_EXTENSIONS, Refusal, seen_at
from tests.spec.stub_inquiry import Inquiry
from tests.spec.stub_me_too import MeToo
from tests.spec.stub_statistics import Statistics
from tests.spec.stub_subscriptions import Subscriptions
from tests.world.serving import Asked, Reply, serving

ITEMS = {
    "services": "service",
    "service_requests": "request",
    "errors": "error",
    "values": "value",
    "attributes": "attribute",
    "endpoints": "endpoint",
    "formats": "format",
    "notes": "note",
    "media_urls": "media_url",
    "photos": "photo",
    "service_request_updates": "request_update",
    "changes": "request",
    "jurisdictions": "jurisdiction",
    "languages": "language",
    "areas": "area",
    "notices": "notice",
    "service_codes": "service_code",
    "conditions": "condition",
    "defaults": "default",
    "rows": "row",
    "left_out": "service_code",
    "forecasts": "forecast",
    "subscriptions": "subscription",
    "supports": "support",
}
KEYS = {"goodkey", "testkey"}
LIMIT = 60_000
CALLS = 5
FEEDS = {"geojson": "json", "csv": "json", "ndjson": "json", "atom": "xml"}
OURS = (
    *("changes", "jurisdictions", "jurisdictions.geojson", "areas", "areas.geojson", "dumps", "media", "tiles"),
    *("outbox", "status", "stats", "stats.csv", "subscriptions"),
    *("notices", "notices.atom"),
    *(f"requests.{suffix}" for suffix in FEEDS),
)
STANDARD = (
    *("jurisdiction_id", "service_request_id", "service_code", "start_date", "end_date", "status"),
    *("api_key", "locale", "callback"),
)
"""The arguments that a server without extensions supports."""
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def plain_names(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs with plain names: `status[]` becomes `status`.

    Several addresses in `media_url` become several pairs.
    """
    found = []
    for sent, value in pairs:
        name = re.sub(r"^(status|service_code|media_url)(\[\d*\])+$", r"\1", sent)
        values = re.split(r",(?=https?://)", value) if name == "media_url" else [value]
        found += [(name, part) for part in values]
    return found


class StubCall:
    """A parsed call."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method, self.body = method, body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.path = re.sub("//+", "/", parts.path)
        self.pairs = plain_names(parse_qsl(parts.query, keep_blank_values=True))
        self.format = "json" if "json" in self.headers.get("accept", "") else "xml"
        self.suffix = ""
        self.files: list[tuple[str, bytes]] = []

    def pictures(self) -> list[bytes]:
        """The files that are kept as photos."""
        return [content for _, content in self.files if content.startswith(b"\x89PNG")]

    def dropped(self) -> list[str]:
        """The names of the fields with the other files."""
        return [name for name, content in self.files if not content.startswith(b"\x89PNG")]

    def get(self, name: str) -> str:
        for key, value in self.pairs:
            if key == name and value.strip():
                return value
        return ""

    def all(self, name: str) -> list[str]:
        values = [part.strip() for key, value in self.pairs if key == name for part in value.split(",")]
        return [value for value in values if value]


class StubServer(MeToo, Statistics, Subscriptions, Inquiry):
    """Answers calls. Each name in `faults` switches one fault on, here or in Extensions.

    A name that begins with `-` is a condition or a legal way to behave, not a fault: no check may fail for it.
    A name that is nowhere in the code of the stub is an error, because it would switch nothing.
    """

    columns = tuple(REQUEST.members)

    def __init__(self, *faults: str) -> None:
        self.switch(*faults)
        self.now = datetime.now(UTC).replace(microsecond=0)
        self._times: dict[float, str] = {}
        self.changes = 0
        self.calls = 0
        self.log: list[str] = []
        self.retries: dict[str, list[dict[str, Any]]] = {}
        self.sent_files: dict[str, list[tuple[str, bytes]]] = {}
        self.photos: dict[str, bytes] = {}
        self.updates: list[dict[str, Any]] = []
        self.listings = 0
        self.secrets: dict[str, str] = {}
        self.cities = {
            "city.example": self._city(),
            "a.example": self._small_city("a"),
            "b.example": self._small_city("b"),
            "empty.example": {"services": {}, "requests": {}, "tokens": {}},
            "crowded.example": self._crowd(),
        }
        for name, city in self.cities.items():
            city["name"] = name
            city["feed"] = [
                (each["public"]["service_request_id"], seen_at(each))
                for each in sorted(city["requests"].values(), key=seen_at)
            ]
        feed = self.cities["city.example"]["feed"]
        feed.append((feed[0][0], self.now))  # the checks of `changes` need a request that has changed twice

    def switch(self, *faults: str) -> None:
        """Switch on these faults, and switch off all others."""
        if unknown := {*faults} - _texts():
            raise ValueError(f"the stub has no fault with the name {sorted(unknown)}")
        self.faults = {*faults}

    def has(self, fault: str) -> bool:
        return fault in self.faults

    # --- Data

    def ago(self, days: float) -> str:
        if days not in self._times:
            self._times[days] = (self.now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._times[days]

    def _city(self) -> dict[str, Any]:
        services = [
            service("potholes", "Pothole", "A hole in the road.", "realtime", "street, road", "Streets"),
            service("graffiti", "Graffiti", "", "realtime", "paint", "Cleaning", GRAFFITI),
            service("trees", "Tree care", "A branch.", "batch", "", "Parks"),
            service("hotline", "Anything else", "", "blackbox", "", ""),
            service("Street:Lights & Poles", "Straßenlampe – ☂", "Dark.", "realtime", "lamp", "Streets"),
            service("001", "Noise", "Loud.", "realtime", "noise", "Order", OPTIONAL),
            service("v1.2", "Bins", "Full.", "realtime", "bin", "Cleaning"),
            service("a/b", "Benches", "Broken.", "realtime", "bench", "Parks"),
        ]
        requests = {
            "R1": self.request("R1", "potholes", 10, zipcode="02134", description="Deep hole, near the station"),
            "R2": self.request("R2", "graffiti", 20, status="closed", updated=12, agency="Street Works"),
            "R3": self.request("R3", "potholes", 120, updated=1),
            "R4": self.request("R4", "potholes", 320, status="closed", updated=300),
            "R5": self.request(
                "R5", "trees", 30, status="closed", updated=25, media_url="https://media.city.example/5.png"
            ),
            "R6": self.request("R6", "potholes", 40, address="5 Mill Lane", lat=None, long=None),
            "R7": self.request("R7", "old-code", 50, name="Old name"),
            "R8": self.request("R8", "potholes", 5, private=True),
            "R/9 ü": self.request("R/9 ü", "potholes", 60),
            "R10": self.request("R10", "trees", 8),
        }
        tokens = {"t-done": "R10", "t-wait": ""}
        return {
            "services": {each["service_code"]: each for each in services},
            "unlisted": {each["service_code"]: each for each in UNLISTED},
            "requests": requests,
            "tokens": tokens,
        }

    def _history(self, days: float) -> list[dict[str, str]]:
        """A history of two notes."""
        return [
            {"datetime": self.ago(days), "type": "received", "description": "Thank you."},
            {"datetime": self.ago(days - 1), "type": "routed", "description": "To Street Works."},
        ]

    def _small_city(self, name: str) -> dict[str, Any]:
        code = f"potholes-{name}"
        return {
            "services": {code: service(code, f"Potholes of {name}", "", "realtime", "", "")},
            "requests": {f"{name}-1": self.request(f"{name}-1", code, 3)},
            "tokens": {f"t-{name}": f"{name}-1"},
        }

    def _crowd(self) -> dict[str, Any]:
        one = self.request("N", "potholes", 3)
        ids = [f"N{number:04}" for number in range(1001)]
        requests = {each: one | {"public": one["public"] | {"service_request_id": each}} for each in ids}
        return {"services": {}, "requests": requests, "tokens": {}}

    def request(self, request_id: str, code: str, days: float, **more: Any) -> dict[str, Any]:
        """A stored request: the public fields and, under "hidden", fields that are not shown by default."""
        public = {
            "service_request_id": request_id,
            "status": more.get("status", "open"),
            "status_notes": None,
            "service_name": more.get("name", f"The service {code}"),
            "service_code": code,
            "description": more.get("description"),
            "agency_responsible": more.get("agency"),
            "service_notice": None,
            "requested_datetime": self.ago(days),
            "updated_datetime": self.ago(more.get("updated", days)),
            "expected_datetime": None,
            "address": more.get("address"),
            "address_id": None,
            "zipcode": more.get("zipcode"),
            "lat": more.get("lat", 60.1718 + days / 10_000),
            "long": more.get("long", 24.9414),
            "media_url": more.get("media_url"),
        }
        hidden: dict[str, Any] = {"attributes": [], "extended": {}, "email": ""}
        hidden["notes"] = self._history(days) if days else []
        return {"public": public, "private": more.get("private", False), **hidden}

    def preparation(self, base: str) -> Preparation:
        """The preparation for all checks of the suite."""

        def member(name: str) -> Member:
            return Member(
                f"{name}.example", f"potholes-{name}", f"{name}-1", f"t-{name}", Point(60.1, 24.9), "goodkey"
            )

        many = f"{base}/many/v2"
        return Preparation(
            notice_service="potholes",
            offers=Offers("secret", "crew", "phone-box", "old-potholes", "potholes"),
            form=Form("signs", "FAULT", "bent", "other", "OTHER", "MAKER"),
            retired=Retired("old-code", "Old name", "R7"),
            outside_point=Point(70.0, 50.0),
            open_request="R1",
            closed_request="R2",
            old_request="R3",
            ancient_request="R4",
            in_progress_request="R1",
            closing=Closing("R2", self.ago(12)),
            commented_closing=Closing("R5", self.ago(25)),
            private_request="R8",
            odd_request_id="R/9 ü",
            late_update="R3",
            resolved_token="t-done",
            pending_token="t-wait",
            several=Several(many, member("a"), member("b")),
            empty=Endpoint(many, "empty.example"),
            crowded=Endpoint(many, "crowded.example"),
            crashing=Endpoint(f"{base}/crash/v2"),
            https_only=Endpoint(f"{base}/secure/v2"),
            throttle=Throttle(f"{base}/slow/v2", CALLS),
            jsonp=Endpoint(f"{base}/jsonp/v2"),
            test_key="testkey",
            max_body_bytes=LIMIT,
            serves_test=True,
            rename_service=self.rename,
            advance_clock=lambda _: None,
            back_office_down=self.back_office_down,
            access_log=lambda: "\n".join(self.log),
            locale="fi",
            bulk_url=f"{base}/bulk/requests",
            inquiry_url=f"{base}/inquiry/v1",
            future_cursor=self.future_cursor(),
            gauge=Gauge(f"{base}/sensors/observations", "water", "gaugekey"),
            offered=frozenset(EXTENSIONS),
        )

    def rename(self) -> None:
        self.cities["city.example"]["services"]["potholes"]["service_name"] = "Hole"
        self.changes += 0 if self.has("changeset stands still") else 1

    @contextmanager
    def back_office_down(self) -> Iterator[None]:
        self.faults.add("-back office down")
        yield
        self.faults.discard("-back office down")

    # --- Answers

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        call = StubCall(method, target, headers, body)
        self.log.append(target if self.has("the api_key is logged") else target.partition("?")[0])
        try:
            status, more, payload = self.route(call)
        except Refusal as refusal:
            status, more, payload = self.refuse(call, refusal)
        return status, {"Access-Control-Allow-Origin": "*", **more}, b"" if method == "HEAD" else payload

    def refuse(self, call: StubCall, refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
        status = refusal.status
        code: Any = str(status) if self.has("code is text") else status
        errors = [{"code": code, "description": text} for text in refusal.descriptions or (f"Error {status}.",)]
        data: Any = (
            {"errors": errors} if self.has("errors are wrapped in JSON") and call.format == "json" else errors
        )
        if self.has("errors have the status of success") and "no-such-thing-0.json" in call.path:
            status = 200 if call.path.count("/") == 3 else status
        headers = {"Content-Language": "en", "Vary": "Accept, Accept-Language"}
        if self.is_in_finnish(call):
            headers["Content-Language"] = "fi"
            for each in errors if not self.has("errors claim a language that they are not in") else []:
                each["description"] = f"{each['description']} suomeksi"
        more, payload = self.wire(call, "error" if self.has("the root of errors is error") else "errors", data)
        headers |= more
        return (
            status,
            {**headers, **{name.replace("_", "-"): value for name, value in refusal.headers.items()}},
            payload,
        )

    def is_in_finnish(self, call: StubCall) -> bool:
        return call.headers.get("accept-language") == "fi" and not self.has(NO_EXTENSIONS)

    def wire(self, call: StubCall, root: str, data: Any) -> tuple[dict[str, str], bytes]:
        if call.format == "json":
            return {"Content-Type": "application/json; charset=utf-8"}, json.dumps(
                data, ensure_ascii=False
            ).encode()
        media_type = "application/xml" if self.has("XML is sent as application/xml") else "text/xml"
        prolog = "" if self.has("XML has no declaration") else '<?xml version="1.0" encoding="UTF-8"?>\n'
        return {"Content-Type": f"{media_type}; charset=utf-8"}, (prolog + self.element(root, data)).encode()

    def element(self, name: str, value: Any) -> str:
        if isinstance(value, list):
            item = ITEMS.get(name, "error" if name == "error" else "request")
            return (
                f"<{name}>{''.join(self.element(item, each) for each in value)}</{name}>" if value else f"<{name}/>"
            )
        if isinstance(value, dict):
            return f"<{name}>{''.join(self.element(key, each) for key, each in value.items())}</{name}>"
        if value is None or value == "":
            return f"<{name}/>"
        text = escape(ILLEGAL.sub("", str(value).lower() if isinstance(value, bool) else str(value)))
        if self.has("text is escaped twice") and name == "description":
            text = escape(text)
        return f"<{name}>{text}</{name}>"

    def route(self, call: StubCall) -> tuple[int, dict[str, str], bytes]:
        """Answer /<instance>/v2/<resource>; the instances are one, many, crash, secure, slow and jsonp.

        Sensors, bulk files and Inquiry have paths of their own."""
        instance, _, rest = call.path.lstrip("/").partition("/")
        if instance == "sensors":
            return self.sensors(call, rest)
        if instance == "bulk":
            return self.bulk(call, rest.rpartition(".")[2])
        if instance == "inquiry":
            return self.inquiry(call, rest.removeprefix("v1/"))
        resource = rest.removeprefix("v2/")
        if resource.partition(".")[0] == "discovery" and not rest.startswith("v2/"):
            return self.discovery(call, instance, resource)
        resource = self.negotiate(call, resource)
        if instance == "slow":
            self.calls += 1
            if self.calls > CALLS:
                raise Refusal(429, "Too many calls; wait a minute.", Retry_After="60")
        if instance == "crash" and call.method == "GET":
            raise Refusal(
                500, "Traceback: stub.py" if self.has("an error shows the traceback") else "Something went wrong."
            )
        return self.resource(call, instance, resource)

    def negotiate(self, call: StubCall, resource: str) -> str:
        """Set the format of the call by the suffix; returns the resource without its suffix."""
        stem, dot, suffix = resource.rpartition(".")
        if dot and suffix.lower() in ("xml", "json"):
            call.format = call.suffix = suffix.lower()
            return stem
        if dot and suffix == "cap":
            call.format = "xml"
            return resource
        if dot and suffix in FEEDS:
            call.format = FEEDS[suffix]
            return resource
        if dot and "/" not in resource:
            call.format = "xml"
        return resource

    def resource(self, call: StubCall, instance: str, resource: str) -> tuple[int, dict[str, str], bytes]:
        name, slash, argument = resource.partition("/")
        if call.method == "OPTIONS":
            return 204, {"Access-Control-Allow-Methods": "GET, POST"}, b""
        takes_posts = name in ("requests", "servicerequestupdates", "subscriptions")
        allowed = ("GET", "HEAD", "POST") if takes_posts else ("GET", "HEAD")
        known = name in ("services", "requests", "tokens")
        known = known or (name in (*OURS, "servicerequestupdates") and not self.has(NO_EXTENSIONS))
        if not known or (name == "tokens" and not slash):
            raise Refusal(404, "There is no such address <here>.")
        if call.method not in allowed:
            raise Refusal(405, "GET only.", Allow=", ".join(allowed))
        if call.method == "POST":
            self.read_form(call)
            if instance == "secure":
                raise Refusal(400, "Use HTTPS.") if not self.has("plain HTTP is accepted") else Refusal(200)
            if name == "requests" and argument.endswith(("/support", "/support/remove")):
                if self.has(NO_EXTENSIONS):
                    raise Refusal(404, "There is no such address.")
                return self.post_support(call, self.cities[self.jurisdiction(call, instance)], argument)
            if name == "subscriptions":
                return self.post_subscription(call, self.cities[self.jurisdiction(call, instance)])
            return self.post_update(call) if name == "servicerequestupdates" else self.post(call, instance)
        is_whole = name.startswith("jurisdictions") and instance == "many" and not call.get("jurisdiction_id")
        if name == "dumps" and slash:
            call.pairs.append(("jurisdiction_id", argument.partition("/")[0]))
        city = {} if is_whole else self.cities[self.jurisdiction(call, instance)]
        handler: Callable[..., tuple[int, dict[str, str], bytes]] = getattr(self, "get_" + name.replace(".", "_"))
        return handler(call, city, unquote(argument), bool(slash), instance)

    def jurisdiction(self, call: StubCall, instance: str) -> str:
        wanted = call.get("jurisdiction_id").lower().removeprefix("www.")
        served = [name for name in self.cities if (name != "city.example") == (instance == "many")]
        if not wanted and instance != "many":
            return "city.example"
        if not wanted:
            if self.has("jurisdiction is guessed"):
                return "a.example"
            raise Refusal(400, "jurisdiction_id is missing; send one of a.example, b.example.")
        if wanted not in served:
            raise Refusal(404, f"jurisdiction_id: {wanted} is not served here.")
        return wanted

    # --- Discovery

    def discovery(self, call: StubCall, instance: str, resource: str) -> tuple[int, dict[str, str], bytes]:
        suffix = resource.partition(".")[2]
        if not suffix and "text/html" in call.headers.get("accept", ""):
            return 200, {"Content-Type": "text/html; charset=utf-8"}, b"<!doctype html><title>Discovery</title>"
        call.format = suffix or "xml"
        if self.has("changeset is the present time"):
            self.changes += 1
        changeset = (self.now - timedelta(days=1) + timedelta(seconds=self.changes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        scheme = "http" if instance != "secure" or self.has("discovery names http") else "https"
        endpoint = {
            "specification": "http://wiki.open311.org/GeoReport_v2",
            "url": f"{scheme}://{call.headers['host']}/{instance}/v2",
            "changeset": changeset,
            "type": "production",
            "formats": ["text/xml", "application/json"],
        }
        data: Any = {
            "changeset": changeset,
            "contact": "Riverton",
            "key_service": "https://city.example/keys",
            "endpoints": [endpoint, {**endpoint, "type": "test"}],
        }
        if not self.has(NO_EXTENSIONS) and not self.has("discovery names no Inquiry"):
            specification = "http://wiki.open311.org/Inquiry_v1"
            address = f"{scheme}://{call.headers['host']}/inquiry/v1"
            data["endpoints"].append({**endpoint, "specification": specification, "url": address})
        if self.has("discovery is wrapped in JSON") and call.format == "json":
            data = {"discovery": data}
        headers, payload = self.wire(call, "discovery", data)
        return 200, headers, payload

    # --- Services

    def get_services(
        self, call: StubCall, city: dict[str, Any], code: str, single: bool, instance: str
    ) -> tuple[int, dict[str, str], bytes]:
        is_suggest = bool(call.suffix) or self.has("suggest works without suffix")
        if single and code == "suggest" and is_suggest and not self.has(NO_EXTENSIONS):
            return self.suggest(call, city)
        if single:
            return self.definition(call, city, code)
        services = [dict(each["wire"]) for each in city["services"].values()]
        if self.has("private services are listed") and "unlisted" in city:
            services.append(dict(UNLISTED[0]["wire"]))
        for each in services[: len(city["services"])]:
            each["service_name"] = city["services"][each["service_code"]]["service_name"]
        if call.get("lat") == "-48.87" and not self.has("services are offered outside the city"):
            services = []
        locale = call.get("locale") or call.headers.get("accept-language", "")
        if locale == "xx" and self.has("unknown language is refused"):
            raise Refusal(404, "No such language.")
        if locale == "fi":
            services = [{**each, "service_name": f"{each['service_name']} suomeksi"} for each in services]
        self.spoil_services(call, services)
        data: Any = services
        if call.format == "json" and self.has("services are wrapped in JSON"):
            data = {"services": services}
        headers, payload = self.wire(
            call, "service_list" if self.has("wrong root of services") else "services", data
        )
        tag = f'"{hash(payload)}"'
        headers |= {"ETag": tag, "Content-Language": "en", "Vary": "Accept, Accept-Language"}
        if call.headers.get("if-none-match") == tag:
            return 304, headers, b""
        return self.jsonp(call, instance, headers, payload)

    def kept_from_lists(self) -> list[dict[str, Any]]:
        return [UNLISTED[0]]

    def spoil_services(self, call: StubCall, services: list[dict[str, Any]]) -> None:
        for each in services if call.format == "json" else []:
            if self.has("codes are numbers") and each["service_code"].isdecimal():
                each["service_code"] = int(each["service_code"])
            if self.has("unset group is null"):
                each["group"] = each["group"] or None
            if self.has("metadata is a word"):
                each["metadata"] = str(each["metadata"]).lower()

    def jsonp(
        self, call: StubCall, instance: str, headers: dict[str, str], payload: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        name = call.get("callback")
        if instance != "jsonp" or not name:
            return 200, headers, payload
        if not name.isidentifier() and not self.has("any callback is accepted"):
            raise Refusal(400, "callback is no plain name.")
        return 200, {**headers, "Content-Type": "application/javascript"}, f"{name}(".encode() + payload + b");"

    def definition(self, call: StubCall, city: dict[str, Any], code: str) -> tuple[int, dict[str, str], bytes]:
        if not code:
            raise Refusal(400, "service_code is missing.")
        of = city["services"].get(code) or self.unlisted_service(call, city, code)
        attributes = self.form(call, [dict(each) for each in of["attributes"]])
        for each in attributes:
            if self.has("list without values"):
                each.pop("values", None)
            if self.has("order is missing"):
                each.pop("order")
        data: Any = {"service_code": of["service_code"], "attributes": attributes}
        if self.has("definition is an array in JSON") and call.format == "json":
            data = [data]
        headers, payload = self.wire(call, "service_definition", data)
        return 200, headers, payload

    # --- Tokens

    def get_tokens(
        self, call: StubCall, city: dict[str, Any], token: str, single: bool, instance: str
    ) -> tuple[int, dict[str, str], bytes]:
        if not token:
            raise Refusal(400, "token is missing.")
        if token not in city["tokens"]:
            raise Refusal(404, f"token: {token} was never issued.")
        request_id = city["tokens"][token]
        if not request_id and self.has("pending token is unknown"):
            raise Refusal(404, "token: not yet.")
        item = {"service_request_id": request_id, "token": token} if request_id else {"token": token}
        data: Any = item if self.has("token is an object in JSON") and call.format == "json" else [item]
        headers, payload = self.wire(call, "service_requests", data)
        return 200, headers, payload

    # --- Requests

    def get_requests(
        self, call: StubCall, city: dict[str, Any], request_id: str, single: bool, instance: str
    ) -> tuple[int, dict[str, str], bytes]:
        is_nearby = bool(call.suffix) or self.has("nearby works without suffix")
        if single and request_id == "nearby" and is_nearby and not self.has(NO_EXTENSIONS):
            return self.nearby(call, city)
        if single:
            return self.one_request(call, city, request_id)
        found, more = self.listed(call, city)
        headers, payload = self.wire(
            call,
            "requests" if self.has("wrong root of requests") else "service_requests",
            [self.shown(call, each) for each in found],
        )
        return 200, {**headers, **more}, payload

    def listed(self, call: StubCall, city: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """A page of the list, and the headers that link to the other pages."""
        if self.has("-unknown arguments are refused") and not {name for name, _ in call.pairs} <= set(STANDARD):
            raise Refusal(400, "There is an argument that nobody knows.")
        if self.has(NO_EXTENSIONS):
            call.pairs = [pair for pair in call.pairs if pair[0] in STANDARD]
        if call.get("account_id") and not self.has("account_id is ignored"):
            raise Refusal(400, "account_id is no filter.")
        found = self.find(call, city)
        if call.get("service_request_id_ext"):
            found = self.sent_as(call, city)
        size, number = self.page(call)
        first = 0 if self.has("page 2 repeats page 1") and number == 2 else (number - 1) * size
        rest = found if call.all("service_request_id") else self.after_cursor(call, found)[first:]
        page = rest[:size]
        self.around_links = self.links(call, page, number, len(rest) - len(page))
        headers = self.warnings(call)
        if self.around_links:
            headers["Link"] = ", ".join(f'<{url}>; rel="{name}"' for name, url in self.around_links.items())
        if len(page) == len(found) or call.get("count") == "true":
            headers["X-Total-Count"] = str(
                len(page) if self.has("the count is the number of items on the page") else len(found)
            )
        return page, {} if self.has(NO_EXTENSIONS) else headers

    def one_request(
        self, call: StubCall, city: dict[str, Any], request_id: str
    ) -> tuple[int, dict[str, str], bytes]:
        if not request_id:
            raise Refusal(400, "service_request_id is missing.")
        ids = [request_id] if request_id in city["requests"] else request_id.split(",")
        found = [city["requests"][each] for each in ids if each in city["requests"]]
        found = [each for each in found if each["private"] is not True]
        if not found and not (self.has("unknown id is an empty list") and request_id.startswith("no-such")):
            raise Refusal(404, f"service_request_id: there is no request {request_id}.")
        data: Any = [self.shown(call, each) for each in found]
        if self.has("single request is an object in JSON") and call.format == "json" and data:
            data = data[0]
        headers, payload = self.wire(call, "service_requests", data)
        return 200, headers, payload

    def shown(self, call: StubCall, stored: dict[str, Any]) -> dict[str, Any]:
        public = dict(stored["public"])
        if self.has("reporter is shown") and stored["email"]:
            public["email"] = stored["email"]
        if self.has("times have no zone"):
            public["requested_datetime"] = public["requested_datetime"].rstrip("Z")
        if self.has("coordinates are text") and call.format == "json":
            public |= {name: str(public[name]) for name in ("lat", "long") if public[name] is not None}
        if self.has("unset fields are left out"):
            public = {name: value for name, value in public.items() if value is not None}
        return public if self.has(NO_EXTENSIONS) else public | self.more(call, stored)

    def find(self, call: StubCall, city: dict[str, Any]) -> list[dict[str, Any]]:
        hidden = ("test", "pending") if self.has("private requests are listed") else ("test", "pending", True)
        stored = [each for each in city["requests"].values() if each["private"] not in hidden]
        ids = call.all("service_request_id")
        if ids and self.has("comma lists are ignored"):
            ids = [call.get("service_request_id")]
        if ids:
            return [each for each in stored if each["public"]["service_request_id"] in ids]
        found = [each for each in stored if self.matches(call, each["public"]) and self.fits(call, city, each)]
        return self.order(call, found)

    def page(self, call: StubCall) -> tuple[int, int]:
        names = ("page_size", "per_page", "limit", "max_requests")
        size = next((call.get(name) for name in names if call.get(name)), "1000")
        if not size.isdecimal() or int(size) < 1:
            raise Refusal(400, f"page_size: {size} is no number above 0.")
        number = call.get("page") or "1"
        if not number.isdecimal() or (number == "0" and self.has("page 0 is refused")):
            raise Refusal(400, f"page: {number} is no number.")
        return min(int(size), 1000), max(1, int(number))

    def matches(self, call: StubCall, public: dict[str, Any]) -> bool:
        statuses = [status.lower() for status in call.all("status")]
        if self.has("comma lists are ignored"):
            statuses = statuses[:1]
        if self.has("empty status counts") and ("status", "") in call.pairs:
            return False
        if set(statuses) - {"open", "closed"} and not self.has("unknown status is ignored"):
            raise Refusal(400, "status is open or closed.")
        codes = call.all("service_code")[: 1 if self.has("comma lists are ignored") else None]
        return (
            (not statuses or public["status"] in statuses)
            and (not codes or public["service_code"] in codes)
            and self.in_window(call, public)
            and self.in_place(call, public)
            and self.matches_text(call.get("q"), public["description"])
        )

    def in_window(self, call: StubCall, public: dict[str, Any]) -> bool:
        """Whether a request is in the window: by the last change, by its own time, or by both."""
        changed = [self.date(call, name) for name in ("updated_after", "updated_before")]
        updated = datetime.fromisoformat(public["updated_datetime"])
        if (changed[0] and updated < changed[0]) or (changed[1] and updated > changed[1]):
            return False
        is_dated = call.get("start_date") or call.get("end_date")
        if any(changed) and (not is_dated or self.has("dates are ignored with updated_after")):
            return True
        return self.in_dates(call, datetime.fromisoformat(public["requested_datetime"]))

    def in_dates(self, call: StubCall, moment: datetime) -> bool:
        start, end = (self.date(call, name) for name in ("start_date", "end_date"))
        if start and end and start > end:
            raise Refusal(400, "start_date is after end_date.")
        if start and end and end - start > timedelta(days=90) and not self.has("any window is accepted"):
            raise Refusal(400, "At most 90 days at once.")
        window = timedelta(days=90)
        if self.has("one date alone sets no window of 90 days"):
            start, end = start or (end and datetime.min.replace(tzinfo=UTC)), end or self.now + window
        if end is None:
            end = min(start + window, self.now + window) if start else self.now + window
        start = start or (end if end < self.now else self.now) - window
        return start <= moment <= end

    def date(self, call: StubCall, name: str) -> datetime | None:
        text = call.get(name)
        if not text:
            return None
        text = re.sub(r" (\d\d:\d\d)$", r"+\1", text).replace(" UTC", "Z")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise Refusal(400, f"{name}: {text} is no time.") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def in_place(self, call: StubCall, public: dict[str, Any]) -> bool:
        return self.in_box(call.get("bbox"), public) and self.in_circle(call, public)

    def in_box(self, text: str, public: dict[str, Any]) -> bool:
        if not text:
            return True
        box = text.split(",")
        if len(box) != 4:
            raise Refusal(400, "bbox is four numbers.")
        west, south, east, north = map(float, box)
        if south > north or south < -90 or north > 90:
            raise Refusal(400, "bbox is west,south,east,north.")
        lat, long = public["lat"], public["long"]
        if lat is None or not south <= lat <= north:
            return False
        if west > east and not self.has("boxes end at the 180th meridian"):
            return bool(long >= west or long <= east)
        return bool(west <= long <= east)

    def in_circle(self, call: StubCall, public: dict[str, Any]) -> bool:
        given = [call.get(name) for name in ("lat", "long", "radius")]
        if not any(given) or not given[2]:
            return True
        if not all(given):
            raise Refusal(400, "lat, long and radius go together.")
        is_number = re.fullmatch(r"\d+(\.\d+)?", given[2])
        if not is_number or not (0 < float(given[2]) <= 50_000 or self.has("radius has no limit")):
            raise Refusal(400, "radius is metres, at most 50000.")
        degrees = float(given[2]) / (100 if self.has("radius is read as kilometres") else 111_200)
        return public["lat"] is not None and (
            abs(public["lat"] - float(given[0])) <= degrees and abs(public["long"] - float(given[1])) <= degrees
        )

    # --- POST

    def read_form(self, call: StubCall) -> None:
        """Put the parameters of the body before those of the query, so that the body overrides."""
        if call.headers.get("content-encoding") == "gzip":
            call.body = gzip.decompress(call.body)
        if len(call.body) > LIMIT:
            raise Refusal(413, "The body is too large.")
        media_type = call.headers.get("content-type", "application/x-www-form-urlencoded")
        try:
            if media_type.startswith("multipart/form-data"):
                call.pairs[:0] = plain_names(self.read_parts(call, media_type))
            elif media_type.startswith("application/x-www-form-urlencoded"):
                body = call.body.decode()
                call.pairs[:0] = plain_names(parse_qsl(body, keep_blank_values=True, errors="strict"))
            else:
                raise Refusal(415, "Send a form.")
        except UnicodeDecodeError as error:
            raise Refusal(400, "The form is not UTF-8.") from error

    def read_parts(self, call: StubCall, media_type: str) -> list[tuple[str, str]]:
        message = BytesParser().parsebytes(f"Content-Type: {media_type}\r\n\r\n".encode() + call.body)
        pairs = []
        parts: list[Message] = message.get_payload()  # type: ignore[assignment]
        if not message.is_multipart() or (self.has("boundaries with = are not read") and "==" in media_type):
            raise Refusal(400, "The body has no parts.")
        for part in parts:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if part.get_filename():
                name = str(part.get_param("name", header="content-disposition"))
                if name.startswith("media") or not self.has("photos have one field name"):
                    call.files.append((name, content))
            else:
                pairs.append((str(part.get_param("name", header="content-disposition")), content.decode()))
        return pairs

    def check_key(self, call: StubCall) -> str:
        bearer = call.headers.get("authorization", "").removeprefix("Bearer ")
        key = call.get("api_key") or bearer or call.headers.get("x-api-key", "")
        if key not in KEYS:
            is_other = "update_id" in dict(call.pairs) or re.search(
                "/subscriptions|/support", call.path
            )  # faults of other families
            lax = self.has("a bad key is 400") and not is_other
            raise Refusal(400 if lax else 403, "api_key is missing or wrong.")
        return key

    def post(self, call: StubCall, instance: str) -> tuple[int, dict[str, str], bytes]:
        key = self.check_key(call)
        city = self.cities[self.jurisdiction(call, instance)]
        code = call.get("service_code")
        if not code:
            raise Refusal(400, "service_code is missing.")
        of = city["services"].get(code) or self.unlisted_service(call, city, code)
        if self.has("-back office down") and self.has("a dead back office is 502"):
            raise Refusal(502, "Back office down.")
        retry = call.headers.get("idempotency-key", "")
        self.check_hops(call)
        is_other = bool(retry) and self.sent_files.setdefault(retry, call.files) != call.files
        if is_other and not self.has("repeats with other files are taken"):
            raise Refusal(400, "Idempotency-Key was used for another request.")
        first = self.sent_before(call, city, of, key)
        if first is None and (retry not in self.retries or not retry):
            self.retries[retry] = [self.file(call, city, of, key)]
        data: Any = [first] if first else self.retries[retry]
        self.keep_own_id(call, city, of, key, data[0])
        data = [self.linked(call, data[0])]
        if self.has("receipt is an object in JSON") and call.format == "json":
            data = data[0] | ({"api_key": key} if self.has("key is quoted") else {})
        unknown = self.unknown(call, of)
        unknown |= self.warning_about_service(call, of)
        if self.is_in_finnish(call):
            unknown["Content-Language"] = "fi"
            if not self.has("notices claim a language that they are not in"):
                data = [{**data[0], "service_notice": "Kolmen päivän kuluessa."}]
        headers, payload = self.wire(call, "service_requests", data)
        status = 202 if self.has("success is 202") else 200
        return status, {**headers, **unknown, "Cache-Control": "no-store"}, payload

    def unknown(self, call: StubCall, of: dict[str, Any]) -> dict[str, str]:
        known = {f"attribute[{attribute['code']}]" for attribute in of["attributes"]}
        names = [name for name, _ in call.pairs if name.startswith(("attribute[NO", "no_such"))]
        is_silent = self.has("unknown names pass in silence")
        texts = [f'299 - "{name} is ignored"' for name in names if name not in known and not is_silent]
        if not self.has("unknown suggestions pass in silence"):
            texts += [
                f'299 - "{one} is not counted"' for one in call.get("suggestion").split(",") if "no-such" in one
            ]
        if not self.has("dropped files pass in silence"):
            texts += [f'299 - "The file in {name} is no photo."' for name in call.dropped()]
        if call.get("sms") == "true" and not self.has("text messages pass in silence"):
            texts.append('299 - "sms is ignored: this city sends none"')
        return {"Warning": ", ".join(texts)} if texts and not self.has(NO_EXTENSIONS) else {}

    def file(self, call: StubCall, city: dict[str, Any], of: dict[str, Any], key: str) -> dict[str, Any]:
        location = self.location(call)
        attributes, problems = self.attributes(call, of["attributes"])
        description = call.get("description").replace("\r\n", "\n")
        if len(description) > 4000 and not self.has("a long description is cut"):
            problems.append("description has more than 4000 characters.")
        if call.get("sms") not in ("", "true", "false") and not self.has(NO_EXTENSIONS):
            problems.append("sms must be true or false.")
        if "\0" in description:
            problems.append("description holds NUL.")
        media = [value for name, value in call.pairs if name == "media_url"]
        if not all(re.match("https?://", url) for url in media):
            problems.append("media_url is no web address.")
        if problems:
            raise Refusal(400, *problems)
        request_id = f"{1000 + len(city['requests'])}"
        photos = self.keep_photos(call, request_id)
        media = [*photos, *media] if self.has("photos come before sent addresses") else [*media, *photos]
        stored = self.request(
            request_id,
            of["service_code"],
            0,
            description=ILLEGAL.sub("", description)[:4000] or None,
            address=call.get("address_string") or call.get("address") or None,
            media_url=media[0] if media else None,
            private=self.unlisted(of, key),
            **location,
        )
        original = self.original(city, of["service_code"], call, key)
        stored |= {"attributes": attributes, "email": call.get("email")}
        stored["extended"] = {"media_urls": media, "possible_duplicate_of": original}
        city["requests"][request_id] = stored
        if not stored["private"]:
            city["feed"].append((request_id, self.now))
        return self.receipt(call, of, request_id)

    def keep_photos(self, call: StubCall, request_id: str, first: int = 0) -> list[str]:
        """Keep the photos of a call. Returns their addresses. `first`: the number of the first photo."""
        names = [f"{request_id}-{number}" for number, _ in enumerate(call.pictures(), first)]
        self.photos |= dict(zip(names, call.pictures(), strict=True))
        return [f"http://{call.headers['host']}/one/v2/media/city.example/{name}.jpg" for name in names]

    def unlisted(self, of: dict[str, Any], key: str) -> str | bool:
        """The reason why a new request is in no list, or False."""
        if key == "testkey" and not self.has("test requests are listed"):
            return "test"
        return "pending" if of["type"] != "realtime" else False

    def receipt(self, call: StubCall, of: dict[str, Any], request_id: str) -> dict[str, Any]:
        notices = ["Within three days."]
        if call.pictures() and not self.has(NO_EXTENSIONS):
            notices.append(f"{len(call.pictures())} photos are being prepared.")
        notices += [f"The file in {name} is no photo." for name in call.dropped()]
        if call.get("sms") == "true" and not self.has(NO_EXTENSIONS):
            notices.append("You get no text messages.")
        more = {"service_notice": " ".join(notices), "account_id": call.get("account_id") or None}
        if of["type"] == "realtime":
            number = self.has("receipt has the id as a number") and call.format == "json"
            return {"service_request_id": int(request_id) if number else request_id, **more}
        if of["type"] == "batch":
            self.cities["city.example"]["tokens"][f"t-{request_id}"] = request_id
            return {"token": f"t-{request_id}", **more}
        return more

    def location(self, call: StubCall) -> dict[str, Any]:
        lat, long = call.get("lat"), call.get("long") or call.get("lng")
        if bool(lat) != bool(long) and not self.has("half a point is accepted"):
            raise Refusal(400, "lat and long go together.")
        if not lat or not long:
            if not (call.get("address_string") or call.get("address") or call.get("address_id") or lat or long):
                raise Refusal(400, "Send lat and long, address_string or address_id.")
            return {"lat": None, "long": None}
        try:
            place = {"lat": float(lat), "long": float(long)}
        except ValueError as error:
            raise Refusal(400, "lat and long are numbers.") from error
        if not (-10 <= place["lat"] <= 65 and -10 <= place["long"] <= 30):
            raise Refusal(400, "The point lies outside the city.")
        if self.has("the number zero is read as missing") and 0 in place.values():
            return {"lat": None, "long": None}
        return place

    def attributes(self, call: StubCall, questions: list[dict[str, Any]]) -> tuple[list[dict[str, str]], list[str]]:
        found, problems = self.unasked(call, questions)
        for question in questions:
            code = question["code"]
            pattern = re.compile(rf"attribute\[{re.escape(code)}\](\[\d*\])?")
            values = [value for name, value in call.pairs if pattern.fullmatch(name) and value.strip()]
            if self.has("only the first value of an attribute counts"):
                values = values[:1]
            problem = self.problem(question, values)
            problems += [f"{code} {problem}"] if problem else []
            words = {"code": code, "label": question["description"]}
            found += [{**words, "value": value, "name": value.upper()} for value in values]
        return found, problems

    def problem(self, question: dict[str, Any], values: list[str]) -> str:
        if not question["variable"]:
            return ""
        if question["required"] and not values and not self.has("required attributes are not checked"):
            return "is required."
        datatype = question["datatype"]
        if datatype != "multivaluelist" and len(values) > 1:
            return "takes one value."
        keys = [value["key"] for value in question.get("values", [])]
        if keys and any(value not in keys for value in values):
            return f"is one of {keys}."
        tests: dict[str, Callable[[str], bool]] = {
            "number": lambda value: bool(re.fullmatch(r"-?\d+(\.\d+)?", value)),
            "datetime": lambda value: bool(re.match(r"\d{4}-\d\d-\d\d", value)),
            "string": lambda value: "\n" not in value,
        }
        return "is wrong." if not all(tests.get(datatype, bool)(value) for value in values) else ""

    # --- Updates

    def get_servicerequestupdates(
        self, call: StubCall, city: dict[str, Any], _: str, single: bool, instance: str
    ) -> tuple[int, dict[str, str], bytes]:
        old = {**UPDATE, "updated_datetime": self.ago(2)}
        older = {**UPDATE, "update_id": "u0", "updated_datetime": self.ago(3)}
        data: Any = [older, old, *self.updates] if "R1" in city["requests"] else []
        if self.has("updates are newest first"):
            data = [*reversed(self.updates), old, older]
        if self.has("updates name unknown requests"):
            data = [{**old, "service_request_id": "gone"}, *self.updates]
        if self.has("updates have an unknown status"):
            data = [{**old, "status": "DONE"}, *self.updates]
        if self.has("update ids change"):
            self.listings += 1
            data = [{**old, "update_id": f"u{self.listings}"}, *self.updates]
        if self.has("updates are wrapped in JSON") and call.format == "json":
            data = {"service_request_updates": data}
        headers, payload = self.wire(call, "service_request_updates", data)
        return 200, headers, payload

    def add_photos(self, call: StubCall, update: dict[str, Any]) -> None:
        """Show the photos of an update in the update and in its request."""
        request = self.cities["city.example"]["requests"][update["service_request_id"]]
        urls = request["extended"]["media_urls"] if "extended" in request else []
        new = self.keep_photos(call, update["service_request_id"], len(urls))
        if new and not self.has("photos of updates are left out"):
            urls += new
            update["media_url"] = new[0]

    def post_update(self, call: StubCall) -> tuple[int, dict[str, str], bytes]:
        self.check_key(call)
        update = {name: call.get(name) for name in UPDATE}
        missing = [f"{name} is missing." for name, value in update.items() if not value]
        if missing:
            raise Refusal(400, *missing)
        if update["status"].islower() and self.has("a status in small letters is refused"):
            raise Refusal(400, "status is unknown.")
        update["status"] = update["status"].lower()
        known = next((each for each in self.updates if each["update_id"] == update["update_id"]), None)
        repeat_key = call.headers.get("idempotency-key", "")
        if known and repeat_key and not self.has("repeated updates are refused"):
            headers, payload = self.wire(call, "service_request_updates", [{"update_id": update["update_id"]}])
            return 200, headers, payload
        if known and not self.has("an update with a known id is stored again"):
            raise Refusal(400, "update_id was sent before.")
        if update["service_request_id"] not in self.cities["city.example"]["requests"]:
            raise Refusal(404, "service_request_id: there is no such request.")
        headers, payload = self.wire(call, "service_request_updates", [{"update_id": update["update_id"]}])
        if update["status"] != "open" and not self.has("no Warning for a status without effect"):
            headers["Warning"] = '299 - "status has no effect"'
        self.add_photos(call, update)
        self.updates.append({**update, "status": "open"})
        return 200, headers, payload


UPDATE = {
    "update_id": "u1",
    "service_request_id": "R1",
    "status": "open",
    "updated_datetime": "",
    "description": "Seen.",
}


def service(
    code: str, name: str, description: str, kind: str, keywords: str, group: str, attributes: Any = ()
) -> dict[str, Any]:
    wire = {
        "service_code": code,
        "service_name": name,
        "description": description,
        "metadata": bool(attributes),
        "type": kind,
        "keywords": keywords,
        "group": group,
    }
    return {"wire": wire, "service_code": code, "service_name": name, "type": kind, "attributes": list(attributes)}


def attribute(order: int, code: str, datatype: str, required: bool = False, keys: str = "") -> dict[str, Any]:
    plain = {
        "variable": code != "INFO",
        "code": code,
        "datatype": datatype,
        "required": required,
        "datatype_description": "",
        "order": order,
        "description": f"About {code.lower()}",
    }
    return plain | ({"values": [{"key": key, "name": key.upper()} for key in keys.split()]} if keys else {})


GRAFFITI = (
    attribute(1, "SURFACE", "singlevaluelist", True, "brick metal"),
    attribute(2, "TAGS", "multivaluelist", keys="a b x,y"),
    attribute(3, "HEIGHT", "number"),
    attribute(4, "SEEN", "datetime"),
    attribute(5, "NOTE", "text"),
    attribute(6, "PLATE", "string"),
    attribute(7, "INFO", "string", True),
)
OPTIONAL = (attribute(1, "LOUD", "string"),)
SIGNS = (
    attribute(1, "FAULT", "singlevaluelist", True, "bent other"),
    attribute(2, "OTHER", "text"),
    attribute(3, "MAKER", "string"),
)
UNLISTED = (
    service("secret", "In confidence", "", "realtime", "", ""),
    service("signs", "Sign", "", "realtime", "", "", SIGNS),
)


class StubAdapter(BaseAdapter):
    """Passes the calls of a requests session directly to a stub."""

    def __init__(self, stub: StubServer) -> None:
        super().__init__()
        self.stub = stub

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        body = request.body if isinstance(request.body, bytes) else b""
        return _answered(
            self.stub, request.method or "GET", request.url or "", dict(request.headers), body, request
        )

    def close(self) -> None:
        pass


class StubSession(requests.Session):
    """A session that sends calls to http://stub.example to a stub.

    A conformance run makes about a thousand calls, and the library requests needs as much time to prepare a call as
    the stub needs to answer it. So a call that is plain is passed on unprepared. requests follows redirects.
    """

    def __init__(self, stub: StubServer) -> None:
        super().__init__()
        self.stub = stub
        self.mount("http://stub.example", StubAdapter(stub))

    def request(  # type: ignore[override]  # the suite gives all arguments of a call by these names
        self, method: str, url: str, *, data: bytes | None = None, headers: dict[str, str], **options: Any
    ) -> requests.Response:
        if not url.startswith("http://stub.example/") or not _PLAIN.fullmatch(url):
            return super().request(method, url, data=data, headers=headers, **options)
        sent = {name: str(value) for name, value in {**self.headers, **headers}.items()}
        if data or method == "POST":
            sent["Content-Length"] = str(len(data or b""))
        response = _answered(self.stub, method, url, sent, data or b"")
        if response.is_redirect and options["allow_redirects"]:
            return super().request(method, url, data=data, headers=headers, **options)
        return response


_PLAIN = re.compile(r"[!-~]*")


def _answered(
    stub: StubServer,
    method: str,
    address: str,
    headers: dict[str, str],
    body: bytes,
    request: requests.PreparedRequest | None = None,
) -> requests.Response:
    url = urlsplit(address)
    target = url.path + (f"?{url.query}" if url.query else "")
    status, sent, payload = stub.answer(method, target, {**headers, "Host": url.netloc}, body)
    response = requests.Response()
    response.status_code = status
    response.headers.update({"Content-Length": str(len(payload)), **sent})
    response._content = payload
    response._content_consumed = True  # type: ignore[attr-defined]  # types-requests lacks this attribute
    response.request, response.url = request or requests.PreparedRequest(), address
    return response


def session_to(stub: StubServer) -> requests.Session:
    """A session that sends calls to http://stub.example to the stub."""
    return StubSession(stub)


class ClientInMemory(Client):
    """The client of a run against a stub in memory. It starts no threads, because such a stub always answers."""

    def _in_time(self, call: Call) -> Answer:
        return self._exchange(call)


@contextmanager
def serve(stub: StubServer) -> Iterator[str]:
    """Serve the stub on a port of the loopback; returns its origin."""

    def answer(asked: Asked) -> Reply:
        status, headers, body = stub.answer(asked.method, asked.target, dict(asked.headers), asked.body)
        return Reply(body, "", status, headers)

    with serving(answer) as server:
        yield server.origin


@cache
def _texts() -> frozenset[str]:
    """All texts in the code of the stub."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in Path(__file__).parent.glob("stub_*.py"))
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset(text for text in constants if isinstance(text, str))
