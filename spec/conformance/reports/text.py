"""A report for the terminal: all requirements, the failed checks, the skipped checks, and the verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from spec.conformance.report import Finding, Outcome, Report, count
from spec.conformance.reports.verdict import by_reason, manner, plain, verdict
from spec.requirements import Level, families

_WIDTH = 100
_MARKS = {Outcome.PASSED: "passed", Outcome.FAILED: "FAILED", Outcome.SKIPPED: "-"}


def as_text(report: Report) -> str:
    lines = [
        *_head(report),
        *_table(report),
        *_failed(report),
        *_skipped(report),
        *_totals(report),
        "",
        verdict(report),
    ]
    return "\n".join(lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"GeoReport v2 conformance of {report.base_url}"
    if report.jurisdiction_id:
        yield f"jurisdiction  {report.jurisdiction_id}"
    yield f"software      {report.dialect}"
    formats = " and ".join(format.upper() for format in report.formats)
    yield f"formats       {formats}; {report.services} services"
    yield f"run           {manner(report)}"


def _table(report: Report) -> Iterator[str]:
    for family in families():
        findings = report.of_family(family)
        if findings:
            yield ""
            yield f"{family} ({_tally(findings)})"
            for finding in findings:
                yield from _row(finding)


def _row(finding: Finding) -> Iterator[str]:
    requirement = finding.requirement
    start = f"  {requirement.number:<4}  {requirement.level.name:<6}  {_MARKS[finding.outcome]:<6}  "
    indent = " " * len(start)
    yield from textwrap.wrap(
        plain(requirement.text), _WIDTH, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False
    )


def _tally(findings: list[Finding]) -> str:
    tally = count(findings)
    return ", ".join(f"{tally[outcome]} {outcome.value}" for outcome in Outcome if tally[outcome])


def _failed(report: Report) -> Iterator[str]:
    failed = report.with_outcome(Outcome.FAILED)
    if failed:
        yield ""
        yield "Failed"
    for finding in failed:
        requirement = finding.requirement
        yield f"  {requirement.number:<4}  {requirement.level.name}  {plain(requirement.text)}"
        yield f"        call      {finding.request}"
        yield f"        expected  {finding.expected}"
        yield f"        received  {finding.received}"


def _skipped(report: Report) -> Iterator[str]:
    groups = by_reason(report.with_outcome(Outcome.SKIPPED))
    if groups:
        yield ""
        yield "Skipped"
    for reason, findings in groups.items():
        numbers = " ".join(finding.requirement.number for finding in findings)
        yield from textwrap.wrap(f"{reason}: {numbers}", _WIDTH, initial_indent="  ", subsequent_indent="      ")


def _totals(report: Report) -> Iterator[str]:
    yield ""
    yield f"{'':8}{'passed':>8}{'failed':>8}{'skipped':>8}"
    for level in Level:
        tally = count(report.findings, level)
        yield f"{level.name:8}" + "".join(f"{tally[outcome]:>8}" for outcome in Outcome)
