"""The block list and the reporters' links in the staff API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.api_keys import add_key
from open311.operations.access.staff import add_account
from tests import build
from tests.checked_client import platform_of

FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "extensions": "true"}
BLOCK = {"kind": "email", "value": "Spam@mail.example", "reason": "Insults."}


class Desk:
    """A server with one city, and the calls of an account."""

    def __init__(self, app: Flask, role: Role) -> None:
        self.platform, self.client = platform_of(app), app.test_client()
        (self.city,) = self.platform.registry
        made = add_account(
            self.platform, name="ada", role=role, jurisdiction_id=self.city.id, principal=SHELL, now=utc_now()
        )
        self.headers = {"Authorization": f"Bearer {made.secret}"}

    def get(self, path: str) -> Any:
        return self.client.get(f"/staff/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/staff/v1{path}", json=body, headers=self.headers)

    def stored(self, table: str) -> str:
        with self.platform.database.transaction() as connection:
            return "\n".join(connection.execute(text(f"SELECT {table}::text FROM {table}")).scalars())

    def report(self, **more: str) -> Any:
        _, key = add_key(self.platform, label="app", now=utc_now())
        return self.client.post("/open311/v2/requests.json", data=FORM | {"api_key": key} | more).json[0]


@pytest.fixture
def desk(make_app: Callable[..., Flask]) -> Callable[[Role], Desk]:
    return lambda role: Desk(make_app(build.city()), role)


def test_an_admin_adds_lists_and_removes_a_block(desk: Callable[[Role], Desk]) -> None:
    admin = desk(Role.ADMIN)
    (added,) = admin.post("/blocks", BLOCK).json["blocks"]
    assert (added["kind"], added["value"], added["reason"]) == ("email", None, "Insults.")
    assert admin.get("/blocks").json["blocks"] == [added]
    gone = admin.post(f"/blocks/{added['number']}/remove", {"reason": "Over."})
    assert gone.json == {"blocks": []}
    assert admin.post(f"/blocks/{added['number']}/remove", {"reason": "Over."}).status_code == 404


def test_a_blocked_address_is_in_no_table(desk: Callable[[Role], Desk]) -> None:
    admin = desk(Role.ADMIN)
    admin.post("/blocks", BLOCK)
    for table in ("block", "block_list", "audit_entry"):
        assert admin.stored(table)
        assert "mail.example" not in admin.stored(table).lower()
    assert "block.add" in admin.stored("audit_entry")


def test_the_same_sender_cannot_be_blocked_twice(desk: Callable[[Role], Desk]) -> None:
    admin = desk(Role.ADMIN)
    admin.post("/blocks", BLOCK)
    again = admin.post("/blocks", BLOCK | {"value": " spam@MAIL.example"})
    assert again.status_code == 409
    assert "blocked already by block" in again.json["detail"]


@pytest.mark.parametrize("role", [Role.READER, Role.AGENT, Role.DISPATCHER])
def test_only_admins_use_the_block_list(desk: Callable[[Role], Desk], role: Role) -> None:
    other = desk(role)
    assert other.get("/blocks").status_code == 403
    assert other.post("/blocks", BLOCK).status_code == 403
    assert other.post("/blocks/1/remove", {"reason": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "address", "value": "anywhere"}, "value"),
        ({"kind": "address", "value": "0.0.0.0/0"}, "value"),
        ({"kind": "address", "value": "::/0"}, "value"),
        ({"kind": "address", "value": "203.0.113.0/99"}, "value"),
        ({"kind": "key", "value": "999999"}, "value"),
        ({"kind": "key", "value": "1; DROP TABLE block"}, "value"),
        ({"kind": "email", "value": "nobody"}, "value"),
        ({"value": "   "}, "value"),
        ({"value": "x@" + "y" * 600}, "value"),
        ({"value": 7}, "value"),
        ({"value": "a\x00@b"}, "value"),
        ({"kind": "person"}, "kind"),
        ({"reason": " "}, "reason"),
        ({"reason": "two\nlines"}, "reason"),
        ({"days": -1}, "days"),
        ({"days": 4_000}, "days"),
        ({"days": "7"}, "days"),
        ({"days": True}, "days"),
    ],
)
def test_the_error_for_a_faulty_block_names_the_field(
    desk: Callable[[Role], Desk], changes: dict[str, Any], field: str
) -> None:
    admin = desk(Role.ADMIN)
    answer = admin.post("/blocks", BLOCK | changes)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json["errors"]] == [field]
    assert admin.get("/blocks").json == {"blocks": []}


def test_an_agent_renews_and_revokes_the_link_of_a_reporter(desk: Callable[[Role], Desk]) -> None:
    agent = desk(Role.AGENT)
    made = agent.report()
    name, first = made["service_request_id"], made["extended_attributes"]["status_url"]
    second = agent.post(f"/requests/{name}/renew_link", {}).json["status_url"]
    assert first != second
    assert [agent.client.get(link).status_code for link in (first, second)] == [404, 200]
    assert agent.post(f"/requests/{name}/revoke_links", {"reason": "Leaked."}).json == {"status_url": None}
    assert agent.client.get(second).status_code == 404
    assert "Leaked." in agent.stored("audit_entry")


def test_a_reader_cannot_renew_links(desk: Callable[[Role], Desk]) -> None:
    reader = desk(Role.READER)
    name = reader.report()["service_request_id"]
    assert reader.post(f"/requests/{name}/renew_link", {}).status_code == 403
    assert reader.post("/requests/nothing/renew_link", {}).status_code == 403


def test_staff_read_why_a_report_is_held(desk: Callable[[Role], Desk]) -> None:
    admin = desk(Role.ADMIN)
    admin.post("/blocks", BLOCK)
    name = admin.report(email="spam@mail.example")["service_request_id"]
    whole = admin.get(f"/requests/{name}").json
    assert whole["visibility"] == "held"
    (event,) = [one for one in whole["history"] if one["kind"] == "suspected"]
    assert event["reason"] == "Insults."
    assert event["text"].startswith("block ")
    listed = admin.get("/requests?suspected=true").json["requests"]
    assert [one["service_request_id"] for one in listed] == [name]
    assert sum(one["suspected"] for one in admin.get("/queues").json["queues"]) == 1
