"""A city that sends text messages, its gateway, and what arrives there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.personal_data import Privacy
from open311.domain.sms import SmsRules
from open311.operations.access.api_keys import add_key
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.sms.sending import send_all
from open311.operations.workflow.act import act
from open311.plugins import Jurisdiction
from tests import build, world
from tests.checked_client import platform_of
from tests.world.webhooks import signed_headers

OWN = "http://localhost"
RULES = SmsRules(kind="webhook")
ANN = "(617) 555-0123"
ANN_INTERNATIONAL = "+16175550123"
ANSWERS = "/callbacks/test.example/sms/answers"


def city(**changes: Any) -> Jurisdiction:
    """The city of these tests. `changes`: of its rules for text messages."""
    rules = replace(RULES, **changes)
    return build.city(sms=rules, privacy=Privacy(phone_region="US"), languages=("en", "es"))


def settings_for(gateway: world.Receiver) -> dict[str, Any]:
    """The settings of a server that sends its messages there."""
    return {
        "sms_url": gateway.url,
        "sms_secret": world.SECRET,
        "sms_private": True,
        "sms_timeout_s": 2,
        "public_url": OWN,
    }


@dataclass
class Town:
    """A server with one city, and the clock of its worker.

    later  how far the worker's clock is ahead
    """

    app: Flask
    gateway: world.Receiver
    later: timedelta = timedelta()
    _seen: int = field(default=0)

    def __post_init__(self) -> None:
        self.gateway.clock = self.now  # which refuses what was signed at another time

    @property
    def platform(self) -> Platform:
        return platform_of(self.app)

    @property
    def city(self) -> Jurisdiction:
        return next(iter(self.platform.registry))

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def now(self) -> datetime:
        return utc_now() + self.later

    def post(self, *, phone: str = ANN, language: str = "en", **fields: str) -> TestResponse:
        """Send a report by the API, with the wish for text messages."""
        _, key = add_key(self.platform, label="tests", now=utc_now())
        sent = {"api_key": key, "service_code": "potholes", "lat": "60.1718", "long": "24.9414", "phone": phone}
        sent |= {"sms": "true"} | fields
        answer = self.client.post("/open311/v2/requests.json", data=sent, headers={"Accept-Language": language})
        assert answer.status_code == 200, answer.text
        return answer

    def report(self, **fields: Any) -> str:
        """Send a report by the API, and return its id."""
        return str(self.post(**fields).json[0].get("service_request_id", ""))

    def act(self, name: str, *orders: Command) -> None:
        """Give commands as staff."""
        act(self.platform, self.city, name, orders, principal=SHELL, now=utc_now())

    def send(self, *, hours: float = 0) -> list[dict[str, Any]]:
        """Make and send what is due after some hours. Returns the messages that arrived since the last call."""
        while dispatch(self.platform, self.now()):
            continue
        self.later += timedelta(hours=hours)
        send_all(self.platform, self.now)
        return self.arrived()

    def arrived(self) -> list[dict[str, Any]]:
        """The messages that arrived since the last call, also those that came twice."""
        found = self.gateway.hooks[self._seen :]
        self._seen += len(found)
        return [hook.data for hook in found]

    def answer(
        self, text: Any, sender: Any = ANN_INTERNATIONAL, *, secret: str = world.SECRET, id: str = "a1"
    ) -> TestResponse:
        """A call of the gateway with what somebody has answered."""
        body = json.dumps({"from": sender, "text": text}).encode()
        headers = signed_headers(body, id, utc_now(), secret)
        return self.client.post(ANSWERS, data=body, content_type="application/json", headers=headers)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.platform.database.reading() as connection:
            return [dict(row._mapping) for row in connection.exec_driver_sql(statement)]

    def queue(self) -> list[tuple[str, str, int]]:
        """Occasion, state and tries of each message."""
        rows = self.rows("SELECT occasion, state, attempts FROM sms ORDER BY id")
        return [(row["occasion"], row["state"], row["attempts"]) for row in rows]


@contextmanager
def town(make_app: Any, *faults: world.Fault, **rules: Any) -> Iterator[Town]:
    """A server whose gateway has some faults. `rules`: changes of the city's rules for text messages."""
    with world.receiver(faults=faults) as gateway:
        yield Town(make_app(city(**rules), **settings_for(gateway)), gateway)
