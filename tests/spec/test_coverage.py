"""Every requirement has a check or a reason, and the table of coverage is up to date."""

from __future__ import annotations

from collections import Counter

from spec import coverage
from spec.conformance.checks import all_checks
from spec.conformance.exemptions import EXEMPTIONS
from spec.requirements import Level, families, requirements


def test_every_requirement_has_a_check_or_a_stated_reason() -> None:
    assert coverage.unproved() == [], "write a check in spec/conformance/checks, or a reason into exemptions.py"
    assert not set(EXEMPTIONS) & set(coverage.checks_by_number())


def test_every_check_has_a_known_requirement_and_no_requirement_has_two_checks() -> None:
    numbers = Counter(number for check in all_checks() for number in check.numbers)
    assert set(numbers) <= set(requirements())
    assert [number for number, times in numbers.items() if times > 1] == []


def test_the_table_is_up_to_date() -> None:
    assert coverage.TARGET.read_text(encoding="utf-8") == coverage.table(), "run python -m spec.coverage"


def test_the_requirements_are_c001_to_c305_with_their_levels() -> None:
    standard = [f"C{number:03}" for number in range(1, 306)]
    assert [number for number in requirements() if number[0] == "C"] == standard
    levels = Counter(requirements()[number].level for number in standard)
    assert levels == {Level.MUST: 106, Level.SHOULD: 153, Level.MAY: 46}


def test_rules_of_extensions_are_numbered_without_gaps_and_have_the_level_may() -> None:
    rules = {number: rule for number, rule in requirements().items() if number[0] != "C"}
    letters = list(dict.fromkeys(number.rstrip("0123456789") for number in rules))
    for letter in letters:
        found = [number for number in rules if number.rstrip("0123456789") == letter]
        expected = [f"{letter}{place}" for place in range(1, len(found) + 1)]
        assert found == expected, f"the rules {letter} of spec/extensions.md have a gap"
    assert {rule.level for rule in rules.values()} == {Level.MAY}
    assert len(families()) == 19 + len(letters) - 1, "request updates are in both parts, under one name"
