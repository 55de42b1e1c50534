"""The page to which mails link: a GET changes nothing, and pressing a button again changes nothing more."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.workflow import Outcome
from open311.operations.desk.rendering import plain_request
from open311.operations.desk.whole_request import read_whole_request
from open311.operations.workflow.act import act
from tests import build
from tests.mailing.towns import Town, page_of, text_of, town
from tests.pages import checked
from tests.waiting import until

CLOSE = commands.Close(outcome=Outcome.FIXED)


def state(here: Town) -> list[dict[str, object]]:
    return here.rows("SELECT id, confirmed_at, told_version FROM follower ORDER BY id")


def history(here: Town) -> list[str]:
    rows = here.rows("SELECT kind, description FROM request_event ORDER BY id")
    return [f"{row['kind']} {row['description']}" for row in rows]


def as_staff_see(here: Town, name: str) -> dict[str, object]:
    """The whole request, as the API for staff shows it."""
    return plain_request(read_whole_request(here.platform, here.city, name, principal=SHELL), utc_now())


def one_click(here: Town, address: str) -> int:
    """What a mail program sends for one click (RFC 8058)."""
    path = address.strip("<>").removeprefix("http://localhost")
    return here.client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code


def test_opening_the_links_of_a_mail_changes_nothing(here: Town) -> None:
    here.report()
    [mail] = here.send()
    before = state(here)
    leave = mail["List-Unsubscribe"].strip("<>").removeprefix("http://localhost")
    for path in (page_of(mail), leave):
        document = checked(here.client.get(path))
        assert document.xpath("//button[text()='Yes, send me mail']")
        assert "ann@" not in document.text_content()
    assert here.client.head(page_of(mail)).status_code == 200
    assert state(here) == before
    assert here.send(hours=1) == []


def test_no_cache_keeps_the_page_and_no_other_page_learns_its_address(here: Town) -> None:
    here.report()
    [mail] = here.send()
    answer = here.client.get(page_of(mail))
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]


def test_one_click_ends_the_mail_before_any_confirmation_and_a_second_click_does_no_harm(here: Town) -> None:
    name = here.report()
    [mail] = here.send()
    assert one_click(here, mail["List-Unsubscribe"]) == 200
    assert state(here) == []
    assert one_click(here, mail["List-Unsubscribe"]) == 200
    assert here.press(page_of(mail), "confirm") == 404
    here.act(name, CLOSE)
    assert here.send(hours=1) == []
    assert "You get no more of these mails." in checked(here.client.get(page_of(mail))).text_content()


def test_a_person_who_ends_the_mail_gets_no_mail_that_waits(here: Town) -> None:
    name, path = here.confirmed()
    here.act(name, CLOSE)
    assert here.send() == []
    assert here.press(path, "leave") == 200
    assert here.send(hours=1) == []


def test_a_person_who_refuses_gets_no_mail_about_later_reports(here: Town) -> None:
    here.report()
    [mail] = here.send()
    assert here.press(page_of(mail), "refuse") == 200
    here.report(email="ANN@mail.example")
    assert here.send(hours=1) == []
    here.report(email="bob@mail.example")
    assert len(here.send()) == 1


@pytest.mark.parametrize("wrong", ["1", "1-", "x", "1-AAAAAAAAAAAAAAAAAAAAAA", "0-" + "A" * 22, "9" * 30, "é"])
def test_an_invented_link_gets_404(here: Town, wrong: str) -> None:
    here.report()
    here.send()
    for suffix in ("", "/leave"):
        checked(here.client.get(f"/mail/test.example/{wrong}{suffix}"), 404)
        checked(here.client.post(f"/mail/test.example/{wrong}{suffix}", data={"do": "confirm"}), 404)
    assert [row["confirmed_at"] for row in state(here)] == [None]


def test_a_link_of_another_city_or_follower_is_refused(here: Town) -> None:
    here.report()
    here.report()
    first, second = here.send()
    number, _, mark = page_of(first).removeprefix("/mail/test.example/").partition("?")[0].partition("-")
    assert here.press(f"/mail/other.example/{number}-{mark}", "confirm") == 404
    other = page_of(second).removeprefix("/mail/test.example/").partition("-")[0]
    assert here.press(f"/mail/test.example/{other}-{mark}", "confirm") == 404


@pytest.mark.parametrize("do", ["", "delete", "CONFIRM"])
def test_an_unknown_button_is_refused(here: Town, do: str) -> None:
    here.report()
    [mail] = here.send()
    checked(here.client.post(page_of(mail), data={"do": do}), 400)


def test_many_confirmations_at_the_same_time_count_as_one(here: Town) -> None:
    here.report()
    [mail] = here.send()
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: here.press(page_of(mail), "confirm"), range(6))) == {200}
    assert len(here.rows("SELECT id FROM mail WHERE kind = 'changes'")) == 1


def test_the_mail_ends_if_a_person_ends_and_confirms_it_at_the_same_time(here: Town) -> None:
    here.report()
    [mail] = here.send()
    with ThreadPoolExecutor(1) as pool:
        with here.platform.database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM follower")
            confirming = pool.submit(here.press, page_of(mail), "confirm")
            until(lambda: is_blocked(here), "the confirmation to meet the deletion")
        assert confirming.result() == 404
    assert here.send(hours=1) == []


def is_blocked(here: Town) -> bool:
    """Whether a session waits for a lock of another one."""
    return bool(here.rows("SELECT 1 FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"))


def test_the_answer_of_the_reporter_is_in_the_history_for_staff_only(here: Town) -> None:
    name, path = here.confirmed()
    here.act(name, CLOSE)
    [mail] = here.send(hours=1)
    assert page_of(mail) == path
    page = checked(here.client.get(path))
    assert [one.get("value") for one in page.xpath("//input[@type='radio']")] == ["solved", "partly", "not_solved"]
    assert here.press(path, "answer", answer="partly") == 200
    assert here.press(path, "answer", answer="partly") == 200
    assert here.press(path, "answer", answer="solved") == 200
    assert [line for line in history(here) if line.startswith("feedback")] == ["feedback partly", "feedback solved"]
    assert as_staff_see(here, name)["feedback"] == "solved"
    public = here.client.get(f"/open311/v2/requests/{name}.json?extensions=true").text
    assert "feedback" not in public
    assert here.send(hours=1) == [], "an answer of the reporter leads to no mail"


@pytest.mark.parametrize(("answer", "status"), [("", 400), ("never", 400), ("SOLVED", 400)])
def test_an_answer_that_nobody_offered_is_refused(here: Town, answer: str, status: int) -> None:
    name, path = here.confirmed()
    here.act(name, CLOSE)
    assert here.press(path, "answer", answer=answer) == status


def test_answers_are_accepted_only_after_a_closing_and_only_five_times(here: Town) -> None:
    name, path = here.confirmed()
    assert here.press(path, "answer", answer="solved") == 409
    here.act(name, CLOSE)
    said = [here.press(path, "answer", answer=("partly", "solved")[number % 2]) for number in range(7)]
    assert said == [200, 200, 200, 200, 200, 409, 200], "the seventh answer repeats the fifth"


def test_the_reporter_opens_the_request_again(here: Town) -> None:
    name, path = here.confirmed()
    here.act(name, CLOSE)
    [mail] = here.send(hours=1)
    assert "You can open the report again there until" in text_of(mail)
    assert here.press(path, "reopen") == 200
    assert here.press(path, "reopen") == 409
    shown = here.client.get(f"/open311/v2/requests/{name}.json").json[0]
    assert shown["status"] == "open"
    assert as_staff_see(here, name)["feedback"] is None, "the answer was about the last closing"
    rows = here.rows("SELECT kind, actor, reason FROM request_event WHERE actor = 'reporter'")
    assert [row["kind"] for row in rows][:2] == ["feedback", "status"]
    assert {row["actor"] for row in rows} == {"reporter"}
    [told] = here.send(hours=1)
    assert "The report was opened again." in text_of(told)


def test_a_request_stays_closed_after_the_reopen_days_of_the_city(here: Town) -> None:
    name, path = here.confirmed()
    long_ago = utc_now() - timedelta(days=15)
    with here.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE service_request SET requested_at = %s", (long_ago,))
    act(here.platform, here.city, name, [CLOSE], principal=SHELL, now=long_ago)
    with here.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE service_request SET updated_at = %s", (long_ago,))
    assert "again" not in checked(here.client.get(path)).xpath("string(//main)")
    assert here.press(path, "reopen") == 409


def test_a_city_without_reopen_days_and_feedback_offers_neither(make_app: Callable[..., Flask]) -> None:
    with town(make_app, reopen_days=0, feedback=False) as here:
        name, path = here.confirmed()
        here.act(name, CLOSE)
        [mail] = here.send(hours=1)
        assert "solved?" not in text_of(mail)
        assert here.press(path, "reopen") == 409
        assert here.press(path, "answer", answer="solved") == 409


def test_pages_of_mail_are_in_the_language_of_the_link(here: Town) -> None:
    here.report(language="es")
    [mail] = here.send()
    assert page_of(mail).endswith("?locale=es")
    document = checked(here.client.get(page_of(mail)))
    assert document.get("lang") == "es"
    assert document.xpath("//form/@action")[0].endswith("?locale=es")


def test_without_a_database_the_page_says_so(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), database_url="postgresql://nobody@127.0.0.1:1/none")
    checked(app.test_client().get("/mail/test.example/1-AAAAAAAAAAAAAAAAAAAAAA"), 503)


def test_the_statistics_count_who_was_asked_and_what_they_answered(here: Town) -> None:
    said = ["solved"] * 4 + ["not_solved", "partly", ""]
    pairs = [here.confirmed(email=f"ann{number}@mail.example") for number in range(len(said))]
    here.report(email="bob@mail.example")  # has not agreed
    for (name, path), answer in zip(pairs, said, strict=True):
        here.act(name, CLOSE)
        here.send(hours=1)
        if answer:
            assert here.press(path, "answer", answer=answer) == 200
    here.send()
    row = here.client.get("/open311/v2/stats.json").json["rows"][0]
    names = ("asked", "answered", "yes", "partly", "no", "share")
    assert [row[f"feedback_{name}"] for name in names] == [7, 6, 4, 1, 1, 0.6667]
    text = checked(here.client.get("/c/test.example/numbers")).text_content()
    assert "Solved, as the reporters say" in text
    assert "(4/6)" in text


def test_fewer_than_five_answers_are_not_published_and_those_before_a_reopening_do_not_count(here: Town) -> None:
    pairs = [here.confirmed(email=f"ann{number}@mail.example") for number in range(5)]
    for name, path in pairs:
        here.act(name, CLOSE)
        here.send(hours=1)
        assert here.press(path, "answer", answer="not_solved") == 200
    here.send()
    assert here.client.get("/open311/v2/stats.json").json["rows"][0]["feedback_no"] == 5
    here.act(pairs[0][0], commands.Reopen(reason="again"))
    here.act(pairs[0][0], CLOSE)
    here.send(hours=1)
    assert here.rows("SELECT answer, count(*) FROM feedback GROUP BY 1 ORDER BY 1") == [
        {"answer": "", "count": 1},
        {"answer": "not_solved", "count": 4},
    ]
    [row] = here.client.get("/open311/v2/stats.json?start_date=2026-01-01").json["rows"]
    assert [row[f"feedback_{name}"] for name in ("asked", "answered", "no", "share")] == [None] * 4
