"""The notices of a city that are valid now, and those that are about a service or a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from shapely import intersects_xy

from open311.domain.city_notices import CityNotice, NoticeState, in_order
from open311.errors import Unavailable
from open311.observe import logger
from open311.operations.notices.kept import KeptNotices
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import city_notices

log = logger(__name__)

MOST_AGE = timedelta(seconds=5)
"""After this time, a process reads the notices again, because another process may have changed them."""


def current_notices(platform: Platform, city: Jurisdiction, now: datetime) -> list[CityNotice]:
    """The notices of a city that are valid, the worst first.

    A process reads the notices of all cities by one statement, and keeps them for `MOST_AGE`. So most POSTs and
    pages cost no statement. While the database is dead, the notices that were read last are shown.
    """
    process = platform.process
    kept = process.lagging_notices if platform.is_lagging else process.notices
    if _is_old(kept, now):
        _read_again(platform, kept, now)
    found = kept.by_city.get(city.id, ())
    return [one for one in found if one.state(now) is NoticeState.CURRENT]


def notices_about(
    found: Iterable[CityNotice],
    city: Jurisdiction,
    *,
    service_code: str,
    point: tuple[float, float] | None,
) -> list[CityNotice]:
    """Those of the notices that are about a service and a (long, lat) point.

    A notice about a part of the city is not about a request without a point.
    """
    return [one for one in found if _names(one, service_code) and lies_in(one, city, point)]


def lies_in(notice: CityNotice, city: Jurisdiction, point: tuple[float, float] | None) -> bool:
    """Whether a notice is about a point. A notice about an area that the city gave up is about no point."""
    if notice.is_about_whole_city:
        return True
    if point is None:
        return False
    if notice.area:
        return notice.area in city.areas and city.in_area(notice.area, point)
    return bool(intersects_xy(notice.shape, *point))


def _names(notice: CityNotice, service_code: str) -> bool:
    return not notice.service_codes or service_code in notice.service_codes


def _is_old(kept: KeptNotices, now: datetime) -> bool:
    read_at = kept.read_at
    return read_at is None or abs(now - read_at) > MOST_AGE


def _read_again(platform: Platform, kept: KeptNotices, now: datetime) -> None:
    """Read all open notices.

    If another thread is reading them, wait only if nothing has been read yet, or if this process changed a notice.
    """
    if not kept.lock.acquire(blocking=kept.read_at is None):
        return
    try:
        if _is_old(kept, now):
            kept.by_city = _by_city(platform, now)
    except Unavailable:
        log.warning("notices could not be read")
    finally:
        kept.read_at = now
        kept.lock.release()


def _by_city(platform: Platform, now: datetime) -> dict[str, Sequence[CityNotice]]:
    with platform.database.reading() as connection:
        found = city_notices.open_ones(connection, now)
    return {id: in_order(notices) for id, notices in groupby(found, key=lambda one: one.jurisdiction_id)}
