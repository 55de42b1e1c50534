"""Generates requests of New York: services, streets, hours and delays are distributed as in its open data."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from math import hypot
from random import Random

from shapely import Point

from open311.domain.attributes import Answer
from open311.domain.places import Place
from open311.domain.requests import RequestRecord, Status
from open311.domain.services import Service
from open311.plugins import Jurisdiction

# How many thousand requests of each of the most frequent kinds were sent in spring 2026, by NYC Open Data (311
# Service Requests, erm2-nwe9). Other kinds get a share by rank. The shares of the agencies: NYPD 48 %, HPD 16, DSNY
# 8, DOT 8, DEP 6, DPR 5, DOB 3.
THOUSANDS = {
    "Illegal Parking": 164.5,
    "Noise - Residential": 102.2,
    "Noise - Street/Sidewalk": 56.5,
    "Blocked Driveway": 47.4,
    "Street Condition": 38.2,
    "HEAT/HOT WATER": 33.8,
    "UNSANITARY CONDITION": 32.8,
    "Abandoned Vehicle": 20.6,
    "Dirty Condition": 20.0,
    "Water System": 20.0,
    "PLUMBING": 19.0,
    "Noise - Commercial": 17.8,
    "Damaged Tree": 17.0,
    "Noise": 16.5,
    "Illegal Dumping": 16.3,
    "Noise - Vehicle": 16.2,
    "PAINT/PLASTER": 15.9,
    "Missed Collection": 15.6,
    "DOOR/WINDOW": 12.3,
    "General Construction/Plumbing": 11.6,
    "Traffic Signal Condition": 11.6,
    "Rodent": 10.4,
    "GENERAL": 10.3,
    "WATER LEAK": 9.5,
    "Encampment": 9.4,
    "Street Light Condition": 8.8,
    "Sewer": 8.2,
    "ELECTRIC": 8.1,
    "FLOORING/STAIRS": 7.4,
    "Sidewalk Condition": 7.2,
    "Non-Emergency Police Matter": 6.4,
    "Elevator": 6.4,
}
REST_THOUSANDS = 6.0
"""The number for the most frequent kind that is not in the table. The n-th such kind has 1/n of this number."""
HOURS = [5, 4, 3, 2, 2, 2, 3, 4, 5, 5, 6, 6, 6, 5, 5, 5, 5, 5, 5, 6, 6, 7, 7, 6]
MEDIAN_HOURS_TO_CLOSE = {"NYPD": 1.5, "HPD": 147.0, "DOB": 122.0, "DOHMH": 295.0, "DPR": 113.0, "DOT": 51.0}
NEVER_CLOSED = 0.042
RESOLUTIONS = (
    "The Police Department responded to the complaint and took action to fix the condition.",
    "The Police Department responded to the complaint and with the information available observed no evidence of"
    " the violation at that time.",
    "The Police Department responded and upon arrival those responsible for the condition were gone.",
    "The following complaint conditions are still open. The Department may attempt to contact you to verify the"
    " correction of the condition or may conduct an inspection of your unit.",
    "The Department of Housing Preservation and Development inspected the following conditions. Violations were"
    " issued. Information about specific violations is available on its website.",
    "The Department of Sanitation investigated this complaint and found no condition at the location.",
    "The Department of Transportation inspected this complaint and repaired the problem.",
    "The Department of Environmental Protection investigated this complaint and shut the running hydrant.",
)
STREETS = 4_000
STREET_NAMES = ("BROADWAY", "ATLANTIC AVENUE", "GRAND CONCOURSE", "OCEAN PARKWAY", "QUEENS BOULEVARD", "HYLAN BLVD")
CENTRES = ((-73.98, 40.76), (-73.95, 40.68), (-73.90, 40.84), (-73.86, 40.74), (-73.97, 40.62), (-74.12, 40.59))
CITIES = ("NEW YORK", "BROOKLYN", "BRONX", "QUEENS", "BROOKLYN", "STATEN ISLAND")
PICTURE_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Street:
    """A straight piece of street with two ends, each (long, lat) in degrees."""

    name: str
    city: str
    zipcode: str
    start: tuple[float, float]
    end: tuple[float, float]


@cache
def streets(jurisdiction: Jurisdiction) -> tuple[Street, ...]:
    """Streets of 200 m to 3 km inside the boundary, denser near the boroughs' centres; the same in every run."""
    random = Random("streets")
    made: list[Street] = []
    while len(made) < STREETS:
        centre = random.randrange(len(CENTRES))
        long, lat = CENTRES[centre]
        start = (random.gauss(long, 0.045), random.gauss(lat, 0.04))
        east, north = random.choice([(0.87, 0.49), (-0.49, 0.87)])  # the two directions of the street grid
        metres = random.uniform(200, 3_000)
        end = (start[0] + east * metres / 84_300, start[1] + north * metres / 111_100)
        if jurisdiction.boundary is None or all(jurisdiction.boundary.contains(Point(p)) for p in (start, end)):
            number = len(made)
            name = STREET_NAMES[number] if number < len(STREET_NAMES) else f"{random.choice('EW')} {number} STREET"
            zipcode = str(10_001 + centre * 230 + number % 180)
            made.append(Street(name, CITIES[centre], zipcode, start, end))
    return tuple(made)


class Chronicle:
    """A part of the city's requests, in order of time. The same seed always gives the same part."""

    def __init__(self, jurisdiction: Jurisdiction, seed: int, now: datetime) -> None:
        self.jurisdiction = jurisdiction
        self.now = now
        self.random = Random(f"stretch {seed}")
        self.kinds = Kinds(jurisdiction)
        self.streets = streets(jurisdiction)
        lengths = [hypot(s.end[0] - s.start[0], s.end[1] - s.start[1]) for s in self.streets]
        # A street's weight is its length times a Zipf weight, so a few streets have most of the requests.
        self.street_weights = list(accumulate(size / (1 + rank % 400) for rank, size in enumerate(lengths)))

    def records(self, start: datetime, end: datetime, numbers: range) -> Iterator[RequestRecord]:
        """One request for each number, sent between two instants."""
        moments = sorted(self._moment(start, end) for _ in numbers)
        for number, requested_at in zip(numbers, moments, strict=True):
            yield self._record(number, requested_at)

    def _moment(self, start: datetime, end: datetime) -> datetime:
        """A random instant in whole seconds, with the distribution of calls over the day."""
        day = start + (end - start) * self.random.random()
        hour = self.random.choices(range(24), HOURS)[0]
        moment = day.replace(hour=hour, minute=self.random.randrange(60), second=self.random.randrange(60))
        if not start <= moment <= end:
            moment = day
        return moment.replace(microsecond=0)

    def _record(self, number: int, requested_at: datetime) -> RequestRecord:
        random, service = self.random, self.kinds.choose(self.random)
        hours = MEDIAN_HOURS_TO_CLOSE.get(service.department, 28.0) * random.lognormvariate(0.0, 1.1)
        closed_at = (requested_at + timedelta(hours=hours)).replace(microsecond=0)
        is_closed = closed_at < self.now and random.random() > NEVER_CLOSED
        changed_at = closed_at if is_closed else requested_at
        answers = tuple(
            Answer(attribute.code, (random.choice(attribute.values).key,))
            for attribute in service.attributes
            if attribute.values
        )
        return RequestRecord(
            jurisdiction_id=self.jurisdiction.id,
            number=number,
            service_request_id=self.jurisdiction.new_id(number, requested_at),
            service_code=service.code,
            status=Status.CLOSED if is_closed else Status.OPEN,
            status_notes=random.choice(RESOLUTIONS) if is_closed else "",
            description=answers[0].values[0] if answers else service.name,
            department=service.department,
            route_reason=f"table: {service.code}",
            service_notice=service.notice,
            requested_at=requested_at,
            updated_at=changed_at,
            changed_at=changed_at,
            expected_at=requested_at + timedelta(days=3) if random.random() < 0.3 else None,
            place=self._place(),
            media_urls=(f"https://media.example.com/{number}.jpg",) if random.random() < PICTURE_SHARE else (),
            answers=answers,
            source="import",
        )

    def _place(self) -> Place:
        """The place of a random house: a point a few metres from its street, with six decimals."""
        random = self.random
        index = bisect(self.street_weights, random.random() * self.street_weights[-1])
        street, share = self.streets[index], random.random()
        long = street.start[0] + (street.end[0] - street.start[0]) * share + random.gauss(0, 0.0001)
        lat = street.start[1] + (street.end[1] - street.start[1]) * share + random.gauss(0, 0.0001)
        address = f"{1 + int(share * 900)} {street.name}, {street.city}"
        return Place(lat=round(lat, 6), long=round(long, 6), address=address, zipcode=street.zipcode)


class Kinds:
    """The services of a jurisdiction, weighted by frequency."""

    def __init__(self, jurisdiction: Jurisdiction) -> None:
        ranked = sorted(jurisdiction.services, key=lambda service: -THOUSANDS.get(service.code, 0))
        known = len([service for service in ranked if service.code in THOUSANDS])
        self.services: list[Service] = ranked
        self.weights = list(
            accumulate(
                THOUSANDS.get(service.code) or REST_THOUSANDS / (rank - known + 1)
                for rank, service in enumerate(ranked)
            )
        )

    def choose(self, random: Random) -> Service:
        """A random service."""
        return self.services[bisect(self.weights, random.random() * self.weights[-1])]


def span(rows: int, now: datetime) -> tuple[datetime, datetime]:
    """The start and end of the time in which the requests were sent: five years, up to now.

    A small database covers less time, so that the default list of 90 days still fills a page.
    """
    end = now.astimezone(UTC).replace(microsecond=0)
    years = 5.0 if rows >= 100_000 else 5.0 * rows / 100_000
    return end - timedelta(days=365.25 * years), end
