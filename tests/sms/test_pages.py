"""The checkbox for text messages in the form for a report, and what the privacy notice says about them."""

from __future__ import annotations

from tests.sms.towns import ANN, ANN_INTERNATIONAL, Town

FORM = "/c/test.example/report"
SENT = {
    "service_code": "potholes",
    "step": "check",
    "lat": "60.1718",
    "long": "24.9414",
    "description": "A hole",
    "form_id": "x" * 22,
}
BOX = '<input type="checkbox" id="sms" name="sms" value="true"'


def test_only_a_person_who_ticks_the_box_gets_messages_and_is_told_how_to_end_them(here: Town) -> None:
    assert here.client.post(FORM, data=SENT | {"go": "send", "phone": ANN}).status_code == 303
    assert here.send() == []
    again = SENT | {"go": "send", "phone": ANN, "sms": "true", "form_id": "y" * 22, "description": "Another"}
    answer = here.client.post(FORM, data=again)
    assert answer.status_code == 303
    assert "reply STOP" in here.client.get(answer.headers["Location"]).text
    [message] = here.send()
    assert message["to"] == ANN_INTERNATIONAL


def test_a_number_that_cannot_get_messages_is_refused_and_the_box_stays_ticked(here: Town) -> None:
    for phone in ("", "12", "+358 40 1234567"):
        page = here.client.post(FORM, data=SENT | {"go": "send", "phone": phone, "sms": "true"})
        assert page.status_code == 400
        assert "a number to which a text message can be sent" in page.text
        assert f'{BOX} aria-describedby="sms-hint" checked>' in page.text
    assert here.rows("SELECT id FROM service_request") == []


def test_a_ticked_box_is_kept_on_the_way_back_and_an_address_cannot_tick_it(here: Town) -> None:
    page = here.client.post(FORM, data=SENT | {"go": "details", "phone": ANN, "sms": "true"})
    assert '<input type="hidden" name="sms" value="true">' in page.text
    assert "checked" not in here.client.get(f"{FORM}?service_code=potholes&step=check&sms=true&phone={ANN}").text


def test_the_privacy_notice_tells_who_learns_the_number(here: Town) -> None:
    notice = here.client.get("/c/test.example/privacy").text
    assert "learns your phone number" in notice
    assert "to the company that sends them, and to nobody else" in notice
