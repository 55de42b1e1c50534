"""Somebody who has only sent an update can get its photos and have them erased, but not the photos of others."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.abuse import AbuseRules
from open311.domain.access import SHELL, Role
from open311.domain.events import Erased, replay
from open311.domain.people import read_person
from open311.operations.desk.rendering import json_of
from open311.operations.media.files import store_of
from open311.operations.people.erase_person import ErasedPart, erase_person
from open311.operations.people.export_person import export_person
from open311.operations.people.photo_files import read_photo_files
from tests import build
from tests.desk import Desk
from tests.photos import BASE, Sender, jpeg, prepare_all, tagged_jpeg
from tests.waiting import until

MakeApp = Callable[..., Flask]
JANE, BO = "jane@mail.example", "bo@mail.example"
WHO: dict[str, Any] = {"principal": SHELL, "reason": "A letter of 1 March."}


@pytest.fixture
def sender(make_app: MakeApp, tmp_path: Path) -> Sender:
    """A server with a request of Bo, which has a photo, and Jane's comment on it, which has another photo."""
    city = build.city(comments="public")
    found = Sender(make_app(city, media=str(tmp_path / "media"), photo_original_days=30))
    found.post(("media", jpeg("blue")), email=BO, description="Deep.")
    comment(found, jpeg("red"))
    prepare_all(found.platform)
    return found


def comment(sender: Sender, *pictures: bytes, id: str = "u1", email: str = JANE, **more: str) -> None:
    """Send an update of the newest request."""
    data = {
        "api_key": sender.key,
        "service_request_id": sender.newest()["service_request_id"],
        "update_id": id,
        "status": "OPEN",
        "updated_datetime": "2026-03-01T12:00:00Z",
        "description": "It is my car. Call 617-555-0143.",
        "email": email,
        "media": [(io.BytesIO(content), "x.jpg") for content in pictures],
    }
    path = f"{BASE}/servicerequestupdates.json"
    answer = sender.client.post(path, data=data | more, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.text


def erase(sender: Sender, email: str = JANE, **more: Any) -> list[ErasedPart]:
    (city,) = sender.platform.registry
    return list(erase_person(sender.platform, city, read_person({"email": email}), now=utc_now(), **WHO, **more))


def export(sender: Sender, email: str) -> list[dict[str, Any]]:
    (city,) = sender.platform.registry
    pages = export_person(sender.platform, city, read_person({"email": email}), now=utc_now(), **WHO)
    found: list[dict[str, Any]] = json.loads(json_of([one for page in pages for one in page.requests]))
    return found


def staff_photos(sender: Sender, desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get(f"/requests/{sender.newest()['service_request_id']}").json["photos"]
    return found


def test_the_photos_of_an_update_are_erased_with_its_text(sender: Sender) -> None:
    bos, janes = sender.urls()
    files = sender.files()
    [part] = erase(sender, with_texts=True)
    assert sender.urls() == [bos]
    assert sender.get(janes.removeprefix("http://localhost")).status_code == 404
    assert sender.get(bos.removeprefix("http://localhost")).status_code == 200
    updates = sender.client.get(f"{BASE}/servicerequestupdates.json")
    assert janes not in updates.text
    assert len(sender.files()) == len(files) / 2, "the photo and its original are gone, and Bo's are not"
    assert (part.rows["media"], part.rows["public_update.media_url"]) == (1, 1)
    record = build.load(sender.platform, service_request_id=sender.newest()["service_request_id"])
    assert replay(record, build.history(sender.platform, record)) == record
    assert export(sender, JANE) == []


def test_all_generations_of_a_blackened_photo_are_erased(sender: Sender) -> None:
    desk = Desk.of(sender.client, sender.platform, "ada", Role.DISPATCHER, city="test.example")
    id = sender.newest()["service_request_id"]
    [_, photo] = staff_photos(sender, desk)
    body = {"boxes": [[0, 0, 0.5, 0.5]], "reason": "A number plate."}
    assert desk.post(f"/requests/{id}/photos/{photo['id']}/blacken", body).status_code == 200
    assert [one["state"] for one in staff_photos(sender, desk)].count("blackened") == 1
    [part] = erase(sender, with_texts=True)
    assert part.rows["media"] == 2
    assert [one["version"] for one in staff_photos(sender, desk)] == [0]
    assert len(sender.urls()) == 1
    assert len({key.split("/")[2] for key in sender.files()}) == 1, "only Bo's photo has files"


def test_the_change_feed_shows_that_a_photo_of_an_update_is_gone(sender: Sender) -> None:
    feed = f"{BASE}/changes.json"
    before = until(lambda: _caught_up(sender, feed), "the feed to have all changes")
    erase(sender, with_texts=True)
    [changed] = until(lambda: sender.client.get(f"{feed}?cursor={before}&extensions=true").json, "the change")
    assert changed["extended_attributes"]["media_urls"] == sender.urls()
    assert len(sender.urls()) == 1


def _caught_up(sender: Sender, feed: str) -> str:
    """The cursor after the last change; "" if older transactions hold changes back."""
    answer = sender.client.get(feed)
    return answer.headers["X-Cursor"] if answer.headers["X-Caught-Up"] == "true" else ""


@pytest.mark.parametrize("decision", ["", "release", "drop"])
def test_the_photos_of_a_suspected_update_are_exported_and_erased(
    make_app: MakeApp, tmp_path: Path, decision: str
) -> None:
    city = build.city(comments="public", abuse=AbuseRules(honeypot="website"))
    sender = Sender(make_app(city, media=str(tmp_path / "media")))
    sender.post()
    comment(sender, jpeg(), website="x")
    prepare_all(sender.platform)
    desk = Desk.of(sender.client, sender.platform, "ada", Role.DISPATCHER, city="test.example")
    id = sender.newest()["service_request_id"]
    [photo] = staff_photos(sender, desk)
    if decision:
        path = f"/requests/{id}/updates/{photo['version']}/{decision}"
        assert desk.post(path, {"reason": "I have read it."}).status_code == 200
    [of_jane] = export(sender, JANE)
    assert [one["id"] for one in of_jane["photos"]] == [photo["id"]]
    erase(sender, with_texts=True)
    assert staff_photos(sender, desk) == []
    assert sender.files() == []


def test_the_erasure_of_a_photo_of_an_update_takes_back_what_the_public_could_read(sender: Sender) -> None:
    erase(sender, with_texts=True)
    record = build.load(sender.platform, service_request_id=sender.newest()["service_request_id"])
    last = build.history(sender.platform, record)[-1]
    assert isinstance(last, Erased)
    assert replace(last, marks=()).takes_back
    assert not replace(last, marks=(), addresses=()).takes_back


def test_without_texts_only_the_original_of_the_photo_is_erased(sender: Sender) -> None:
    before = sender.urls()
    comment(sender, tagged_jpeg(), id="u2")
    prepare_all(sender.platform)
    originals = [key for key in sender.files() if key.endswith("/original")]
    erase(sender)
    assert sender.urls()[:2] == before
    assert [key for key in sender.files() if key.endswith("/original")] != originals
    assert sum(key.endswith("/original") for key in sender.files()) == 1, "Bo's original is still kept"


def test_an_export_names_the_persons_own_photos_and_none_of_others(sender: Sender) -> None:
    bos, janes = sender.urls()
    [of_jane] = export(sender, JANE)
    assert of_jane["report"] is None
    assert of_jane["updates"][0]["media_urls"] == [janes]
    assert [one["id"] in janes for one in of_jane["photos"]] == [True]
    [of_bo] = export(sender, BO)
    assert of_bo["report"]["media_urls"] == [bos]
    assert [one["id"] in bos for one in of_bo["photos"]] == [True]


def test_an_export_of_the_reporter_has_no_comment_of_others(sender: Sender) -> None:
    comment(sender, id="u3", email=BO)
    [of_bo] = export(sender, BO)
    assert [one["type"] for one in of_bo["report"]["notes"] if "comment" in one["type"]] == []
    assert "my car" not in json.dumps(of_bo["report"])
    assert of_bo["updates"][0]["description"].startswith("It is my car."), (
        "Bo's own comment is there as Bo typed it"
    )


def test_an_export_masks_personal_data_of_others_in_the_texts_of_the_city(sender: Sender) -> None:
    build.change(
        sender.platform,
        sender.newest()["service_request_id"],
        note=f"{BO} was called; ask jill@mail.example or call 617-555-0199.",
    )
    [of_bo] = export(sender, BO)
    text = json.dumps(of_bo["report"]["notes"])
    assert f"{BO} was called; ask [e-mail address]" in text
    assert "jill" not in text


def test_an_export_also_lists_photos_that_the_public_does_not_see(sender: Sender) -> None:
    desk = Desk.of(sender.client, sender.platform, "ada", Role.DISPATCHER, city="test.example")
    id = sender.newest()["service_request_id"]
    comment(sender, jpeg("green"), id="u4")
    prepare_all(sender.platform)
    comment(sender, jpeg("black"), id="u5")
    black, green = (one["id"] for one in staff_photos(sender, desk)[1:3])
    boxes = {"boxes": [[0, 0, 0.5, 0.5]], "reason": "A number plate."}
    assert desk.post(f"/requests/{id}/photos/{black}/blacken", boxes).status_code == 200
    assert desk.post(f"/requests/{id}/photos/{green}/withdraw", {"reason": "A face."}).status_code == 200
    [of_jane] = export(sender, JANE)
    states = sorted((one["state"], one["media_url"] is not None) for one in of_jane["photos"])
    assert states == [("blackened", False), ("ready", True), ("waiting", False), ("withdrawn", False)]


def test_the_files_of_an_export_are_the_prepared_photos_and_their_originals(sender: Sender) -> None:
    comment(sender, jpeg("green"), id="u4")
    [city] = sender.platform.registry
    [of_jane] = export(sender, JANE)
    ready, waiting = (one["id"] for one in of_jane["photos"])
    args = (sender.platform, city, of_jane["number"], {ready, waiting}, utc_now())
    names = [(file.name, file.data is not None) for file in read_photo_files(*args)]
    assert names == [
        (f"{ready}.jpg", True),
        (f"{ready}-original.jpeg", True),
        (f"{waiting}-original.jpeg", True),
    ]
    for key in sender.files():
        store_of(sender.platform).delete(key)
    assert [file.data for file in read_photo_files(*args)] == [None] * 3
