"""How a fake server misbehaves: a script of faults, or faults by seeded chance."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from threading import Event
from typing import Any
from xml.etree import ElementTree

from tests.world.serving import NO_ANSWER, Reply

FOREVER = 10**9


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A way to misbehave, and the calls that it strikes.

    kind     a name of KINDS, which says what each does
    on       the start of the calls that it strikes, such as "POST", "GET tokens" or "POST requests"; "" for all
    after    how many matching calls it lets pass first
    times    how many matching calls it strikes then, or may strike by chance
    share    the chance of each of these calls, 0 to 1. The seed of the server and the number of the call decide it
    accepts  whether the call is handled before another answer is sent, such as a status or a page
    status   the status of `status`, `page`, `busy` and `redirect`; 0 for the usual one
    seconds  the delay, or the pause that `busy` asks for
    until    the time that `busy` names in place of seconds; None for seconds
    size     the bytes of a large body
    to       where a redirect leads
    """

    kind: str
    on: str = ""
    after: int = 0
    times: int = 1
    share: float = 1.0
    accepts: bool = False
    status: int = 0
    seconds: float = 0.0
    until: datetime | None = None
    size: int = 50_000_000
    to: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is unknown; use one of {', '.join(sorted(KINDS))}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: {self.share} is not between 0 and 1")

    def plain(self) -> dict[str, Any]:
        """The fault as plain data for JSON."""
        return asdict(self) | {"until": self.until.isoformat() if self.until else None}


def fault(kind: str, **options: Any) -> Fault:
    """A fault, by its kind: `fault("lose_answer", on="POST requests")`. The options are the members of Fault."""
    return Fault(kind=kind, **options)


def from_plain(data: dict[str, Any]) -> Fault:
    """A fault from JSON. Raises TypeError or ValueError."""
    until = data.get("until")
    return Fault(**data | {"until": datetime.fromisoformat(until) if until else None})


def by_chance(share: float, *kinds: str, on: str = "", **options: Any) -> tuple[Fault, ...]:
    """Faults of several kinds without an end, each of which strikes a share of the calls."""
    return tuple(Fault(kind=kind, on=on, share=share, times=FOREVER, **options) for kind in kinds)


class Plan:
    """Chooses the fault of each call. The first fault that strikes is the only one.

    A fault counts the matching calls that no earlier fault struck. So two faults with `times=1` strike two calls,
    one after the other. After a restart, call `next` again with the label of each earlier call, so that the counts
    are as before.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.seed = seed
        self._faults: list[tuple[Fault, int]] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Add faults at the end. They count the calls from now on."""
        self._faults.extend((each, 0) for each in faults)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def next(self, label: str) -> Fault | None:
        """The fault of the next call; `label` is such as "POST requests"."""
        for position, (each, seen) in enumerate(self._faults):
            if not label.startswith(each.on):
                continue
            self._faults[position] = (each, seen + 1)
            if each.after <= seen < each.after + each.times and self._falls(each, position, seen):
                return each
        return None

    def _falls(self, each: Fault, position: int, seen: int) -> bool:
        return each.share >= 1 or random.Random(f"{self.seed} {position} {seen}").random() < each.share


Handle = Callable[[], Reply]
Act = Callable[[Fault, Handle, Event], Reply]


def act(struck: Fault | None, handle: Handle, released: Event) -> Reply:
    """The reply to a call, with its fault or without one. `released` ends every pause."""
    return handle() if struck is None else KINDS[struck.kind](struck, handle, released)


def _drop(_: Fault, __: Handle, ___: Event) -> Reply:
    return NO_ANSWER


def _lose_answer(_: Fault, handle: Handle, __: Event) -> Reply:
    handle()
    return NO_ANSWER


def _delay(struck: Fault, handle: Handle, released: Event) -> Reply:
    released.wait(struck.seconds)
    return handle()


def _delay_answer(struck: Fault, handle: Handle, released: Event) -> Reply:
    reply = handle()
    released.wait(struck.seconds)
    return reply


def _double(_: Fault, handle: Handle, __: Event) -> Reply:
    handle()
    return handle()


def _instead(struck: Fault, handle: Handle, reply: Reply) -> Reply:
    if struck.accepts:
        handle()
    return replace(reply, status=struck.status or reply.status)


def _status(struck: Fault, handle: Handle, _: Event) -> Reply:
    code = struck.status or 500
    body = b'[{"code":%d,"description":"The server has a bad day."}]' % code
    return _instead(struck, handle, Reply(body, "application/json; charset=utf-8", code))


def _page(struck: Fault, handle: Handle, _: Event) -> Reply:
    html = b"<!DOCTYPE html><html><title>502 Bad Gateway</title><h1>Bad Gateway</h1></html>"
    return _instead(struck, handle, Reply(html, "text/html; charset=utf-8", 502))


def _busy(struck: Fault, handle: Handle, _: Event) -> Reply:
    pause = format_datetime(struck.until, usegmt=True) if struck.until else f"{struck.seconds:g}"
    return _instead(struck, handle, Reply(b"", "text/plain", 429, {"Retry-After": pause}))


def _redirect(struck: Fault, handle: Handle, _: Event) -> Reply:
    return _instead(struck, handle, Reply(status=302, headers={"Location": struck.to}))


def _cut(_: Fault, handle: Handle, __: Event) -> Reply:
    reply = handle()
    return replace(reply, headers={**reply.headers, "Content-Length": str(len(reply.body) + 100)}, drops=True)


def _wrong_encoding(_: Fault, handle: Handle, __: Event) -> Reply:
    reply = handle()
    return replace(reply, body=reply.body.decode().encode("utf-16"))


def _wrong_type(_: Fault, handle: Handle, __: Event) -> Reply:
    return replace(handle(), content_type="text/html; charset=utf-8")


def _huge(struck: Fault, handle: Handle, _: Event) -> Reply:
    def write(out: Any) -> None:
        out.write(f"{_HEAD}Content-Length: {struck.size + 2}\r\n\r\n[".encode())
        for start in range(0, struck.size, _CHUNK):
            out.write(b" " * min(_CHUNK, struck.size - start))
        out.write(b"]")

    return _instead(struck, handle, Reply(write=write))


def _drip(struck: Fault, handle: Handle, released: Event) -> Reply:
    def write(out: Any) -> None:
        out.write(f"{_HEAD}\r\n[".encode())
        while not released.wait(_DRIP_S):
            out.write(b" ")

    return _instead(struck, handle, Reply(write=write))


def _honest(_: Fault, handle: Handle, __: Event) -> Reply:
    return handle()


def _reverse(_: Fault, handle: Handle, __: Event) -> Reply:
    return rearranged(handle(), lambda records: records[::-1])


def _repeat(_: Fault, handle: Handle, __: Event) -> Reply:
    return rearranged(handle(), lambda records: [each for record in records for each in (record, record)])


_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNK = 65_536
_DRIP_S = 0.02


def rearranged(reply: Reply, change: Callable[[list[Any]], list[Any]]) -> Reply:
    """A reply whose list of records is changed, in JSON or XML. A reply without a list stays as it is."""
    if "xml" in reply.content_type:
        root = ElementTree.fromstring(reply.body)
        root[:] = change(list(root))
        return replace(reply, body=bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)))
    content = json.loads(reply.body) if reply.body else None
    if isinstance(content, list):
        content = change(content)
    elif isinstance(content, dict):
        content = {name: change(each) if isinstance(each, list) else each for name, each in content.items()}
    return replace(reply, body=json.dumps(content).encode())


KINDS: dict[str, Act] = {
    "drop": _drop,
    "lose_answer": _lose_answer,
    "delay": _delay,
    "delay_answer": _delay_answer,
    "double": _double,
    "status": _status,
    "page": _page,
    "busy": _busy,
    "redirect": _redirect,
    "revoke": _honest,
    "cut": _cut,
    "wrong_encoding": _wrong_encoding,
    "wrong_type": _wrong_type,
    "huge": _huge,
    "drip": _drip,
    "reverse": _reverse,
    "repeat": _repeat,
}
"""What each kind of fault does.

drop            reads the call, handles nothing, and drops the connection
lose_answer     handles the call, and drops the connection instead of an answer
delay           waits `seconds` before the call is handled; `release()` of the server ends the wait
delay_answer    waits `seconds` after the call was handled; `release()` ends the wait
double          handles the call twice, as behind a proxy that repeats it; the second answer is sent
status          500, or `status` such as 404, with the standard's errors
page            502, or `status`, with a page in HTML
busy            429, or `status` such as 503, with Retry-After in `seconds`, or as the date `until`
redirect        302, or `status` such as 307, to the address `to`
revoke          ends all bearer tokens before the call, which gets 401 until the client has a new token
cut             the body is shorter than its Content-Length, and the connection is dropped
wrong_encoding  the body is in UTF-16, and the head says UTF-8
wrong_type      the body is right, and the head says text/html
huge            a JSON body of `size` bytes
drip            a body that never ends, a byte at a time; `release()` ends it
reverse         the records of a list in the opposite order
repeat          each record of a list twice

These kinds handle the call and then change its answer: cut, wrong_encoding, wrong_type, reverse, repeat. These
kinds handle the call only with `accepts`: status, page, busy, redirect, huge, drip.
"""
