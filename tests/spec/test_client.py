"""The client is polite: paced, bounded, and it asks nothing twice."""

from __future__ import annotations

import pytest

from spec.conformance.answers import Call, UnmetNeedError
from spec.conformance.client import Client, Manners
from tests.spec.stub_server import StubServer, session_to

SERVICES = Call("GET", "http://stub.example/one/v2/services.json")


def test_calls_keep_the_pace() -> None:
    waits: list[float] = []
    client = Client(Manners(rate_per_s=4), session_to(StubServer()), pause=waits.append)
    for _ in range(3):
        client.send(SERVICES)
    assert len(waits) == 2
    assert all(0.2 < wait <= 0.25 for wait in waits)


def test_a_get_is_sent_once() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    assert client.get(SERVICES) is client.get(SERVICES)
    assert client.sent == 1
    client.get(SERVICES, fresh=True)
    assert client.sent == 2


def test_a_long_answer_is_not_read_to_its_end() -> None:
    client = Client(Manners(rate_per_s=0, max_body_bytes=100), session_to(StubServer()))
    with pytest.raises(UnmetNeedError, match="more than 100 bytes"):
        client.send(SERVICES)


def test_it_says_who_asks_and_accepts_anything() -> None:
    client = Client(Manners(rate_per_s=0), session_to(StubServer()))
    assert client.session.headers["User-Agent"].startswith("open311-conformance/")
    assert "Accept" not in client.session.headers
