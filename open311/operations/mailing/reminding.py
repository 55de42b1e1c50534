"""Remind departments by mail of what is overdue, and once a day of all their work."""

from __future__ import annotations

from datetime import datetime, timedelta

from open311.domain.mails import DAILY_AT, MOST_NUMBERS, DepartmentMail, MailKind
from open311.operations.mailing.queueing import MailDesk, tell_departments
from open311.operations.mailing.rules import can_mail
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import mails, requests


def remind(platform: Platform, now: datetime) -> None:
    """Make the mails that are due to departments.

    What has become overdue is told once, also if the worker did not run for some time. A mail names at most
    MOST_NUMBERS requests, and says if there are more.
    """
    for city in platform.registry if can_mail(platform.settings) else ():
        if city.mail.departments:
            with platform.database.transaction() as connection:
                _remind(MailDesk(connection, city, now))


def _remind(desk: MailDesk) -> None:
    connection, city, now = desk.connection, desk.city, desk.now
    overdue_at, daily_at = mails.lock_reminder(connection, city.id, now)
    if DepartmentMail.OVERDUE in city.mail.about:
        late = {
            department: requests.load_due(connection, city.id, department, overdue_at, now, MOST_NUMBERS + 1)
            for department in city.mail.departments
        }
        tell_departments(desk, MailKind.OVERDUE, {department: found for department, found in late.items() if found})
    is_due = DepartmentMail.DAILY in city.mail.about and _is_new_day(city, daily_at, now)
    if is_due:
        _remind_daily(desk)
    mails.save_reminder(connection, city.id, now, now if is_due else daily_at)


def _is_new_day(city: Jurisdiction, last: datetime, now: datetime) -> bool:
    """Whether the hour of the daily mail has passed since the last one."""
    here = now.astimezone(city.zone)
    today = datetime.combine(here.date(), DAILY_AT, city.zone)
    return last < today <= now


def _remind_daily(desk: MailDesk) -> None:
    """Make the daily mail to each department that has open requests."""
    connection, city, since = desk.connection, desk.city, desk.now - timedelta(days=1)
    for department in city.mail.departments:
        count, _ = requests.count_work(connection, city.id, department, desk.now)
        if count:
            new = requests.load_arrived(connection, city.id, department, since, MOST_NUMBERS + 1)
            tell_departments(desk, MailKind.DAILY, {department: new})
