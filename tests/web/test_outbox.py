"""The outbox: changes of public requests as ActivityStreams 2.0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apmodel
import pytest
from apmodel import Create, Delete, Note, OrderedCollection, OrderedCollectionPage
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.requests import Status, Visibility
from open311.operations.platform import Platform
from open311.web.surfaces import OUTBOX
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY

PATH = OUTBOX.prefix
TYPE = "application/activity+json"


@pytest.fixture(name="read")
def reader(client: FlaskClient) -> Callable[..., dict[str, Any]]:
    """Read an address of the outbox."""

    def read(address: str = f"{PATH}?page=true") -> dict[str, Any]:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.content_type == TYPE
        document: dict[str, Any] = answer.get_json(force=True)
        return document

    return read


def change(platform: Platform, name: str, **changes: Any) -> None:
    build.change(platform, name, **changes, now=utc_now())


def kinds(page: dict[str, Any]) -> list[tuple[str, str]]:
    """The type of each activity, and the last part of the id of its object."""
    return [(one["type"], one["object"]["id"].rpartition("/")[2]) for one in page["orderedItems"]]


def test_the_collection_leads_to_its_newest_page(read: Callable[..., dict[str, Any]], platform: Platform) -> None:
    build.store(platform, service_request_id="A")
    collection = read(PATH)
    assert collection["id"] == f"http://localhost{PATH}?jurisdiction_id={CITY}"
    assert isinstance(apmodel.load(collection), OrderedCollection)
    page = read(collection["first"])
    assert page["id"] == collection["first"]
    assert page["partOf"] == collection["id"]
    assert kinds(page) == [("Create", "A")]
    assert "next" not in page


def test_the_newest_change_comes_first_and_each_request_once(
    read: Callable[..., dict[str, Any]], platform: Platform
) -> None:
    for name in "ABC":
        build.store(platform, service_request_id=name)
    assert kinds(read()) == [("Create", "C"), ("Create", "B"), ("Create", "A")]
    change(platform, "A", note="We come on Monday.")
    change(platform, "B", visibility=Visibility.WITHDRAWN)
    change(platform, "A", status=Status.CLOSED)
    page = read()
    assert kinds(page) == [("Update", "A"), ("Delete", "B"), ("Create", "C")]
    deleted = page["orderedItems"][1]
    assert deleted["object"] == {
        "type": "Tombstone",
        "id": f"tag:{CITY},2026:{CITY}/requests/B",
        "formerType": "Note",
    }
    assert deleted.keys() == {"type", "id", "actor", "to", "object"}


def test_each_document_is_valid(read: Callable[..., dict[str, Any]], platform: Platform) -> None:
    build.store(platform, service_request_id="A", description="A <b>hole</b> & more\nDeep.")
    build.store(platform, service_request_id="B", media_urls=("https://photos.example/1.jpg",))
    change(platform, "B", visibility=Visibility.WITHDRAWN)
    page = read()
    assert isinstance(apmodel.load(page), OrderedCollectionPage)
    deletion, creation = (apmodel.load(one | {"@context": page["@context"]}) for one in page["orderedItems"])
    assert isinstance(deletion, Delete)
    assert isinstance(creation, Create)
    note = creation.object
    assert isinstance(note, Note)
    assert note.content == "<p>A &lt;b&gt;hole&lt;/b&gt; &amp; more<br>Deep.</p>"
    assert note.published == "2026-03-01T12:00:00Z"
    assert (note.location.latitude, note.location.longitude) == (60.1718, 24.9414)


def test_a_note_says_what_the_list_says(
    read: Callable[..., dict[str, Any]], client: FlaskClient, platform: Platform
) -> None:
    build.store(platform, service_request_id="A/1", media_urls=("https://photos.example/1.jpg",))
    change(platform, "A/1", note="Done.")
    [activity] = read()["orderedItems"]
    note = activity["object"]
    [item] = client.get("/open311/v2/requests/A%2F1.json").json
    assert (note["published"], note["updated"]) == (item["requested_datetime"], item["updated_datetime"])
    assert activity["published"] == item["updated_datetime"]
    assert {name: note[name] for name in ("service_request_id", "service_code", "status")} == {
        name: item[name] for name in ("service_request_id", "service_code", "status")
    }
    assert note["attachment"] == [{"type": "Image", "url": "https://photos.example/1.jpg"}]
    assert client.get(note["url"]).status_code == 200
    assert note["attributedTo"] == activity["actor"]
    assert activity["actor"]["type"] == "Organization"


def test_pages_by_cursor_have_each_request_once(read: Callable[..., dict[str, Any]], platform: Platform) -> None:
    for number in range(7):
        build.store(platform, service_request_id=f"R{number}")
    address, seen = f"{PATH}?page=true&page_size=3", []
    while address:
        page = read(address)
        assert len(page["orderedItems"]) <= 3
        seen += [name for _, name in kinds(page)]
        if len(seen) == 3:  # a change between two pages moves the request to the front
            change(platform, "R6", note="Done.")
        address = page.get("next", "")
    assert seen == ["R6", "R5", "R4", "R3", "R2", "R1", "R0"]


def test_requests_that_were_never_public_do_not_appear(
    read: Callable[..., dict[str, Any]], platform: Platform
) -> None:
    for visibility in (Visibility.PRIVATE, Visibility.HELD, Visibility.UNLISTED, Visibility.WITHDRAWN):
        build.store(platform, visibility=visibility)
    assert kinds(read()) == []


def test_an_unchanged_page_gets_304(
    read: Callable[..., dict[str, Any]], client: FlaskClient, platform: Platform
) -> None:
    build.store(platform, service_request_id="A")
    read()
    for address in (PATH, f"{PATH}?page=true"):
        tag = client.get(address).headers["ETag"]
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    change(platform, "A", note="Done.")
    read()
    assert client.get(f"{PATH}?page=true", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=nonsense", "cursor"),
        ("cursor=WyJvdGhlciIsMSwxXQ", "cursor"),
        ("page_size=0", "page_size"),
        ("page=maybe", "page"),
    ],
)
def test_a_wrong_parameter_gets_400_that_names_it(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert field in answer.text


def test_each_city_has_its_own_outbox(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(), build.city(id="other.example"))
    client, platform = app.test_client(), platform_of(app)
    build.submit(platform)
    assert client.get(PATH).status_code == 400, "the call names no city"
    sizes = {
        city: len(client.get(f"{PATH}?page=true&jurisdiction_id={city}").get_json(force=True)["orderedItems"])
        for city in ("test.example", "other.example")
    }
    assert sizes == {"test.example": 1, "other.example": 0}


def test_the_page_about_data_links_to_the_outbox(client: FlaskClient) -> None:
    page = client.get(f"/c/{CITY}/data").text
    assert f'<link rel="alternate" type="{TYPE}" href="{PATH}?jurisdiction_id={CITY}">' in page
