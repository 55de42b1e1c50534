"""Commands of staff over HTTP: changes, repeats, conflicts, bulk, and wrong input of every kind."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL, Role
from open311.domain.events import replay
from open311.errors import Conflict, Open311Error
from open311.operations.desk.bulk import Selected, act_on_all
from open311.operations.platform import Platform
from open311.operations.upkeep.clean_up import clean_up
from open311.operations.workflow.act import act
from open311.web.staff.bulk import bulk_lane
from tests import build
from tests.desk import Desk


@pytest.fixture
def hole(platform: Platform) -> str:
    """The id of a request of the streets department."""
    return build.submit(platform).service_request_id


@pytest.fixture
def desk(client: FlaskClient, platform: Platform) -> Desk:
    """An agent."""
    return Desk.of(client, platform, "ada")


def test_each_command_changes_the_request_and_answers_with_it(client: FlaskClient, platform: Platform) -> None:
    desk = Desk.of(client, platform, "ada", Role.DISPATCHER)
    hole, other = (build.submit(platform, description="Sign +1 617 555 0143").service_request_id for _ in range(2))
    orders: list[tuple[str, dict[str, Any], str, Any]] = [
        ("assign", {"account": "ada"}, "assignee", "ada"),
        ("transfer", {"department": "parks"}, "department", "parks"),
        ("prioritise", {"priority": "urgent"}, "priority", "urgent"),
        ("acknowledge", {}, "state", "acknowledged"),
        ("schedule", {"visit": "2099-12-24"}, "scheduled_datetime", "2099-12-23T22:00:00Z"),
        ("reschedule", {"expected": "2099-12-30T12:00:00Z", "reason": "x"}, "due", "later"),
        ("start", {}, "state", "in_progress"),
        ("hold", {"reason": "Waits for parts."}, "state", "on_hold"),
        ("ask_reporter", {"text": "Where exactly?"}, "status_notes", "Where exactly?"),
        ("note", {"text": "Seen.", "public": True}, "status_notes", "Seen."),
        ("correct", {"lat": 60.18, "long": 24.95, "reason": "Wrong pin."}, "lat", 60.18),
        ("unmask", {"text": "+1 617 555 0143", "reason": "A sign."}, "visibility", "public"),
        ("mask", {"text": "+1 617 555 0143"}, "visibility", "public"),
        ("change_service", {"service_code": "graffiti"}, "service_code", "graffiti"),
        ("merge", {"into": other}, "state", "assigned"),
        ("unmerge", {}, "parent", None),
        ("hide", {"reason": "A name."}, "visibility", "withdrawn"),
        ("show", {}, "visibility", "public"),
        ("close", {"outcome": "fixed", "note": "Done."}, "status_notes", "Done."),
        ("reopen", {"reason": "Not done."}, "status", "open"),
    ]
    assert {name for name, *_ in orders} == set(commands.commands()) - {"release"}
    for name, body, field, value in orders:
        answer = desk.post(f"/requests/{hole}/{name}", body)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json[field] == value, name
        assert answer.headers["ETag"] == f'"v{answer.json["version"]}"'
        assert answer.headers["Cache-Control"] == "no-store"
    changes = [event for event in answer.json["history"] if event["version"] > 1]
    assert {event["actor"] for event in changes} == {str(desk.principal)}


@pytest.mark.parametrize(
    ("command", "sent", "status", "fault"),
    [
        ("close", {"data": b"{}", "content_type": "text/plain"}, 415, "send application/json"),
        ("close", {"data": b"outcome=fixed", "content_type": "application/x-www-form-urlencoded"}, 415, "json"),
        ("close", {"data": b"{}", "content_type": "application/json; charset=latin-1"}, 415, "send UTF-8"),
        ("close", {"data": b"{}"}, 415, "no Content-Type"),
        ("close", {"data": b"{", "content_type": "application/json"}, 400, "is not JSON (line 1, column"),
        ("close", {"data": b"\xff", "content_type": "application/json"}, 400, "is not JSON"),
        ("close", {"data": b"[" * 5000, "content_type": "application/json"}, 400, "is not JSON"),
        ("close", {"json": []}, 400, "but no object"),
        (
            "close",
            {"json": None, "content_type": "application/json"},
            400,
            "outcome: is missing; send one of fixed",
        ),
        ("close", {"json": {}}, 400, "outcome: is missing"),
        ("close", {"json": {"outcome": "done"}}, 400, "outcome: 'done' is unknown; send one of fixed, not_found"),
        ("close", {"json": {"outcome": 3}}, 400, "outcome: '3' is unknown"),
        ("close", {"json": {"outcome": None}}, 400, "outcome: is null; leave it out or send one of fixed"),
        ("close", {"json": {"outcome": "fixed", "notes": "x"}}, 400, "notes: is unknown; did you mean note?"),
        (
            "close",
            {"json": {"outcome": "fixed", "x": 1}},
            400,
            "x: is unknown; this call has reason, outcome",
        ),
        ("close", {"json": {"outcome": "fixed", "note": 7}}, 400, "note: is no text; send a string."),
        ("close", {"json": {"outcome": "fixed", "note": "a\x00b"}}, 400, "note: holds a NUL character"),
        (
            "close",
            {"json": {"outcome": "fixed", "note": "x" * 4001}},
            400,
            "note: has 4001 characters; send",
        ),
        ("close", {"data": b"x" * 2_000_000, "content_type": "application/json"}, 413, "too large"),
        ("schedule", {"json": {"visit": "soon"}}, 400, "visit: 'soon' is not a date and time; send it as"),
        ("schedule", {"json": {"visit": 5}}, 400, "visit: is no text; send a date and time"),
        ("note", {"json": {"text": "x", "public": "yes"}}, 400, "public: 'yes' is neither true nor false."),
        ("correct", {"json": {"reason": "x", "lat": "60", "long": 24}}, 400, "lat: '60' is no number"),
        ("correct", {"json": {"reason": "x", "lat": True, "long": 24}}, 400, "lat: 'True' is no number"),
        ("correct", {"json": {"reason": "x", "lat": 95, "long": 24}}, 400, "lat: 95 is outside -90..90"),
        ("correct", {"json": {"reason": "x", "lat": 60.0}}, 400, "long: send lat and long together."),
        ("transfer", {"json": {"department": "moon"}}, 400, "department: 'moon' is no department"),
        ("hold", {"json": {}}, 400, "reason: is missing; give a reason for hold."),
        ("hide", {"json": {"reason": "x"}}, 403, "hide needs the role dispatcher; this account is agent."),
        ("reopen", {"json": {"reason": "x"}}, 409, "is assigned; reopen is for requests that are closed."),
        ("assign", {"json": {"account": "nobody"}}, 400, "account: 'nobody' is no account of city.example; `GET"),
        ("start", {"headers": {"If-Match": "v1"}}, 400, "If-Match: 'v1' is no ETag of ours; send the one that you"),
        ("start", {"headers": {"If-Match": '"v1", "v2"'}}, 400, "If-Match: "),
        ("start", {"headers": {"Idempotency-Key": "x" * 201}}, 400, "Idempotency-Key: has 201 characters"),
        ("explode", {}, 404, "'explode' is no command; send one of assign, transfer"),
        ("prioritize", {"json": {"priority": "high"}}, 404, "'prioritize' is no command; did you mean prioritise?"),
        ("assign", {"json": {}}, 400, "account: is missing"),
        ("assign", {"json": {"account": "ad"}}, 400, "'ad' is no account of city.example; did you mean ada?"),
        ("assign", {"json": {"account": ["ada"]}}, 400, "account: is no text"),
        ("start", {"headers": {"If-Match": '"v99"'}}, 409, "is at version 1 now, not 99; read it again."),
    ],
)
def test_wrong_input_is_refused_with_field_and_cure_and_changes_nothing(
    desk: Desk, hole: str, platform: Platform, command: str, sent: dict[str, Any], status: int, fault: str
) -> None:
    answer = desk.call("POST", f"/requests/{hole}/{command}", **sent)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert fault in answer.json["detail"]
    for error in answer.json.get("errors", ()):
        assert answer.json["detail"].count(error["message"])
    assert build.load(platform, service_request_id=hole).version == 1


def test_an_unknown_request_is_404_and_an_empty_body_is_an_empty_object(desk: Desk, hole: str) -> None:
    for path in ("moon", "999999", "x/y"):
        assert desk.post(f"/requests/{path}/start").status_code == 404, path
    assert desk.call("POST", f"/requests/{hole}/acknowledge").json["state"] == "acknowledged"
    packed = gzip.compress(b'{"outcome": "fixed"}')
    headers = {"Content-Encoding": "gzip"}
    done = desk.call(
        "POST", f"/requests/{hole}/close", data=packed, content_type="application/json", headers=headers
    )
    assert done.json["state"] == "closed"


def test_a_repeated_command_changes_nothing_more(desk: Desk, hole: str, platform: Platform) -> None:
    headers, path = {"Idempotency-Key": "k1"}, f"/requests/{hole}/note"
    first = desk.post(path, {"text": "Seen."}, headers=headers)
    again = desk.post(path, {"text": "Seen."}, headers=headers)
    assert (again.status_code, again.json["version"], first.json["version"]) == (200, 2, 2)
    other = desk.post(path, {"text": "Else."}, headers=headers)
    assert other.status_code == 400
    assert other.json["errors"][0]["field"] == "Idempotency-Key"
    later = utc_now() + timedelta(hours=25)
    assert clean_up(platform, later)["staff_repeats"] == 1
    assert desk.post(path, {"text": "Else."}, headers=headers).json["version"] == 3


def test_a_repeated_call_shows_nothing_that_another_department_has_done_after_the_first(
    client: FlaskClient, platform: Platform
) -> None:
    streets = Desk.of(client, platform, "bo", Role.AGENT, "streets")
    parks = Desk.of(client, platform, "cy", Role.AGENT, "parks")
    hole = build.submit(platform).service_request_id
    call: dict[str, Any] = {
        "path": f"/requests/{hole}/transfer",
        "body": {"department": "parks"},
        "headers": {"Idempotency-Key": "k1"},
    }
    assert [streets.post(**call).status_code for _ in range(2)] == [200, 200]
    assert parks.post(f"/requests/{hole}/note", {"text": "planted-note"}).status_code == 200
    again = streets.post(**call)
    assert again.status_code == 403
    assert "planted-note" not in again.text


def test_a_refused_command_does_not_use_up_its_key(desk: Desk, hole: str) -> None:
    headers = {"Idempotency-Key": "k1"}
    assert desk.post(f"/requests/{hole}/reopen", {"reason": "x"}, headers=headers).status_code == 409
    assert desk.post(f"/requests/{hole}/start", headers=headers).status_code == 200


def test_the_same_call_at_the_same_moment_changes_a_request_once(platform: Platform, hole: str) -> None:
    city, order = next(iter(platform.registry)), commands.Note(text="Seen.")

    def give(number: int) -> int:
        return act(
            platform, city, hole, [order], principal=SHELL, now=build.NOON, repeat_key=f"k{number // 2}"
        ).version

    with ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(give, range(20)))
    assert max(versions) == 11
    assert build.load(platform, service_request_id=hole).version == 11


def test_requests_that_are_merged_into_each_other_at_the_same_moment_cause_no_error(platform: Platform) -> None:
    """Each of the two transactions locks the request that the other one wants: PostgreSQL ends one of them."""
    city = next(iter(platform.registry))

    def merge(pair: tuple[str, str]) -> str:
        try:
            act(platform, city, pair[0], [commands.Merge(into=pair[1])], principal=SHELL, now=build.NOON)
        except Conflict:
            return "conflict"
        return "merged"

    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            one, two = (build.submit(platform).service_request_id for _ in range(2))
            assert sorted(pool.map(merge, [(one, two), (two, one)])) == ["conflict", "merged"]
            for name in (one, two):
                record = build.load(platform, service_request_id=name)
                assert replay(record, build.history(platform, record)) == record


def test_two_agents_over_http_at_the_same_moment_lose_no_event(client: FlaskClient, platform: Platform) -> None:
    desk = Desk.of(client, platform, "ada")

    def give(order: tuple[str, str, dict[str, str]]) -> int:
        name, command, body = order
        mine = Desk(client.application.test_client(), desk.token, desk.principal)
        return mine.post(f"/requests/{name}/{command}", body, headers={"If-Match": '"v1"'}).status_code

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            name = build.submit(platform).service_request_id
            orders = [(name, "close", {"outcome": "fixed"}), (name, "transfer", {"department": "parks"})]
            assert sorted(pool.map(give, orders)) == [200, 409]
            record = build.load(platform, service_request_id=name)
            assert replay(record, build.history(platform, record)) == record


# --- Bulk


def test_a_bulk_command_is_a_dry_run_by_default_and_reports_each_result(desk: Desk, platform: Platform) -> None:
    names = [build.submit(platform).service_request_id for _ in range(3)]
    closed, *rest = names
    desk.post(f"/requests/{closed}/close", {"outcome": "fixed"})
    order = {"command": "transfer", "arguments": {"department": "parks"}, "ids": [*names, "moon"]}
    tried = desk.post("/bulk", order)
    assert tried.status_code == 200, tried.text
    assert [tried.json[name] for name in ("dry_run", "changed", "unchanged", "refused")] == [True, 2, 0, 2]
    assert [one["result"] for one in tried.json["results"]] == [
        "refused",
        "would_change",
        "would_change",
        "refused",
    ]
    assert tried.json["results"][1]["changes"] == ["transferred"]
    assert "is closed; transfer is for requests that are" in tried.json["results"][0]["why"]
    assert "'moon' is not a request here" in tried.json["results"][3]["why"]
    assert [build.load(platform, service_request_id=name).version for name in names] == [2, 1, 1]
    done = desk.post("/bulk", order | {"dry_run": False}, headers={"Idempotency-Key": "b1"})
    assert [one["result"] for one in done.json["results"]] == ["refused", "changed", "changed", "refused"]
    assert {build.load(platform, service_request_id=name).department for name in rest} == {"parks"}
    again = desk.post("/bulk", order | {"dry_run": False}, headers={"Idempotency-Key": "b1"})
    assert again.json == done.json, "a repeat tells what the first call has done"


def bulk_of_starts(**more: Any) -> dict[str, Any]:
    return {"command": "start", "filters": {"state": "assigned"}, "dry_run": False} | more


def test_a_repeated_bulk_command_leaves_requests_alone_that_came_after_the_first_call(
    desk: Desk, platform: Platform
) -> None:
    first = [build.submit(platform).service_request_id for _ in range(2)]
    headers = {"Idempotency-Key": "b1"}
    done = desk.post("/bulk", bulk_of_starts(), headers=headers)
    assert done.json["changed"] == 2
    later = build.submit(platform).service_request_id
    again = desk.post("/bulk", bulk_of_starts(), headers=headers)
    assert again.json == done.json
    assert build.load(platform, service_request_id=later).version == 1
    assert [build.load(platform, service_request_id=name).version for name in first] == [2, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"filters": {"state": "assigned,triage"}},
        {"command": "acknowledge"},
        {"command": "hold", "arguments": {"reason": "x"}},
    ],
)
def test_the_idempotency_key_of_a_bulk_command_is_refused_for_another_command(
    desk: Desk, platform: Platform, hole: str, other: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "b1"}
    assert desk.post("/bulk", bulk_of_starts(), headers=headers).json["changed"] == 1
    refused = desk.post("/bulk", bulk_of_starts(**other), headers=headers)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert desk.post(f"/requests/{hole}/start", headers=headers).status_code == 400
    assert build.load(platform, service_request_id=hole).version == 2


def test_a_repeated_bulk_command_goes_on_where_the_first_call_was_killed(desk: Desk, platform: Platform) -> None:
    for _ in range(3):
        build.submit(platform)
    headers = {"Idempotency-Key": "b1"}
    assert desk.post("/bulk", bulk_of_starts(), headers=headers).json["changed"] == 3
    with platform.database.transaction() as connection:
        last = "SELECT max(client_key) FROM staff_repeat"
        connection.execute(text(f"UPDATE staff_repeat SET version = 0 WHERE client_key = ({last})"))
        connection.execute(
            text("UPDATE service_request SET progress = '' WHERE id = (SELECT max(id) FROM service_request)")
        )
    again = desk.post("/bulk", bulk_of_starts(), headers=headers).json
    assert [one["version"] for one in again["results"]] == [2, 2, 3]


def test_the_same_bulk_command_at_the_same_moment_changes_each_request_once(platform: Platform) -> None:
    names = [build.submit(platform).service_request_id for _ in range(5)]
    city = next(iter(platform.registry))

    def give(_: int) -> list[tuple[str, str, int]]:
        selection = [Selected(name) for name in names]
        found = act_on_all(
            platform,
            city,
            selection,
            commands.Note(text="Seen."),
            principal=SHELL,
            now=build.NOON,
            is_dry=False,
            repeat_key="b1",
        )
        return [(one.name, one.result, one.version) for one in found]

    with ThreadPoolExecutor(3) as pool:
        one, *others = pool.map(give, range(3))
    assert others == [one, one] == [[(name, "changed", 2) for name in names]] * 2


def test_a_request_that_is_named_twice_is_changed_once(desk: Desk, platform: Platform, hole: str) -> None:
    number = build.load(platform, service_request_id=hole).number
    order = {"command": "note", "arguments": {"text": "Seen."}, "ids": [hole, str(number), hole], "dry_run": False}
    assert [one["id"] for one in desk.post("/bulk", order).json["results"]] == [hole]
    assert build.load(platform, service_request_id=hole).version == 2


def test_a_refused_request_undoes_no_change_of_the_others(desk: Desk, platform: Platform) -> None:
    names = [build.submit(platform).service_request_id for _ in range(3)]
    desk.post(f"/requests/{names[1]}/close", {"outcome": "fixed"})
    order = {"command": "start", "ids": names, "dry_run": False}
    done = desk.post("/bulk", order).json
    assert [one["result"] for one in done["results"]] == ["changed", "refused", "changed"]
    for name in names:
        record = build.load(platform, service_request_id=name)
        assert replay(record, build.history(platform, record)) == record


def test_a_web_process_works_on_one_bulk_command_at_a_time(desk: Desk, platform: Platform, hole: str) -> None:
    with bulk_lane(platform):
        full = desk.post("/bulk", bulk_of_starts())
        assert full.status_code == 503
        assert int(full.headers["Retry-After"]) > 0
        assert "Another bulk command is running" in full.json["detail"]
        assert desk.post(f"/requests/{hole}/note", {"text": "Seen."}).status_code == 200
    assert desk.post("/bulk", bulk_of_starts()).status_code == 200


SPANISH = {"Accept-Language": "es-MX"}


@pytest.mark.parametrize(
    ("order", "body", "fault"),
    [
        ("close", {"outcome": None}, "outcome: es null; omítalo o envíe uno de fixed"),
        ("close", {"outcome": "fixed", "notes": "x"}, "notes: es desconocido; ¿quiso decir note?"),
        ("schedule", {}, "visit: falta; envíe una fecha y hora."),
        ("correct", {"reason": "x", "lat": True, "long": 24}, "lat: 'True' no es un número; envíe grados"),
        ("hide", {}, "esta cuenta tiene el rol agent."),
        ("hold", {}, "reason: falta; indique el motivo de la orden «hold»."),
        ("reopen", {"reason": "x"}, "está en assigned; reopen es para solicitudes que están en closed."),
    ],
)
def test_staff_read_why_a_command_is_refused_in_their_language(
    desk: Desk, hole: str, order: str, body: dict[str, Any], fault: str
) -> None:
    answer = desk.post(f"/requests/{hole}/{order}", body, headers=SPANISH)
    assert answer.status_code >= 400
    assert fault in answer.json["detail"]
    assert answer.headers["Content-Language"] == "es"


def test_a_bulk_command_tells_in_the_language_of_the_caller_why_a_request_is_refused(desk: Desk) -> None:
    answer = desk.post("/bulk", {"command": "start", "ids": ["moon"]}, headers=SPANISH)
    assert answer.json["results"][0]["why"] == "service_request_id: 'moon' no es una solicitud de aquí."


def test_a_bulk_command_works_on_the_filters_of_a_queue(desk: Desk, platform: Platform) -> None:
    names = [build.submit(platform).service_request_id for _ in range(3)]
    desk.post(f"/requests/{names[0]}/start")
    order = {"command": "note", "arguments": {"text": "Soon."}, "filters": {"state": "assigned"}, "dry_run": False}
    done = desk.post("/bulk", order).json
    assert done["changed"] == 2
    assert [build.load(platform, service_request_id=name).version for name in names] == [2, 2, 2]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, "command: is missing"),
        ({"command": "explode", "ids": ["1"]}, "command: 'explode' is unknown; send one of assign"),
        ({"command": "start"}, "ids: send either ids or filters."),
        ({"command": "start", "ids": ["1"], "filters": {}}, "ids: send either ids or filters."),
        ({"command": "start", "ids": "1"}, "ids: is no list"),
        (
            {"command": "start", "ids": ["1", 1.5]},
            "ids: has a faulty entry, number 2; send a text, such as 8841, or {",
        ),
        ({"command": "start", "ids": [True]}, "ids: has a faulty entry, number 1"),
        ({"command": "start", "ids": [{"version": 1}]}, "ids: has a faulty entry, number 1"),
        ({"command": "start", "ids": [{"id": "1", "version": "1"}]}, "ids: has a faulty entry, number 1"),
        ({"command": "start", "ids": [{"id": "1", "x": 1}]}, "ids: has a faulty entry, number 1"),
        ({"command": "start", "ids": [2**70]}, "ids: has a faulty entry, number 1"),
        ({"command": "start", "filters": {"service_code": "moon"}}, "'moon' is not in the service list"),
        (
            {"command": "start", "filters": {"state": "open"}},
            "'open' is unknown; send one or more of received, triage",
        ),
        ({"command": "start", "filters": {"older_than": None}}, "filters.older_than: is no text"),
        ({"command": "start", "ids": ["1"] * 501}, "ids: has 501 entries; send at most 500."),
        ({"command": "start", "filters": []}, "filters: is no object"),
        ({"command": "start", "filters": {"page_size": "3"}}, "filters.page_size: is unknown"),
        ({"command": "start", "filters": {"department": "moon"}}, "department: 'moon' is no department"),
        ({"command": "hold", "ids": ["1"], "arguments": {"resaon": "x"}}, "arguments.resaon: is unknown; did you"),
        ({"command": "start", "ids": ["1"], "dry_run": "no"}, "dry_run: 'no' is neither true nor false."),
    ],
)
def test_a_faulty_bulk_command_is_refused(desk: Desk, body: dict[str, Any], fault: str) -> None:
    answer = desk.post("/bulk", body)
    assert answer.status_code == 400
    assert fault in answer.json["detail"]


def test_filters_that_select_too_many_requests_are_refused_and_not_cut(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    for _ in range(3):
        build.submit(platform)
    monkeypatch.setattr("open311.web.staff.bulk.MAX_BULK", 2)
    answer = desk.post("/bulk", {"command": "start", "filters": {}})
    assert "filters: selects more than 2 requests" in answer.json["detail"]


def test_a_conflict_is_one_of_our_errors_and_gets_409(desk: Desk, hole: str) -> None:
    assert issubclass(Conflict, Open311Error)
    assert desk.post(f"/requests/{hole}/unmerge").status_code == 409


def test_the_error_for_a_wrong_method_names_the_right_one(desk: Desk, hole: str) -> None:
    answer = desk.get(f"/requests/{hole}/close")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json["detail"] == "This method is not allowed here; send POST."
    assert desk.get(f"/requests/{hole}/explode").status_code == 404
    assert desk.post("/queues").json["detail"] == "This method is not allowed here; send GET."


def test_a_request_is_assigned_to_the_caller_by_me_and_to_nobody_by_null(desk: Desk, hole: str) -> None:
    for given, assignee in (
        ("me", "ada"),
        (None, None),
        ("ada", "ada"),
        ("", None),
        (" me ", "ada"),
        ("none", None),
    ):
        answer = desk.post(f"/requests/{hole}/assign", {"account": given})
        assert (answer.status_code, answer.json["assignee"]) == (200, assignee), given


def test_a_request_is_not_assigned_to_an_account_that_only_reads(
    desk: Desk, client: FlaskClient, platform: Platform, hole: str
) -> None:
    Desk.of(client, platform, "rita", Role.READER)
    answer = desk.post(f"/requests/{hole}/assign", {"account": "rita"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "account")
    assert "rita is a reader and cannot work on requests" in answer.json["detail"]


def test_the_error_for_a_command_that_triage_does_not_allow_names_the_way_out_of_triage(
    desk: Desk, platform: Platform
) -> None:
    build.submit(platform, service_code="hotline", description="Call me")
    [before] = desk.get("/requests?state=triage").json["requests"]
    request_id = before["number"]
    answer = desk.post(f"/requests/{request_id}/start")
    assert answer.status_code == 409
    assert answer.json["detail"].endswith("Transfer it to a department first.")
    assert desk.post(f"/requests/{request_id}/transfer", {"department": before["department"]}).status_code == 200
    assert desk.post(f"/requests/{request_id}/start").status_code == 200
    assert desk.post(f"/requests/{request_id}/hold", {"reason": "x"}).status_code == 200
    again = desk.post(f"/requests/{request_id}/hold", {"reason": "x"})
    assert (again.status_code, "is on_hold; hold is for" in again.json["detail"]) == (409, True)


def test_a_bulk_command_refuses_requests_that_changed_since_they_were_seen(desk: Desk, platform: Platform) -> None:
    seen, changed = (build.submit(platform).service_request_id for _ in range(2))
    number = desk.get(f"/requests/{seen}").json["number"]
    desk.post(f"/requests/{changed}/note", {"text": "x"})
    order = {
        "command": "prioritise",
        "arguments": {"priority": "high"},
        "ids": [{"id": number, "version": 1}, {"id": changed, "version": 1}, "moon"],
    }
    for is_dry, done in ((True, "would_change"), (False, "changed")):
        results = desk.post("/bulk", order | {"dry_run": is_dry}).json["results"]
        assert [one["result"] for one in results] == [done, "refused", "refused"]
        assert [(one["id"], one["service_request_id"], one["number"] is None) for one in results] == [
            (seen, seen, False),
            (changed, changed, False),
            ("moon", None, True),
        ]
        assert results[0]["number"] == number
        assert "is at version 2 now, not 1 (internal_note: x)" in results[1]["why"]
    refused = desk.post("/bulk", order, headers={"If-Match": '"v1"'})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "If-Match")
    assert 'send their versions in `ids`, as {"id": "8841", "version": 3}.' in refused.json["detail"]


def test_a_bulk_command_shows_no_id_of_a_request_of_another_department(
    client: FlaskClient, platform: Platform
) -> None:
    hole = build.submit(platform).service_request_id
    number = build.load(platform, service_request_id=hole).number
    desk = Desk.of(client, platform, "pat", Role.AGENT, "parks")
    [one] = desk.post("/bulk", {"command": "start", "ids": [number]}).json["results"]
    assert (one["id"], one["service_request_id"], one["number"], one["result"]) == (
        str(number),
        None,
        None,
        "refused",
    )


def test_filters_may_be_numbers_and_flags_of_json(desk: Desk, hole: str) -> None:
    for filters in ({"older_than": 0, "merged": False}, {"older_than": "0"}, {"id": hole}):
        order = {"command": "start", "filters": filters}
        assert [one["id"] for one in desk.post("/bulk", order).json["results"]] == [hole], filters
