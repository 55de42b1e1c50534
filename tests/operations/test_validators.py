"""Equal searches share one validator for a second, and a change is visible in the validator at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random

import pytest

from open311.domain.requests import Status
from open311.domain.search import Circle, RequestSearch, Sort, Window
from open311.formats import JSON
from open311.operations.platform import Platform, open_platform
from open311.operations.reading.find_requests import find_requests, find_validator
from open311.settings import Settings
from tests import build
from tests.conftest import CITY
from tests.storage.test_plans import plans
from tests.waiting import until

WHOLE = RequestSearch(jurisdiction_id=CITY)
QUARTER = replace(WHOLE, requested=Window(build.NOON - timedelta(days=90)))
SEARCHES = [
    WHOLE,
    replace(WHOLE, statuses=(Status.OPEN,)),
    replace(WHOLE, service_codes=("potholes",), page_size=3),
    replace(WHOLE, words="lamp"),
    replace(WHOLE, near=Circle(24.9, 60.2, 30_000.0)),
    replace(QUARTER, sort=Sort.UPDATED_DESC),
]


def count_digests(platform: Platform) -> int:
    """The number of times that this thread's connection has computed the digest of a page."""
    return sum(sum(runs) for text, runs in plans(platform).items() if "bit_xor" in text)


def test_equal_searches_in_one_second_share_a_validator(platform: Platform) -> None:
    build.store(platform)
    seconds = (build.NOON + timedelta(seconds=passed) for passed in count())

    def is_shared() -> bool:
        """Whether five equal searches computed one digest.

        This can be false at first: while another test has an open transaction in any database, each validator is
        computed anew. So the test calls it until it is true.
        """
        now, before = next(seconds), count_digests(platform)
        validators = {find_validator(platform, QUARTER, now) for _ in range(5)}
        assert validators == {find_requests(platform, QUARTER, JSON).validator}
        return count_digests(platform) == before + 1

    until(is_shared, "equal searches to share a validator")


def test_the_validator_is_computed_again_in_the_next_second(platform: Platform) -> None:
    build.store(platform)
    before = count_digests(platform)
    for passed in range(5):
        find_validator(platform, QUARTER, build.NOON + timedelta(seconds=passed))
    assert count_digests(platform) == before + 5


@pytest.mark.parametrize("search", SEARCHES, ids=range(len(SEARCHES)))
def test_the_validator_matches_the_page_after_each_change(platform: Platform, search: RequestSearch) -> None:
    random = Random(3)
    for number in range(1, 30):
        if number < 6 or random.random() < 0.3:
            service_code, words = random.choice(["potholes", "graffiti"]), random.choice(["a lamp", "a hole"])
            build.store(platform, number=number, service_code=service_code, description=words)
        else:
            changed = f"R{random.randint(1, 5)}"
            status, later = random.choice(list(Status)), build.NOON + timedelta(hours=1)
            build.change(platform, changed, status=status, note=f"Note {number}.", now=later)
        for _ in range(2):
            validator = find_validator(platform, search, build.NOON)
            assert validator == find_requests(platform, search, JSON).validator


def test_a_change_of_an_older_transaction_that_commits_later_is_seen(
    platform: Platform, settings: Settings
) -> None:
    """The transaction id of this change is lower than the id of a change that was already seen."""
    build.store_all(platform, ({"number": number} for number in (1, 2)))
    (jurisdiction,) = platform.registry
    other = open_platform(settings)
    try:
        with other.database.transaction() as slow:
            slow.exec_driver_sql("UPDATE publication SET digest = 1, written_by = DEFAULT WHERE id = 1")
            build.change(platform, "R2", note="Seen.", now=build.NOON, city=jurisdiction)
            between = find_validator(platform, WHOLE, build.NOON)
            assert between == find_requests(platform, WHOLE, JSON).validator
        after = find_validator(platform, WHOLE, build.NOON)
        assert after == find_requests(platform, WHOLE, JSON).validator != between
    finally:
        other.database.close()


def test_a_change_that_is_not_shown_changes_the_validator_of_searches_by_last_change(platform: Platform) -> None:
    """A closed request shows its closing time, but searches use the time of its last change."""
    build.store(platform, number=1)
    search = replace(WHOLE, changed=Window(build.NOON + timedelta(hours=1)))
    before = find_validator(platform, search, build.NOON)
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE publication SET changed_at = changed_at + interval '2 hours'")
    after = find_validator(platform, search, build.NOON)
    assert after == find_requests(platform, search, JSON).validator != before


def test_a_change_is_seen_even_if_other_rows_have_higher_transaction_ids(platform: Platform) -> None:
    """The ids of these rows are higher than all ids of this server, so no change would be newer than these rows."""
    build.store_all(platform, ({"number": number} for number in (1, 2)))
    (jurisdiction,) = platform.registry
    with platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE publication SET written_by = '9000000000' WHERE id = 1")
    before = find_validator(platform, WHOLE, build.NOON)
    build.change(platform, "R2", note="Seen.", now=build.NOON, city=jurisdiction)
    after = find_validator(platform, WHOLE, build.NOON)
    assert after == find_requests(platform, WHOLE, JSON).validator != before
