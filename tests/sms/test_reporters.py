"""Reporters who ask for text messages get them, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.abuse import AbuseRules
from open311.domain.access import SHELL
from open311.domain.calendar import Hours
from open311.domain.sms import SmsOccasion, parts_of
from open311.domain.workflow import Outcome
from open311.operations.access.api_keys import add_key
from open311.operations.desk.suspected import drop_report
from tests import world
from tests.sms.towns import ANN, ANN_INTERNATIONAL, OWN, Town, city, settings_for, town

Make = Callable[..., Flask]
CLOSE = commands.Close(outcome=Outcome.FIXED)


def test_a_reporter_is_told_that_the_report_came_in_how_it_goes_and_that_it_was_closed(here: Town) -> None:
    name = here.report(description="zaphod lives here")
    [first] = here.send()
    assert first["to"] == ANN_INTERNATIONAL
    assert first["service_request_id"] == name
    assert first["language"] == "en"
    assert first["text"] == (
        f"Testville has received your report {name}: Pothole. {OWN}/c/test.example/requests/{name}"
        " Reply STOP to get no more messages."
    )
    here.act(name, commands.Acknowledge())
    [second] = here.send()
    assert second["text"].startswith(f"Testville, report {name}: The department has seen the report. {OWN}")
    here.act(name, CLOSE)
    [third] = here.send()
    assert third["text"].startswith(f"Testville, report {name} is closed: The problem is solved. {OWN}")
    here.act(name, commands.Reopen(reason="It is not."))
    [fourth] = here.send()
    assert fourth["text"].startswith(f"Testville, report {name}: It is open. {OWN}")
    assert len({one["id"] for one in (first, second, third, fourth)}) == 4
    assert here.send(hours=100) == []
    assert "zaphod" not in str((first, second, third, fourth))


@pytest.mark.parametrize("order", ["no wish", "false", "no phone", "unusable", "abroad"])
def test_a_person_who_did_not_ask_or_has_no_usable_number_gets_no_messages(here: Town, order: str) -> None:
    fields: dict[str, str] = {
        "no wish": {"sms": ""},
        "false": {"sms": "false"},
        "no phone": {"phone": ""},
        "unusable": {"phone": "911"},
        "abroad": {"phone": "+358 40 1234567"},
    }[order]
    answer = here.post(**fields)
    name = answer.json[0]["service_request_id"]
    here.act(name, CLOSE)
    assert here.send(hours=1) == []
    assert here.queue() == []
    assert here.rows("SELECT sms_language FROM reporter WHERE sms_language <> ''") == []
    told = f"{answer.headers.get('Warning', '')} {answer.json[0]['service_notice']}"
    reason = {
        "no phone": "the phone number is missing",
        "unusable": "to this phone number",
        "abroad": "to this phone",
    }
    if order in reason:
        assert "sms is ignored" in told
        assert "You get no text messages about your report" in told
        assert reason[order] in told
    else:
        assert "text message" not in told


def test_the_notice_and_the_first_message_say_how_to_stop_messages_in_the_language_of_the_report(
    here: Town,
) -> None:
    assert "To get no more of them, reply STOP." in here.post().json[0]["service_notice"]
    name = here.report(language="es", phone="617 555 0124")
    [message] = [one for one in here.send() if one["language"] == "es"]
    assert message["text"].startswith(f"Testville ha recibido su aviso {name}")
    assert "STOP" in message["text"]


def test_a_value_of_sms_that_is_neither_true_nor_false_is_400_and_named(here: Town) -> None:
    _, key = add_key(here.platform, label="tests", now=utc_now())
    sent = {
        "api_key": key,
        "service_code": "potholes",
        "lat": "60.17",
        "long": "24.94",
        "phone": ANN,
        "sms": "perhaps",
    }
    answer = here.client.post("/open311/v2/requests.json", data=sent)
    assert answer.status_code == 400
    assert "sms: 'perhaps' is neither true nor false." in answer.text


@pytest.mark.parametrize("changes", [{"sms_url": "", "sms_secret": ""}, {"public_url": ""}, {"kind": ""}])
def test_nothing_is_stored_or_promised_if_messages_are_off(make_app: Make, changes: dict[str, Any]) -> None:
    rules = {name: value for name, value in changes.items() if name == "kind"}
    with world.receiver() as gateway:
        values = settings_for(gateway) | {name: value for name, value in changes.items() if name not in rules}
        here = Town(make_app(city(**rules), **values), gateway)
        answer = here.post()
        assert "sms is ignored: the city sends no text messages" in answer.headers["Warning"]
        assert here.send(hours=1) == []
        assert here.queue() == []
        assert here.rows("SELECT sms_language FROM reporter") == [{"sms_language": ""}]
        assert 'name="sms"' not in here.client.get("/c/test.example/report?service_code=potholes&step=check").text


def test_a_city_chooses_what_its_messages_are_about(make_app: Make) -> None:
    with town(make_app, about=(SmsOccasion.CLOSED,)) as here:
        name = here.report()
        here.act(name, commands.Acknowledge())
        assert here.send() == []
        here.act(name, CLOSE)
        [first] = here.send()
        assert first["text"].endswith("Reply STOP to get no more messages."), "no earlier message has said so"
        here.act(name, commands.Reopen(reason="It is not."))
        here.act(name, CLOSE)
        [second] = here.send()
        assert "STOP" not in second["text"]


def test_if_the_receipt_of_a_report_is_skipped_its_next_message_says_how_to_stop_messages(make_app: Make) -> None:
    with town(make_app, per_number=1) as here:
        here.report()
        name = here.report()
        assert len(here.send()) == 1
        assert here.queue()[-1] == ("received", "skipped", 0)
        here.act(name, CLOSE)
        assert here.send() == []
        [first] = here.send(hours=25)
        assert "is closed" in first["text"]
        assert first["text"].endswith("Reply STOP to get no more messages.")


def test_several_waiting_changes_lead_to_one_message_about_the_present_state(make_app: Make) -> None:
    with town(make_app) as here:
        name = here.report()
        here.send()
        for order in (commands.Acknowledge(), commands.Start(), CLOSE):
            here.act(name, order)
        [only] = here.send()
        assert "is closed" in only["text"]
        assert here.queue()[1:] == [("status", "skipped", 0), ("closed", "done", 0)]


def test_no_message_is_sent_in_quiet_hours_and_none_is_lost(make_app: Make) -> None:
    now = utc_now()
    hour = now.hour * 60
    with town(make_app, quiet=(Hours(hour, (hour + 120) % 1440),)) as here:
        here.report()
        assert here.send() == []
        assert here.queue() == [("received", "waiting", 0)]
        assert len(here.send(hours=2)) == 1


def test_above_the_limit_of_a_phone_number_receipts_are_skipped_and_other_messages_wait(
    make_app: Make,
) -> None:
    with town(make_app, per_number=2) as here:
        names = [here.report() for _ in range(3)]
        assert len(here.send()) == 2
        assert here.queue()[-1][:2] == ("received", "skipped")
        here.act(names[0], CLOSE)
        assert here.send(hours=2) == []
        [later] = here.send(hours=23)
        assert "is closed" in later["text"]


def test_a_city_sends_at_most_as_many_messages_a_day_as_its_limit(make_app: Make) -> None:
    with town(make_app, per_city=3) as here:
        for number in range(5):
            here.report(phone=f"617 555 01{number:02}")
        assert len(here.send()) == 3
        assert [state for _, state, _ in here.queue()].count("skipped") == 2


def test_a_suspected_report_leads_to_messages_only_after_its_release(make_app: Make) -> None:
    with world.receiver() as gateway:
        suspicious = replace(city(), abuse=AbuseRules(honeypot="website"))
        here = Town(make_app(suspicious, **settings_for(gateway)), gateway)
        here.report(website="http://spam.example")
        here.report(website="http://spam.example", phone="617 555 0124")
        first, second = [row["id"] for row in here.rows("SELECT id FROM service_request ORDER BY id")]
        here.act(first, CLOSE)
        assert here.send() == []
        here.act(second, commands.Release(reason="It is real."))
        [only] = here.send()
        assert only["to"] == "+16175550124"


def test_the_release_of_a_report_that_was_held_for_a_review_sends_no_second_receipt(make_app: Make) -> None:
    with world.receiver() as gateway:
        services = tuple(replace(one, review=True) for one in city().services)
        here = Town(make_app(replace(city(), services=services), **settings_for(gateway)), gateway)
        name = here.report()
        assert len(here.send()) == 1
        here.act(name, commands.Release(reason="It is fine."))
        assert here.send() == []
        here.act(name, CLOSE)
        assert len(here.send()) == 1


@pytest.mark.parametrize("orders", ["drop", "hide", "hide and show"])
def test_a_suspected_report_that_staff_hide_or_drop_leads_to_no_message_before_its_release(
    make_app: Make, orders: str
) -> None:
    with world.receiver() as gateway:
        suspicious = replace(city(), abuse=AbuseRules(honeypot="website"))
        here = Town(make_app(suspicious, **settings_for(gateway)), gateway)
        here.report(website="http://spam.example")
        [number] = [row["id"] for row in here.rows("SELECT id FROM service_request")]
        if orders == "drop":
            drop_report(here.platform, here.city, number, reason="Spam.", principal=SHELL, now=utc_now())
        else:
            here.act(number, commands.Hide(reason="Spam."))
            assert here.send() == []
            here.act(number, CLOSE)
        assert here.send() == []
        if orders == "hide and show":
            here.act(number, commands.Show(reason="An error."))
            here.act(number, commands.Reopen(reason="An error."))
            assert here.send() == []
            here.act(number, commands.Release(reason="It is real."))
            [first] = here.send()
            assert "STOP" in first["text"]


def test_messages_about_a_hidden_report_go_on_after_a_suspected_update(make_app: Make) -> None:
    with world.receiver() as gateway:
        suspicious = replace(city(), abuse=AbuseRules(honeypot="website"), comments="public")
        here = Town(make_app(suspicious, **settings_for(gateway)), gateway)
        name = here.report()
        here.send()
        _, key = add_key(here.platform, label="updates", now=utc_now())
        update = {"api_key": key, "service_request_id": name, "update_id": "u1", "status": "OPEN"}
        update |= {"updated_datetime": "2026-03-01T12:00:00Z", "description": "Buy.", "website": "spam.example"}
        answer = here.client.post("/open311/v2/servicerequestupdates.json", data=update)
        assert answer.status_code == 200, answer.text
        assert "suspected" in [row["kind"] for row in here.rows("SELECT kind FROM request_event")]
        here.act(name, commands.Hide(reason="A name."))
        here.act(name, CLOSE)
        assert len(here.send()) == 1


def test_reports_of_test_keys_lead_to_no_message(here: Town) -> None:
    _, key = add_key(here.platform, label="trial", is_test=True, now=utc_now())
    answer = here.post(api_key=key)
    assert "the request is only a test" in answer.headers["Warning"]
    assert here.send() == []


def test_a_repeated_post_leads_to_one_message(here: Town) -> None:
    _, key = add_key(here.platform, label="tests", now=utc_now())
    names = {here.report(api_key=key, client_request_id="one") for _ in range(3)}
    assert len(names) == 1
    assert len(here.send()) == 1


def test_a_message_about_a_report_that_the_public_cannot_read_has_no_link(here: Town) -> None:
    name = here.report()
    here.act(name, commands.Hide(reason="A name."))
    [message] = here.send()
    assert "http" not in message["text"]
    assert name in message["text"]


def test_a_request_without_an_id_yet_is_named_by_its_service(here: Town) -> None:
    here.report(service_code="trees")
    [message] = here.send()
    assert message["service_request_id"] is None
    assert message["text"].startswith("Testville has received your report: ")


@pytest.mark.parametrize("name", ["x" * 400, "街灯" * 100, "Lamp\r\nTo: +1", "\u202elamp"])
def test_names_of_the_city_cannot_make_a_message_longer_than_two_parts(make_app: Make, name: str) -> None:
    with world.receiver() as gateway:
        here = Town(make_app(replace(city(), name=name), **settings_for(gateway)), gateway)
        here.report()
        [message] = here.send()
        assert parts_of(message["text"]) <= 2
        assert "\n" not in message["text"]
        assert message["text"].endswith("Reply STOP to get no more messages.")
