"""Attributes that a service does not ask for. They are kept for staff if the city wants it, and never public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.attributes import MAX_UNASKED, Answer
from open311.domain.events import Erasable
from open311.domain.services import Attribute, Datatype, Service
from open311.operations.access.api_keys import add_key
from open311.operations.publishing import names_for, publish_requests
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.read_request import read_request
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
ASKED = Attribute(code="COLOUR", description="Colour?", datatype=Datatype.STRING, public=True)
LAMP = Service(code="lamp", name="Lamp", department="streets", attributes=(ASKED,))
FORM = {"service_code": "lamp", "lat": "60.1718", "long": "24.9414", "attribute[COLOUR]": "red"}


class Kept:
    """A server of a city that keeps such attributes, or does what `changes` say."""

    def __init__(self, make_app: Callable[..., Flask], **changes: Any) -> None:
        self.city = build.city(services=(LAMP,), **{"unknown_attributes": "keep"} | changes)
        self.app = make_app(self.city)
        self.platform = platform_of(self.app)
        _, self.key = add_key(self.platform, label="tests", now=build.NOON)
        self.client = self.app.test_client()

    def post(self, **more: str) -> Any:
        answer = self.client.post(f"{BASE}/requests.json", data=FORM | more | {"api_key": self.key})
        assert answer.status_code == 200, answer.text
        return answer

    def answers(self, answer: Any) -> list[tuple[str, str, str]]:
        """What staff see: question, code and value of each answer."""
        view = read_request(self.platform, self.city, answer.json[0]["service_request_id"])
        return [(found.label, found.code, found.value) for found in view.answers]

    def public(self) -> str:
        paths = (f"{BASE}/requests.json", f"{BASE}/requests.xml", f"{BASE}/requests.csv", f"{BASE}/changes.json")
        return "".join(self.client.get(path, query_string={"extensions": "true"}).text for path in paths)


@pytest.mark.requirement("S10")
def test_an_unknown_attribute_is_kept_for_staff_with_a_warning(make_app: Callable[..., Flask]) -> None:
    server = Kept(make_app)
    answer = server.post(**{"attribute[POLE]": "pole-4711", "attribute[BLANK]": " "})
    assert answer.headers["Warning"] == (
        '299 - "attribute[POLE] is kept for staff only; the service has no such attribute"'
    )
    assert server.answers(answer) == [("Colour?", "COLOUR", "red"), ("", "POLE", "pole-4711")]
    assert "red" in server.public()
    assert "pole-4711" not in server.public()


def test_a_kept_answer_stays_hidden_when_the_service_asks_for_it_later(make_app: Callable[..., Flask]) -> None:
    server = Kept(make_app)
    answer = server.post(**{"attribute[POLE]": "pole-4711"})
    asking = replace(LAMP, attributes=(ASKED, replace(ASKED, code="POLE", description="Pole?")))
    record = build.load(server.platform, service_request_id=answer.json[0]["service_request_id"])
    with server.platform.database.transaction() as connection:
        publish_requests(connection, [record], names_for(connection, build.city(services=(asking,))))
    assert "red" in server.public()
    assert "pole-4711" not in server.public()


def test_a_kept_answer_is_erased_with_the_answers(make_app: Callable[..., Flask]) -> None:
    server = Kept(make_app)
    answer = server.post(**{"attribute[POLE]": "pole-4711"})
    name = answer.json[0]["service_request_id"]
    erase_from_request(server.platform, server.city, name, [Erasable.ANSWERS], now=utc_now())
    assert server.answers(answer) == []


def test_a_city_without_the_rule_keeps_no_unasked_answer(make_app: Callable[..., Flask]) -> None:
    server = Kept(make_app, unknown_attributes="ignore")
    answer = server.post(**{"attribute[POLE]": "pole-4711"})
    assert "attribute[POLE] is ignored" in answer.headers["Warning"]
    assert server.answers(answer) == [("Colour?", "COLOUR", "red")]


def test_too_long_or_too_many_attributes_are_dropped_with_a_warning(
    make_app: Callable[..., Flask],
) -> None:
    server = Kept(make_app)
    many = {f"attribute[X{number:02}]": "1" for number in range(MAX_UNASKED + 1)}
    answer = server.post(**{"attribute[LONG]": "x" * 4_001} | many)
    warnings = answer.headers.getlist("Warning")
    assert '299 - "attribute[LONG] is ignored; the service has no such attribute"' in warnings
    assert f'299 - "attribute[X{MAX_UNASKED}] is ignored; the service has no such attribute"' in warnings
    assert len(server.answers(answer)) == 1 + MAX_UNASKED


def test_a_kept_answer_is_stored_as_not_asked_and_does_not_change_the_department(
    make_app: Callable[..., Flask],
) -> None:
    server = Kept(make_app)
    name = server.post(**{"attribute[POLE]": "pole-4711"}).json[0]["service_request_id"]
    record = build.load(server.platform, service_request_id=name)
    assert record.answers == (Answer("COLOUR", ("red",)), Answer("POLE", ("pole-4711",), is_asked=False))
    assert record.department == "streets"
