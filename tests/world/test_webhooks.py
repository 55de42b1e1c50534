"""The receiver takes signed webhooks once, refuses others, and misbehaves as a neighbour does."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import world
from tests.world.webhooks import signature

BODY = json.dumps({"type": "request.created", "data": {"service_request_id": "R-1"}}).encode()


def send(office: world.Receiver, webhook_id: str = "w-1", body: bytes = BODY, **options: Any) -> requests.Response:
    at, secret = options.get("at", world.START), options.get("secret", world.SECRET)
    headers = world.signed_headers(BODY, webhook_id, at, secret)
    return requests.post(office.url, body, headers=headers, timeout=10)


def clock() -> Any:
    return world.START


def test_a_signed_webhook_is_taken_with_its_id_and_time() -> None:
    with world.receiver(clock=clock) as office:
        answer = send(office)
        assert (answer.status_code, answer.json()) == (200, {"id": "W-1"})
        [hook] = office.accepted
        assert (hook.webhook_id, hook.is_signed, hook.at) == ("w-1", True, world.START)
        assert hook.data == json.loads(BODY)
        assert hook.header("Webhook-Id") == "w-1"


def test_the_signature_is_that_of_the_published_example() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(body, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", secret) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": BODY + b" "},
        {"secret": "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIg"},
        {"at": world.START - timedelta(seconds=301)},
        {"at": world.START + timedelta(seconds=301)},
    ],
)
def test_a_webhook_with_a_wrong_signature_is_refused(wrong: dict[str, Any]) -> None:
    with world.receiver(clock=clock) as office:
        assert send(office, **wrong).status_code == 401
        assert requests.post(office.url, BODY, timeout=10).status_code == 401
        assert office.hooks == []


def test_a_receiver_without_secrets_accepts_all_calls() -> None:
    with world.receiver(secrets=(), clock=clock) as office:
        for _ in range(2):
            assert requests.post(office.url, BODY, timeout=10).status_code == 200
        assert [each.is_signed for each in office.accepted] == [False, False]


def test_a_repeated_webhook_is_taken_once_and_gets_the_same_answer() -> None:
    with world.receiver(clock=clock) as office:
        first, again, other = send(office), send(office), send(office, "w-2")
        assert (first.json(), again.json(), other.json()) == ({"id": "W-1"}, {"id": "W-1"}, {"id": "W-2"})
        assert [each.webhook_id for each in office.accepted] == ["w-1", "w-2"]
        assert len(office.hooks) == 3


def test_only_json_by_post_is_taken() -> None:
    with world.receiver(clock=clock) as office:
        assert requests.get(office.url, timeout=10).status_code == 405
        assert requests.post(f"{office.origin}/else", BODY, timeout=10).status_code == 404
        assert send(office, body=b"{").status_code == 400


@pytest.mark.parametrize(
    ("kind", "accepted", "hooks"), [("drop", 0, 0), ("lose_answer", 1, 1), ("double", 1, 2), ("cut", 1, 1)]
)
def test_the_fault_of_a_receiver_decides_what_it_takes(kind: str, accepted: int, hooks: int) -> None:
    with world.receiver(clock=clock, faults=[world.fault(kind, on="POST hook")]) as office:
        if kind == "double":
            assert send(office).status_code == 200
        else:
            with pytest.raises(requests.RequestException):
                send(office)
        assert (len(office.accepted), len(office.hooks)) == (accepted, hooks)
        assert office.calls[0]["fault"] == kind


def test_a_test_can_choose_the_answer_of_the_receiver() -> None:
    with world.receiver(clock=clock, respond=lambda hook: (202, {"seen": hook.webhook_id})) as office:
        answer = send(office)
        assert (answer.status_code, answer.json()) == (202, {"seen": "w-1"})


def test_a_receiver_remembers_after_a_restart(tmp_path: Path) -> None:
    with world.receiver(clock=clock, file=tmp_path / "journal") as office:
        send(office)
    with world.receiver(clock=clock, file=tmp_path / "journal") as office:
        send(office)
        assert len(office.accepted) == 1
        office.down()
        with pytest.raises(requests.ConnectionError):
            send(office)
        office.up()
        assert send(office).status_code == 200


def test_a_receiver_sends_webhooks_too() -> None:
    with world.receiver(clock=clock) as office, world.receiver(clock=clock) as other:
        assert office.send(other.url, {"type": "request.updated"}, "u-1").status_code == 200
        assert other.accepted[0].data == {"type": "request.updated"}
        assert office.send(other.url, {}, "u-2", at=world.START - timedelta(days=1)).status_code == 401
