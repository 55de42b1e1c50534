"""The client limits its rate and the size of answers, and sends equal GETs only once."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Any, NoReturn

import pytest
import requests

from spec.bodies import deviations
from spec.conformance.answers import Answer, Call, UnmetNeedError
from spec.conformance.client import Client, Manners, UnreachableError
from spec.conformance.probe import Target
from spec.conformance.report import Outcome
from spec.conformance.runner import run
from tests.spec.stub_server import StubServer, session_to

SERVICES = Call("GET", "http://stub.example/one/v2/services.json")


def test_calls_do_not_exceed_the_rate() -> None:
    waits: list[float] = []
    client = Client(Manners(rate_per_s=4), session_to(StubServer()), pause=waits.append, clock=lambda: 100.0)
    for _ in range(3):
        client.send(SERVICES)
    assert waits == [0.25, 0.25]


def test_an_equal_get_is_sent_once() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    assert client.get(SERVICES) is client.get(SERVICES)
    assert client.sent == 1
    client.get(SERVICES, fresh=True)
    assert client.sent == 2


def test_only_the_start_of_a_long_answer_is_read() -> None:
    client = Client(Manners(rate_per_s=0, max_body_bytes=100), session_to(StubServer()))
    answer = client.send(SERVICES)
    assert answer.status == 200, "the status and the headers can be judged"
    with pytest.raises(UnmetNeedError, match="more than 100 bytes; --max-bytes reads more"):
        answer.records("services")


def test_the_cache_forgets_what_was_kept_longest_when_it_is_full() -> None:
    client = Client(Manners(rate_per_s=0, max_kept_bytes=1), session_to(StubServer()))
    other = replace(SERVICES, url=f"{SERVICES.url}?locale=fi")
    for call in (SERVICES, other, other, SERVICES):
        client.get(call)
    assert client.sent == 3


def test_a_server_whose_lists_are_too_long_is_judged_by_the_rest_and_the_report_says_so() -> None:
    client = Client(Manners(rate_per_s=0, max_body_bytes=700), session_to(StubServer()))
    report = run(Target("http://stub.example/one/v2"), client=client)
    reasons = [finding.reason for finding in report.with_outcome(Outcome.SKIPPED)]
    assert any("services.xml" in reason and "more than 700 bytes" in reason for reason in reasons)
    assert report.with_outcome(Outcome.PASSED)
    assert not report.with_outcome(Outcome.FAILED), report.with_outcome(Outcome.FAILED)[0]


class Dripping(requests.Session):
    """A session whose server sends a little data again and again, and never completes its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = Event()

    def request(self, *_: Any, **__: Any) -> NoReturn:
        """Never answers."""
        self.is_over.wait()
        raise requests.ConnectionError


def test_the_client_gives_up_on_an_answer_that_never_ends() -> None:
    session = Dripping()
    client = Client(Manners(rate_per_s=0, timeout_s=0.01), session)
    with pytest.raises(UnmetNeedError, match="seconds to answer"):
        client.send(SERVICES)
    session.is_over.set()


def test_an_answer_that_is_nested_too_deeply_counts_as_invalid_json() -> None:
    answer = Answer(SERVICES, 200, {"content-type": "application/json"}, b"[" * 1_000_000)
    with pytest.raises(UnmetNeedError, match="has no body in JSON"):
        answer.json()
    assert deviations(answer.body, media_type="application/json", kind="services")


def test_the_client_sends_its_user_agent_and_accepts_any_type() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    assert str(client.session.headers["User-Agent"]).startswith("open311-conformance/")
    assert "Accept" not in client.session.headers


class Busy(StubServer):
    """A stub that answers 429 `times` times before it answers normally."""

    def __init__(self, times: int, retry_after: str) -> None:
        super().__init__()
        self.times, self.retry_after = times, retry_after

    def answer(self, *asked: Any) -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        self.times -= 1
        return super().answer(*asked) if self.times < 0 else (429, {"Retry-After": self.retry_after}, b"")


def test_the_client_waits_for_the_time_in_retry_after() -> None:
    waits: list[float] = []
    client = Client(Manners(rate_per_s=0), session_to(Busy(2, "7")), pause=waits.append)
    assert client.send(SERVICES).status == 200
    assert waits == [7, 7]


def test_the_client_stops_waiting_after_patience_s() -> None:
    waits: list[float] = []
    client = Client(Manners(rate_per_s=0, patience_s=25), session_to(Busy(100, "soon")), pause=waits.append)
    with pytest.raises(UnmetNeedError, match="accepts no more calls for now"):
        client.send(SERVICES)
    assert waits == [10, 10]
    assert client.send(SERVICES, patient=False).status == 429


def test_a_run_ends_without_verdict_if_the_server_answers_only_429() -> None:
    stub = Busy(10**6, "60")
    client = Client(Manners(rate_per_s=0, patience_s=0), session_to(stub))
    with pytest.raises(UnreachableError, match="accepts no more calls"):
        run(Target("http://stub.example/one/v2"), client=client)
