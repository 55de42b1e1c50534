"""Photos in a POST: taken, prepared, shown and served."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image

from open311.clock import utc_now
from open311.domain.events import Erasable
from open311.domain.photos import Photo, PhotoState
from open311.domain.requests import Visibility
from open311.operations.media.files import store_of
from open311.operations.media.sweeping import GRACE, sweep_photos
from open311.operations.workflow.erase_request import erase_from_request
from open311.storage import media
from tests import build
from tests.photos import BASE, Sender, jpeg, png, prepare_all, webp
from tests.working import work

PREPARED = "1 photo is being prepared."

both_formats = pytest.mark.parametrize("format", ["json", "xml"])


@pytest.fixture
def sender(make_app: Callable[..., Flask], tmp_path: Path) -> Sender:
    """A server with a media store of its own."""
    return Sender(make_app(build.city(), media=str(tmp_path / "media")))


# --- Taken


@both_formats
@pytest.mark.requirement("C168")
def test_a_photo_is_taken_prepared_and_shown(sender: Sender, format: str) -> None:
    answer = sender.post(("media", jpeg()), format=format)
    assert answer.status_code == 200, answer.text
    assert PREPARED in answer.text
    assert not answer.headers.getlist("Warning")
    assert sender.newest()["media_url"] is None
    work(sender.platform)
    address = sender.newest()["media_url"]
    assert address.startswith("http://localhost/open311/v2/media/test.example/")
    shown = sender.get(sender.path())
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(shown.data)).size == (64, 48)


@pytest.mark.requirement("C169")
@pytest.mark.parametrize(
    "names",
    [("media[]", "media[]"), ("media", "photo"), ("photo1", "photo2"), ("media", "media"), ("file", "x[1]")],
)
def test_several_files_under_any_name_become_photos_in_their_order(sender: Sender, names: tuple[str, str]) -> None:
    first, second = names
    answer = sender.post((first, jpeg("red")), (second, png("blue", size=(30, 40))))
    assert "2 photos are being prepared." in answer.json[0]["service_notice"]
    prepare_all(sender.platform)
    shown = [sender.get(url.removeprefix("http://localhost")).data for url in sender.urls()]
    assert [Image.open(io.BytesIO(data)).size for data in shown] == [(64, 48), (30, 40)]
    assert sender.newest()["media_url"] == sender.urls()[0]


@pytest.mark.parametrize("content", [jpeg(), png(), webp()])
def test_each_kind_of_picture_is_shown_as_a_jpeg(sender: Sender, content: bytes) -> None:
    sender.post(("media", content))
    prepare_all(sender.platform)
    assert Image.open(io.BytesIO(sender.get(sender.path()).data)).format == "JPEG"


def test_an_address_in_media_url_stays_first_and_the_photos_follow(sender: Sender) -> None:
    sender.post(("media", jpeg()), media_url="https://pictures.example/1.jpg")
    prepare_all(sender.platform)
    first, second = sender.urls()
    assert first == sender.newest()["media_url"] == "https://pictures.example/1.jpg"
    assert "/open311/v2/media/" in second


@both_formats
@pytest.mark.requirement("C301")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"not an image at all",
            "it is not a picture that can be shown here; send a picture of one of these kinds: JPEG, PNG, WEBP",
        ),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "it is not a picture that can be shown here; send a picture of one of these kinds: JPEG, PNG, WEBP",
        ),
        (
            b"GIF89a" + bytes(100),
            "it is not a picture that can be shown here; send a picture of one of these kinds: JPEG, PNG, WEBP",
        ),
        (b"", "it is empty"),
        (b"\xff\xd8\xff" + bytes(5_000), "it is too large: it has 5.1 kB, and at most 4 kB are allowed"),
    ],
)
def test_a_file_that_is_no_photo_is_dropped_and_named_and_the_report_is_taken(
    make_app: Callable[..., Flask], tmp_path: Path, format: str, content: bytes, reason: str
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path), max_photo_bytes=4_096))
    answer = sender.post(("foto", content), format=format)
    assert answer.status_code == 200
    assert f"Your report is kept, but not the file in foto: {reason}" in answer.text
    assert f"the file in foto is not kept as a photo: {reason}" in answer.headers["Warning"]
    assert PREPARED not in answer.text
    assert sender.files() == []


@pytest.mark.parametrize("picture", [jpeg, png, webp])
def test_a_photo_with_too_many_pixels_is_refused_at_once(
    make_app: Callable[..., Flask], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path), max_photo_pixels=3_000))
    answer = sender.post(("media", picture(size=(64, 48))), ("media", picture(size=(60, 50))))
    assert "it has 3072 pixels, and 3000 are allowed" in answer.headers["Warning"]
    assert "it has 3072 pixels, and 3000 are allowed" in answer.json[0]["service_notice"]
    prepare_all(sender.platform)
    assert len(sender.urls()) == 1


def test_photos_above_the_limit_are_dropped_and_the_others_are_kept(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path), max_photos=2))
    answer = sender.post(*(("media", jpeg(colour)) for colour in ("red", "blue", "green")))
    assert "only 2 photos can be sent at once" in answer.headers["Warning"]
    prepare_all(sender.platform)
    assert len(sender.urls()) == 2


def test_a_body_above_the_total_limit_gets_413(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    limits = {"max_body_bytes": 1_000, "max_upload_bytes": 10_000}
    sender = Sender(make_app(build.city(), media=str(tmp_path), **limits))
    assert sender.post(("media", bytes(20_000))).status_code == 413


def test_a_report_is_kept_without_its_photo_if_the_store_takes_no_file(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    sender = Sender(make_app(build.city(), media=str(tmp_path / "media")))
    answer = sender.post(("media", jpeg()))
    assert answer.status_code == 200
    assert "1 photo could not be stored; your report is kept without it." in answer.json[0]["service_notice"]
    assert answer.headers["Warning"] == '299 - "1 photo could not be stored"'
    prepare_all(sender.platform)
    assert sender.urls() == []


def test_an_unreadable_photo_is_refused_with_its_reason(sender: Sender) -> None:
    whole = jpeg(size=(400, 300))
    sender.post(("media", whole[:40]), ("media", jpeg("blue")))
    prepare_all(sender.platform)
    assert len(sender.urls()) == 1
    states = [(photo.state, photo.reason) for photo in stored_photos(sender)]
    assert states == [(PhotoState.REFUSED, "broken"), (PhotoState.READY, "")]


def stored_photos(sender: Sender) -> list[Photo]:
    """The photos of the newest request, as rows."""
    record = build.load(sender.platform, service_request_id=sender.newest()["service_request_id"])
    with sender.platform.database.reading() as connection:
        return media.load_all(connection, "test.example", record.number)


# --- Repeats


def test_a_repeated_call_makes_no_second_set_of_photos(sender: Sender) -> None:
    first = sender.post(("media", jpeg()), repeat="1")
    again = sender.post(("media", jpeg()), repeat="1")
    assert (first.status_code, again.data) == (200, first.data)
    prepare_all(sender.platform)
    late = sender.post(("media", jpeg()), repeat="1")
    assert late.data == first.data
    assert len(sender.urls()) == 1
    assert len([key for key in sender.files() if key.endswith("original")]) == 0


def test_a_repeated_call_with_another_photo_is_refused(sender: Sender) -> None:
    sender.post(("media", jpeg("red")), repeat="1")
    before = sender.files()
    answer = sender.post(("media", jpeg("blue")), repeat="1")
    assert answer.status_code == 400
    assert "was used for another request" in answer.text
    assert sender.files() == before


own_ids = pytest.mark.parametrize("name", ["service_request_id_ext", "attribute[external_id]"])


@own_ids
def test_a_report_with_photos_and_an_own_id_can_be_repeated(sender: Sender, name: str) -> None:
    first = sender.post(("media", jpeg("red")), ("photo", jpeg("blue")), **{name: "77"})
    assert first.status_code == 200, first.text
    again = sender.post(("media", jpeg("red")), ("photo", jpeg("blue")), **{name: "77"})
    assert again.data == first.data
    prepare_all(sender.platform)
    late = sender.post(("media", jpeg("red")), ("photo", jpeg("blue")), **{name: "77"})
    assert late.data == first.data
    assert len(sender.urls()) == 2
    assert len(sender.client.get(f"{BASE}/requests.json").json) == 1


@own_ids
@pytest.mark.parametrize("others", [(jpeg("blue"),), (), (jpeg("red"), jpeg("red"))])
def test_an_own_id_is_not_used_again_with_other_photos(sender: Sender, name: str, others: tuple[bytes]) -> None:
    sender.post(("media", jpeg("red")), **{name: "77"})
    before = sender.files()
    answer = sender.post(*(("media", content) for content in others), **{name: "77"})
    assert answer.status_code == 400
    assert "is your id of another report" in answer.text
    assert sender.files() == before


def test_an_own_id_and_a_repeat_key_go_together_with_photos(sender: Sender) -> None:
    first = sender.post(("media", jpeg()), repeat="1", service_request_id_ext="77")
    assert first.status_code == 200, first.text
    assert sender.post(("media", jpeg()), repeat="1", service_request_id_ext="77").data == first.data


def test_reports_at_the_same_time_with_one_own_id_make_one_set_of_photos(sender: Sender) -> None:
    with ThreadPoolExecutor(4) as pool:
        send = sender.post
        answers = list(pool.map(lambda _: send(("media", jpeg()), service_request_id_ext="77"), range(4)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    prepare_all(sender.platform)
    assert len(sender.urls()) == 1
    assert len(sender.client.get(f"{BASE}/requests.json").json) == 1


def test_calls_at_the_same_time_with_one_idempotency_key_make_one_set_of_photos(sender: Sender) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sender.post(("media", jpeg()), repeat="1"), range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    prepare_all(sender.platform)
    assert len(sender.urls()) == 1


def test_a_refused_report_leaves_no_file(sender: Sender) -> None:
    assert sender.post(("media", jpeg()), service_code="nonsense").status_code == 404
    assert sender.files() == []


# --- Served


@pytest.fixture
def shown(sender: Sender) -> str:
    """The path of a photo that everybody can see."""
    sender.post(("media", jpeg(size=(1500, 900))))
    prepare_all(sender.platform)
    return sender.path()


def test_a_photo_has_the_headers_of_a_harmless_file(sender: Sender, shown: str) -> None:
    answer = sender.get(shown)
    name = shown.rpartition("/")[2]
    assert answer.headers["Content-Disposition"] == f'inline; filename="{name}"'
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_photo_names_its_terms_of_use(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    licence = "https://cc.example/0"
    sender = Sender(make_app(build.city(name="Ünion"), media=str(tmp_path / "media"), licence=licence))
    sender.post(("media", jpeg()))
    prepare_all(sender.platform)
    answer = sender.get(sender.path())
    assert answer.headers.getlist("Link") == [f'<{licence}>; rel="license"']
    assert answer.headers["X-Attribution"] == "%C3%9Cnion"


def test_a_photo_comes_in_three_sizes(sender: Sender, shown: str) -> None:
    stem = shown.removesuffix(".jpg")
    sizes = [
        Image.open(io.BytesIO(sender.get(path).data)).width
        for path in (shown, f"{stem}-medium.jpg", f"{stem}-small.jpg")
    ]
    assert sizes == [1500, 1024, 320]


def test_a_photo_answers_etags_ranges_and_head(sender: Sender, shown: str) -> None:
    whole = sender.get(shown)
    tag = whole.headers["ETag"]
    assert sender.get(shown, If_None_Match=tag).status_code == 304
    part = sender.get(shown, Range="bytes=2-9")
    assert (part.status_code, part.data) == (206, whole.data[2:10])
    assert part.headers["Content-Range"] == f"bytes 2-9/{len(whole.data)}"
    assert sender.get(shown, Range="bytes=99999999-").status_code == 416
    head = sender.client.head(shown)
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(whole.data)))


def test_the_content_hash_is_in_no_answer(sender: Sender, shown: str) -> None:
    [photo] = stored_photos(sender)
    answer = sender.get(shown)
    seen = f"{shown} {answer.headers} {sender.newest()}"
    assert photo.content_hash.hex() not in seen
    assert photo.content_hash.hex()[:16] not in seen


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x.jpg",
        "A" * 22 + ".jpg",
        "A" * 22 + ".png",
        "A" * 22 + "-huge.jpg",
        "../../etc/passwd",
        "%2e%2e%2f" * 3 + "x.jpg",
        "original",
        "A" * 5_000,
    ],
)
def test_an_unknown_name_gets_404(sender: Sender, shown: str, name: str) -> None:
    answer = sender.get(f"{shown.rpartition('/')[0]}/{name}")
    assert answer.status_code == 404
    assert answer.mimetype in ("application/problem+json", "text/xml", "application/xml")


def test_an_unknown_size_or_another_city_gets_404(sender: Sender, shown: str) -> None:
    assert sender.get(shown.replace(".jpg", "-original.jpg")).status_code == 404
    assert sender.get(shown.replace("test.example", "other.example")).status_code == 404


def hide(sender: Sender) -> None:
    """Withdraw the newest request from the public."""
    id = sender.newest()["service_request_id"]
    build.change(sender.platform, id, visibility=Visibility.WITHDRAWN, now=utc_now())


def test_the_photo_of_a_hidden_request_is_gone_at_once(sender: Sender, shown: str) -> None:
    hide(sender)
    assert sender.get(shown).status_code == 404
    assert sender.get(shown, If_None_Match="*").status_code == 404


def test_a_waiting_photo_of_a_hidden_request_is_not_shown(sender: Sender) -> None:
    sender.post(("media", jpeg()))
    hide(sender)
    prepare_all(sender.platform)
    assert sender.client.get(f"{BASE}/requests.json").json == []


def test_a_photo_of_a_dead_store_gets_503(sender: Sender, shown: str, tmp_path: Path) -> None:
    folder = tmp_path / "media" / "test.example"
    folder.rename(tmp_path / "away")
    folder.write_text("a file where the folder should be")
    answer = sender.get(shown)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert str(tmp_path) not in answer.text


# --- Reads that follow the publication


def test_filters_feeds_and_other_formats_have_the_photo(sender: Sender) -> None:
    sender.post(("media", jpeg()))
    assert sender.client.get(f"{BASE}/requests.json?has_photo=true").json == []
    prepare_all(sender.platform)
    address = sender.newest()["media_url"]
    assert [one["media_url"] for one in sender.client.get(f"{BASE}/requests.json?has_photo=true").json] == [address]
    for path in ("requests.atom", "requests.csv", "requests.ndjson", "requests.geojson", "requests.xml"):
        assert address in sender.client.get(f"{BASE}/{path}").text, path


# --- Deleting


def test_the_same_photo_of_two_reports_is_stored_once_until_both_are_erased(sender: Sender) -> None:
    for _ in range(2):
        sender.post(("media", jpeg()))
    prepare_all(sender.platform)
    files = sender.files()
    assert len(files) == 3
    ids = [one["service_request_id"] for one in sender.client.get(f"{BASE}/requests.json").json]
    path = sender.path()
    for left, id in zip((files, []), reversed(ids), strict=True):
        erase(sender, id)
        assert sender.files() == left
    assert sender.get(path).status_code == 404


def erase(sender: Sender, id: str, part: Erasable = Erasable.MEDIA) -> None:
    [city] = sender.platform.registry
    erase_from_request(sender.platform, city, id, [part], now=utc_now())


def test_erasing_media_twice_deletes_files_that_wait_too(sender: Sender) -> None:
    sender.post(("media", jpeg()))
    id = sender.newest()["service_request_id"]
    for _ in range(2):
        erase(sender, id)
        assert sender.files() == []
    prepare_all(sender.platform)
    assert sender.urls() == []


def test_erasing_the_reporter_deletes_the_original_and_leaves_the_photo(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path / "media"), photo_original_days=30))
    sender.post(("media", jpeg()))
    prepare_all(sender.platform)
    assert any(key.endswith("original") for key in sender.files())
    erase(sender, sender.newest()["service_request_id"], Erasable.REPORTER)
    assert not any(key.endswith("original") for key in sender.files())
    assert sender.get(sender.path()).status_code == 200


def test_the_sweep_deletes_originals_when_their_days_are_over(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    sender = Sender(make_app(build.city(), media=str(tmp_path / "media"), photo_original_days=3))
    sender.post(("media", jpeg()))
    prepare_all(sender.platform)
    [city] = sender.platform.registry
    assert sweep_photos(sender.platform, city, utc_now()).originals == 0
    assert len(sender.files()) == 4
    assert sweep_photos(sender.platform, city, utc_now() + 4 * GRACE).originals == 1
    assert len(sender.files()) == 3
    assert sender.get(sender.path()).status_code == 200


def test_the_sweep_deletes_only_old_files_that_no_photo_needs_and_reports_missing_ones(sender: Sender) -> None:
    sender.post(("media", jpeg("red")))
    sender.post(("media", jpeg("blue")))
    prepare_all(sender.platform)
    sender.post(("media", jpeg("green")))
    kept = sender.files()
    store = store_of(sender.platform)
    strays = [
        f"test.example/ab/{'ab' * 32}/original",
        f"test.example/ab/{'ab' * 32}/small.jpg",
        f"test.example/ab/{'ab' * 32}/large.jpg.part-0123456789abcdef",
    ]
    for key in strays:
        store.put(key, b"x", "image/jpeg")
    [city] = sender.platform.registry
    swept = sweep_photos(sender.platform, city, utc_now())
    assert (swept.files, swept.waiting, swept.missing) == (0, 1, 0)
    assert sender.files() == sorted(kept + strays)
    swept = sweep_photos(sender.platform, city, utc_now() + 2 * GRACE)
    assert (swept.files, swept.missing) == (3, 0)
    assert sender.files() == kept
    for key in kept:
        if key.endswith("large.jpg"):
            store.delete(key)
            break
    assert sweep_photos(sender.platform, city, utc_now() + 2 * GRACE).missing == 1


def test_a_missing_original_waits_and_does_not_stop_the_other_photos(sender: Sender) -> None:
    sender.post(("media", jpeg("red")), ("media", jpeg("blue")))
    store = store_of(sender.platform)
    lost = sender.files()[0]
    data = store.get(lost)
    store.delete(lost)
    with pytest.raises(Exception, match="1 files are missing"):
        prepare_all(sender.platform)
    assert len(sender.urls()) == 1
    store.put(lost, data, "image/jpeg")
    prepare_all(sender.platform)
    assert len(sender.urls()) == 2
