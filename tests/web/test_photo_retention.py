"""Some time after a request was closed, its photos are gone: rows, files and addresses."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.domain.events import replay
from open311.domain.people import Person
from open311.domain.retention import Retention
from open311.operations.access.api_keys import add_key
from open311.operations.media.erasing import NotDeleted
from open311.operations.people.erase_person import erase_person
from open311.operations.people.expiring import PHOTOS, REPORTERS, RetentionKind, expire
from open311.plugins import PhotoRule
from open311.storage import counts
from tests import build
from tests.desk import Desk
from tests.photos import BASE, Sender, jpeg, prepare_all
from tests.stored import dump

MakeApp = Callable[..., Flask]
DAY = timedelta(days=1)
ELSEWHERE = "https://photos.example/elsewhere.jpg"
JANE = "jane@mail.example"


class City:
    """A city that keeps photos for 30 days and those of signs for 10, and an account of a dispatcher."""

    def __init__(self, make_app: MakeApp, media: Path, **more: Any) -> None:
        sign = replace(build.HOLE, code="signs", retention=Retention(photo_days=10))
        retention = more.pop("retention", Retention(photo_days=30))
        rules = more.pop("city", {})
        city = build.city(services=(build.HOLE, sign), comments="public", retention=retention, **rules)
        self.sender = Sender(make_app(city, media=str(media), **more))
        self.platform = self.sender.platform
        self.desk = Desk.of(self.sender.client, self.platform, "eve", Role.DISPATCHER, city="test.example")
        self.key = add_key(self.platform, label="works", may_update=True, now=utc_now())[1]

    def report(self, *pictures: bytes, **fields: Any) -> str:
        """Send a report with photos, and prepare them. Returns its id."""
        answer = self.sender.post(*(("media", picture) for picture in pictures), **fields)
        assert answer.status_code == 200, answer.text
        prepare_all(self.platform)
        id: str = answer.json[0]["service_request_id"]
        return id

    def update(self, id: str, picture: bytes, *, key: str = "", **fields: Any) -> None:
        """Send an update with a photo."""
        data: dict[str, Any] = {
            "api_key": key or self.key,
            "service_request_id": id,
            "update_id": f"update of {id}",
            "status": "UNCHANGED",
            "updated_datetime": "2026-03-01T12:00:00Z",
            "description": "See the photo.",
            "media": (io.BytesIO(picture), "x.jpg"),
        }
        path = f"{BASE}/servicerequestupdates.json"
        answer = self.sender.client.post(path, data=data | fields, content_type="multipart/form-data")
        assert answer.status_code == 200, answer.text

    def close(self, id: str) -> None:
        """Close a request now."""
        build.change(self.platform, id, status="closed", note="Filled.", now=utc_now())

    def photos(self, id: str) -> list[dict[str, Any]]:
        """The photos of a request, as staff see them."""
        found: list[dict[str, Any]] = self.desk.get(f"/requests/{id}").json["photos"]
        return found

    def act(self, id: str, photo: str, command: str, **body: Any) -> None:
        """Give a command about a photo."""
        answer = self.desk.post(f"/requests/{id}/photos/{photo}/{command}", {"reason": "A plate."} | body)
        assert answer.status_code == 200, answer.text

    def expire(self, days: float = 30, kind: RetentionKind = PHOTOS, **more: Any) -> Counter[str]:
        """Erase data whose time is over `days` days from now. Returns the number of their requests, by service."""
        [city] = self.platform.registry
        batches = list(expire(self.platform, city, kind, now=utc_now() + days * DAY, **more))
        return sum((batch.due for batch in batches), Counter())


@pytest.fixture
def city(make_app: MakeApp, tmp_path: Path) -> City:
    return City(make_app, tmp_path / "media")


def test_photos_stay_until_their_time_is_over_and_are_gone_after_it(city: City) -> None:
    id = city.report(jpeg(), media_url=ELSEWHERE, description="Deep.")
    path = city.sender.urls()[1].removeprefix("http://localhost")
    city.close(id)
    before = city.sender.files()
    assert city.expire(29.9) == {}
    assert (city.sender.files(), city.sender.get(path).status_code) == (before, 200)
    assert city.expire() == {"potholes": 1}
    assert city.sender.files() == []
    assert city.sender.get(path).status_code == 404
    assert city.photos(id) == []
    shown = city.sender.newest()
    assert (shown["media_url"], shown["extended_attributes"]["media_urls"]) == (None, [])
    assert shown["description"] == "Deep."
    assert ELSEWHERE not in dump(city.platform)
    record = build.load(city.platform, service_request_id=id)
    history = build.history(city.platform, record)
    assert (history[-1].kind, history[-1].cause, history[-1].description) == ("erased", "retention", "media")
    assert replay(record, history) == record


def test_the_change_feed_has_the_erasure_and_no_count_changes(city: City) -> None:
    id = city.report(jpeg())
    city.close(id)
    feed = f"{BASE}/changes.json"
    before = city.sender.client.get(feed).json
    with city.platform.database.reading() as connection:
        counted = counts.stored_counts(connection)
    city.expire()
    after = city.sender.client.get(feed).json
    assert after != before
    assert "media/test.example" not in city.sender.client.get(feed).text
    with city.platform.database.reading() as connection:
        assert counts.stored_counts(connection) == counted


def test_a_second_run_finds_nothing_and_a_dry_run_changes_nothing(city: City) -> None:
    city.close(city.report(jpeg()))
    before = dump(city.platform), city.sender.files()
    assert city.expire(is_dry_run=True) == {"potholes": 1}
    assert (dump(city.platform), city.sender.files()) == before
    city.expire()
    after = dump(city.platform)
    assert city.expire() == {}
    assert dump(city.platform) == after


def test_photos_of_updates_and_of_staff_are_erased_too(city: City) -> None:
    id = city.report()
    city.update(id, jpeg("blue"))
    city.update(id, jpeg("green"), key=city.sender.key, update_id="comment", media_url=ELSEWHERE)
    answer = city.desk.call("POST", f"/requests/{id}/photos", data=jpeg("white"), content_type="image/jpeg")
    assert answer.status_code == 200, answer.text
    prepare_all(city.platform)
    assert len(city.photos(id)) == 3
    assert ELSEWHERE in dump(city.platform)
    city.close(id)
    assert city.expire() == {"potholes": 1}
    assert city.sender.files() == []
    updates = city.sender.client.get(f"{BASE}/servicerequestupdates.json").text
    assert "media/test.example" not in updates
    assert "See the photo." in updates, "texts stay"
    assert ELSEWHERE not in dump(city.platform)


def test_a_request_is_found_if_only_its_update_has_an_address_elsewhere(city: City) -> None:
    id = city.report()
    sent = {"media_url": ELSEWHERE, "media": ""}
    city.update(id, jpeg(), **sent)
    city.close(id)
    assert ELSEWHERE in dump(city.platform)
    assert city.expire() == {"potholes": 1}
    assert ELSEWHERE not in dump(city.platform)


@pytest.mark.parametrize("command", ["withdraw", "blacken"])
def test_photos_that_staff_have_withdrawn_or_blackened_are_erased_too(city: City, command: str) -> None:
    id = city.report(jpeg())
    body = {"boxes": [[0, 0, 0.5, 1]]} if command == "blacken" else {}
    city.act(id, city.photos(id)[0]["id"], command, **body)
    assert city.sender.files()
    city.close(id)
    assert city.expire() == {"potholes": 1}
    assert (city.photos(id), city.sender.files()) == ([], [])


@pytest.mark.parametrize("rule", [PhotoRule.HELD, PhotoRule.PRIVATE])
def test_photos_that_the_public_never_saw_are_erased_too(
    make_app: MakeApp, tmp_path: Path, rule: PhotoRule
) -> None:
    city = City(make_app, tmp_path / "media", city={"photos": rule})
    id = city.report(jpeg())
    assert city.photos(id)
    city.close(id)
    assert city.expire() == {"potholes": 1}
    assert (city.photos(id), city.sender.files()) == ([], [])


def test_photos_that_wait_or_were_refused_are_erased_too(city: City) -> None:
    refused = city.report(jpeg()[:200])
    assert [one["state"] for one in city.photos(refused)] == ["refused"]
    city.close(refused)
    waiting = city.sender.post(("media", jpeg("blue"))).json[0]["service_request_id"]
    city.close(waiting)
    assert city.expire() == {"potholes": 2}
    assert city.sender.files() == []
    prepare_all(city.platform)
    assert city.photos(waiting) == []


def test_the_files_stay_while_another_request_has_the_same_photo(city: City) -> None:
    old, new = city.report(jpeg()), city.report(jpeg())
    path = city.sender.path()
    before = city.sender.files()
    city.close(old)
    assert city.expire() == {"potholes": 1}
    assert city.photos(old) == []
    assert city.sender.files() == before
    assert city.sender.get(path).status_code == 200
    city.close(new)
    assert city.expire() == {"potholes": 1}
    assert city.sender.files() == []


def test_a_merged_request_keeps_its_photos_while_the_request_it_was_merged_into_is_open(city: City) -> None:
    kept, merged = city.report(jpeg("red")), city.report(jpeg("blue"))
    answer = city.desk.post(f"/requests/{merged}/merge", {"into": kept})
    assert answer.status_code == 200, answer.text
    assert city.expire() == {}, "the request into which it was merged is open"
    city.close(kept)
    assert city.expire() == {"potholes": 2}
    assert city.sender.files() == []


def test_each_service_has_its_time_and_an_open_request_keeps_its_photos(city: City) -> None:
    hole, sign = city.report(jpeg("red")), city.report(jpeg("blue"), service_code="signs")
    assert city.expire(3_000) == {}
    city.close(hole)
    city.close(sign)
    assert city.expire(10) == {"signs": 1}
    build.change(city.platform, hole, status="open", now=utc_now() + DAY)
    assert city.expire(90) == {}
    assert len(city.photos(hole)) == 1


def test_photos_and_reporters_have_times_of_their_own(make_app: MakeApp, tmp_path: Path) -> None:
    retention = Retention(photo_days=30, reporter_days=20)
    city = City(make_app, tmp_path / "media", retention=retention, photo_original_days=365)
    id = city.report(jpeg(), email=JANE)
    city.close(id)
    assert any(key.endswith("original") for key in city.sender.files())
    assert city.expire(20, REPORTERS) == {"potholes": 1}
    assert not any(key.endswith("original") for key in city.sender.files()), "originals may tell who took them"
    assert city.sender.get(city.sender.path()).status_code == 200
    assert JANE not in dump(city.platform)
    assert city.expire(20, PHOTOS) == {}
    assert city.expire(30, PHOTOS) == {"potholes": 1}
    assert city.sender.files() == []


def test_files_that_cannot_be_deleted_when_their_time_is_over_are_deleted_later(city: City, tmp_path: Path) -> None:
    city.close(city.report(jpeg()))
    folder, away = tmp_path / "media", tmp_path / "away"
    folder.rename(away)
    folder.write_bytes(b"")
    assert city.expire() == {"potholes": 1}
    with pytest.raises(NotDeleted):
        city.sender.files()
    folder.unlink()
    away.rename(folder)
    assert city.sender.files() == []


def test_a_photo_that_comes_in_at_the_same_time_is_erased_now_or_by_the_next_run(city: City) -> None:
    ids = [city.report(jpeg("red")) for _ in range(3)]
    for id in ids:
        city.close(id)
    start = Barrier(2)

    def send() -> None:
        start.wait()
        for id in ids:
            city.update(id, jpeg("blue"))

    sender = Thread(target=send)
    sender.start()
    start.wait()
    city.expire()
    sender.join()
    prepare_all(city.platform)
    city.expire()
    assert city.sender.files() == []
    for id in ids:
        record = build.load(city.platform, service_request_id=id)
        assert record.media_urls == ()
        assert replay(record, build.history(city.platform, record)) == record


# --- A person asks for an erasure


def erase(city: City, *, with_texts: bool) -> None:
    [jurisdiction] = city.platform.registry
    options: dict[str, Any] = {"reason": "A letter.", "principal": SHELL, "now": utc_now()}
    assert list(erase_person(city.platform, jurisdiction, Person(email=JANE), with_texts=with_texts, **options))


def test_erasing_a_person_with_texts_deletes_the_files_of_the_persons_photos(
    make_app: MakeApp, tmp_path: Path
) -> None:
    city = City(make_app, tmp_path / "media", photo_original_days=365)
    city.report(jpeg("red"), email="bo@mail.example")
    others = city.sender.files()
    city.report(jpeg("blue"), jpeg("red"), email=JANE)
    assert len(city.sender.files()) == 2 * len(others)
    erase(city, with_texts=True)
    assert city.sender.files() == others, "the red photo is in the request of another person too"


def test_erasing_a_person_without_texts_deletes_only_the_originals(make_app: MakeApp, tmp_path: Path) -> None:
    city = City(make_app, tmp_path / "media", photo_original_days=365)
    city.report(jpeg(), email=JANE)
    before = city.sender.files()
    erase(city, with_texts=False)
    assert city.sender.files() == [key for key in before if not key.endswith("original")]
    assert city.sender.get(city.sender.path()).status_code == 200
