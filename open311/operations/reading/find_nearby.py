"""Earlier requests of one service near a point. A client can ask for them before it sends a POST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from open311.domain.requests import RequestRecord, Visibility
from open311.domain.search import Circle
from open311.domain.services import Service, ServiceType, Vicinity
from open311.formats import Format
from open311.operations.platform import Platform
from open311.operations.reading.find_requests import Page, page_of
from open311.plugins import Jurisdiction
from open311.storage.hot import nearby
from open311.storage.hot.items import Items
from open311.storage.hot.nearby import Around

MAX_NEARBY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NearbySearch:
    """A search for earlier requests: a service, a (long, lat) point in degrees, a radius and a number of days."""

    jurisdiction: Jurisdiction
    service: Service
    long: float
    lat: float
    vicinity: Vicinity

    def around(self, now: datetime) -> Around:
        """The search as the storage package needs it."""
        return Around(
            jurisdiction_id=self.jurisdiction.id,
            service_code=self.service.code,
            circle=Circle(self.long, self.lat, self.vicinity.radius_m),
            since=now - timedelta(days=self.vicinity.days),
        )


def find_nearby(
    platform: Platform, search: NearbySearch, output: Format, extras: Sequence[str] = (), *, now: datetime
) -> Page:
    """Requests within the radius, the nearest first.

    An open request must have been made, and a closed request must have been closed, within the days of the search.
    """
    if search.vicinity.radius_m == 0:
        return page_of(Items(), output, extras)
    found = nearby.find_nearby(
        platform.database.hot, search.around(now), output, rows=MAX_NEARBY, with_extras=bool(extras)
    )
    return page_of(found, output, extras)


def find_possible_duplicate(
    platform: Platform, jurisdiction: Jurisdiction, service: Service, record: RequestRecord
) -> str:
    """The id of the earliest open request that a new request may repeat; "" if there is none.

    If that one was merged into another request, the new request names the other one. This needs one or two indexed
    queries before the new request is stored. Two requests that are sent at the same moment do not find each other.
    """
    vicinity, point = jurisdiction.vicinity(service), record.place.point
    is_shown = record.visibility is Visibility.PUBLIC and service.type is not ServiceType.BLACKBOX
    if point is None or vicinity.radius_m == 0 or not is_shown:
        return ""
    search = NearbySearch(
        jurisdiction=jurisdiction, service=service, long=point[0], lat=point[1], vicinity=vicinity
    )
    hot = platform.database.hot
    found = nearby.find_earliest_open(hot, search.around(record.requested_at))
    return nearby.leading(hot, jurisdiction.id, found) if found else ""
