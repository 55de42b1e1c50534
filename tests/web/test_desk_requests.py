"""The page of a request for staff: what it shows, its commands, and what happens when two people work at once."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.abuse import AbuseRules
from open311.domain.access import Role
from open311.domain.commands import commands
from open311.domain.events.history import kinds
from open311.domain.requests import Reporter, Status, Visibility
from open311.operations.desk.whole_request import READ_REPORTER
from open311.operations.platform import Platform
from open311.storage import audit
from open311.web.portal.staff import words
from schemas import staff as wire
from schemas.deliveries import DELIVERY_STATES
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.desk_pages import HOME, Person, field_of
from tests.pages import checked, text_of
from tests.photos import jpeg
from tests.web.test_suspected_updates import Server

SHOWN_ELSEWHERE = {"mask", "unmask"}


@pytest.fixture
def ada(client: FlaskClient, platform: Platform) -> Person:
    """A dispatcher of all departments."""
    return Person.of(client, platform, "ada", Role.DISPATCHER)


def offered(person: Person, number: int) -> set[str]:
    """The commands that the page of a request has forms for."""
    found = checked(person.get(f"requests/{number}")).xpath("//input[@name='do']/@value")
    return {str(one) for one in found if one in wire.COMMANDS}


# --- The words


def test_every_command_and_every_code_has_words() -> None:
    grouped = [name for group in words.COMMAND_GROUPS.values() for name in group]
    assert {*grouped} | SHOWN_ELSEWHERE == set(words.COMMANDS) == set(commands())
    assert len(grouped) == len(set(grouped))
    assert set(words.FIELDS) == {name for body in wire.COMMANDS.values() for name in body().fields}
    for table, codes in (
        (words.STATES, wire.STATES),
        (words.OUTCOMES, wire.OUTCOMES),
        (words.PRIORITIES, wire.PRIORITIES),
        (words.VISIBILITIES, wire.VISIBILITIES),
        (words.PHOTO_STATES, wire.PHOTO_STATES),
        (words.DELIVERY_STATES, DELIVERY_STATES),
        (words.DECISIONS, wire.DELIVERY_BODIES),
    ):
        assert set(table) == set(codes)


def test_every_kind_of_event_has_words() -> None:
    assert set(kinds()) == set(words.EVENTS)


# --- What is shown


def test_all_of_a_request_is_shown_except_its_reporter(ada: Person, platform: Platform) -> None:
    receipt = build.submit(platform, description="Call 617-555-0143", reporter=Reporter(email="jane@mail.example"))
    record = build.load(platform, service_request_id=receipt.service_request_id)
    ada.order(record.number, "note", text="The owner was there.")
    document = checked(ada.get(f"requests/{record.number}"))
    shown = text_of(document)
    for text in (
        "617-555-0143",
        "The owner was there.",
        "only staff see this",
        "Everybody sees it.",
        "How the rules",
    ):
        assert text in shown
    assert "jane@" not in shown
    assert document.xpath("//a[@href=$path]", path=f"/c/{CITY}/requests/{receipt.service_request_id}")


def test_the_reporter_is_shown_after_a_reason_which_the_audit_trail_keeps(ada: Person, platform: Platform) -> None:
    name = build.submit(platform, reporter=Reporter(email="jane@mail.example")).service_request_id
    number = build.load(platform, service_request_id=name).number
    refused = checked(ada.post(f"requests/{number}/reporter", reason=" "), 400)
    assert "Please write a reason." in text_of(refused)
    document = checked(ada.post(f"requests/{number}/reporter", reason="Called back."))
    assert "jane@mail.example" in text_of(document)
    assert "jane@" not in text_of(checked(ada.get(f"requests/{number}")))
    with platform.database.reading() as connection:
        [entry] = [one for one in audit.list_entries(connection, CITY) if one.act == READ_REPORTER]
    assert (entry.actor, entry.reason) == (str(ada.principal), "Called back.")


def test_a_hostile_text_is_only_text(ada: Person, platform: Platform) -> None:
    text = '<script>alert(1)</script>"><img src=x>'
    number = build.store(platform, service_request_id="a", description=text).number
    ada.order(number, "note", text=text)
    page = ada.get(f"requests/{number}")
    checked(page)
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text


def test_unknown_numbers_are_not_found(ada: Person) -> None:
    for path in ("999", "0", "-1", "x", "1" * 30, "1/photos/x", "1/finish"):
        checked(ada.get(f"requests/{path}"), 404)
    for path in ("999", "999/reporter", "999/drop", "999/updates/1", "999/photos/x", "999/finish"):
        checked(ada.post(f"requests/{path}", do="note", version="1", reason="x"), 404)


# --- Commands


def test_only_the_commands_that_the_account_may_give_now_are_shown(client: FlaskClient, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    agent = Person.of(client, platform, "ag", Role.AGENT)
    reader = Person.of(client, platform, "rea", Role.READER)
    of_agent = offered(agent, number)
    assert {"close", "assign", "note"} <= of_agent
    assert not {"hide", "show", "reopen", "unmerge"} & of_agent
    assert offered(reader, number) == set()
    for command, person in (("hide", agent), ("close", reader)):
        answer = person.order(number, command, reason="x", outcome="fixed")
        assert "needs the role" in text_of(checked(answer, 403))
    assert build.load(platform, number=number).version == 1


ORDERS: dict[str, dict[str, Any]] = {
    "acknowledge": {},
    "start": {},
    "schedule": {"visit": "2031-03-04T09:30"},
    "reschedule": {"expected": "2031-03-04T09:30", "reason": "It takes longer."},
    "hold": {"reason": "Waits for the part."},
    "assign": {"account": "ada"},
    "transfer": {"department": "parks"},
    "prioritise": {"priority": "urgent"},
    "change_service": {"service_code": "graffiti"},
    "note": {"text": "A note.", "public": "true"},
    "ask_reporter": {"text": "Which side?"},
    "correct": {"description": "Deep hole", "reason": "A typing error."},
    "hide": {"reason": "It names a neighbour."},
    "close": {"outcome": "fixed", "note": "Filled.\r\nThank you."},
}


@pytest.mark.parametrize("command", ORDERS)
def test_a_command_is_carried_out_and_confirmed(ada: Person, platform: Platform, command: str) -> None:
    number = build.store(platform, service_request_id="a", department="streets", description="Deep hol").number
    answer = ada.order(number, command, **ORDERS[command])
    assert answer.headers["Location"] == f"{HOME}requests/{number}?done={command}", text_of(checked(answer, 400))
    document = checked(ada.get(answer.headers["Location"]))
    assert f"Done: {words.COMMANDS[command]}." in text_of(document)
    record = build.load(platform, number=number)
    assert record.version == 2
    if command == "close":
        assert (record.status, record.status_notes) == (Status.CLOSED, "Filled.\nThank you.")


@pytest.mark.parametrize(
    ("command", "fields", "fault"),
    [
        ("close", {}, "close-outcome-fault"),
        ("close", {"outcome": "wrong", "note": "Kept words"}, "close-outcome-fault"),
        ("hold", {"detail": ""}, "hold-reason-fault"),
        ("schedule", {"visit": "soon", "reason": "Kept words"}, "schedule-visit-fault"),
        ("assign", {"account": "moon"}, "assign-account-fault"),
        ("transfer", {"department": "moon"}, "transfer-department-fault"),
        ("change_service", {"service_code": "moon", "reason": "Kept words"}, "change_service-service_code-fault"),
        ("merge", {"into": "moon", "reason": "Kept words"}, "do-merge"),
        ("correct", {"lat": "95", "long": "24.9", "reason": "Kept words"}, "correct-lat-fault"),
        ("correct", {"lat": "north", "long": "24.9", "reason": "Kept words"}, "correct-lat-fault"),
        ("note", {"text": "x" * 4_001}, "note-text-fault"),
        ("note", {"text": ""}, "note-text-fault"),
    ],
)
def test_a_faulty_form_comes_back_with_its_faults_and_all_that_was_typed(
    ada: Person, platform: Platform, command: str, fields: dict[str, Any], fault: str
) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    answer = ada.order(number, command, **fields)
    document = checked(answer, 400)
    assert document.get_element_by_id(fault) is not None
    assert document.xpath("//details[@open]/@id") == [f"do-{command}"]
    assert ("Kept words" in answer.text) == ("Kept words" in fields.values())
    assert build.load(platform, number=number).version == 1


def test_the_second_of_two_people_sees_the_change_of_the_first_and_keeps_what_was_typed(
    client: FlaskClient, ada: Person, platform: Platform
) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    bo = Person.of(client, platform, "bo")
    assert bo.order(number, "note", text="I was there at noon.").status_code == 303
    answer = ada.order(number, "close", outcome="fixed", note="Filled with asphalt.")
    document = checked(answer, 409)
    changed = " ".join(document.get_element_by_id("changed").itertext())
    assert "I was there at noon." in changed
    assert "bo" in changed
    assert document.get_element_by_id("close-note").text.strip() == "Filled with asphalt."
    form = document.get_element_by_id("do-close")
    version = str(form.xpath(".//input[@name='version']/@value")[0])
    assert version == "2"
    assert ada.order(number, "close", int(version), outcome="fixed", note="Filled.").status_code == 303


def test_a_command_that_is_no_longer_possible_gets_409_and_keeps_what_was_typed(
    ada: Person, platform: Platform
) -> None:
    number = build.store(platform, service_request_id="a", department="streets", status="closed").number
    answer = ada.order(number, "hold", reason="Kept words")
    assert "The state of the request does not allow this now." in text_of(checked(answer, 409))
    assert "Kept words" in answer.text


def test_a_form_that_is_sent_twice_is_carried_out_once(ada: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a").number
    form_id = field_of(checked(ada.get(f"requests/{number}")), "form_id")
    answers = [ada.order(number, "note", text="Once.", form_id=form_id) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert build.load(platform, number=number).version == 2
    other = checked(ada.order(number, "note", text="Other words.", form_id=form_id), 400)
    assert "sent this form before" in text_of(other)


def test_a_wrong_command_or_version_is_refused(ada: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a").number
    checked(ada.post(f"requests/{number}", do="explode", version="1"), 400)
    for version in ("", "x", "0", "9" * 30):
        checked(ada.post(f"requests/{number}", do="note", text="x", version=version), 400)
    assert build.load(platform, number=number).version == 1


def test_after_a_transfer_to_others_the_queue_is_shown(client: FlaskClient, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    crew = Person.of(client, platform, "crew", Role.AGENT, "streets")
    answer = crew.order(number, "transfer", department="parks")
    assert answer.headers["Location"] == f"{HOME}?done=transfer"
    checked(crew.get(answer.headers["Location"]))
    checked(crew.get(f"requests/{number}"), 403)
    checked(crew.order(number, "note", 2, text="x"), 403)


def test_correcting_leaves_out_what_is_not_changed(ada: Person, platform: Platform) -> None:
    receipt = build.submit(platform, description="Deep hol", address_string="5 Mill Lane")
    record = build.load(platform, service_request_id=receipt.service_request_id)
    document = checked(ada.get(f"requests/{record.number}"))
    fields = {
        name: document.get_element_by_id(f"correct-{name}").get("value") or ""
        for name in ("address", "lat", "long")
    }
    fields["address"] = "6 Mill Lane"
    answer = ada.order(
        record.number, "correct", record.version, description="Deep hol", reason="The number.", **fields
    )
    assert answer.status_code == 303
    after = build.load(platform, number=record.number)
    assert (after.place.address, after.place.point, after.description) == (
        "6 Mill Lane",
        record.place.point,
        "Deep hol",
    )


def test_masked_texts_are_shown_and_can_be_unmasked(ada: Person, platform: Platform) -> None:
    receipt = build.submit(platform, description="Call 617-555-0143", now=utc_now())
    record = build.load(platform, service_request_id=receipt.service_request_id)
    document = checked(ada.get(f"requests/{record.number}"))
    assert "the public does not see it" in text_of(document)
    text = str(document.xpath("//input[@name='text' and @type='hidden']/@value")[0])
    answer = ada.order(record.number, "unmask", record.version, text=text, reason="The number of the city.")
    assert answer.status_code == 303, answer.text
    assert "the public sees it" in text_of(checked(ada.get(f"requests/{record.number}")))


# --- What looks like abuse


def test_the_honeypot_of_a_city_takes_no_field_from_staff(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id=CITY, abuse=AbuseRules(honeypot="text")))
    platform = platform_of(app)
    number = build.store(platform, service_request_id="a").number
    ada = Person.of(app.test_client(), platform, "ada", Role.DISPATCHER)
    assert ada.order(number, "note", text="I was there.").status_code == 303


def test_a_suspected_report_is_dropped_or_released(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id=CITY, abuse=AbuseRules(honeypot="website")))
    server = Server(app)
    for _ in range(2):
        assert server.send(website="https://spam.example").status_code == 200
    ada = Person.of(app.test_client(), server.platform, "ada", Role.DISPATCHER)
    document = checked(ada.get("?suspected=true"))
    first, second = (str(one) for one in document.xpath("//tr[@data-row]/th/a/@href"))
    assert "It looks like abuse" in text_of(checked(ada.get(first)))
    checked(ada.post(f"{first}/drop", reason=""), 400)
    assert ada.post(f"{first}/drop", reason="An advertisement.").status_code == 303
    checked(ada.post(f"{first}/drop", reason="An advertisement."), 409)
    number = int(second.rpartition("/")[2])
    version = field_of(checked(ada.get(second)), "version")
    assert ada.order(number, "release", int(version)).status_code == 303
    assert build.load(server.platform, number=number).visibility is Visibility.PUBLIC


def test_a_held_update_is_dropped_or_released(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(id=CITY, comments="public", abuse=AbuseRules(honeypot="website")))
    server = Server(app)
    for text in ("Buy this.", "Still there."):
        server.update(description=text, website="https://spam.example")
    ada = Person.of(app.test_client(), server.platform, "ada", Role.DISPATCHER)
    agent = Person.of(app.test_client(), server.platform, "ag", Role.AGENT)
    number = build.load(server.platform, service_request_id=server.name).number
    document = checked(ada.get(f"requests/{number}"))
    actions = [str(one) for one in document.xpath("//form[contains(@action, '/updates/')]/@action")]
    assert len(actions) == 2
    assert not checked(agent.get(f"requests/{number}")).xpath("//form[contains(@action, '/updates/')]")
    checked(agent.post(actions[0], do="drop", reason="x"), 403)
    checked(ada.post(actions[0], do="drop", reason=""), 400)
    assert ada.post(actions[0], do="drop", reason="An advertisement.").status_code == 303
    assert ada.post(actions[1], do="release", reason="Of the school.").status_code == 303
    page = text_of(checked(ada.get(f"requests/{number}")))
    assert "Still there." in page
    assert "Buy this." not in page
    checked(ada.post(actions[0], do="explode", reason="x"), 404)


# --- A photo


def test_a_photo_is_added(ada: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a").number
    for files, fault in (
        ({}, "Please choose a photo."),
        ({"photo": (io.BytesIO(b"text"), "x.jpg")}, "not accepted"),
    ):
        answer = ada.post(f"requests/{number}/photos", files=files)
        assert fault in text_of(checked(answer, 400))
    answer = ada.post(f"requests/{number}/photos", files={"photo": (io.BytesIO(jpeg()), "x.jpg")}, public="true")
    assert re.search(r"done=photo$", answer.headers["Location"])
    assert "not prepared yet" in text_of(checked(ada.get(answer.headers["Location"])))


def test_the_page_of_a_request_on_hold_says_since_when(ada: Person, platform: Platform) -> None:
    soon = utc_now() + timedelta(hours=1)
    number = build.store(platform, service_request_id="a", department="streets", expected_at=soon).number
    ada.order(number, "hold", reason="Waits for the part.")
    assert "On hold since" in text_of(checked(ada.get(f"requests/{number}")))
