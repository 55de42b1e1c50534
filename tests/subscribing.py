"""Subscriptions for tests: a server with a receiver of webhooks, and what the receiver holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.subscriptions.sending import send_all
from tests import build, world
from tests.delivering import Clock

CHALLENGE = "subscription.challenge"
SUBSCRIPTIONS = "/open311/v2/subscriptions"


class Subscriber:
    """A receiver that keeps the last version of each request, and notes what must never happen.

    office    the server that takes the calls
    held      the newest version of each request, by its id
    gone      the ids of requests that were withdrawn
    faults    sentences about older versions that came after newer ones
    messages  each accepted message with its webhook-id, in order
    answers   the statuses of the next answers; 200 once they are used up
    """

    def __init__(self, office: world.Receiver) -> None:
        self.office = office
        self.held: dict[str, Any] = {}
        self.gone: list[str] = []
        self.faults: list[str] = []
        self.messages: list[Any] = []
        self.answers: list[int] = []
        self._newest: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self.office.url

    @property
    def host(self) -> str:
        """The host and port, as OPEN311_WEBHOOK_HOSTS names them."""
        return urlsplit(self.office.origin).netloc

    def respond(self, hook: world.Hook) -> tuple[int, Any]:
        with self._lock:
            message = hook.data
            if message["type"] == CHALLENGE:
                return 200, {"challenge": message["data"]["challenge"]}
            if self.answers and (status := self.answers.pop(0)) != 200:
                return status, {}
            self.messages.append((hook.webhook_id, message))
            self._keep(message["data"])
            return 200, {}

    def _keep(self, data: Any) -> None:
        name, sequence = data["service_request_id"], data["sequence"]
        if sequence < self._newest.get(name, 0):
            self.faults.append(f"{name}: {sequence} came after {self._newest[name]}")
        self._newest[name] = sequence
        if data.get("withdrawn"):
            self.held.pop(name, None)
            self.gone.append(name)
        else:
            self.held[name] = data["service_request"]


@contextmanager
def subscriber(**options: Any) -> Iterator[Subscriber]:
    """A receiver that answers challenges. The options are those of `world.receiver`; it accepts any secret."""
    with world.receiver(secrets=(), **options) as office:
        found = Subscriber(office)
        office.respond = found.respond
        yield found


def subscribe(client: FlaskClient, secret: str, url: str, **filters: Any) -> Any:
    """The subscription that a POST has made, as JSON shows it."""
    answer = client.post(f"{SUBSCRIPTIONS}.json", data={"api_key": secret, "url": url} | filters)
    assert answer.status_code == 200, answer.text
    [found] = answer.json
    return found


def shown(client: FlaskClient, secret: str, name: str) -> Any:
    """A subscription as its owner reads it."""
    answer = client.get(f"{SUBSCRIPTIONS}/{name}.json", query_string={"api_key": secret})
    assert answer.status_code == 200, answer.text
    [found] = answer.json
    return found


def tell(platform: Platform, now: datetime | None = None) -> int:
    """Announce all changes, and send what is due. Returns the number of tries."""
    clock = Clock(now or build.NOON)
    while dispatch(platform, clock()):
        continue
    return send_all(platform, clock)
