"""Who gets a first mail: nobody can use reports to flood a mailbox, or to put text into a mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.abuse import AbuseRules
from open311.domain.access import SHELL
from open311.domain.mails import MOST_UNASKED_A_DAY, counted_as
from open311.operations.access.api_keys import add_key
from open311.operations.desk.suspected import drop_report
from open311.operations.mailing import queueing
from open311.operations.mailing.rules import mailbox_of
from open311.operations.mailing.watching import stop_address
from tests import build, world
from tests.mailing.towns import ANN, RULES, Town, settings_for, text_of, town


def test_an_address_gets_few_first_mails_a_day(here: Town) -> None:
    for _ in range(MOST_UNASKED_A_DAY + 3):
        here.report(email="Ann@Mail.example")
    assert len(here.send()) == MOST_UNASKED_A_DAY
    assert len(here.rows("SELECT id FROM follower")) == MOST_UNASKED_A_DAY
    here.send(hours=25)
    here.report()
    assert len(here.send()) == 1


def test_a_city_sends_few_first_mails_an_hour(here: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "MOST_UNASKED_AN_HOUR", 4)
    for number in range(7):
        here.report(email=f"someone{number}@mail.example")
    assert len(here.send()) == 4


@pytest.mark.parametrize(
    "email",
    [
        "ann",
        "ann@",
        "@mail.example",
        "ann@mail.example, bob@mail.example",
        "ann@mail.example\r\nBcc: bob@mail.example",
        "Ann <ann@mail.example>",
        "ann@localhost",
        "ann@127.0.0.1",
        "\u202eann@mail.example",
        "ann\u200b@mail.example",
        "<script>@mail.example",
        "ann@mail..example",
        "ann@mail.example>",
        'ann"b@mail.example',
        "ann@" + "x" * 300 + ".example",
        "a\u2028b@mail.example",
    ],
)
def test_a_text_that_is_no_single_address_gets_no_mail_and_the_report_is_kept(here: Town, email: str) -> None:
    assert here.report(email=email)
    assert here.send() == []
    assert here.rows("SELECT id FROM follower") == []


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("o'neil+311@mail.example", "mail.example"),
        ("a.b_c-d=e/f@mail.example", "mail.example"),
        ("ann@bücher.example", "xn--bcher-kva.example"),
        ("jörg@mail.example", "mail.example"),
    ],
)
def test_strange_addresses_get_their_mail(here: Town, email: str, domain: str) -> None:
    here.report(email=email)
    here.send()
    [mail] = here.post.accepted
    assert mail.recipients == (f"{email.rpartition('@')[0]}@{domain}",)


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_an_accepted_address_has_no_character_that_could_start_another_mail_header(text: str) -> None:
    box = mailbox_of(text)
    if box is not None:
        assert not set(box.address) & set("\r\n\0 ,;<>\u2028")


def test_names_of_the_city_cannot_begin_a_header(make_app: Callable[..., Flask]) -> None:
    with town(make_app, sender="Town\r\nBcc: bob@mail.example", footer="<b>End</b>\r\n.\r\nQUIT") as here:
        here.report()
        [mail] = here.send()
        assert mail["Bcc"] is None
        assert [one.recipients for one in here.post.accepted] == [(ANN,)]
        assert text_of(mail).endswith("<b>End</b>\n.\nQUIT\n")


def test_a_suspected_report_leads_to_a_mail_only_after_its_release(make_app: Callable[..., Flask]) -> None:
    with world.mail_server() as post:
        suspicious = replace(build.city(mail=RULES), abuse=AbuseRules(honeypot="website"))
        here = Town(make_app(suspicious, **settings_for(post)), post)
        here.report(website="http://spam.example")
        assert here.send() == []
        [row] = here.rows("SELECT id FROM service_request")
        here.act(row["id"], commands.Release(reason="It is real."))
        assert len(here.send()) == 1


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_suspected_report_that_staff_hide_or_drop_leads_to_no_mail(
    make_app: Callable[..., Flask], is_dropped: bool
) -> None:
    with world.mail_server() as post:
        suspicious = replace(build.city(mail=RULES), abuse=AbuseRules(honeypot="website"))
        here = Town(make_app(suspicious, **settings_for(post)), post)
        here.report(website="http://spam.example")
        [row] = here.rows("SELECT id FROM service_request")
        if is_dropped:
            drop_report(here.platform, here.city, row["id"], reason="Spam.", principal=SHELL, now=utc_now())
        else:
            here.act(row["id"], commands.Hide(reason="Spam."))
        assert here.send(hours=1) == []
        assert here.rows("SELECT kind FROM mail WHERE kind = 'received'") == []


@pytest.mark.parametrize("changes", [{"smtp_url": ""}, {"public_url": ""}, {"reporters": False}])
def test_nothing_is_stored_or_promised_if_mail_is_off(
    make_app: Callable[..., Flask], changes: dict[str, Any]
) -> None:
    rules = {name: value for name, value in changes.items() if name == "reporters"}
    with world.mail_server() as post:
        values = settings_for(post) | {name: value for name, value in changes.items() if name not in rules}
        values |= {} if values["smtp_url"] else {"mail_from": "", "bounce_mail": ""}
        here = Town(make_app(build.city(mail=replace(RULES, followers=False, **rules)), **values), post)
        name = here.report()
        assert here.send(hours=1) == []
        for table in ("follower", "mail", "mail_key", "mail_recipient"):
            assert here.rows(f"SELECT * FROM {table}") == []
        assert here.rows("SELECT language FROM reporter") == [{"language": ""}]
        assert "by mail" not in here.client.get(f"/c/test.example/requests/{name}").text


def test_reports_of_test_keys_and_reports_without_an_address_lead_to_no_mail(here: Town) -> None:
    here.report(email="")
    _, key = add_key(here.platform, label="trial", is_test=True, now=utc_now())
    here.report(api_key=key)
    assert here.send() == []


def test_a_repeated_post_leads_to_one_mail(here: Town) -> None:
    _, key = add_key(here.platform, label="tests", now=utc_now())
    names = {here.report(api_key=key, client_request_id="one") for _ in range(3)}
    assert len(names) == 1
    assert len(here.send()) == 1


def test_addresses_that_differ_after_a_plus_are_counted_together(here: Town) -> None:
    for number in range(MOST_UNASKED_A_DAY + 3):
        here.report(email=f"ann+{number}@mail.example")
    mails = here.send()
    assert len(mails) == MOST_UNASKED_A_DAY
    assert mails[0]["To"] == "ann+0@mail.example", "the mail goes to the address as it was sent"
    here.report(email="bob@mail.example")
    assert len(here.send()) == 1


def test_an_address_that_refused_all_mail_gets_none(here: Town) -> None:
    stop_address(here.platform, here.city, "ann+city@mail.example", now=utc_now())
    here.report(email="ann+city@mail.example")
    assert here.send() == []
    here.report(email="ann@mail.example")
    assert len(here.send()) == 1


def test_an_address_is_counted_without_its_tag() -> None:
    assert counted_as("Ann+x+y@mail.example") == "Ann@mail.example"
    assert counted_as("+x@mail.example") == "+x@mail.example"
    assert counted_as("a.nn@mail.example") == "a.nn@mail.example"
