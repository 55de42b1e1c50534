"""Fixtures of tests with several towns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.federated.towns import Open, TownDatabases, opened


@pytest.fixture(scope="session")
def town_databases(make_database: Callable[[str], str]) -> Iterator[TownDatabases]:
    """Databases that the towns of all tests share, because making a database takes longer than most tests."""
    with closing(TownDatabases(make_database)) as found:
        yield found


@pytest.fixture
def open_town(town_databases: TownDatabases, unpaced: None) -> Iterator[Open]:
    """Opens towns: open_town("a")."""
    with opened(town_databases) as made:
        yield made
