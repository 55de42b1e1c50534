"""Photos on other servers: the worker copies them if the city wants it, and tells staff which it could not copy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import Role
from open311.domain.events import Erasable, replay
from open311.domain.retention import Retention
from open311.federation import pictures as fetching
from open311.federation.addresses import Guard
from open311.jobs.dispatching import dispatch_all
from open311.operations.media.copying import MOST_TRIES, copy_photos
from open311.operations.media.preparing import NotPrepared
from open311.operations.people.expiring import PHOTOS, expire
from open311.operations.workflow.erase_request import erase_from_request
from open311.plugins import PhotoRule
from open311.storage.queue import Task
from tests import build
from tests.checked_client import plain_client
from tests.desk import Desk
from tests.federation.proxying import proxy_to
from tests.photos import BASE, PLANTED, Sender, jpeg, prepare_waiting, tagged_jpeg
from tests.stored import dump
from tests.waiting import until
from tests.working import work
from tests.world.pictures import Pictures, pictures

MakeApp = Callable[..., Flask]
PUBLIC_URL = "http://localhost"
ELSEWHERE = "http://photos.example/hole.jpg"
NOBODY = Guard()


@pytest.fixture
def vendor() -> Iterator[Pictures]:
    """The server of an app's vendor."""
    with pictures() as found:
        yield found


class City:
    """A city that copies photos, a request with addresses of photos, and an account of a dispatcher."""

    def __init__(self, make_app: MakeApp, folder: Path, vendor: Pictures, **more: Any) -> None:
        self.vendor = vendor
        rules: dict[str, Any] = {"copy_photos": True} | more.pop("city", {})
        settings = {"media": str(folder / "media"), "public_url": PUBLIC_URL} | more
        self.sender = Sender(make_app(build.city(**rules), **settings))
        self.platform = self.sender.platform
        self.desk = Desk.of(self.sender.client, self.platform, "eve", Role.DISPATCHER, city="test.example")
        self.number = 0

    def report(self, *addresses: str) -> None:
        """Store a request with addresses. A POST would refuse addresses on the loopback, so this makes no POST."""
        self.number = build.store(self.platform, at=utc_now(), media_urls=addresses).number

    def copy(self, *, is_last: bool = True, guard: Guard | None = None) -> int:
        """Copy the photos as the worker does, and prepare them. Returns how many were fetched."""
        wanted = guard or self.vendor.guard()
        found = copy_photos(self.platform, "test.example", self.number, utc_now(), is_last=is_last, guard=wanted)
        prepare_waiting(self.platform)
        return found

    def shown(self) -> tuple[str, ...]:
        """The addresses of photos that the request has, as everybody sees them."""
        found = self.sender.newest()
        urls: list[str] = found["extended_attributes"]["media_urls"]
        assert found["media_url"] == (urls[0] if urls else None)
        return tuple(urls)

    def photos(self) -> list[tuple[str, str | None, str | None]]:
        """State, reason and source of each photo that staff see."""
        id = self.sender.newest()["service_request_id"]
        found = self.desk.get(f"/requests/{id}").json["photos"]
        return [(one["state"], one["reason"], one["copy_of"]) for one in found]


@pytest.fixture
def city(make_app: MakeApp, tmp_path: Path, vendor: Pictures) -> City:
    return City(make_app, tmp_path, vendor)


# --- Copied


def test_the_address_stays_as_it_was_sent_until_the_copy_is_prepared_and_takes_its_place(city: City) -> None:
    first = city.vendor.has("/1.jpg", tagged_jpeg())
    gone = city.vendor.origin + "/gone.jpg"
    city.report(gone, first)
    assert city.shown() == (gone, first)
    copy_photos(city.platform, "test.example", city.number, utc_now(), is_last=True, guard=city.vendor.guard())
    assert city.shown() == (gone, first), "the copy waits"
    prepare_waiting(city.platform)
    left, copy = city.shown()
    assert left == gone, "what cannot be copied stays as it was sent"
    assert copy.startswith(f"{PUBLIC_URL}{BASE}/media/test.example/")
    body = city.sender.get(copy.removeprefix(PUBLIC_URL))
    assert body.mimetype == "image/jpeg"
    assert PLANTED not in body.data


def test_a_posted_address_is_copied_by_the_worker_through_the_proxy(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures
) -> None:
    vendor.has("/hole.jpg", jpeg())
    with proxy_to(vendor.origin) as proxy:
        city = City(make_app, tmp_path, vendor, proxy=proxy.url)
        answer = city.sender.post(media_url=ELSEWHERE)
        assert answer.status_code == 200, answer.text
        assert city.shown() == (ELSEWHERE,)
        work(city.platform)
        work(city.platform)
    assert proxy.asked == [f"GET {ELSEWHERE}"]
    [address] = city.shown()
    assert address.startswith(PUBLIC_URL)
    assert city.sender.get(address.removeprefix(PUBLIC_URL)).status_code == 200
    assert city.photos() == [("ready", None, ELSEWHERE)]
    assert "photos.example" not in city.sender.client.get(f"{BASE}/changes.json").text
    record = build.load(city.platform, service_request_id=city.sender.newest()["service_request_id"])
    history = build.history(city.platform, record)
    assert history[-1].kind == "photo_copied"
    assert "photos.example" not in str(history), "an erasure need not look for the address in the history"
    assert replay(record, history) == record


def test_a_sent_file_and_a_copy_are_both_shown_and_the_copy_comes_first(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures
) -> None:
    vendor.has("/hole.jpg", jpeg("blue"))
    with proxy_to(vendor.origin) as proxy:
        city = City(make_app, tmp_path, vendor, proxy=proxy.url)
        repeat = {"media_url": ELSEWHERE, "repeat": "one"}
        first = city.sender.post(("media", jpeg("red")), **repeat)
        work(city.platform)
        again = city.sender.post(("media", jpeg("red")), **repeat)
        work(city.platform)
    assert again.json == first.json, "a repeated call counts the file that was sent, and not the copy"
    assert len(city.shown()) == 2
    assert {source for _, _, source in city.photos()} == {None, ELSEWHERE}
    assert len(proxy.asked) == 1


def test_nothing_is_fetched_unless_the_city_wants_it(make_app: MakeApp, tmp_path: Path, vendor: Pictures) -> None:
    city = City(make_app, tmp_path, vendor, city={"copy_photos": False})
    city.sender.post(media_url=ELSEWHERE)
    dispatch_all(city.platform)
    assert build.jobs(city.platform, Task.COPY_PHOTOS) == []
    address = vendor.has("/1.jpg", jpeg())
    city.report(address)
    assert city.copy() == 0, "the city has switched it off while the job waited"
    assert vendor.asked == []
    assert address in str(city.sender.client.get(f"{BASE}/requests.json?extensions=true").json)


def test_a_job_that_runs_twice_fetches_once(city: City) -> None:
    city.report(city.vendor.has("/1.jpg", jpeg()), city.vendor.origin + "/gone.jpg")
    assert [city.copy(), city.copy()] == [1, 0]
    assert city.vendor.paths() == ["/1.jpg", "/gone.jpg"]
    assert sorted(state for state, _, _ in city.photos()) == ["ready", "refused"]


def test_a_redirect_to_another_path_is_followed(city: City) -> None:
    city.vendor.has("/real.jpg", jpeg())
    city.report(city.vendor.leads("/1.jpg", "/real.jpg"))
    assert city.copy() == 1
    assert city.shown()[0].startswith(PUBLIC_URL)


# --- Who sees the copy


def test_a_copy_that_is_held_is_shown_after_a_person_has_released_it(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures
) -> None:
    city = City(make_app, tmp_path, vendor, city={"photos": PhotoRule.HELD})
    city.report(vendor.has("/1.jpg", jpeg()))
    city.copy()
    assert city.shown() == (), "the address elsewhere would show what is held"
    assert [state for state, _, _ in city.photos()] == ["held"]
    id = city.sender.newest()["service_request_id"]
    [photo] = city.desk.get(f"/requests/{id}").json["photos"]
    assert city.desk.post(f"/requests/{id}/photos/{photo['id']}/release", {"reason": "Fine."}).status_code == 200
    assert len(city.shown()) == 1


def test_a_copy_that_is_private_is_for_staff_only(make_app: MakeApp, tmp_path: Path, vendor: Pictures) -> None:
    city = City(make_app, tmp_path, vendor, city={"photos": PhotoRule.PRIVATE})
    city.report(vendor.has("/1.jpg", jpeg()))
    city.copy()
    assert city.shown() == ()
    assert [state for state, _, _ in city.photos()] == ["ready"]


# --- Not copied


@pytest.mark.parametrize(
    ("lies", "fault"),
    [
        (lambda vendor: vendor.origin + "/never.jpg", "gone"),
        (lambda vendor: vendor.has("/1.jpg", b"", status=410), "gone"),
        (lambda vendor: vendor.has("/1.jpg", b"no", status=403), "refused_by_server"),
        (lambda vendor: vendor.has("/1.jpg", b"<html>Log in</html>", "text/html"), "not_an_image"),
        (lambda vendor: vendor.has("/1.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "not_an_image"),
        (lambda vendor: vendor.has("/1.jpg", b""), "not_an_image"),
        (lambda vendor: vendor.has("/1.jpg", jpeg() + bytes(1_000_001)), "too_large"),
        (lambda vendor: vendor.leads("/1.jpg", "/1.jpg"), "too_large"),
        (lambda vendor: vendor.leads("/1.jpg", "http://127.0.0.1:1/secret"), "forbidden_address"),
        (lambda vendor: vendor.leads("/1.jpg", "http://localhost:1/secret"), "forbidden_address"),
        (lambda vendor: vendor.leads("/1.jpg", "http://[::1]:1/secret"), "forbidden_address"),
        (lambda vendor: vendor.leads("/1.jpg", "http://169.254.169.254/latest/meta-data"), "forbidden_address"),
        (lambda vendor: vendor.leads("/1.jpg", "http://[::ffff:10.0.0.1]/"), "forbidden_address"),
        (lambda vendor: vendor.leads("/1.jpg", "file:///etc/passwd"), "forbidden_address"),
        (lambda vendor: vendor.leads("/1.jpg", "http://user@127.0.0.1/"), "forbidden_address"),
        (lambda vendor: vendor.has("/1.jpg", b"", drops=True), "unreachable"),
        (lambda vendor: vendor.has("/1.jpg", b"busy", status=503), "refused_by_server"),
    ],
)
def test_staff_see_why_a_photo_was_not_copied_and_its_address_stays(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures, lies: Callable[[Pictures], str], fault: str
) -> None:
    city = City(make_app, tmp_path, vendor, max_photo_bytes=1_000_000)
    address = lies(vendor)
    city.report(address)
    assert city.copy() == 0
    assert city.photos() == [("refused", fault, address)]
    assert city.shown() == (address,)
    assert city.sender.files() == []
    asked = len(vendor.asked)
    assert city.copy() == 0
    assert len(vendor.asked) == asked, "it is not tried again"


def test_a_file_that_cannot_be_decoded_is_refused_like_one_that_was_sent(city: City) -> None:
    address = city.vendor.has("/1.jpg", jpeg()[:200])
    city.report(address)
    assert city.copy() == 1
    assert city.photos() == [("refused", "broken", address)]
    assert city.shown() == (address,)


@pytest.mark.parametrize(
    ("limit", "head"),
    [("TIMEOUT_S", b""), ("DEADLINE_S", b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg()[:100])],
)
def test_the_copy_is_given_up_if_the_server_falls_silent(
    city: City, limit: str, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, limit, 0.3)
    address = city.vendor.hangs("/1.jpg", head)
    city.report(address)
    assert city.copy() == 0
    assert city.photos() == [("refused", "too_slow", address)]


def test_a_host_that_is_not_public_is_not_called(city: City) -> None:
    city.report(city.vendor.has("/1.jpg", jpeg()))
    assert city.copy(guard=NOBODY) == 0
    assert city.vendor.asked == []
    assert [reason for _, reason, _ in city.photos()] == ["forbidden_address"]


def test_a_failure_that_may_pass_is_tried_again_and_the_other_photos_are_copied_at_once(city: City) -> None:
    busy = city.vendor.has("/busy.jpg", b"", status=503)
    city.report(busy, city.vendor.has("/1.jpg", jpeg("red")))
    with pytest.raises(NotPrepared, match="1 photos cannot be copied now"):
        city.copy(is_last=False)
    prepare_waiting(city.platform)
    assert [url.startswith(PUBLIC_URL) for url in city.shown()] == [False, True]
    city.vendor.has("/busy.jpg", jpeg("blue"))
    assert city.copy(is_last=False) == 1
    assert [url.startswith(PUBLIC_URL) for url in city.shown()] == [True, True]
    assert city.vendor.paths() == ["/busy.jpg", "/1.jpg", "/busy.jpg"]


def test_the_worker_gives_up_after_some_tries(make_app: MakeApp, tmp_path: Path, vendor: Pictures) -> None:
    with proxy_to(vendor.has("/hole.jpg", b"", status=503).removesuffix("/hole.jpg")) as proxy:
        city = City(make_app, tmp_path, vendor, proxy=proxy.url)
        city.sender.post(media_url=ELSEWHERE)
        work(city.platform)
        for _ in range(MOST_TRIES):
            with city.platform.database.transaction() as connection:
                connection.exec_driver_sql("UPDATE procrastinate_jobs SET scheduled_at = NULL")
            work(city.platform)
    assert len(proxy.asked) == MOST_TRIES
    assert city.photos() == [("refused", "refused_by_server", ELSEWHERE)]
    assert city.shown() == (ELSEWHERE,)


def test_no_more_addresses_are_fetched_than_a_post_may_have_photos(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures
) -> None:
    city = City(make_app, tmp_path, vendor, max_photos=2)
    city.report(*(vendor.has(f"/{number}.jpg", jpeg()) for number in range(4)))
    assert city.copy() == 2
    assert vendor.paths() == ["/0.jpg", "/1.jpg"]
    assert sorted(str(reason) for _, reason, _ in city.photos()) == ["None", "None", "too_many", "too_many"]
    assert len(city.shown()) == 4


WORKER = """
import sys
from open311.jobs.worker import make_worker, run_worker
from open311.settings import Settings
from open311.storage.engine import libpq_dsn
from tests import build

url, proxy, media = sys.argv[1:]
settings = Settings(database_url=url, proxy=proxy, media=media, public_url="http://localhost")
platform = build.platform(settings, build.city(copy_photos=True))
sys.exit(not run_worker(platform, make_worker(platform, libpq_dsn(settings.sqlalchemy_url))))
"""


def test_a_server_that_hangs_does_not_delay_other_jobs(make_app: MakeApp, tmp_path: Path, vendor: Pictures) -> None:
    vendor.hangs("/hole.jpg")
    with proxy_to(vendor.origin) as proxy:
        city = City(make_app, tmp_path, vendor, proxy=proxy.url)
        settings = city.platform.settings
        command = [sys.executable, "-c", WORKER, settings.database_url, proxy.url, settings.media]
        path = os.pathsep.join(sys.path)
        with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}) as worker:
            try:
                city.sender.post(media_url=ELSEWHERE)
                until(lambda: bool(vendor.asked), "a fetch")
                token = city.sender.post(service_code="trees").json[0]["token"]
                read = f"{BASE}/tokens/{token}.json"
                plain = plain_client(city.sender.client)
                until(lambda: "service_request_id" in plain.get(read).json[0], "an id")
                assert not vendor.released.is_set(), "the fetch still waits"
                vendor.released.set()
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(60) == 0
            finally:
                worker.kill()


def test_without_a_public_address_of_the_server_nothing_is_copied(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures
) -> None:
    city = City(make_app, tmp_path, vendor, public_url="")
    city.report(vendor.has("/1.jpg", jpeg()))
    assert city.copy() == 0
    assert vendor.asked == []
    assert [reason for _, reason, _ in city.photos()] == ["no_public_url"]


def test_a_store_that_takes_no_file_is_tried_again_and_leaves_no_photo(city: City, tmp_path: Path) -> None:
    city.report(city.vendor.has("/1.jpg", jpeg()))
    (tmp_path / "media").write_bytes(b"")
    with pytest.raises(NotPrepared):
        city.copy(is_last=False)
    assert city.photos() == []
    (tmp_path / "media").unlink()
    assert city.copy(is_last=False) == 1


# --- Erased


def test_an_erasure_while_the_photo_is_fetched_leaves_no_copy(city: City) -> None:
    [jurisdiction] = city.platform.registry
    address = city.vendor.has("/1.jpg", jpeg())

    def erase() -> None:
        name = str(city.number)
        erase_from_request(city.platform, jurisdiction, name, [Erasable.MEDIA], now=utc_now())

    city.vendor.meanwhile = erase
    city.report(address)
    assert city.copy() == 0
    assert len(city.vendor.asked) == 1
    assert (city.photos(), city.shown(), city.sender.files()) == ([], (), [])


def test_an_erasure_removes_copies_and_the_addresses_of_those_that_failed(
    make_app: MakeApp, tmp_path: Path, vendor: Pictures
) -> None:
    city = City(make_app, tmp_path, vendor, city={"retention": Retention(photo_days=0)})
    gone = vendor.origin + "/gone.jpg"
    city.report(vendor.has("/1.jpg", jpeg()), gone)
    city.copy()
    id = city.sender.newest()["service_request_id"]
    build.change(city.platform, id, status="closed", note="Done.", now=utc_now())
    [jurisdiction] = city.platform.registry
    assert sum(batch.due.total() for batch in expire(city.platform, jurisdiction, PHOTOS, now=utc_now())) == 1
    assert (city.photos(), city.shown(), city.sender.files()) == ([], (), [])
    assert vendor.origin not in dump(city.platform)
