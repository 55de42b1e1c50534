"""Subscriptions: what a key holder asks for, and what the receiver gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.requests import Reporter, Visibility
from open311.operations.access.api_keys import add_key, list_keys, resume_key, revoke_key, suspend_key
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import Position, write_position
from open311.operations.subscriptions.expiring import expire_subscriptions
from open311.operations.subscriptions.sending import send_all
from open311.operations.workflow.act import act
from tests import build, world
from tests.checked_client import platform_of
from tests.subscribing import SUBSCRIPTIONS, Subscriber, shown, subscribe, subscriber, tell
from tests.waiting import settle

AHEAD = write_position("test.example", Position(2**60, 1))
"""A cursor after changes that are lost."""


@dataclass
class Town:
    """A server with a key, and a receiver that it may call."""

    app: Flask
    client: FlaskClient
    platform: Platform
    key: str
    receiver: Subscriber

    def subscribe(self, **filters: Any) -> Any:
        """A subscription whose receiver has answered the challenge."""
        settle(self.platform)  # otherwise the subscription may also get earlier changes
        found = subscribe(self.client, self.key, self.receiver.url, **filters)
        self.tell()
        return found

    def tell(self, **later: float) -> int:
        settle(self.platform)
        return tell(self.platform, utc_now() + timedelta(**later))

    def shown(self, name: str) -> Any:
        return shown(self.client, self.key, name)

    def act(self, name: str, act: str, **fields: str) -> Any:
        answer = self.client.post(f"{SUBSCRIPTIONS}/{name}/{act}.json", data={"api_key": self.key} | fields)
        assert answer.status_code == 200, answer.text
        return answer.json[0]

    def cursor(self) -> str:
        found: str = self.client.get("/open311/v2/changes.json").headers["X-Cursor"]
        return found


@pytest.fixture
def town(make_app: Callable[..., Flask]) -> Iterator[Town]:
    with subscriber() as receiver:
        app = make_app(build.city(), webhook_hosts=(receiver.host,), webhook_timeout_s=2)
        platform = platform_of(app)
        _, key = add_key(platform, label="app", now=build.NOON)
        yield Town(app, app.test_client(), platform, key, receiver)


def test_a_receiver_is_told_of_a_new_request_with_its_public_item(town: Town) -> None:
    town.subscribe()
    build.submit(town.platform, description="A deep hole", reporter=Reporter(email="ada@private.example"))
    town.tell()
    [(webhook_id, message)] = town.receiver.messages
    [item] = town.client.get("/open311/v2/requests.json?start_date=2026-01-01T00:00:00Z&end_date=2026-03-31").json
    assert webhook_id.startswith("msg_")
    assert message["type"] == "service_request.changed"
    assert message["data"]["service_request"] == item
    assert message["data"]["service_request_id"] == item["service_request_id"]
    assert message["data"]["changes"] == ["received"]
    assert "ada@private" not in str(message)


def test_no_webhook_is_sent_before_the_challenge_is_answered(town: Town) -> None:
    with world.receiver(secrets=()) as silent:  # answers without the challenge
        town.platform.settings.__dict__["webhook_hosts"] = (silent.origin.removeprefix("http://"),)
        found = subscribe(town.client, town.key, silent.url)
        build.submit(town.platform)
        town.tell()
        assert [hook.data["type"] for hook in silent.hooks] == ["subscription.challenge"]
    found = town.shown(found["subscription_id"])
    assert found["state"] == "unverified"
    assert found["notice"] == "The receiver did not answer the challenge; it is tried again."


def test_changes_from_before_the_answer_to_the_challenge_are_sent_after_it(town: Town) -> None:
    subscribe(town.client, town.key, town.receiver.url)
    build.submit(town.platform)
    town.tell()
    assert len(town.receiver.held) == 1


def test_a_subscription_to_a_retired_code_gets_the_requests_of_its_service(make_app: Callable[..., Flask]) -> None:
    with subscriber() as receiver:
        app = make_app(build.city(aliases={"pothole": "potholes"}), webhook_hosts=(receiver.host,))
        platform = platform_of(app)
        _, key = add_key(platform, label="app", now=build.NOON)
        town = Town(app, app.test_client(), platform, key, receiver)
        assert town.subscribe(service_code="pothole,potholes")["service_code"] == ["potholes"]
        build.submit(platform)
        town.tell()
        assert len(receiver.messages) == 1


def test_the_library_of_standard_webhooks_accepts_what_we_send(town: Town) -> None:
    seen: list[Any] = []
    secret = ""
    receive = town.receiver.office._handle

    def handle(asked: Any) -> Any:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        seen.append(Webhook(secret).verify(asked.body, {name: asked.header(name) for name in names}))
        return receive(asked)

    town.receiver.office._handle = handle  # type: ignore[method-assign]
    found = subscribe(town.client, town.key, town.receiver.url)
    secret = found["secret"]
    build.submit(town.platform)
    tell(town.platform, utc_now())
    town.tell()
    assert [one["type"] for one in seen] == ["subscription.challenge", "service_request.changed"]


@pytest.mark.parametrize("visibility", [Visibility.WITHDRAWN, Visibility.PRIVATE])
def test_a_request_that_nobody_can_read_any_more_is_sent_as_withdrawn(town: Town, visibility: Visibility) -> None:
    town.subscribe()
    name = build.submit(town.platform).service_request_id
    town.tell()
    build.change(town.platform, name, visibility=visibility)
    town.tell()
    _, message = town.receiver.messages[-1]
    assert message["type"] == "service_request.withdrawn"
    assert message["data"].keys() == {
        "subscription_id",
        "jurisdiction_id",
        "service_request_id",
        "sequence",
        "withdrawn",
    }
    assert town.receiver.gone == [name]
    assert not town.receiver.held


@pytest.mark.parametrize(
    ("filters", "change"),
    [({"status": "open"}, {"status": "closed"}), ({"department": "streets"}, {"department": "parks"})],
)
def test_a_request_that_leaves_the_filter_is_withdrawn_for_the_receiver(
    town: Town, filters: dict[str, str], change: dict[str, Any]
) -> None:
    name = build.submit(town.platform).service_request_id  # before the subscription
    tell(town.platform)
    town.subscribe(**filters)
    build.change(town.platform, name, **change)
    town.tell()
    assert town.receiver.gone == [name]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"service_code": "potholes"}, 1),
        ({"service_code": "trees"}, 0),
        ({"status": "closed"}, 0),
        ({"bbox": "24.9,60.1,25.0,60.2"}, 1),
        ({"bbox": "25.9,60.1,26.0,60.2"}, 0),
        ({"lat": "60.1718", "long": "24.9414", "radius": "10"}, 1),
        ({"lat": "60.1818", "long": "24.9414", "radius": "10"}, 0),
        ({"department": "Streets"}, 1),
    ],
)
def test_the_receiver_is_told_only_of_what_its_filter_matches(
    town: Town, filters: dict[str, str], count: int
) -> None:
    found = town.subscribe(**filters)
    assert {name: found[name] for name in filters if isinstance(found[name], str) and name != "department"} == {
        name: value for name, value in filters.items() if name == "bbox"
    }
    build.submit(town.platform)
    town.tell()
    assert len(town.receiver.messages) == count


def test_one_request_can_be_followed(town: Town) -> None:
    names = [build.submit(town.platform).service_request_id for _ in range(2)]
    tell(town.platform)
    town.subscribe(service_request_id=names[0])
    for name in names:
        build.change(town.platform, name, status="closed", note="Filled.")
    town.tell()
    assert list(town.receiver.held) == [names[0]]
    [(_, message)] = town.receiver.messages
    assert message["data"]["changes"] == ["status", "note"]


def test_several_changes_that_wait_are_sent_once_with_the_newest_version(town: Town) -> None:
    town.subscribe()
    name = build.submit(town.platform).service_request_id
    build.change(town.platform, name, note="We look at it.")
    build.change(town.platform, name, status="closed")
    town.tell()
    [(_, message)] = town.receiver.messages
    assert message["data"]["changes"] == ["received", "note", "status"]
    assert message["data"]["service_request"]["status"] == "closed"


def test_a_change_that_the_public_does_not_see_is_not_sent(town: Town) -> None:
    town.subscribe()
    name = build.submit(town.platform).service_request_id
    town.tell()
    build.change(town.platform, name, note="")
    platform = town.platform
    [city] = platform.registry
    act(platform, city, name, [commands.Note(text="Only staff see it.")], principal=SHELL, now=build.NOON)
    town.tell()
    assert len(town.receiver.messages) == 1


def test_a_failed_webhook_is_sent_again_with_the_same_id_and_body(town: Town) -> None:
    found = town.subscribe()
    build.submit(town.platform)
    town.receiver.answers = [503]
    town.tell()
    named = town.shown(found["subscription_id"])
    assert (named["failures"], named["waiting"]) == (1, 1)
    assert named["notice"] == "The receiver answered 503; it is tried again."
    assert town.tell() == 0  # the pause is not over
    town.tell(minutes=5)
    first, again = [hook for hook in town.receiver.office.hooks if hook.data["type"] != "subscription.challenge"]
    assert (first.webhook_id, first.data) == (again.webhook_id, again.data)
    named = town.shown(found["subscription_id"])
    assert (named["failures"], named["waiting"], named["sent"], named["notice"]) == (0, 0, 1, None)


def test_a_request_that_the_receiver_always_refuses_does_not_hold_up_the_others(town: Town) -> None:
    town.subscribe()
    first = build.submit(town.platform).service_request_id
    accept = town.receiver.respond

    def respond(hook: world.Hook) -> tuple[int, Any]:
        if hook.data["data"].get("service_request_id") == first:
            return 400, {}
        return accept(hook)

    town.receiver.office.respond = respond
    others = {build.submit(town.platform).service_request_id for _ in range(3)}
    for minute in range(4):
        town.tell(minutes=minute)
    assert set(town.receiver.held) == others


def test_after_days_of_failures_a_subscription_is_disabled_and_resume_tells_what_was_missed(town: Town) -> None:
    found = town.subscribe()
    kept, hidden = [build.submit(town.platform).service_request_id for _ in range(2)]
    town.tell()
    town.receiver.answers = [500] * 1000
    build.change(town.platform, kept, status="closed")
    for day in range(12):
        town.tell(days=day)
    named = town.shown(found["subscription_id"])
    assert (named["state"], named["waiting"]) == ("disabled", 0)
    assert "call resume" in named["notice"]
    build.change(town.platform, hidden, visibility=Visibility.WITHDRAWN)
    assert town.tell(days=12) == 0
    town.receiver.answers = []
    assert town.act(found["subscription_id"], "resume")["state"] == "active"
    town.tell(days=13)
    assert town.receiver.held[kept]["status"] == "closed"
    assert town.receiver.gone == [hidden]
    assert not town.shown(found["subscription_id"])["replaying"]


def test_a_receiver_that_answers_410_is_disabled_at_once(town: Town) -> None:
    found = town.subscribe()
    build.submit(town.platform)
    town.receiver.answers = [410]
    town.tell()
    assert town.shown(found["subscription_id"])["state"] == "disabled"


def test_a_paused_subscription_collects_changes_and_sends_them_after_resume(town: Town) -> None:
    found = town.subscribe()
    assert town.act(found["subscription_id"], "pause")["state"] == "paused"
    build.submit(town.platform)
    town.tell()
    assert not town.receiver.messages
    assert town.shown(found["subscription_id"])["waiting"] == 1
    town.act(found["subscription_id"], "resume")
    town.tell()
    assert len(town.receiver.messages) == 1


@pytest.mark.parametrize("acts", [("resume",), ("pause", "resume")])
def test_while_a_worker_sends_no_other_worker_sends_even_after_a_resume(town: Town, acts: tuple[str, ...]) -> None:
    found = town.subscribe()
    build.submit(town.platform)
    sent_by_others: list[int] = []
    respond = town.receiver.respond

    def resumed_in_between(hook: world.Hook) -> tuple[int, Any]:
        for name in acts:
            town.act(found["subscription_id"], name)
        sent_by_others.append(send_all(town.platform, utc_now))
        return respond(hook)

    town.receiver.office.respond = resumed_in_between
    town.tell()
    assert sent_by_others == [0]
    assert len(town.receiver.messages) == 1


def test_a_subscription_that_is_paused_for_31_days_is_disabled(town: Town) -> None:
    found = town.subscribe()
    town.act(found["subscription_id"], "pause")
    build.submit(town.platform)
    town.tell()
    expire_subscriptions(town.platform, utc_now() + timedelta(days=31))
    named = town.shown(found["subscription_id"])
    assert (named["state"], named["waiting"]) == ("disabled", 0)
    town.act(found["subscription_id"], "resume")
    town.tell()
    assert len(town.receiver.held) == 1


def test_a_replay_from_a_cursor_sends_webhooks_again_with_the_same_ids(town: Town) -> None:
    found = town.subscribe()
    cursor = town.cursor()
    name = build.submit(town.platform).service_request_id
    town.tell()
    town.act(found["subscription_id"], "replay", cursor=cursor)
    town.tell()
    (first, _), (again, _) = town.receiver.messages
    assert first == again
    build.change(town.platform, name, visibility=Visibility.WITHDRAWN)
    town.tell()
    town.act(found["subscription_id"], "replay", since="2020-01-01T00:00:00Z")
    town.tell()
    assert town.receiver.gone == [name, name]


def test_a_replay_does_not_tell_of_requests_that_never_matched(town: Town) -> None:
    build.submit(town.platform)
    tell(town.platform)
    town.subscribe(service_code="trees", since="2020-01-01T00:00:00Z")
    assert not town.receiver.messages


def test_a_new_subscription_can_begin_at_a_time_in_the_past(town: Town) -> None:
    build.submit(town.platform)
    tell(town.platform)
    town.subscribe(since="2020-01-01T00:00:00Z")
    assert len(town.receiver.held) == 1


def test_both_secrets_sign_for_a_day_after_a_rotation(town: Town) -> None:
    found = town.subscribe()
    rotated = town.act(found["subscription_id"], "secret")
    assert rotated["secret"] not in ("", found["secret"])
    build.submit(town.platform)
    town.tell()
    [hook] = [one for one in town.receiver.office.hooks if one.data["type"] != "subscription.challenge"]
    assert hook.header("webhook-signature").count("v1,") == 2
    build.submit(town.platform)
    town.tell(days=2)
    assert town.receiver.office.hooks[-1].header("webhook-signature").count("v1,") == 1
    assert "secret" not in town.shown(found["subscription_id"])


def test_a_deleted_subscription_gets_nothing(town: Town) -> None:
    found = town.subscribe()
    build.submit(town.platform)
    path = f"{SUBSCRIPTIONS}/{found['subscription_id']}.json"
    answer = town.client.delete(path, query_string={"api_key": town.key})
    assert (answer.status_code, answer.json) == (200, [])
    town.tell()
    assert not town.receiver.messages
    assert town.client.get(path, query_string={"api_key": town.key}).status_code == 404


def test_a_key_sees_only_its_own_subscriptions(town: Town) -> None:
    found = town.subscribe()
    _, other = add_key(town.platform, label="other", now=build.NOON)
    path = f"{SUBSCRIPTIONS}/{found['subscription_id']}"
    assert town.client.get(f"{SUBSCRIPTIONS}.json", query_string={"api_key": other}).json == []
    for what in ("pause", "resume", "replay", "secret"):
        fields = {"api_key": other, "since": "2026-01-01"}
        assert town.client.post(f"{path}/{what}.json", data=fields).status_code == 404
    assert town.client.delete(f"{path}.json", query_string={"api_key": other}).status_code == 404
    assert town.client.get(f"{path}.json").status_code == 403
    assert town.shown(found["subscription_id"])["state"] == "active"


def test_a_suspended_key_gets_no_webhooks_until_it_works_again(town: Town) -> None:
    town.subscribe()
    [number] = [key.id for key in list_keys(town.platform)]
    suspend_key(town.platform, number, "Too many calls.", principal=SHELL, now=build.NOON)
    build.submit(town.platform, key=build.api_key(town.platform))
    town.tell()
    assert not town.receiver.messages
    resume_key(town.platform, number, principal=SHELL, now=build.NOON)
    town.tell()
    assert len(town.receiver.messages) == 1
    revoke_key(town.platform, number, now=build.NOON)
    assert expire_subscriptions(town.platform, utc_now()) == {"subscriptions": 1}


def test_json_and_xml_have_the_same_fields(town: Town) -> None:
    town.subscribe(service_code="potholes,trees", status="open", bbox="24.9,60.1,25.0,60.2", label="<Map>")
    [found] = town.client.get(f"{SUBSCRIPTIONS}.json", query_string={"api_key": town.key}).json
    markup = town.client.get(f"{SUBSCRIPTIONS}.xml", query_string={"api_key": town.key}).text
    assert markup.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<subscriptions><subscription>')
    for name in found:
        assert f"<{name}>" in markup or f"<{name}/>" in markup
    assert "<service_code><code>potholes</code><code>trees</code></service_code>" in markup
    assert "<label>&lt;Map&gt;</label>" in markup


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"url": ""}, "url", "is missing"),
        ({"url": "ftp://app.example/"}, "url", "must begin with https://"),
        ({"url": "https://user:secret@app.example/"}, "url", "without user and password"),
        ({"url": "http://app.example/hook"}, "url", "must begin with https://"),
        ({"url": "https://127.0.0.1/hook"}, "url", "lead to a public address"),
        ({"url": "https://[::1]/hook"}, "url", "lead to a public address"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url", "lead to a public address"),
        ({"url": "https://localhost/hook"}, "url", "lead to a public address"),
        ({"url": "https://0x7f000001/hook"}, "url", "lead to a public address"),
        ({"url": "https://nobody.invalid/hook"}, "url", "has a host without an address"),
        ({"url": "https://app.example/" + "a" * 2000}, "url", "at most 2000"),
        ({"url": "https://app.example:99999/"}, "url", "must begin with https://"),
        ({"url": "nonsense"}, "url", "must begin with https://"),
        ({"service_code": "nope"}, "service_code", "'nope' is no service here"),
        ({"department": "nope"}, "department", "'nope' is not known here"),
        ({"area": "nope"}, "area", "'nope' is not known here"),
        ({"group": "nope"}, "group", "'nope' is not known here"),
        ({"status": "nope"}, "status", "'nope' is unknown"),
        ({"service_request_id": "nope"}, "service_request_id", "'nope' is not a request here"),
        ({"bbox": "1,2,3"}, "bbox", "takes four numbers"),
        ({"lat": "60"}, "long", "is missing; send lat, long and radius together."),
        ({"radius": "99999999", "lat": "60", "long": "24"}, "radius", ""),
        ({"cursor": "nope"}, "cursor", "is not a cursor of this feed"),
        ({"cursor": AHEAD}, "cursor", "belongs to changes that this database does not have"),
        ({"label": "a\0b"}, "label", "NUL"),
    ],
)
def test_a_wrong_subscription_is_refused_with_the_field_and_the_cure(
    town: Town, fields: dict[str, str], field: str, text: str
) -> None:
    sent = {"api_key": town.key, "url": town.receiver.url} | fields
    for suffix in ("json", "xml"):
        answer = town.client.post(f"{SUBSCRIPTIONS}.{suffix}", data=sent)
        assert answer.status_code == 400, answer.text
        assert f"{field}: " in answer.text
        assert text.replace("'", "&#39;") in answer.text or text in answer.text


def test_a_key_has_a_limit_of_subscriptions_also_at_the_same_time(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), webhook_hosts=("127.0.0.1:9",), webhooks_per_key=2)
    _, key = add_key(platform_of(app), label="app", now=build.NOON)

    def send(_: int) -> int:
        data = {"api_key": key, "url": "http://127.0.0.1:9/hook"}
        return app.test_client().post(f"{SUBSCRIPTIONS}.json", data=data).status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(send, range(4))) == [200, 200, 400, 400]


def test_a_redirect_is_not_followed(town: Town) -> None:
    found = town.subscribe()
    build.submit(town.platform)
    town.receiver.answers = [302]
    town.tell()
    assert town.shown(found["subscription_id"])["notice"] == "The receiver answered 302; it is tried again."


def test_a_name_that_leads_to_a_private_address_later_is_not_called(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = town.subscribe()
    before = len(town.receiver.office.hooks)
    build.submit(town.platform)
    object.__setattr__(town.platform.settings, "webhook_hosts", ())  # the operator no longer trusts the host
    with town.platform.database.transaction() as connection:
        url = town.receiver.url.replace("http://", "https://")
        connection.exec_driver_sql("UPDATE webhook SET url = %s", (url,))
    town.tell()
    assert len(town.receiver.office.hooks) == before
    named = town.shown(found["subscription_id"])
    assert named["notice"] == "The address of the receiver is not public now; it is tried again."
