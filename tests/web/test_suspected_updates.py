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


class Place(City):
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
def serve(make_app: MakeApp) -> Callable[..., Place]:
    """A server whose city shows comments to the public."""

    def make(rules: AbuseRules | None = None, **options: Any) -> Place:
        return Place(make_app(build.city(abuse=rules or AbuseRules(), comments="public")), **options)

    return make


Serve = Callable[..., Place]


def test_a_filled_honeypot_holds_an_update_and_the_answer_is_the_usual_one(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    usual, caught = place.update(status="FIXED"), place.update(status="FIXED", website="https://spam.example")
    assert caught.headers["Warning"] == usual.headers["Warning"]
    assert [set(one) for one in caught.json or []] == [set(one) for one in usual.json or []]
    assert place.kinds()[-3:] == ["public_comment", "suspected", "held_comment"]
    assert "suspected: honeypot" in place.history(place.name)
    assert place.public() == ["It is still there."]
    assert place.client.get(f"{BASE}/requests/{place.name}.json?extensions=notes").text.count("still there") == 1


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (AbuseRules(per_key="2 per hour"), "key_rate"),
        (AbuseRules(per_address="2 per hour"), "address_rate"),
        (AbuseRules(most_repeats=2), "repeats"),
    ],
)
def test_updates_above_a_rate_are_held(serve: Serve, rules: AbuseRules, rule: str) -> None:
    place = serve(rules)
    for text in ("Still there.", "still  there.", "STILL THERE.", "Still there. "):
        place.update(description=text)
    assert place.kinds().count("public_comment") == 2
    assert place.kinds().count("held_comment") == 2
    assert f"suspected: {rule}" in place.history(place.name)


def test_reports_and_updates_are_counted_apart(serve: Serve) -> None:
    place = serve(AbuseRules(per_key="1 per hour"))
    assert place.is_public(place.id_of(place.send()))
    place.update()
    assert "held_comment" not in place.kinds()


def test_another_text_and_another_sender_are_no_repeat(serve: Serve) -> None:
    place = serve(AbuseRules(most_repeats=1, per_address="1 per hour"))
    place.update("203.0.113.7")
    place.update("203.0.113.8")
    assert "held_comment" not in place.kinds()


@pytest.mark.parametrize(
    ("kind", "value"),
    [(BlockKind.EMAIL, "Spam@mail.example"), (BlockKind.ADDRESS, "203.0.113.0/24"), (BlockKind.KEY, "")],
)
def test_updates_of_a_blocked_sender_are_held(serve: Serve, kind: BlockKind, value: str) -> None:
    place = serve()
    number = place.block(kind, value or str(place.number))
    place.update(email="spam@MAIL.example")
    assert place.kinds()[-1] == "held_comment"
    assert f"suspected: block {number}" in place.history(place.name)


def test_the_citys_own_updates_are_not_counted_but_a_blocked_key_of_the_city_has_no_effect(serve: Serve) -> None:
    place = serve(AbuseRules(per_key="1 per hour", per_address="1 per hour", most_repeats=1))
    for _ in range(3):
        place.update(key=place.city_key, status="unchanged", description="A crew is there.")
    assert "held_comment" not in place.kinds()
    place.block(BlockKind.ADDRESS, "203.0.113.7")
    answer = place.update(key=place.city_key, status="FIXED", description="Done.")
    assert "Warning" not in answer.headers
    assert build.load(place.platform, service_request_id=place.name).status is Status.OPEN
    assert place.kinds()[-1] == "held_comment"


def test_a_refused_or_repeated_update_is_not_counted(serve: Serve) -> None:
    place = serve(AbuseRules(per_key="2 per hour"))
    wrong = {"api_key": place.key, "service_request_id": "unknown"}
    assert place.client.post(PATH, data=wrong).status_code == 400
    same = {"update_id": "once", "api_key": place.key, "service_request_id": place.name, "status": "OPEN"}
    same |= {"updated_datetime": "2026-03-01T12:00:00Z", "description": "Once."}
    for _ in range(3):
        sent = place.client.post(PATH, data=same, headers={"Idempotency-Key": "k"})
        assert sent.status_code == 200
    place.update()
    assert "held_comment" not in place.kinds()


def test_two_hundred_updates_at_once_are_all_counted(make_app: MakeApp) -> None:
    app = make_app(build.city(abuse=AbuseRules(per_key="150 per hour"), comments="public"))
    place = Place(app)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: place.update(client=FlaskClient(app), description=str(number)), range(200)))
    assert (place.kinds().count("public_comment"), place.kinds().count("held_comment")) == (150, 50)


def test_a_held_update_does_not_end_a_hold_and_goes_to_no_back_office(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    act(
        place.platform,
        place.city,
        place.name,
        [commands.Start(), commands.AskReporter(text="Where?")],
        principal=SHELL,
        now=utc_now(),
    )
    place.update(website="x")
    assert build.load(place.platform, service_request_id=place.name).progress is Progress.ON_HOLD
    place.update()
    assert build.load(place.platform, service_request_id=place.name).progress is Progress.IN_PROGRESS


def test_staff_count_and_list_requests_with_a_held_update_until_somebody_decides(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    other = place.id_of(place.send(website="x"))
    assert suspected(place) == (1, [other])
    place.update(website="x", description="Buy now.")
    place.update(website="x", description="Ask the school.")
    assert suspected(place) == (2, [place.name, other])
    desk = place.desk()
    held = [one for one in desk.get(f"/requests/{place.name}").json["history"] if one["kind"] == "held_comment"]
    assert [one["text"] for one in held] == ["Buy now.", "Ask the school."]
    first, second = (one["version"] for one in held)
    dropped = desk.post(f"/requests/{place.name}/updates/{first}/drop", WHY)
    assert dropped.status_code == 200, dropped.text
    released = desk.post(f"/requests/{place.name}/updates/{second}/release", WHY)
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
    assert place.public() == ["Ask the school."]
    assert "Buy now." not in dump(place.platform)
    assert suspected(place) == (1, [other])


def test_the_sender_finds_a_released_update_by_its_own_id(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    place.update(website="x", update_id="mine")
    version = build.load(place.platform, service_request_id=place.name).version
    assert place.desk().post(f"/requests/{place.name}/updates/{version}/release", WHY).status_code == 200
    [shown] = place.client.get(PATH, query_string={"api_key": place.key}).json or []
    assert shown["update_id"] == "mine"


def test_wrong_decisions_get_a_clear_error_and_change_nothing(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    place.update(website="x")
    version = build.load(place.platform, service_request_id=place.name).version
    path = f"/requests/{place.name}/updates/{version}"
    agent, desk = place.desk(Role.AGENT), place.desk()
    assert agent.post(f"{path}/release", WHY).status_code == 403
    for decision in ("release", "drop"):
        assert "reason: is missing" in desk.post(f"{path}/{decision}", {"reason": " "}).json["detail"]
        for wrong in ("1", "999", "9" * 30, "x", "-1", "٣"):
            answer = desk.post(f"/requests/{place.name}/updates/{wrong}/{decision}", WHY)
            assert (answer.status_code, answer.json["errors"][0]["field"]) == (404, "update"), answer.text
        assert desk.post(f"/requests/unknown/updates/{version}/{decision}", WHY).status_code == 404
    assert place.kinds()[-1] == "held_comment"
    assert desk.post(f"{path}/drop", WHY).status_code == 200
    assert desk.post(f"{path}/release", WHY).status_code == 404


def test_only_one_of_many_simultaneous_decisions_counts(make_app: MakeApp) -> None:
    app = make_app(build.city(abuse=AbuseRules(honeypot="website"), comments="public"))
    place = Place(app)
    place.update(website="x")
    version = build.load(place.platform, service_request_id=place.name).version
    token = place.desk().token

    def decide(number: int) -> int:
        path = f"/staff/v1/requests/{place.name}/updates/{version}/{'drop' if number % 2 else 'release'}"
        headers = {"Authorization": f"Bearer {token}"}
        return FlaskClient(app).post(path, json=WHY, headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(decide, range(6))) == [200, 404, 404, 404, 404, 404]


def test_the_photos_of_a_held_update_are_for_staff(make_app: MakeApp, tmp_path: Path) -> None:
    from tests.photos import Sender

    city = build.city(abuse=AbuseRules(honeypot="website"), comments="public")
    sender = Sender(make_app(city, media=str(tmp_path / "media")))
    sender.post()
    assert update_with_files(sender, jpeg(), website="x").status_code == 200
    prepare_all(sender.platform)
    assert sender.urls() == []


# --- Reports


def test_a_suspected_report_is_dropped_in_one_act_by_a_named_person(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    name = place.id_of(place.send(website="x"))
    record = drop_report(
        place.platform, place.city, name, reason="Spam.", principal=place.desk().principal, now=utc_now()
    )
    assert (record.status, record.outcome, record.visibility) == (Status.CLOSED, "withdrawn", Visibility.WITHDRAWN)
    last = [event for event in build.history(place.platform, record) if event.version == record.version]
    assert {(event.actor, event.reason) for event in last} == {(str(last[0].actor), "Spam.")}
    assert last[0].actor.startswith("staff:")
    assert suspected(place) == (0, [])
    assert not place.is_public(name)


def test_a_report_that_is_not_suspected_is_not_dropped(serve: Serve) -> None:
    place = serve(AbuseRules(honeypot="website"))
    options: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    with pytest.raises(Conflict, match="is not held because it looks like abuse"):
        drop_report(place.platform, place.city, place.name, reason="Spam.", **options)
    name = place.id_of(place.send(website="x"))
    with pytest.raises(Invalid, match="reason"):
        drop_report(place.platform, place.city, name, reason=" ", **options)
    options["principal"] = place.desk(Role.AGENT).principal
    with pytest.raises(Forbidden):
        drop_report(place.platform, place.city, name, reason="Spam.", **options)
    assert suspected(place) == (1, [name])
