"""The mail server refuses, is slow, or is down: nothing is lost, and nothing is sent twice in the usual case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask

from open311.cli import main
from open311.clock import utc_now
from open311.domain import commands
from open311.domain.mails import LEASE, MOST_A_DAY
from open311.domain.workflow import Outcome
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.mailing.sending import send_all
from open311.operations.mailing.watching import retry_all, try_mail
from open311.settings import Settings
from tests import world
from tests.mailing.towns import ANN, Town, city, page_of, settings_for, text_of, town
from tests.waiting import until

Make = Callable[..., Flask]
NOTE = commands.Note(text="We were there.", public=True)


def queue(here: Town) -> list[tuple[str, str, int]]:
    rows = here.rows("SELECT kind, state, attempts FROM mail ORDER BY id")
    return [(row["kind"], row["state"], row["attempts"]) for row in rows]


def calls(here: Town) -> int:
    return sum(call["label"] == "DATA" or call["label"].startswith("RCPT") for call in here.post.calls)


def test_a_mail_that_the_server_takes_later_is_tried_again(make_app: Make) -> None:
    with town(make_app, world.fault("status", on="RCPT", status=450)) as here:
        here.report()
        assert here.send() == []
        assert queue(here) == [("received", "waiting", 1)]
        assert here.send() == [], "the next try is later"
        [mail] = here.send(hours=1)
        assert mail["To"] == ANN
        assert queue(here) == [("received", "done", 1)]


def test_an_address_that_the_server_refuses_gets_no_mail_any_more(make_app: Make) -> None:
    with town(make_app, world.fault("status", on="RCPT", status=550)) as here:
        here.report()
        assert here.send() == []
        assert here.rows("SELECT id FROM follower") == []
        assert here.rows("SELECT stopped_for FROM mail_recipient") == [{"stopped_for": "bounced"}]
        here.report()
        assert here.send(hours=30) == []
        assert calls(here) == 1


def test_a_text_that_the_server_refuses_is_not_sent_again_but_the_next_mail_is_sent(make_app: Make) -> None:
    with town(make_app) as here:
        name, _ = here.confirmed()
        here.post.fault(world.fault("status", on="DATA", status=554))
        here.act(name, NOTE)
        assert here.send(hours=1) == []
        assert queue(here)[-1][:2] == ("changes", "failed")
        here.act(name, commands.Close(outcome=Outcome.FIXED))
        [mail] = here.send(hours=1)
        assert "We were there." in text_of(mail), "the refused mail did not tell the note"
        assert "The problem is solved." in text_of(mail)


@pytest.mark.parametrize(("kind", "copies"), [("drop", 1), ("lose_answer", 2)])
def test_a_lost_connection_leads_to_another_try_with_the_same_message_id(
    make_app: Make, kind: str, copies: int
) -> None:
    with town(make_app, world.fault(kind, on="DATA")) as here:
        name = here.report()
        found = [*here.send(), *here.send(hours=1)]
        assert len(found) == copies
        assert len({mail["Message-ID"] for mail in found}) == 1
        assert here.send(hours=10) == []
        assert here.press(page_of(found[0]), "confirm") == 200
        here.act(name, NOTE)
        assert len(here.send(hours=1)) == 1


def test_a_server_that_is_too_slow_gets_the_mail_later(make_app: Make) -> None:
    with town(make_app, world.fault("delay", on="MAIL", seconds=30)) as here:
        here.report()
        assert len(here.send()) == 1
        assert here.send(hours=1) == []
        assert [call["label"].partition(" ")[0] for call in here.post.calls] == ["MAIL", "MAIL", "RCPT", "DATA"]


def test_no_change_is_lost_while_the_mail_server_is_down_for_days(make_app: Make) -> None:
    with town(make_app) as here:
        name, _ = here.confirmed()
        here.post.down()
        here.act(name, NOTE)
        for _ in range(8):
            assert here.send(hours=24) == []
        assert queue(here)[-1] == ("changes", "waiting", 0)
        here.act(name, commands.Close(outcome=Outcome.FIXED))
        assert here.send(hours=1) == []
        here.post.up()
        retry_all(here.platform, now=here.now())
        text = "".join(map(text_of, here.send()))
        assert "We were there." in text
        assert "The problem is solved." in text
        assert here.send(hours=24) == []


def test_the_check_of_a_worker_exits_with_0_and_names_a_mail_server_that_is_down(
    make_app: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with town(make_app) as here:
        here.report()
        here.post.down()
        here.send()
        monkeypatch.setenv("DATABASE_URL", here.platform.settings.database_url)
        told = CliRunner().invoke(main, ["worker", "--check"])
        assert told.exit_code == 0, told.output
        assert "mail: the mail server is down" in told.output


def test_the_mails_of_a_city_that_is_not_served_wait_for_it_for_five_days(make_app: Make) -> None:
    with town(make_app) as here:
        here.report()
        while dispatch(here.platform, here.now()):
            continue
        other = Town(make_app(replace(city(), id="other.example"), **settings_for(here.post)), here.post)
        assert other.send() == []
        assert queue(here) == [("received", "waiting", 0)]
        assert len(here.send(hours=2)) == 1
        here.report()
        while dispatch(here.platform, here.now()):
            continue
        other.send(hours=3)
        other.send(hours=5 * 24)
        assert here.arrived() == []
        assert queue(here)[-1] == ("received", "skipped", 0)


def test_a_killed_worker_leads_to_the_same_mail_again(make_app: Make) -> None:
    with town(make_app, world.fault("delay_answer", on="DATA", seconds=60)) as here:
        here.report()
        here.platform.process.is_synced.clear()
        environment = os.environ | {"MAIL_DATABASE": here.platform.settings.database_url, "MAIL_URL": here.post.url}
        worker = subprocess.Popen([sys.executable, "-m", "tests.mailing.worker"], env=environment)
        try:
            until(lambda: here.post.accepted, "the mail")
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        here.post.release()
        assert queue(here) == [("received", "sending", 0)]
        [first] = here.arrived()
        assert here.send() == [], "the lease has not ended"
        here.later += LEASE + timedelta(minutes=1)
        [again] = here.send()
        assert again["Message-ID"] == first["Message-ID"]
        assert text_of(again) == text_of(first)
        assert here.send(hours=10) == []


def test_a_recipient_gets_a_limited_number_of_mails_a_day(here: Town) -> None:
    name, _ = here.confirmed()
    with here.platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO mail (jurisdiction_id, kind, recipient, state, created_at, due_at, ended_at)"
            f" SELECT jurisdiction_id, 'changes', recipient, 'done', now(), now(), now() FROM mail,"
            f" generate_series(1, {MOST_A_DAY}) WHERE kind = 'received'"
        )
    here.act(name, NOTE)
    assert here.send(hours=1) == []
    here.act(name, commands.Close(outcome=Outcome.FIXED))
    assert here.send(hours=1) == []
    [mail] = here.send(hours=24)
    assert "We were there." in text_of(mail)
    assert "The problem is solved." in text_of(mail)


def test_two_workers_send_each_mail_once(here: Town) -> None:
    addresses = [f"someone{number}@mail.example" for number in range(8)]
    for address in addresses:
        here.report(email=address)
    while dispatch(here.platform, here.now()):
        continue
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: send_all(here.platform, here.now), range(3))) == 8
    assert sorted(mail["To"] for mail in here.arrived()) == addresses


@pytest.mark.parametrize(
    ("is_up", "told"),
    [
        (False, "; check host and port in OPEN311_SMTP_URL, which names {place}, and that no firewall blocks them"),
        (True, "; correct host, user, password and options in OPEN311_SMTP_URL, which names {place}"),
    ],
)
def test_the_test_of_the_mail_server_names_the_setting_and_the_cure_but_no_password(
    settings: Settings, is_up: bool, told: str
) -> None:
    with world.mail_server() as post:  # it has no STARTTLS
        if not is_up:
            post.down()
        place = f"{post.host}:{post.port}"
        url = f"smtp://desk:s3cr3t@{place}?timeout=2"
        why = try_mail(replace(settings, smtp_url=url, mail_from="desk@city.example"), ANN, now=utc_now())
    assert told.format(place=place) in why
    assert "s3cr3t" not in why
