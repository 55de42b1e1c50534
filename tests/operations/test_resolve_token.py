"""Pending, resolved and failed tokens, and the lists in each state."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.errors import Misconfigured
from open311.jobs.dispatching import dispatch_all
from open311.operations.intake.resolve_token import resolve_token
from open311.operations.platform import Platform
from open311.plugins import Accepted, Draft, Jurisdiction, Pending, Rejected, Resolution
from open311.plugins.registry import Registry
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
MINUTE = timedelta(minutes=1)


class BackOffice(Jurisdiction):
    """A city that gives the answers of the test and records the calls."""

    answers: list[Resolution]
    asked: list[tuple[str, Draft]]

    def resolve(self, token: str, draft: Draft) -> Resolution:
        self.asked.append((token, draft))
        return self.answers.pop(0)


Served = tuple[Platform, FlaskClient]
Serve = Callable[..., tuple[Platform, FlaskClient, BackOffice]]


@pytest.fixture
def serve(make_app: Callable[..., Flask]) -> Serve:
    """Makes a server with one city, whose back office gives these answers in order."""

    def make(*answers: Resolution, **changes: Any) -> tuple[Platform, FlaskClient, BackOffice]:
        city = build.city(BackOffice, **changes)
        object.__setattr__(city, "answers", list(answers))
        object.__setattr__(city, "asked", [])
        app = make_app(city)
        assert isinstance(city, BackOffice)
        return platform_of(app), app.test_client(), city

    return make


def resolve(platform: Platform, *, minutes: int = 1) -> str:
    """Run the last resolve job as the worker does."""
    dispatch_all(platform)
    job = build.jobs(platform, Task.RESOLVE)[-1]
    return resolve_token(platform, now=build.NOON + minutes * MINUTE, **job["args"])


def listed(client: FlaskClient) -> list[str]:
    query = "start_date=2026-03-01&end_date=2026-03-02"
    return [item["service_request_id"] for item in client.get(f"{BASE}/requests.json?{query}").json]


@pytest.mark.requirement("C175")
@pytest.mark.requirement("C216")
def test_a_pending_token_has_no_id_and_its_request_is_not_listed(serve: Serve) -> None:
    platform, client, _ = serve()
    token = build.submit(platform, service_code="trees").token
    assert client.get(f"{BASE}/tokens/{token}.json").json == [{"token": token}]
    assert "service_request_id" not in client.get(f"{BASE}/tokens/{token}.xml").text
    assert listed(client) == []


@pytest.mark.requirement("C173")
@pytest.mark.requirement("C178")
def test_an_accepted_request_gets_an_id_and_can_be_read(serve: Serve) -> None:
    platform, client, city = serve(Accepted())
    token = build.submit(platform, service_code="trees", description="Low branch").token
    request_id = resolve(platform)
    assert request_id
    assert client.get(f"{BASE}/tokens/{token}.json").json == [{"service_request_id": request_id, "token": token}]
    (request,) = client.get(f"{BASE}/requests/{request_id}.json").json
    assert request["description"] == "Low branch"
    assert listed(client) == [request_id]
    ((asked_token, draft),) = city.asked
    assert (asked_token, draft.service.code, draft.description) == (token, "trees", "Low branch")


def test_the_id_from_the_back_office_is_used(serve: Serve) -> None:
    platform, client, _ = serve(Accepted("CRM/7 b"))
    token = build.submit(platform, service_code="trees").token
    assert resolve(platform) == "CRM/7 b"
    assert client.get(f"{BASE}/tokens/{token}.json").json[0]["service_request_id"] == "CRM/7 b"
    assert client.get(f"{BASE}/requests/CRM%2F7%20b.xml").status_code == 200


def test_a_back_office_id_that_is_already_used_is_replaced(serve: Serve) -> None:
    platform, _, _ = serve(Accepted("taken"))
    build.store(platform, service_request_id="taken")
    build.submit(platform, service_code="trees")
    assert resolve(platform) not in ("", "taken")


def test_a_pending_request_is_resolved_again_later(serve: Serve) -> None:
    platform, client, _ = serve(Pending(retry_after_s=600), Accepted())
    token = build.submit(platform, service_code="trees").token
    assert resolve(platform) == ""
    assert client.get(f"{BASE}/tokens/{token}.json").json == [{"token": token}]
    _, again = build.jobs(platform, Task.RESOLVE)
    assert again["scheduled_at"] == build.NOON + 11 * MINUTE
    assert again["args"]["token"] == token
    assert resolve(platform, minutes=11)


@pytest.mark.parametrize("format", ["json", "xml"])
def test_the_token_of_a_rejected_request_gives_the_reason(serve: Serve, format: str) -> None:
    platform, client, _ = serve(Rejected("The tree stands on private ground."), Accepted())
    token = build.submit(platform, service_code="trees").token
    assert resolve(platform) == ""
    answer = client.get(f"{BASE}/tokens/{token}.{format}")
    assert answer.status_code == 400
    assert "The tree stands on private ground." in answer.text
    assert listed(client) == []


def test_a_rejected_request_is_not_resolved_again(serve: Serve) -> None:
    platform, client, _ = serve(Rejected("No."), Accepted())
    token = build.submit(platform, service_code="trees").token
    assert resolve(platform) == resolve(platform) == ""
    assert client.get(f"{BASE}/tokens/{token}.json").status_code == 400


@pytest.mark.requirement("C179")
def test_running_the_job_twice_gives_one_id(serve: Serve) -> None:
    platform, client, _ = serve(Accepted("one"), Accepted("two"))
    token = build.submit(platform, service_code="trees").token
    assert resolve(platform) == resolve(platform, minutes=60 * 24) == "one"
    assert client.get(f"{BASE}/tokens/{token}.json").json[0]["service_request_id"] == "one"


def test_concurrent_workers_give_one_id(serve: Serve) -> None:
    platform, _, _ = serve(Accepted(), Accepted(), Accepted(), Accepted())
    build.submit(platform, service_code="trees")
    dispatch_all(platform)
    with ThreadPoolExecutor(4) as pool:
        request_ids = set(pool.map(lambda _: resolve(platform), range(4)))
    assert len(request_ids) == 1
    assert request_ids != {""}


def test_a_request_is_resolved_even_if_its_service_was_retired_meanwhile(serve: Serve) -> None:
    platform, _, city = serve(Accepted())
    build.submit(platform, service_code="trees")
    emptied = replace(city, services=(build.HOLE,))
    object.__setattr__(emptied, "answers", [Accepted("kept")])
    object.__setattr__(emptied, "asked", [])
    later = replace(platform, registry=Registry({emptied.id: emptied}))
    assert resolve(later) == "kept"


def test_a_job_of_an_unserved_city_fails_and_is_retried(serve: Serve) -> None:
    platform, _, _ = serve(Accepted())
    build.submit(platform, service_code="trees")
    with pytest.raises(Misconfigured, match=r"test.example"):
        resolve(replace(platform, registry=Registry({})))
    assert resolve(platform)


@pytest.mark.requirement("C180")
@pytest.mark.parametrize("format", ["json", "xml"])
def test_the_id_of_a_realtime_request_is_not_a_token(serve: Serve, format: str) -> None:
    platform, client, _ = serve()
    request_id = build.submit(platform).service_request_id
    assert client.get(f"{BASE}/tokens/{request_id}.{format}").status_code == 404


def test_a_blackbox_request_is_stored_and_never_shown(serve: Serve) -> None:
    platform, client, _ = serve()
    receipt = build.submit(platform, service_code="hotline", description="Thanks!")
    assert (receipt.service_request_id, receipt.token, receipt.service_notice) == ("", "", "Thank you.")
    assert listed(client) == []
    with platform.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT description, department FROM service_request").all()
    assert [tuple(row) for row in rows] == [("Thanks!", "desk")]


def test_a_batch_request_of_a_test_key_is_resolved_and_readable_but_not_listed(serve: Serve) -> None:
    platform, client, _ = serve(Accepted())
    build.submit(platform, service_code="trees", key=build.api_key(platform, is_test=True))
    request_id = resolve(platform)
    assert client.get(f"{BASE}/requests/{request_id}.json").status_code == 200
    assert listed(client) == []
