"""Two back offices in a separate process. They answer at once. `delivering` runs this process.

`python -m tests.benchmarks.back_office` prints its port, and ends when its standard input ends.

    POST /works                               takes a case as a signed webhook, and sends its updates by webhooks
    POST /county/requests.json                takes a request of GeoReport
    GET  /county/servicerequestupdates.json   answers with the updates of this office, which our worker pulls
    POST /_wave                               begins to send updates; the body is a `Wave` as JSON
    GET  /_ledger                             answers with the received deliveries and the sent updates, as JSON

tests.world has a neighbour that can do much more, but it searches its memory and writes a journal for each call.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from open311.federation.signing import sign

HOST = "127.0.0.1"
SENDERS = 4
"""Connections for webhooks. A connection sends its next webhook after the answer to the previous webhook."""
WORDS = ("in_progress", "fixed")


@dataclass(frozen=True, slots=True)
class Wave:
    """Updates to send at a fixed rate.

    webhooks  the number of updates to send to `path`
    pulled    the number of updates that our worker can pull
    """

    port: int
    path: str
    secret: str
    webhooks: int
    pulled: int
    seconds: float


@dataclass(slots=True)
class Office:
    """One back office.

    calls      the number of calls for each delivery, by the delivery's key
    waiting    ids of the requests without an update from this office, the oldest first
    updates    the updates of this office in the order of time, in the form of GeoReport
    """

    prefix: str
    calls: Counter[str] = field(default_factory=Counter)
    ids: dict[str, str] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)
    updates: list[tuple[datetime, bytes]] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)

    def take(self, key: str) -> str:
        """The id of a request. The same key always gets the same id."""
        self.calls[key] += 1
        if key not in self.ids:
            self.ids[key] = f"{self.prefix}-{len(self.ids) + 1}"
            self.waiting.append(self.ids[key])
        return self.ids[key]

    def next_update(self) -> dict[str, str] | None:
        """An update of the request that has waited longest; None if no request waits."""
        if not self.waiting:
            return None
        name, number = self.waiting.popleft(), len(self.offered)
        update_id = f"u-{name}"
        self.offered.append(update_id)
        return {
            "update_id": update_id,
            "service_request_id": name,
            "status": WORDS[number % len(WORDS)],
            "updated_datetime": datetime.now(UTC).isoformat(),
            "description": f"The crew was there, entry {update_id}.",
        }


class Offices:
    """Both back offices, and the sending of their updates."""

    def __init__(self) -> None:
        self.works, self.county = Office("W"), Office("C")
        self.answers: Counter[str] = Counter()
        self.missing = 0
        self.finished_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    # --- Calls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the calls of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                headers = {
                    name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, answer = self._answer(method, target, headers, body)
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[str, bytes]:
        path = target.partition("?")[0]
        if (method, path) == ("POST", "/works"):
            return "200 OK", json.dumps({"service_request_id": self.works.take(headers["webhook-id"])}).encode()
        if (method, path) == ("POST", "/county/requests.json"):
            name = self.county.take(headers["idempotency-key"])
            return "201 Created", json.dumps([{"service_request_id": name}]).encode()
        if (method, path) == ("GET", "/county/servicerequestupdates.json"):
            return "200 OK", self._listed(target)
        if (method, path) == ("POST", "/_wave"):
            self._begin(Wave(**json.loads(body)))
            return "200 OK", b"{}"
        if (method, path) == ("GET", "/_ledger"):
            return "200 OK", json.dumps(self._ledger()).encode()
        return "404 Not Found", b'[{"code": 404, "description": "unknown"}]'

    def _listed(self, target: str) -> bytes:
        query = parse_qs(urlsplit(target).query)
        first, last = (datetime.fromisoformat(query[name][0]) for name in ("start_date", "end_date"))
        return b"[" + b",".join(body for at, body in self.county.updates if first <= at <= last) + b"]"

    def _ledger(self) -> dict[str, Any]:
        offices = {"works": self.works, "county": self.county}
        return {
            "offices": {
                name: {"taken": len(one.ids), "calls": one.calls.total(), "offered": one.offered}
                for name, one in offices.items()
            },
            "answers": self.answers,
            "missing": self.missing,
            "is_sending": bool(self._tasks),
            "finished_at": self.finished_at,
        }

    # --- Updates

    def _begin(self, wave: Wave) -> None:
        begun_at = time.monotonic()
        turns = iter(range(wave.webhooks))
        work = [self._offer(wave, begun_at), *(self._send(wave, begun_at, turns) for _ in range(SENDERS))]
        for one in work:
            task = asyncio.create_task(one)
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.finished_at = time.time()
        if task.exception():
            self.answers[repr(task.exception())] += 1

    async def _offer(self, wave: Wave, begun_at: float) -> None:
        """Make updates that wait for the next reading, at the rate of the wave."""
        for turn in range(wave.pulled):
            await _wait(begun_at + turn * wave.seconds / wave.pulled)
            update = self.county.next_update()
            if update is None:
                self.missing += 1
            else:
                at = datetime.fromisoformat(update["updated_datetime"])
                self.county.updates.append((at, json.dumps(update).encode()))

    async def _send(self, wave: Wave, begun_at: float, turns: Any) -> None:
        """Send webhooks at the rate of the wave; the senders share the turns."""
        reader, writer = await asyncio.open_connection(HOST, wave.port)
        try:
            for turn in turns:
                await _wait(begun_at + turn * wave.seconds / wave.webhooks)
                update = self.works.next_update()
                if update is None:
                    self.missing += 1
                    continue
                body = json.dumps(update).encode()
                signed = sign(body, update["update_id"], secrets=[wave.secret], now=datetime.now(UTC))
                lines = [f"POST {wave.path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}"]
                lines += ["Content-Type: application/json", *(f"{name}: {text}" for name, text in signed.items())]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                size = int(head.partition("content-length:")[2].partition("\r\n")[0])
                await reader.readexactly(size)
                self.answers[head.split(" ")[1]] += 1
        finally:
            writer.close()


async def _wait(until: float) -> None:
    await asyncio.sleep(max(0.0, until - time.monotonic()))


async def _main() -> None:
    offices, is_over, loop = Offices(), asyncio.Event(), asyncio.get_running_loop()
    server = await asyncio.start_server(offices.serve, HOST, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()

    def follow_parent() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(is_over.set)

    threading.Thread(target=follow_parent, daemon=True).start()
    await is_over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_main())
