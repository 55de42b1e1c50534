"""The staff API: who may call it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.staff import add_account, issue_token
from open311.operations.platform import Platform
from schemas.staff import StaffRequestSchema
from tests import build

CITY = "city.example"
BASE = "/staff/v1"


def token_of(platform: Platform, name: str = "ada", role: Role = Role.AGENT, *departments: str) -> str:
    """The token of a new account of the only city."""
    options: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    add_account(platform, name=name, role=role, jurisdiction_id=CITY, departments=departments, **options)
    return issue_token(platform, CITY, name, **options).secret


class Desk:
    """Calls of one account."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client, self.token = client, token

    def call(self, method: str, path: str, **more: Any) -> TestResponse:
        """Send a call with the token."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self._client.open(f"{BASE}{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Read something."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        """Give a command."""
        return self.call("POST", path, json=body or {}, **more)


@pytest.fixture
def desk_of(client: FlaskClient, platform: Platform) -> Callable[..., Desk]:
    """Makes an account and returns its calls: desk_of("ada", Role.AGENT, "streets")."""

    def make(name: str = "ada", role: Role = Role.AGENT, *departments: str) -> Desk:
        return Desk(client, token_of(platform, name, role, *departments))

    return make


def test_me_shows_the_account_of_the_token(desk_of: Callable[..., Desk]) -> None:
    answer = desk_of("ada@city.example", Role.READER, "streets").get("/me")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    account = answer.json
    assert account.pop("number") > 0
    assert account == {
        "name": "ada@city.example",
        "role": "reader",
        "jurisdiction_id": CITY,
        "departments": ["streets"],
        "commands": [],
    }


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"Authorization": "Bearer staff_wrong"}, ""),
        ({"Authorization": "Basic {token}"}, ""),
        ({"X-Api-Key": "{token}"}, ""),
        ({}, "?api_key={token}&token={token}&access_token={token}"),
    ],
)
def test_a_token_counts_only_in_authorization_bearer(
    client: FlaskClient, platform: Platform, headers: dict[str, str], query: str
) -> None:
    token = token_of(platform)
    sent = {name: value.format(token=token) for name, value in headers.items()}
    answer = client.get(f"{BASE}/me{query.format(token=token)}", headers=sent)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json["detail"]


def test_an_api_key_is_no_token_of_staff_and_the_other_way_round(
    client: FlaskClient, key: str, platform: Platform
) -> None:
    assert client.get(f"{BASE}/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    form = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "api_key": token_of(platform)}
    assert client.post("/open311/v2/requests.json", data=form).status_code == 403


def test_the_queue_has_the_open_requests_of_the_accounts_departments(
    desk_of: Callable[..., Desk], platform: Platform
) -> None:
    hole = build.submit(platform).service_request_id
    desk = desk_of("ada", Role.READER, "streets")
    answer = desk.get("/requests")
    assert answer.status_code == 200, answer.text
    [found] = answer.json["requests"]
    assert (found["service_request_id"], found["state"], found["department"]) == (hole, "assigned", "streets")
    assert answer.json["cursor"] is None
    assert desk_of("bo", Role.READER, "parks").get("/requests").json["requests"] == []
    assert desk.get("/requests", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    for query in (
        "department=streets",
        "state=assigned",
        "service_code=potholes",
        "assignee=none",
        f"id={hole}",
        "overdue=false",
        "older_than=0",
        "q=pothole",
        "page_size=200",
    ):
        assert [one["service_request_id"] for one in desk.get(f"/requests?{query}").json["requests"]] == [hole], (
            query
        )
    for query in (
        "state=triage",
        "assignee=me",
        "overdue=true",
        "overdue=soon",
        "older_than=3000",
        "merged=true",
        "state=closed",
        "q=elephant",
        "id=moon",
        "state=on_hold,triage,received",
    ):
        assert desk.get(f"/requests?{query}").json["requests"] == [], query
    assert desk.get("/requests/nearby?lat=60.1718&long=24.9414").json["requests"][0]["metres"] == 0
    work = {"department": "streets", "name": "Street Works", "open": 1, "merged": 0}
    [counted] = [one for one in desk.get("/queues").json["queues"] if one["department"] == "streets"]
    assert counted == work | {"overdue": 0, "unassigned": 1, "triage": 0}


def test_a_request_shows_everything_but_its_reporter(desk_of: Callable[..., Desk], platform: Platform) -> None:
    hole = build.submit(platform, description="Deep hole").service_request_id
    answer = desk_of().get(f"/requests/{hole}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"v1"'
    assert set(answer.json) == set(StaffRequestSchema().fields)
    assert "acknowledge" in answer.json["commands"]
    assert "reopen" not in answer.json["commands"]


def test_a_command_changes_the_request_and_shows_it(desk_of: Callable[..., Desk], platform: Platform) -> None:
    hole = build.submit(platform).service_request_id
    desk = desk_of("ada")
    answer = desk.post(f"/requests/{hole}/assign", {"account": "ada"}, headers={"If-Match": '"v1"'})
    assert answer.status_code == 200, answer.text
    assert (answer.json["assignee"], answer.headers["ETag"]) == ("ada", '"v2"')
    refused = desk.post(f"/requests/{hole}/close", {"outcome": "fixed"}, headers={"If-Match": '"v1"'})
    assert refused.status_code == 409
    assert "is at version 2 now, not 1 (assigned:" in refused.json["detail"]
    closed = desk.post(f"/requests/{hole}/close", {"outcome": "fixed"}, headers={"If-Match": '"v2"'})
    assert (closed.json["state"], closed.json["outcome"]) == ("closed", "fixed")
    assert desk.get("/requests?state=closed").json["requests"][0]["outcome"] == "fixed"
