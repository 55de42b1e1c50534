"""Personal data that people type into texts is masked for the public, and the sender is told so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from open311.domain.access import Role
from open311.domain.requests import Visibility
from open311.operations.platform import Platform
from tests import build
from tests.desk import Desk

BASE = "/open311/v2"
HOLE = {"service_code": "potholes", "lat": 60.1718, "long": 24.9414}
TYPED = "Deep hole at 1428 Elm St. Call +1 617 555 0143 or write to maria@mail.example before 10:30."
SHOWN = "Deep hole at 1428 Elm St. Call [phone number] or write to [e-mail address] before 10:30."
Post = Callable[..., Any]


def test_a_phone_number_and_an_address_in_a_description_are_masked(client: FlaskClient, post: Post) -> None:
    made = post(**HOLE, description=TYPED).json[0]
    for format in ("json", "xml"):
        read = client.get(f"{BASE}/requests/{made['service_request_id']}.{format}")
        assert SHOWN in read.text
    assert client.get(f"{BASE}/requests.json?q=hole").json[0]["description"] == SHOWN
    assert client.get(f"{BASE}/requests.json?q=maria").json == []
    assert client.get(f"{BASE}/requests.json?q=0143").json == []


def test_a_number_in_other_digits_is_masked_and_not_found_by_a_search(client: FlaskClient, post: Post) -> None:
    text = "Deep 🕳️ hole ✚ call +１６１７\u200b５５５０１４３ or ja\u0301ne＠mail.example now"
    made = post(**HOLE, description=text).json[0]["service_request_id"]
    for format in ("json", "xml"):
        read = client.get(f"{BASE}/requests/{made}.{format}").text
        assert "Deep 🕳️ hole ✚ call [phone number] or [e-mail address] now" in read
    for words in ("16175550143", "5550143", "jane"):
        assert client.get(f"{BASE}/requests.json?q={words}").json == []


def test_the_reporter_is_told_what_is_masked(post: Post) -> None:
    notice = post(**HOLE, description=TYPED).json[0]["service_notice"]
    assert "The public does not see personal data in your text: an e-mail address and a phone number." in notice


def test_the_address_of_a_place_is_masked_and_keeps_its_house_number(client: FlaskClient, post: Post) -> None:
    made = post(**HOLE, address_string="1428 Elm St 00100, ask maria@mail.example").json[0]
    read = client.get(f"{BASE}/requests/{made['service_request_id']}.json").json[0]
    assert read["address"] == "1428 Elm St 00100, ask [e-mail address]"


def test_staff_see_the_kind_and_the_place_of_what_is_masked(
    client: FlaskClient, post: Post, platform: Platform
) -> None:
    made = post(**HOLE, description=TYPED).json[0]["service_request_id"]
    desk = Desk.of(client, platform, "ada", Role.DISPATCHER)
    shown = desk.get(f"/requests/{made}").json
    assert shown["description"] == TYPED
    phone, mail = shown["personal_data"]
    assert phone == {
        "kind": "phone",
        "part": "description",
        "text": "+1 617 555 0143",
        "start": 31,
        "is_masked": True,
    }
    assert mail["text"] == "maria@mail.example"
    order = {"text": mail["text"], "reason": "The address of the school."}
    assert desk.post(f"/requests/{made}/unmask", order).json["personal_data"][1]["is_masked"] is False
    read = client.get(f"{BASE}/requests/{made}.json").json[0]["description"]
    assert "maria@mail.example" in read
    assert "0143" not in read


def test_agents_cannot_unmask(client: FlaskClient, post: Post, platform: Platform) -> None:
    made = post(**HOLE, description=TYPED).json[0]["service_request_id"]
    desk = Desk.of(client, platform)
    answer = desk.post(f"/requests/{made}/unmask", {"text": "+1 617 555 0143", "reason": "x"})
    assert answer.status_code == 403
    assert "unmask" not in desk.get(f"/requests/{made}").json["commands"]


def test_the_queue_can_be_filtered_by_personal_data_and_by_what_is_held(
    client: FlaskClient, platform: Platform
) -> None:
    plain, typed, held = (
        build.submit(platform, description=text).service_request_id for text in ("A hole.", TYPED, TYPED)
    )
    build.change(platform, held, visibility=Visibility.HELD)
    desk = Desk.of(client, platform)
    assert sorted(desk.ids("personal_data=true")) == sorted([typed, held])
    assert desk.ids("held=true") == [held]
    assert desk.ids("held=true&personal_data=true&department=streets") == [held]
    assert sorted(desk.ids()) == sorted([plain, typed, held])
