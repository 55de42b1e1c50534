"""Updates that look like abuse are held. People decide about them and about suspected reports (decision 0038)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.abuse import AbuseRules, BlockKind
from open311.domain.access import SHELL, Role
from open311.domain.requests import Progress, Status, Visibility
from open311.errors import Conflict, Forbidden, Invalid
from open311.operations.access.api_keys import add_key
from open311.operations.desk.suspected import drop_report
from open311.operations.workflow.act import act
from tests import build
from tests.desk import Desk
from tests.photos import jpeg, prepare_all
from tests.stored import dump
from tests.web.test_suspected import BASE, City, suspected
from tests.web.test_update_photos import update as update_with_files

MakeApp = Callable[..., Flask]
PATH = f"{BASE}/servicerequestupdates.json"
WHY = {"reason": "I have read it."}


class Server(City):
    """A server with a request that gets updates."""

    def __init__(self, app: Flask, **options: Any) -> None:
        super().__init__(app, **options)
        self.name = build.submit(self.platform, now=utc_now()).service_request_id
        self.city_key = add_key(self.platform, label="works", may_update=True, now=utc_now())[1]
        self._ids = count(1)

    def update(
        self, address: str = "203.0.113.7", key: str = "", client: FlaskClient | None = None, **changes: str
    ) -> TestResponse:
        form = {
            "api_key": key or self.key,
            "service_request_id": self.name,
            "update_id": f"u{next(self._ids)}",
            "status": "OPEN",
            "updated_datetime": "2026-03-01T12:00:00Z",
            "description": "It is still there.",
        }
        answer = (client or self.client).post(PATH, data=form | changes, environ_overrides={"REMOTE_ADDR": address})
        assert answer.status_code == 200, answer.text
        return answer

    def kinds(self) -> list[str]:
        return [line.partition(":")[0] for line in self.history(self.name)]

    def public(self) -> list[str]:
        return [one["description"] for one in self.client.get(PATH).json or []]

    def desk(self, role: Role = Role.DISPATCHER) -> Desk:
        return Desk.of(self.client, self.platform, str(role), role, city="test.example")


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., Server]:
    """A server whose city shows comments to the public."""

    def make(rules: AbuseRules | None = None, **options: Any) -> Server:
        return Server(make_app(build.city(abuse=rules or AbuseRules(), comments="public")), **options)

    return make


Serve = Callable[..., Server]


def test_a_filled_honeypot_holds_an_update_and_the_answer_is_the_usual_one(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    usual, caught = server.update(status="FIXED"), server.update(status="FIXED", website="https://spam.example")
    assert caught.headers["Warning"] == usual.headers["Warning"]
    assert [set(one) for one in caught.json or []] == [set(one) for one in usual.json or []]
    assert server.kinds()[-3:] == ["public_comment", "suspected", "held_comment"]
    assert "suspected: honeypot" in server.history(server.name)
    assert server.public() == ["It is still there."]
    assert server.client.get(f"{BASE}/requests/{server.name}.json?extensions=notes").text.count("still there") == 1


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (AbuseRules(per_key="2 per hour"), "key_rate"),
        (AbuseRules(per_address="2 per hour"), "address_rate"),
        (AbuseRules(most_repeats=2), "repeats"),
    ],
)
def test_updates_above_a_rate_are_held(serve: Serve, rules: AbuseRules, rule: str) -> None:
    server = serve(rules)
    for text in ("Still there.", "still  there.", "STILL THERE.", "Still there. "):
        server.update(description=text)
    assert server.kinds().count("public_comment") == 2
    assert server.kinds().count("held_comment") == 2
    assert f"suspected: {rule}" in server.history(server.name)


def test_reports_and_updates_are_counted_separately(serve: Serve) -> None:
    server = serve(AbuseRules(per_key="1 per hour"))
    assert server.is_public(server.id_of(server.send()))
    server.update()
    assert "held_comment" not in server.kinds()


def test_another_text_and_another_sender_are_no_repeat(serve: Serve) -> None:
    server = serve(AbuseRules(most_repeats=1, per_address="1 per hour"))
    server.update("203.0.113.7")
    server.update("203.0.113.8")
    assert "held_comment" not in server.kinds()


@pytest.mark.parametrize(
    ("kind", "value"),
    [(BlockKind.EMAIL, "Spam@mail.example"), (BlockKind.ADDRESS, "203.0.113.0/24"), (BlockKind.KEY, "")],
)
def test_updates_of_a_blocked_sender_are_held(serve: Serve, kind: BlockKind, value: str) -> None:
    server = serve()
    number = server.block(kind, value or str(server.number))
    server.update(email="spam@MAIL.example")
    assert server.kinds()[-1] == "held_comment"
    assert f"suspected: block {number}" in server.history(server.name)


def test_the_citys_own_updates_are_not_counted_but_have_no_effect_from_a_blocked_address(serve: Serve) -> None:
    server = serve(AbuseRules(per_key="1 per hour", per_address="1 per hour", most_repeats=1))
    for _ in range(3):
        server.update(key=server.city_key, status="unchanged", description="A crew is there.")
    assert "held_comment" not in server.kinds()
    server.block(BlockKind.ADDRESS, "203.0.113.7")
    answer = server.update(key=server.city_key, status="FIXED", description="Done.")
    assert "Warning" not in answer.headers
    assert build.load(server.platform, service_request_id=server.name).status is Status.OPEN
    assert server.kinds()[-1] == "held_comment"


def test_a_refused_or_repeated_update_is_not_counted(serve: Serve) -> None:
    server = serve(AbuseRules(per_key="2 per hour"))
    wrong = {"api_key": server.key, "service_request_id": "unknown"}
    assert server.client.post(PATH, data=wrong).status_code == 400
    same = {"update_id": "once", "api_key": server.key, "service_request_id": server.name, "status": "OPEN"}
    same |= {"updated_datetime": "2026-03-01T12:00:00Z", "description": "Once."}
    for _ in range(3):
        sent = server.client.post(PATH, data=same, headers={"Idempotency-Key": "k"})
        assert sent.status_code == 200
    server.update()
    assert "held_comment" not in server.kinds()


def test_two_hundred_updates_at_once_are_all_counted(make_app: MakeApp) -> None:
    app = make_app(build.city(abuse=AbuseRules(per_key="150 per hour"), comments="public"))
    server = Server(app)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: server.update(client=FlaskClient(app), description=str(number)), range(200)))
    assert (server.kinds().count("public_comment"), server.kinds().count("held_comment")) == (150, 50)


def test_a_held_update_does_not_answer_the_question_for_which_a_request_waits(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    act(
        server.platform,
        server.city,
        server.name,
        [commands.Start(), commands.AskReporter(text="Where?")],
        principal=SHELL,
        now=utc_now(),
    )
    server.update(website="x")
    assert build.load(server.platform, service_request_id=server.name).progress is Progress.ON_HOLD
    server.update()
    assert build.load(server.platform, service_request_id=server.name).progress is Progress.IN_PROGRESS


def test_staff_count_and_list_requests_with_a_held_update_until_somebody_decides(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    other = server.id_of(server.send(website="x"))
    assert suspected(server) == (1, [other])
    server.update(website="x", description="Buy now.")
    server.update(website="x", description="Ask the school.")
    assert suspected(server) == (2, [server.name, other])
    desk = server.desk()
    held = [one for one in desk.get(f"/requests/{server.name}").json["history"] if one["kind"] == "held_comment"]
    assert [one["text"] for one in held] == ["Buy now.", "Ask the school."]
    first, second = (one["version"] for one in held)
    dropped = desk.post(f"/requests/{server.name}/updates/{first}/drop", WHY)
    assert dropped.status_code == 200, dropped.text
    released = desk.post(f"/requests/{server.name}/updates/{second}/release", WHY)
    assert released.status_code == 200, released.text
    assert released.json["history"][-1] | {"at": "", "actor": ""} == {
        "at": "",
        "kind": "public_comment",
        "actor": "",
        "name": None,
        "text": "Ask the school.",
        "reason": "I have read it.",
        "cause": f"released by {desk.principal}",
        "is_public": True,
        "version": second + 2,
    }
    assert server.public() == ["Ask the school."]
    assert "Buy now." not in dump(server.platform)
    assert suspected(server) == (1, [other])


def test_the_sender_sees_its_own_update_id_on_a_released_update(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    server.update(website="x", update_id="mine")
    version = build.load(server.platform, service_request_id=server.name).version
    assert server.desk().post(f"/requests/{server.name}/updates/{version}/release", WHY).status_code == 200
    [shown] = server.client.get(PATH, query_string={"api_key": server.key}).json or []
    assert shown["update_id"] == "mine"


def test_wrong_decisions_get_a_clear_error_and_change_nothing(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    server.update(website="x")
    version = build.load(server.platform, service_request_id=server.name).version
    path = f"/requests/{server.name}/updates/{version}"
    agent, desk = server.desk(Role.AGENT), server.desk()
    assert agent.post(f"{path}/release", WHY).status_code == 403
    for decision in ("release", "drop"):
        assert "reason: is missing" in desk.post(f"{path}/{decision}", {"reason": " "}).json["detail"]
        for wrong in ("1", "999", "9" * 30, "x", "-1", "٣"):
            answer = desk.post(f"/requests/{server.name}/updates/{wrong}/{decision}", WHY)
            assert (answer.status_code, answer.json["errors"][0]["field"]) == (404, "update"), answer.text
        assert desk.post(f"/requests/unknown/updates/{version}/{decision}", WHY).status_code == 404
    assert server.kinds()[-1] == "held_comment"
    assert desk.post(f"{path}/drop", WHY).status_code == 200
    assert desk.post(f"{path}/release", WHY).status_code == 404


def test_only_one_of_many_simultaneous_decisions_counts(make_app: MakeApp) -> None:
    app = make_app(build.city(abuse=AbuseRules(honeypot="website"), comments="public"))
    server = Server(app)
    server.update(website="x")
    version = build.load(server.platform, service_request_id=server.name).version
    token = server.desk().token

    def decide(number: int) -> int:
        path = f"/staff/v1/requests/{server.name}/updates/{version}/{'drop' if number % 2 else 'release'}"
        headers = {"Authorization": f"Bearer {token}"}
        return FlaskClient(app).post(path, json=WHY, headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(decide, range(6))) == [200, 404, 404, 404, 404, 404]


def test_no_photo_of_a_held_update_is_public(make_app: MakeApp, tmp_path: Path) -> None:
    from tests.photos import Sender

    city = build.city(abuse=AbuseRules(honeypot="website"), comments="public")
    sender = Sender(make_app(city, media=str(tmp_path / "media")))
    sender.post()
    assert update_with_files(sender, jpeg(), website="x").status_code == 200
    prepare_all(sender.platform)
    assert sender.urls() == []


# --- Reports


def test_a_suspected_report_is_dropped_in_one_act_by_a_named_person(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    name = server.id_of(server.send(website="x"))
    record = drop_report(
        server.platform, server.city, name, reason="Spam.", principal=server.desk().principal, now=utc_now()
    )
    assert (record.status, record.outcome, record.visibility) == (Status.CLOSED, "withdrawn", Visibility.WITHDRAWN)
    last = [event for event in build.history(server.platform, record) if event.version == record.version]
    assert {(event.actor, event.reason) for event in last} == {(str(last[0].actor), "Spam.")}
    assert last[0].actor.startswith("staff:")
    assert suspected(server) == (0, [])
    assert not server.is_public(name)


def test_a_report_that_is_not_suspected_is_not_dropped(serve: Serve) -> None:
    server = serve(AbuseRules(honeypot="website"))
    options: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    with pytest.raises(Conflict, match="is not held because it looks like abuse"):
        drop_report(server.platform, server.city, server.name, reason="Spam.", **options)
    name = server.id_of(server.send(website="x"))
    with pytest.raises(Invalid, match="reason"):
        drop_report(server.platform, server.city, name, reason=" ", **options)
    options["principal"] = server.desk(Role.AGENT).principal
    with pytest.raises(Forbidden):
        drop_report(server.platform, server.city, name, reason="Spam.", **options)
    assert suspected(server) == (1, [name])
