"""A report in JUnit's XML, which every CI server shows."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from spec.conformance.report import Finding, Outcome, Report, count
from spec.conformance.reports.verdict import plain
from spec.requirements import families

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def as_junit(report: Report) -> str:
    suites = ET.Element("testsuites", name=f"GeoReport v2 conformance of {report.base_url}")
    for family in families():
        findings = report.of_family(family)
        if findings:
            suites.append(_suite(family, findings))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(family: str, findings: list[Finding]) -> ET.Element:
    tally = count(findings)
    suite = ET.Element(
        "testsuite",
        name=family,
        tests=str(len(findings)),
        failures=str(tally[Outcome.FAILED]),
        skipped=str(tally[Outcome.SKIPPED]),
        time=f"{sum(finding.seconds for finding in findings):.3f}",
    )
    suite.extend(_case(finding) for finding in findings)
    return suite


def _case(finding: Finding) -> ET.Element:
    requirement = finding.requirement
    case = ET.Element(
        "testcase",
        name=f"{requirement.number} {requirement.level.name} {plain(requirement.text)}",
        classname=finding.check or "exempt",
        time=f"{finding.seconds:.3f}",
    )
    if finding.outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", message=_clean(finding.reason))
    if finding.outcome is Outcome.FAILED:
        message = _clean(f"expected {finding.expected}, received {finding.received}")
        ET.SubElement(case, "failure", message=message).text = _clean(finding.request)
    return case


def _clean(text: str) -> str:
    """The text without characters that XML cannot contain. A text may quote answers of faulty servers."""
    return _ILLEGAL.sub("\ufffd", text)
