"""Accounts of staff and their calls, for tests of the staff API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import SHELL, Principal, Role
from open311.operations.access.staff import add_account, require_staff
from open311.operations.platform import Platform

BASE = "/staff/v1"


@dataclass(frozen=True)
class Desk:
    """An account and its calls."""

    client: FlaskClient
    token: str
    principal: Principal

    @classmethod
    def of(
        cls,
        client: FlaskClient,
        platform: Platform,
        name: str = "ada",
        role: Role = Role.AGENT,
        *departments: str,
        city: str = "city.example",
    ) -> Desk:
        """A new account with a token."""
        options: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
        options |= {"name": name, "role": role, "jurisdiction_id": city, "departments": departments}
        token = add_account(platform, **options).secret
        return cls(client, token, require_staff(platform, token, now=utc_now()))

    def call(self, method: str, path: str, **more: Any) -> TestResponse:
        """Send a call with the token."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self.client.open(f"{BASE}{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Read something."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: object = None, **more: Any) -> TestResponse:
        """Give a command."""
        return self.call("POST", path, json={} if body is None else body, **more)

    def ids(self, query: str = "") -> list[str]:
        """The ids of the requests on a page of the queue."""
        answer = self.get(f"/requests?{query}")
        assert answer.status_code == 200, answer.text
        return [item["service_request_id"] for item in answer.json["requests"]]
