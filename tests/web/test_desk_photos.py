"""Photos, deliveries and the work of a crew on pages for staff."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml.html import HtmlElement

from open311.clock import utc_now
from open311.domain.access import Role
from open311.domain.photos import PhotoState
from open311.domain.requests import Status
from open311.federation.backends.open311 import Open311Config
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import Destination, PhotoRule, Secret
from open311.storage import media
from tests import build, world
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.delivering import run, states
from tests.desk_pages import HOME, Person, field_of
from tests.pages import checked, text_of
from tests.photos import Sender, jpeg, prepare_all

MakeApp = Callable[..., Flask]


class Held:
    """A city that holds photos, with a request that has one, and a dispatcher."""

    def __init__(self, make_app: MakeApp, folder: Path) -> None:
        self.app = make_app(build.city(id=CITY, photos=PhotoRule.HELD), media=str(folder), photo_original_days=30)
        self.sender = Sender(self.app)
        self.sender.post(("media", jpeg(size=(400, 300))))
        self.platform = self.sender.platform
        prepare_all(self.platform)
        self.number = build.load(
            self.platform, service_request_id=self.sender.newest()["service_request_id"]
        ).number
        self.ada = Person.of(self.app.test_client(), self.platform, "ada", Role.DISPATCHER)

    @property
    def page(self) -> str:
        """The path of the photo's page, as the list of held photos has it."""
        return str(checked(self.ada.get("photos")).xpath("//main//li/a/@href")[0])

    def states(self) -> list[PhotoState]:
        with self.platform.database.reading() as connection:
            return sorted(one.state for one in media.load_all(connection, CITY, self.number))


@pytest.fixture
def held(make_app: MakeApp, tmp_path: Path) -> Held:
    return Held(make_app, tmp_path / "media")


def test_a_held_photo_is_listed_shown_and_released(held: Held) -> None:
    assert "Held photos: 1" in text_of(checked(held.ada.get()))
    document = checked(held.ada.get(held.page))
    picture = held.ada.get(str(document.xpath("//main//img/@src")[0]))
    assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
    assert picture.headers["Cache-Control"] == "no-store"
    original = held.ada.get(str(document.xpath("//a[contains(@href, 'size=original')]/@href")[0]))
    assert original.headers["Content-Disposition"].startswith("attachment")
    path = held.page.partition("?")[0]
    refused = checked(held.ada.post(path, do="release", back="photos", reason=""), 400)
    assert "Please write a reason." in text_of(refused)
    answer = held.ada.post(path, do="release", back="photos", reason="It shows nobody.")
    assert answer.headers["Location"] == f"{HOME}photos?done=release"
    assert "No photo waits." in text_of(checked(held.ada.get("photos")))
    assert held.states() == ["ready"]
    checked(held.ada.post(path, do="release", reason="Again."), 409)


def test_a_photo_is_withdrawn(held: Held) -> None:
    path = held.page.partition("?")[0]
    answer = held.ada.post(path, do="withdraw", reason="It shows a child.")
    assert answer.headers["Location"] == f"{HOME}requests/{held.number}?done=withdraw"
    assert held.states() == ["withdrawn"]
    assert "Nothing can be decided" in text_of(checked(held.ada.get(path)))
    checked(held.ada.post(path, do="explode", reason="x"), 404)


def test_parts_of_a_photo_are_blackened(held: Held) -> None:
    path = held.page.partition("?")[0]
    answer = held.ada.post(path, do="blacken", boxes="10 20 50 60\r\n0,5 0 9.5 100\r\n", reason="A plate.")
    assert answer.status_code == 303, text_of(checked(answer, 400))
    assert held.states() == ["blackened", "held"]
    assert "as it was before" in text_of(checked(held.ada.get(f"requests/{held.number}")))


@pytest.mark.parametrize(
    "boxes",
    ["", "a b c d", "10 20 50", "50 20 10 60", "10 20 50 600", "nan 0 1 1", "1 1 1.001 1.001", "1 2 3 4\n" * 51],
)
def test_wrong_boxes_are_named_beside_the_field_and_stay_there(held: Held, boxes: str) -> None:
    answer = held.ada.post(held.page.partition("?")[0], do="blacken", boxes=boxes, reason="A plate.")
    document = checked(answer, 400)
    assert document.get_element_by_id("boxes-fault") is not None
    assert document.get_element_by_id("boxes").text.split() == boxes.split()
    assert held.states() == ["held"]


def test_an_agent_sees_a_held_photo_and_decides_nothing(held: Held) -> None:
    agent = Person.of(held.app.test_client(), held.platform, "ag", Role.AGENT)
    document = checked(agent.get(held.page))
    assert not document.xpath("//input[@name='do']")
    for decision in ("release", "withdraw", "blacken"):
        checked(agent.post(held.page, do=decision, reason="x", boxes="1 1 9 9"), 403)
    parks = Person.of(held.app.test_client(), held.platform, "parks", Role.DISPATCHER, "parks")
    assert "No photo waits." in text_of(checked(parks.get("photos")))
    checked(parks.get(held.page), 403)
    checked(parks.get(f"{held.page.partition('?')[0]}/file"), 403)


# --- Deliveries


@pytest.fixture
def parked(make_app: MakeApp, neighbour: world.Neighbour) -> tuple[Flask, Platform]:
    """A server with a delivery that its back office has refused."""
    config = Open311Config(
        name="works", kind="open311", url=neighbour.base_url, api_key=Secret(env="WORKS_KEY"), takes_updates=True
    )
    app = make_app(build.city(id=CITY, backends=(config,), destinations=(Destination(backends=("works",)),)))
    platform = platform_of(app)
    ensure_synced(platform)
    neighbour.retire_service("potholes")
    build.submit(platform)
    run(platform)
    return app, platform


def test_a_delivery_that_waits_for_a_person_is_shown_and_decided(parked: tuple[Flask, Platform]) -> None:
    app, platform = parked
    ada = Person.of(app.test_client(), platform, "ada", Role.DISPATCHER)
    document = checked(ada.get("deliveries?state=parked,uncertain"))
    [page] = document.xpath("//tr[@data-row]/th/a/@href")
    shown = checked(ada.get(str(page)))
    assert "it names service_code" in text_of(shown)
    assert set(shown.xpath("//input[@name='do']/@value")) == {"retry", "skip"}
    checked(ada.post(str(page), do="skip", reason=""), 400)
    checked(ada.post(str(page), do="explode", reason="x"), 404)
    answer = ada.post(str(page), do="skip", reason="They know.", external_id="W-88")
    done = text_of(checked(ada.get(answer.headers["Location"])))
    assert "The delivery will not be sent." in done
    assert "They know." in done
    assert states(platform) == ["done"]
    checked(ada.post(str(page), do="skip", reason="Again."), 409)


def test_deliveries_are_for_dispatchers(parked: tuple[Flask, Platform]) -> None:
    app, platform = parked
    agent = Person.of(app.test_client(), platform, "ag", Role.AGENT)
    assert not checked(agent.get()).xpath("//nav//a[contains(@href, 'deliveries')]")
    for path in ("deliveries", "deliveries/1"):
        checked(agent.get(path), 403)
    checked(agent.post("deliveries/1", do="skip", reason="x"), 403)


@pytest.mark.parametrize("query", ["state=wrong", "request=moon", "older_than_hours=x", "cursor=x"])
def test_a_faulty_filter_of_deliveries_is_refused(client: FlaskClient, platform: Platform, query: str) -> None:
    ada = Person.of(client, platform, "ada", Role.DISPATCHER)
    assert checked(ada.get(f"deliveries?{query}"), 400).xpath("//*[@role='alert']")
    for path in ("deliveries/x", "deliveries/999"):
        checked(ada.get(path), 404)


# --- The work of a crew


def cards(document: HtmlElement) -> list[str]:
    return [link.text.rpartition(" ")[2] for link in document.xpath("//li[@data-row]/h3/a")]


@pytest.fixture
def crew(client: FlaskClient, platform: Platform) -> Person:
    return Person.of(client, platform, "crew", Role.AGENT)


def test_a_crew_sees_its_own_work_and_what_is_near(crew: Person, platform: Platform) -> None:
    mine = build.submit(platform, now=utc_now()).service_request_id
    build.submit(platform, lat="60.1990", long="24.9414", now=utc_now())
    number = build.load(platform, service_request_id=mine).number
    assert (
        crew.order(number, "assign", build.load(platform, number=number).version, account="crew").status_code == 303
    )
    assert cards(checked(crew.get("work"))) == [mine]
    near = checked(crew.get("work?lat=60.1718&long=24.9414&radius=500"))
    assert cards(near) == [mine, mine]
    assert len(cards(checked(crew.get("work?lat=60.1718&long=24.9414&radius=5000")))) == 3


@pytest.mark.parametrize("query", ["lat=60", "lat=95&long=24", "lat=x&long=24", "lat=60&long=24&radius=99999"])
def test_a_faulty_point_is_named(crew: Person, query: str) -> None:
    document = checked(crew.get(f"work?{query}"), 400)
    assert document.xpath("//*[@role='alert']")


def finish(crew: Person, number: int, picture: bytes | None, **changes: Any) -> Any:
    """Close a request by the form of a crew."""
    fields = {"do": "close", "version": "1", "outcome": "fixed", "note": "Filled."} | changes
    files = {} if picture is None else {"photo": (io.BytesIO(picture), "hole.jpg")}
    return crew.post(f"requests/{number}/finish", files=files, **fields)


def test_a_request_is_closed_with_a_photo_in_one_step(crew: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    document = checked(crew.get(f"requests/{number}/finish"))
    assert document.xpath("//select[@name='outcome']/option[@selected]/@value") == ["fixed"]
    answer = finish(crew, number, jpeg(), version=field_of(document, "version"), public="true")
    assert answer.headers["Location"] == f"{HOME}work?done=close"
    record = build.load(platform, number=number)
    assert (record.status, record.status_notes, record.version) == (Status.CLOSED, "Filled.", 2)
    assert [event.kind for event in build.history(platform, record)][1:3] == ["photo_added", "status"]
    prepare_all(platform)
    with platform.database.reading() as connection:
        [photo] = media.load_all(connection, CITY, number)
    assert photo.is_public
    assert "Done: Close." in text_of(checked(crew.get("work?done=close")))


def test_a_request_is_closed_without_a_photo(crew: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    assert finish(crew, number, None).status_code == 303
    assert build.load(platform, number=number).status is Status.CLOSED


def test_a_faulty_photo_closes_nothing_and_a_faulty_form_stores_no_photo(crew: Person, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    faulty = checked(finish(crew, number, b"text", note="Kept words"), 400)
    assert "not accepted" in text_of(faulty)
    assert "Kept words" in text_of(faulty)
    checked(finish(crew, number, jpeg(), outcome=""), 400)
    checked(finish(crew, number, jpeg(), version="7"), 409)
    assert build.load(platform, number=number).version == 1
    with platform.database.reading() as connection:
        assert media.load_all(connection, CITY, number) == []


def test_an_account_that_may_only_read_closes_nothing(client: FlaskClient, platform: Platform) -> None:
    number = build.store(platform, service_request_id="a", department="streets").number
    reader = Person.of(client, platform, "rea", Role.READER)
    checked(reader.get(f"requests/{number}/finish"), 403)
    for picture in (jpeg(), None):
        checked(finish(reader, number, picture), 403)
    assert build.load(platform, number=number).version == 1
