"""Who follows a request: found, exported and erased, and in no log, metric, answer or page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask

from open311.cli import main
from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.events import Erasable
from open311.domain.people import Person
from open311.domain.workflow import Outcome
from open311.observe import configure_logs
from open311.operations.people.erase_person import erase_person
from open311.operations.people.expiring import REPORTERS, expire
from open311.operations.people.export_person import export_person
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.workflow.erase_request import erase_from_request
from open311.plugins import Retention
from tests import world
from tests.mailing.towns import ANN, Town, page_of, settings_for, town
from tests.stored import dump

BOB = "bob@mail.example"
NOTE = commands.Note(text="We were there.", public=True)


def follow(here: Town, name: str, email: str = BOB) -> str:
    """Follow a request and agree. Returns the path of the follower's page."""
    assert here.client.post(f"/c/test.example/requests/{name}/follow", data={"email": email}).status_code == 200
    [asked] = [mail for mail in here.send() if mail["To"] == email]
    assert here.press(page_of(asked), "confirm") == 200
    return page_of(asked)


def erase(here: Town, **person: str) -> dict[str, int]:
    parts = erase_person(
        here.platform, here.city, Person(**person), reason="A letter.", principal=SHELL, now=utc_now()
    )
    rows: dict[str, int] = {}
    for part in parts:
        rows |= part.rows
    return rows


def test_an_erased_person_gets_no_mail_that_waits(here: Town) -> None:
    name, _ = here.confirmed(phone="+1 555 0142")
    follow(here, name)
    here.act(name, NOTE)
    assert here.send() == []
    assert erase(here, phone="+1 555 0142")["follower"] == 1
    assert [mail["To"] for mail in here.send(hours=1)] == [BOB]
    assert ANN not in dump(here.platform)
    assert erase(here, email="BOB@mail.example")["follower"] == 1
    assert BOB not in dump(here.platform)
    assert here.rows("SELECT id FROM mail WHERE follower_id IS NOT NULL") == []


def test_a_refusal_outlives_an_erasure_as_a_digest(here: Town) -> None:
    here.report()
    [mail] = here.send()
    assert here.press(page_of(mail), "refuse") == 200
    erase(here, email=ANN)
    assert ANN not in dump(here.platform)
    here.report()
    assert here.send(hours=1) == []


def test_an_export_tells_what_a_person_follows(here: Town) -> None:
    name, _ = here.confirmed(language="es")
    other = here.report(email="")
    follow(here, other, ANN)
    options = {"reason": "A letter.", "principal": SHELL, "now": utc_now()}
    [page] = export_person(here.platform, here.city, Person(email=ANN), **options)  # type: ignore[arg-type]
    found = {one["service_request_id"]: one for one in page.requests}
    assert found[name]["mail"]["language"] == "es"
    assert found[name]["mail"]["confirmed_datetime"] is not None
    assert found[other]["report"] is None
    assert found[other]["mail"]["email"] == ANN


def test_retention_and_the_erasure_of_a_reporter_end_all_mail_about_a_request(
    make_app: Callable[..., Flask],
) -> None:
    with town(make_app) as here:
        name, _ = here.confirmed()
        follow(here, name)
        erase_from_request(here.platform, here.city, name, [Erasable.REPORTER], now=utc_now())
        assert here.rows("SELECT id FROM follower") == []
        second, _ = here.confirmed(email=BOB)
        here.act(second, commands.Close(outcome=Outcome.FIXED))
        object.__setattr__(here.city, "retention", Retention(reporter_days=1))
        assert [one.due.total() for one in expire(here.platform, here.city, REPORTERS, now=utc_now())] == [0]
        later = utc_now() + timedelta(days=2)
        assert [one.due.total() for one in expire(here.platform, here.city, REPORTERS, now=later)] == [1]
        assert here.rows("SELECT id FROM follower") == []


def test_a_person_who_never_agrees_is_forgotten(here: Town) -> None:
    here.report()
    here.send()
    clean_up(here.platform, utc_now() + timedelta(days=6))
    assert len(here.rows("SELECT id FROM follower")) == 1
    assert clean_up(here.platform, utc_now() + timedelta(days=8))["followers"] == 1
    assert here.rows("SELECT id FROM mail") == []


def test_no_address_is_in_a_log_a_metric_a_cause_or_the_shell(
    make_app: Callable[..., Flask], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [world.fault("status", on="RCPT bob@", status=450), world.fault("status", on="RCPT ann@", status=550)]
    with town(make_app, *faults) as here:
        configure_logs("debug")
        for email in (ANN, ANN, BOB):
            here.report(email=email)
        here.send()
        metrics = make_app(here.city, **settings_for(here.post), metrics_token="secret").test_client()
        shown = metrics.get("/metrics", headers={"Authorization": "Bearer secret"}).text
        assert "open311_mails" in shown
        shown += metrics.get("/readyz").text
        monkeypatch.setenv("DATABASE_URL", here.platform.settings.database_url)
        told = CliRunner().invoke(main, ["mail", "status"])
        assert told.exit_code == 0, told.output
        assert "the mail server refused a recipient: 450" in told.output
        out, err = capfd.readouterr()
        causes = repr(here.rows("SELECT cause, state FROM mail"))
        for text in (shown, told.output, out, err, causes, repr(here.platform.settings)):
            assert "ann@" not in text
            assert "bob@" not in text
