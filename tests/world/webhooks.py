"""A receiver of webhooks, as a city's back office may be. Its checks of Standard Webhooks do not use our code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from open311.clock import utc_now
from tests.world.faults import Fault, act
from tests.world.faulty import Faulty
from tests.world.journal import Journal
from tests.world.serving import Asked, Reply, Server

SECRET = "whsec_" + base64.b64encode(b"the secret of the receiver, 32 b").decode()
HOOK = "/hook"


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook that the receiver has accepted.

    number       counts the webhooks, from 1; a repeated one has the number of the first
    webhook_id   "" if it has none
    is_signed    whether a signature fits one of the secrets
    is_repeated  whether a webhook with this id came before
    data         its body, as JSON has it
    headers      with names in lower case
    """

    number: int
    at: datetime
    webhook_id: str
    is_signed: bool
    is_repeated: bool
    data: Any
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """The value of a header; "" if there is none."""
        return dict(self.headers).get(name.lower(), "")


Respond = Callable[[Hook], tuple[int, Any]]
"""A status, and the data of the answer."""


def _thank(hook: Hook) -> tuple[int, Any]:
    return 200, {"id": f"W-{hook.number}"}


class Receiver(Faulty):
    """A receiver of webhooks on a port of the loopback.

    url       where it takes a POST
    secrets   signatures that it accepts; without one, it takes webhooks that nobody has signed
    respond   its answer to a webhook that it takes. A repeated webhook gets the same answer again
    accepted  each webhook once; `hooks` has the repeated ones too
    """

    def __init__(
        self,
        *,
        secrets: Sequence[str] = (SECRET,),
        tolerance_s: int = 300,
        respond: Respond = _thank,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        clock: Callable[[], datetime] = utc_now,
        file: Path | None = None,
        port: int = 0,
    ) -> None:
        self._begin(Journal(file), faults, seed)
        self.secrets, self.tolerance_s, self.respond, self.clock = list(secrets), tolerance_s, respond, clock
        self._lock = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._count = 0
        for hook in self.accepted:
            self._remember(hook)
        self._server = Server(self._answer, port)
        self.origin = self._server.origin
        self.url = self.origin + HOOK

    @property
    def hooks(self) -> list[Hook]:
        """All webhooks that it has taken, in order."""
        return [_hook(dict(entry)) for entry in self.journal.of("hook")]

    @property
    def accepted(self) -> list[Hook]:
        """The webhooks that it has taken, each once."""
        return [each for each in self.hooks if not each.is_repeated]

    def down(self) -> None:
        """Cut all connections, and refuse new ones until `up`."""
        self.release()
        self._server.stop()

    def up(self) -> None:
        self._server.start()

    def end(self) -> None:
        """Stop permanently."""
        self.release()
        self._server.close()
        self.journal.close()

    def send(
        self, url: str, data: Any, webhook_id: str, *, at: datetime | None = None, secret: str = SECRET
    ) -> requests.Response:
        """Send a webhook, signed at a time; returns the answer."""
        body = json.dumps(data).encode()
        headers = signed_headers(body, webhook_id, at or self.clock(), secret)
        headers["Content-Type"] = "application/json"
        return requests.post(url, body, headers=headers, timeout=30)

    def _answer(self, asked: Asked) -> Reply:
        label = f"{asked.method} {asked.path.strip('/')}"
        key = asked.header("webhook-id")
        struck, released = self._faults.next(label, **asked.plain(), key=key, at=self.clock().isoformat())
        return act(struck, lambda: self._handle(asked), released)

    def _handle(self, asked: Asked) -> Reply:
        if asked.path != HOOK:
            return Reply(status=404)
        if asked.method != "POST":
            return Reply(status=405, headers={"Allow": "POST"})
        try:
            data = json.loads(asked.body)
        except ValueError:
            return Reply(b'{"error":"the body is not JSON"}', status=400)
        now = self.clock()
        is_signed = self._is_signed(asked, now)
        if self.secrets and not is_signed:
            return Reply(b'{"error":"no signature fits"}', status=401)
        status, answer = self.respond(self._take(asked, data, is_signed, now))
        return Reply(json.dumps(answer).encode(), status=status)

    def _is_signed(self, asked: Asked, now: datetime) -> bool:
        second, given = asked.header("webhook-timestamp"), asked.header("webhook-signature").split()
        if not second.isdecimal() or abs(now.timestamp() - int(second)) > self.tolerance_s:
            return False
        signatures = [signature(asked.body, asked.header("webhook-id"), second, each) for each in self.secrets]
        return any(each in given for each in signatures)

    def _take(self, asked: Asked, data: Any, is_signed: bool, now: datetime) -> Hook:
        identity = asked.header("webhook-id")
        headers = [[name.lower(), value] for name, value in asked.headers.items()]
        with self._lock:
            known = self._numbers.get(identity, 0)
            facts = {"number": known or self._count + 1, "webhook_id": identity, "is_repeated": known > 0}
            facts |= {"is_signed": is_signed, "data": data, "headers": headers, "at": now.isoformat()}
            hook = _hook(dict(self.journal.add("hook", **facts)))
            if not hook.is_repeated:
                self._remember(hook)
            return hook

    def _remember(self, hook: Hook) -> None:
        self._count = hook.number
        if hook.webhook_id:
            self._numbers[hook.webhook_id] = hook.number


@contextmanager
def receiver(**options: Any) -> Iterator[Receiver]:
    """A receiver of webhooks in this process. The options are those of Receiver; each has a default.

    with receiver(faults=[fault("lose_answer")]) as office:
        post_to(office.url, secret=SECRET)
        [hook] = office.accepted
    """
    office = Receiver(**options)
    sys.stdout.write(f"receiver {office.origin}: seed {office.seed}\n")
    office.up()
    try:
        yield office
    finally:
        office.end()


def signature(body: bytes, webhook_id: str, second: str, secret: str) -> str:
    """The signature of a webhook by Standard Webhooks, `v1,…`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, b".".join([webhook_id.encode(), second.encode(), body]), hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def signed_headers(body: bytes, webhook_id: str, at: datetime, secret: str = SECRET) -> dict[str, str]:
    """The three headers of a webhook."""
    second = str(int(at.timestamp()))
    signed = signature(body, webhook_id, second, secret)
    return {"webhook-id": webhook_id, "webhook-timestamp": second, "webhook-signature": signed}


def _hook(facts: dict[str, Any]) -> Hook:
    del facts["kind"]
    at, headers = datetime.fromisoformat(facts["at"]), tuple((name, value) for name, value in facts["headers"])
    return Hook(**facts | {"at": at, "headers": headers})
