"""Overrides: admins change texts and questions in addition to the files, and all processes see the changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from open311.domain.access import SHELL, Principal, Role
from open311.domain.commands import Close
from open311.domain.overrides import Item, OverrideKind, Standing
from open311.domain.services import Attribute, Datatype, ServiceTranslation, Translation, Value
from open311.domain.workflow import Outcome
from open311.errors import Conflict, Forbidden, Invalid, NotFound
from open311.operations.access.staff import add_account, require_staff
from open311.operations.access.trail import read_trail
from open311.operations.overriding.editing import (
    drop_override,
    list_overrides,
    put_override,
    read_item,
    read_stands,
)
from open311.operations.overriding.seeing import see_overrides
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import sync_catalogues
from open311.operations.workflow.act import act
from open311.operations.workflow.texts import text_for
from open311.plugins import Jurisdiction
from tests import build
from tests.checked_client import platform_of
from tests.desk import Desk as Staff

COLOUR = Attribute(
    code="COLOUR",
    description="Which colour?",
    datatype=Datatype.SINGLEVALUELIST,
    values=(Value("r", "Red"), Value("g", "Green")),
)
SIZE = Attribute(code="SIZE", description="How large?", datatype=Datatype.STRING)
HOLE = replace(build.HOLE, attributes=(COLOUR, SIZE))
CITY = build.city(
    services=(HOLE, replace(build.TREE, group="Parks"), build.TALK),
    languages=("en", "es"),
    translations={"es": Translation(services={"potholes": ServiceTranslation(name="Bache")})},
    overrides=True,
)
MakeApp = Callable[..., Flask]


class Desk:
    """A server with one city, and one of its admins."""

    def __init__(self, make_app: MakeApp, city: Jurisdiction = CITY) -> None:
        self.app = make_app(city)
        self.platform = platform_of(self.app)
        self.admin = account(self.platform, Role.ADMIN)

    @property
    def city(self) -> Jurisdiction:
        return self.platform.registry.find(CITY.id)

    def put(self, item: str, /, seen: int | None = None, **value: Any) -> Any:
        return put_override(self.platform, self.city, item, value, seen=seen, principal=self.admin, now=build.NOON)

    def drop(self, name: str, seen: int | None = None) -> None:
        drop_override(self.platform, self.city, name, seen=seen, principal=self.admin, now=build.NOON)

    def standings(self) -> dict[str, Standing]:
        found = list_overrides(self.platform, self.city, principal=self.admin)
        return {str(one.override.item): one.standing for one in found}

    def later(self, make_app: MakeApp, **changes: Any) -> Desk:
        """The same server after a restart with other files."""
        desk = object.__new__(Desk)
        desk.app = make_app(replace(CITY, **changes))
        desk.platform, desk.admin = platform_of(desk.app), self.admin
        return desk

    def service(self, language: str = "en") -> Any:
        path = f"/open311/v2/services.json?locale={language}"
        (found,) = [one for one in self.app.test_client().get(path).json if one["service_code"] == "potholes"]
        return found


def account(platform: Platform, role: Role, *departments: str) -> Principal:
    made = add_account(
        platform,
        name=f"{role}{len(departments)}",
        role=role,
        jurisdiction_id=CITY.id,
        departments=departments,
        principal=SHELL,
        now=build.NOON,
    )
    return require_staff(platform, made.secret, now=build.NOON)


@pytest.fixture
def desk(make_app: MakeApp) -> Desk:
    return Desk(make_app)


def test_a_name_that_an_admin_changes_is_what_the_list_shows(desk: Desk) -> None:
    desk.service()  # the parsed query is remembered
    desk.put("service:en:potholes", name="Hole in the road")
    assert desk.service()["service_name"] == "Hole in the road"
    assert desk.service()["description"] == HOLE.description, "other fields are those of the files"
    desk.drop("service:en:potholes")
    assert desk.service()["service_name"] == HOLE.name


def test_a_queue_shows_the_new_name_of_a_service_at_once(make_app: MakeApp) -> None:
    desk = Desk(make_app)
    build.store(desk.platform, department="streets")
    staff = Staff.of(desk.app.test_client(), desk.platform, "sam", Role.READER, city=CITY.id)
    [before] = staff.get("/requests").json["requests"]
    desk.put("service:en:potholes", name="Hole in the road")
    [after] = staff.get("/requests").json["requests"]
    assert (before["service_name"], after["service_name"]) == (HOLE.name, "Hole in the road")


def test_another_process_sees_a_change_without_a_restart(desk: Desk, make_app: MakeApp) -> None:
    other = desk.later(make_app)
    desk.put("service:en:potholes", name="Hole in the road")
    see_overrides(other.platform, is_fresh=True)
    assert other.service()["service_name"] == "Hole in the road"


def test_a_change_raises_the_changeset_and_a_restart_keeps_it(desk: Desk, make_app: MakeApp) -> None:
    def changeset(app: Flask) -> str:
        return str(app.test_client().get("/open311/discovery.json").json["endpoints"][0]["changeset"])

    before = changeset(desk.app)
    desk.put("service:en:potholes", name="Hole in the road")
    after = changeset(desk.app)
    assert after > before
    assert sync_catalogues(desk.later(make_app).platform, build.NOON) == []
    assert changeset(desk.app) == after


def test_a_text_for_citizens_counts_for_its_service_and_language(desk: Desk) -> None:
    desk.put("text:en:fixed:potholes", text="The hole is filled.")
    desk.put("text:es:fixed:", text="Está arreglado.")
    record = build.record(desk.city, number=1)
    assert text_for(desk.city, record, "fixed", build.NOON) == "The hole is filled."
    assert text_for(desk.city, record, "fixed", build.NOON, language="es") == "Está arreglado."
    assert (
        text_for(desk.city, replace(record, service_code="trees"), "fixed", build.NOON) == "The problem is fixed."
    )


def test_questions_change_their_order_texts_and_choices_and_keep_their_codes(desk: Desk) -> None:
    values = [{"key": "r", "name": "Crimson"}, {"key": "b", "name": "Blue"}]
    questions = [{"code": "SIZE", "required": True}, {"code": "COLOUR", "description": "Colour?", "values": values}]
    desk.put("form:potholes", attributes=questions)
    found = desk.app.test_client().get("/open311/v2/services/potholes.json").json["attributes"]
    assert [(one["code"], one["order"], one["required"]) for one in found] == [
        ("SIZE", 1, True),
        ("COLOUR", 2, False),
    ]
    assert found[1]["description"] == "Colour?"
    assert found[1]["values"] == [{"key": "r", "name": "Crimson"}, {"key": "b", "name": "Blue"}]


def test_a_new_choice_can_be_translated_and_a_choice_that_is_gone_loses_its_translation(desk: Desk) -> None:
    desk.put("service:es:potholes", attributes={"COLOUR": {"values": {"g": "Verde"}}})
    desk.put("form:potholes", attributes=[{"code": "COLOUR", "values": ["r", "b"]}])
    desk.put("service:es:potholes", attributes={"COLOUR": {"values": {"b": "Azul"}}})
    path = "/open311/v2/services/potholes.json?locale=es"
    colour = desk.app.test_client().get(path).json["attributes"][0]
    assert colour["values"] == [{"key": "r", "name": "r"}, {"key": "b", "name": "Azul"}]


def test_a_group_with_another_name_can_be_translated(desk: Desk) -> None:
    desk.put("service:en:potholes", group="Roads")
    desk.put("group:es:Roads", name="Calles")
    assert desk.service("es")["group"] == "Calles"
    desk.drop("service:en:potholes")
    assert desk.standings() == {"group:es:Roads": Standing.GONE}


def test_a_translation_is_what_readers_of_the_language_see(desk: Desk) -> None:
    desk.put("service:es:potholes", description="Un hueco.", keywords="hueco")
    assert (desk.service("es")["service_name"], desk.service("es")["description"]) == ("Bache", "Un hueco.")
    assert desk.service("es")["keywords"] == "hueco"


FAULTY: dict[str, tuple[str, dict[str, Any], str]] = {
    "empty name": ("service:en:potholes", {"name": ""}, "value"),
    "wrong type": ("service:en:potholes", {"name": 7}, "name"),
    "unknown key": ("service:en:potholes", {"title": "Hole"}, "title"),
    "another key of the file": ("service:en:potholes", {"department": "parks"}, "department"),
    "too long": ("service:en:potholes", {"description": "x" * 4_001}, "description"),
    "too many": ("service:en:potholes", {"keywords": ["x"] * 501}, "keywords"),
    "forbidden characters": ("service:en:potholes", {"description": "a\x01b"}, "value"),
    "no text at all": ("service:en:potholes", {"name": None}, "name"),
    "no question text": ("form:potholes", {"attributes": [{"code": "SIZE", "description": None}]}, "attributes"),
    "NUL in a text": ("text:en:fixed:", {"text": "Done\0"}, "value"),
    "NUL in a translated text": ("text:es:fixed:", {"text": "Hecho\0"}, "value"),
    "forbidden characters in a translation": ("service:es:potholes", {"keywords": ["a\x01b"]}, "value"),
    "blank name in a translation": ("service:es:potholes", {"name": " "}, "value"),
    "unknown field": ("text:en:fixed:", {"text": "Dear {name}"}, "text"),
    "open brace": ("text:en:fixed:", {"text": "Dear {"}, "text"),
    "reaches into a value": ("text:en:fixed:", {"text": "{service.__class__}"}, "text"),
    "empty text": ("text:en:fixed:", {"text": "  "}, "text"),
    "nothing": ("text:en:fixed:", {}, "text"),
    "unknown question": ("form:potholes", {"attributes": [{"code": "NEW", "description": "?"}]}, "attributes"),
    "question twice": ("form:potholes", {"attributes": [{"code": "SIZE"}, {"code": "SIZE"}]}, "attributes"),
    "no choices": ("form:potholes", {"attributes": [{"code": "COLOUR", "values": []}]}, "value"),
    "choices of no list": ("form:potholes", {"attributes": [{"code": "SIZE", "values": ["x"]}]}, "value"),
    "key twice": ("form:potholes", {"attributes": [{"code": "COLOUR", "values": ["r", "r"]}]}, "value"),
    "no question": ("form:potholes", {"attributes": "SIZE"}, "attributes"),
    "unknown choice": (
        "service:es:potholes",
        {"attributes": {"COLOUR": {"values": {"x": "Equis"}}}},
        "attributes",
    ),
    "the same": ("service:en:potholes", {"name": "Pothole"}, "value"),
    "empty group": ("service:en:trees", {"group": ""}, "group"),
    "blank group": ("service:en:potholes", {"group": " "}, "group"),
    "the same questions": ("form:potholes", {"attributes": [{"code": "COLOUR"}, {"code": "SIZE"}]}, "value"),
}


@pytest.mark.parametrize(("item", "value", "field"), FAULTY.values(), ids=list(FAULTY))
def test_a_faulty_override_is_refused_with_its_field_and_nothing_changes(
    desk: Desk, item: str, value: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        desk.put(item, **value)
    assert refused.value.problems[0].field == field
    assert desk.standings() == {}


@pytest.mark.parametrize(
    "item",
    [
        *("", "x", "text", "text:en", "text:en:fixed", "text:de:fixed:", "text:en:nothing:", "text:en:fixed:lamps"),
        *("service:en:lamps", "service:de:potholes", "form:lamps", "form:trees", "group:en:Streets", "group:es:"),
    ],
)
def test_an_item_that_the_city_does_not_have_cannot_be_overridden(desk: Desk, item: str) -> None:
    with pytest.raises(NotFound):
        desk.put(item, name="x")


def test_only_an_admin_of_all_departments_may_override(desk: Desk) -> None:
    for principal in (account(desk.platform, Role.DISPATCHER), account(desk.platform, Role.ADMIN, "streets")):
        with pytest.raises(Forbidden):
            put_override(
                desk.platform,
                desk.city,
                "text:en:fixed:",
                {"text": "Done."},
                seen=None,
                principal=principal,
                now=build.NOON,
            )
        with pytest.raises(Forbidden):
            list_overrides(desk.platform, desk.city, principal=principal)


def test_a_city_whose_files_do_not_allow_overrides_has_none(make_app: MakeApp, desk: Desk) -> None:
    desk.put("service:en:potholes", name="Hole in the road")
    off = desk.later(make_app, overrides=False)
    assert off.service()["service_name"] == HOLE.name
    assert off.standings() == {"service:en:potholes": Standing.OFF}, "the override is still listed"
    with pytest.raises(Forbidden, match="overrides = true"):
        off.put("service:en:potholes", name="Hole")
    off.drop("service:en:potholes")
    assert off.standings() == {}


def test_two_admins_do_not_overwrite_each_others_changes(desk: Desk) -> None:
    first = desk.put("text:en:fixed:", 0, text="Done.")
    with pytest.raises(Conflict):
        desk.put("text:en:fixed:", 0, text="Ready.")
    second = desk.put("text:en:fixed:", first.version, text="Ready.")
    assert second.version > first.version
    with pytest.raises(Conflict):
        desk.drop("text:en:fixed:", first.version)
    desk.drop("text:en:fixed:", second.version)
    with pytest.raises(NotFound):
        desk.drop("text:en:fixed:")


def test_an_override_that_the_files_have_taken_over_is_equal(desk: Desk, make_app: MakeApp) -> None:
    desk.put("service:en:potholes", name="Hole in the road")
    taken = desk.later(make_app, services=(replace(HOLE, name="Hole in the road"), build.TREE, build.TALK))
    assert taken.standings() == {"service:en:potholes": Standing.EQUAL}


def test_an_override_is_reported_if_its_base_has_changed_or_is_gone(desk: Desk, make_app: MakeApp) -> None:
    desk.put("service:en:potholes", name="Hole in the road")
    changed = desk.later(make_app, services=(replace(HOLE, name="Crater"), build.TREE, build.TALK))
    assert changed.standings() == {"service:en:potholes": Standing.CHANGED}
    assert changed.service()["service_name"] == "Hole in the road", "the override still has an effect"
    gone = desk.later(make_app, services=(build.TREE, build.TALK), translations={})
    assert gone.standings() == {"service:en:potholes": Standing.GONE}
    gone.drop("service:en:potholes")
    assert gone.standings() == {}


def test_an_override_that_would_break_the_catalogue_has_no_effect_and_the_others_have(
    desk: Desk, make_app: MakeApp
) -> None:
    desk.put("form:potholes", attributes=[{"code": "COLOUR", "values": ["r"]}])
    desk.put("service:en:potholes", name="Hole in the road")
    needs_green = replace(SIZE, default=("g",), datatype=Datatype.SINGLEVALUELIST, values=COLOUR.values)
    plain = replace(COLOUR, datatype=Datatype.TEXT, values=())
    later = desk.later(make_app, services=(replace(HOLE, attributes=(plain, needs_green)), build.TREE, build.TALK))
    assert later.standings() == {
        "form:potholes": Standing.MISFIT,
        "service:en:potholes": Standing.APPLIED,
    }
    (fault,) = [one.fault for one in read_stands(later.platform, later.city) if one.fault]
    assert "COLOUR" in fault
    assert later.service()["service_name"] == "Hole in the road"


def test_a_question_that_is_new_in_the_files_comes_after_those_of_an_override(
    desk: Desk, make_app: MakeApp
) -> None:
    desk.put("form:potholes", attributes=[{"code": "SIZE"}, {"code": "COLOUR"}])
    depth = Attribute(code="DEPTH", description="How deep?")
    later = desk.later(make_app, services=(replace(HOLE, attributes=(depth, COLOUR)), build.TREE, build.TALK))
    found = later.city.require_service("potholes").attributes
    assert [one.code for one in found] == ["COLOUR", "DEPTH"]
    assert later.standings() == {"form:potholes": Standing.CHANGED}


def test_the_audit_trail_has_the_actor_the_item_and_both_values(desk: Desk) -> None:
    desk.put("service:en:potholes", name="Hole in the road")
    desk.put("service:en:potholes", name="Crater")
    desk.drop("service:en:potholes")
    found = [one for one in read_trail(desk.platform).entries if one.act.startswith("override.")]
    names = [(one.details["before"]["name"], one.details["after"]["name"]) for one in found]
    assert names == [("Pothole", "Hole in the road"), ("Hole in the road", "Crater"), ("Crater", "Pothole")]
    assert {(one.actor, one.subject) for one in found} == {(str(desk.admin), "service:en:potholes")}


def test_an_item_shows_what_the_files_say_and_what_counts(desk: Desk) -> None:
    desk.put("service:en:potholes", name="Hole in the road")
    found = read_item(desk.platform, desk.city, "service:en:potholes", principal=desk.admin)
    assert (found.base["name"], found.value["name"]) == ("Pothole", "Hole in the road")
    assert found.value["notice"] == HOLE.notice


@pytest.mark.parametrize(
    "name", ["text:es:fixed:a:b", "service:es:a:b", "form:a:b", "group:es:a:b", "text:en:fixed:"]
)
def test_the_name_of_an_item_is_read_as_it_is_written(name: str) -> None:
    item = Item.of(name)
    assert item is not None
    assert str(item) == name
    assert item.kind in tuple(OverrideKind)


def test_only_one_of_several_admins_who_save_at_the_same_time_succeeds(desk: Desk) -> None:
    def save(number: int) -> bool:
        try:
            desk.put("service:en:potholes", 0, name=f"Hole {number}")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(save, range(8))) == 1
    assert desk.service()["service_name"].startswith("Hole ")


def test_a_request_keeps_the_text_with_which_it_was_closed(desk: Desk) -> None:
    desk.put("text:en:fixed:", text="The hole is filled.")
    number = build.store(desk.platform, service_request_id="R1", department="streets").number
    act(desk.platform, desk.city, number, [Close(outcome=Outcome.FIXED)], principal=SHELL, now=build.NOON)
    desk.put("text:en:fixed:", text="Done.")
    assert build.load(desk.platform, number=number).status_notes == "The hole is filled."


@contextmanager
def without_table(platform: Platform) -> Iterator[None]:
    """A database in which the versions of overrides cannot be read."""
    _rename(platform, "override_list", "away")
    try:
        yield
    finally:
        _rename(platform, "away", "override_list")


def _rename(platform: Platform, old: str, new: str) -> None:
    with platform.database.transaction() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_without_the_table_known_overrides_still_have_an_effect_and_a_new_process_answers_503(
    desk: Desk, make_app: MakeApp
) -> None:
    desk.put("service:en:potholes", name="Hole in the road")
    with without_table(desk.platform):
        see_overrides(desk.platform, is_fresh=True)
        assert desk.service()["service_name"] == "Hole in the road"
        new = make_app(CITY)
        assert new.test_client().get("/open311/v2/services.json").status_code == 503
        off = make_app(replace(CITY, overrides=False))
        assert off.test_client().get("/open311/v2/services.json").status_code == 200
