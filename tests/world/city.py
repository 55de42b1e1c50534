"""The memory of a neighbour: its services, requests, updates and keys. Each change is an entry of the journal."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from open311.clock import utc_now
from tests.world.journal import Entry, Journal

OWN_ID_NAMES = ("service_request_id_ext", "external_id")
"""How clients name their own id of a request: as a parameter, or as an answer `attribute[…]`."""


class Refusal(Exception):
    """The neighbour answers with an error."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status, self.description = status, description


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of a neighbour. `type` is realtime, batch or blackbox; `attributes` are as in JSON."""

    code: str
    name: str = ""
    type: str = "realtime"
    group: str = ""
    description: str = ""
    keywords: str = ""
    attributes: Sequence[Mapping[str, Any]] = ()

    def plain(self) -> dict[str, Any]:
        """The service as the standard writes it."""
        return {
            "service_code": self.code,
            "service_name": self.name or self.code.title(),
            "description": self.description,
            "metadata": bool(self.attributes),
            "type": self.type,
            "keywords": self.keywords,
            "group": self.group,
        }


SIGN_ATTRIBUTES = (
    {
        "variable": True,
        "code": "FAULT",
        "datatype": "singlevaluelist",
        "required": True,
        "datatype_description": "",
        "order": 1,
        "description": "What is wrong with the sign?",
        "values": [{"key": "bent", "name": "It is bent"}, {"key": "gone", "name": "It is gone"}],
    },
)
SERVICES = (
    Service(code="potholes", name="Potholes", group="streets", keywords="road,hole"),
    Service(code="signs", name="Road signs", group="streets", attributes=SIGN_ATTRIBUTES),
    Service(code="trees", name="Trees", type="batch", group="parks"),
    Service(code="praise", name="Praise", type="blackbox"),
)
ODD_SERVICES = (
    Service(code="PW:BSM:Damage Property", name="Damaged property"),
    Service(code="Mayor's 24/7:Other & more", name="Other"),
    Service(code="4fd3b167e750846744000005", name="Graffiti"),
    Service(code="0b2a9d3c-7f0e-4a57-9c1b-3f1f0a5f4a11", name="Trees", type="batch"),
)
"""Codes as real cities have them: with colons, a space, a slash, an apostrophe; hexadecimal; a UUID."""


@dataclass(frozen=True, kw_only=True)
class Filed:
    """A request that the neighbour has accepted.

    number              counts the requests, from 1
    service_request_id  "" as long as a batch request is not resolved, and always for a blackbox service
    key, own_id         the Idempotency-Key and the client's own id; "" if it sent none
    parameters          what was sent, in order, without api_key
    media               name, content type and SHA-256 of each file
    caller              False if the neighbour's own citizens sent it
    """

    number: int
    service_code: str
    at: datetime
    service_request_id: str = ""
    token: str = ""
    key: str = ""
    own_id: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    media: tuple[tuple[str, str, str], ...] = ()
    status: str = "open"
    status_notes: str = ""
    updated_at: datetime | None = None
    caller: bool = True

    def get(self, name: str) -> str:
        """The first value of a parameter; "" if it was not sent."""
        return next((value for each, value in self.parameters if each == name), "")


@dataclass(frozen=True, kw_only=True)
class Update:
    """What happened to a request. `by` is "city", or "caller" for an update that a client has sent."""

    update_id: str
    number: int
    service_request_id: str
    status: str
    description: str
    at: datetime
    by: str = "city"
    key: str = ""
    media_url: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(kw_only=True, eq=False)
class City:
    """A neighbour's memory, which can be read and changed from any thread.

    ids       the prefix of request ids, which are then "C-1", "C-2" …; "" for numbers alone
    clock     the time of its entries, in UTC; `turn_clock` shifts it
    api_keys  the keys that it accepts
    """

    journal: Journal = field(default_factory=Journal)
    services: list[Service] = field(default_factory=lambda: list(SERVICES))
    ids: str = "C"
    clock: Callable[[], datetime] = utc_now
    api_keys: set[str] = field(default_factory=lambda: {"neighbour-key"})

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._requests: dict[int, Filed] = {}
        self._digests: dict[str, str] = {}
        self._updates: list[Update] = []
        self._polls: dict[str, int] = {}
        self._bearers: set[str] = set()
        self._granted = 0
        self._shift = timedelta()
        for entry in self.journal.entries:
            self._apply(entry)

    # --- What it knows

    @property
    def now(self) -> datetime:
        """The time of the neighbour's clock."""
        return self.clock() + self._shift

    @property
    def requests(self) -> list[Filed]:
        """All requests, the oldest first."""
        with self.lock:
            return list(self._requests.values())

    @property
    def accepted(self) -> list[Filed]:
        """The requests that clients have sent, in the order of acceptance. Each stays here for ever."""
        return [each for each in self.requests if each.caller]

    @property
    def updates(self) -> list[Update]:
        """All updates, in the order in which they were recorded."""
        with self.lock:
            return list(self._updates)

    @property
    def received(self) -> list[Update]:
        """The updates that clients have sent."""
        return [each for each in self.updates if each.by == "caller"]

    def find(self, name: str) -> Filed:
        """The request with an id, a token, an Idempotency-Key or a client's own id. Raises Refusal 404."""
        with self.lock:
            for each in reversed(self._requests.values()):
                if name and name in (each.service_request_id, each.token, each.key, each.own_id):
                    return each
        raise Refusal(404, f"service_request_id {name} was not found")

    def _only(self, member: str, value: str) -> Filed:
        """The request with this id, or this token. Raises Refusal 404."""
        for each in self._requests.values():
            if value and getattr(each, member) == value:
                return each
        raise Refusal(404, f"{member} {value} was not found")

    def service(self, code: str) -> Service:
        """The service with a code. Raises Refusal 404."""
        for each in self.services:
            if each.code == code:
                return each
        raise Refusal(404, f"service_code {code} was not found")

    # --- What it takes

    def take(
        self,
        code: str,
        parameters: Iterable[tuple[str, str]] = (),
        *,
        media: Iterable[tuple[str, str, bytes]] = (),
        key: str = "",
        caller: bool = True,
    ) -> Filed:
        """Accept a request; `key` is only recorded. Raises Refusal 404 for an unknown code."""
        with self.lock:
            kind, number = self.service(code).type, len(self._requests) + 1
            sent = [(name, value) for name, value in parameters if name != "api_key"]
            self._record(
                "request",
                number=number,
                service_code=code,
                at=self.now.isoformat(),
                service_request_id=self._id(number) if kind == "realtime" else "",
                token=f"token-{number}" if kind == "batch" else "",
                key=key,
                digest=_digest(sent),
                own_id=own_id_of(sent),
                parameters=sent,
                media=[(name, type, hashlib.sha256(content).hexdigest()) for name, type, content in media],
                caller=caller,
            )
            return self._requests[number]

    def repeated(self, key: str, parameters: Iterable[tuple[str, str]]) -> Filed | None:
        """The request with an Idempotency-Key. Raises Refusal 409 if it had other parameters."""
        with self.lock:
            if key not in self._digests:
                return None
            if self._digests[key] != _digest([each for each in parameters if each[0] != "api_key"]):
                raise Refusal(409, "Idempotency-Key: another request has been sent with this key")
            return next(each for each in self._requests.values() if each.key == key)

    def receive(self, parameters: Sequence[tuple[str, str]], *, at: datetime, key: str = "") -> Update:
        """Accept an update that a client sends; `at` is its updated_datetime. Raises Refusal."""
        sent = dict(parameters)
        with self.lock:
            if any(each.update_id == sent["update_id"] for each in self.received):
                raise Refusal(400, f"update_id {sent['update_id']} was used before")
            return self._update(
                self._only("service_request_id", sent["service_request_id"]),
                sent["status"].lower(),
                sent["description"],
                at=at,
                update_id=sent["update_id"],
                by="caller",
                key=key,
                media_url=[value for name, value in parameters if name == "media_url"],
                parameters=[(name, value) for name, value in parameters if name != "api_key"],
            )

    def poll(self, token: str, needed: int) -> Filed:
        """The request of a token. A batch request gets its id after `needed` polls. Raises Refusal 404."""
        with self.lock:
            found = self._only("token", token)
            if found.service_request_id or not found.token:
                return found
            self._record("polled", token=token)
            return self.resolve(token) if 0 < needed <= self._polls[token] else found

    # --- What its staff do, and what goes on in it

    def change(
        self,
        request: str,
        *,
        status: str = "",
        note: str = "",
        at: datetime | None = None,
        media_url: Sequence[str] = (),
    ) -> Update:
        """Change a request, found as by `find`. `at` is the time that the update tells; it may be in the past."""
        with self.lock:
            found = self.find(request)
            return self._update(found, status or found.status, note, at=at or self.now, media_url=list(media_url))

    def close(self, request: str, *, note: str = "", status: str = "closed", at: datetime | None = None) -> Update:
        """Close a request with a note. `status` may be one of mySociety's words, such as fixed."""
        return self.change(request, status=status, note=note, at=at)

    def resolve(self, request: str) -> Filed:
        """Give a batch request its id."""
        with self.lock:
            number = self.find(request).number
            self._record("resolved", number=number, service_request_id=self._id(number))
            return self._requests[number]

    def file(self, code: str, **parameters: str) -> Filed:
        """Store a request of the neighbour's own citizen, such as `file("potholes", lat="60.17", long="24.94")`."""
        return self.take(code, parameters.items(), caller=False)

    def renumber(self, request: str, service_request_id: str) -> None:
        """Give a request another id, as after a change of software. The old id is unknown from now on."""
        self._record("resolved", number=self.find(request).number, service_request_id=service_request_id)

    def rename_service(self, code: str, new: str) -> None:
        """Give a service another code. Its requests have the new code from now on."""
        self._record("service_renamed", code=self.service(code).code, new=new)

    def retire_service(self, code: str) -> None:
        """Take a service out of the list."""
        self._record("service_retired", code=self.service(code).code)

    def add_service(self, code: str, name: str = "", type: str = "realtime") -> None:
        """Add a service without questions."""
        self._record("service_added", code=code, name=name, type=type)

    def turn_clock(self, seconds: float) -> None:
        """Shift the clock; a negative number is back in time."""
        self._record("clock", seconds=seconds)

    def rotate_key(self, api_key: str) -> None:
        """Accept this key, and no other."""
        self._record("key", api_key=api_key)

    def grant(self) -> str:
        """A new bearer token."""
        with self.lock:
            self._record("granted", token=f"bearer-{self._granted + 1}")
            return f"bearer-{self._granted}"

    def revoke_tokens(self) -> None:
        """Refuse all bearer tokens that were granted until now."""
        self._record("revoked")

    def knows_bearer(self, token: str) -> bool:
        return token in self._bearers

    # --- Entries

    def _id(self, number: int) -> str:
        return f"{self.ids}-{number}" if self.ids else str(number)

    def _update(self, found: Filed, status: str, description: str, **facts: Any) -> Update:
        at: datetime = facts.pop("at")
        identity = facts.pop("update_id", "") or f"{self.ids}-update-{len(self._updates) + 1}"
        number = found.number
        self._record(
            "update",
            update_id=identity,
            number=number,
            status=status,
            description=description,
            **{"at": at.astimezone(UTC).isoformat(), **facts},
        )
        return self._updates[-1]

    def _record(self, kind: str, **facts: Any) -> None:
        with self.lock:
            self._apply(self.journal.add(kind, **facts))

    def _apply(self, entry: Entry) -> None:
        if entry["kind"] in _APPLY:
            _APPLY[entry["kind"]](self, {name: value for name, value in entry.items() if name != "kind"})

    def _apply_request(self, facts: dict[str, Any]) -> None:
        digest = facts.pop("digest")
        if facts["key"]:
            self._digests.setdefault(facts["key"], digest)
        pairs = {name: tuple(map(tuple, facts[name])) for name in ("parameters", "media")}
        self._requests[facts["number"]] = Filed(**facts | pairs | {"at": datetime.fromisoformat(facts["at"])})

    def _apply_resolved(self, facts: dict[str, Any]) -> None:
        number, identity = facts["number"], facts["service_request_id"]
        self._requests[number] = replace(self._requests[number], service_request_id=identity)

    def _apply_update(self, facts: dict[str, Any]) -> None:
        found = self._requests[facts["number"]]
        at = datetime.fromisoformat(facts["at"])
        facts["media_url"] = tuple(facts.get("media_url", ()))
        facts["parameters"] = tuple(map(tuple, facts.get("parameters", ())))
        self._updates.append(Update(**facts | {"at": at, "service_request_id": found.service_request_id}))
        if found.updated_at is None or at >= found.updated_at:
            note = facts["description"] or found.status_notes
            self._requests[found.number] = replace(found, status=facts["status"], status_notes=note, updated_at=at)

    def _apply_polled(self, facts: dict[str, Any]) -> None:
        self._polls[facts["token"]] = self._polls.get(facts["token"], 0) + 1

    def _apply_renamed(self, facts: dict[str, Any]) -> None:
        old, new = facts["code"], facts["new"]
        self.services = [replace(each, code=new) if each.code == old else each for each in self.services]
        for number, each in self._requests.items():
            if each.service_code == old:
                self._requests[number] = replace(each, service_code=new)

    def _apply_retired(self, facts: dict[str, Any]) -> None:
        self.services = [each for each in self.services if each.code != facts["code"]]

    def _apply_added(self, facts: dict[str, Any]) -> None:
        self.services = [*self.services, Service(**facts)]

    def _apply_clock(self, facts: dict[str, Any]) -> None:
        self._shift += timedelta(seconds=facts["seconds"])

    def _apply_key(self, facts: dict[str, Any]) -> None:
        self.api_keys = {facts["api_key"]}

    def _apply_granted(self, facts: dict[str, Any]) -> None:
        self._bearers.add(facts["token"])
        self._granted += 1

    def _apply_revoked(self, _: dict[str, Any]) -> None:
        self._bearers = set()


_APPLY: dict[str, Callable[[City, dict[str, Any]], None]] = {
    "request": City._apply_request,
    "resolved": City._apply_resolved,
    "update": City._apply_update,
    "polled": City._apply_polled,
    "service_renamed": City._apply_renamed,
    "service_retired": City._apply_retired,
    "service_added": City._apply_added,
    "clock": City._apply_clock,
    "key": City._apply_key,
    "granted": City._apply_granted,
    "revoked": City._apply_revoked,
}


def own_id_of(parameters: Iterable[tuple[str, str]]) -> str:
    """The client's own id among the parameters of a POST; "" if there is none."""
    names = {*OWN_ID_NAMES, *(f"attribute[{name}]" for name in OWN_ID_NAMES)}
    return next((value for name, value in parameters if name in names), "")


def _digest(parameters: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(sorted(map(tuple, parameters))).encode()).hexdigest()
