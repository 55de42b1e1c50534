"""Makes the requests that the cities have before the suite runs: requests of every age and kind."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, text

from open311.clock import utc_now
from open311.domain.requests import Receipt, Status, Visibility
from open311.formats.reading import open_source
from open311.jobs.dispatching import dispatch_all
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import Position, write_position
from open311.operations.statistics.counting import recount
from open311.operations.statistics.forecasting import make_forecasts
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.upkeep.dumps import make_dump
from open311.operations.upkeep.republish import republish, restart_edition
from open311.plugins import Jurisdiction, Service, ServiceType
from open311.settings import Settings
from open311.storage.tables import metadata
from schemas.values import format_instant
from spec.conformance.preparation import Closing, Form, Member, Offers, Point, Preparation, Retired
from tests import build
from tests.conformance.connected_city import PENDING_DESCRIPTION
from tests.working import work

PLACE = Point(60.1718, 24.9414)
"""A point inside Demoville."""
OUTSIDE = Point(60.6, 26.5)
CROWD = 1_010
FUTURE_TRANSACTION = 2**60
"""A transaction id that no database has reached."""


@dataclass(frozen=True)
class Past:
    """Writes the requests of Demoville; `now` is the instant at which the suite starts."""

    platform: Platform
    now: datetime

    @property
    def city(self) -> Jurisdiction:
        """The only city."""
        (found,) = self.platform.registry
        return found

    def ago(self, days: float) -> datetime:
        """The instant `days` before the suite starts."""
        return self.now - timedelta(days=days)

    def make_requests(self) -> Preparation:
        """Make all requests; returns the facts that the checks need."""
        done, waiting = self._tokens()
        self._import()
        self._dump(days=1)
        closed, commented = self._staff()
        self._dump(days=0)
        dispatch_all(self.platform)  # this counts the requests for the statistics
        make_forecasts(self.platform, self.city, self.now)
        return Preparation(
            notice_service="potholes",
            offers=Offers(
                *("confidential", "inspection", "phone-box", "graffiti-2019", "graffiti"),
                answers=(("attribute[MATERIAL]", "stone"),),
            ),
            form=Form("signs", "FAULT", "bent", "other", "OTHER", "MAKER"),
            retired=Retired("old-code", "Old name", "R7"),
            point=PLACE,
            outside_point=OUTSIDE,
            open_request="R1",
            closed_request="R2",
            old_request="R3",
            ancient_request="R4",
            in_progress_request="R10",
            closing=Closing("R2", closed),
            commented_closing=Closing("R5", commented),
            private_request="R8",
            zipcode_request="R1",
            pointless_request="R6",
            odd_request_id="R/9 ü",
            late_update="R3",
            resolved_token=done.token,
            pending_token=waiting.token,
            future_cursor=write_position(self.city.id, Position(FUTURE_TRANSACTION, 1)),
        )

    def _tokens(self) -> tuple[Receipt, Receipt]:
        """Make two batch requests. The worker has resolved the first, and the second is pending."""
        key = build.api_key(self.platform)
        receipts = [
            build.submit(self.platform, key=key, now=self.ago(days), service_code="trees", description=description)
            for days, description in ((8, "A branch hangs low."), (7, PENDING_DESCRIPTION))
        ]
        work(self.platform)
        return receipts[0], receipts[1]

    def _import(self) -> None:
        rows = [
            self._row(1, "R1", "potholes", 10, description="Deep hole, near the station", zipcode="02134"),
            self._row(2, "R2", "graffiti", 20),
            self._row(3, "R3", "potholes", 120),
            self._row(4, "R4", "potholes", 320, status="closed", closed_datetime=format_instant(self.ago(300))),
            self._row(5, "R5", "001", 30),
            self._row(6, "R6", "potholes", 40, address="5 Mill Lane", lat="", long=""),
            self._row(7, "R7", "old-code", 50, service_name="Old name", lat="60.13"),
            self._row(8, "R8", "potholes", 5),
            self._row(9, "R/9 ü", "potholes", 60, media_url="https://media.city.example/9.jpg"),
            self._row(10, "R10", "v1.2", 12),
        ]
        order = Import(jurisdiction=self.city, origin="past.json", now=self.now)
        with Processes(self.platform, 1) as alone:
            batches = list(alone.import_source(open_source(io.BytesIO(json.dumps(rows).encode())), order))
        assert sum(batch.tally.new for batch in batches) == len(rows)

    def _row(
        self, number: int, service_request_id: str, service_code: str, days: float, **more: str
    ) -> dict[str, str]:
        """A request with GeoReport's field names; its place depends on its `number`."""
        return {
            "service_request_id": service_request_id,
            "service_code": service_code,
            "status": "open",
            "requested_datetime": format_instant(self.ago(days)),
            "lat": f"{PLACE.lat + number / 10_000:.4f}",
            "long": str(PLACE.long),
        } | more

    def _staff(self) -> tuple[str, str]:
        """Make the staff's updates; returns the closing times of R2 and R5 as the server writes them."""
        closed, commented = self.ago(11), self.ago(25)
        self._change("R2", closed, status=Status.CLOSED, note="Painted over.")
        self._change("R3", self.ago(1), note="A crew will come.")
        self._change("R5", commented, status=Status.CLOSED)
        self._change("R5", self.ago(2), note="The bin was full again.")
        self._change("R8", self.ago(4), visibility=Visibility.PRIVATE)
        self._change("R10", self.ago(6), department="streets", expected_at=self.ago(-3), note="A crew is out.")
        return format_instant(closed), format_instant(commented)

    def _dump(self, days: int) -> None:
        """Make the daily dump of a day, as a worker does."""
        assert make_dump(self.platform, self.city, self.ago(days))

    def _change(self, service_request_id: str, at: datetime, **change: Any) -> None:
        build.change(self.platform, service_request_id, **change, now=at, city=self.city)


def age(platform: Platform, seconds: float) -> None:
    """Let time pass for the server: move all stored instants back by `seconds`, then run the clean-up.

    A test cannot change the clock of a running process. Moving its stored instants back has the same effect.
    """
    with platform.database.transaction() as connection:
        for table in metadata.sorted_tables:
            times = [column.name for column in table.columns if isinstance(column.type, DateTime)]
            if times:
                moves = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in times)
                connection.execute(text(f"UPDATE {table.name} SET {moves}"), {"seconds": seconds})
    (city,) = platform.registry
    restart_edition(platform, city.id, utc_now())
    republish(platform, city.id, utc_now())
    recount(platform, city, utc_now())
    clean_up(platform, utc_now())


def small_city(name: str, **changes: Any) -> Jurisdiction:
    """One of several cities; it has no service code in common with another city."""
    services = (
        Service(code=f"potholes-{name}", name=f"Potholes of {name}", department="streets"),
        Service(code=f"trees-{name}", name=f"Trees of {name}", department="parks", type=ServiceType.BATCH),
    )
    return build.city(**{"id": f"{name}.example", "name": name.title(), "services": services} | changes)


def member(settings: Settings, city: Jurisdiction, api_key: str) -> Member:
    """A small city with one request and one token."""
    platform = build.platform(settings, city)
    potholes, trees = city.services
    now = utc_now()
    request = build.submit(platform, service_code=potholes.code, now=now)
    token = build.submit(platform, service_code=trees.code, now=now)
    platform.close()
    return Member(city.id, potholes.code, request.service_request_id, token.token, PLACE, api_key)


def crowd(settings: Settings, city: Jurisdiction, now: datetime) -> None:
    """Store more requests than a list may have."""
    platform = build.platform(settings, city)
    build.store_all(platform, _crowd(city, now))
    platform.close()


def _crowd(city: Jurisdiction, now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(1, CROWD + 1):
        at = now - timedelta(days=3, seconds=number)
        yield {"number": number, "service_code": city.services[0].code, "at": at}
