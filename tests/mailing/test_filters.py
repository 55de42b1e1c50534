"""Everybody can get mail about all public requests of a filter, from the list and the map."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.mails import MOST_NUMBERS, MOST_UNASKED_A_DAY
from open311.domain.people import Person
from open311.domain.workflow import Outcome
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.people.erase_person import erase_person
from open311.operations.people.export_person import export_person
from open311.operations.subscriptions.expiring import expire_subscriptions
from open311.operations.upkeep.clean_up import clean_up
from open311.storage import followers
from tests import world
from tests.mailing.towns import Town, html_of, page_of, text_of, town
from tests.pages import checked
from tests.stored import dump
from tests.waiting import until

BOB = "bob@mail.example"
CLOSE = commands.Close(outcome=Outcome.FIXED)
PATH = "/c/test.example/follow"


def ask(here: Town, query: str = "", *, email: str = BOB, how_often: str = "hourly", **headers: str) -> int:
    """Fill in the form of the list with these filters, and send it."""
    page = checked(here.client.get(f"/c/test.example/requests?{query}"))
    [form] = page.xpath("//form[contains(@action, 'follow')]")
    data: dict[str, Any] = {one.get("name"): one.get("value") for one in form.xpath(".//input[@type='hidden']")}
    data |= {"email": email, "how_often": how_often, "website": ""}
    answer = here.client.post(form.get("action"), data=data, headers=headers)
    checked(answer, answer.status_code)
    return answer.status_code


def subscribe(here: Town, query: str = "", **options: Any) -> str:
    """Subscribe and confirm. Returns the path of the page."""
    assert ask(here, query, **options) == 200
    [asked] = here.send()
    assert here.press(page_of(asked), "confirm") == 200
    return page_of(asked)


def names(text: str) -> list[str]:
    """The ids of the requests that a mail names."""
    return re.findall(r"/requests/([^?\s]+)\?", text)


def report(here: Town, **fields: Any) -> str:
    return here.report(email="", **fields)


def test_a_person_who_subscribes_and_confirms_gets_news_about_matching_requests(here: Town) -> None:
    assert ask(here, "service_code=potholes&status=open") == 200
    [asked] = here.send()
    assert asked["To"] == BOB
    assert "Reports: Pothole · Open" in text_of(asked)
    report(here)
    assert here.send(hours=2) == [], "nobody has agreed"
    page = checked(here.client.get(page_of(asked)))
    assert page.xpath("//button[text()='Yes, send me mail']")
    assert here.press(page_of(asked), "confirm") == 200
    first, second = report(here), report(here, address_string="1 <b>Mill</b> Lane")
    report(here, service_code="trees")
    assert here.send() == [], "changes are collected"
    [mail] = here.send(hours=1)
    assert mail["Subject"] == "Testville: news about 2 reports"
    assert mail["References"] == asked["Message-ID"]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "New reports:" in text_of(mail)
    assert f"http://localhost/c/test.example/requests/{first}?locale=en" in text_of(mail)
    assert sorted(names(text_of(mail))) == sorted((first, second))
    assert "1 &lt;b&gt;Mill" in html_of(mail)
    listed = "/c/test.example/requests?service_code=potholes&status=open&locale=en"
    assert f"http://localhost{listed}" in text_of(mail)
    assert first in checked(here.client.get(listed)).text_content()
    assert here.rows("SELECT request_id FROM notification") == []
    assert here.send(hours=30) == []


def test_changes_and_closings_are_reported_in_groups(here: Town) -> None:
    old, other = report(here), report(here)
    subscribe(here)
    here.act(old, CLOSE)
    here.act(other, commands.Note(text="We were there.", public=True))
    new = report(here)
    [mail] = here.send(hours=1)
    lines = text_of(mail).splitlines()
    order = [next(n for n, line in enumerate(lines) if line.startswith(f"{one}:")) for one in (new, old, other)]
    heads = [lines.index(one) for one in ("New reports:", "Closed reports:", "Other reports with news:")]
    assert [heads[0], order[0], heads[1], order[1], heads[2], order[2]] == sorted(heads + order)
    assert "We were there." not in text_of(mail), "the mail has no text of people"


def test_a_circle_and_a_part_of_the_map_find_the_requests_in_them(here: Town) -> None:
    subscribe(here, "lat=60.1718&long=24.9414&radius=200")
    subscribe(here, "bbox=24.90,60.10,24.93,60.20", email="box@mail.example")
    near, far = report(here), report(here, lat="60.1718", long="24.9214")
    mails = {mail["To"]: text_of(mail) for mail in here.send(hours=1)}
    assert "at most 200 m from 60.17180, 24.94140" in mails[BOB]
    assert names(mails[BOB]) == [near]
    assert names(mails["box@mail.example"]) == [far]


def test_there_is_at_most_one_mail_an_hour(here: Town) -> None:
    subscribe(here)
    report(here)
    assert len(here.send(hours=0.5)) == 1
    report(here)
    assert here.send(hours=0.5) == []
    report(here)
    [mail] = here.send(hours=0.6)
    assert mail["Subject"] == "Testville: news about 2 reports"


def test_daily_mail_comes_once_in_the_morning(here: Town) -> None:
    path = subscribe(here, how_often="daily")
    report(here)
    mails = [mail for _ in range(25) for mail in here.send(hours=1)]
    assert len(mails) == 1
    report(here)
    assert len([mail for _ in range(25) for mail in here.send(hours=1)]) == 1
    assert "Get it once an hour at most" in checked(here.client.get(path)).text_content()
    assert here.press(path, "hourly") == 200
    report(here)
    assert len(here.send(hours=1)) == 1


def test_many_requests_are_one_mail_that_names_some_of_them(here: Town) -> None:
    subscribe(here)
    for _ in range(MOST_NUMBERS + 2):
        report(here)
    [mail] = here.send(hours=1)
    assert mail["Subject"] == f"Testville: news about {MOST_NUMBERS} reports"
    assert "There are more. The list has all of them." in text_of(mail)
    assert here.send(hours=2) == []


def test_a_request_that_the_public_cannot_read_any_more_is_not_reported(here: Town) -> None:
    subscribe(here, "status=open")
    hidden, closed = report(here), report(here)
    assert here.send() == []
    here.act(hidden, commands.Hide(reason="It names a person."))
    here.act(closed, CLOSE)
    assert here.send(hours=1) == []
    assert here.rows("SELECT request_id FROM notification") == []


def test_the_page_says_the_same_whether_or_not_somebody_has_subscribed(here: Town) -> None:
    data = {"email": BOB, "service_code": "potholes"}
    pages = {here.client.post(PATH, data=data | {"email": email}).text for email in (BOB, BOB, "BOB@MAIL.example")}
    assert len(pages) == 1
    assert len(here.send(hours=1)) == 1
    for code in ("trees", "hotline", "potholes,trees"):
        here.client.post(PATH, data=data | {"service_code": code})
    assert len(here.send()) == MOST_UNASKED_A_DAY - 1


def test_the_same_form_sent_many_times_at_once_leads_to_one_mail(here: Town) -> None:
    with ThreadPoolExecutor(6) as pool:
        sent = pool.map(lambda _: here.client.post(PATH, data={"email": BOB}).status_code, range(6))
        assert set(sent) == {200}
    assert len(here.send()) == 1
    assert len(here.rows("SELECT id FROM subscription")) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"email": ""},
        {"email": "bob@a.example,ann@b.example"},
        {"email": "b\r\nBcc: x@y.example"},
        {"service_code": "nothing"},
        {"area": "Nowhere"},
        {"status": "half"},
        {"lat": "60.1"},
        {"lat": "60.1", "long": "24.9", "radius": "-1"},
        {"bbox": "1,2,3"},
        {"how_often": "always"},
        {"service_code": "x" * 100_000},
    ],
)
def test_a_faulty_form_gets_400_and_stores_nothing(here: Town, fields: dict[str, str]) -> None:
    answer = here.client.post(PATH, data={"email": BOB} | fields)
    assert answer.status_code in (400, 413)
    checked(answer, answer.status_code)
    assert here.rows("SELECT id FROM follower") == []


def test_a_filled_honeypot_and_a_form_of_another_site_do_nothing(here: Town) -> None:
    assert here.client.post(PATH, data={"email": BOB, "website": "x"}).status_code == 200
    assert here.client.post(PATH, data={"email": BOB}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert here.client.get(PATH).status_code in (404, 405)
    assert here.rows("SELECT id FROM follower") == []


def test_one_click_ends_the_mail_and_everything_that_is_stored_for_it(here: Town) -> None:
    path = subscribe(here)
    report(here)
    assert here.send() == []
    leave = f"{path.partition('?')[0]}/leave"
    for _ in range(2):
        assert here.client.post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert here.send(hours=2) == []
    for table in ("follower", "subscription", "notification"):
        assert here.rows(f"SELECT * FROM {table}") == []
    assert "You get no more of these mails." in checked(here.client.get(path)).text_content()
    assert here.press(path, "daily") == 404


def test_a_person_who_ends_the_mail_while_changes_are_matched_does_not_stop_the_mail_of_others(here: Town) -> None:
    subscribe(here)
    subscribe(here, email="eve@mail.example")
    report(here)
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with here.platform.database.transaction() as connection:
            [bob] = followers.subscribed(connection, here.city.id, BOB)
            followers.remove(connection, here.city.id, [bob.id])
            matched = pool.submit(dispatch, here.platform, utc_now())
            until(lambda: here.rows(waiting), "the dispatcher waits for the deletion")
        matched.result()
    assert here.rows("SELECT * FROM held_change") == []
    assert [mail["To"] for mail in here.send(hours=1)] == ["eve@mail.example"]


def test_opening_the_page_changes_nothing_and_buttons_of_one_report_are_refused(here: Town) -> None:
    path = subscribe(here)
    before = dump(here.platform)
    document = checked(here.client.get(path))
    assert "bob@" not in document.text_content()
    assert dump(here.platform) == before
    assert here.press(path, "answer", answer="solved") == 404
    assert here.press(path, "reopen") == 404
    _, own = here.confirmed()
    assert here.press(own, "daily") == 404


def test_a_person_who_refuses_all_mail_of_the_city_gets_none_about_filters(here: Town) -> None:
    path = subscribe(here)
    report(here)
    assert here.press(path, "refuse") == 200
    assert ask(here, "status=open") == 200
    assert here.send(hours=2) == []


def test_mail_is_in_the_language_of_the_page(here: Town) -> None:
    assert here.client.post(f"{PATH}?locale=es", data={"email": BOB, "how_often": "hourly"}).status_code == 200
    [asked] = here.send()
    assert "Todos los avisos" in text_of(asked)
    assert here.press(page_of(asked), "confirm") == 200
    report(here)
    [mail] = here.send(hours=1)
    assert "Nuevos avisos:" in text_of(mail)
    assert checked(here.client.get(page_of(mail))).get("lang") == "es"


def test_mail_that_bounces_ends_the_subscription(make_app: Callable[..., Flask]) -> None:
    with town(make_app, world.fault("status", on="RCPT bob@", status=550)) as here:
        assert ask(here) == 200
        assert here.send() == []
        assert here.rows("SELECT id FROM subscription") == []


def test_a_mail_that_the_server_deferred_is_sent_again(make_app: Callable[..., Flask]) -> None:
    with town(make_app, world.fault("status", on="DATA", status=450, times=1)) as here:
        assert ask(here) == 200
        mails = here.send() + here.send(hours=2)
        assert here.press(page_of(mails[-1]), "confirm") == 200
        report(here)
        assert len(here.send(hours=1)) == 1


def test_a_person_who_is_erased_gets_no_mail_and_an_export_has_the_filters(here: Town) -> None:
    subscribe(here, "service_code=potholes&lat=60.1718&long=24.9414&radius=200")
    report(here)
    assert here.send() == []
    options: dict[str, Any] = {"reason": "A letter.", "principal": SHELL, "now": utc_now()}
    [page] = export_person(here.platform, here.city, Person(email="BOB@mail.example"), **options)
    [found] = page.subscriptions
    assert found["email"] == BOB
    assert found["confirmed_datetime"] is not None
    assert found["service_code"] == ["potholes"]
    assert (found["lat"], found["radius"]) == (60.1718, 200)
    [part] = erase_person(here.platform, here.city, Person(email="BOB@mail.example"), **options)
    assert part.rows["follower"] == 1
    assert BOB not in dump(here.platform)
    assert here.rows("SELECT id FROM subscription") == []
    assert here.send(hours=2) == []


def test_a_person_is_forgotten_after_a_week_without_consent_and_a_year_after_consent(here: Town) -> None:
    assert ask(here) == 200
    here.send()
    expire_subscriptions(here.platform, utc_now() + timedelta(days=6))
    clean_up(here.platform, utc_now() + timedelta(days=6))
    assert len(here.rows("SELECT id FROM subscription")) == 1
    assert clean_up(here.platform, utc_now() + timedelta(days=8))["followers"] == 1
    assert here.rows("SELECT id FROM subscription") == []
    path = subscribe(here)
    here.later += timedelta(days=340)
    report(here)
    [mail] = here.send(hours=1)
    assert "You can prolong it for a year." in text_of(mail)
    clean_up(here.platform, utc_now() + timedelta(days=364))
    assert len(here.rows("SELECT id FROM subscription")) == 1
    assert here.press(path, "confirm") == 200
    assert clean_up(here.platform, utc_now() + timedelta(days=366))["followers"] == 1
    assert here.rows("SELECT id FROM subscription") == []


def test_a_city_can_switch_mail_about_filters_off(make_app: Callable[..., Flask]) -> None:
    with town(make_app, followers=False) as here:
        assert "follow" not in here.client.get("/c/test.example/requests").text
        assert "how_often" not in here.client.get("/map/test.example").text
        assert here.client.post(PATH, data={"email": BOB}).status_code == 404


def test_the_map_has_the_form_with_its_filters(here: Town) -> None:
    page = checked(here.client.get("/map/test.example?status=open&q=hole"))
    [form] = page.xpath("//form[contains(@action, 'follow')]")
    hidden = {one.get("name"): one.get("value") for one in form.xpath(".//input[@type='hidden']")}
    assert hidden == {"status": "open"}
    assert "Words, dates and photos are no part of this choice" in page.text_content()
