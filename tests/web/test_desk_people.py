"""The pages for staff about blocked senders and the data of a person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.abuse import BlockKind
from open311.domain.access import ALL_JURISDICTIONS, SHELL, Role
from open311.domain.requests import Reporter
from open311.operations.access.blocks import BlockOrder, add_block, list_blocks
from open311.operations.access.trail import read_trail
from open311.operations.platform import Platform
from tests import build
from tests.conftest import CITY
from tests.desk_pages import HOME, Person
from tests.pages import checked, text_of

EMAIL, PHONE = "jane@mail.example", "+1 555 0100"
WHO: dict[str, Any] = {"email": EMAIL, "reason": "Letter of 1 March."}


@pytest.fixture
def admin(client: FlaskClient, platform: Platform) -> Person:
    """An admin of the city."""
    return Person.of(client, platform, "ada", Role.ADMIN)


@pytest.fixture
def held(platform: Platform) -> int:
    """A request of the person. Returns its number."""
    who = Reporter(email=EMAIL, first_name="Jane", phone=PHONE)
    request_id = build.submit(platform, description="Deep hole. Call Jane.", reporter=who).service_request_id
    return build.load(platform, service_request_id=request_id).number


# --- Blocks


def test_a_sender_is_blocked_and_the_block_is_removed(admin: Person, platform: Platform) -> None:
    assert "Nobody is blocked" in text_of(checked(admin.get("blocks")))
    answer = admin.post("blocks", kind="email", value=EMAIL, reason="Insults.", days="7")
    page = admin.get(answer.headers["Location"])
    assert "Insults." in text_of(checked(page))
    assert EMAIL not in page.text, "only a digest is stored"
    (block,) = list_blocks(platform, CITY, principal=SHELL)
    assert "Please write a reason of one line" in text_of(checked(admin.post(f"blocks/{block.id}/remove"), 400))
    answer = admin.post(f"blocks/{block.id}/remove", reason="Over.")
    assert "was removed" in text_of(checked(admin.get(answer.headers["Location"])))
    assert not list_blocks(platform, CITY, principal=SHELL)
    acts = [(one.act, one.reason) for one in read_trail(platform).entries if one.act.startswith("block.")]
    assert acts == [("block.add", "Insults."), ("block.remove", "Over.")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "email", "value": EMAIL, "reason": "", "days": "7"}, "reason"),
        ({"kind": "email", "value": "", "reason": "x", "days": "7"}, "value"),
        ({"kind": "email", "value": "nobody", "reason": "x", "days": "7"}, "value"),
        ({"kind": "address", "value": "203.0.113.7/24", "reason": "x", "days": "7"}, "value"),
        ({"kind": "address", "value": "10.0.0.0/8", "reason": "x", "days": "7"}, "value"),
        ({"kind": "key", "value": "none", "reason": "x", "days": "7"}, "value"),
        ({"kind": "phone", "value": PHONE, "reason": "x", "days": "7"}, "kind"),
        ({"kind": "email", "value": EMAIL, "reason": "x", "days": "-1"}, "days"),
        ({"kind": "email", "value": EMAIL, "reason": "x", "days": "99999"}, "days"),
        ({"kind": "email", "value": EMAIL, "reason": "x" * 501, "days": "7"}, "reason"),
        ({}, "kind"),
    ],
)
def test_the_fault_of_a_block_is_shown_at_its_field_and_what_was_typed_stays(
    admin: Person, platform: Platform, fields: dict[str, Any], field: str
) -> None:
    document = checked(admin.post("blocks", **fields), 400)
    assert document.xpath(f"//p[@id='{field}-fault']")
    assert document.xpath("//input[@name='value']/@value") == [fields.get("value", "")]
    assert not list_blocks(platform, CITY, principal=SHELL)


def test_the_same_block_twice_is_a_409(admin: Person) -> None:
    fields: dict[str, Any] = {"kind": "email", "value": EMAIL, "reason": "Insults.", "days": "7"}
    assert admin.post("blocks", **fields).status_code == 303
    assert checked(admin.post("blocks", **fields), 409).xpath("//p[@id='value-fault']")


def test_the_admin_of_a_city_sees_a_block_of_all_cities_and_cannot_remove_it(
    admin: Person, platform: Platform
) -> None:
    by_shell: dict[str, Any] = {"principal": SHELL, "now": utc_now()}
    order = BlockOrder(kind=BlockKind.ADDRESS, value="203.0.113.0/24", reason="Spam.")
    block = add_block(platform, order, **by_shell)
    document = checked(admin.get("blocks"))
    assert "203.0.113.0/24" in text_of(document)
    assert not document.xpath("//form[contains(@action, '/remove')]")
    checked(admin.post(f"blocks/{block.id}/remove", reason="x"), 404)
    assert [one.jurisdiction_id for one in list_blocks(platform, CITY, principal=SHELL)] == [ALL_JURISDICTIONS]


# --- Data of a person


def test_what_is_held_of_a_person_is_found_and_no_address_or_log_names_the_person(
    admin: Person, held: int, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    document = checked(admin.post("people", do="find", **WHO))
    assert "the report" in text_of(document)
    fields = "//input[@name='phone' and @type='text']"
    assert document.xpath(f"//h2[@id='held']/following::{fields[2:]}"), (
        "the result is above the form, as on a phone"
    )
    assert f"{HOME}requests/{held}" in document.xpath("//main//table//a/@href")
    assert not [link for link in document.xpath("//@href | //@action") if "jane" in str(link).lower()]
    entry = read_trail(platform).entries[-1]
    assert (entry.act, entry.reason, entry.details["found_by"]) == ("reporter.export", WHO["reason"], ["email"])
    assert EMAIL not in capsys.readouterr().err


def test_everything_is_downloaded_as_one_file(admin: Person, held: int) -> None:
    answer = admin.post("people", do="export", **WHO)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="personal-data.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    (request,) = json.loads(answer.data)["requests"]
    assert (request["number"], request["report"]["first_name"]) == (held, "Jane")


def test_a_person_is_erased_after_a_trial_and_a_typed_word_and_the_proof_is_shown(
    admin: Person, held: int, platform: Platform
) -> None:
    trial = checked(admin.post("people", do="try", texts="true", **WHO))
    assert "What would be erased" in text_of(trial)
    assert build.load(platform, number=held).description, "nothing is erased yet"
    for word in ("", "yes", "eras"):
        refused = checked(admin.post("people", do="erase", texts="true", confirmed=word, **WHO), 400)
        assert refused.xpath("//p[@id='confirmed-fault']")
        assert refused.xpath("//form//input[@id='texts']/@checked")
    assert build.load(platform, number=held).description
    answer = admin.post("people", do="erase", texts="true", confirmed=" Erase ", **WHO)
    assert answer.status_code == 303
    assert "jane" not in answer.headers["Location"].lower()
    proof = admin.get(answer.headers["Location"])
    shown = text_of(checked(proof))
    assert "were erased too" in shown
    assert "reporter" in shown
    assert "Letter of 1 March." in shown
    assert EMAIL not in proof.text
    assert not build.load(platform, number=held).description
    assert "Nothing of this person was found" in text_of(checked(admin.post("people", do="find", **WHO)))
    acts = [one.act for one in read_trail(platform).entries if one.act == "reporter.erase"]
    assert acts == ["reporter.erase"], "the trials have left no entry, and a reload erases nothing again"


def test_an_erasure_is_confirmed_by_a_word_in_the_readers_language(admin: Person, held: int) -> None:
    trial = checked(admin.post("people", do="try", locale="es", **WHO))
    (word,) = trial.xpath("//label[@for='confirmed']/strong/text()")
    assert word != "erase"
    assert admin.post("people", do="erase", locale="es", confirmed=word, **WHO).status_code == 303


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": "x"}, "email"),
        ({"email": EMAIL}, "reason"),
        ({"email": EMAIL, "reason": f"Letter of {EMAIL}"}, "reason"),
        ({"phone": "12", "reason": "x"}, "phone"),
        ({"email": "x" * 501, "reason": "x"}, "email"),
    ],
)
@pytest.mark.parametrize("act", ["find", "export", "try", "erase"])
def test_faults_are_shown_at_their_fields(
    admin: Person, held: int, act: str, fields: dict[str, Any], field: str
) -> None:
    document = checked(admin.post("people", do=act, confirmed="erase", **fields), 400)
    assert document.xpath(f"//p[@id='{field}-fault']")


def test_an_unknown_person_and_an_unknown_erasure_are_reported(admin: Person) -> None:
    for act in ("find", "try"):
        assert "Nothing of this person" in text_of(checked(admin.post("people", do=act, **WHO)))
    checked(admin.post("people", do="shout", **WHO), 404)
    for erasure in ("x", "0" * 36, "00000000-0000-4000-8000-000000000000"):
        checked(admin.get(f"people/erasures/{erasure}"), 404)


# --- Rights


@pytest.mark.parametrize(
    ("role", "departments", "sees"),
    [
        (Role.ADMIN, (), ["blocks", "people"]),
        (Role.ADMIN, ("streets",), ["blocks"]),
        (Role.DISPATCHER, (), []),
        (Role.AGENT, (), []),
    ],
)
def test_a_role_sees_only_the_links_and_pages_that_it_may_use(
    client: FlaskClient, platform: Platform, role: Role, departments: tuple[str, ...], sees: list[str]
) -> None:
    person = Person.of(client, platform, "ben", role, *departments)
    links = checked(person.get()).xpath("//footer//a/@href")
    for page in ("blocks", "people"):
        status = 200 if page in sees else 403
        assert (f"{HOME}{page}" in links) is (page in sees)
        checked(person.get(page), status)
    if "people" not in sees:
        for act in ("find", "export", "try", "erase"):
            assert person.post("people", do=act, confirmed="erase", **WHO).status_code == 403
        checked(person.get("people/erasures/00000000-0000-4000-8000-000000000000"), 403)
    if "blocks" not in sees:
        checked(person.post("blocks", kind="email", value=EMAIL, reason="x", days="1"), 403)
        checked(person.post("blocks/1/remove", reason="x"), 403)


@pytest.mark.parametrize("path", ["people", "blocks", "blocks/1/remove"])
def test_a_form_without_the_token_of_the_session_is_refused(admin: Person, path: str) -> None:
    checked(admin.client.post(HOME + path, data={"do": "erase", "confirmed": "erase", **WHO}), 403)
