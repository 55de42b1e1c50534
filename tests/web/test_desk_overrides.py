"""The pages for staff on which admins change texts and questions of the city."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from open311.domain.access import Role
from open311.domain.services import Attribute, Datatype, ServiceTranslation, Translation, Value
from open311.operations.platform import Platform
from tests import build
from tests.checked_client import platform_of
from tests.desk_pages import Person, field_of
from tests.pages import checked, text_of

QUESTIONS = (
    Attribute(
        code="COLOUR",
        description="Which colour?",
        datatype=Datatype.SINGLEVALUELIST,
        values=(Value("r", "Red"), Value("a = b", "Green")),
    ),
    Attribute(code="SIZE", description="How large?"),
)
CITY = build.city(
    services=(replace(build.HOLE, attributes=QUESTIONS, group="Streets"), build.TREE, build.TALK),
    languages=("en", "es"),
    translations={"es": Translation(services={"potholes": ServiceTranslation(name="Bache")})},
    overrides=True,
)
PAGE, ITEM = "/desk/test.example/catalogue", "/desk/test.example/catalogue/item"


class Desk:
    """A server with one city, and one of its admins in front of a browser."""

    def __init__(self, app: Flask, role: Role = Role.ADMIN, *departments: str) -> None:
        self.app, self.platform = app, platform_of(app)
        self.person = Person.of(app.test_client(), self.platform, "ada", role, *departments, city="test.example")

    def form(self, item: str) -> dict[str, Any]:
        """The fields of a form as a browser would send them back."""
        document = checked(self.person.get(f"{ITEM}?item={item}"))
        (form,) = document.xpath("//main//form")
        fields = {name: value for name, value in form.form_values() if name != "form_token"}
        return {name: value.strip() for name, value in fields.items()}

    def save(self, item: str, changes: dict[str, str], **more: str) -> Any:
        fields = {
            **self.form(item),
            "do": "save",
            **more,
            **{f"attribute[{key}]": text for key, text in changes.items()},
        }
        return self.person.post(ITEM, files=fields)

    def services(self, language: str = "en") -> Any:
        return self.app.test_client().get(f"/open311/v2/services.json?locale={language}").json

    def definition(self, language: str = "en") -> Any:
        path = f"/open311/v2/services/potholes.json?locale={language}"
        return self.app.test_client().get(path).json["attributes"]


@pytest.fixture
def desk(make_app: Callable[..., Flask]) -> Desk:
    return Desk(make_app(CITY))


def test_a_changed_name_is_shown_until_the_override_is_dropped(desk: Desk) -> None:
    answer = desk.save("service:en:potholes", {"name": "Hole", "keywords": "crater\r\n\r\n hole "})
    assert answer.status_code == 303
    document = checked(desk.person.get(answer.headers["Location"]))
    assert "Saved." in text_of(document)
    assert "Service Hole (en)" in text_of(document)
    assert (desk.services()[0]["service_name"], desk.services()[0]["keywords"]) == ("Hole", "crater, hole")
    version = field_of(document, "version")
    dropped = desk.person.post(ITEM, do="drop", item="service:en:potholes", version=version)
    assert "count again" in text_of(checked(desk.person.get(dropped.headers["Location"])))
    assert desk.services()[0]["service_name"] == "Pothole"


def test_saving_what_the_files_say_changes_nothing_or_drops_the_override(desk: Desk) -> None:
    assert desk.save("service:en:potholes", {}).headers["Location"].endswith("done=same")
    desk.save("service:en:potholes", {"name": "Hole"})
    assert desk.save("service:en:potholes", {"name": "Pothole"}).headers["Location"].endswith("done=dropped")
    assert "Changed here" not in text_of(checked(desk.person.get(PAGE)))


def test_questions_change_their_order_texts_and_choices(desk: Desk) -> None:
    changes = {
        "1.place": "2",
        "2.place": "1",
        "2.required": "true",
        "1.values": "a = b = Lime\r\nblue = Blue\r\nPink",
        "1.datatype_description": "Choose one.",
    }
    assert desk.save("form:potholes", changes).status_code == 303
    size, colour = desk.definition()
    assert (size["code"], size["required"], colour["datatype_description"]) == ("SIZE", True, "Choose one.")
    assert [(one["key"], one["name"]) for one in colour["values"]] == [
        ("a = b", "Lime"),
        ("blue", "Blue"),
        ("Pink", "Pink"),
    ]
    again = desk.form("form:potholes")
    assert (again["attribute[1.place]"], again["attribute[2.place]"]) == ("2", "1")
    assert desk.save("form:potholes", {}).headers["Location"].endswith("done=saved")
    assert [one["code"] for one in desk.definition()] == ["SIZE", "COLOUR"], (
        "saving without a change changes nothing"
    )


def test_a_translation_with_its_questions_is_changed(desk: Desk) -> None:
    changes = {"description": "Un hueco.", "1.description": "¿Qué color?", "1.values": "r = Rojo\r\na = b ="}
    assert desk.save("service:es:potholes", changes).status_code == 303
    colour = desk.definition("es")[0]
    assert (colour["description"], colour["values"][0]["name"]) == ("¿Qué color?", "Rojo")
    assert colour["values"][1]["name"] == "Green"
    assert desk.services("es")[0]["service_name"] == "Bache"


def test_a_text_for_citizens_is_written_for_one_service(desk: Desk) -> None:
    page = checked(desk.person.get(f"{ITEM}?language=en&outcome=fixed&code=potholes"))
    assert field_of(page, "item") == "text:en:fixed:potholes"
    assert desk.save("text:en:fixed:potholes", {"text": "The hole is filled."}).status_code == 303
    texts = checked(desk.person.get("/desk/test.example/texts"))
    assert "The hole is filled." in text_of(texts)
    assert any("text%3Aen%3Afixed%3Apotholes" in link for link in texts.xpath("//main//a/@href"))


def test_a_group_gets_a_name_in_another_language(desk: Desk) -> None:
    assert desk.save("group:es:Streets", {"name": "Calles"}).status_code == 303
    assert desk.services("es")[0]["group"] == "Calles"


@pytest.mark.parametrize(
    ("item", "changes"),
    [
        ("service:en:potholes", {"name": ""}),
        ("service:en:potholes", {"name": "x" * 4_001}),
        ("text:en:fixed:", {"text": "Dear {name}"}),
        ("text:en:fixed:", {"text": "Dear {"}),
        ("form:potholes", {"1.values": ""}),
        ("form:potholes", {"1.values": "r = Red\nr = Rouge"}),
        ("form:potholes", {"2.description": " "}),
        ("service:es:potholes", {"1.values": "x = Equis"}),
    ],
)
def test_a_faulty_form_is_shown_again_with_what_was_typed(desk: Desk, item: str, changes: dict[str, str]) -> None:
    document = checked(desk.save(item, changes), 400)
    assert document.xpath("//main//*[@role='alert' or @class='fault']")
    (name, text) = next(iter(changes.items()))
    (field,) = document.xpath(f"//*[@name='attribute[{name}]']")
    assert (field.get("value") or field.text or "").strip() == text.strip()
    assert "Changed here" not in text_of(checked(desk.person.get(PAGE)))


def test_a_form_gets_409_and_keeps_what_was_typed_if_somebody_else_has_saved_meanwhile(desk: Desk) -> None:
    old = desk.form("service:en:potholes")["version"]
    desk.save("service:en:potholes", {"name": "Hole"})
    document = checked(desk.save("service:en:potholes", {"name": "Crater"}, version=old), 409)
    assert field_of(document, "attribute[name]") == "Crater"
    assert "Somebody else" in text_of(document)
    checked(desk.person.post(ITEM, do="drop", item="service:en:potholes", version=old), 409)
    assert desk.services()[0]["service_name"] == "Hole"


def test_hostile_texts_are_shown_as_texts(desk: Desk) -> None:
    evil = "<script>alert(1)</script>"
    assert desk.save("service:en:potholes", {"name": evil, "description": evil}).status_code == 303
    for path in (PAGE, f"{ITEM}?item=service:en:potholes", "/c/test.example/"):
        document = checked(desk.person.get(path))
        assert evil in desk.form("service:en:potholes")["attribute[name]"]
        assert not document.xpath("//script[contains(., 'alert')]")


def test_calls_that_no_form_sends_are_refused(desk: Desk) -> None:
    checked(desk.person.get(f"{ITEM}?item=service:en:lamps"), 404)
    checked(desk.person.get(ITEM), 404)
    checked(desk.person.post(ITEM, do="save", item="form:lamps", version="0"), 404)
    checked(desk.person.post(ITEM, do="shout", item="form:potholes", version="0"), 404)
    checked(desk.person.post(ITEM, do="save", item="form:potholes", version="x"), 400)
    checked(desk.person.post(ITEM, do="drop", item="form:potholes", version="0"), 404)
    checked(desk.person.client.post(ITEM, data={"do": "drop", "item": "form:potholes"}), 403)


@pytest.mark.parametrize(("role", "departments"), [(Role.DISPATCHER, ()), (Role.ADMIN, ("streets",))])
def test_an_account_that_may_not_change_texts_sees_no_link_and_gets_403(
    make_app: Callable[..., Flask], role: Role, departments: tuple[str, ...]
) -> None:
    desk = Desk(make_app(CITY), role, *departments)
    texts = desk.person.get("/desk/test.example/texts")
    assert "catalogue" not in texts.text
    checked(desk.person.get(PAGE), 403)
    checked(desk.person.get(f"{ITEM}?item=form:potholes"), 403)
    checked(desk.person.post(ITEM, do="save", item="form:potholes", version="0"), 403)


def test_the_page_of_a_city_without_overrides_says_how_to_allow_them(make_app: Callable[..., Flask]) -> None:
    desk = Desk(make_app(replace(CITY, overrides=False)))
    assert "overrides = true" in text_of(checked(desk.person.get(PAGE)))
    checked(desk.person.get(f"{ITEM}?item=form:potholes"), 403)


def test_the_page_says_that_the_citys_files_have_changed(desk: Desk, make_app: Callable[..., Flask]) -> None:
    desk.save("service:en:potholes", {"name": "Hole"})
    changed = replace(CITY.services[0], name="Crater")
    later = make_app(replace(CITY, services=(changed, *CITY.services[1:])))
    own = later.test_client()
    own.set_cookie("open311-desk", desk.person.session.secret, path="/desk")
    page = text_of(checked(own.get(PAGE)))
    assert "files have changed" in page
    assert "say something else now" in page


def test_the_pages_are_shown_in_spanish(desk: Desk, platform: Platform) -> None:
    desk.save("service:en:potholes", {"name": "Hole"})
    for path in (f"{PAGE}?locale=es", f"{ITEM}?locale=es&item=form:potholes"):
        document = checked(desk.person.get(path))
        assert document.get("lang") == "es"
        for english in ("Texts and questions", "Place in the form", "Save", "It counts."):
            assert english not in text_of(document)
