"""A report in JSON, for programs."""

from __future__ import annotations

import json
from typing import Any

from spec.conformance.report import Finding, Outcome, Report, count
from spec.requirements import Level


def as_json(report: Report) -> str:
    document = {
        "base_url": report.base_url,
        "jurisdiction_id": report.jurisdiction_id or None,
        "software": report.dialect.name or None,
        "evidence": list(report.dialect.evidence),
        "formats": list(report.formats),
        "services": report.services,
        "wrote": report.wrote,
        "started_at": report.started_at.isoformat(timespec="seconds"),
        "requests_sent": report.requests_sent,
        "conforms": report.conforms,
        "totals": {level.name.lower(): _totals(report, level) for level in Level},
        "requirements": [_requirement(finding) for finding in report.findings],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _totals(report: Report, level: Level) -> dict[str, int]:
    tally = count(report.findings, level)
    return {outcome.value: tally[outcome] for outcome in Outcome}


def _requirement(finding: Finding) -> dict[str, Any]:
    requirement = finding.requirement
    complete = {
        "number": requirement.number,
        "level": requirement.level.name,
        "family": requirement.family,
        "text": requirement.text,
        "source": requirement.source,
        "outcome": finding.outcome.value,
        "check": finding.check,
        "reason": finding.reason,
        "request": finding.request,
        "expected": finding.expected,
        "came": finding.received,
        "seconds": round(finding.seconds, 3),
    }
    return {name: value for name, value in complete.items() if value != ""}
