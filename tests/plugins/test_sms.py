"""The kit for senders of text messages: the built-in kind passes, and each fault of a kind is named."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from open311.federation.sms import WebhookSender
from open311.plugins import Accepted, RawCall, Rejected, Retry, Sms, SmsAnswer, SmsConfig, SmsResult
from open311.plugins.sms import sms_kind_fault
from open311.plugins.sms_trials import SECRET
from open311.plugins.testing import Exchange, check_sms_sender, find_faults
from open311.plugins.trials import NOON
from tests import build
from tests.sms.towns import city
from tests.world.webhooks import signed_headers

SENT = [Exchange(call="POST /send", body={"ok": True})]


def test_the_webhook_passes_the_kit() -> None:
    body = b'{"from": "+16175550123", "text": "STOP"}'
    answer = {"body": body, "headers": signed_headers(body, "a1", NOON, SECRET)}
    check_sms_sender(WebhookSender, SENT, answer=answer)


class _Careless:
    """A sender with faults that the kit must find."""

    api_version = 1

    def __init__(self, config: SmsConfig) -> None:
        self.config = config

    def send(self, sms: Sms, *, now: datetime) -> SmsResult:
        raise RuntimeError(f"{sms.to} at {now}")

    def receive(self, call: RawCall, *, now: datetime) -> SmsAnswer:
        return SmsAnswer(sender=str(now), text=call.body.decode())

    def close(self) -> None:
        return None


class _Chatty(_Careless):
    def send(self, sms: Sms, *, now: datetime) -> SmsResult:
        return Rejected(f"{sms.to} is unknown")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (_Careless, "no fault: it raises RuntimeError"),
        (_Careless, "without settings it can be opened"),
        (_Careless, "a call without a signature is accepted; BadCall is needed"),
        (_Chatty, "a log or the result has"),
        (_Chatty, "no fault: Accepted is needed"),
        (_Chatty, "busy: a Retry with the pause of Retry-After is needed"),
        (_Chatty, "it calls nothing"),
    ],
)
def test_each_fault_of_a_sender_is_named(kind: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_sms_sender(kind, SENT)


def test_the_results_of_a_sender_are_accepted_rejected_and_retry() -> None:
    assert {Accepted, Rejected, Retry} == set(SmsResult.__args__)


def test_a_city_with_an_unknown_kind_or_without_a_region_is_named() -> None:
    assert "kind 'pigeon' is not installed; use one of webhook" in sms_kind_fault("pigeon")
    assert any("pigeon" in one for one in find_faults(city(kind="pigeon")))
    assert find_faults(city()) == []
    assert any("phone_region" in one for one in find_faults(build.city(sms=city().sms)))
