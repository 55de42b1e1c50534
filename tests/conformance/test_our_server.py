"""Our server passes the public conformance suite, with everything prepared that the suite needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import requests
from click.testing import CliRunner, Result

from open311.cli import main
from spec.conformance.client import Client, Manners
from spec.conformance.exemptions import EXEMPTIONS
from spec.conformance.preparation import Preparation, Several
from spec.conformance.probe import Target
from spec.conformance.report import Finding, Outcome, Report
from spec.conformance.runner import run
from spec.requirements import Level, requirements
from tests.conformance.conftest import PUBLIC, Served
from tests.conformance.servers import TlsProxy
from tests.conftest import CITY
from tests.spec.stub_server import StubServer, serve

UNCHECKED = {
    "C018": "the page for people is the landing page at /, not discovery without suffix",
    **EXEMPTIONS,
}
"""The requirements that cannot be checked even with preparation, each with the reason."""


@pytest.fixture(scope="session")
def report(served: Served, prepared: Preparation) -> Report:
    """The report of a run in both formats, with everything prepared."""
    return report_on(served, prepared)


def report_on(served: Served, prepared: Preparation) -> Report:
    target = Target(served.base_url, jurisdiction_id=CITY, api_key=served.api_key, writes=True, thorough=True)
    assert prepared.https_only is not None
    client = Client(Manners(rate_per_s=0))
    behind = prepared.https_only.base_url.partition("/open311")[0]
    client.session.mount(PUBLIC, TlsProxy(PUBLIC, behind))
    found = run(target, prepared, client=client)
    client.session.close()
    return found


def readable(findings: list[Finding]) -> list[str]:
    """Findings as readable lines."""
    return [
        f"{each.requirement.number} {each.request}: expected {each.expected}, received {each.received}{each.reason}"
        for each in findings
    ]


def skipped(report: Report) -> dict[str, str]:
    return {each.requirement.number: each.reason for each in report.with_outcome(Outcome.SKIPPED)}


def test_no_requirement_of_any_level_fails(report: Report) -> None:
    assert readable(report.with_outcome(Outcome.FAILED)) == []
    assert report.conforms
    assert report.formats == ("xml", "json")


def test_only_features_that_we_do_not_offer_are_unchecked(report: Report) -> None:
    """If the server gets such a feature, remove it from UNCHECKED here and from NOT_OFFERED in conftest.py."""
    assert skipped(report).keys() == UNCHECKED.keys(), skipped(report)
    assert len(report.findings) == len(requirements())


def test_every_must_and_should_is_checked(report: Report) -> None:
    assert [number for number in skipped(report) if requirements()[number].level is not Level.MAY] == []


def test_the_suite_recognises_our_server(report: Report) -> None:
    assert report.dialect.name == "open311-server (this project)"


def test_the_preparation_was_used(report: Report, served: Served) -> None:
    """The access log that the suite read contains its calls, and the back office was down during one of them."""
    assert ("GET", "/open311/v2/services.json") in calls(served)
    assert "the back office is down" in served.log.read_text()


def test_one_city_of_a_server_with_several_conforms(prepared: Preparation) -> None:
    several = prepared.several
    assert isinstance(several, Several)
    city = several.first
    own = Preparation(point=city.point, open_request=city.request_id, resolved_token=city.token)
    target = Target(several.base_url, jurisdiction_id=city.jurisdiction_id, api_key=city.api_key, writes=True)
    client = Client(Manners(rate_per_s=0))
    found = run(target, own, client=client)
    client.session.close()
    assert readable(found.with_outcome(Outcome.FAILED)) == []
    passed = {each.requirement.number for each in found.with_outcome(Outcome.PASSED)}
    assert {"C043", "C044", "C045", "C046", "C047", "C157", "C173", "C178"} <= passed


# --- The command


@pytest.fixture
def judge(served: Served) -> Callable[..., Result]:
    """Runs `open311 conformance` against the server without a rate limit."""

    def invoke(*arguments: str, url: str = served.base_url) -> Result:
        return CliRunner().invoke(main, ["conformance", url, "--rate", "0", *arguments], prog_name="open311")

    return invoke


def calls(served: Served) -> list[tuple[str, str]]:
    """Method and path of each call in the server's log, oldest first."""
    lines = (json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{"))
    return [(line["method"], line["path"]) for line in lines if line["event"] == "call"]


def test_a_run_with_write_finds_no_fault(judge: Callable[..., Result], served: Served) -> None:
    result = judge("--write", "--api-key", served.api_key)
    assert result.exit_code == 0, result.output
    assert "\nConforms: all " in result.output
    assert " FAILED " not in result.output
    assert "software      open311-server (this project)" in result.output


def test_without_write_the_command_only_reads(judge: Callable[..., Result], served: Served) -> None:
    before = len(calls(served))
    result = judge("--format", "json")
    assert result.exit_code == 0, result.output
    assert {method for method, _ in calls(served)[before:]} == {"GET", "HEAD", "OPTIONS"}
    document = json.loads(result.stdout)
    assert document["wrote"] is False
    assert document["requests_sent"] < 430
    assert sum(level["failed"] for level in document["totals"].values()) == 0


def test_the_command_writes_junit(judge: Callable[..., Result], tmp_path: Path) -> None:
    result = judge("--level", "must", "--format", "junit", "--output", str(tmp_path / "report.xml"))
    assert result.exit_code == 0, result.output
    suites = ET.parse(tmp_path / "report.xml").getroot()
    assert sum(int(suite.get("tests", "")) for suite in suites) == len(requirements())
    assert not suites.findall("testsuite/testcase/failure")


def test_the_command_writes_a_page(judge: Callable[..., Result], served: Served) -> None:
    result = judge("--only", "C054", "--format", "html")
    assert result.exit_code == 0, result.output
    texts: list[str] = []
    page = HTMLParser()
    page.handle_data = texts.append  # type: ignore[assignment,method-assign]
    page.feed(result.stdout)
    assert served.base_url in texts
    assert "Conforms: all 1 MUST requirements that could be checked passed." in texts


@pytest.mark.parametrize("fault", ["wrong root of services", "required attributes are not checked"])
def test_the_command_finds_a_planted_fault_in_another_server(judge: Callable[..., Result], fault: str) -> None:
    with serve(StubServer(fault)) as origin:
        result = judge("--write", "--api-key", "goodkey", "--level", "must", url=f"{origin}/one/v2")
    assert result.exit_code == 1, result.output
    assert " FAILED " in result.output
    assert "\nDoes not conform: " in result.output


# --- Faults that runs of the suite have found


@pytest.mark.parametrize("size", [100_000, 1_048_577, 2_000_000])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_an_unread_body_does_not_break_the_next_call(served: Served, size: int, content_type: str) -> None:
    with requests.Session() as session:
        for _ in range(10):
            refused = session.post(
                f"{served.base_url}/requests.json", b"a=".ljust(size, b"x"), headers={"Content-Type": content_type}
            )
            assert refused.status_code in (403, 413, 415)
            # The call is not a GET, because `requests` repeats a failed GET on a new connection.
            assert session.post(f"{served.base_url}/requests.json").status_code == 403
