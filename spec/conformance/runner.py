"""A run: survey the server, run every check that applies, and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from spec.conformance.answers import HIDDEN, DeviationError, UnmetNeedError
from spec.conformance.checks import all_checks
from spec.conformance.client import Client, UnreachableError
from spec.conformance.dialects import recognise
from spec.conformance.exemptions import EXEMPTIONS
from spec.conformance.preparation import NEEDS, Preparation
from spec.conformance.probe import Probe, Target
from spec.conformance.registry import Check
from spec.conformance.report import Finding, Outcome, Report
from spec.conformance.survey import survey_server
from spec.requirements import Level, Requirement, requirements

UNREADABLE = "the check could not read the answer"
Progress = Callable[[Finding], None]


def run(
    target: Target,
    prepared: Preparation | None = None,
    *,
    client: Client | None = None,
    level: Level = Level.MAY,
    only: Iterable[str] = (),
    now: datetime | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Check the server at `target`.

    prepared  what checks need and the survey cannot get from the server's answers
    level     the weakest level to check
    only      the numbers of the requirements to check; empty for all
    progress  called with each finding
    Raises UnreachableError if the server does not answer, JurisdictionNeededError if it needs a jurisdiction_id.
    """
    started_at = now or datetime.now(UTC)
    client = client or Client()
    wanted = frozenset(only)
    probe = Probe(client, target, prepared or Preparation(), started_at)
    try:
        survey = survey_server(probe, sends_batch=_needs_token(wanted))
    except UnmetNeedError as error:
        raise UnreachableError(str(error)) from error
    findings: dict[str, Finding] = {}
    for finding in _findings(survey.probe, level, wanted):
        findings[finding.requirement.number] = finding
        progress(finding)
    return Report(
        base_url=target.base_url,
        jurisdiction_id=target.jurisdiction_id,
        dialect=recognise(survey),
        formats=survey.probe.formats,
        services=len(survey.services),
        wrote=target.writes,
        started_at=started_at,
        requests_sent=client.sent,
        findings=tuple(findings[number] for number in requirements() if number in findings),
    )


def _needs_token(only: frozenset[str]) -> bool:
    """Whether one of the wanted checks needs a resolved token."""
    numbers = {number for check in all_checks() if "resolved_token" in check.needs for number in check.numbers}
    return not only or bool(numbers & only)


def _findings(probe: Probe, level: Level, only: frozenset[str]) -> Iterator[Finding]:
    """Run the checks. Checks that only read come first, checks that send requests next, disturbing checks last."""
    for number, reason in EXEMPTIONS.items():
        if not only or number in only:
            yield Finding(requirements()[number], Outcome.SKIPPED, reason=reason)
    for check in sorted(all_checks(), key=lambda check: (check.disturbs, check.writes)):
        for number in check.numbers:
            requirement = requirements()[number]
            if not only or number in only:
                yield _finding(check, requirement, probe, level)


def _finding(check: Check, requirement: Requirement, probe: Probe, level: Level) -> Finding:
    reason = _obstacle(check, requirement, probe, level)
    if reason:
        return Finding(requirement, Outcome.SKIPPED, check.name, reason)
    began_s = time.monotonic()
    finding = _run_check(check, requirement, probe)
    # People share reports, and a server may quote the key in its answer.
    received = finding.received.replace(probe.target.api_key, HIDDEN) if probe.target.api_key else finding.received
    return replace(finding, received=received, seconds=time.monotonic() - began_s)


def _obstacle(check: Check, requirement: Requirement, probe: Probe, level: Level) -> str:
    """The reason why a check must be skipped; "" if the check can run."""
    if requirement.level > level:
        return f"the run only checks requirements up to the level {level.name}"
    if check.writes and not probe.target.writes:
        return "the check sends new requests, but the run only reads"
    missing = [need for need in check.needs if not probe.prepared.has(need)]
    return f"needs {NEEDS[missing[0]]}" if missing else ""


def _run_check(check: Check, requirement: Requirement, probe: Probe) -> Finding:
    try:
        check.prove(probe)
    except UnmetNeedError as error:
        return Finding(requirement, Outcome.SKIPPED, check.name, reason=str(error))
    except DeviationError as error:
        return Finding(
            requirement,
            Outcome.FAILED,
            check.name,
            request=error.call,
            expected=error.expected,
            received=error.received,
        )
    except UnreachableError as error:
        return Finding(
            requirement, Outcome.FAILED, check.name, request=str(error), expected="an answer", received="none"
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # An unknown server may answer in a way that no check expects. The other checks must still run.
        return Finding(requirement, Outcome.SKIPPED, check.name, reason=f"{UNREADABLE} ({type(error).__name__})")
    return Finding(requirement, Outcome.PASSED, check.name)
