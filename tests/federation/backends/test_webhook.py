"""Cases as signed webhooks, and signed webhooks as updates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from open311.domain.case import RemoteUpdate
from open311.domain.results import Accepted, Failed, Pending, Rejected, Retry
from open311.errors import Misconfigured
from open311.federation.backends.webhook import WebhookBackend, WebhookConfig
from open311.plugins.backends import BadCall, LookUpFailed, RawCall, Secret
from open311.plugins.context import CallFailed, OAuthClient
from tests import world
from tests.build import NOON
from tests.federation.backends.office import CASE, KEY, PLAIN, UPDATE, context
from tests.federation.scripted import Reply, as_json, serve


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", f"whsec_{'b2xk' * 8}, {world.SECRET}")
    monkeypatch.setenv("INCOMING_SECRET", world.SECRET)


def hook(url: str, **changes: Any) -> WebhookBackend:
    values: dict[str, Any] = {"name": "works", "kind": "webhook", "url": url, "secret": Secret(env="HOOK_SECRET")}
    return WebhookBackend(WebhookConfig(**values | changes), context())


@pytest.fixture
def office() -> Iterator[world.Receiver]:
    with world.receiver(respond=lambda hook: (200, {"service_request_id": f"W-{hook.number}"})) as office:
        yield office


def test_a_case_arrives_signed_with_the_key_as_its_id(office: world.Receiver) -> None:
    backend = hook(office.url, service_codes={"potholes": "001"}, headers={"X-City": "test"})
    assert backend.send(CASE, KEY) == Accepted("W-1")
    assert backend.send_update(UPDATE, "key-2") == Accepted()
    first, second = office.accepted
    assert (first.webhook_id, first.is_signed, first.header("X-City")) == (KEY, True, "test")
    assert (first.data["type"], first.data["timestamp"]) == ("request.created", "2026-03-01T12:00:00Z")
    assert first.data["data"] == {
        "jurisdiction_id": "test.example",
        "reference": "2026-0000012",
        "service_request_id": "2026-0000012",
        "service_code": "001",
        "service_name": "Pothole",
        "status": "open",
        "department": "streets",
        "agency_responsible": "Street Works",
        "priority": "high",
        "requested_datetime": "2026-03-01T12:00:00Z",
        "updated_datetime": "2026-03-01T12:00:00Z",
        "expected_datetime": "2026-03-05T12:00:00Z",
        "lat": 60.1718,
        "long": 24.9414,
        "address": "5 Mill Lane",
        "description": "Deep, near the kerb",
        "media_url": ["https://photos.example/1.jpg"],
        "attributes": [{"code": "SURFACE", "label": "Which surface?", "value": "brick", "name": "Brick"}],
        "email": "ann@example.org",
        "first_name": "Ann",
        "url": "https://311.test.example/open311/v2/requests/2026-0000012.json?jurisdiction_id=test.example",
    }
    assert second.data == {
        "type": "request.updated",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {
            "update_id": "key-2",
            "reference": "2026-0000012",
            "service_request_id": "2026-0000012",
            "remote_id": "W-1",
            "status": "fixed",
            "updated_datetime": "2026-03-01T12:00:00Z",
            "description": "Filled.",
        },
    }


def test_a_second_try_sends_the_same_webhook(office: world.Receiver) -> None:
    backend = hook(office.url)
    backend.send(PLAIN, KEY)
    backend.send(PLAIN, KEY)
    assert [each.is_repeated for each in office.hooks] == [False, True]
    assert office.hooks[0].data == office.hooks[1].data


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (Reply(status=204), Accepted()),
        (as_json({"service_request_id": 77}), Accepted("77")),
        (as_json({"token": "t-1"}), Accepted("t-1")),
        (as_json(["W-1"]), Accepted()),
        (as_json({"service_request_id": ["x"], "token": True}), Accepted()),
        (as_json({"service_request_id": "x" * 999}), Accepted()),
        (Reply(b"\xff\xfe<html>", "text/html"), Accepted()),
        (Reply(b"[" * 100_000), Accepted()),
        (as_json({"secret": "x"}, 400), Rejected("{origin} answered 400")),
        (as_json({}, 404), Retry(cause="{origin} answered 404", is_down=False)),
        (as_json({}, 410), Failed("{origin} answered 410: the address is gone")),
        (as_json({}, 429, Retry_After="90"), Retry(cause="{origin} answered 429", after_s=90.0)),
        (as_json({}, 503, Retry_After="x"), Retry(cause="{origin} answered 503")),
        (as_json({}, 500), Retry(cause="{origin} answered 500", is_uncertain=True)),
        (as_json({}, 408), Retry(cause="{origin} answered 408")),
        (as_json({}, 401), Retry(cause="{origin} answered 401: it does not accept our credentials")),
        (as_json({}, 403), Retry(cause="{origin} answered 403: it does not accept our credentials")),
    ],
)
def test_status_and_body_of_the_answer_decide_the_result(reply: Reply, result: Any) -> None:
    with serve(reply) as script:
        found = hook(script.origin + "/secret/path").send(PLAIN, KEY)
        assert repr(found) == repr(result).replace("{origin}", script.origin)


def test_a_redirect_is_not_followed() -> None:
    with serve(Reply(status=307, headers={"Location": "/other"})) as script:
        found = hook(script.origin).send(PLAIN, KEY)
        assert isinstance(found, Retry)
        assert "address to which it leads" in found.cause
        assert len(script.asked) == 1


def test_a_lost_answer_is_uncertain_and_shows_no_path(office: world.Receiver) -> None:
    office.fault(world.fault("lose_answer"))
    with pytest.raises(CallFailed) as caught:
        hook(office.url).send(PLAIN, KEY)
    result = caught.value.result
    assert isinstance(result, Retry)
    assert result.is_uncertain
    assert "/hook" not in str(result)


def test_a_webhook_to_a_receiver_that_is_down_is_tried_again_and_not_uncertain(office: world.Receiver) -> None:
    office.down()
    with pytest.raises(CallFailed) as caught:
        hook(office.url).send(PLAIN, KEY)
    assert isinstance(caught.value.result, Retry)
    assert not caught.value.result.is_uncertain


def test_the_id_of_a_token_is_asked_for() -> None:
    replies = [as_json({"token": "t/1"}), as_json({}), as_json({"service_request_id": "W-9"}), as_json({}, 500)]
    with serve(*replies) as script:
        backend = hook(script.origin, token_path="/tokens/{token}")
        assert backend.send(PLAIN, KEY) == Pending(token="t/1")
        assert backend.resolve("t/1") == Pending(token="t/1")
        assert backend.resolve("t/1") == Accepted("W-9")
        assert script.asked[-1].path == "/tokens/t%2F1"
        with pytest.raises(LookUpFailed):
            backend.resolve("t/1")


def test_access_tokens_are_sent_with_the_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTH_SECRET", "the-oauth-secret")
    with serve(as_json({"access_token": "token-1-abcdef", "token_type": "Bearer"})) as giver, serve() as taker:
        taker.replies = [as_json({})]
        oauth = OAuthClient(
            token_url=f"{giver.origin}/token", client_id="city", client_secret=Secret(env="OAUTH_SECRET")
        )
        assert hook(taker.origin, oauth=oauth).send(PLAIN, KEY) == Accepted()
        assert taker.asked[0].headers["Authorization"] == "Bearer token-1-abcdef"


@pytest.mark.parametrize("value", ["", "abc", "whsec_!!", "whsec_YWJj"])
def test_the_error_for_an_unusable_secret_does_not_show_the_secret(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", value)
    with pytest.raises(Misconfigured) as caught:
        hook("https://works.example")
    assert not value or value not in str(caught.value).replace("whsec_", "", 1)


# --- Updates


def call(data: Any, *, webhook_id: str = "msg-1", **headers: str) -> RawCall:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return RawCall(body=body, headers={**world.signed_headers(body, webhook_id, NOON), **headers})


def receive(given: RawCall, **changes: Any) -> list[RemoteUpdate]:
    values: dict[str, Any] = {"url": "https://works.example", "secret": Secret(env="HOOK_SECRET")}
    values |= {"incoming_secret": Secret(env="INCOMING_SECRET")} | changes
    backend = WebhookBackend(WebhookConfig(name="works", kind="webhook", **values), context(now=lambda: NOON))
    return list(backend.receive(given))


DONE = {
    "update_id": "u-1",
    "service_request_id": "W-1",
    "status": "done",
    "updated_datetime": "2026-03-01T10:00:00Z",
}


def test_signed_updates_are_read() -> None:
    [alone] = receive(call(DONE))
    assert (alone.update_id, alone.remote_id, alone.reference, alone.status) == ("u-1", "W-1", "W-1", "done")
    assert alone.at is not None
    assert not alone.fault
    assert receive(call({"type": "x", "data": DONE})) == receive(call([DONE])) == [alone]
    named = receive(call([{"reference": "R-1", "status": "done"}, {"reference": "R-2", "status": "done"}]))
    assert [(one.update_id, one.reference) for one in named] == [("msg-1/0", "R-1"), ("msg-1/1", "R-2")]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ("text", "no object"),
        ({}, "names no request"),
        (DONE | {"updated_datetime": "yesterday"}, "is no time"),
    ],
)
def test_a_call_that_cannot_be_read_gives_an_update_with_a_fault(data: Any, fault: str) -> None:
    [found] = receive(call(data))
    assert fault in found.fault
    assert found.update_id


def test_a_call_that_nobody_has_signed_is_refused() -> None:
    for given in (
        RawCall(body=b"{}", headers={}),
        RawCall(body=b"{} ", headers=call(b"{}").headers),
        call(DONE, **{"webhook-timestamp": "1"}),
    ):
        with pytest.raises(BadCall):
            receive(given)
    with pytest.raises(BadCall, match="incoming_secret"):
        receive(call(DONE), incoming_secret=Secret())


def test_a_check_shows_whether_something_listens_and_sends_no_case(office: world.Receiver) -> None:
    backend = hook(office.url)
    assert backend.check() == Accepted()
    assert not office.accepted
    office.down()
    with pytest.raises(CallFailed):
        backend.check()


def test_a_check_accepts_a_receiver_that_knows_only_post() -> None:
    with serve(Reply(status=405)) as server:
        assert hook(server.origin).check() == Accepted()
    with serve(Reply(status=502)) as server:
        assert isinstance(hook(server.origin).check(), Retry)
