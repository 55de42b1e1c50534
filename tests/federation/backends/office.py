"""What the tests of all kinds of back ends need: a case, a change of it, and a context without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from open311.clock import utc_now
from open311.domain.case import Case, CaseUpdate
from open311.domain.places import Place
from open311.domain.requests import NamedAnswer, Reporter
from open311.federation.adapters import HttpSession, PluginMailer
from open311.outgoing import SmtpServer
from open311.plugins.context import Context, Mailer
from tests.build import NOON

CASE = Case(
    jurisdiction_id="test.example",
    reference="2026-0000012",
    service_request_id="2026-0000012",
    service_code="potholes",
    service_name="Pothole",
    department="streets",
    agency="Street Works",
    status="open",
    requested_at=NOON,
    updated_at=NOON,
    expected_at=NOON + timedelta(days=4),
    priority="high",
    place=Place(lat=60.1718, long=24.9414, address="5 Mill Lane"),
    description="Deep, near the kerb",
    answers=(NamedAnswer("SURFACE", "Which surface?", "brick", "Brick"),),
    media_urls=("https://photos.example/1.jpg",),
    reporter=Reporter(email="ann@example.org", first_name="Ann"),
)
UPDATE = CaseUpdate(case=CASE, remote_id="W-1", at=NOON, status="fixed", description="Filled.", kinds=("status",))
KEY = "0b2a9d3c-7f0e-4a57-9c1b-3f1f0a5f4a11"
PLAIN = replace(CASE, description="", media_urls=(), reporter=Reporter(), place=replace(CASE.place, address=""))
"""The part of CASE that is sent without an allow-list."""


class Memory:
    """A store in memory."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def put(self, name: str, value: str) -> None:
        self.values[name] = value


class Lines:
    """A log in memory."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, **values: Any) -> None:
        self.lines.append(f"{event} {values}")

    warning = error = info


def context(*, now: Callable[[], datetime] = utc_now, mailer: Mailer | None = None) -> Context:
    """A context with real HTTP."""
    return Context(
        jurisdiction_id="test.example",
        city="Testville",
        now=now,
        zone=ZoneInfo("Europe/Helsinki"),
        open_http=HttpSession,
        store=Memory(),
        log=Lines(),
        mailer=mailer,
        public_url="https://311.test.example",
    )


def mailer_to(url: str) -> PluginMailer:
    """A mailer that sends to a server."""
    server = SmtpServer.from_url(f"{url}?starttls=optional&timeout=5")
    return PluginMailer(server, "City <desk@test.example>", deadline_s=30, now=lambda: NOON)
