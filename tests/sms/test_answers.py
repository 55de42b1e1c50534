"""People end messages with STOP, and let them come again with START."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.people import Person
from open311.operations.people.erase_person import erase_person
from tests import build, world
from tests.sms.towns import ANN, ANN_INTERNATIONAL, ANSWERS, Town
from tests.stored import dump
from tests.world.webhooks import signed_headers


@pytest.mark.parametrize("word", ["STOP", "stop.", "baja", "إيقاف"])
def test_a_number_that_says_stop_gets_nothing_until_it_says_start(here: Town, word: str) -> None:
    here.report()
    here.send()
    assert here.answer(word).json == {"understood": "stop"}
    assert here.answer(word).json == {"understood": "stop"}, "a repeated call has no further effect"
    here.report()
    assert here.send(hours=1) == []
    assert here.queue()[-1][:2] == ("received", "skipped")
    assert here.answer("START").json == {"understood": "start"}
    here.report()
    assert len(here.send()) == 1


def test_a_stop_outlives_an_erasure_as_a_digest(here: Town) -> None:
    here.report()
    here.send()
    here.answer("STOP")
    options = {"reason": "A letter.", "principal": SHELL, "now": utc_now()}
    person = Person(phone=ANN, phone_region="US")
    list(erase_person(here.platform, here.city, person, **options))  # type: ignore[arg-type]  # the values have several types
    stored = dump(here.platform)
    assert not [form for form in (ANN, ANN_INTERNATIONAL, "6175550123") if form in stored]
    here.report()
    assert here.send() == []


def test_a_message_other_than_stop_and_start_changes_nothing_and_is_not_stored(here: Town) -> None:
    assert here.answer("Thank you, Zaphod").json == {"understood": "other"}
    assert here.rows("SELECT * FROM sms_stop") == []
    assert "Zaphod" not in dump(here.platform)


@pytest.mark.parametrize(
    ("sender", "text", "named"),
    [
        (None, "STOP", "from"),
        ("", "STOP", "from"),
        ("617 555 0123", "STOP", "from"),
        (16175550123, "STOP", "from"),
        (ANN_INTERNATIONAL, None, "text"),
        (ANN_INTERNATIONAL, ["STOP"], "text"),
    ],
)
def test_a_call_that_cannot_be_read_is_refused_and_the_error_names_the_field(
    here: Town, sender: object, text: object, named: str
) -> None:
    answer = here.answer(text, sender)
    assert answer.status_code == 400
    assert f"{named}: must be" in answer.text
    assert "5550123" not in answer.text


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff\xfe", b"{" * 10_000, b'"STOP"'])
def test_a_body_that_is_no_object_is_refused(here: Town, body: bytes) -> None:
    headers = signed_headers(body, "a1", utc_now())
    answer = here.client.post(ANSWERS, data=body, content_type="application/json", headers=headers)
    assert answer.status_code == 400


def test_a_call_that_the_gateway_has_not_signed_is_refused(here: Town) -> None:
    wrong = "whsec_" + "QUFB" * 8
    assert here.answer("STOP", secret=wrong).status_code == 401
    body = json.dumps({"from": ANN_INTERNATIONAL, "text": "STOP"})
    assert here.client.post(ANSWERS, data=body, content_type="application/json").status_code == 401
    assert here.rows("SELECT * FROM sms_stop") == []


def test_a_city_without_messages_takes_no_answers(make_app: Callable[..., Flask]) -> None:
    with world.receiver() as gateway:
        here = Town(make_app(build.city()), gateway)
        assert here.answer("STOP").status_code == 404
        assert here.client.get(ANSWERS).status_code in (404, 405)
