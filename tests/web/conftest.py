"""Fixtures of the tests of web pages and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time

import pytest

from open311.domain.outlooks import Outlooks
from open311.domain.services import Service
from open311.operations.platform import Platform
from open311.operations.statistics.forecasting import make_forecasts
from open311.settings import Settings
from open311.storage import forecasts
from tests import build
from tests.conftest import SWEEP
from tests.forecasting.towns import TODAY, fill, history

Foresee = Callable[..., None]


@pytest.fixture(scope="session")
def outlooks(make_database: Callable[[str], str]) -> Iterator[Callable[[float], Outlooks]]:
    """Returns the forecasts of a town whose `history` has `level` requests a month.

    They are made once for each level and kept, because making them takes seconds.
    """
    services = (Service(code="potholes", name="Pothole"), Service(code="trees", name="Tree"))
    city = build.city(services=services)
    platform = build.platform(Settings(database_url=make_database("outlooks")), city)
    made: dict[float, Outlooks] = {}

    def outlooks_of(level: float) -> Outlooks:
        if level not in made:
            with platform.database.transaction() as connection:
                connection.exec_driver_sql(SWEEP)
            fill(platform, history(level=level))
            made[level] = make_forecasts(platform, city, datetime.combine(TODAY, time(12), UTC))
        return made[level]

    yield outlooks_of
    platform.close()


@pytest.fixture
def foresee(outlooks: Callable[[float], Outlooks]) -> Foresee:
    """Stores forecasts of the only city, as the daily job does: for 45 requests a month, or for another `level`."""

    def store(platform: Platform, level: float = 45) -> None:
        (city,) = platform.registry
        with platform.database.transaction() as connection:
            forecasts.save(connection, city.id, outlooks(level))

    return store
