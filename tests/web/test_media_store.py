"""The media store of a database: it is recognised, has room, and files of erased photos are deleted from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.people import read_person
from open311.media.stores import MARKER, StoreUnavailable
from open311.operations.media.erasing import FILES_ERASED, NotDeleted, delete_erased
from open311.operations.media.files import own_store, store_of
from open311.operations.media.preparing import NotPrepared
from open311.operations.media.sweeping import GRACE, sweep_photos
from open311.operations.people.erase_person import ErasedPart, erase_person
from open311.operations.upkeep.readiness import check_background
from open311.storage import audit
from tests import build
from tests.disks import small_disk
from tests.photos import Sender, jpeg, prepare_all
from tests.working import work

MakeApp = Callable[..., Flask]
JANE = "jane@mail.example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the photos."""
    return tmp_path / "media"


@pytest.fixture
def open_sender(make_app: MakeApp) -> Callable[..., Sender]:
    """Opens a server on the same database, with its photos in a folder."""
    return lambda folder, **settings: Sender(make_app(build.city(), media=str(folder), **settings))


Open = Callable[..., Sender]


@pytest.fixture
def sender(open_sender: Open, folder: Path) -> Sender:
    """A server with a photo that everybody can see."""
    found = open_sender(folder, photo_original_days=30)
    found.post(("media", jpeg()), email=JANE)
    prepare_all(found.platform)
    return found


def files_in(folder: Path) -> list[str]:
    """The names of all files of photos in a folder, as they are now."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != MARKER)


def media_check(sender: Sender) -> tuple[str, bool, str]:
    """The status of the server, and the result of its check of the media store."""
    answer = sender.client.get("/readyz").json
    check = answer["checks"]["media"]
    return answer["status"], check["ok"], check["detail"]


# --- The marker


def test_the_first_photo_marks_the_store(open_sender: Open, folder: Path) -> None:
    sender = open_sender(folder)
    assert media_check(sender) == ("ready", True, "answers")
    assert not (folder / MARKER).exists()
    sender.post(("media", jpeg()))
    marker = (folder / MARKER).read_text()
    sender.post(("media", jpeg("blue")))
    assert (folder / MARKER).read_text() == marker
    assert MARKER not in sender.files()
    assert media_check(open_sender(folder)) == ("ready", True, "answers")


def test_a_process_that_was_killed_before_it_wrote_the_marker_does_no_harm(sender: Sender, folder: Path) -> None:
    (folder / MARKER).unlink()
    with sender.platform.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE media_store SET marked_at = NULL")
    own_store(sender.platform, utc_now())
    assert (folder / MARKER).exists()


@pytest.mark.parametrize("state", ["missing", "empty", "another database's"])
def test_a_wrong_folder_is_noticed_and_gets_no_photo(
    sender: Sender, open_sender: Open, tmp_path: Path, state: str
) -> None:
    wrong, address = tmp_path / "wrong", sender.path()
    if state != "missing":
        wrong.mkdir()
    if state == "another database's":
        (wrong / MARKER).write_text("another")
    lost = open_sender(wrong)
    status, is_ok, detail = media_check(lost)
    assert (status, is_ok) == ("degraded", False)
    assert "OPEN311_MEDIA is not where the photos of this database are" in detail
    assert str(tmp_path) not in detail
    shown = lost.get(address)
    assert shown.status_code == 503
    assert "The file of this photo is missing on the server" in shown.text
    answer = lost.post(("media", jpeg("blue")))
    assert answer.status_code == 200
    assert "1 photo could not be stored; your report is kept without it." in answer.json[0]["service_notice"]
    assert files_in(wrong) == []


def test_the_worker_changes_nothing_in_a_wrong_folder(
    sender: Sender, open_sender: Open, folder: Path, tmp_path: Path
) -> None:
    sender.post(("media", jpeg("blue")))
    before = files_in(folder)
    (folder / MARKER).write_text("another")
    lost = open_sender(folder)
    [city] = lost.platform.registry
    with pytest.raises(NotPrepared):
        prepare_all(lost.platform)
    with pytest.raises(StoreUnavailable):
        sweep_photos(lost.platform, city, utc_now() + 9 * GRACE)
    erase(lost)
    with pytest.raises(NotDeleted):
        delete_erased(lost.platform, city.id, utc_now())
    assert files_in(folder) == before
    checks = {check.name: check for check in check_background(lost.platform, utc_now())}
    assert not checks["media"].is_ok


def test_moved_photos_are_shown_from_their_new_folder(sender: Sender, open_sender: Open, tmp_path: Path) -> None:
    address = sender.path()
    shutil.copytree(tmp_path / "media", tmp_path / "new")
    moved = open_sender(tmp_path / "new")
    assert media_check(moved) == ("ready", True, "answers")
    assert moved.get(address).status_code == 200


# --- Files that are missing


def test_a_photo_whose_file_is_missing_gets_503_and_an_erased_one_404(sender: Sender) -> None:
    address = sender.path()
    for key in sender.files():
        store_of(sender.platform).delete(key)
    answer = sender.get(address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "until it is put back" in answer.text
    assert sender.get(address.replace(".jpg", "-small.jpg")).status_code == 503
    assert sender.get(address.replace(".jpg", "-giant.jpg")).status_code == 404
    erase(sender)
    assert sender.get(address).status_code == 404


# --- Room


def test_a_store_without_room_for_one_photo_is_degraded(open_sender: Open, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    try:
        with small_disk(disk, 1_000_000):
            full = open_sender(disk / "media", max_photo_bytes=2_000_000)
            status, is_ok, detail = media_check(full)
            assert (status, is_ok) == ("degraded", False)
            assert "there is no room for another photo" in detail
            assert media_check(open_sender(disk / "media", max_photo_bytes=500_000))[1]
    except PermissionError as error:
        pytest.skip(str(error))


# --- Settings that do not work


@pytest.mark.parametrize("variables", [{}, {"AWS_PROFILE": "none"}])
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://[", "http://a:b:c"])
def test_a_report_is_kept_whatever_is_wrong_with_the_bucket(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], endpoint: str
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    sender = Sender(make_app(build.city(), media="s3://photos", media_endpoint=endpoint))
    answer = sender.post(("media", jpeg()), description="Deep.")
    assert answer.status_code == 200
    assert "1 photo could not be stored; your report is kept without it." in answer.json[0]["service_notice"]
    assert sender.newest()["description"] == "Deep."
    assert media_check(sender)[:2] == ("degraded", False)


# --- Files of erased photos


def erase(sender: Sender, **options: Any) -> list[ErasedPart]:
    """Erase all that the city has of Jane."""
    [city] = sender.platform.registry
    person, now = read_person({"email": JANE}), utc_now()
    who: dict[str, Any] = {"reason": "Letter of 1 March.", "principal": SHELL, "with_texts": True}
    return list(erase_person(sender.platform, city, person, now=now, **who | options))


def acts(sender: Sender) -> list[audit.Entry]:
    with sender.platform.database.reading() as connection:
        return audit.list_entries(connection)


def test_the_worker_deletes_the_files_of_an_erasure_and_says_so_in_the_audit_trail(
    sender: Sender, folder: Path
) -> None:
    [tried] = erase(sender, is_dry_run=True)
    assert tried.photos == 1
    work(sender.platform)
    assert len(files_in(folder)) == 4
    [part] = erase(sender)
    assert part.photos == 1
    assert len(files_in(folder)) == 4, "the erasure itself deletes no file"
    assert acts(sender)[-1].details["photos_to_delete"] == 1
    work(sender.platform)
    assert files_in(folder) == []
    [erased] = [entry for entry in acts(sender) if entry.act == FILES_ERASED]
    assert (erased.subject, erased.actor) == (part.erasure, "system")
    work(sender.platform)
    assert [entry.act for entry in acts(sender)].count(FILES_ERASED) == 1


def test_files_that_cannot_be_deleted_now_are_deleted_later(sender: Sender, folder: Path, tmp_path: Path) -> None:
    [city] = sender.platform.registry
    erase(sender)
    folder.rename(tmp_path / "away")
    folder.write_text("a file where the folder should be")
    work(sender.platform)
    with sender.platform.database.reading() as connection:
        jobs = connection.exec_driver_sql("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo'")
        assert "delete_photos" in list(jobs.scalars())
    assert FILES_ERASED not in [entry.act for entry in acts(sender)]
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert delete_erased(sender.platform, city.id, utc_now()) == 1
    assert files_in(folder) == []
    assert FILES_ERASED in [entry.act for entry in acts(sender)]


def test_an_erasure_from_a_shell_with_another_folder_deletes_the_right_files(
    sender: Sender, open_sender: Open, folder: Path, tmp_path: Path
) -> None:
    shell = open_sender(tmp_path / "elsewhere")
    erase(shell)
    assert not (tmp_path / "elsewhere").exists()
    work(sender.platform)
    assert files_in(folder) == []


def test_a_file_stays_while_the_same_photo_of_another_person_needs_it(sender: Sender, folder: Path) -> None:
    sender.post(("media", jpeg()), email="bo@mail.example")
    prepare_all(sender.platform)
    erase(sender)
    work(sender.platform)
    assert len(files_in(folder)) == 4
    assert sender.get(sender.path()).status_code == 200


def test_two_erasures_that_wait_for_one_file_are_both_recorded(sender: Sender) -> None:
    sender.post(("media", jpeg()), email="bo@mail.example")
    prepare_all(sender.platform)
    [city] = sender.platform.registry
    first = erase(sender)
    bo = read_person({"email": "bo@mail.example"})
    second = list(
        erase_person(sender.platform, city, bo, with_texts=True, reason="A letter.", principal=SHELL, now=utc_now())
    )
    work(sender.platform)
    erased = {entry.subject for entry in acts(sender) if entry.act == FILES_ERASED}
    assert erased == {first[0].erasure, second[0].erasure}


def test_an_erasure_without_photos_waits_for_no_file(open_sender: Open, folder: Path) -> None:
    sender = open_sender(folder)
    sender.post(email=JANE)
    [part] = erase(sender)
    assert part.photos == 0
    work(sender.platform)
    assert FILES_ERASED not in [entry.act for entry in acts(sender)]
    assert not folder.exists()
