"""The extensions of the stub server, by the rules of spec/extensions.md."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

Reply = tuple[int, dict[str, str], bytes]
Box = tuple[float, float, float, float]

NO_EXTENSIONS = "-no extensions"
EXTENDED: dict[str, Any] = {
    **dict.fromkeys(("detailed_status", "outcome", "channel", "closed_datetime", "department", "group")),
    "areas": [],
    "media_urls": [],
    "possible_duplicate_of": None,
}
NAMES = ("extended_attributes", "notes", "attributes")
BOUNDARY: Box = (-10.0, -10.0, 30.0, 65.0)
AREAS: dict[str, Box] = {"Harbour": (24.9, 60.1, 25.0, 60.174), "Hills": (24.9, 60.1735, 25.0, 60.3)}
DEPARTMENTS = ("rivers", "roads")
MISSPELT = {"group_by": "group", "lng": "long", "startDate": "start_date", "start-date": "start_date"}
CITY = "Riverton – ☂"
LICENCE = "https://licence.example/by"
BULK = (
    *("service_request_id", "requested_datetime", "updated_datetime", "closed_date", "status_description"),
    *("status_notes", "source", "service_name", "service_subtype", "description", "agency_responsible"),
    *("address", "lat", "long"),
)
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
GEO = b'{"version":"1.1.0","primary_column":"geometry","encoding":"WKB","crs":"OGC:CRS84","bbox":[0,0,1,1]}'


class Refusal(Exception):
    def __init__(self, status: int, *descriptions: str, **headers: str) -> None:
        super().__init__(status)
        self.status, self.descriptions, self.headers = status, descriptions, headers


class Extensions(ABC):
    """The extensions of StubServer, with the same faults and the same data."""

    now: datetime
    cities: dict[str, dict[str, Any]]
    columns: tuple[str, ...]
    around_links: dict[str, str]
    secrets: dict[str, str]
    photos: dict[str, bytes]
    observed: dict[str, Any] | None = None

    @abstractmethod
    def has(self, fault: str) -> bool: ...

    @abstractmethod
    def supporters_of(self, stored: dict[str, Any]) -> dict[str, Any]: ...

    @abstractmethod
    def ago(self, days: float) -> str: ...

    @abstractmethod
    def date(self, call: Any, name: str) -> datetime | None: ...

    @abstractmethod
    def element(self, name: str, value: Any) -> str: ...

    @abstractmethod
    def listed(self, call: Any, city: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]: ...

    @abstractmethod
    def page(self, call: Any) -> tuple[int, int]: ...

    @abstractmethod
    def shown(self, call: Any, stored: dict[str, Any]) -> dict[str, Any]: ...

    @abstractmethod
    def wire(self, call: Any, root: str, data: Any) -> tuple[dict[str, str], bytes]: ...

    # --- Search and pages

    def fits(self, call: Any, city: dict[str, Any], stored: dict[str, Any]) -> bool:
        """Whether a request matches the filters for group, keyword, agency, area and photo."""
        public = stored["public"]
        wire = city["services"].get(public["service_code"], {"wire": {}})["wire"]
        words = [word.strip().lower() for word in wire.get("keywords", "").split(",")]
        has_photo = call.get("has_photo")
        return (
            (not call.get("group") or wire.get("group") == call.get("group"))
            and (not call.get("keyword") or self.has("keyword is ignored") or call.get("keyword").lower() in words)
            and call.get("agency_responsible") in ("", public["agency_responsible"])
            and (call.get("department") in ("", department_of(public)) or self.has("department is ignored"))
            and (not call.get("area") or self.has("area is ignored") or call.get("area") in areas_at(public))
            and (
                self.has("has_photo is ignored")
                or has_photo not in ("true", "false")
                or (has_photo == "true") == bool(public["media_url"])
            )
        )

    def matches_text(self, query: str, description: str | None) -> bool:
        """Whether a description matches a search text: all words, no word with a minus, or one side of OR."""
        if " OR " in query:
            return any(self.matches_text(part, description) for part in query.split(" OR "))
        for word in re.findall(r'-?"[^"]+"|\S+', query.lower()):
            wanted = not word.startswith("-") or self.has("search knows no minus")
            if (word.strip('-"') in (description or "").lower()) != wanted:
                return False
        return True

    def order(self, call: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sort = call.get("sort")
        if sort not in ("", "requested", "-requested", "updated", "-updated"):
            raise Refusal(400, "sort is unknown.")
        name = "updated_datetime" if "updated" in sort else "requested_datetime"
        descends = sort in ("", "-requested", "-updated") or self.has("sort cannot begin with the smallest value")
        if not sort and self.has("the list begins with the oldest request"):
            descends = False
        return sorted(
            found, key=lambda each: (each["public"][name], each["public"]["service_request_id"]), reverse=descends
        )

    def after_cursor(self, call: Any, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items of a list that follow the last item of the previous page."""
        if not call.get("cursor"):
            return found
        sort, start, place, request_id = read_cursor(call.get("cursor"))
        if call.get("sort") not in ("", sort) or call.get("start_date") not in ("", start):
            raise Refusal(400, "cursor belongs to another order or other dates.")
        ids = [each["public"]["service_request_id"] for each in found]
        first = int(place) if self.has("cursor is a page number") else ids.index(request_id) + 1
        return found[first + (1 if self.has("a walk skips requests") else 0) :]

    def links(self, call: Any, page: list[dict[str, Any]], number: int, rest: int) -> dict[str, str]:
        links = {}
        if number > 1 or call.get("cursor"):
            links["first"] = self.url(call)
        if number > 1:
            links["prev"] = self.url(call, page=str(number - 1))
        if rest and page:
            last = page[-1]["public"]["service_request_id"]
            place = str(len(page) * number)
            cursor = "|".join((call.get("sort") or "-requested", call.get("start_date"), place, last))
            links["next"] = self.url(call, cursor=cursor.encode().hex())
        if self.has("Link has no first"):
            links.pop("first", None)
        return links

    def url(self, call: Any, **more: str) -> str:
        pairs = [(name, value) for name, value in call.pairs if name not in ("page", "cursor", "since")]
        return f"http://{call.headers['host']}{call.path}?{urlencode([*pairs, *more.items()])}"

    def warnings(self, call: Any) -> dict[str, str]:
        texts = [
            f'299 - "{name} is ignored; did you mean {MISSPELT[name]}?"'
            for name, _ in call.pairs
            if name in MISSPELT
        ]
        texts = [] if self.has("misspelt parameters pass in silence") else texts
        if not self.has("a cut page passes in silence"):
            beside = call.get("service_request_id") and call.get("status")
            cuts = {"page_size": call.get("page_size") == "5000", "status": beside, "lat": call.get("lat")}
            texts += [f'299 - "{name} is cut or ignored"' for name, is_cut in cuts.items() if is_cut]
        if call.get("department") and call.get("department") not in DEPARTMENTS:
            texts.append(f'299 - "department is not one of {", ".join(DEPARTMENTS)}"')
        start = call.get("start_date")
        if start and not call.get("end_date") and not self.has("an early end passes in silence"):
            end = self.date(call, "start_date") + timedelta(days=90)
            texts += [f'299 - "go on with start_date={end:%Y-%m-%dT%H:%M:%SZ}"'] if end < self.now else []
        return {"Warning": ", ".join(texts)} if texts else {}

    # --- Offers and forms

    def unlisted_service(self, call: Any, city: dict[str, Any], code: str) -> dict[str, Any]:
        """A service that the list lacks, or the successor of such a service. Raises Refusal if there is none."""
        unlisted = {} if self.has(NO_EXTENSIONS) else city.get("unlisted", {})
        found: dict[str, Any] | None = None if self.has("private services are refused") else unlisted.get(code)
        if unlisted and code == "old-potholes" and not self.has("old codes are unknown"):
            found = city["services"]["potholes"]
        if unlisted and code == "crew" and call.method == "POST":
            found = unlisted["secret"]
            if not self.has("anybody may report to services for staff"):
                raise Refusal(403, "service_code: crew is only for staff.")
        if unlisted and code == "phone-box" and not self.has("ended services give no advice"):
            raise Refusal(404, "service_code: phone-box is not offered any more. Ask the telephone company.")
        if found is None:
            raise Refusal(404, f"service_code: there is no service {code}.")
        return found

    def form(self, call: Any, attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The attributes of a definition: in the standard's form, or with their rules."""
        if call.get("extensions") == "true" and not self.has(NO_EXTENSIONS):
            return [{**each, "extended_attributes": self.rules(each)} for each in attributes]
        for each in attributes:
            if each["code"] == "OTHER" and self.has("conditional questions are required"):
                each["required"] = True
        return [each for each in attributes if each["code"] != "MAKER"]

    def rules(self, attribute: dict[str, Any]) -> dict[str, Any]:
        code = attribute["code"]
        has_condition = code == "OTHER" and not self.has("conditions are left out")
        return {
            "automated": "hidden_field" if code == "MAKER" else None,
            "required_if_asked": attribute["required"] or code == "OTHER",
            "defaults": [],
            "conditions": [{"attribute": "FAULT", "values": ["other"]}] if has_condition else [],
            "asset_layer": None,
        }

    def warning_about_service(self, call: Any, of: dict[str, Any]) -> dict[str, str]:
        """The Warning about a replaced service, or about an answer to a question that is not asked."""
        code = call.get("service_code")
        if code == "old-potholes":
            return {"Warning": f'299 - "{code} is replaced by {of["service_code"]}"'}
        is_unasked = call.get("attribute[OTHER]") and call.get("attribute[FAULT]") != "other"
        if is_unasked and not self.has("answers to questions that are not asked pass in silence"):
            return {"Warning": '299 - "attribute[OTHER] is ignored"'}
        return {}

    def unasked(self, call: Any, questions: list[dict[str, Any]]) -> tuple[list[dict[str, str]], list[str]]:
        """No answers yet, and a problem if a question that depends on another answer is asked and not answered."""
        is_asked = call.get("attribute[FAULT]") == "other" and any(each["code"] == "OTHER" for each in questions)
        return [], ["OTHER is required."] if is_asked and not call.get("attribute[OTHER]") else []

    # --- The reporter's own view

    def linked(self, call: Any, item: dict[str, Any]) -> dict[str, Any]:
        """A receipt, with a link to its request if the call asks for one."""
        wants = call.get("extensions") == "true"
        if self.has(NO_EXTENSIONS) or not wants or "service_request_id" not in item:
            return item
        request_id = str(item["service_request_id"])
        if self.has("a repeated call ends the first link"):
            self.secrets = {one: other for one, other in self.secrets.items() if other != request_id}
        secret = uuid4().hex
        self.secrets[secret] = request_id
        if self.has("status_url is no address"):
            return {**item, "extended_attributes": {"status_url": secret}}
        url = f"http://stub.example/one/v2/status/{secret}.{call.format}"
        return {**item, "extended_attributes": {"status_url": url}}

    def get_status(
        self, call: Any, city: dict[str, Any], secret: str, single: bool, instance: str
    ) -> tuple[int, dict[str, str], bytes]:
        found = city["requests"].get(self.secrets.get(secret, ""))
        if found is None:
            raise Refusal(404, f"{secret} is no link." if self.has("wrong links are quoted") else "No link.")
        item = dict(found["public"])
        if self.has("links show the reporter"):
            item = item | {"description": found["email"]}
        if call.get("extensions") == "true" and "/media/city.example/" in str(item["media_url"]):
            state = "lost" if self.has("a photo has an unknown state") else "shown"
            item["photos"] = [{"state": state, "description": "Everybody can see it."}]
        headers, payload = self.wire(call, "service_requests", [item])
        kept = "public" if self.has("links may be kept by caches") else "private, no-store"
        return 200, {**headers, "Cache-Control": kept, "Referrer-Policy": "no-referrer"}, payload

    # --- Own ids of partners

    @abstractmethod
    def check_key(self, call: Any) -> str: ...

    def own_id(self, call: Any, of: dict[str, Any]) -> str:
        if self.has(NO_EXTENSIONS):
            return ""
        if len(call.get("service_request_id_ext")) > 200 and not self.has("own ids have any length"):
            raise Refusal(400, "service_request_id_ext is too long.")
        return str(call.get("service_request_id_ext") or call.get("attribute[external_id]"))

    def check_hops(self, call: Any) -> None:
        """Refuse a request that has passed too many servers."""
        via = [hop.strip() for hop in call.headers.get("open311-via", "").split(",") if hop.strip()]
        if not all(re.fullmatch(r"[\w.-]+=[\w%.~-]+", hop) for hop in via):
            raise Refusal(400, "Open311-Via is not a list of hops.")
        if len(via) > 8 and not self.has("any number of hops is accepted"):
            raise Refusal(400, "Open311-Via has too many hops.")

    def sent_before(self, call: Any, city: dict[str, Any], of: dict[str, Any], key: str) -> Any:
        """The first answer to a POST with the same own id; None if there was none."""
        sent = city.setdefault("own", {}).get((key, self.own_id(call, of)))
        if sent is None or self.has("own ids make new requests"):
            return None
        if sent["description"] != call.get("description"):
            raise Refusal(400, "service_request_id_ext is the id of another report.")
        return sent["receipt"]

    def keep_own_id(self, call: Any, city: dict[str, Any], of: dict[str, Any], key: str, receipt: Any) -> None:
        if own_id := self.own_id(call, of):
            city["own"][key, own_id] = {"receipt": receipt, "description": call.get("description")}

    def sent_as(self, call: Any, city: dict[str, Any]) -> list[dict[str, Any]]:
        """The request that has the caller's own id."""
        key = "goodkey" if self.has("anybody finds own ids") else self.check_key(call)
        sent = city.get("own", {}).get((key, call.get("service_request_id_ext")))
        found = city["requests"].get(str(sent["receipt"].get("service_request_id"))) if sent else None
        return [found] if found else []

    def own_id_of(self, call: Any, request_id: str) -> dict[str, str]:
        """The caller's own id of a request, in extended_attributes."""
        for city in self.cities.values():
            for (key, own_id), sent in city.get("own", {}).items():
                is_own = self.has("own ids are public") or call.headers.get("x-api-key") == key
                if is_own and str(sent["receipt"].get("service_request_id")) == request_id:
                    return {"service_request_id_ext": own_id}
        return {}

    # --- Additional fields of a request

    def more(self, call: Any, stored: dict[str, Any]) -> dict[str, Any]:
        """The extensions of a request that the call asks for."""
        words = {word for word in call.all("extensions") if word != "false"}
        if words - {"true", "all", *NAMES} and not self.has("unknown extensions are ignored"):
            raise Refusal(400, "extensions: send true or some of extended_attributes, notes, attributes.")
        if words & {"true", "all"} or (words and self.has("one extension brings all")):
            words = set(NAMES)
        public = stored["public"]
        found_at = {"areas": areas_at(public), "department": department_of(public)}
        extended = {**EXTENDED, **stored["extended"], **found_at}
        extended |= self.supporters_of(stored)
        extended |= self.own_id_of(call, public["service_request_id"])
        if self.has("requests have no areas"):
            extended["areas"] = []
        if self.has("outcome is left out"):
            del extended["outcome"]
        notes = stored["notes"][:: -1 if self.has("notes are newest first") else 1]
        show_hidden = self.has("hidden answers are shown")
        attributes = [dict(each) for each in stored["attributes"] if each["code"] != "MAKER" or show_hidden]
        for each in attributes if self.has("attributes have no names") else []:
            del each["name"]
        values = {"extended_attributes": extended, "notes": notes, "attributes": attributes}
        found = {name: values[name] for name in NAMES if name in words}
        if found and call.get("radius"):
            found["distance"] = self.distance(call, stored)
        return found

    def distance(self, call: Any, stored: dict[str, Any]) -> float:
        """The distance of a request from the point of the call, in metres."""
        public = stored["public"]
        return distance_m(public, call) / (1000 if self.has("distance is in kilometres") else 1)

    # --- Changes

    def get_changes(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        feed, position = city["feed"], self.position(call, city)
        if not call.get("wait").isdecimal() and call.get("wait"):
            raise Refusal(400, "wait is a number of seconds.")
        if float(call.get("wait") or 0) > 25 and self.has("long waits are refused"):
            raise Refusal(400, "wait is at most 25.")
        last = {request_id: serial for serial, (request_id, _) in enumerate(feed, 1)}
        entries = [
            (serial, request_id)
            for serial, (request_id, _) in enumerate(feed, 1)
            if serial > position
            and (last[request_id] == serial or self.has("the feed has each change of a request"))
        ]
        size = 1000 if self.has("the feed ignores page_size") else self.page(call)[0]
        page = entries[:size]
        reached = page[-1][0] if page else max(position, len(feed))
        chosen = [city["requests"][request_id] for _, request_id in page]
        if call.get("department") and not self.has("the feed has all departments"):
            wanted = call.get("department")
            chosen = [each for each in chosen if each["private"] or department_of(each["public"]) == wanted]
        items = [self.change(call, each) for each in chosen]
        headers, payload = self.wire(call, "changes", items)
        cursor = f"{city['name']}:{reached}".encode().hex()
        is_end = len(page) == len(entries) or self.has("the feed is always caught up")
        headers |= {"X-Cursor": cursor, "X-Caught-Up": "true" if is_end else "false"}
        headers["Link"] = f'<{self.url(call, cursor=cursor)}>; rel="next"'
        if not page and self.has("an empty feed has no cursor"):
            del headers["X-Cursor"]
        return self.tagged(call, headers, payload)

    def position(self, call: Any, city: dict[str, Any]) -> int:
        """The number of the last change that the caller has seen."""
        if text := call.get("cursor"):
            name, _, number = unhex(text).partition(":")
            if name != city["name"] or not number.isdecimal():
                raise Refusal(400, "cursor is none of this feed.")
            if int(number) > len(city["feed"]) and not self.has("a future cursor is taken"):
                raise Refusal(410, "cursor is of a future; begin anew.")
            return int(number)
        if not call.get("since"):
            return 0
        since = self.date(call, "since")
        if self.has("since begins too late"):
            since += timedelta(days=30)
        if since < self.now - timedelta(days=90):
            return 0
        return sum(at < since for _, at in city["feed"])

    def change(self, call: Any, stored: dict[str, Any]) -> dict[str, Any]:
        request_id = stored["public"]["service_request_id"]
        if stored["private"]:
            tombstone = {"service_request_id": request_id, "withdrawn": True}
            return tombstone | ({"status": "closed"} if self.has("withdrawn requests keep their status") else {})
        if self.has("changes lack most fields"):
            return {"service_request_id": request_id, "status": stored["public"]["status"]}
        return self.shown(call, stored)

    def future_cursor(self) -> str:
        return b"city.example:999999".hex()

    # --- Cities and areas

    def get_jurisdictions(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        headers, payload = self.wire(call, "jurisdictions", self.cities_here(call, wkt=call.format == "xml"))
        return self.kept(call, headers, payload)

    def get_jurisdictions_geojson(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        return self.mapped(call, self.cities_here(call))

    def get_areas(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        headers, payload = self.wire(call, "areas", self.areas_here(call, city, wkt=call.format == "xml"))
        return self.kept(call, headers, payload)

    def get_areas_geojson(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        return self.mapped(call, self.areas_here(call, city))

    def cities_here(self, call: Any, *, wkt: bool = False) -> list[dict[str, Any]]:
        is_many = call.path.startswith("/many/")
        served = [name for name in sorted(self.cities) if (name != "city.example") == is_many]
        found = []
        for name in served:
            box = None if is_many else BOUNDARY
            if box and not self.contains_point(call, box):
                continue
            base = f"http://{call.headers['host']}{call.path.rpartition('/')[0]}"
            item: dict[str, Any] = {"jurisdiction_id": name, "name": f"City {name}", "time_zone": "Europe/Helsinki"}
            item["languages"] = ["en", "fi"]
            for resource in ("services", "requests", "changes", "areas"):
                item[f"{resource}_url"] = f"{base}/{resource}.json?jurisdiction_id={name}"
            if self.has("cities have no time zone"):
                del item["time_zone"]
            found.append({**item, "boundary": self.boundary(box, wkt=wkt)})
        return found

    def areas_here(self, call: Any, city: dict[str, Any], *, wkt: bool = False) -> list[dict[str, Any]]:
        areas = AREAS if city["name"] == "city.example" else {}
        return [
            {
                "jurisdiction_id": city["name"],
                "name": "" if self.has("areas have no names") else name,
                "boundary": self.boundary(box, wkt=wkt),
            }
            for name, box in areas.items()
            if self.contains_point(call, box) or self.has("every area contains every point")
        ]

    # --- Notices

    def get_notices(self, call: Any, city: dict[str, Any], *rest: Any) -> Reply:
        if call.path.endswith(".cap"):
            return self.alert(call)
        base = f"http://{call.headers['host']}{call.path.rpartition('/')[0]}"
        record: dict[str, Any] = {
            "notice_id": "1",
            "headline": "Water is off",
            "description": "",
            "language": "en",
            "languages": ["en"],
            "category": "Infra",
            "severity": "Minor",
            "state": "current",
            "service_codes": [],
            "area": "",
            "boundary": None,
            "start_datetime": "2026-01-01T00:00:00Z",
            "end_datetime": "2099-01-01T00:00:00Z",
            "updated_datetime": "2026-01-01T00:00:00Z",
            "cap_url": f"{base}/notices/1.cap?jurisdiction_id={city['name']}",
        }
        if self.has("notices have no severity"):
            record["severity"] = "Unknown"
            del record["state"]
        headers, payload = self.wire(call, "notices", [record])
        return 200, headers, payload

    def alert(self, call: Any) -> Reply:
        sent = "2026-01-01T00:00:00Z" if self.has("alerts have times with Z") else "2026-01-01T00:00:00-00:00"
        body = (
            f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><sent>{sent}</sent><msgType>Alert</msgType>'
            "<info><language>en</language></info></alert>"
        )
        return 200, {"Content-Type": "application/cap+xml"}, body.encode()

    def get_notices_atom(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        base = f"http://{call.headers['host']}{call.path.rpartition('/')[0]}"
        address = f"{base}/notices/{2 if self.has('the index leaves out alerts') else 1}.cap"
        link = f'<link type="application/cap+xml" href="{address}?jurisdiction_id={city["name"]}"/>'
        body = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry>{link}</entry></feed>'
        return 200, {"Content-Type": "application/atom+xml"}, body.encode()

    def contains_point(self, call: Any, box: Box) -> bool:
        if not call.get("lat"):
            return True
        return is_in(box, float(call.get("long")), float(call.get("lat")))

    def boundary(self, box: Box | None, *, wkt: bool) -> Any:
        if box is None:
            return None
        west, south, east, north = box
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        if self.has("boundaries have latitude first"):
            ring = [corner[::-1] for corner in ring]
        if wkt:
            return f"POLYGON (({', '.join(f'{x} {y}' for x, y in ring)}))"
        return {"type": "Polygon", "coordinates": [ring]}

    def mapped(self, call: Any, places: list[dict[str, Any]]) -> Reply:
        features = []
        for place in places:
            geometry = place.pop("boundary")
            if self.has("maps leave out the names"):
                del place["name"]
            features.append({"type": "Feature", "geometry": geometry, "properties": place})
        payload = json.dumps({"type": "FeatureCollection", "features": features}).encode()
        return self.kept(call, {"Content-Type": "application/geo+json"}, payload)

    def kept(self, call: Any, headers: dict[str, str], payload: bytes) -> Reply:
        age = {} if self.has("areas have no Cache-Control") else {"Cache-Control": "public, max-age=300"}
        return self.tagged(call, {**headers, **age}, payload)

    # --- Nearby

    def nearby(self, call: Any, city: dict[str, Any]) -> Reply:
        code, radius_m, days = call.get("service_code"), call.get("radius") or "50", call.get("days") or "7"
        if not self.has("nearby has no limits"):
            for text, most, least in ((radius_m, 1000, 0), (days, 365, 1)):
                if not text.isdecimal() or not least <= int(text) <= most:
                    raise Refusal(400, f"{text} is no whole number from {least} to {most}.")
        if code == "crew":
            raise Refusal(404, f"service_code: there is no service {code}.")
        found = list(self.around(city, code, call, float(radius_m), float(days)))
        found.sort(key=lambda each: distance_m(each["public"], call))
        if self.has("nearby begins with the farthest request"):
            found.reverse()
        items = [{**self.shown(call, each), "distance": self.distance(call, each)} for each in found[:20]]
        headers, payload = self.wire(call, "service_requests", items)
        return 200, headers, payload

    def around(
        self, city: dict[str, Any], code: str, call: Any, radius_m: float, days: float
    ) -> Iterator[dict[str, Any]]:
        """The public requests of a service near the point of a call, from the last days."""
        earliest = self.ago(days)
        for each in city["requests"].values():
            public = each["public"]
            field = "updated_datetime" if public["status"] == "closed" else "requested_datetime"
            is_shown = not each["private"] or (
                each["private"] == "test" and self.has("requests of test keys are nearby")
            )
            is_same = public["service_code"] == code or self.has("nearby shows all services")
            is_late = public[field] >= earliest and public["lat"] is not None
            if is_shown and is_same and is_late and distance_m(public, call) <= radius_m:
                yield each

    def original(self, city: dict[str, Any], code: str, call: Any, key: str) -> str | None:
        """The request that a new request may duplicate: the earliest open request around it."""
        if (
            not (call.get("lat") and call.get("long"))
            or key == "testkey"
            or self.has("a POST names no possible duplicate")
        ):
            return None
        found = [each["public"] for each in self.around(city, code, call, 50, 7)]
        found = sorted(
            (each for each in found if each["status"] == "open"), key=lambda each: each["requested_datetime"]
        )
        return str(found[0]["service_request_id"]) if found else None

    # --- Suggestions

    def suggest(self, call: Any, city: dict[str, Any]) -> Reply:
        words = set(re.findall(r"\w+", call.get("q").lower()))
        if not words and not self.has("suggest accepts a call without q"):
            raise Refusal(400, "q is missing; send what the person writes.")
        away = call.get("lat") == "-48.87" and not self.has("services are suggested outside the city")
        found = [] if away else [self.offered(each) for each in city["services"].values()]
        if self.has("private services are listed"):
            found += [dict(each["wire"]) for each in self.kept_from_lists()]
        found = [each for each in found if words & set(re.findall(r"\w+", each["service_name"].lower()))]
        if self.has("each suggestion has all services"):
            found = [self.offered(each) for each in city["services"].values()]
        body = {"emergency_number": "", "emergency_notice": "", "services": found[:3]}
        headers, payload = self.wire(call, "suggestions", body)
        kept = {} if self.has("suggestions may be cached") else {"Cache-Control": "no-store"}
        return 200, {**headers, **kept}, payload

    @abstractmethod
    def kept_from_lists(self) -> list[dict[str, Any]]:
        """The services that the list must not have."""

    def offered(self, each: dict[str, Any]) -> dict[str, Any]:
        """A service as in the service list."""
        return {**each["wire"], "service_name": each["service_name"]}

    # --- Other formats

    def get_requests_geojson(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        found, headers = self.listed(call, city)
        features = []
        for each in found:
            public = each["public"]
            place = [public["long"], public["lat"]]
            geometry = {
                "type": "Point",
                "coordinates": place[::-1] if self.has("GeoJSON has latitude first") else place,
            }
            features.append(
                {
                    "type": "Feature",
                    "id": public["service_request_id"],
                    "geometry": geometry if public["lat"] is not None else None,
                    "properties": self.shown(call, each),
                }
            )
        body: dict[str, Any] = {"type": "FeatureCollection", "features": features}
        if not self.has("GeoJSON has no links to other pages"):
            links = {"self": self.url(call), **self.around_links}
            body["links"] = [{"rel": name, "href": url} for name, url in links.items()]
            body["numberReturned"] = len(features)
            body |= {"numberMatched": int(count)} if (count := headers.get("X-Total-Count")) else {}
        payload = json.dumps(body).encode()
        return self.feed(call, headers, "application/geo+json", payload)

    def get_requests_ndjson(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        found, headers = self.listed(call, city)
        if self.has("NDJSON has another order"):
            found = found[::-1]
        end = "\r\n" if self.has("NDJSON lines end with CRLF") else "\n"
        lines = "".join(json.dumps(self.shown(call, each)) + end for each in found)
        return self.feed(call, headers, "application/x-ndjson", lines.encode())

    def get_requests_csv(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        found, headers = self.listed(call, city)
        header = "" if self.has("the media type of CSV names no header") else "; header=present"
        text = self.table([self.shown(call, each) for each in found], is_wide=bool(call.get("extensions")))
        mark = b"\xef\xbb\xbf" if call.get("bom") == "true" else b""
        return self.feed(call, headers, f"text/csv; charset=utf-8{header}", mark + text.encode())

    def table(self, items: list[dict[str, Any]], *, is_wide: bool) -> str:
        columns = list(self.columns)
        if is_wide:
            columns += [f"extended_attributes.{name}" for name in EXTENDED] + ["notes", "attributes"]
        out = StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(columns)
        for item in items:
            extended = {f"extended_attributes.{k}": v for k, v in item.get("extended_attributes", {}).items()}
            writer.writerow([self.cell({**item, **extended}.get(name)) for name in columns])
        return out.getvalue()

    def cell(self, value: Any) -> Any:
        if isinstance(value, list):
            return json.dumps(value)
        if isinstance(value, str) and FORMULA.match(value) and not self.has("CSV has formulas"):
            return f"'{value}"
        return value

    def get_requests_atom(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        found, headers = self.listed(call, city)
        paging = ("page", "page_size", "cursor", "jurisdiction_id")
        about = urlencode(sorted(pair for pair in call.pairs if pair[0] not in paging))
        if self.has("each page of Atom has its own feed id"):
            about += call.get("cursor")
        links = dict(self.around_links)
        if not self.has("Atom names no licence"):
            links["license"] = LICENCE
        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"'
            ' xmlns:georss="http://www.georss.org/georss">',
            f"<id>tag:city.example,2026:requests{escape(about and '?' + about)}</id><title>Requests</title>",
            f"<updated>{self.ago(0)}</updated><author><name>Riverton</name></author><rights>{CITY}</rights>",
            *(f"<link rel={quoteattr(rel)} href={quoteattr(url)}/>" for rel, url in links.items()),
            *(self.entry(call, each) for each in found),
            "</feed>",
        ]
        return self.feed(call, headers, "application/atom+xml; charset=utf-8", "".join(parts).encode())

    def entry(self, call: Any, stored: dict[str, Any]) -> str:
        public = {**dict.fromkeys(self.columns), **self.shown(call, stored)}
        place = [public["lat"], public["long"]]
        if self.has("Atom points are longitude first"):
            place = place[::-1]
        point = f"<georss:point>{place[0]} {place[1]}</georss:point>" if public["lat"] is not None else ""
        media = f'<link rel="enclosure" href={quoteattr(public["media_url"])}/>' if public["media_url"] else ""
        request = self.element("request", public).replace(
            "<request>", '<request xmlns="http://wiki.open311.org/GeoReport_v2">', 1
        )
        name = quote(public["service_request_id"], safe="")
        return (
            f"<entry><id>tag:city.example,2026:requests/{name}</id><title>A request</title>"
            f"<updated>{public['updated_datetime']}</updated><published>{public['requested_datetime']}</published>"
            f"<category term={quoteattr(public['service_code'])}/><category term={quoteattr(public['status'])}/>"
            f'{media}{point}<content type="application/xml">{request}</content></entry>'
        )

    def feed(self, call: Any, headers: dict[str, str], media_type: str, payload: bytes) -> Reply:
        terms = {"X-Attribution": quote(CITY, safe=" ")}
        if self.has("only CSV names the city") and "csv" not in media_type:
            del terms["X-Attribution"]
        headers["Link"] = ", ".join(filter(None, (headers.get("Link"), f'<{LICENCE}>; rel="license"')))
        is_weak = "atom" in media_type or "geo" in media_type or self.has("feeds have weak ETags")
        return self.tagged(call, {**headers, **terms, "Content-Type": media_type}, payload, is_weak=is_weak)

    def tagged(self, call: Any, headers: dict[str, str], payload: bytes, *, is_weak: bool = False) -> Reply:
        tag = ("W/" if is_weak else "") + f'"{hashlib.sha256(payload).hexdigest()[:20]}"'
        headers["ETag"] = tag
        return (304, headers, b"") if call.headers.get("if-none-match") == tag else (200, headers, payload)

    # --- Sensors

    def sensors(self, call: Any, resource: str) -> Reply:
        """Observations. The newest one is kept in `observed`."""
        if call.headers.get("x-api-key") != "gaugekey" and not self.has("anybody sends observations"):
            return self.told(403, "api_key is missing or of an app.")
        if call.method == "GET":
            return self.plain(200, {"value": [self.observed] if self.observed else []})
        sent = json.loads(call.body)
        if resource == "CreateObservations":
            found = [
                self.observation(dict(zip(array["components"], row, strict=True)) | array)
                for array in sent
                for row in array["dataArray"]
            ]
            texts = [one if isinstance(one, str) else one["@iot.selfLink"] for one in found]
            return self.plain(201, texts[:1] if self.has("the answer to a batch leaves out errors") else texts)
        found_one = self.observation(sent)
        if isinstance(found_one, str):
            return self.told(201 if self.has("faulty observations are accepted") else 400, found_one)
        status, headers, payload = self.plain(201, found_one)
        return status, headers | {"Location": found_one["@iot.selfLink"]}, payload

    def observation(self, sent: dict[str, Any]) -> dict[str, Any] | str:
        """What is stored of an observation, or what is wrong with it."""
        if sent["Datastream"]["@iot.id"] != "water":
            return "error: Datastream is unknown"
        if not isinstance(sent["result"], int | float):
            return "error: result is no number"
        if not re.match(r"\d{4}-", sent["phenomenonTime"]):
            return "error: phenomenonTime is no time"
        name = (
            uuid4().hex if self.has("a repeated observation counts as new") else f"water@{sent['phenomenonTime']}"
        )
        self.observed = {"@iot.id": name, "@iot.selfLink": f"/sensors/observations('{name}')"}
        return self.observed

    def plain(self, status: int, data: Any) -> Reply:
        return status, {"Content-Type": "application/json"}, json.dumps(data).encode()

    def told(self, status: int, detail: str) -> Reply:
        return self.plain(status, {"status": status, "detail": detail})

    # --- Bulk

    def bulk(self, call: Any, suffix: str) -> Reply:
        rows = [self.bulk_row(each["public"]) for each in self.bulk_requests(call)]
        count = {"X-Total-Count": str(len(rows) + self.has("X-Total-Count of bulk is one too great"))}
        if suffix != "csv":
            call.format = suffix
            data = [{name.replace("closed_date", "closed_datetime"): row[name] for name in BULK} for row in rows]
            headers, payload = self.wire(
                call, "bulk" if self.has("wrong root of bulk") else "service_requests", data
            )
        else:
            end = "\n" if self.has("bulk lines end with LF") else "\r\n"
            headers, payload = {"Content-Type": "text/csv; charset=utf-8"}, self.bulk_table(rows, end).encode()
        status, headers, payload = self.tagged(call, {**headers, **count}, payload)
        if self.has("bulk has no ETag"):
            del headers["ETag"]
        return status, headers, payload

    def bulk_requests(self, call: Any) -> list[dict[str, Any]]:
        start = call.get("start_date") or (self.ago(90) if self.has("bulk has only 90 days") else "")
        status = call.get("status")
        found = [
            each
            for each in self.cities["city.example"]["requests"].values()
            if not each["private"]
            and each["public"]["requested_datetime"] >= start
            and status in ("", each["public"]["status"])
        ]
        return sorted(found, key=lambda each: each["public"]["requested_datetime"])

    def bulk_row(self, public: dict[str, Any]) -> dict[str, Any]:
        is_closed = public["status"] == "closed"
        subtype = "x" if self.has("bulk has subtypes") else None
        more = {"closed_date": public["updated_datetime"] if is_closed else None, "service_subtype": subtype}
        row = {**public, **more, "source": None, "status_description": public["status"].title()}
        return {name: row[name] for name in BULK}

    def bulk_table(self, rows: list[dict[str, Any]], end: str) -> str:
        out = StringIO(newline="")
        writer = csv.DictWriter(out, BULK, lineterminator=end)
        writer.writeheader()
        for row in rows:
            always = {"closed_date": row["updated_datetime"]} if self.has("closed_date is never empty") else {}
            writer.writerow({**row, **always})
        return out.getvalue()

    # --- Map tiles

    def get_tiles(self, call: Any, city: dict[str, Any], argument: str, single: bool, instance: str) -> Reply:
        if not single:
            return self.describe_tiles(call, city)
        numbers = re.fullmatch(r"(\d+)/(\d+)/(\d+)\.mvt", argument)
        zoom, x, y = map(int, numbers.groups()) if numbers else (99, 0, 0)
        if zoom > 18 or (max(x, y) >= 2**zoom and not self.has("tiles have any x and y")):
            raise Refusal(400, "z, x or y is out of range.")
        has_points = zoom >= 12
        if not has_points and call.get("q") and not self.has("cells ignore filters"):
            raise Refusal(400, "q: filters tiles from zoom 12 on.")
        if self.has("tiles ignore filters"):
            call.pairs = []
        found = [
            each["public"]["service_request_id"]
            for each in city["requests"].values()
            if not each["private"] and self.in_tile(each["public"], zoom, x, y) and self.in_search(call, each)
        ]
        # Not a real tile: it has only the texts that a check can find without a decoder.
        words = ["requests", *found] if has_points else ["cells", "count", "open", "closed"]
        payload = "\n".join(words).encode() if found else b""
        headers = {"Content-Type": "application/vnd.mapbox-vector-tile", "X-Attribution": quote(CITY, safe=" ")}
        return self.tagged(call, headers, payload, is_weak=self.has("tiles have weak ETags"))

    def in_tile(self, public: dict[str, Any], zoom: int, x: int, y: int) -> bool:
        if public["lat"] is None:
            return False
        size = 2**zoom
        height = math.asinh(math.tan(math.radians(public["lat"]))) / math.pi
        return (int((public["long"] + 180) / 360 * size), int((1 - height) / 2 * size)) == (x, y)

    def in_search(self, call: Any, stored: dict[str, Any]) -> bool:
        public = stored["public"]
        return (
            call.get("status") in ("", public["status"])
            and call.get("service_code") in ("", public["service_code"])
            and self.matches_text(call.get("q"), public["description"])
        )

    def describe_tiles(self, call: Any, city: dict[str, Any]) -> Reply:
        query = "" if self.has("TileJSON has no filters") else f"?{urlencode(call.pairs)}"
        base = f"http://{call.headers['host']}{call.path.removesuffix('.json')}"
        body = {
            "tilejson": "3.0.0",
            "tiles": [f"{base}/{{z}}/{{x}}/{{y}}.mvt{query}"],
            "minzoom": 12 if call.get("q") else 0,
            "maxzoom": 18,
            "bounds": BOUNDARY,
            "attribution": CITY,
            "vector_layers": [{"id": "cells", "fields": {}}, {"id": "requests", "fields": {}}],
        }
        return self.kept(call, {"Content-Type": "application/json"}, json.dumps(body).encode())

    # --- Dumps

    def get_dumps(self, call: Any, city: dict[str, Any], name: str, single: bool, instance: str) -> Reply:
        if single:
            return self.dump_file(call, city, name.rpartition("/")[2])
        base = f"http://{call.headers['host']}{call.path.removesuffix('.json')}/{city['name']}"
        files = []
        for file, (media_type, payload, rows) in self.dump_files(city).items():
            date = file[len("requests-") :][:10]
            files.append(
                {
                    "date": date,
                    "format": file.partition(".")[2].partition(".")[0],
                    "media_type": media_type,
                    "url": f"{base}/{file}",
                    "checksum_url": f"{base}/{file}.sha256",
                    "rows": rows,
                    "bytes": len(payload),
                    "sha256": hashlib.sha256(payload).hexdigest(),
                    "made_at": f"{date}T00:10:00Z",
                }
            )
        files.sort(
            key=lambda each: str(each["date"]), reverse=not self.has("the list of dumps begins with the oldest")
        )
        index = {"jurisdiction_id": city["name"], "licence": LICENCE, "attribution": CITY, "files": files}
        return 200, {"Content-Type": "application/json"}, json.dumps(index).encode()

    def dump_files(self, city: dict[str, Any]) -> dict[str, tuple[str, bytes, int]]:
        """The files of two days, made at the first call: media type, content and rows of each."""
        if "dumps" not in city:
            made: dict[str, tuple[str, bytes, int]] = {}
            for days in (0, 1):
                items = self.dumped(city, days)
                lines = "".join(json.dumps(item) + "\n" for item in items).encode()
                rest = items[1:] if self.has("the files of a dump have different rows") else items
                table = self.table(rest, is_wide=True).encode()
                stem = f"requests-{self.ago(days)[:10]}"
                made[f"{stem}.csv.gz"] = ("application/gzip", gzip.compress(table, mtime=0), len(items))
                made[f"{stem}.ndjson.gz"] = ("application/gzip", gzip.compress(lines, mtime=0), len(items))
                made[f"{stem}.parquet"] = ("application/vnd.apache.parquet", self.parquet(), len(items))
            city["dumps"] = made
        found: dict[str, tuple[str, bytes, int]] = city["dumps"]
        return found

    def dumped(self, city: dict[str, Any], days: int) -> list[dict[str, Any]]:
        """The public requests in the dump. Yesterday's dump has one request fewer."""
        found = [each for each in city["requests"].values() if not each["private"]][days:]
        return [
            {**each["public"], "extended_attributes": EXTENDED, "notes": [], "attributes": []} for each in found
        ]

    def parquet(self) -> bytes:
        """A fake GeoParquet file, with only the parts that can be checked without a reader."""
        geo = b"" if self.has("Parquet has no geometry") else GEO
        footer = b"extended_attributes.channel" + geo
        return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"

    def dump_file(self, call: Any, city: dict[str, Any], name: str) -> Reply:
        files = self.dump_files(city)
        if name.startswith("requests-latest."):
            ending = name.partition(".")[2]
            dated = sorted(file for file in files if file.partition(".")[2] == ending)
            place = 0 if self.has("the link to the latest dump leads to the oldest") else -1
            return 302, {"Location": f"{call.path.rpartition('/')[0]}/{dated[place]}"}, b""
        plain = name.removesuffix(".sha256")
        if plain not in files:
            raise Refusal(404, "no such dump.")
        media_type, payload, _ = files[plain]
        if plain != name:
            digest = hashlib.sha256(b"" if self.has("checksums are wrong") else payload).hexdigest()
            return 200, {"Content-Type": "text/plain"}, f"{digest}  {plain}\n".encode()
        return self.part(call, media_type, payload)

    def get_media(self, call: Any, city: dict[str, Any], argument: str, *_: object) -> Reply:
        """A photo of any size; its bytes are only the head of a picture."""
        found = re.fullmatch(r"city\.example/(\d+)-(\d+)(-medium|-small)?\.jpg", argument)
        is_small = bool(found and found[3])
        if not found or found[1] not in city["requests"] or (is_small and self.has("photos have one size")):
            raise Refusal(404, "There is no such photo.")
        file = self.photos[f"{found[1]}-{found[2]}"]
        turned = b"eXIf" in file and not self.has("photos are not turned")
        size = (b"\0\2\0\1" if turned else b"\0\1\0\2") + found[2].encode()
        rest = file if self.has("photos keep their metadata") else b""
        status, headers, body = self.part(call, "image/jpeg", b"\xff\xd8\xff\xc0\0\x11\x08" + size + rest)
        more = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "public, max-age=300",
            "Content-Disposition": "inline",
            "Content-Security-Policy": "sandbox",
        }
        return status, {**headers, **more}, body

    def part(self, call: Any, media_type: str, payload: bytes) -> Reply:
        """A file, or the requested range of the file."""
        status, headers, body = self.tagged(call, {"Content-Type": media_type}, payload)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("range", ""))
        same = call.headers.get("if-range", headers["ETag"]) == headers["ETag"]
        if status != 200 or not wanted or not same or self.has("ranges are ignored"):
            return status, headers, body
        last = int(wanted[2] or len(payload) - 1)
        headers["Content-Range"] = f"bytes {wanted[1]}-{last}/{len(payload)}"
        return 206, headers, payload[int(wanted[1]) : last + 1]


def is_in(box: Box, long: float, lat: float) -> bool:
    west, south, east, north = box
    return west <= long <= east and south <= lat <= north


def department_of(public: dict[str, Any]) -> str:
    """The code of a request's department."""
    return "rivers" if public["status"] == "closed" else "roads"


def areas_at(public: dict[str, Any]) -> list[str]:
    """The areas that contain a request's point."""
    if public["lat"] is None:
        return []
    return [name for name, box in AREAS.items() if is_in(box, public["long"], public["lat"])]


def distance_m(public: dict[str, Any], call: Any) -> float:
    """The distance from the point of a call in metres, by a flat approximation that suffices for a city."""
    lat, long = float(call.get("lat")), float(call.get("long"))
    north = (public["lat"] - lat) * 111_194.9
    east = (public["long"] - long) * 111_194.9 * math.cos(math.radians(lat))
    return math.hypot(north, east)


def unhex(text: str) -> str:
    try:
        return bytes.fromhex(text).decode()
    except ValueError as error:
        raise Refusal(400, "cursor is none that was given out.") from error


def read_cursor(text: str) -> tuple[str, str, str, str]:
    """The order, start_date, place and last id of the previous page, from a cursor."""
    sort, start, place, request_id = (unhex(text).split("|", 3) + [""] * 4)[:4]
    if not place.isdecimal():
        raise Refusal(400, "cursor is none that was given out.")
    return sort, start, place, request_id


def seen_at(stored: dict[str, Any]) -> datetime:
    """The time when a request was last written."""
    return datetime.fromisoformat(stored["public"]["updated_datetime"])
