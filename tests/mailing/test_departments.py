"""Mail to departments: new work, overdue work, and a daily list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.mails import DepartmentMail
from open311.operations.mailing.reminding import remind
from tests import build
from tests.mailing.towns import Town, text_of, town


@pytest.fixture
def here(make_app: Callable[..., Flask]) -> Iterator[Town]:
    with town(
        make_app, reporters=False, about=(DepartmentMail.NEW, DepartmentMail.OVERDUE, DepartmentMail.DAILY)
    ) as found:
        yield found


def remind_at(here: Town, now: datetime) -> None:
    here.later = now - utc_now()
    remind(here.platform, now)


def overdue(here: Town) -> list[str]:
    """The subjects of new mails about overdue requests. The daily mail comes too, at 7 o'clock."""
    return [mail["Subject"] for mail in here.send(hours=1) if "overdue" in mail["Subject"]]


def promise(here: Town, name: str, at: datetime) -> None:
    here.act(name, commands.Reschedule(expected=at, reason="The plan."))


def test_new_requests_come_together_in_one_mail(here: Town) -> None:
    names = [here.report(description="Zaphod's hole", address_string="5 Mill Lane") for _ in range(3)]
    assert here.send() == []
    [mail] = here.send(hours=1)
    assert mail["To"] == "streets@city.example"
    assert mail["Subject"] == "Streets: 3 new requests"
    assert all(f"{name}: Pothole; 5 Mill Lane" in text_of(mail) for name in names)
    assert "Zaphod" not in text_of(mail)
    numbers = [row["id"] for row in here.rows("SELECT id FROM service_request")]
    assert all(f"http://localhost/desk/test.example/requests/{number}" in text_of(mail) for number in numbers)
    assert here.send(hours=1) == []


def test_a_transferred_request_is_new_for_its_new_department(here: Town) -> None:
    name = here.report()
    here.act(name, commands.Transfer(department="parks"))
    assert here.send(hours=1) == [], "the request left the department before the mail was sent"
    here.act(name, commands.Transfer(department="streets"))
    [mail] = here.send(hours=1)
    assert mail["Subject"] == "Streets: 1 new request"


def test_a_request_is_reported_once_when_it_is_overdue(here: Town) -> None:
    name, start = here.report(), utc_now()
    here.send(hours=1)
    remind_at(here, start)
    promise(here, name, start + timedelta(hours=3))
    remind_at(here, start + timedelta(hours=2))
    assert overdue(here) == []
    remind_at(here, start + timedelta(hours=30))
    remind_at(here, start + timedelta(hours=31))
    assert overdue(here) == ["Streets: 1 request is overdue"]
    remind_at(here, start + timedelta(hours=40))
    assert overdue(here) == []


def test_a_department_is_told_even_if_another_one_has_a_thousand_overdue_requests(
    here: Town, multiply: Callable[..., None]
) -> None:
    one, other, start = here.report(), here.report(), utc_now()
    here.act(other, commands.Transfer(department="parks"))
    here.send(hours=1)
    remind_at(here, start)
    promise(here, one, start + timedelta(hours=3))
    promise(here, other, start + timedelta(hours=2))
    multiply(here.platform, build.load(here.platform, service_request_id=other), 1_001)
    remind_at(here, start + timedelta(hours=30))
    assert overdue(here) == ["Streets: 1 request is overdue"]


def test_a_mail_that_does_not_name_all_overdue_requests_says_so(here: Town, multiply: Callable[..., None]) -> None:
    one, start = here.report(), utc_now()
    here.send(hours=1)
    remind_at(here, start)
    promise(here, one, start + timedelta(hours=3))
    multiply(here.platform, build.load(here.platform, service_request_id=one), 70)
    remind_at(here, start + timedelta(hours=30))
    [mail] = [mail for mail in here.send(hours=1) if "overdue" in mail["Subject"]]
    assert mail["Subject"] == "Streets: at least 51 requests are overdue"
    assert text_of(mail).count("Pothole") == 50
    assert "There are more." in text_of(mail)


def test_the_daily_mail_comes_once_a_day_and_not_without_work(here: Town) -> None:
    seven = utc_now().replace(hour=7, minute=0, second=0) + timedelta(days=1)
    remind_at(here, seven - timedelta(hours=2))
    remind_at(here, seven + timedelta(minutes=5))
    assert here.send(hours=1) == [], "no request is open"
    name = here.report()
    here.send(hours=1)
    promise(here, name, seven + timedelta(hours=2))
    remind_at(here, seven + timedelta(days=1, minutes=-5))
    remind_at(here, seven + timedelta(days=1, minutes=5))
    remind_at(here, seven + timedelta(days=1, minutes=15))
    daily = [mail for mail in here.send(hours=1) if "today" in mail["Subject"]]
    [mail] = daily
    assert mail["Subject"] == "Streets: the work of today"
    assert "Open requests: 1\nOverdue: 1" in text_of(mail)


def test_departments_get_no_mail_if_the_city_wants_none(make_app: Callable[..., Flask]) -> None:
    with town(make_app, reporters=False, about=()) as here:
        here.report()
        remind_at(here, utc_now() + timedelta(days=2))
        remind_at(here, utc_now() + timedelta(days=4))
        assert here.send(hours=1) == []
