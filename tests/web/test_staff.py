"""The staff API: who may call it, what it answers, and that its contract is complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import ALL_JURISDICTIONS, SHELL, Role
from open311.domain.requests import Priority, Reporter, Visibility
from open311.domain.updates import SentUpdate
from open311.domain.workflow import Outcome, State
from open311.operations.access.staff import add_account, change_account, revoke_account
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.receive_update import receive_update
from open311.storage import audit
from schemas import staff as wire
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.desk import BASE, Desk

MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk_of(client: FlaskClient, platform: Platform) -> MakeDesk:
    """Makes an account: desk_of("ada", Role.AGENT, "streets")."""
    return lambda *account: Desk.of(client, platform, *account)


# --- The contract


def test_every_command_has_a_schema_with_its_fields() -> None:
    assert set(wire.COMMANDS) == set(commands.commands())
    for name, command in commands.commands().items():
        known = {row.name: row.default is MISSING for row in fields(command)}
        if name == "schedule":
            known["visit"] = True  # only an update from another system may leave out the date
        body = wire.COMMANDS[name]().fields
        assert {field: body[field].required for field in body} == known, name


def test_every_command_has_an_endpoint(app: Flask) -> None:
    paths = {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    for name in commands.commands():
        assert f"{BASE}/requests/<code:id>/{name}" in paths


def test_the_description_names_the_headers_with_which_a_change_is_guarded(client: FlaskClient) -> None:
    """A header is named for exactly the calls that read it."""
    found: dict[str, set[str]] = {}
    for calls in client.get("/openapi.json").json["paths"].values():
        for method in {"post", "put", "delete"} & set(calls):
            references = {one.get("$ref", "").rpartition("/")[2] for one in calls[method].get("parameters", ())}
            found[calls[method]["operationId"]] = references & {"Staff-If-Match", "Staff-Idempotency-Key"}
    both = {f"{name}_request" for name in commands.commands()}
    assert {name for name, headers in found.items() if len(headers) == 2} == both
    assert {name: headers for name, headers in found.items() if len(headers) == 1} == {
        "act_on_requests": {"Staff-Idempotency-Key"},
        "change_staff_notice": {"Staff-If-Match"},
        "end_staff_notice": {"Staff-If-Match"},
        "put_staff_override": {"Staff-If-Match"},
        "drop_staff_override": {"Staff-If-Match"},
    }


def test_schemas_and_domain_have_the_same_words() -> None:
    for words, kinds in (
        (wire.STATES, State),
        (wire.OUTCOMES, Outcome),
        (wire.PRIORITIES, Priority),
        (wire.VISIBILITIES, Visibility),
    ):
        assert words == tuple(str(kind) for kind in kinds)


def test_answers_have_the_fields_of_their_schemas(desk_of: MakeDesk, platform: Platform) -> None:
    hole, other = (build.submit(platform).service_request_id for _ in range(2))
    desk = desk_of("ada", Role.AGENT)
    merged = desk.post(f"/requests/{other}/merge", {"into": hole}).json
    whole = desk.get(f"/requests/{hole}").json
    bulk = desk.post("/bulk", {"command": "start", "ids": [hole, "moon"]}).json
    desk.call("PUT", "/views/mine", json={"filters": {"state": "triage"}})
    found: dict[type[Any], list[dict[str, Any]]] = {
        wire.MeSchema: [desk.get("/me").json],
        wire.QueueItemSchema: desk.get("/requests").json["requests"],
        wire.CrewItemSchema: desk.get("/requests/nearby?lat=60.1718&long=24.9414").json["requests"],
        wire.DepartmentCountSchema: desk.get("/queues").json["queues"],
        wire.StaffRequestSchema: [whole],
        wire.HistoryEntrySchema: whole["history"],
        wire.RouteStepSchema: whole["route"],
        wire.RelatedSchema: [*whole["children"], merged["parent"], *merged["nearby"]],
        wire.StaffReporterSchema: [desk.get(f"/requests/{hole}/reporter?reason=call").json],
        wire.BulkSchema: [bulk],
        wire.BulkResultSchema: bulk["results"],
        wire.ViewSchema: desk.get("/views").json["views"],
        wire.StaffAccountSchema: desk.get("/accounts").json["accounts"],
        wire.StaffCatalogueSchema: [catalogue := desk.get("/catalogue").json],
        wire.CatalogueDepartmentSchema: catalogue["departments"],
        wire.CatalogueServiceSchema: catalogue["services"],
        wire.CatalogueStateSchema: catalogue["states"],
        wire.CatalogueTextSchema: catalogue["texts"],
    }
    for schema, bodies in found.items():
        assert bodies, schema
        for body in bodies:
            assert set(body) == set(schema().fields), schema


# --- Who may call


def test_me_shows_the_account_of_the_token(desk_of: MakeDesk) -> None:
    answer = desk_of("ada@city.example", Role.READER, "streets").get("/me")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    account = answer.json
    assert account.pop("number") > 0
    assert account.pop("token") > 0
    days = (datetime.fromisoformat(account.pop("expires")) - utc_now()).total_seconds() / 86_400
    assert 89.9 < days <= 90
    assert account == {
        "name": "ada@city.example",
        "role": "reader",
        "jurisdiction_id": CITY,
        "departments": ["streets"],
        "commands": [],
    }


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"Authorization": "Bearer staff_wrong"}, ""),
        ({"Authorization": "Basic {token}"}, ""),
        ({"X-Api-Key": "{token}"}, ""),
        ({}, "?api_key={token}&token={token}&access_token={token}"),
    ],
)
def test_a_token_counts_only_in_authorization_bearer(
    client: FlaskClient, desk_of: MakeDesk, headers: dict[str, str], query: str
) -> None:
    token = desk_of().token
    sent = {name: value.format(token=token) for name, value in headers.items()}
    answer = client.get(f"{BASE}/me{query.format(token=token)}", headers=sent)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Authorization: Bearer" in answer.json["detail"]


def test_an_api_key_is_no_token_of_staff_and_a_token_is_no_api_key(
    client: FlaskClient, key: str, desk_of: MakeDesk
) -> None:
    assert client.get(f"{BASE}/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    form = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414", "api_key": desk_of().token}
    assert client.post("/open311/v2/requests.json", data=form).status_code == 403


def test_no_other_site_may_read_the_answers(client: FlaskClient, desk_of: MakeDesk) -> None:
    desk = desk_of()
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (desk.get("/me", headers=asked), client.options(f"{BASE}/requests", headers=asked)):
        assert not [name for name in dict(answer.headers) if name.startswith("Access-Control")]


def test_plain_http_is_refused(make_app: Callable[..., Flask]) -> None:
    app = make_app(public_url="https://311.city.example")
    desk = Desk.of(app.test_client(), platform_of(app))
    for refused in (desk.post("/requests/1/start"), desk.get("/requests"), desk.get("/me")):
        assert refused.status_code == 400
        assert "send it over https and get a new token" in refused.json["detail"]
    assert desk.get("/me", base_url="https://311.city.example").status_code == 200


def test_a_token_reads_only_its_departments_and_the_reporter_only_with_a_reason(
    desk_of: MakeDesk, platform: Platform
) -> None:
    """To read the reporter, an account needs at least the role agent, and the department of the request."""
    who = Reporter(email="jane@example.org")
    hole = build.submit(platform, reporter=who).service_request_id
    record = build.load(platform, service_request_id=hole)
    streets, parks = desk_of("ada", Role.AGENT, "streets"), desk_of("bo", Role.ADMIN, "parks")
    reader, path = desk_of("cy", Role.READER), f"/requests/{hole}/reporter?reason=Call+back"
    for refused in (parks.get(path), parks.get(f"/requests/{hole}"), parks.post(f"/requests/{hole}/start")):
        assert (refused.status_code, "works for parks" in refused.json["detail"]) == (403, True)
        assert "jane" not in refused.text
    assert parks.get("/requests?department=streets").status_code == 403
    for query in ("", f"id={hole}", "q=pothole", "state=closed", "merged=true"):
        assert parks.ids(query) == []
    assert parks.get("/requests/nearby?lat=60.1718&long=24.9414").json["requests"] == []
    assert {one["department"] for one in parks.get("/queues").json["queues"]} == {"parks"}
    assert "needs the role agent; this account is reader" in reader.get(path).json["detail"]
    assert "jane" not in streets.get(f"/requests/{hole}").text
    assert streets.get(f"/requests/{hole}/reporter").json["errors"][0]["field"] == "reason"
    assert streets.get(path).json["email"] == "jane@example.org"
    with platform.database.reading() as connection:
        read = [entry for entry in audit.list_entries(connection, CITY) if entry.act == "reporter.read"]
    assert [(one.actor, one.subject, one.reason) for one in read] == [
        (str(streets.principal), str(record.number), "Call back")
    ]


def test_the_queue_of_an_account_changes_at_once_with_its_rights(desk_of: MakeDesk, platform: Platform) -> None:
    """The server reads the account and the expected page in one go. It must not show that page after a change."""
    streets = build.store(platform, department="streets")
    parks = build.store(platform, department="parks")
    desk = desk_of("ada", Role.READER, "streets")
    for _ in range(4):
        assert desk.ids() == [streets.service_request_id]
    options: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    change_account(platform, CITY, "ada", departments=["parks"], **options)
    for _ in range(4):
        assert desk.ids() == [parks.service_request_id]
    revoke_account(platform, CITY, "ada", **options)
    for _ in range(4):
        assert desk.get("/requests").status_code == 401


def test_a_token_of_one_city_reads_no_other(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), build.city(id="other.example"))
    platform, client = platform_of(app), app.test_client()
    desk = Desk.of(client, platform, "ada", Role.ADMIN, city="test.example")
    other = {"jurisdiction_id": "other.example"}
    for path in ("/requests", "/queues", "/requests/1", "/requests/1/reporter"):
        refused = desk.get(path, query_string=other | {"reason": "x"})
        assert (refused.status_code, "not valid for other.example" in refused.json["detail"]) == (403, True)
    assert desk.post("/requests/1/start", query_string=other).status_code == 403
    assert desk.post("/bulk", {"command": "start", "ids": ["1"]}, query_string=other).status_code == 403
    assert desk.get("/requests").status_code == 200, "its own city need not be named"
    everywhere: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    everywhere |= {"name": "root", "role": Role.READER, "jurisdiction_id": ALL_JURISDICTIONS}
    secret = add_account(platform, **everywhere).secret
    root = Desk(client, secret, desk.principal)
    assert root.get("/requests").status_code == 400
    assert root.get("/requests", query_string=other).status_code == 200


# --- Accounts and catalogue


def test_the_accounts_that_can_work_are_listed_in_pages_without_secrets(
    desk_of: MakeDesk, platform: Platform
) -> None:
    ada = desk_of("ada", Role.DISPATCHER)
    bo, rita = desk_of("bo", Role.AGENT, "streets"), desk_of("rita", Role.READER, "parks")
    desk_of("cy", Role.AGENT, "parks")
    desk_of("zoe")
    revoke_account(platform, CITY, "zoe", principal=SHELL, now=utc_now())
    found = ada.get("/accounts").json
    assert found["cursor"] is None
    assert [(one["name"], one["role"], one["departments"]) for one in found["accounts"]] == [
        ("ada", "dispatcher", []),
        ("bo", "agent", ["streets"]),
        ("cy", "agent", ["parks"]),
    ]
    assert [one["name"] for one in bo.get("/accounts").json["accounts"]] == ["ada", "bo"]
    assert [one["name"] for one in rita.get("/accounts").json["accounts"]] == ["ada", "cy"]
    names, cursor = list[str](), ""
    while cursor is not None:
        page = ada.get("/accounts", query_string={"page_size": 2, "cursor": cursor}).json
        names += [one["name"] for one in page["accounts"]]
        cursor = page["cursor"]
    assert names == ["ada", "bo", "cy"]


def test_the_catalogue_has_the_words_that_commands_read(desk_of: MakeDesk) -> None:
    found = desk_of("rita", Role.READER).get("/catalogue").json
    assert {"code": "streets", "name": "Street Works"}.items() <= found["departments"][0].items()
    assert found["outcomes"] == [str(outcome) for outcome in Outcome]
    assert {one["state"] for one in found["states"]} <= set(map(str, State))
    assert {one["outcome"] for one in found["texts"]} >= set(map(str, Outcome)) | {"merged"}
    assert "hotline" in {one["code"] for one in found["services"]}


# --- Views


def test_views_are_saved_for_one_account(desk_of: MakeDesk) -> None:
    ada, bo = desk_of("ada", Role.READER), desk_of("bo", Role.READER)
    late = {"filters": {"overdue": "true", "department": "streets"}}
    assert ada.call("PUT", "/views/late", json={"filters": {"state": "triage"}}).status_code == 200
    assert ada.call("PUT", "/views/late", json=late).json == {"views": [{"name": "late"} | late]}
    assert bo.get("/views").json == {"views": []}
    assert bo.call("DELETE", "/views/late").status_code == 404
    assert ada.call("DELETE", "/views/late").json == {"views": []}
    for name, filters, fault in (
        (" ", {}, "cannot be a name"),
        ("x" * 61, {}, "cannot be a name"),
        ("..", {}, "cannot be a name"),
        ("late", {"overdu": "true"}, "filters.overdu: is unknown"),
        ("late", {"overdue": "maybe"}, "filters.overdue: 'maybe' is unknown"),
        ("late", {"overdue": ["true"]}, "filters.overdue: is no text"),
        ("late", {"service_code": "moon"}, "'moon' is not in the service list"),
        ("late", {"department": "moon"}, "'moon' is no department"),
        ("late", {"area": "moon"}, "'moon' is no area"),
        ("late", {"assignee": "moon"}, "'moon' is no account"),
        ("late", {"cursor": "x"}, "filters.cursor: is unknown"),
    ):
        refused = ada.call("PUT", f"/views/{name}", json={"filters": filters})
        assert (refused.status_code, fault in refused.json["detail"]) == (400, True), refused.text


def test_a_view_has_a_name_as_people_write_it_and_only_what_the_account_may_see(desk_of: MakeDesk) -> None:
    ada = desk_of("ada", Role.READER, "streets")
    saved = ada.call(
        "PUT", "/views/Late%20potholes,%20Mitte", json={"filters": {"older_than": 30, "overdue": True}}
    )
    assert saved.json == {
        "views": [{"name": "Late potholes, Mitte", "filters": {"older_than": "30", "overdue": "true"}}]
    }
    assert ada.call("PUT", "/views/x", json={"filters": {"department": "parks"}}).status_code == 403
    assert ada.call("DELETE", "/views/Late%20potholes,%20Mitte").json == {"views": []}


def test_a_view_of_an_account_of_all_cities_is_checked_only_if_the_call_names_a_city(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(build.city(), build.city(id="other.example"))
    root = Desk.of(app.test_client(), platform_of(app), "root", Role.READER, city=ALL_JURISDICTIONS)
    body = {"json": {"filters": {"department": "moon"}}}
    assert root.call("PUT", "/views/x", **body).status_code == 200
    assert root.call("PUT", "/views/x?jurisdiction_id=other.example", **body).status_code == 400


# --- What only staff may see


def test_a_whole_request_shows_its_history_to_staff_with_names(desk_of: MakeDesk, platform: Platform) -> None:
    hole = build.submit(platform, description="Deep hole").service_request_id
    desk = desk_of("ada@city.example")
    desk.post(f"/requests/{hole}/assign", {"account": "ada@city.example", "reason": "She knows it."})
    answer = desk.get(f"/requests/{hole}")
    assert answer.headers["ETag"] == '"v2"'
    event = answer.json["history"][-1]
    assert (event["kind"], event["name"], event["text"], event["reason"]) == (
        *("assigned", "ada@city.example", "ada@city.example", "She knows it."),
    )
    assert answer.json["agency_responsible"] == "Street Works"
    assert "acknowledge" in answer.json["commands"]
    assert not {"reopen", "unmerge", "hide", "release"} & set(answer.json["commands"])


def test_a_blackbox_request_is_worked_on_by_its_number_and_a_batch_request_by_its_token(
    desk_of: MakeDesk, platform: Platform
) -> None:
    token = build.submit(platform, service_code="trees").token
    build.submit(platform, service_code="hotline", description="Call me")
    desk = desk_of("ada", Role.DISPATCHER)
    assert desk.post(f"/requests/{token}/prioritise", {"priority": "high"}).json["token"] == token
    [talk] = desk.get("/requests?q=call").json["requests"]
    assert talk["service_request_id"] is None
    assert desk.post(f"/requests/{talk['number']}/close", {"outcome": "fixed"}).json["state"] == "closed"


def test_a_command_with_an_outdated_if_match_is_409(desk_of: MakeDesk, platform: Platform) -> None:
    hole = build.submit(platform).service_request_id
    desk = desk_of("ada")
    seen = desk.get(f"/requests/{hole}").headers["ETag"]
    act(platform, next(iter(platform.registry)), hole, [commands.Start()], principal=SHELL, now=utc_now())
    refused = desk.post(f"/requests/{hole}/close", {"outcome": "fixed"}, headers={"If-Match": seen})
    assert refused.status_code == 409
    assert "is at version 2 now, not 1 (progress: in_progress); read it again" in refused.json["detail"]
    for tag in ('"v2"', 'W/"v2"', "*"):
        done = desk.post(f"/requests/{hole}/note", {"text": "x"}, headers={"If-Match": tag})
        assert done.status_code == (400 if tag.startswith("W/") else 200), tag


def test_a_comment_that_looks_like_an_account_is_not_replaced_by_a_name(
    desk_of: MakeDesk, platform: Platform
) -> None:
    ada, request_id = desk_of("ada"), build.submit(platform).service_request_id
    city = platform.registry.find("city.example")
    texts = [str(ada.principal), "staff:99999999999999999999"]
    for text in texts:
        sent = SentUpdate(
            service_request_id=request_id,
            update_id=text,
            status="unchanged",
            updated_at=build.NOON,
            description=text,
        )
        receive_update(platform, city, sent, principal=build.api_key(platform), now=build.NOON)
    history = ada.get(f"/requests/{request_id}").json["history"]
    assert [event["text"] for event in history if event["kind"] == "comment"] == texts


def test_a_list_of_ids_has_pages(desk_of: MakeDesk, platform: Platform) -> None:
    ada = desk_of("ada")
    ids = [build.submit(platform).service_request_id for _ in range(5)]
    query = f"id={','.join(ids)}&page_size=2"
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ada.get(f"/requests?{query}" + (f"&cursor={cursor}" if cursor else "")).json
        found += [item["service_request_id"] for item in page["requests"]]
        cursor = page["cursor"]
    assert sorted(found) == sorted(ids)
    assert len(found) == 5
