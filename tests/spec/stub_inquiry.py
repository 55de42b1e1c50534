"""Inquiry v1 of the stub server, by the rules Y1 to Y14 of spec/extensions.md."""

from __future__ import annotations

import json
from abc import abstractmethod
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from tests.spec.stub_extensions import Extensions, Refusal, Reply

NEVER = "2099-12-31T00:00:00Z"
HTML = "<p>Put it out.</p>"
SERVICE: dict[str, Any] = {
    "id": "1",
    "service_name": "Bins",
    "expiration": NEVER,
    "brief_description": "",
    "categories": [{"category_name": "Rubbish, bins"}],
    "url": "https://city.example/bins",
    "description": "Put it out.",
    "description_html": HTML,
    "web_actions": [{"type": "Link", "label": "Order one", "url": "https://city.example/order"}],
}
FACILITY: dict[str, Any] = {
    "id": "2",
    "facility_name": "Library",
    "expiration": NEVER,
    "type": "Library",
    "description": "Books.",
    "features": [{"feature_name": "Books"}],
    "lat": 60.1,
    "long": 24.9,
    **dict.fromkeys(("brief_description", "address", "additional_address_information", "borough", "city"), ""),
    **dict.fromkeys(("state", "zipcode", "displayed_hours", "eligibility_information"), ""),
}
FAQ: dict[str, Any] = {
    "id": "3",
    "question": "When?",
    "expiration": NEVER,
    "url": "https://city.example/when",
    "answer": "Soon.",
    "answer_html": HTML,
    "categories": [],
    "services": [],
}
LISTS: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    "services": ("services", "service", SERVICE, ("id", "service_name", "expiration", "brief_description")),
    "facilities": (
        *("facilities", "facility", FACILITY),
        ("id", "facility_name", "expiration", "type", "brief_description"),
    ),
    "web_faqs": ("faqs", "faq", FAQ, ("id", "question", "expiration")),
    "faqs": ("faqs", "faq", FAQ, ("id", "question", "expiration")),
}
KNOWN = ("jurisdiction_id", "q", "page_size", "zone", "lat", "long", "fromdate", "todate", "locale")
SPACES = 'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'


class Inquiry(Extensions):
    """Inquiry v1 of StubServer. It collects bins in a zone each day; tomorrow's collection comes a day later."""

    @abstractmethod
    def has(self, fault: str) -> bool: ...

    def inquiry(self, call: Any, path: str) -> Reply:
        """Answer a call below `inquiry/v1`."""
        resource, _, suffix = unquote(path).rpartition(".")
        call.format = "xml" if suffix in ("xml", "ics", "rss") else "json"
        headers, payload = self._inquiry_body(call, resource, suffix)
        unknown = [name for name, _ in call.pairs if name not in KNOWN]
        if unknown and not self.has("unknown parameters of Inquiry are not told"):
            headers["Warning"] = f'299 - "{unknown[0]} is ignored"'
        headers |= {"Cache-Control": "public, max-age=300"}
        if not self.has("Inquiry names no language"):
            headers |= {"Content-Language": "en", "Vary": "Accept-Language"}
        return self.tagged(call, headers, payload)

    def _inquiry_body(self, call: Any, resource: str, suffix: str) -> tuple[dict[str, str], bytes]:
        kind, _, topic = resource.partition("/")
        if suffix == "ics":
            return {"Content-Type": "text/calendar; charset=utf-8"}, self._calendar_file()
        if suffix == "rss":
            return {"Content-Type": "application/rss+xml; charset=utf-8"}, self._today()
        if kind in LISTS:
            return self._list(suffix, kind, topic)
        answers = {"search": self._search, "zones": self._zones, "calendar": self._days}
        if kind not in answers:
            raise Refusal(404, "There is no such address.")
        found: list[Any] = answers[kind](call)
        return {"Content-Type": "application/json; charset=utf-8"}, json.dumps(found).encode()

    def _list(self, suffix: str, kind: str, topic: str) -> tuple[dict[str, str], bytes]:
        root, item, whole, listed = LISTS[kind]
        whole = dict(whole)
        if self.has("expiration is not an ISO 8601 time") and kind == "services":
            whole["expiration"] = "12-31-2099"
        if self.has("expired articles are shown"):
            whole["expiration"] = self.ago(1)
        if self.has("HTML of articles has scripts") and kind == "services":
            whole["description_html"] += "<script>alert(1)</script>"
        topics = [one["category_name"].lower() for one in whole.get("categories", ())]
        is_single = topic == whole["id"]
        is_known = is_single or topic.lower() in (*topics, "all", "web")
        if not is_known and not self.has("Inquiry knows any topic"):
            raise Refusal(404, f"topic: {topic} is unknown.")
        data = whole if is_single else {name: whole[name] for name in listed}
        if suffix == "json":
            return {"Content-Type": "application/json; charset=utf-8"}, json.dumps([data]).encode()
        root = "list" if self.has("wrong root of Inquiry") else root
        body = f"<{root}><{item}>{''.join(self._field(*one) for one in data.items())}</{item}></{root}>"
        return {"Content-Type": "text/xml; charset=utf-8"}, body.encode()

    def _field(self, name: str, value: Any) -> str:
        if name == "web_actions":
            kind = "" if self.has("actions of Inquiry have no type") else ' type="Link"'
            inner = "".join(
                f"<web_action{kind}><label>{one['label']}</label><url>{one['url']}</url></web_action>"
                for one in value
            )
        elif isinstance(value, list):
            inner = "".join(f"<{key}>{escape(text)}</{key}>" for one in value for key, text in one.items())
        else:
            inner = escape(str(value))
        return f"<{name}>{inner}</{name}>"

    def _search(self, call: Any) -> list[dict[str, Any]]:
        words = call.get("q").lower()
        if not words:
            raise Refusal(400, "q is missing.")
        is_found = "bins" in words or self.has("a search of Inquiry finds an article for any word")
        return [{"type": "service", "id": "1", "title": "Bins"}] if is_found else []

    def _zones(self, _call: Any) -> list[dict[str, Any]]:
        return [{"name": "Hills", "collections": ["Bins"], "calendar_url": "https://city.example/calendar.ics"}]

    def _days(self, call: Any) -> list[dict[str, Any]]:
        if call.get("lat") and not call.get("long"):
            raise Refusal(400, "long is missing.")
        if call.get("zone") not in ("", "Hills") and not self.has("any zone is accepted"):
            raise Refusal(404, "zone is unknown.")
        today = self.now.date()
        first = self._day(call, "fromdate") or today
        last = self._day(call, "todate") or first + timedelta(days=13)
        if (last - first).days > 89 and not self.has("a calendar may have more than 90 days"):
            raise Refusal(400, "todate is more than 89 days after fromdate.")
        return [self._on_day(first + timedelta(days=number)) for number in range((last - first).days + 1)]

    def _day(self, call: Any, name: str) -> date | None:
        try:
            return date.fromisoformat(call.get(name)) if call.get(name) else None
        except ValueError:
            raise Refusal(400, f"{name} is no day.") from None

    def _on_day(self, day: date) -> dict[str, Any]:
        moved = self.now.date() + timedelta(days=1)
        later = moved + timedelta(days=1)
        if day == moved:
            items = [self._item("moved", moved, later)]
        elif day == later and not self.has("a moved collection is missing on its new day"):
            items = [self._item("collected", moved, later), self._item("collected", later, later)]
        else:
            items = [self._item("collected", day, day)]
        return {"date": day.isoformat(), "holiday": "Feast" if day == moved else "", "items": items}

    def _item(self, status: str, usual: date, actual: date) -> dict[str, Any]:
        return {
            "code": "bins",
            "type": "Bins",
            "status": status,
            "details": "",
            "zone": "Hills",
            "usual_date": usual.isoformat(),
            "actual_date": actual.isoformat(),
        }

    def _calendar_file(self) -> bytes:
        end = b"\n" if self.has("lines of calendars end with LF") else b"\r\n"
        lines = (b"BEGIN:VCALENDAR", b"VERSION:2.0", b"BEGIN:VEVENT", b"UID:1@city.example", b"END:VEVENT")
        return end.join((*lines, b"END:VCALENDAR", b""))

    def _today(self) -> bytes:
        days = [self.now.date() + timedelta(days=number) for number in range(-7, 32)]
        if self.has("the feed 311 Today ends today"):
            days = days[:8]
        items = "".join(
            f"<item><title>{day}</title><pubDate>Mon, 02 Mar 2026 00:00:00 GMT</pubDate><guid>{day}</guid>"
            f"<content:encoded>{escape(HTML)}</content:encoded><dc:coverage>{day}</dc:coverage></item>"
            for day in days
        )
        return f'<rss version="2.0" {SPACES}><channel><title>Today</title>{items}</channel></rss>'.encode()
