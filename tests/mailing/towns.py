"""A city that sends mail, its mail server, and what arrives there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.mails import MailRules
from open311.operations.access.api_keys import add_key
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.mailing.sending import send_all
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.plugins import Jurisdiction
from tests import build, world
from tests.checked_client import platform_of

OWN = "http://localhost"
RULES = MailRules(
    reporters=True,
    followers=True,
    sender="Testville Works",
    footer="Testville, 1 Mill Lane",
    collect_minutes=10,
    reopen_days=14,
    departments={"streets": "streets@city.example"},
    about=(),
)
ANN = "ann@mail.example"
_LINK = re.compile(r"http://localhost(/mail/\S+)")


def city(**changes: Any) -> Jurisdiction:
    """The city of these tests. `changes`: of its rules for mail."""
    return build.city(mail=replace(RULES, **changes), languages=("en", "es"))


def settings_for(post: world.MailServer) -> dict[str, Any]:
    """The settings of a server that sends its mail there."""
    return {
        "smtp_url": f"{post.url}?starttls=optional&timeout=2",
        "mail_from": "City <desk@city.example>",
        "bounce_mail": "bounces@city.example",
        "public_url": OWN,
    }


@dataclass
class Town:
    """A server with one city, and the clock of its worker.

    later  how far the worker's clock is ahead, so that collected changes are due
    """

    app: Flask
    post: world.MailServer
    later: timedelta = timedelta()
    _seen: int = field(default=0)

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

    def report(self, *, email: str = ANN, language: str = "en", **fields: Any) -> str:
        """Send a report by the API, and return its id."""
        _, key = add_key(self.platform, label="tests", now=utc_now())
        sent = {"api_key": key, "service_code": "potholes", "lat": "60.1718", "long": "24.9414", "email": email}
        answer = self.client.post(
            "/open311/v2/requests.json", data=sent | fields, headers={"Accept-Language": language}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json[0].get("service_request_id", ""))

    def act(self, name: str, *orders: Command) -> None:
        """Give commands as staff."""
        act(self.platform, self.city, name, orders, principal=SHELL, now=utc_now())

    def send(self, *, hours: float = 0) -> list[EmailMessage]:
        """Make and send what is due after some hours. Returns the mails that arrived since the last call."""
        while dispatch(self.platform, self.now()):
            continue
        self.later += timedelta(hours=hours)
        send_all(self.platform, self.now)
        return self.arrived()

    def arrived(self) -> list[EmailMessage]:
        """The mails that arrived since the last call."""
        found = self.post.accepted[self._seen :]
        self._seen += len(found)
        return [mail.message for mail in found]

    def confirmed(self, **fields: Any) -> tuple[str, str]:
        """A report whose reporter has agreed to get mail: its id, and the path of the reporter's page."""
        name = self.report(**fields)
        [mail] = self.send()
        path = page_of(mail)
        assert self.press(path, "confirm") == 200
        return name, path

    def press(self, path: str, do: str, **fields: str) -> int:
        """Press a button of the page of a mail. Returns the status."""
        return self.client.post(path, data={"do": do} | fields).status_code

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.platform.database.reading() as connection:
            return [dict(row._mapping) for row in connection.exec_driver_sql(statement)]


def text_of(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(mail: EmailMessage) -> str:
    """The HTML of a mail."""
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def page_of(mail: EmailMessage) -> str:
    """The path of the page to which a mail links."""
    found = _LINK.search(text_of(mail))
    assert found, text_of(mail)
    return found[1]


@contextmanager
def town(make_app: Any, *faults: world.Fault, **rules: Any) -> Iterator[Town]:
    """A server whose mail server has some faults. `rules`: changes of the city's rules for mail."""
    with world.mail_server(faults=faults) as post:
        yield Town(make_app(city(**rules), **settings_for(post)), post)
