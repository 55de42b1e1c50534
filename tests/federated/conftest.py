"""Fixtures of tests with several towns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.federated.towns import Open, opened


@pytest.fixture
def open_town(make_database: Callable[[str], str]) -> Iterator[Open]:
    """Opens towns: open_town("a")."""
    with opened(make_database) as made:
        yield made
