"""The notices of a city that the public reads: those that are valid, and those that are over."""

from __future__ import annotations

from datetime import datetime

from open311.domain.city_notices import CityNotice, NoticeState, in_order
from open311.errors import NotFound
from open311.operations.notices.managing import NoticePage, page_of
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import city_notices
from schemas.texts import tell


def valid_notices(platform: Platform, city: Jurisdiction, now: datetime) -> list[CityNotice]:
    """The notices that are valid, as they are in the database now, the worst first. Raises Unavailable."""
    with platform.database.reading() as connection:
        found = city_notices.open_ones(connection, now, city.id)
    return in_order(one for one in found if one.state(now) is NoticeState.CURRENT)


def begun_notices(
    platform: Platform, city: Jurisdiction, now: datetime, *, rows: int, before: int | None = None
) -> NoticePage:
    """All notices that the public has been able to read, the newest first. Raises Unavailable."""
    with platform.database.reading() as connection:
        found = city_notices.page(connection, city.id, rows=rows + 1, before=before, begun_by=now)
    return page_of(found, rows)


def alerting_notices(platform: Platform, city: Jurisdiction, now: datetime) -> list[CityNotice]:
    """The notices in the index of alerts, with those that staff ended before their time. Raises Unavailable."""
    with platform.database.reading() as connection:
        found = city_notices.unexpired(connection, city.id, now)
    return sorted((one for one in found if one.was_public(now)), key=lambda one: one.sent_at[-1], reverse=True)


def public_notice(platform: Platform, city: Jurisdiction, number: int, now: datetime) -> CityNotice:
    """One notice that the public has been able to read. Raises NotFound if there is none, and Unavailable."""
    with platform.database.reading() as connection:
        found = city_notices.load(connection, city.id, number)
    if found is None or not found.was_public(now):
        raise NotFound(tell("{number} is no notice here.", number=number), "notice_id")
    return found
