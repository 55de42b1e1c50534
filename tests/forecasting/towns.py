"""A town with years of requests, stored as counting stores them, but by one statement for each table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from open311.operations.platform import Platform
from open311.storage import counted_requests
from open311.storage.copying import insert_rows
from open311.storage.cuts import Counted
from open311.storage.tables import counted_request
from tests import build
from tests.forecasting.series import seasonal

YEARS = 7
TODAY = date(2026, 3, 20)
AREAS = ("Harbour", "Hill")


def counted(
    random: Random, number: int, day: date, service_code: str, area: str, *, today: date = TODAY, place: int = 0
) -> Counted:
    """A request; most are closed within some days, a few stay open."""
    days = random.choice((1, 2, 3, 5, 8, 13))
    is_closed = day + timedelta(days=days) < today and random.random() < 0.95
    return Counted(
        id=number,
        requested_on=day,
        closed_on=day + timedelta(days=days) if is_closed else None,
        hours=24 * days - 1 if is_closed else None,
        due_at=None,
        place=place,
        is_quick=False,
        is_on_time=None,
        jurisdiction_id="test.example",
        service_code=service_code,
        department="streets",
        area=area,
        target="none",
        supporters=0,
        feedback="none",
    )


def history(*, seed: int = 1, level: float = 45, without: tuple[tuple[date, date], ...] = ()) -> Iterator[Counted]:
    """Seven years of two services in two areas, with a season, until yesterday."""
    random, number = Random(seed), 0
    first = date(TODAY.year - YEARS, 1, 1)
    for place, (service_code, area) in enumerate((code, area) for code in ("potholes", "trees") for area in AREAS):
        months = list(seasonal(seed + place, months=12 * YEARS + 3, level=level).values())
        day = first
        while day < TODAY:
            month = (day.year - first.year) * 12 + day.month - 1
            share = months[month] / 30
            for _ in range(int(share) + (random.random() < share % 1)):
                if not any(begin <= day <= end for begin, end in without):
                    number += 1
                    yield counted(random, number, day, service_code, area)
            day += timedelta(days=1)


def fill(platform: Platform, rows: Iterator[Counted] | list[Counted]) -> list[Counted]:
    """Store the counts of these requests of one city, as after the daily check of the statistics."""
    found = list(rows)
    city = found[0].jurisdiction_id
    with platform.database.transaction() as connection:
        values = [counted_requests._values(row) for row in found]
        insert_rows(connection, counted_request, values)
    with platform.database.snapshot() as connection:
        wrong = counted_requests.find_wrong_sums(connection, city)
    with platform.database.transaction() as connection:
        counted_requests.add_sums(connection, wrong)
        counted_requests.save_check(connection, city, counted_requests.Check(0, build.NOON))
    return found
