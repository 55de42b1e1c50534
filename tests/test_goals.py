"""The table of all goals of the benchmarks is made from the pages of runs."""

from __future__ import annotations

from tests.benchmarks.standing import NOT_MEASURED, PAGE, WHY, measured_goals, page_of, standings


def test_the_table_has_the_newest_figures_of_the_pages() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(standings()), "run: python -m tests.benchmarks.standing"


def test_the_table_has_each_goal_as_the_benchmark_measures_it() -> None:
    found = {one.goal: one for one in standings()}
    for goal, wanted in measured_goals():
        assert found[goal].wanted == wanted, goal
        assert found[goal].verdict != NOT_MEASURED, goal


def test_each_missed_goal_has_a_reason_and_no_other_goal_has_one() -> None:
    assert {one.goal for one in standings() if one.is_missed} == set(WHY)
