"""mySociety's request updates: what others read about each change, and which updates they may send."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import Erasable
from open311.domain.requests import Status
from open311.domain.workflow import MEANINGS, Outcome
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from schemas.updates import WORDS
from schemas.values import format_instant
from tests import build
from tests.checked_client import platform_of

PATH = "/open311/v2/servicerequestupdates"


@pytest.fixture
def name(platform: Platform) -> str:
    """The id of a public request."""
    return build.submit(platform, now=utc_now()).service_request_id


@pytest.fixture
def own_key(platform: Platform) -> str:
    """A key that acts for the city."""
    _, secret = add_key(platform, label="back office", may_update=True, now=utc_now())
    return secret


def give(platform: Platform, name: str, *orders: Command) -> None:
    act(platform, next(iter(platform.registry)), name, orders, principal=SHELL, now=utc_now())


def send(client: FlaskClient, key: str, name: str, *, format: str = "json", **fields: Any) -> Any:
    """POST an update with all required fields; a field that is None is left out."""
    form = {
        "api_key": key,
        "service_request_id": name,
        "update_id": "1042",
        "status": "OPEN",
        "updated_datetime": format_instant(utc_now()),
        "description": "It is still there.",
    }
    headers = fields.pop("headers", {})
    sent = {field: value for field, value in (form | fields).items() if value is not None}
    return client.post(f"{PATH}.{format}", data=sent, headers=headers)


def listed(client: FlaskClient, **query: str) -> list[dict[str, Any]]:
    answer = client.get(f"{PATH}.json", query_string=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json or [])


def test_each_change_is_an_update_in_mysocietys_words(client: FlaskClient, platform: Platform, name: str) -> None:
    give(platform, name, commands.Acknowledge())
    give(platform, name, commands.Start(), commands.Note(text="A crew is on its way.", public=True))
    give(platform, name, commands.Prioritise(priority="high"), commands.Note(text="Bring the large truck."))  # type: ignore[arg-type]
    give(platform, name, commands.Close(outcome=Outcome.FIXED, note="The hole is filled."))
    shown = [(one["service_request_id"], one["status"], one["description"]) for one in listed(client)]
    assert shown == [
        (name, "investigating", ""),
        (name, "in_progress", "A crew is on its way."),
        (name, "fixed", "The hole is filled."),
    ]


def test_updates_in_xml_have_mysocietys_names(client: FlaskClient, platform: Platform, name: str) -> None:
    give(platform, name, commands.Close(outcome=Outcome.NOT_RESPONSIBLE))
    root = etree.fromstring(client.get(f"{PATH}.xml").data)
    (update,) = root
    assert (root.tag, update.tag) == ("service_request_updates", "request_update")
    assert [child.tag for child in update][:5] == [
        "update_id",
        "service_request_id",
        "status",
        "updated_datetime",
        "description",
    ]
    assert update.findtext("status") == "not_councils_responsibility"


def test_a_list_of_updates_has_exactly_the_updates_recorded_in_its_window(
    client: FlaskClient, platform: Platform, name: str
) -> None:
    give(platform, name, commands.Acknowledge())
    now = utc_now()
    day = timedelta(days=1)
    inside = {"start_date": format_instant(now - day), "end_date": format_instant(now + day)}
    before = {"start_date": format_instant(now - 3 * day), "end_date": format_instant(now - day)}
    assert len(listed(client, **inside)) == 1
    assert listed(client, **before) == []
    ids = [one["update_id"] for one in listed(client, **inside)]
    assert ids == [one["update_id"] for one in listed(client, **inside)], "the ids are stable"
    swapped = {"start_date": inside["end_date"], "end_date": inside["start_date"]}
    answer = client.get(f"{PATH}.json", query_string=swapped)
    assert answer.status_code == 400
    assert "start_date" in answer.text


@pytest.mark.parametrize("format", ["json", "xml"])
def test_a_comment_goes_to_staff_and_the_sender_is_told_that_its_status_has_no_effect(
    client: FlaskClient, platform: Platform, name: str, key: str, format: str
) -> None:
    answer = send(client, key, name, status="FIXED", email="jane@example.org", format=format)
    assert answer.status_code == 200
    assert b"1042" in answer.data
    assert "status fixed has no effect, because this key can only comment" in answer.headers["Warning"]
    record = build.load(platform, service_request_id=name)
    assert (record.status, record.status_notes) == (Status.OPEN, "")
    comments = [event for event in build.history(platform, record) if event.kind == "comment"]
    assert [event.note for event in comments] == ["It is still there."]
    assert listed(client) == []


def test_a_city_may_show_comments_to_the_public(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(comments="public"))
    platform, client = platform_of(app), app.test_client()
    name = build.submit(platform, now=utc_now()).service_request_id
    _, secret = add_key(platform, label="app", now=utc_now())
    assert send(client, secret, name).status_code == 200
    assert [one["description"] for one in listed(client)] == ["It is still there."]
    assert [one["update_id"] for one in listed(client, api_key=secret)] == ["1042"], (
        "the sender reads its own id of the update"
    )
    assert listed(client)[0]["update_id"].startswith("u")
    shown = client.get(f"/open311/v2/requests/{name}.json?extensions=notes").json
    assert [note["type"] for note in shown[0]["notes"]] == ["received", "public_comment"]


@pytest.mark.parametrize("word", WORDS)
def test_the_city_itself_can_send_each_status(
    client: FlaskClient, platform: Platform, name: str, own_key: str, word: str
) -> None:
    answer = send(client, own_key, name, status=word.upper(), description="Said by the city.")
    assert answer.status_code == 200, answer.text
    record = build.load(platform, service_request_id=name)
    assert record.status_notes == "Said by the city."
    shown = listed(client)[-1]["status"]
    unchanged = {"unchanged": "open", "reopen": "open", "for_triage": "open"}
    assert shown == unchanged.get(word, word)
    assert ("Warning" in answer.headers) == (word == "for_triage")


def test_the_words_on_the_wire_are_those_of_the_workflow() -> None:
    assert set(WORDS) == set(MEANINGS)


def test_the_city_can_open_a_closed_request_again(
    client: FlaskClient, platform: Platform, name: str, own_key: str
) -> None:
    for number, (word, state) in enumerate(
        [("fixed", "fixed"), ("in_progress", "in_progress"), ("closed", "closed")]
    ):
        assert send(client, own_key, name, status=word, update_id=str(number)).status_code == 200
        assert listed(client)[-1]["status"] == state


@pytest.mark.parametrize("field", ["update_id", "status", "updated_datetime", "description", "service_request_id"])
def test_a_missing_field_is_named(client: FlaskClient, name: str, key: str, field: str) -> None:
    answer = send(client, key, name, **{field: None})
    assert answer.status_code == 400
    assert field in answer.text


def test_one_answer_names_all_faults(client: FlaskClient, name: str, key: str) -> None:
    answer = send(
        client, key, name, status="DONE", updated_datetime="yesterday", media_url="ftp://x", update_id="x" * 501
    )
    assert answer.status_code == 400
    shown = answer.text
    assert all(word in shown for word in ("status", "updated_datetime", "media_url", "update_id"))


def test_an_update_id_counts_once_for_each_key_and_a_repeat_gets_the_first_answer(
    client: FlaskClient, platform: Platform, name: str, key: str, own_key: str
) -> None:
    once: dict[str, Any] = {"headers": {"Idempotency-Key": "k1"}, "updated_datetime": "2026-03-01T09:30:00Z"}
    first = send(client, key, name, **dict(once))
    again = send(client, key, name, **dict(once))
    assert first.json == again.json == [{"update_id": "1042", "account_id": None}]
    other = send(client, key, name, description="Something else", **dict(once))
    bare = send(client, key, name)
    assert [answer.status_code for answer in (other, bare)] == [400, 400]
    assert "'1042' was received before; give each update its own id" in bare.text
    assert send(client, own_key, name).status_code == 200
    record = build.load(platform, service_request_id=name)
    assert len([event for event in build.history(platform, record) if event.kind == "comment"]) == 1


def test_unknown_requests_and_wrong_keys_are_refused(
    client: FlaskClient, platform: Platform, name: str, key: str
) -> None:
    assert send(client, key, "nope").status_code == 404
    assert send(client, "nope", name).status_code == 403
    _, test_key = add_key(platform, label="test", is_test=True, now=utc_now())
    assert send(client, test_key, name).status_code == 403
    give(platform, name, commands.Hide(reason="A name is in it."))
    assert send(client, key, name).status_code == 404


def test_an_operator_may_choose_400_for_all_faults_as_fixmystreet_expects(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), update_errors_400=True)
    client = app.test_client()
    _, secret = add_key(platform_of(app), label="app", now=utc_now())
    assert send(client, secret, "nope").status_code == 400
    assert send(client, "nope", "nope").status_code == 400


def test_erased_notes_and_hidden_requests_are_in_no_list(
    client: FlaskClient, platform: Platform, name: str
) -> None:
    give(platform, name, commands.Note(text="Jane Doe was here.", public=True))
    erase_from_request(platform, next(iter(platform.registry)), name, [Erasable.NOTES], now=utc_now())
    assert [one["description"] for one in listed(client)] == [""]
    give(platform, name, commands.Hide(reason="Names."))
    assert listed(client) == []


def test_a_window_with_too_many_updates_is_refused_and_not_cut(
    client: FlaskClient, platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("open311.operations.reading.find_updates.MAX_UPDATES", 1)
    for text in ("One.", "Two."):
        give(platform, name, commands.Note(text=text, public=True))
    answer = client.get(f"{PATH}.json")
    assert answer.status_code == 400
    assert "more than 1 updates; send a shorter one" in answer.text


def test_the_update_for_a_request_that_is_shown_again_has_the_texts_written_while_it_was_hidden(
    client: FlaskClient, platform: Platform, name: str
) -> None:
    give(platform, name, commands.Note(text="A crew comes.", public=True))
    give(platform, name, commands.Hide(reason="A name."))
    give(platform, name, commands.Note(text="The crew was there.", public=True))
    give(platform, name, commands.Note(text="For us only."))
    give(platform, name, commands.Close(outcome=Outcome.FIXED, note="Done."))
    assert listed(client) == []
    give(platform, name, commands.Show())
    assert [(one["status"], one["description"]) for one in listed(client)] == [
        ("open", "A crew comes."),
        ("fixed", "The crew was there.\nDone."),
    ]


def test_a_request_that_is_shown_again_unchanged_has_no_update(
    client: FlaskClient, platform: Platform, name: str
) -> None:
    for _ in range(2):
        give(platform, name, commands.Note(text="A crew comes.", public=True))
        give(platform, name, commands.Hide(reason="A name."))
        give(platform, name, commands.Show())
    assert [one["description"] for one in listed(client)] == ["A crew comes."] * 2


MASKED = "the public does not see personal data in the text: an e-mail address and a phone number"
TYPED = "Call +1 617 555 0143 or write to maria@mail.example."


def test_the_sender_of_a_public_text_is_told_what_is_masked(
    client: FlaskClient, platform: Platform, name: str, own_key: str
) -> None:
    answer = send(client, own_key, name, status="unchanged", description=TYPED)
    assert MASKED in answer.headers["Warning"]
    assert listed(client)[-1]["description"] == "Call [phone number] or write to [e-mail address]."
    spanish = {"Accept-Language": "es"}
    shown = send(client, own_key, name, update_id="2", status="unchanged", description=TYPED, headers=spanish)
    assert "una direcci" in shown.headers["Warning"]


def test_the_sender_of_a_comment_is_told_about_masks_only_if_the_public_sees_comments(
    client: FlaskClient, name: str, key: str, make_app: Callable[..., Flask]
) -> None:
    assert "Warning" not in send(client, key, name, description=TYPED).headers
    app = make_app(build.city(comments="public"))
    other = build.submit(platform_of(app), now=utc_now()).service_request_id
    _, secret = add_key(platform_of(app), label="app", now=utc_now())
    assert MASKED in send(app.test_client(), secret, other, description=TYPED).headers["Warning"]
    assert "Warning" not in send(app.test_client(), secret, other, update_id="2").headers
