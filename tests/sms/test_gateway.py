"""The gateway refuses, is slow, or is down: when messages are sent again, under the same id, and when no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from standardwebhooks.webhooks import Webhook

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.sms import LEASE
from open311.domain.workflow import Outcome
from open311.federation.sms import WebhookSender
from open311.operations.delivery.telling import tell_operator
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.sms.sending import send_all
from open311.operations.sms.watching import read_state, retry_all
from open311.plugins import Accepted, Rejected, Retry, Sms, SmsConfig
from tests import build, world
from tests.sms.towns import Town, city, settings_for, town
from tests.waiting import until
from tests.working import work

Make = Callable[..., Flask]
CLOSE = commands.Close(outcome=Outcome.FIXED)
MESSAGE = Sms(id="sms-1", to="+16175550123", text="It is closed.", language="en", service_request_id="17")


def sender(gateway: world.Receiver, **changes: object) -> WebhookSender:
    config = SmsConfig(url=gateway.url, secret=world.SECRET, timeout_s=1, is_private=True)
    return WebhookSender(replace(config, **changes))  # type: ignore[arg-type]  # by their names


@pytest.mark.parametrize(
    ("status", "kind", "is_down"),
    [
        (400, Rejected, False),
        (422, Rejected, False),
        (401, Retry, True),
        (404, Retry, True),
        (302, Retry, True),
        (408, Retry, False),
        (429, Retry, True),
        (500, Retry, False),
        (503, Retry, True),
    ],
)
def test_each_answer_of_a_gateway_has_the_meaning_of_the_docs(status: int, kind: type, is_down: bool) -> None:
    with world.receiver(faults=[world.fault("status", status=status)]) as gateway:
        result = sender(gateway).send(MESSAGE, now=utc_now())
        assert isinstance(result, kind)
        assert getattr(result, "is_down", False) is is_down
        assert str(status) in str(result)
        assert isinstance(sender(gateway).send(MESSAGE, now=utc_now()), Accepted)


def test_a_message_is_signed_json_that_the_library_of_standard_webhooks_accepts() -> None:
    with world.receiver() as gateway:
        assert sender(gateway).send(MESSAGE, now=utc_now()) == Accepted()
        [hook] = gateway.accepted
        assert hook.is_signed
        assert hook.webhook_id == "sms-1"
        assert hook.data == {
            "id": "sms-1",
            "to": "+16175550123",
            "text": "It is closed.",
            "language": "en",
            "service_request_id": "17",
        }
        body = json.dumps(hook.data, ensure_ascii=False, separators=(",", ":"))
        assert Webhook(world.SECRET).verify(body, dict(hook.headers)) == hook.data


def test_an_address_in_our_own_network_is_not_called_unless_the_operator_wants_it() -> None:
    with world.receiver() as gateway:
        public = gateway.url.replace("http://127.0.0.1", "https://localhost")
        result = sender(gateway, url=public, is_private=False).send(MESSAGE, now=utc_now())
        assert isinstance(result, Retry)
        assert "may not be called" in result.cause
        assert gateway.hooks == []


def test_a_message_that_the_gateway_takes_later_is_tried_again_under_the_same_id(make_app: Make) -> None:
    faults = [world.fault("status", status=500), world.fault("lose_answer")]
    with town(make_app, *faults) as here:
        here.report()
        assert here.send() == []
        assert here.queue() == [("received", "waiting", 1)]
        assert here.send() == [], "the next try is later"
        first, again = here.send(hours=1)
        assert again == first, "the answer to the second try was lost"
        assert here.queue()[0][:2] == ("received", "done")
        assert len(here.gateway.accepted) == 1
        assert here.send(hours=30) == []


def test_a_message_that_the_gateway_refuses_is_not_sent_again_but_the_next_one_is_sent(make_app: Make) -> None:
    with town(make_app, world.fault("status", status=422)) as here:
        name = here.report()
        assert here.send() == []
        assert here.queue() == [("received", "failed", 0)]
        here.act(name, CLOSE)
        assert len(here.send()) == 1


def test_no_message_is_sent_during_a_pause_that_the_gateway_asks_for(make_app: Make) -> None:
    with town(make_app, world.fault("busy", seconds=7200)) as here:
        here.report()
        here.report(phone="617 555 0124")
        assert here.send() == []
        assert len(here.gateway.calls) == 1
        assert here.send(hours=1) == []
        assert len(here.send(hours=1.1)) == 2


def test_messages_wait_for_days_for_a_gateway_that_is_down_and_the_operator_is_told(make_app: Make) -> None:
    with world.receiver() as gateway, world.receiver() as operator:
        told = {"operator_webhook": operator.url, "operator_webhook_secret": world.SECRET}
        here = Town(make_app(city(), **settings_for(gateway), **told), gateway)
        operator.clock = here.now
        name = here.report()
        here.gateway.down()
        for _ in range(4):
            assert here.send(hours=24) == []
        assert here.queue() == [("received", "waiting", 0)]
        here.act(name, CLOSE)
        assert here.send(hours=1) == []
        tell_operator(here.platform, here.now())
        [notice] = here.rows("SELECT text FROM operator_notice")
        assert "The gateway for text messages is down" in notice["text"]
        here.gateway.up()
        retry_all(here.platform, now=here.now())
        sent = [one["text"] for one in here.send()]
        assert "STOP" in sent[0]
        assert "is closed" in sent[-1]
        assert {state for _, state, _ in here.queue()} <= {"done", "skipped"}, (
            "the message that the report was received is sent first, or skipped"
        )
        assert here.send(hours=24) == []


def test_a_message_of_five_days_ago_is_not_sent_and_the_operator_can_see_why(make_app: Make) -> None:
    with town(make_app) as here:
        here.report()
        here.gateway.down()
        for _ in range(5):
            assert here.send(hours=24) == []
        assert here.queue() == [("received", "failed", 0)]
        here.gateway.up()
        assert here.send() == []
        with here.platform.database.reading() as connection:
            assert read_state(connection, here.now()).causes == [("the gateway cannot be reached", 1)]


def test_a_killed_worker_leads_to_the_same_message_again(make_app: Make) -> None:
    with town(make_app, world.fault("delay_answer", seconds=60)) as here:
        here.report()
        here.platform.process.is_synced.clear()
        environment = os.environ | {
            "SMS_DATABASE": here.platform.settings.database_url,
            "SMS_URL": here.gateway.url,
        }
        worker = subprocess.Popen([sys.executable, "-m", "tests.sms.worker"], env=environment)
        try:
            until(lambda: here.gateway.hooks, "the message")
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        here.gateway.release()
        assert here.queue() == [("received", "sending", 0)]
        [first] = here.arrived()
        assert here.send() == [], "the lease has not ended"
        here.later += LEASE + timedelta(minutes=1)
        assert here.send() == [first]
        assert len(here.gateway.accepted) == 1, "the gateway can drop the second one by its id"
        assert here.send(hours=10) == []


def test_several_workers_send_each_message_once(here: Town) -> None:
    for number in range(8):
        here.report(phone=f"617 555 01{number:02}")
    while dispatch(here.platform, here.now()):
        continue
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: send_all(here.platform, here.now), range(3))) == 8
    assert len(here.arrived()) == len(here.gateway.accepted) == 8


def test_messages_of_a_city_are_skipped_after_five_days_if_it_is_not_served_and_at_once_if_it_sends_none(
    here: Town, make_app: Make
) -> None:
    here.report()
    while dispatch(here.platform, here.now()):
        continue
    other = Town(make_app(replace(city(), id="other.example"), **settings_for(here.gateway)), here.gateway)
    here.gateway.clock = here.now
    assert other.send() == []
    assert here.queue() == [("received", "waiting", 0)]
    assert here.send() == [], "the next try is later"
    assert len(here.send(hours=2)) == 1, "the city is served again"
    here.report()
    while dispatch(here.platform, here.now()):
        continue
    other.send(hours=2)
    other.send(hours=5 * 24)
    assert here.arrived() == []
    assert here.queue()[-1] == ("received", "skipped", 0)
    name = here.report()
    while dispatch(here.platform, here.now()):
        continue
    assert name
    Town(make_app(build.city(), **settings_for(here.gateway)), here.gateway).send(hours=2)
    assert here.arrived() == []
    assert here.queue()[-1] == ("received", "skipped", 0)


def test_a_gateway_in_our_own_network_is_called_without_the_proxy(make_app: Make) -> None:
    with world.receiver() as gateway:
        here = Town(make_app(city(), **settings_for(gateway), proxy="http://127.0.0.1:9"), gateway)
        here.report()
        assert len(here.send()) == 1


def test_a_worker_that_runs_once_sends_messages(here: Town) -> None:
    here.report()
    work(here.platform)
    assert len(here.arrived()) == 1


def test_a_gateway_that_is_not_set_up_stops_nothing_else_and_loses_nothing(make_app: Make) -> None:
    with world.receiver() as gateway:
        broken = settings_for(gateway) | {"sms_secret": "no secret"}
        here = Town(make_app(city(), **broken), gateway)
        here.report()
        assert here.send() == []
        assert here.queue() == [("received", "waiting", 0)]
        fixed = Town(make_app(city(), **settings_for(gateway)), gateway)
        retry_all(fixed.platform, now=utc_now())
        assert len(fixed.send()) == 1
