"""Signed calls of back offices: taken once, stored before the answer, and refused from anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.case import Case, RemoteUpdate
from open311.domain.remote_updates import UpdateState
from open311.domain.requests import Status
from open311.domain.results import Accepted, Result
from open311.federation.signing import BadSignature, verify
from open311.operations.delivery.applying import apply_updates
from open311.operations.delivery.quarantine import drop_quarantined, list_quarantined, retry_quarantined
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.plugins import BackendConfig, Destination, backends
from open311.plugins.backends import Backend, BadCall, RawCall
from open311.plugins.declared.backends import BackendTable
from open311.storage import audit, external_ids
from tests import build, world
from tests.checked_client import platform_of

PATH = "/callbacks/test.example/works"


class Hooks(Backend):
    """A kind that takes webhooks: `{"updates": [{"id": …, "status": …, "text": …}]}`."""

    table = BackendTable
    receives = True

    def send(self, case: Case, key: str) -> Result:
        return Accepted()

    def receive(self, call: RawCall) -> Sequence[RemoteUpdate]:
        try:
            name = verify(call.body, call.headers, secrets=[world.SECRET], now=self.context.now())
        except BadSignature as error:
            raise BadCall(str(error)) from None
        try:
            found = json.loads(call.body)["updates"]
        except (ValueError, KeyError):
            return [RemoteUpdate(update_id=name, fault="its body has no updates", description=call.body.decode())]
        return [
            RemoteUpdate(
                update_id=f"{name}:{place}", remote_id=one["id"], status=one["status"], description=one["text"]
            )
            for place, one in enumerate(found)
        ]


class Deaf(Hooks):
    """A kind that takes no calls."""

    receives = False


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "kinds", lambda: {"hooks": Hooks, "deaf": Deaf})


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    own = (BackendConfig(name="works", kind="hooks"), BackendConfig(name="deaf", kind="deaf"))
    return make_app(build.city(backends=own, destinations=(Destination(backends=("works",)),)))


@pytest.fixture
def platform(app: Flask) -> Platform:
    return platform_of(app)


@pytest.fixture
def name(platform: Platform) -> str:
    """The id of a request that the back office knows as W-1."""
    name = build.submit(platform, now=utc_now()).service_request_id
    while dispatch(platform, utc_now()):
        continue
    number = build.load(platform, service_request_id=name).number
    with platform.database.transaction() as connection:
        external_ids.add(connection, "test.example", "works", "W-1", number=number, at=utc_now())
    return name


def call(app: Flask, content: Any, *, id: str = "msg_1", path: str = PATH, **headers: str) -> Any:
    body = content if isinstance(content, bytes) else json.dumps({"updates": content}).encode()
    signed = world.signed_headers(body, id, utc_now()) | headers
    return app.test_client().post(path, data=body, headers=signed, content_type="application/json")


CLOSED = {"id": "W-1", "status": "fixed", "text": "Filled."}


def test_a_signed_call_closes_a_request(app: Flask, platform: Platform, name: str) -> None:
    answer = call(app, [CLOSED])
    assert (answer.status_code, answer.json) == (200, {"stored": 1, "known": 0})
    assert build.load(platform, service_request_id=name).status is Status.OPEN, "the worker applies it"
    apply_updates(platform, utc_now)
    after = build.load(platform, service_request_id=name)
    assert (after.status, after.status_notes) == (Status.CLOSED, "Filled.")


def test_the_same_call_again_changes_nothing(app: Flask, platform: Platform, name: str) -> None:
    call(app, [CLOSED])
    apply_updates(platform, utc_now)
    version = build.load(platform, service_request_id=name).version
    answer = call(app, [CLOSED])
    assert (answer.status_code, answer.json) == (200, {"stored": 0, "known": 1})
    apply_updates(platform, utc_now)
    assert build.load(platform, service_request_id=name).version == version


def test_too_many_updates_are_refused_and_none_is_stored(app: Flask, platform: Platform, name: str) -> None:
    answer = call(app, [CLOSED] * 1_001)
    assert answer.status_code == 413
    assert "has 1001 updates; send at most 1000" in answer.json["detail"]
    assert list_quarantined(platform, platform.registry.find("test.example")) == []
    assert apply_updates(platform, utc_now) == 0
    assert call(app, [CLOSED] * 1_000).json == {"stored": 1_000, "known": 0}


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,bm8="},
        {"webhook-signature": ""},
        {"webhook-timestamp": "1"},
        {"webhook-id": "other"},
    ],
)
def test_a_call_that_the_back_office_has_not_signed_gets_401(
    app: Flask, platform: Platform, name: str, headers: dict[str, str]
) -> None:
    answer = call(app, [CLOSED], **headers)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert "signature" in answer.json["detail"]
    assert apply_updates(platform, utc_now) == 0


@pytest.mark.parametrize(
    "path", ["/callbacks/test.example/deaf", "/callbacks/test.example/x", "/callbacks/x/works"]
)
def test_a_call_to_an_unknown_back_office_or_one_that_accepts_no_calls_gets_404(app: Flask, path: str) -> None:
    assert call(app, [CLOSED], path=path).status_code == 404


def test_a_body_that_cannot_be_read_is_kept_for_a_person(app: Flask, platform: Platform, name: str) -> None:
    assert call(app, b"<html>").status_code == 200
    (city,) = platform.registry
    [update] = list_quarantined(platform, city)
    assert (update.cause, update.description) == ("its body has no updates", "<html>")
    assert retry_quarantined(platform, city, [update.id], principal=SHELL, now=utc_now()) == []
    [dropped] = drop_quarantined(platform, city, [update.id, 99], principal=SHELL, now=utc_now(), reason="Spam.")
    assert (dropped.state, dropped.description) == (UpdateState.IGNORED, "")
    assert list_quarantined(platform, city, backend="works") == []
    with platform.database.reading() as connection:
        [entry] = audit.list_entries(connection, city.id)
    assert (entry.act, entry.reason) == ("update.drop", "Spam.")


def test_a_quarantined_update_can_be_tried_again(app: Flask, platform: Platform) -> None:
    call(app, [CLOSED])
    apply_updates(platform, utc_now)
    (city,) = platform.registry
    [update] = list_quarantined(platform, city)
    name = build.submit(platform, now=utc_now()).service_request_id
    number = build.load(platform, service_request_id=name).number
    with platform.database.transaction() as connection:
        external_ids.add(connection, city.id, "works", "W-1", number=number, at=utc_now())
    retry_quarantined(platform, city, [update.id], principal=SHELL, now=utc_now())
    apply_updates(platform, utc_now)
    assert build.load(platform, service_request_id=name).status is Status.CLOSED


def test_a_body_that_is_too_large_gets_413(app: Flask, platform: Platform) -> None:
    assert call(app, b" " * (platform.settings.max_body_bytes + 1)).status_code == 413


def test_no_page_on_the_web_may_read_the_answers(app: Flask) -> None:
    answer = call(app, [], Origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert app.test_client().get(PATH).status_code == 405


def test_an_error_in_the_code_of_a_kind_gets_503_so_that_the_call_is_repeated(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hooks, "receive", lambda *_: [][0])
    answer = call(app, [CLOSED])
    assert answer.status_code == 503
    assert "IndexError" not in answer.text


def test_a_caller_in_spanish_reads_spanish(app: Flask) -> None:
    answer = call(app, [CLOSED], path="/callbacks/test.example/x", **{"Accept-Language": "es"})
    assert answer.headers["Content-Language"] == "es"
    assert "no back office" not in answer.json["detail"]
