"""Photos that are held, private or blackened: who sees them, and what staff decide."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.access import Role
from open311.domain.services import PhotoRule
from open311.operations.access.api_keys import add_key
from open311.operations.media.files import store_of
from open311.operations.media.sweeping import sweep_photos
from open311.plugins import Service
from schemas.staff import DepartmentCountSchema, HeldPhotoSchema
from tests import build
from tests.desk import Desk
from tests.photos import BASE, Sender, jpeg, prepare_all, prepare_waiting
from tests.working import work

MakeApp = Callable[..., Flask]
LEFT_HALF = [[0, 0, 0.5, 1]]


class City:
    """A server, its sender of reports, and the account of a dispatcher."""

    def __init__(self, make_app: MakeApp, media: Path, photos: PhotoRule = PhotoRule.PUBLIC, **more: Any) -> None:
        city = build.city(photos=photos, **more.pop("city", {}))
        self.sender = Sender(make_app(city, media=str(media), **more))
        self.platform = self.sender.platform
        self.desk = self.account("eve", Role.DISPATCHER)

    def account(self, name: str, role: Role, *departments: str) -> Desk:
        """Another account."""
        return Desk.of(self.sender.client, self.platform, name, role, *departments, city="test.example")

    def report(self, *pictures: bytes) -> str:
        """Send a report with photos, and prepare them. Returns its id."""
        self.sender.post(*(("media", picture) for picture in pictures))
        prepare_all(self.platform)
        id: str = self.sender.newest()["service_request_id"]
        return id

    def photos(self, id: str) -> list[dict[str, Any]]:
        """The photos of a request, as staff see them."""
        found: list[dict[str, Any]] = self.desk.get(f"/requests/{id}").json["photos"]
        return found

    def act(self, id: str, photo: str, command: str, desk: Desk | None = None, **body: Any) -> TestResponse:
        """Give a command about a photo."""
        sent = {"reason": "A plate."} | body
        return (desk or self.desk).post(f"/requests/{id}/photos/{photo}/{command}", sent)

    def status(self, photo: str, size: str = "") -> int:
        """The status of the public address of a photo."""
        return self.sender.get(f"{BASE}/media/test.example/{photo}{size}.jpg").status_code

    def everything_public(self) -> str:
        """What public lists and feeds say."""
        paths = (
            "requests.json?extensions=true",
            "requests.xml?extensions=true",
            "requests.json?has_photo=true",
            "requests.atom",
            "requests.geojson",
            "requests.csv",
            "changes.json",
            "servicerequestupdates.json",
        )
        answers = [self.sender.client.get(f"{BASE}/{path}") for path in paths]
        return "\n".join(answer.text for answer in answers if answer.status_code == 200)


@pytest.fixture
def held(make_app: MakeApp, tmp_path: Path) -> City:
    """A city that holds photos."""
    return City(make_app, tmp_path / "media", PhotoRule.HELD)


@pytest.fixture
def public(make_app: MakeApp, tmp_path: Path) -> City:
    """A city that shows photos at once."""
    return City(make_app, tmp_path / "media")


# --- Held and private


def test_a_held_photo_is_in_no_public_answer_until_a_person_releases_it(held: City) -> None:
    notice = held.sender.post(("media", jpeg())).json[0]["service_notice"]
    assert "1 photo is being prepared. The public sees the photos once a person has reviewed them." in notice
    prepare_all(held.platform)
    id = held.sender.newest()["service_request_id"]
    [photo] = held.photos(id)
    assert (photo["state"], photo["is_public"]) == ("held", True)
    assert photo["id"] not in held.everything_public()
    assert held.status(photo["id"]) == held.status(photo["id"], "-small") == 404
    assert held.sender.client.get(f"{BASE}/requests.json?has_photo=true").json == []
    assert held.desk.get(f"/requests/{id}/photos/{photo['id']}").status_code == 200

    answer = held.act(id, photo["id"], "release", reason="It shows nobody.")
    assert answer.status_code == 200, answer.text
    assert [one["state"] for one in answer.json["photos"]] == ["ready"]
    event = answer.json["history"][-1]
    assert (event["kind"], event["name"], event["reason"]) == ("photos_released", "eve", "It shows nobody.")
    assert held.sender.urls() == [f"http://localhost{BASE}/media/test.example/{photo['id']}.jpg"]
    assert held.status(photo["id"]) == 200
    assert len(held.sender.client.get(f"{BASE}/requests.json?has_photo=true").json) == 1
    assert "It shows nobody." not in held.everything_public()


def test_the_photo_of_an_update_is_shown_in_it_after_the_release(held: City) -> None:
    id = held.report()
    key = add_key(held.platform, label="works", may_update=True, now=utc_now())[1]
    update = {
        "api_key": key,
        "service_request_id": id,
        "update_id": "u1",
        "status": "OPEN",
        "updated_datetime": "2026-03-01T12:00:00Z",
        "description": "See the photo.",
        "media": (io.BytesIO(jpeg()), "x.jpg"),
    }
    path = f"{BASE}/servicerequestupdates.json"
    held.sender.client.post(path, data=update, content_type="multipart/form-data")
    prepare_all(held.platform)
    [photo] = held.photos(id)
    assert photo["id"] not in held.everything_public()
    held.act(id, photo["id"], "release")
    assert photo["id"] in held.sender.client.get(path).text
    photos = held.act(id, photo["id"], "blacken", boxes=LEFT_HALF).json["photos"]
    [new] = [one["id"] for one in photos if one["state"] == "ready"]
    text = held.sender.client.get(path).text
    assert (photo["id"] in text, new in text) == (False, True)


def test_a_service_has_its_own_rule_for_photos(make_app: MakeApp, tmp_path: Path) -> None:
    services: tuple[Service, ...] = (replace(build.HOLE, photos=PhotoRule.PRIVATE), build.TREE, build.TALK)
    city = City(make_app, tmp_path / "media", PhotoRule.HELD, city={"services": services})
    id = city.report(jpeg())
    [photo] = city.photos(id)
    assert (photo["state"], photo["is_public"]) == ("ready", False)
    assert city.status(photo["id"]) == 404
    assert photo["id"] not in city.everything_public()
    answer = city.act(id, photo["id"], "release")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (409, "photo"), answer.text
    answer = city.desk.call("POST", f"/requests/{id}/photos?public=true", data=jpeg("blue"))
    assert answer.status_code == 400
    assert "only staff see the photos of this service" in answer.text
    assert city.desk.get("/photos").json == {"photos": [], "cursor": None}


def test_a_held_photo_can_be_withdrawn_instead_of_released(held: City) -> None:
    id = held.report(jpeg())
    [photo] = held.photos(id)
    before = held.sender.newest()["updated_datetime"]
    answer = held.act(id, photo["id"], "withdraw", reason="It shows a face.")
    assert [one["state"] for one in answer.json["photos"]] == ["withdrawn"]
    assert held.act(id, photo["id"], "release").status_code == 409
    assert held.act(id, photo["id"], "blacken", boxes=LEFT_HALF).status_code == 409
    assert held.sender.newest()["updated_datetime"] == before
    assert held.desk.get("/photos").json["photos"] == []


def test_a_photo_is_released_once_by_a_dispatcher_with_a_reason(held: City) -> None:
    id = held.report(jpeg())
    [photo] = held.photos(id)
    assert held.act(id, photo["id"], "release", held.account("ada", Role.AGENT)).status_code == 403
    other = held.account("bob", Role.DISPATCHER, "parks")
    assert held.act(id, photo["id"], "release", other).status_code == 403
    assert held.act(id, photo["id"], "release", reason=" ").status_code == 400
    assert held.act(id, "unknown", "release").status_code == 404
    assert held.act(id, photo["id"], "release").status_code == 200
    assert "photo: is ready, and not held." in held.act(id, photo["id"], "release").text


def test_a_photo_that_only_staff_see_is_not_released_and_the_answer_says_so(
    make_app: MakeApp, tmp_path: Path
) -> None:
    private = City(make_app, tmp_path / "media", PhotoRule.PRIVATE)
    id = private.report(jpeg())
    refused = private.act(id, private.photos(id)[0]["id"], "release")
    assert (refused.status_code, "only staff see the photos of this service" in refused.text) == (409, True)


@pytest.mark.parametrize(
    ("boxes", "fault"),
    [
        ([[0, 0, 1, 1], [0.5, 0, 0.2, 1]], "box 2 has left 0.5 and right 0.2; left must be smaller."),
        ([[0, 0.5, 1, 0.5]], "box 1 has top 0.5 and bottom 0.5; top must be smaller."),
        ([[10, 20, 300, 400]], "box 1 has a number outside 0..1; send fractions"),
        ([[0, 0, 1]], "box 1 must be four numbers"),
        ([[0, 0, True, 1]], "box 1 must be four numbers"),
    ],
)
def test_a_faulty_box_is_named_with_its_fault(public: City, boxes: list[list[float]], fault: str) -> None:
    id = public.report(jpeg())
    refused = public.act(id, public.photos(id)[0]["id"], "blacken", boxes=boxes)
    assert refused.status_code == 400
    assert fault in refused.json["detail"]


def test_a_form_instead_of_a_photo_is_refused_and_the_answer_says_what_to_send(public: City) -> None:
    id = public.report()
    form = {"data": {"media": (io.BytesIO(jpeg()), "x.jpg")}, "content_type": "multipart/form-data"}
    refused = public.desk.call("POST", f"/requests/{id}/photos", **form)
    assert (refused.status_code, "send the photo itself as the body" in refused.text) == (415, True)
    assert public.photos(id) == []


def test_queues_count_held_photos_also_of_closed_requests(held: City) -> None:
    id = held.report(jpeg(), jpeg("blue"))
    held.desk.post(f"/requests/{id}/close", {"outcome": "fixed"})
    counted = held.desk.get("/queues").json["queues"]
    assert {one["department"]: one["held_photos"] for one in counted if one["held_photos"]} == {"streets": 2}
    assert all(set(one) == set(DepartmentCountSchema().fields) for one in counted)
    held.act(id, held.photos(id)[0]["id"], "release")
    assert [one["held_photos"] for one in held.desk.get("/queues").json["queues"] if one["held_photos"]] == [1]


def test_a_held_photo_of_a_hidden_request_is_marked_and_its_release_says_what_it_means(held: City) -> None:
    id = held.report(jpeg())
    held.desk.post(f"/requests/{id}/hide", {"reason": "A name."})
    [listed] = held.desk.get("/photos?state=held").json["photos"]
    assert set(listed) == set(HeldPhotoSchema().fields)
    assert (listed["service_code"], listed["department"], listed["visibility"]) == (
        "potholes",
        "streets",
        "withdrawn",
    )
    answer = held.act(id, listed["id"], "release")
    assert answer.status_code == 200
    assert "the request is withdrawn, so the public sees this photo only once it sees" in answer.headers["Warning"]
    assert held.status(listed["id"]) == 404
    held.desk.post(f"/requests/{id}/show", {})
    assert held.status(listed["id"]) == 200


def test_held_photos_are_listed_oldest_first_in_pages(held: City) -> None:
    first = held.report(jpeg(), jpeg("blue"))
    second = held.report(jpeg("green"))
    of_request = {
        photo["id"]: (photo["received_datetime"], id) for id in (first, second) for photo in held.photos(id)
    }
    expected = sorted(of_request, key=lambda one: (of_request[one][0], one))  # several may come in the same second
    seen: list[str] = []
    cursor = ""
    while True:
        page = held.desk.get(f"/photos?state=held&page_size=2&cursor={cursor}")
        assert page.status_code == 200, page.text
        seen += [one["id"] for one in page.json["photos"]]
        cursor = page.json["cursor"]
        if not cursor:
            break
        assert 'rel="next"' in page.headers["Link"]
    assert seen == expected
    assert page.json["photos"][-1]["service_request_id"] == of_request[expected[-1]][1]
    assert held.account("bob", Role.READER, "parks").get("/photos").json["photos"] == []
    assert len(held.account("ann", Role.READER, "streets").get("/photos").json["photos"]) == 3


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=WzEsMl0", "cursor=WyJ4IiwieSJd", "state=ready", "page_size=0"]
)
def test_faulty_pages_of_held_photos_are_refused(held: City, query: str) -> None:
    assert held.desk.get(f"/photos?{query}").status_code == 400


# --- Blackened


def test_a_blackened_photo_has_a_new_address_and_the_old_one_is_gone(public: City) -> None:
    id = public.report(jpeg("red"), jpeg("blue"))
    old, other = (photo["id"] for photo in public.photos(id))
    answer = public.act(id, old, "blacken", boxes=LEFT_HALF, reason="It shows a plate.")
    assert answer.status_code == 200, answer.text
    states = {one["id"]: (one["state"], one["reason"]) for one in answer.json["photos"]}
    [new] = states.keys() - {old, other}
    assert states[old] == ("blackened", "It shows a plate.")
    assert states[new] == ("ready", None)
    assert public.status(old) == public.status(old, "-small") == 404
    assert [url.rpartition("/")[2] for url in public.sender.urls()] == [f"{new}.jpg", f"{other}.jpg"]
    for size in ("", "-medium", "-small"):
        data = public.sender.get(f"{BASE}/media/test.example/{new}{size}.jpg").data
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        assert max(picture.getpixel((5, 5))) < 30  # type: ignore[arg-type]  # an RGB pixel is a tuple
        assert picture.getpixel((picture.width - 5, 5))[0] > 200  # type: ignore[index]
    event = answer.json["history"][-1]
    assert (event["kind"], event["reason"]) == ("photo_blackened", "It shows a plate.")
    assert old not in public.everything_public()
    assert "It shows a plate." not in public.everything_public()


def test_dispatchers_can_read_the_unblackened_photo_for_30_days(public: City) -> None:
    id = public.report(jpeg())
    [old] = public.photos(id)
    public.act(id, old["id"], "blacken", boxes=LEFT_HALF)
    path = f"/requests/{id}/photos/{old['id']}"
    assert public.desk.get(path).status_code == 200
    assert public.account("ada", Role.AGENT).get(path).status_code == 403
    now = utc_now()
    [city] = public.platform.registry
    assert sweep_photos(public.platform, city, now + timedelta(days=29)).blackened == 0
    before = public.sender.files()
    assert sweep_photos(public.platform, city, now + timedelta(days=31)).blackened == 1
    assert public.desk.get(path).status_code == 404
    assert len(public.sender.files()) < len(before)
    assert public.status(public.photos(id)[0]["id"]) == 200


def test_with_0_days_the_photo_before_the_blackening_is_deleted_at_once(make_app: MakeApp, tmp_path: Path) -> None:
    city = City(make_app, tmp_path / "media", photo_unblackened_days=0)
    id = city.report(jpeg())
    [old] = city.photos(id)
    files = set(city.sender.files())
    city.act(id, old["id"], "blacken", boxes=LEFT_HALF)
    assert [one["state"] for one in city.photos(id)] == ["ready"]
    assert files.isdisjoint(city.sender.files())


def test_a_held_photo_is_blackened_and_then_released(held: City) -> None:
    id = held.report(jpeg())
    [old] = held.photos(id)
    held.act(id, old["id"], "blacken", boxes=LEFT_HALF)
    [waiting] = held.desk.get("/photos").json["photos"]
    assert held.status(waiting["id"]) == 404
    assert waiting["id"] not in held.everything_public()
    assert held.act(id, old["id"], "release").status_code == 409
    assert held.act(id, waiting["id"], "release").status_code == 200
    assert held.status(waiting["id"]) == 200
    assert held.status(old["id"]) == 404


def test_a_photo_is_blackened_once_by_two_calls_at_the_same_time(public: City) -> None:
    id = public.report(jpeg())
    [old] = public.photos(id)

    def call(_: int) -> int:
        client = public.sender.client.application.test_client()
        desk = replace(public.desk, client=client)
        return public.act(id, old["id"], "blacken", desk, boxes=LEFT_HALF).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(call, range(2))) == [200, 409]
    assert sorted(one["state"] for one in public.photos(id)) == ["blackened", "ready"]
    assert len(public.sender.urls()) == 1
    assert len({key.rpartition("/")[0] for key in public.sender.files()}) == 2


def test_a_blackened_photo_is_blackened_further_only_under_its_new_id(public: City) -> None:
    id = public.report(jpeg())
    [old] = public.photos(id)
    public.act(id, old["id"], "blacken", boxes=LEFT_HALF)
    assert "photo: is blackened; only a ready or held photo" in (
        public.act(id, old["id"], "blacken", boxes=LEFT_HALF).text
    )
    [new] = [one["id"] for one in public.photos(id) if one["state"] == "ready"]
    assert public.act(id, new, "blacken", boxes=[[0.5, 0, 1, 1]]).status_code == 200
    assert public.status(new) == 404


@pytest.mark.parametrize(
    "boxes",
    [
        None,
        [],
        "x",
        [[0, 0, 1]],
        [[0, 0, 0, 1]],
        [[0.5, 0, 0.4, 1]],
        [[0, 0, 1, 2]],
        [[-0.1, 0, 1, 1]],
        [["0", 0, 1, 1]],
        [[True, 0, 1, 1]],
        [{"left": 0}],
        [[0, 0, 1, 1]] * 51,
        [[0.5, 0, 0.5000001, 1]],
        [[0, 0, 1, 1e-300]],
        [[0, 0, 1, 1], [0.1, 0.1, 0.1001, 0.1001]],
    ],
)
def test_the_error_for_faulty_boxes_names_the_parameter(public: City, boxes: object) -> None:
    id = public.report(jpeg())
    [old] = public.photos(id)
    answer = public.act(id, old["id"], "blacken", boxes=boxes)
    assert answer.status_code == 400
    assert "boxes" in answer.text
    assert public.status(old["id"]) == 200


def test_a_box_of_one_pixel_is_enough_and_a_smaller_one_is_named(public: City) -> None:
    id = public.report(jpeg(size=(64, 48)))
    [old] = public.photos(id)
    answer = public.act(id, old["id"], "blacken", boxes=[[0, 0, 1, 1], [0, 0, 1, 1 / 49]])
    assert "boxes: box 2 is smaller than a pixel of the photo, which has 64 × 48" in answer.text
    assert public.act(id, old["id"], "blacken", boxes=[[0, 0, 1 / 64, 1 / 48]]).status_code == 200


def test_blackening_needs_its_right_and_a_photo_that_is_prepared(public: City) -> None:
    public.sender.post(("media", jpeg()))
    id = public.sender.newest()["service_request_id"]
    [old] = public.photos(id)
    assert "is waiting" in public.act(id, old["id"], "blacken", boxes=LEFT_HALF).text
    prepare_all(public.platform)
    agent = public.account("ada", Role.AGENT)
    assert public.act(id, old["id"], "blacken", agent, boxes=LEFT_HALF).status_code == 403
    assert public.act(id, old["id"], "blacken", boxes=LEFT_HALF, reason="").status_code == 400
    assert public.act(id, "unknown", "blacken", boxes=LEFT_HALF).status_code == 404


def test_a_photo_stays_ready_if_its_file_is_missing(public: City) -> None:
    id = public.report(jpeg())
    [old] = public.photos(id)
    for key in public.sender.files():
        store_of(public.platform).delete(key)
    assert public.act(id, old["id"], "blacken", boxes=LEFT_HALF).status_code == 503
    assert [one["state"] for one in public.photos(id)] == ["ready"]


# --- Photos that cannot be prepared


def test_a_waiting_photo_whose_file_is_lost_can_be_withdrawn(public: City) -> None:
    sender = public.sender
    sender.post(("media", jpeg()))
    id = sender.newest()["service_request_id"]
    number = build.load(public.platform, service_request_id=id).number
    for key in sender.files():
        store_of(public.platform).delete(key)
    work(public.platform)
    with public.platform.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE procrastinate_jobs SET attempts = 8 WHERE task_name = 'prepare_photos' AND status = 'todo'"
        )
    check = sender.client.get("/readyz").json["checks"]["jobs"]
    assert f"prepare_photos of request {number} in test.example fails again and again" in check["detail"]
    [photo] = public.photos(id)
    assert public.act(id, photo["id"], "withdraw").status_code == 200
    assert [one["state"] for one in public.photos(id)] == ["withdrawn"]
    assert public.act(id, photo["id"], "withdraw").status_code == 409
    assert not prepare_waiting(public.platform)
    with public.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    work(public.platform)
    assert sender.client.get("/readyz").json["status"] == "ready"
    assert (public.status(photo["id"]), sender.urls()) == (404, [])


def test_a_photo_that_was_refused_can_be_withdrawn(public: City) -> None:
    id = public.report(jpeg(size=(400, 300))[:40])
    [photo] = public.photos(id)
    assert photo["state"] == "refused"
    assert public.act(id, photo["id"], "withdraw").status_code == 200
    assert [one["state"] for one in public.photos(id)] == ["withdrawn"]


@pytest.mark.parametrize(("days", "files"), [(0, 0), (30, 1)])
def test_the_original_of_a_photo_withdrawn_before_it_was_prepared_is_kept_as_long_as_others(
    make_app: MakeApp, tmp_path: Path, days: int, files: int
) -> None:
    city = City(make_app, tmp_path / "media", photo_original_days=days)
    city.sender.post(("media", jpeg()))
    id = city.sender.newest()["service_request_id"]
    [photo] = city.photos(id)
    assert city.act(id, photo["id"], "withdraw").status_code == 200
    assert len(city.sender.files()) == files
    prepare_all(city.platform)
    assert city.sender.urls() == []
