"""The report of a run, with one finding for each requirement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from spec.conformance.dialects import Dialect
from spec.requirements import Level, Requirement


class Outcome(Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome for one requirement.

    reason    why the check was skipped
    request   the failed call
    expected  the answer that the requirement demands
    received  the answer that the server gave instead
    check     the name of the check, `module.function`
    """

    requirement: Requirement
    outcome: Outcome
    check: str = ""
    reason: str = ""
    request: str = ""
    expected: str = ""
    received: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run against `base_url`."""

    base_url: str
    jurisdiction_id: str
    dialect: Dialect
    formats: tuple[str, ...]
    services: int
    wrote: bool
    started_at: datetime
    requests_sent: int
    findings: tuple[Finding, ...]

    @property
    def conforms(self) -> bool:
        """Whether every MUST that was checked passed, and at least one was checked."""
        musts = [finding for finding in self.findings if finding.requirement.level is Level.MUST]
        ran = [finding.outcome for finding in musts if finding.outcome is not Outcome.SKIPPED]
        return bool(ran) and Outcome.FAILED not in ran

    def of_family(self, family: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.requirement.family == family]

    def with_outcome(self, outcome: Outcome) -> list[Finding]:
        return [finding for finding in self.findings if finding.outcome is outcome]


def count(findings: Sequence[Finding], level: Level | None = None) -> Counter[Outcome]:
    """The number of findings with each outcome, for one level or for all."""
    return Counter(finding.outcome for finding in findings if level is None or finding.requirement.level is level)
