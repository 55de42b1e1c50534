"""Tests of the suite: a conforming server passes, and each fault fails only requirements of its own family."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spec.conformance.client import Client, Manners, UnreachableError
from spec.conformance.exemptions import EXEMPTIONS
from spec.conformance.preparation import Preparation
from spec.conformance.probe import Target
from spec.conformance.report import Outcome, Report
from spec.conformance.runner import run
from spec.requirements import Level, families, requirements
from tests.spec.stub_extensions import NO_EXTENSIONS
from tests.spec.stub_server import ClientInMemory, StubServer, serve, session_to

ORIGIN = "http://stub.example"
TARGET = Target(f"{ORIGIN}/one/v2", jurisdiction_id="city.example", api_key="goodkey", writes=True, thorough=True)


def judge(stub: StubServer, target: Target = TARGET, prepared: Preparation | None = None) -> Report:
    client = ClientInMemory(Manners(rate_per_s=0), session_to(stub), pause=lambda _: None)
    return run(target, prepared or stub.preparation(ORIGIN), client=client, now=stub.now)


def failed(report: Report) -> set[str]:
    return {finding.requirement.number for finding in report.with_outcome(Outcome.FAILED)}


def skipped(report: Report) -> dict[str, str]:
    return {finding.requirement.number: finding.reason for finding in report.with_outcome(Outcome.SKIPPED)}


def readable_failures(report: Report) -> list[str]:
    return [f"{finding.requirement.number}: {finding.expected}; {finding.received}" for finding in report.findings]


def test_a_conforming_server_passes_everything_and_only_the_exemptions_are_skipped() -> None:
    report = judge(StubServer())
    assert failed(report) == set(), readable_failures(report)
    assert skipped(report).keys() == EXEMPTIONS.keys(), skipped(report)
    assert len(report.findings) == len(requirements())
    assert report.conforms


# A fault of the stub and the requirements that must fail. Requirements of other families must pass.
FAULTS: dict[str, str] = {
    "status_url is no address": "V1",
    "links show the reporter": "V2",
    "links may be kept by caches": "V3",
    "wrong links are quoted": "V3",
    "a repeated call ends the first link": "V4",
    "account_id is ignored": "V5",
    "a photo has an unknown state": "V6",
    "errors claim a language that they are not in": "L1",
    "notices claim a language that they are not in": "L2",
    "discovery is wrapped in JSON": "C002",
    "changeset is the present time": "C014 C015",
    "changeset stands still": "C013",
    "XML is sent as application/xml": "C019",
    "XML has no declaration": "C021",
    "text is escaped twice": "C024",
    "jurisdiction is guessed": "C043 C044 C048",
    "empty status counts": "C049",
    "wrong root of services": "C054",
    "services are wrapped in JSON": "C055",
    "metadata is a word": "C058",
    "codes are numbers": "C060",
    "unset group is null": "C061",
    "definition is an array in JSON": "C073",
    "order is missing": "C076 C079",
    "list without values": "C081",
    "a bad key is 400": "C094 C095 C096 I2",
    "test requests are listed": "C101 N6",
    "half a point is accepted": "C110 C111",
    "the number zero is read as missing": "C117",
    "required attributes are not checked": "C121 C138 C139",
    "only the first value of an attribute counts": "C124 C125 C126 C130",
    "a long description is cut": "C147",
    "reporter is shown": "C152",
    "receipt is an object in JSON": "C160",
    "success is 202": "C161",
    "receipt has the id as a number": "C163",
    "a dead back office is 502": "C171",
    "an error shows the traceback": "C172",
    "token is an object in JSON": "C174",
    "pending token is unknown": "C175",
    "wrong root of requests": "C181",
    "comma lists are ignored": "C187 C189 C192 C208",
    "unknown status is ignored": "C190",
    "any window is accepted": "C203",
    "one date alone sets no window of 90 days": "C204 C205",
    "the list begins with the oldest request": "C207",
    "private requests are listed": "C215 D1",
    "times have no zone": "C220",
    "coordinates are text": "C224 F2 F5",
    "unset fields are left out": "C230",
    "single request is an object in JSON": "C237",
    "unknown id is an empty list": "C239 L1",
    "the root of errors is error": "C245",
    "errors are wrapped in JSON": "C246",
    "errors have the status of success": "C247 C253",
    "code is text": "C248",
    "page 2 repeats page 1": "C258",
    "radius is read as kilometres": "C266",
    "GeoJSON has latitude first": "C274 F2",
    "any callback is accepted": "C277",
    "updates are wrapped in JSON": "C280",
    "an update with a known id is stored again": "C283",
    "updates are newest first": "U1",
    "updates name unknown requests": "U2",
    "updates have an unknown status": "U4",
    "update ids change": "U5",
    "a status in small letters is refused": "U7",
    "no Warning for a status without effect": "U8",
    "repeated updates are refused": "U9",
    "bulk lines end with LF": "C286 B2",
    "expiration is not an ISO 8601 time": "C291",
    "plain HTTP is accepted": "C292",
    "discovery names http": "C293",
    "the api_key is logged": "C296",
    "unknown language is refused": "C298",
    "boundaries with = are not read": "C299",
    "dates are ignored with updated_after": "S1",
    "radius has no limit": "S2",
    "boxes end at the 180th meridian": "S3",
    "search knows no minus": "S4",
    "keyword is ignored": "S5",
    "area is ignored": "S6",
    "department is ignored": "S13",
    "has_photo is ignored": "S7",
    "photos have one field name": "M1",
    "dropped files pass in silence": "M2",
    "photos come before sent addresses": "M3",
    "photos keep their metadata": "M4",
    "photos are not turned": "M4",
    "photos have one size": "M5",
    "photos of updates are left out": "M7",
    "repeats with other files are taken": "M8",
    "own ids have any length": "I1",
    "anybody finds own ids": "I2",
    "own ids are public": "I3",
    "own ids make new requests": "I4",
    "any number of hops is accepted": "I5",
    "sort cannot begin with the smallest value": "S8",
    "misspelt parameters pass in silence": "S9",
    "unknown names pass in silence": "S10",
    "a cut page passes in silence": "S11",
    "an early end passes in silence": "S12",
    "page 0 is refused": "P1",
    "Link has no first": "P2 F6",
    "cursor is a page number": "P3",
    "a walk skips requests": "P4",
    "the count is the number of items on the page": "C263 P5",
    "one extension brings all": "E1",
    "unknown extensions are ignored": "E2",
    "outcome is left out": "E3",
    "notes are newest first": "E4",
    "attributes have no names": "E5",
    "distance is in kilometres": "E6 N3",
    "changes lack most fields": "K1",
    "withdrawn requests keep their status": "K2",
    "the feed has each change of a request": "K3",
    "an empty feed has no cursor": "K4",
    "the feed is always caught up": "K5",
    "the feed ignores page_size": "K6",
    "long waits are refused": "K7",
    "since begins too late": "K8",
    "a future cursor is taken": "K9",
    "the feed has all departments": "K10",
    "cities have no time zone": "J1",
    "areas have no names": "J2",
    "notices have no severity": "R1",
    "alerts have times with Z": "R6",
    "the index leaves out alerts": "R8",
    "boundaries have latitude first": "J3",
    "maps leave out the names": "J4",
    "every area contains every point": "J5",
    "services are offered outside the city": "J6",
    "areas have no Cache-Control": "J7",
    "requests have no areas": "J8",
    "private services are listed": "O1",
    "private services are refused": "O2",
    "anybody may report to services for staff": "O3",
    "ended services give no advice": "O4",
    "old codes are unknown": "O6",
    "conditional questions are required": "O7",
    "conditions are left out": "O8",
    "answers to questions that are not asked pass in silence": "O9",
    "hidden answers are shown": "O10",
    "nearby shows all services": "N1",
    "nearby has no limits": "N2",
    "nearby begins with the farthest request": "N3",
    "nearby works without suffix": "N4",
    "a POST names no possible duplicate": "N5",
    "requests of test keys are nearby": "N6",
    "each suggestion has all services": "X1",
    "suggest accepts a call without q": "X2",
    "suggest works without suffix": "X4",
    "services are suggested outside the city": "X5",
    "unknown suggestions pass in silence": "X6",
    "suggestions may be cached": "X7",
    "NDJSON has another order": "F1",
    "the media type of CSV names no header": "F3",
    "CSV has formulas": "F4",
    "Atom points are longitude first": "F5",
    "each page of Atom has its own feed id": "F6",
    "NDJSON lines end with CRLF": "F7",
    "feeds have weak ETags": "F8",
    "GeoJSON has no links to other pages": "F9",
    "tiles have any x and y": "G1",
    "tiles ignore filters": "G2",
    "cells ignore filters": "G4",
    "tiles have weak ETags": "G6",
    "TileJSON has no filters": "G7",
    "only CSV names the city": "T1",
    "Atom names no licence": "T2",
    "bulk has only 90 days": "B1",
    "stats in CSV have other numbers": "Q1",
    "status is ignored in stats": "Q2",
    "end_date is ignored in stats": "Q3",
    "old requests have no age": "Q4",
    "the mean is the median": "Q5",
    "shares are divided by all requests": "Q6",
    "targets count only open requests": "Q7",
    "times of left_out services are counted": "Q8",
    "stats have no as_of": "Q9",
    "any group_by is taken": "Q10",
    "area is ignored in stats": "Q11",
    "hidden requests are counted": "Q12",
    "forecasts in CSV lack a line": "H1",
    "filters of forecasts are ignored": "H2",
    "a week has eight days": "H3",
    "refused forecasts have numbers": "H4",
    "a published forecast is not better than the guesses": "H5",
    "half of the numbers are outside of their intervals": "H6",
    "median_days is more than p80_days": "H8",
    "the busiest area is a hot spot": "H9",
    "forecasts have no caveat": "H10",
    "feedback of single reporters is shown": "Q13",
    "supporters is the number of requests": "Q14",
    "text messages pass in silence": "SM1",
    "a person counts twice": "Z1",
    "anybody supports requests": "Z1",
    "support cannot be taken back": "Z2 Z5",
    "a private request can be supported": "Z4",
    "supporters are named": "Z5",
    "support changes updated_datetime": "Z6",
    "the outbox has no order": "OB1",
    "pages of the outbox overlap": "OB2",
    "activities have a wrong type": "OB3",
    "notes have no content": "OB4",
    "the reporter is the actor": "OB6",
    "any filter is accepted": "W1",
    "subscriptions can be read without a key": "W2",
    "a webhook may have any address": "W3",
    "wrong root of Inquiry": "Y1",
    "actions of Inquiry have no type": "Y2",
    "Inquiry knows any topic": "Y3",
    "expired articles are shown": "Y4",
    "Inquiry names no language": "Y5",
    "a search of Inquiry finds an article for any word": "Y6",
    "unknown parameters of Inquiry are not told": "Y7",
    "HTML of articles has scripts": "Y8",
    "a moved collection is missing on its new day": "Y9",
    "any zone is accepted": "Y10",
    "a calendar may have more than 90 days": "Y11",
    "lines of calendars end with LF": "Y12",
    "the feed 311 Today ends today": "Y13",
    "discovery names no Inquiry": "Y14",
    "a repeated observation counts as new": "SN1",
    "faulty observations are accepted": "SN2",
    "the answer to a batch leaves out errors": "SN3",
    "anybody sends observations": "SN4",
    "closed_date is never empty": "C288 B3",
    "wrong root of bulk": "B4",
    "bulk has subtypes": "B5",
    "X-Total-Count of bulk is one too great": "B6",
    "bulk has no ETag": "B7",
    "the files of a dump have different rows": "D1",
    "Parquet has no geometry": "D2",
    "the list of dumps begins with the oldest": "D3",
    "checksums are wrong": "D4",
    "ranges are ignored": "D5",
    "the link to the latest dump leads to the oldest": "D6",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_only_its_own_family(fault: str) -> None:
    stub = StubServer(fault)
    # The list of a thousand requests would take 1/4 of the time, and no fault needs this list.
    report = judge(stub, prepared=replace(stub.preparation(ORIGIN), crowded=None))
    expected, found = set(FAULTS[fault].split()), failed(report)
    assert expected <= found
    allowed = {requirements()[number].family for number in expected}
    assert {requirements()[number].family for number in found} == allowed, readable_failures(report)


def test_every_family_has_a_fault() -> None:
    struck = {requirements()[number].family for numbers in FAULTS.values() for number in numbers.split()}
    assert struck == set(families())


def test_every_rule_of_the_extensions_has_a_fault() -> None:
    struck = {number for numbers in FAULTS.values() for number in numbers.split()}
    rules = {number for number in requirements() if number[0] != "C"}
    assert rules - struck == EXEMPTIONS.keys()


@pytest.mark.parametrize("manners", [(), ("-unknown arguments are refused",)])
def test_without_extensions_no_rule_fails_and_each_skip_names_the_missing_extension(
    manners: tuple[str, ...],
) -> None:
    stub = StubServer(NO_EXTENSIONS, *manners)
    absent = {"bulk_url": None, "inquiry_url": None, "gauge": None, "crowded": None}
    prepared = replace(stub.preparation(ORIGIN), offered=frozenset(), **absent)
    report = judge(stub, prepared=prepared)
    found = {number: reason for number, reason in skipped(report).items() if number[0] != "C"}
    assert found.keys() == {number for number in requirements() if number[0] != "C"}
    for number, reason in found.items():
        is_elsewhere = number.startswith(("B", "SN", "Y"))  # rules of addresses that only a preparation names
        is_exempt = number in EXEMPTIONS or is_elsewhere
        assert is_exempt or reason.startswith(("not offered: ", "GET ")), (
            number,
            reason,
        )


def test_a_run_over_http_without_preparation_finds_no_fault() -> None:
    """In a run without preparation and without writing, no check fails, and every skip has a reason."""
    with serve(StubServer()) as origin:
        client = Client(Manners(rate_per_s=0))
        report = run(Target(f"{origin}/one/v2"), client=client)
    assert failed(report) == set(), readable_failures(report)
    assert report.conforms
    assert len(report.findings) == len(requirements())
    assert all(finding.reason for finding in report.with_outcome(Outcome.SKIPPED))
    assert len(report.with_outcome(Outcome.PASSED)) > 150
    assert report.requests_sent == client.sent < 430


def test_a_server_without_extensions_gets_few_calls() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer(NO_EXTENSIONS)))
    assert run(Target(f"{ORIGIN}/one/v2"), client=client).requests_sent < 200


def test_a_run_without_write_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = StubServer()
    before = {name: list(city["requests"]) for name, city in stub.cities.items()}
    client = Client(Manners(rate_per_s=0), session_to(stub))
    methods: set[str] = set()
    answer = stub.answer

    def record_and_send(method: str, *rest: Any) -> Any:
        methods.add(method)
        return answer(method, *rest)

    monkeypatch.setattr(stub, "answer", record_and_send)
    report = run(replace(TARGET, writes=False), stub.preparation(ORIGIN), client=client, now=stub.now)
    assert {name: list(city["requests"]) for name, city in stub.cities.items()} == before
    skipped = {finding.requirement.number for finding in report.with_outcome(Outcome.SKIPPED)}
    assert {"C094", "C106", "C156", "C251", "C252"} <= skipped
    assert methods == {"GET", "HEAD", "OPTIONS"}


def test_a_run_with_write_and_without_preparation_finds_no_fault() -> None:
    report = judge(StubServer(), replace(TARGET, jurisdiction_id=""), Preparation())
    assert failed(report) == set(), readable_failures(report)
    passed = {finding.requirement.number for finding in report.with_outcome(Outcome.PASSED)}
    assert {"C024", "C118", "C124", "C157", "C173", "C174"} <= passed


def test_one_of_several_jurisdictions_can_be_judged() -> None:
    report = judge(StubServer(), Target(f"{ORIGIN}/many/v2", f"{ORIGIN}/many", "a.example"), Preparation())
    assert failed(report) == set(), readable_failures(report)
    passed = {finding.requirement.number for finding in report.with_outcome(Outcome.PASSED)}
    assert {"C043", "C044", "C045", "C046", "C047"} <= passed
    assert not {"C040", "C041", "C042"} & passed


def test_only_the_chosen_levels_are_checked() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    report = run(Target(f"{ORIGIN}/one/v2"), client=client, level=Level.MUST)
    checked = [each.requirement.level for each in report.findings if each.outcome is not Outcome.SKIPPED]
    assert set(checked) == {Level.MUST}


def test_single_requirements_can_be_checked() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    report = run(Target(f"{ORIGIN}/one/v2"), client=client, only=["C054", "C181"])
    assert [finding.requirement.number for finding in report.findings] == ["C054", "C181"]
    assert client.sent < 25


def test_a_failed_must_prevents_conformance_and_a_failed_should_does_not() -> None:
    assert not judge(StubServer("wrong root of requests")).conforms
    assert judge(StubServer("code is text")).conforms


def test_an_unreachable_server_is_reported() -> None:
    with serve(StubServer()) as origin:
        gone = origin
    with pytest.raises(UnreachableError, match=r"GET .*services\.xml: ConnectionError"):
        run(Target(f"{gone}/one/v2"), client=Client(Manners(rate_per_s=0, timeout_s=2)))


def test_a_server_of_another_kind_does_not_conform() -> None:
    report = judge(StubServer(), Target(f"{ORIGIN}/inquiry/v1"), Preparation())
    assert {"C001", "C054", "C181"} <= failed(report)
    assert not report.conforms


def test_a_failure_names_the_call_the_expected_and_the_actual_answer() -> None:
    report = judge(StubServer("comma lists are ignored"), replace(TARGET, thorough=False))
    (finding,) = (each for each in report.findings if each.requirement.number == "C187")
    assert finding.check == "listing.status_list"
    assert finding.request == (
        "GET http://stub.example/one/v2/requests.json?jurisdiction_id=city.example&status=open%2Cclosed"
    )
    assert (finding.expected, finding.received) == ("closed requests", "none")
