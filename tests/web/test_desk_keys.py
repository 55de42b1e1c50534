"""The pages for staff about keys of apps, texts for citizens, and neighbours."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.access import ALL_JURISDICTIONS, SHELL, Role
from open311.domain.remotes import Remote
from open311.errors import Forbidden
from open311.operations.access.api_keys import add_key, list_keys, require_key
from open311.operations.platform import Platform
from open311.storage import audit, remotes
from tests.conftest import CITY
from tests.desk_pages import HOME, Person
from tests.pages import checked, text_of


def by_shell() -> dict[str, Any]:
    """The principal and the time of an act in the shell. With one fixed time, a long run would end login links."""
    return {"principal": SHELL, "now": utc_now()}


@pytest.fixture
def admin(client: FlaskClient, platform: Platform) -> Person:
    """An admin of the city."""
    return Person.of(client, platform, "ada", Role.ADMIN)


def made(admin: Person) -> str:
    """Make a key by the form, and return its secret."""
    document = checked(admin.get(admin.post("keys", label="FixIt app").headers["Location"]))
    return str(document.xpath("//main//code/text()")[0])


def test_a_key_is_made_and_its_secret_is_shown_once(admin: Person, platform: Platform) -> None:
    sent = admin.post("keys", label=" FixIt app ", contact="dev@fixit.example", test="true")
    answer = admin.get(sent.headers["Location"])
    secret = checked(answer).xpath("//main//code/text()")[0]
    assert answer.headers["Cache-Control"] == "no-store"
    holder = require_key(platform, secret)
    assert (holder.label, holder.is_test, holder.scope.jurisdiction_id) == ("FixIt app", True, CITY)
    document = checked(admin.get("keys"))
    [link] = document.xpath("//main//table//a/@href")
    assert "for tests" in text_of(document)
    one = admin.get(link)
    assert "dev@fixit.example" in text_of(checked(one))
    assert secret not in admin.get("keys").text + one.text


def test_a_key_of_sensors_names_its_things(admin: Person, platform: Platform) -> None:
    sent = admin.post("keys", label="Gauges", things="elm-underpass")
    secret = checked(admin.get(sent.headers["Location"])).xpath("//main//code/text()")[0]
    assert require_key(platform, secret).things == {"elm-underpass"}
    assert "for sensors: elm-underpass" in text_of(checked(admin.get("keys")))
    document = checked(admin.post("keys", label="Gauges", things="oak"), 400)
    assert "'oak' is no thing of city.example" in text_of(document)
    assert document.xpath("//input[@name='things']/@value") == ["oak"]


def test_a_key_without_a_label_is_refused_and_what_was_typed_stays(admin: Person, platform: Platform) -> None:
    before = len(list_keys(platform))
    for label in ("", "  ", "x" * 201, "a\nb"):
        document = checked(admin.post("keys", label=label, contact="dev@fixit.example", updates="true"), 400)
        assert document.xpath("//input[@name='contact']/@value") == ["dev@fixit.example"]
        assert document.xpath("//input[@name='updates']/@checked")
        assert document.xpath("//p[@class='fault']")
    assert len(list_keys(platform)) == before


def test_a_key_is_suspended_accepted_again_and_revoked(admin: Person, platform: Platform) -> None:
    secret = made(admin)
    number = require_key(platform, secret).number
    page = f"keys/{number}"
    assert "is missing" in text_of(checked(admin.post(page, do="suspend"), 400))
    answer = admin.post(page, do="suspend", text="It sends each report twice.")
    assert answer.status_code == 303
    assert "Calls with it are refused" in text_of(checked(admin.get(answer.headers["Location"])))
    with pytest.raises(Forbidden, match="sends each report twice"):
        require_key(platform, secret)
    assert admin.post(page, do="resume").status_code == 303
    assert admin.post(page, do="notice", text="Please update the app.").status_code == 303
    assert require_key(platform, secret).notice == "Please update the app."
    assert "The audit trail keeps the reason" in text_of(checked(admin.post(page, do="revoke"), 400))
    assert admin.post(page, do="revoke", text="The app is gone.").status_code == 303
    with pytest.raises(Forbidden, match="not valid"):
        require_key(platform, secret)
    assert not checked(admin.get(page)).xpath("//main//form")
    for again in ("revoke", "suspend", "resume", "notice"):
        checked(admin.post(page, do=again, text="Twice."), 404)
    with platform.database.reading() as connection:
        trail = [one for one in audit.list_entries(connection, CITY) if one.subject == f"key:{number}"]
    assert [one.act for one in trail] == ["key.add", "key.suspend", "key.resume", "key.notice", "key.revoke"]
    assert {one.actor for one in trail} == {str(admin.principal)}
    assert secret not in str(trail)


def test_an_admin_of_a_city_gets_404_for_keys_of_other_cities(admin: Person, platform: Platform) -> None:
    number, secret = add_key(platform, label="Everywhere", jurisdiction_id=ALL_JURISDICTIONS, **by_shell())
    assert "Everywhere" not in admin.get("keys").text
    for path in (f"keys/{number}", "keys/0", "keys/x", f"keys/{2**62}", f"keys/{'9' * 30}", "keys/-1"):
        checked(admin.get(path), 404)
        checked(admin.post(path, do="revoke", text="No."), 404)
    checked(admin.post(f"keys/{number}", do="explode"), 404)
    assert require_key(platform, secret).number == number


def test_only_an_admin_for_all_departments_manages_keys(client: FlaskClient, platform: Platform) -> None:
    number, secret = add_key(platform, label="FixIt app", jurisdiction_id=CITY, **by_shell())
    people = (
        Person.of(client, platform, "agent", Role.AGENT),
        Person.of(client, platform, "chief", Role.DISPATCHER),
        Person.of(client, platform, "local", Role.ADMIN, "streets"),
    )
    for person in people:
        assert "Keys of apps" not in person.get().text
        checked(person.get("keys"), 403)
        checked(person.get(f"keys/{number}"), 403)
        checked(person.post("keys", label="x"), 403)
        checked(person.post(f"keys/{number}", do="revoke", text="x"), 403)
    assert require_key(platform, secret).number == number
    owner = Person.of(client, platform, "owner", Role.ADMIN, city=ALL_JURISDICTIONS)
    checked(owner.get("keys"))


def test_a_form_of_another_session_makes_no_key(admin: Person, platform: Platform) -> None:
    before = len(list_keys(platform))
    checked(admin.client.post(f"{HOME}keys", data={"label": "x", "form_token": "wrong"}), 403)
    assert len(list_keys(platform)) == before


def test_the_texts_of_the_city_are_shown_with_the_name_of_their_file(
    client: FlaskClient, platform: Platform
) -> None:
    document = checked(Person.of(client, platform, "reader", Role.READER).get("texts"))
    told = text_of(document)
    assert "jurisdiction.toml" in told
    assert len(document.xpath("//main//tbody/tr")) >= 14


def test_neighbours_are_shown_to_those_who_decide_about_deliveries(client: FlaskClient, platform: Platform) -> None:
    checked(Person.of(client, platform, "agent", Role.AGENT).get("neighbours"), 403)
    chief = Person.of(client, platform, "chief", Role.DISPATCHER)
    assert "This city has no neighbours." in text_of(checked(chief.get("neighbours")))
    one = Remote(
        jurisdiction_id=CITY,
        name="north",
        url="https://311.north.example/open311/v2",
        since=utc_now(),
        title="North Town",
        key_env="NORTH_KEY",
        services=("potholes",),
        pulls=True,
    )
    with platform.database.transaction() as connection:
        remotes.save(connection, one, utc_now())
    document = checked(chief.get("neighbours"))
    assert document.xpath("//h2/text()") == ["North Town"]
    assert "NORTH_KEY" not in document.text_content()
    assert all(text in text_of(document) for text in ("north", "The whole city; Pothole", "None"))
