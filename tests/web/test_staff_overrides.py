"""Overrides in the staff API: list, read, put and drop with If-Match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.staff import add_account
from tests import build
from tests.checked_client import platform_of

ITEM = "/overrides/service:en:potholes"
NEW = {"value": {"name": "Hole in the road"}}


class Desk:
    """A server with one city that allows overrides, and the calls of an account."""

    def __init__(self, app: Flask, role: Role) -> None:
        self.client = app.test_client()
        made = add_account(
            platform_of(app), name="ada", role=role, jurisdiction_id="test.example", principal=SHELL, now=utc_now()
        )
        self.headers = {"Authorization": f"Bearer {made.secret}"}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(f"/staff/v1{path}", method=method, json=body, headers=self.headers | named)


@pytest.fixture
def desk(make_app: Callable[..., Flask]) -> Callable[..., Desk]:
    return lambda role=Role.ADMIN, **city: Desk(make_app(build.city(**{"overrides": True} | city)), role)


def test_an_admin_reads_puts_and_drops_an_override(desk: Callable[..., Desk]) -> None:
    admin = desk()
    before = admin.send("GET", ITEM)
    assert (before.json["files"]["name"], before.json["override"]) == ("Pothole", None)
    put = admin.send("PUT", ITEM, NEW, If_Match=before.headers["ETag"])
    assert put.status_code == 200
    assert put.json["now"]["name"] == "Hole in the road"
    assert put.json["override"]["standing"] == "applied"
    assert admin.send("GET", ITEM).headers["ETag"] == put.headers["ETag"] != before.headers["ETag"]
    (listed,) = admin.send("GET", "/overrides").json["overrides"]
    assert listed == put.json["override"]
    assert admin.client.get("/open311/v2/services.json").json[0]["service_name"] == "Hole in the road"
    assert admin.send("DELETE", ITEM, If_Match=put.headers["ETag"]).json == {"overrides": []}


def test_a_change_of_something_that_somebody_else_has_changed_is_a_409(desk: Callable[..., Desk]) -> None:
    admin = desk()
    seen = admin.send("GET", ITEM).headers["ETag"]
    assert admin.send("PUT", ITEM, NEW, If_Match=seen).status_code == 200
    for method, body in (("PUT", {"value": {"name": "Crater"}}), ("DELETE", None)):
        late = admin.send(method, ITEM, body, If_Match=seen)
        assert late.status_code == 409
        assert late.json["errors"][0]["field"] == "If-Match"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "value"),
        ({"value": "Hole"}, "value"),
        ({"value": {"name": 7}}, "name"),
        ({"value": {"title": "x"}}, "title"),
        ({"value": {"name": ""}}, "value"),
        ({"value": {"name": "Pothole"}}, "value"),
        ({"value": {"name": "\x00"}}, "value"),
        ({"value": {}, "name": "x"}, "name"),
    ],
)
def test_a_faulty_body_is_a_400_that_names_the_field(desk: Callable[..., Desk], body: Any, field: str) -> None:
    answer = desk().send("PUT", ITEM, body)
    assert answer.status_code == 400
    assert field in [one["field"] for one in answer.json["errors"]]


def test_a_malformed_etag_is_a_400(desk: Callable[..., Desk]) -> None:
    answer = desk().send("PUT", ITEM, NEW, If_Match="v3")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "If-Match")


@pytest.mark.parametrize("item", ["nothing", "service:en:lamps", "form:potholes", "text:xx:fixed:"])
def test_an_unknown_item_is_a_404(desk: Callable[..., Desk], item: str) -> None:
    admin = desk()
    for method, body in (("GET", None), ("PUT", NEW), ("DELETE", None)):
        assert admin.send(method, f"/overrides/{item}", body).status_code == 404


@pytest.mark.parametrize("role", [Role.READER, Role.AGENT, Role.DISPATCHER])
def test_other_roles_get_a_403(desk: Callable[..., Desk], role: Role) -> None:
    other = desk(role)
    for method, path, body in (
        ("GET", "/overrides", None),
        ("GET", ITEM, None),
        ("PUT", ITEM, NEW),
        ("DELETE", ITEM, None),
    ):
        assert other.send(method, path, body).status_code == 403


def test_an_override_in_a_city_that_does_not_allow_overrides_gets_403(desk: Callable[..., Desk]) -> None:
    admin = desk(overrides=False)
    assert admin.send("GET", "/overrides").json == {"overrides": []}
    refused = admin.send("PUT", ITEM, NEW)
    assert refused.status_code == 403
    assert "overrides = true" in refused.json["detail"]
