"""People who support requests, and the outbox of the stub server, by the rules Z1 to Z6 and OB1 to OB6 of
spec/extensions.md."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Any
from urllib.parse import unquote

from tests.spec.stub_extensions import Extensions, Refusal, Reply

AS2 = "application/activity+json"


class MeToo(Extensions):
    """What StubServer knows of supporters, and its outbox."""

    @abstractmethod
    def has(self, fault: str) -> bool: ...

    @abstractmethod
    def check_key(self, call: Any) -> str: ...

    def post_support(self, call: Any, city: dict[str, Any], argument: str) -> Reply:
        if not self.has("anybody supports requests"):
            self.check_key(call)
        name, _, path = unquote(argument).partition("/support")
        stored = city["requests"].get(name)
        if (stored is None or stored["private"]) and not self.has("a private request can be supported"):
            raise Refusal(404, f"{name} is no request.")
        person = call.get("account_id")
        if not person:
            raise Refusal(400, "account_id: is missing.")
        people = stored.setdefault("supporters", []) if stored else []
        is_given = not path
        if not is_given and person in people and not self.has("support cannot be taken back"):
            people.remove(person)
        if is_given and (person not in people or self.has("a person counts twice")):
            people.append(person)
        if stored and self.has("support changes updated_datetime"):
            stored["public"]["updated_datetime"] = "2035-01-01T00:00:00Z"
        item = {"service_request_id": name, "supporters": len(people), "supported": is_given}
        headers, payload = self.wire(call, "supports", [item])
        return 200, headers, payload

    def supporters_of(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The members of extended_attributes about supporters."""
        people = stored.get("supporters") or []
        if self.has("supporters are named"):
            return {"supporters": len(people), "names": ",".join(people)} if people else {}
        return {"supporters": len(people)} if people else {}

    def get_outbox(self, call: Any, city: dict[str, Any], *_: Any) -> Reply:
        here = self.url(call)
        headers = {"Content-Type": AS2}
        if not call.get("page") and not call.get("cursor"):
            kind = "Collection" if self.has("the outbox has no order") else "OrderedCollection"
            found: dict[str, Any] = {"id": here, "type": kind, "first": self.url(call, page="true")}
            return self.tagged(call, headers, json.dumps(found).encode())
        text = call.get("cursor") or "0"
        if not text.isdecimal():
            raise Refusal(400, "cursor is none of this outbox.")
        begin, size = int(text), int(call.get("page_size") or 50)
        last = {request_id: serial for serial, (request_id, _) in enumerate(city["feed"], 1)}
        newest = sorted(last, key=lambda request_id: -last[request_id])
        end = begin + size
        page = {
            "id": here,
            "type": "OrderedCollectionPage",
            "partOf": here,
            "orderedItems": [self.activity(city["requests"][one]) for one in newest[begin:end]],
        }
        if end < len(newest):
            page["next"] = self.url(call, cursor=str(end - self.has("pages of the outbox overlap")))
        return self.tagged(call, headers, json.dumps(page).encode())

    def activity(self, stored: dict[str, Any]) -> dict[str, Any]:
        public = stored["public"]
        id = f"tag:stub,2026:{public['service_request_id']}"
        envelope = {"id": f"{id}/1", "actor": {"type": "Organization", "id": "tag:stub,2026:city"}}
        if self.has("the reporter is the actor"):
            envelope["actor"] = {"type": "Person", "id": "tag:stub,2026:jane"}
        if stored["private"]:
            bare = {"type": "Tombstone", "id": id, "formerType": "Note"}
            return envelope | {"type": "Delete", "object": bare}
        if self.has("activities have a wrong type"):
            envelope |= {"type": "Announce"}
        note = {
            "type": "Note",
            "id": id,
            "name": public["service_name"],
            "content": "<p>…</p>",
            "published": public["requested_datetime"],
            "updated": public["updated_datetime"],
            "url": "http://stub/",
            **{name: public[name] for name in ("service_request_id", "service_code", "status")},
        }
        if self.has("notes have no content"):
            del note["content"]
        return {"type": "Create", "object": note} | envelope
