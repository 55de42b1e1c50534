"""The sentences that all formats of a report share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from spec.conformance.report import Finding, Outcome, Report, count
from spec.requirements import Level


def verdict(report: Report) -> str:
    """The whole run in one sentence."""
    tally = count(report.findings, Level.MUST)
    failed, passed = tally[Outcome.FAILED], tally[Outcome.PASSED]
    if failed:
        return (
            f"Does not conform: {failed} of the {failed + passed} MUST requirements that could be checked failed."
        )
    if not passed:
        return "Undecided: no MUST requirement could be checked."
    return f"Conforms: all {passed} MUST requirements that could be checked passed."


def manner(report: Report) -> str:
    """The number of calls, whether the run wrote, and its time."""
    how = "reading and sending requests" if report.wrote else "reading only"
    return f"{report.requests_sent} calls, {how}, {report.started_at:%Y-%m-%d %H:%M} UTC"


def plain(text: str) -> str:
    """A requirement's text without its Markdown."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def by_reason(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Skipped findings by the reason for skipping, the most frequent reason first."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.reason].append(finding)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))
