"""Mail to reporters: one mail with a link, and more only after they have agreed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.workflow import Outcome
from tests.mailing.towns import ANN, Town, html_of, page_of, text_of, town
from tests.pages import checked


def test_a_new_report_leads_to_one_mail_without_its_text(here: Town) -> None:
    name = here.report(description="Zaphod's secret hole", first_name="Zaphod", address_string="5 Mill Lane")
    [mail] = here.send()
    assert mail["To"] == ANN
    assert mail["From"] == "Testville Works <desk@city.example>"
    assert mail["Subject"] == f"Please confirm: Report {name}: Pothole"
    for text in (text_of(mail), html_of(mail), str(mail.items())):
        assert "Zaphod" not in text
        assert "Mill Lane, " not in text
        assert "hole" not in text.replace("Pothole", "")
    assert "Testville has received a report with your email address." in text_of(mail)
    assert f"Number: {name}" in text_of(mail)
    assert text_of(mail).endswith("-- \nTestville, 1 Mill Lane\n")
    assert mail["Auto-Submitted"] == "auto-generated"


def test_after_the_first_mail_none_is_sent_until_the_owner_of_the_address_agrees(here: Town) -> None:
    name = here.report()
    assert len(here.send()) == 1
    here.act(name, commands.Acknowledge(), commands.Note(text="We were there.", public=True))
    assert here.send(hours=1) == []


def test_after_the_confirmation_changes_come_together_in_one_mail_of_the_thread(here: Town) -> None:
    name = here.report()
    [first] = here.send()
    assert here.press(page_of(first), "confirm") == 200
    assert here.send(hours=1) == [], "nothing has happened"
    here.act(name, commands.Acknowledge())
    here.act(name, commands.Note(text="We were there <soon>.", public=True))
    here.act(name, commands.Note(text="Only for us.", public=False))
    here.act(name, commands.Close(outcome=Outcome.FIXED, note="It is filled."))
    assert here.send() == [], "changes are collected"
    [mail] = here.send(hours=1)
    text, html = text_of(mail), html_of(mail)
    assert mail["Subject"] == f"Report {name}: Pothole"
    for said in (
        "The department has seen the report.",
        "The city wrote:",
        "> We were there <soon>.",
        "The report was closed.",
        "The problem is solved.",
        "> It is filled.",
        "Is the problem solved? Please tell the city:",
    ):
        assert said in text
    assert "We were there &lt;soon&gt;." in html
    assert "Only for us" not in text + html
    assert mail["In-Reply-To"] == mail["References"] == first["Message-ID"]
    assert mail["Message-ID"] != first["Message-ID"]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert here.send(hours=1) == []


def test_a_mail_names_the_time_of_a_visit_once(here: Town) -> None:
    name, _ = here.confirmed()
    visit = (utc_now() + timedelta(days=3)).replace(hour=9, minute=30)
    here.act(name, commands.Schedule(visit=visit))
    [mail] = here.send(hours=1)
    text = text_of(mail)
    assert text.count("A visit to the place is planned") == 1
    assert "A visit is planned for" not in text
    assert "9:30" in text
    here.act(name, commands.Reschedule(visit=visit + timedelta(days=1), reason="It rains."))
    here.act(name, commands.Note(text="Please move your car.", public=True))
    assert "> Please move your car." in text_of(here.send(hours=1)[0])


def test_changes_from_before_the_confirmation_are_reported_after_it(here: Town) -> None:
    name = here.report()
    [first] = here.send()
    here.act(name, commands.Note(text="We were there.", public=True))
    assert here.send(hours=1) == []
    assert here.press(page_of(first), "confirm") == 200
    [mail] = here.send(hours=1)
    assert "We were there." in text_of(mail)


def test_the_mails_are_in_the_language_of_the_report(here: Town) -> None:
    name, _ = here.confirmed(language="es")
    here.act(name, commands.Close(outcome=Outcome.FIXED))
    [mail] = here.send(hours=1)
    assert "El problema está resuelto." in text_of(mail)
    assert '<html lang="es" dir="ltr">' in html_of(mail)
    assert "The" not in text_of(mail).replace("Testville", "")


@pytest.mark.parametrize("reporters", [True, False])
def test_the_form_tells_what_mail_a_reporter_gets(make_app: Callable[..., Flask], reporters: bool) -> None:
    with town(make_app, reporters=reporters) as here:
        place = "service_code=potholes&step=check&lat=60.1718&long=24.9414"
        document = checked(here.client.get(f"/c/test.example/report?{place}"))
        assert ("You get one mail with a link." in document.text_content()) is reporters
