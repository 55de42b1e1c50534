"""Reporters who ask for text messages get them, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from open311.domain import commands
from open311.domain.workflow import Outcome
from tests.sms.towns import ANN_INTERNATIONAL, OWN, Town

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
