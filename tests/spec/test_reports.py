"""The formats of a report, and the command that prints them."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from open311.cli.conformance import conformance
from spec.bodies import example
from spec.conformance.answers import Call
from spec.conformance.preparation import Preparation
from spec.conformance.probe import Target
from spec.conformance.report import Report
from spec.conformance.reports import FORMS
from spec.requirements import requirements
from tests.spec.stub_server import StubServer, serve
from tests.spec.test_conformance import ORIGIN, judge


@pytest.fixture(scope="module")
def report() -> Report:
    """The report about a server with one fault, without preparation."""
    return judge(StubServer("comma lists are ignored"), Target(f"{ORIGIN}/one/v2"), Preparation())


def test_text_shows_every_requirement_each_failure_and_its_reason(report: Report) -> None:
    text = FORMS["text"](report)
    assert all(number in text for number in requirements())
    assert "  C187  MUST    FAILED  status=open,closed gives open and closed requests." in text
    assert "        call      GET http://stub.example/one/v2/requests.json?status=open%2Cclosed" in text
    assert "the check sends new requests, but the run only reads: C024" in text
    assert text.rstrip().endswith("MUST requirements that could be checked failed.")


def test_json_has_totals_and_requirements(report: Report) -> None:
    document = json.loads(FORMS["json"](report))
    assert document["conforms"] is False
    assert sum(sum(level.values()) for level in document["totals"].values()) == len(requirements())
    (failed,) = (each for each in document["requirements"] if each["number"] == "C187")
    assert failed["outcome"] == "failed"
    assert failed["expected"] == "closed requests"


def test_junit_has_counts_for_each_family(report: Report) -> None:
    suites = ET.fromstring(FORMS["junit"](report))
    listing = next(suite for suite in suites if suite.get("name") == "Listing requests")
    assert int(listing.get("failures", "")) == len(listing.findall("testcase/failure")) > 0
    assert sum(int(suite.get("tests", "")) for suite in suites) == len(requirements())


class _Page(HTMLParser):
    """Parses a page, and collects its open elements and every URL that the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_complete_page_that_loads_no_other_file(report: Report) -> None:
    html = FORMS["html"](report)
    page = _Page()
    page.feed(html)
    assert (page.loads, page.open) == ([], [])
    assert "Does not conform" in html
    assert "<code>status=open,closed</code>" in html
    assert "<script" not in html


def test_the_command_writes_the_report_and_exits_with_the_verdict(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    with serve(StubServer()) as origin:
        result = CliRunner().invoke(
            conformance, [f"{origin}/one/v2", "--rate", "0", "--format", "html", "--output", str(page)]
        )
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Conforms: all ")
    assert "Conforms: all " in page.read_text(encoding="utf-8")


def test_the_command_fails_if_a_must_fails() -> None:
    with serve(StubServer("wrong root of requests")) as origin:
        result = CliRunner().invoke(conformance, [f"{origin}/one/v2/", "--rate", "0", "--level", "must"])
    assert result.exit_code == 1
    assert "expected  the root service_requests" in result.output


def test_the_command_asks_for_the_city_if_there_are_several() -> None:
    with serve(StubServer()) as origin:
        result = CliRunner().invoke(conformance, [f"{origin}/many/v2", "--rate", "0"])
    assert result.exit_code == 1
    assert "name one with --jurisdiction. It says: jurisdiction_id is missing; send one of" in result.output


@pytest.mark.parametrize("library", ["jsonschema", "lxml"])
def test_the_command_names_a_missing_package(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    result = CliRunner().invoke(conformance, ["http://127.0.0.1/open311/v2"])
    assert result.exit_code == 1
    assert "needs lxml and jsonschema: pip install 'open311-server[conformance]'." in result.output


@pytest.mark.parametrize("form", FORMS)
def test_no_report_shows_the_key(form: str) -> None:
    """People publish reports, and a server may quote the key of the call in its answer."""
    text = FORMS[form](judge(StubServer("a bad key is 400", "receipt is an object in JSON", "key is quoted")))
    assert "goodkey" not in text
    assert "api_key=(the key)" in text
    assert "api_key=no-such-thing-0" in text


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), b"api_key=secret&service_code=potholes"),
        ((), b"service_code=potholes&api_key=secret"),
        ((), b'--b\r\nContent-Disposition: form-data; name="api_key"\r\nA: b\r\n\r\nsecret\r\n--b--'),
        ((("Authorization", "Bearer secret"),), b""),
        ((("X-Api-Key", "secret"),), b""),
    ],
)
def test_a_call_is_shown_without_its_key(headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    shown = str(Call("POST", "http://a.example/requests.json?api_key=secret", headers, body))
    assert "secret" not in shown
    assert shown.startswith("POST http://a.example/requests.json?api_key=(the key)")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["not-an-address"], "is not an address"),
        (["http://a.example", "http://b.example"], "Name one URL"),
        (["http://a.example", "--write"], "--write needs --api-key"),
        (["http://a.example", "--only", "C999"], "There is no requirement C999"),
        (["--recorded", "no-such-file"], "There is no file no-such-file"),
    ],
)
def test_the_command_explains_wrong_arguments(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(conformance, arguments)
    assert result.exit_code != 0
    assert sentence in result.output


def test_saved_answers_are_judged_offline(tmp_path: Path) -> None:
    good, bad, other = (tmp_path / name for name in ("services.xml", "requests.json", "other.json"))
    good.write_bytes(example("services", "text/xml"))
    bad.write_bytes(
        example("requests").replace(b'"2026-00', b'"').replace(b'"status": "open"', b'"status": "Open"')
    )
    other.write_bytes(b'{"hello": "world"}')
    result = CliRunner().invoke(conformance, ["--recorded", str(good), str(bad), str(other)])
    assert result.exit_code == 1
    assert f"{good}: services, conforms" in result.output
    assert f"{bad}: requests, 1 kind of deviation" in result.output
    assert 'requests[0].status is "Open": a status is open or closed (A23).' in result.output
    assert f"{other}: this is not a body of the standard" in result.output
    assert "3 files: 1 conform, 1 deviate, 1 could not be judged." in result.output
