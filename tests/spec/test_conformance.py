"""The suite tests itself: silent about a server that is right, and each fault turns its own family red."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.spec.stub_server import StubServer, serve, session_to

from spec.conformance.client import Client, Manners, UnreachableError
from spec.conformance.preparation import Preparation
from spec.conformance.probe import Target
from spec.conformance.report import Outcome, Report
from spec.conformance.runner import run
from spec.requirements import Level, families, requirements

ORIGIN = "http://stub.example"
TARGET = Target(f"{ORIGIN}/one/v2", jurisdiction_id="city.example", api_key="goodkey", writes=True, thorough=True)


def judge(stub: StubServer, target: Target = TARGET, prepared: Preparation | None = None) -> Report:
    client = Client(Manners(rate_per_s=0), session_to(stub))
    return run(target, prepared or stub.preparation(ORIGIN), client=client, now=stub.now)


def red(report: Report) -> set[str]:
    return {finding.requirement.number for finding in report.with_outcome(Outcome.FAILED)}


def told(report: Report) -> list[str]:
    return [f"{finding.requirement.number}: {finding.expected}; {finding.came}" for finding in report.findings]


def test_a_right_server_passes_everything_and_nothing_is_skipped() -> None:
    report = judge(StubServer())
    assert red(report) == set(), told(report)
    assert report.with_outcome(Outcome.SKIPPED) == []
    assert len(report.findings) == len(requirements())
    assert report.conforms


# Fault of the stub, requirements that must turn red; only their families may.
FAULTS: dict[str, str] = {
    "discovery is wrapped in JSON": "C002",
    "changeset is the present time": "C014 C015",
    "changeset stands still": "C013",
    "application/xml": "C019",
    "no declaration": "C021",
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
    "a bad key is 400": "C094 C095 C096",
    "test requests are listed": "C101",
    "half a point goes": "C110 C111",
    "zero is read as missing": "C117",
    "required is not checked": "C121 C138 C139",
    "only the first value counts": "C124 C125 C126 C130",
    "a long description is cut": "C147",
    "reporter is shown": "C152",
    "receipt is an object in JSON": "C160",
    "success is 202": "C161",
    "receipt has the id as a number": "C163",
    "a dead back office is 502": "C171",
    "trace is shown": "C172",
    "token is an object in JSON": "C174",
    "pending token is unknown": "C175",
    "wrong root of requests": "C181",
    "comma lists are ignored": "C187 C189 C192 C208",
    "unknown status is ignored": "C190",
    "any window goes": "C203",
    "one date leaves the other end open": "C204 C205",
    "oldest first": "C207",
    "private is listed": "C215",
    "times have no zone": "C220",
    "coordinates are text": "C224",
    "unset fields are left out": "C230",
    "single request is an object in JSON": "C237",
    "unknown id is an empty list": "C239",
    "error root": "C245",
    "errors are wrapped in JSON": "C246",
    "errors have the status of success": "C247 C253",
    "code is text": "C248",
    "page 2 repeats page 1": "C258",
    "radius in kilometres": "C266",
    "latitude first": "C274",
    "any callback goes": "C277",
    "updates are wrapped in JSON": "C280",
    "updates repeat": "C283",
    "bulk lines end with LF": "C286",
    "expiration is no time": "C291",
    "plain HTTP is taken": "C292",
    "discovery names http": "C293",
    "key is logged": "C296",
    "unknown language is refused": "C298",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_turns_its_own_family_red(fault: str) -> None:
    report, expected = judge(StubServer(fault)), set(FAULTS[fault].split())
    found = red(report)
    assert expected <= found
    allowed = {requirements()[number].family for number in expected}
    assert {requirements()[number].family for number in found} == allowed, told(report)


def test_every_family_has_a_fault() -> None:
    struck = {requirements()[number].family for numbers in FAULTS.values() for number in numbers.split()}
    assert struck == set(families())
