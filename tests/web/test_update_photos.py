"""Photos on updates, and the photos of a request as staff see them, add them and withdraw them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import Role
from open311.operations.access.api_keys import add_key
from tests import build
from tests.desk import Desk
from tests.photos import BASE, PLANTED, Sender, jpeg, prepare_all, tagged_jpeg

MakeApp = Callable[..., Flask]


@pytest.fixture
def sender(make_app: MakeApp, tmp_path: Path) -> Sender:
    """A server with a media store of its own, which keeps originals, and with one request."""
    found = Sender(make_app(build.city(), media=str(tmp_path / "media"), photo_original_days=30))
    found.post()
    return found


@pytest.fixture
def desk(sender: Sender) -> Desk:
    """The account of an agent."""
    return Desk.of(sender.client, sender.platform, city="test.example")


def update(sender: Sender, *files: bytes, key: str = "", **fields: Any) -> TestResponse:
    """Send an update of the newest request with these files."""
    data: dict[str, Any] = {
        "api_key": key or sender.key,
        "service_request_id": sender.newest()["service_request_id"],
        "update_id": "u1",
        "status": "OPEN",
        "updated_datetime": "2026-03-01T12:00:00Z",
        "description": "See the photo.",
        "media": [(io.BytesIO(content), "x.jpg") for content in files],
    }
    path = f"{BASE}/servicerequestupdates.json"
    return sender.client.post(path, data=data | fields, content_type="multipart/form-data")


def city_key(sender: Sender) -> str:
    """A key that may update."""
    return add_key(sender.platform, label="works", may_update=True, now=utc_now())[1]


def test_the_photo_of_the_citys_own_update_is_public(sender: Sender) -> None:
    answer = update(sender, jpeg(), key=city_key(sender))
    assert answer.status_code == 200, answer.text
    prepare_all(sender.platform)
    [address] = sender.urls()
    [shown] = [
        one
        for one in sender.client.get(f"{BASE}/servicerequestupdates.json").json
        if one["description"] == "See the photo."
    ]
    assert shown["media_url"] == address
    assert sender.get(sender.path()).status_code == 200


def test_the_photo_of_a_comment_for_staff_is_for_staff(sender: Sender, desk: Desk) -> None:
    assert update(sender, jpeg()).status_code == 200
    prepare_all(sender.platform)
    assert sender.urls() == []
    id = sender.newest()["service_request_id"]
    [photo] = desk.get(f"/requests/{id}").json["photos"]
    assert (photo["state"], photo["is_public"]) == ("ready", False)
    assert sender.get(f"{BASE}/media/test.example/{photo['id']}.jpg").status_code == 404
    assert desk.get(f"/requests/{id}/photos/{photo['id']}").status_code == 200


def test_the_photo_of_a_public_comment_is_public(make_app: MakeApp, tmp_path: Path) -> None:
    sender = Sender(make_app(build.city(comments="public"), media=str(tmp_path / "media")))
    sender.post()
    update(sender, jpeg())
    prepare_all(sender.platform)
    assert len(sender.urls()) == 1


def test_an_update_says_what_happens_to_its_photos(sender: Sender) -> None:
    message = " ".join(update(sender, jpeg()).headers.getlist("Warning"))
    assert "1 photo is being prepared." in message
    assert "Only the staff of the city see the photos." in message, "the comment is only for staff too"
    own = update(sender, jpeg("blue"), key=city_key(sender), update_id="u2").headers.getlist("Warning")
    assert not any("Only the staff" in one for one in own)
    assert any("1 photo is being prepared." in one for one in own)


def test_an_update_names_the_files_that_are_not_taken(sender: Sender) -> None:
    answer = update(sender, b"no picture")
    assert answer.status_code == 200
    assert "the file in media is not kept as a photo" in answer.headers["Warning"]


def test_a_repeated_or_refused_update_leaves_no_second_photo(sender: Sender) -> None:
    update(sender, jpeg())
    before = sender.files()
    assert update(sender, jpeg("blue")).status_code == 400
    assert update(sender, jpeg("blue"), update_id="u2", service_request_id="unknown").status_code == 404
    assert sender.files() == before


# --- Staff


def add(desk: Desk, sender: Sender, content: bytes, query: str = "") -> TestResponse:
    id = sender.newest()["service_request_id"]
    return desk.call("POST", f"/requests/{id}/photos{query}", data=content, content_type="image/jpeg")


def test_staff_add_a_photo_of_the_finished_work(sender: Sender, desk: Desk) -> None:
    answer = add(desk, sender, jpeg(), "?public=true")
    assert answer.status_code == 200, answer.text
    assert [one["state"] for one in answer.json["photos"]] == ["waiting"]
    assert answer.json["history"][-1] | {"at": ""} == {
        "at": "",
        "kind": "photo_added",
        "actor": str(desk.principal),
        "name": "ada",
        "text": "for the public",
        "reason": None,
        "cause": None,
        "is_public": False,
        "version": 2,
    }
    id = sender.newest()["service_request_id"]
    desk.post(f"/requests/{id}/close", {"outcome": "fixed"})
    prepare_all(sender.platform)
    assert (
        len(
            sender.client.get(f"{BASE}/requests/{id}.json?extensions=true").json[0]["extended_attributes"][
                "media_urls"
            ]
        )
        == 1
    )


def test_a_photo_that_staff_add_is_for_staff_unless_they_say_so(sender: Sender, desk: Desk) -> None:
    add(desk, sender, jpeg())
    prepare_all(sender.platform)
    assert sender.urls() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the photo is not accepted: it is empty"),
        (
            b"GIF89a",
            "it is not a picture that can be shown here; send a picture of one of these kinds: JPEG, PNG, WEBP",
        ),
    ],
)
def test_staff_are_told_why_a_photo_is_not_taken(sender: Sender, desk: Desk, content: bytes, message: str) -> None:
    answer = add(desk, sender, content)
    assert answer.status_code == 400
    assert message in answer.json["detail"]


def test_a_photo_of_staff_may_be_larger_than_other_bodies(make_app: MakeApp, tmp_path: Path) -> None:
    limits = {"max_body_bytes": 1_000, "max_photo_bytes": 20_000}
    sender = Sender(make_app(build.city(), media=str(tmp_path / "media"), **limits))
    sender.post()
    desk = Desk.of(sender.client, sender.platform, city="test.example")
    large = jpeg() + bytes(10_000)
    assert add(desk, sender, large).status_code == 200
    assert add(desk, sender, jpeg() + bytes(30_000)).status_code == 413


def test_staff_read_the_original_while_it_is_kept(sender: Sender, desk: Desk) -> None:
    sender.post(("media", tagged_jpeg()))
    prepare_all(sender.platform)
    id = sender.newest()["service_request_id"]
    [photo] = desk.get(f"/requests/{id}").json["photos"]
    answer = desk.get(f"/requests/{id}/photos/{photo['id']}?size=original")
    assert answer.data == tagged_jpeg()
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{photo["id"]}.jpeg"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Access-Control-Allow-Origin" not in answer.headers
    small = desk.get(f"/requests/{id}/photos/{photo['id']}?size=small")
    assert (small.status_code, PLANTED in small.data) == (200, False)


def test_wrong_calls_of_staff_about_photos_get_a_clear_error(sender: Sender, desk: Desk) -> None:
    sender.post(("media", jpeg()))
    prepare_all(sender.platform)
    id = sender.newest()["service_request_id"]
    [photo] = desk.get(f"/requests/{id}").json["photos"]
    path = f"/requests/{id}/photos/{photo['id']}"
    assert "size: 'huge' is unknown; send one of large" in desk.get(f"{path}?size=huge").json["detail"]
    assert desk.get(f"/requests/{id}/photos/unknown").status_code == 404
    assert desk.get(f"/requests/unknown/photos/{photo['id']}").status_code == 404
    assert desk.post(f"{path}/withdraw", {"reason": "It shows a face."}).status_code == 403
    other = Desk.of(sender.client, sender.platform, "bob", Role.AGENT, "parks", city="test.example")
    assert other.get(path).status_code == 403
    assert sender.client.get(f"/staff/v1{path}").status_code == 401


def test_a_withdrawn_photo_is_served_to_staff_only(sender: Sender) -> None:
    update(sender, jpeg(), key=city_key(sender))
    prepare_all(sender.platform)
    path, id = sender.path(), sender.newest()["service_request_id"]
    desk = Desk.of(sender.client, sender.platform, "eve", Role.DISPATCHER, city="test.example")
    photo = desk.get(f"/requests/{id}").json["photos"][0]["id"]
    withdraw = f"/requests/{id}/photos/{photo}/withdraw"
    assert desk.post(withdraw, {"reason": " "}).status_code == 400
    answer = desk.post(withdraw, {"reason": "It shows a face."})
    assert answer.status_code == 200, answer.text
    assert [(one["state"], one["reason"]) for one in answer.json["photos"]] == [("withdrawn", "It shows a face.")]
    assert sender.get(path).status_code == 404
    assert sender.urls() == []
    assert photo not in sender.client.get(f"{BASE}/servicerequestupdates.json").text
    assert "It shows a face." not in sender.client.get(f"{BASE}/requests/{id}.json?extensions=true").text
    assert desk.get(f"/requests/{id}/photos/{photo}").status_code == 200
    assert desk.post(withdraw, {"reason": "Again."}).status_code == 409
