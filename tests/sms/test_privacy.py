"""Who gets text messages: exported, erased, and in no log, metric, cause, job or answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.events import Erasable
from open311.domain.people import Person
from open311.domain.workflow import Outcome
from open311.observe import configure_logs
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.people.erase_person import erase_person
from open311.operations.people.expiring import REPORTERS, expire
from open311.operations.people.export_person import export_person
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.workflow.erase_request import erase_from_request
from open311.plugins import Retention
from tests import world
from tests.privacy.people import Person as Planted
from tests.privacy.people import leaks
from tests.sms.towns import ANN, Town, settings_for, town
from tests.stored import dump

Make = Callable[..., Flask]
CLOSE = commands.Close(outcome=Outcome.FIXED)


def queue(here: Town) -> None:
    while dispatch(here.platform, here.now()):
        continue


def erase(here: Town, **person: str) -> dict[str, int]:
    options = {"reason": "A letter.", "principal": SHELL, "now": utc_now()}
    rows: dict[str, int] = {}
    who = Person(**person, phone_region="US")
    for part in erase_person(here.platform, here.city, who, **options):  # type: ignore[arg-type]  # by their names
        rows |= part.rows
    return rows


def test_an_erased_person_gets_no_message_that_waits(here: Town) -> None:
    here.report()
    here.report(phone="617 555 0124")
    queue(here)
    assert erase(here, phone=ANN)["sms"] == 1
    [only] = here.send()
    assert only["to"] == "+16175550124"
    assert "555-0123" not in dump(here.platform)


def test_an_export_tells_which_messages_a_person_has_asked_for(here: Town) -> None:
    name = here.report(language="es")
    other = here.report(sms="false")
    here.send()
    options = {"reason": "A letter.", "principal": SHELL, "now": utc_now()}
    [page] = export_person(here.platform, here.city, Person(phone=ANN, phone_region="US"), **options)  # type: ignore[arg-type]
    found = {one["service_request_id"]: one["sms"] for one in page.requests}
    assert found[other] is None
    assert found[name]["language"] == "es"
    assert [(one["occasion"], one["state"]) for one in found[name]["messages"]] == [("received", "done")]


def test_retention_and_the_erasure_of_a_reporter_end_all_messages_about_a_request(here: Town) -> None:
    name = here.report()
    queue(here)
    erase_from_request(here.platform, here.city, name, [Erasable.REPORTER], now=utc_now())
    assert here.queue() == []
    second = here.report()
    here.act(second, CLOSE)
    queue(here)
    object.__setattr__(here.city, "retention", Retention(reporter_days=1))
    later = utc_now() + timedelta(days=2)
    assert [one.due.total() for one in expire(here.platform, here.city, REPORTERS, now=later)] == [1]
    assert here.queue() == []
    assert here.send(hours=1) == []


def test_a_reporter_who_is_erased_while_a_message_is_sent_leaves_no_row(here: Town) -> None:
    here.report()
    queue(here)
    here.gateway.respond = lambda _: (200, {"rows": erase(here, phone=ANN)})
    assert len(here.send()) == 1
    assert here.queue() == []


def test_the_rows_of_messages_are_deleted_after_a_month(here: Town) -> None:
    here.report()
    here.send()
    assert clean_up(here.platform, utc_now() + timedelta(days=29))["sms"] == 0
    assert clean_up(here.platform, utc_now() + timedelta(days=31))["sms"] == 1


def test_the_queue_has_no_number_and_no_text(here: Town) -> None:
    here.report(description="zaphod")
    queue(here)
    [row] = here.rows("SELECT * FROM sms")
    assert row["recipient"] is None
    assert "555" not in repr({name: value for name, value in row.items() if name not in ("created_at", "due_at")})


def test_no_number_is_in_a_log_a_metric_or_a_cause(make_app: Make, capsys: pytest.CaptureFixture[str]) -> None:
    faults = [world.fault("status", status=422), world.fault("status", status=500), world.fault("drop")]
    with town(make_app, *faults) as here:
        configure_logs("debug")
        for _ in range(4):
            here.report()
        here.send()
        here.answer("STOP")
        here.answer("hello", "617")
        metrics = make_app(here.city, **settings_for(here.gateway), metrics_token="secret").test_client()
        shown = metrics.get("/metrics", headers={"Authorization": "Bearer secret"}).text
        assert 'open311_sms{city="test.example",occasion="received",state="waiting"}' in shown
        assert "open311_stopped_numbers 1.0" in shown
        shown += metrics.get("/readyz").text
        out, err = capsys.readouterr()
        causes = repr(here.rows("SELECT cause FROM sms"))
        who = Planted("ann", 23)
        assert who.phone == "+1 617 555 0123"
        for text in (shown, out, err, causes, repr(here.platform.settings)):
            assert who.phone not in leaks(text, who)
            assert "+1617" not in text
