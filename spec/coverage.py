"""The table of requirements and checks in spec/coverage.md, which `python -m spec.coverage` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spec.conformance.checks import all_checks
from spec.conformance.exemptions import EXEMPTIONS
from spec.conformance.preparation import NEEDS
from spec.conformance.registry import Check
from spec.requirements import Requirement, families, requirements

TARGET = Path(__file__).parent / "coverage.md"


def checks_by_number() -> dict[str, Check]:
    return {number: check for check in all_checks() for number in check.numbers}


def unproved() -> list[str]:
    """Requirements with neither a check nor a stated reason; there must be none."""
    known = checks_by_number()
    return [number for number in requirements() if number not in known and number not in EXEMPTIONS]


def table() -> str:
    """The text of spec/coverage.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    known = checks_by_number()
    yield "# Coverage"
    yield ""
    yield "Which check of `spec/conformance/checks/` proves which requirement of `georeport-v2.md` or rule of"
    yield "`extensions.md`. Written by `python -m spec.coverage`; do not edit. *Sends* means that the check sends"
    yield "requests, so it runs only with `--write`. *Needs* names a need of the check; see the last section."
    for family in families():
        yield ""
        yield f"## {family}"
        yield ""
        yield "| Number | Level | Check | Runs |"
        yield "|---|---|---|---|"
        for requirement in requirements().values():
            if requirement.family == family:
                yield _row(requirement, known.get(requirement.number))
    yield from _needs()


def _row(requirement: Requirement, check: Check | None) -> str:
    if check is None:
        reason = EXEMPTIONS.get(requirement.number, "**nothing**")
        return f"| {requirement.number} | {requirement.level.name} | - | {reason} |"
    return f"| {requirement.number} | {requirement.level.name} | `{check.name}` | {_condition(check)} |"


def _condition(check: Check) -> str:
    needs = [f"needs `{need}`" for need in check.needs]
    return (
        ", ".join([*(["sends"] if check.writes else []), *needs, *(["last"] if check.disturbs else [])]) or "always"
    )


def _needs() -> Iterator[str]:
    yield ""
    yield "## Needs"
    yield ""
    yield "Fields of `spec.conformance.preparation.Preparation`. The survey at the start of a run finds some of"
    yield "these needs in the server's answers. The person who prepares the server gives the others."
    yield ""
    yield "| Need | Meaning |"
    yield "|---|---|"
    for name, meaning in NEEDS.items():
        yield f"| `{name}` | {meaning} |"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
