"""Everybody can follow a public request by mail, from its page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from open311.domain import commands
from open311.domain.workflow import Outcome
from tests.mailing.towns import ANN, Town, page_of, text_of, town
from tests.pages import checked

BOB = "bob@mail.example"
NOTE = commands.Note(text="We were there.", public=True)


def follow(here: Town, name: str, email: str = BOB, **headers: str) -> int:
    """Send the form of the page of a request."""
    [form] = checked(here.client.get(f"/c/test.example/requests/{name}")).xpath(
        "//form[contains(@action, 'follow')]"
    )
    answer = here.client.post(form.get("action"), data={"email": email, "website": ""}, headers=headers)
    checked(answer, answer.status_code)
    return answer.status_code


def test_a_person_who_follows_and_confirms_gets_the_changes(here: Town) -> None:
    name = here.report(email="")
    assert follow(here, name) == 200
    [asked] = here.send()
    assert asked["To"] == BOB
    assert "Somebody wants to follow a report to Testville with your email address." in text_of(asked)
    here.act(name, NOTE)
    assert here.send(hours=1) == []
    assert here.press(page_of(asked), "confirm") == 200
    [mail] = here.send(hours=1)
    assert "We were there." in text_of(mail)
    assert mail["References"] == asked["Message-ID"]
    here.act(name, commands.Close(outcome=Outcome.FIXED))
    [closed] = here.send(hours=1)
    assert "Please tell the city" not in text_of(closed), "only the reporter is asked"
    assert here.press(page_of(asked), "answer", answer="solved") == 409
    assert here.press(page_of(asked), "reopen") == 409


def test_the_page_says_the_same_whether_or_not_somebody_follows(here: Town) -> None:
    name, _ = here.confirmed()
    pages = set()
    for email in (ANN, BOB, BOB, "ANN@MAIL.EXAMPLE"):
        answer = here.client.post(f"/c/test.example/requests/{name}/follow", data={"email": email})
        pages.add(answer.text)
    assert len(pages) == 1
    assert [mail["To"] for mail in here.send(hours=1)] == [BOB]


@pytest.mark.parametrize("email", ["", "bob", "bob@a.example,ann@b.example", "b\r\nBcc: x@y.example"])
def test_a_text_that_is_no_address_gets_400(here: Town, email: str) -> None:
    assert follow(here, here.report(email=""), email) == 400


def test_a_filled_honeypot_and_a_form_of_another_site_do_nothing(here: Town) -> None:
    name = here.report(email="")
    path = f"/c/test.example/requests/{name}/follow"
    assert here.client.post(path, data={"email": BOB, "website": "x"}).status_code == 200
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert here.client.post(path, data={"email": BOB}, headers=foreign).status_code == 403
    assert here.send() == []


def test_a_request_that_the_public_cannot_read_cannot_be_followed(here: Town) -> None:
    name = here.report(email="")
    assert follow(here, name) == 200
    [asked] = here.send()
    assert here.press(page_of(asked), "confirm") == 200
    here.act(name, NOTE, commands.Hide(reason="It names a person."))
    answer = here.client.post(f"/c/test.example/requests/{name}/follow", data={"email": "eve@mail.example"})
    assert answer.status_code == 404
    assert here.client.post("/c/test.example/requests/nothing/follow", data={"email": BOB}).status_code == 404
    assert here.send(hours=1) == [], "the follower may not read it now"
    here.act(name, commands.Show(), commands.Close(outcome=Outcome.FIXED))
    [mail] = here.send(hours=1)
    assert "We were there." in text_of(mail)
    assert "The problem is solved." in text_of(mail)


def test_a_reporter_is_told_of_a_request_that_only_the_reporter_and_staff_can_read(here: Town) -> None:
    name, _ = here.confirmed()
    here.act(
        name, commands.Hide(reason="It names a person."), commands.Note(text="Call 617-555-0100.", public=True)
    )
    [mail] = here.send(hours=1)
    assert "> Call [phone number]." in text_of(mail)
    assert "/c/test.example/requests/" not in text_of(mail)


def test_a_city_can_switch_followers_off(make_app: Callable[..., Flask]) -> None:
    with town(make_app, followers=False) as here:
        name = here.report(email="")
        assert "follow" not in here.client.get(f"/c/test.example/requests/{name}").text
        assert here.client.post(f"/c/test.example/requests/{name}/follow", data={"email": BOB}).status_code == 404


def supporters(here: Town, name: str) -> int:
    [item] = here.client.get(f"/open311/v2/requests/{name}.json?extensions=true").json
    return int(item["extended_attributes"].get("supporters", 0))


def followed(here: Town, name: str, email: str = BOB) -> str:
    """The path of the page of somebody who follows a request and has not agreed yet."""
    follow(here, name, email)
    [asked] = here.send()
    return page_of(asked)


def test_a_follower_says_me_too_by_the_link_of_the_mail(here: Town) -> None:
    name = here.report(email="")
    path = followed(here, name)
    for _ in range(2):
        assert here.press(path, "support") == 200
    assert supporters(here, name) == 1
    assert "You have said: this is my problem too." in here.client.get(path).text
    assert here.press(followed(here, name, "eve@mail.example"), "support") == 200
    assert supporters(here, name) == 2
    for _ in range(2):
        assert here.press(path, "unsupport") == 200
    assert supporters(here, name) == 1


def test_opening_the_links_of_a_mail_supports_nothing(here: Town) -> None:
    name = here.report(email="")
    path = followed(here, name)
    for query in ("", "?do=support", "/leave", "?do=unsupport&locale=es"):
        checked(here.client.get(path + query))
    assert supporters(here, name) == 0


def test_a_supporter_who_ends_the_mail_is_still_counted(here: Town) -> None:
    name = here.report(email="")
    path = followed(here, name)
    here.press(path, "support")
    here.press(path, "leave")
    assert here.press(path, "support") == 404
    assert supporters(here, name) == 1


def test_the_reporter_and_readers_of_a_closed_or_hidden_report_cannot_say_me_too(here: Town) -> None:
    name, own = here.confirmed()
    assert "This is my problem too" not in here.client.get(own).text
    assert here.press(own, "support") == 409
    path = followed(here, name)
    assert "This is my problem too" in here.client.get(path).text
    here.act(name, commands.Close(outcome=Outcome.FIXED))
    assert here.press(path, "support") == 409
    here.act(name, commands.Hide(reason="It names a person."))
    assert here.press(path, "support") == 404
    assert "This is my problem too" not in here.client.get(path).text
    assert here.press(f"{path[:-1]}x", "support") == 404
