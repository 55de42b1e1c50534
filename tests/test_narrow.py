"""The page of plans with many narrow rows says which plans do not grow well."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.benchmarks.explain import Plan
from tests.benchmarks.narrow import Narrow, page_of

AT = datetime(2026, 12, 1, tzinfo=UTC)
GOOD = Plan("open", "", 2.0, 51, 60, ("Index Scan publication_open_idx",))
LINEAR = Plan("words", "", 9.0, 51, 60, ("Index Scan publication_newest_idx",))
STEEP = Plan("group", "", 9.0, 51, 60, ("Index Scan publication_newest_idx",))


def _page(*, whole: bool) -> str:
    path = ("Seq Scan publication",) if whole else ("Sort", "Index Scan publication_service_idx")
    more = [
        Plan("open", "", 2.5, 51, 61, GOOD.path),
        Plan("words", "", 17.0, 51, 120, LINEAR.path),
        Plan("group", "", 40.0, 51, 500, path),
    ]
    found = [
        Narrow(100_000, [GOOD, LINEAR, STEEP], {"the table": 63_000_000}, 60.0),
        Narrow(200_000, more, {"the table": 126_000_000}, 120.0),
    ]
    return "\n".join(page_of(found, AT, "PostgreSQL 15"))


def test_the_page_has_each_query_with_each_number_of_rows_slowest_first() -> None:
    page = _page(whole=False)
    rows = [line for line in page.splitlines() if line.count("|") == 7]
    assert [row.split(" | ")[0] for row in rows[-3:]] == ["| group", "| words", "| open"]
    assert "| group | 9.00 | 40.00 | 51 | 500 | Sort ← Index Scan publication_service_idx |" in rows
    assert "| the table | 63 | 126 |" in page


def test_the_page_names_plans_that_grow_faster_than_the_rows_and_plans_that_change() -> None:
    page = _page(whole=False)
    assert "1 take more than 2 times as long with 2 times as many rows: *group*." in page
    assert "PostgreSQL chooses another plan for 1 queries: *group*." in page
    assert "| group | 9.00 | 60 | Index Scan publication_newest_idx |" in page


def test_a_plan_that_reads_the_whole_table_misses_the_goal() -> None:
    wanted = "| plans that read the whole table, 200,000 narrow rows | ≤ 0 |"
    assert f"{wanted} 0 | reached |" in _page(whole=False)
    assert f"{wanted} 1 | **missed** |" in _page(whole=True)
