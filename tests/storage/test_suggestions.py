"""The counts of how often suggested services are chosen."""

from __future__ import annotations

from open311.operations.platform import Platform
from open311.storage import suggestions
from open311.storage.suggestions import Outcome


def test_outcomes_are_added_up_for_each_city(platform: Platform) -> None:
    with platform.database.transaction() as connection:
        for _ in range(2):
            suggestions.add(connection, "a", [Outcome("x", 2, False), Outcome("y", 1, True), Outcome("y", 1, True)])
        suggestions.add(connection, "b", [Outcome("x", 2, True)])
        suggestions.add(connection, "b", [])
        assert suggestions.counts(connection, "a") == {Outcome("x", 2, False): 2, Outcome("y", 1, True): 2}
        assert suggestions.counts(connection, "b") == {Outcome("x", 2, True): 1}
