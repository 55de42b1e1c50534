"""The staff API for the data of a person: who may call it, what it answers, and that no log has the person."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.domain.access import Role
from open311.domain.requests import Reporter
from open311.observe import configure_logs
from open311.operations.people import erase_person, export_person
from open311.operations.platform import Platform
from open311.storage import audit
from schemas import staff as wire
from tests import build
from tests.desk import Desk
from tests.stored import dump

JANE = {"email": "jane@mail.example", "first_name": "Jane-first", "phone": "+1 555 0142"}
ASKED = {"email": "JANE@mail.example", "reason": "Letter of 1 March."}


@pytest.fixture
def admin(client: FlaskClient, platform: Platform) -> Desk:
    return Desk.of(client, platform, "ada", Role.ADMIN)


def submit(platform: Platform, **fields: Any) -> str:
    return build.submit(platform, reporter=Reporter(**JANE), description="Deep", **fields).service_request_id


def test_an_export_has_the_fields_of_its_schema(admin: Desk, platform: Platform) -> None:
    name = submit(platform)
    answer = admin.post("/reporters/export", ASKED)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert set(answer.json) == set(wire.PersonExportSchema().fields)
    (found,) = answer.json["requests"]
    assert set(found) == set(wire.PersonRequestSchema().fields)
    assert set(found["report"]) == set(wire.PersonReportSchema().fields)
    assert (found["service_request_id"], found["report"]["phone"]) == (name, JANE["phone"])


def test_an_erasure_is_a_dry_run_by_default(admin: Desk, platform: Platform) -> None:
    name = submit(platform)
    tried = admin.post("/reporters/erase", ASKED).json
    assert set(tried) == set(wire.PersonErasureSchema().fields)
    assert (tried["dry_run"], tried["requests"], tried["rows"]) == (True, [name], {"reporter": 1})
    assert JANE["email"] in dump(platform)
    done = admin.post("/reporters/erase", ASKED | {"dry_run": False}).json
    assert tried["erasure"] is None, "the audit trail has no dry run"
    assert done == tried | {"dry_run": False, "erasure": done["erasure"]}
    assert (len(done["erasure"]), done["notice"]) == (36, None)
    assert [value for value in JANE.values() if value in dump(platform)] == []
    again = admin.post("/reporters/erase", ASKED | {"dry_run": False}).json
    assert (again["requests"], again["rows"]) == ([], {})
    assert again["notice"].startswith("Nothing of this person was found. Try ")
    assert admin.post("/reporters/export", ASKED).json["notice"] == again["notice"]


def test_texts_are_erased_only_if_the_call_asks_for_it(
    admin: Desk, client: FlaskClient, platform: Platform
) -> None:
    name = submit(platform)
    admin.post("/reporters/erase", ASKED | {"dry_run": False, "texts": True})
    (shown,) = client.get(f"/open311/v2/requests/{name}.json").json
    assert shown["description"] is None


def test_many_requests_need_several_calls(admin: Desk, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (erase_person, export_person):
        monkeypatch.setattr(module, "AT_ONCE", 2)
    names = [submit(platform) for _ in range(3)]
    for path, more in (("export", {}), ("erase", {"dry_run": False})):
        first = admin.post(f"/reporters/{path}", ASKED | more).json
        second = admin.post(f"/reporters/{path}", ASKED | more | {"after": first["next"]}).json
        assert [len(page["requests"]) for page in (first, second)] == [2, 1]
        assert second["next"] is None
    assert second["requests"] == names[2:]


@pytest.mark.parametrize("path", ["/reporters/export", "/reporters/erase"])
@pytest.mark.parametrize(
    ("role", "departments"),
    [(Role.READER, ()), (Role.AGENT, ()), (Role.DISPATCHER, ()), (Role.ADMIN, ("streets",))],
)
def test_only_an_admin_for_all_departments_may_act_for_a_person(
    client: FlaskClient, platform: Platform, path: str, role: Role, departments: tuple[str, ...]
) -> None:
    submit(platform)
    desk = Desk.of(client, platform, "bo", role, *departments)
    answer = desk.post(path, ASKED | ({"dry_run": False} if "erase" in path else {}))
    assert answer.status_code == 403
    assert JANE["email"] not in answer.text
    assert JANE["email"] in dump(platform)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"reason": "x"}, "email: is missing; send at least one of"),
        ({"email": "", "reason": "x"}, "email: is empty, which would fit everybody"),
        ({"email": "jane@mail.example"}, "reason: is missing"),
        ({"email": "jane@mail.example", "reason": " "}, "reason: is missing"),
        ({"email": "jane@mail.example", "reason": "Of jane@mail.example"}, "reason: names the person"),
        ({"email": ["jane@mail.example"], "reason": "x"}, "email: is no text"),
        ({"email": "jane@mail.example", "reason": "x", "after": "7"}, "after: '7' is no number of a request"),
        ({"email": "jane@mail.example", "reason": "x", "mail": "y"}, "mail"),
        ({"phone": "12", "reason": "x"}, "phone: has fewer than 5 digits"),
        ({"email": "a" * 600, "reason": "x"}, "email: has 600 characters"),
    ],
)
def test_a_faulty_call_is_a_400_that_names_the_field(admin: Desk, body: dict[str, Any], fault: str) -> None:
    for path in ("export", "erase"):
        answer = admin.post(f"/reporters/{path}", body)
        assert answer.status_code == 400
        assert fault in answer.json["detail"], answer.json["detail"]


def test_no_log_line_names_the_person(admin: Desk, platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    submit(platform)
    configure_logs("info")
    for path in ("export", "erase"):
        admin.post(f"/reporters/{path}", ASKED | ({"dry_run": False} if path == "erase" else {}))
        admin.post(f"/reporters/{path}", ASKED | {"reason": "Of jane@mail.example"})
    said = capsys.readouterr()
    assert [value for value in JANE.values() if value.lower() in (said.out + said.err).lower()] == []


def test_the_audit_trail_has_who_did_it_and_not_whose_data_it_was(admin: Desk, platform: Platform) -> None:
    submit(platform)
    admin.post("/reporters/export", ASKED)
    admin.post("/reporters/erase", ASKED | {"dry_run": False})
    with platform.database.reading() as connection:
        entries = [one for one in audit.list_entries(connection) if one.act.startswith("reporter.")]
    assert [one.act for one in entries] == ["reporter.export", "reporter.erase"]
    assert {one.actor for one in entries} == {str(admin.principal)}
    assert {one.reason for one in entries} == {ASKED["reason"]}
    assert "jane" not in str(entries).lower()
