"""What was hidden, withdrawn, corrected, masked or erased is soon in no dump any more."""

from __future__ import annotations

import fcntl
import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.events import Erasable
from open311.domain.people import Person
from open311.domain.requests import Reporter, Visibility
from open311.domain.retention import Retention
from open311.domain.updates import SentUpdate
from open311.domain.workflow import Outcome
from open311.jobs.dispatching import dispatch_all
from open311.operations.people.erase_person import erase_person
from open311.operations.people.expiring import PHOTOS, REPORTERS, expire
from open311.operations.platform import Platform
from open311.operations.upkeep.dumps import DumpRunning, dumps_folder, find_dumps, make_dump, renew_dumps
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from open311.operations.workflow.receive_update import receive_update
from open311.settings import Settings
from open311.storage.queue import Task
from tests import build
from tests.disks import fill, small_disk
from tests.web.test_unavailable import skipping_without_root
from tests.working import work

SAID = "Jane Doe lives here, +1 617 555 0143."
"""A description, as the record has it."""


@pytest.fixture
def platform(settings: Settings, tmp_path: Path) -> Iterator[Platform]:
    """A city that shows comments."""
    platform = build.platform(replace(settings, data_dir=str(tmp_path), dump_days=3), build.city(comments="public"))
    ensure_synced(platform)
    yield platform
    platform.close()


def dumped(platform: Platform, **fields: Any) -> str:
    """The id of a request that is in the dumps of two days."""
    sent: dict[str, Any] = {"description": SAID, "reporter": Reporter(email="jane@mail.example")} | fields
    name = build.submit(platform, **sent).service_request_id
    work(platform)
    (city,) = platform.registry
    for days in (1, 0):
        assert make_dump(platform, city, utc_now() - timedelta(days=days)) is not None
    return name


def texts(platform: Platform) -> list[str]:
    """The NDJSON of all dumps, the newest first."""
    (city,) = platform.registry
    folder = dumps_folder(platform, city.id)
    names = [file.name for dump in find_dumps(platform, city.id) for file in dump.files if file.format == "ndjson"]
    return [gzip.decompress((folder / name).read_bytes()).decode() for name in names]


def give(platform: Platform, name: str, *orders: commands.Command) -> None:
    (city,) = platform.registry
    act(platform, city, name, orders, principal=SHELL, now=utc_now())


def hide(platform: Platform, name: str) -> None:
    give(platform, name, commands.Hide(reason="Names."))


def correct(platform: Platform, name: str) -> None:
    give(platform, name, commands.Correct(description="Deep.", reason="Names."))


def erase(platform: Platform, name: str) -> None:
    (city,) = platform.registry
    erase_from_request(platform, city, name, [Erasable.DESCRIPTION], now=utc_now())


def erase_jane(platform: Platform, name: str) -> None:
    (city,) = platform.registry
    options: dict[str, Any] = {"reason": "Asked.", "principal": SHELL, "now": utc_now(), "with_texts": True}
    [part] = erase_person(platform, city, Person(email="jane@mail.example"), **options)
    assert part.names == (name,)


@pytest.mark.parametrize("take_back", [hide, correct, erase, erase_jane])
def test_a_text_that_is_hidden_or_erased_is_in_no_dump_after_the_next_jobs(
    platform: Platform, take_back: Callable[[Platform, str], None]
) -> None:
    name = dumped(platform)
    assert ["Jane Doe lives here" in text for text in texts(platform)] == [True, True]
    take_back(platform, name)
    work(platform)
    assert ["Jane Doe lives here" in text for text in texts(platform)] == [False]
    (city,) = platform.registry
    names = {path.name.partition(".")[0] for path in dumps_folder(platform, city.id).glob("requests-*")}
    assert names == {f"requests-{utc_now():%Y-%m-%d}"}


def test_photos_whose_time_is_over_are_in_no_dump(settings: Settings, tmp_path: Path) -> None:
    city = build.city(retention=Retention(photo_days=0))
    platform = build.platform(replace(settings, data_dir=str(tmp_path), dump_days=3), city)
    ensure_synced(platform)
    photo = "https://photos.example/hole.jpg"
    name = dumped(platform, media_urls=(photo,))
    build.change(platform, name, status="closed", note="Filled.")
    assert [photo in text for text in texts(platform)] == [True, True]
    list(expire(platform, city, PHOTOS, now=utc_now()))
    work(platform)
    assert [photo in text for text in texts(platform)] == [False]
    platform.close()


def test_an_unmasked_text_that_is_masked_again_is_in_no_dump(platform: Platform) -> None:
    name = dumped(platform)
    give(platform, name, commands.Unmask(text="+1 617 555 0143", reason="The shop."))
    work(platform)
    (city,) = platform.registry
    make_dump(platform, city, utc_now(), again=True)
    assert "0143" in texts(platform)[0]
    give(platform, name, commands.Mask(text="+1 617 555 0143"))
    work(platform)
    assert ["0143" in text for text in texts(platform)] == [False]


def test_a_public_comment_that_is_erased_with_its_sender_is_in_no_dump(platform: Platform) -> None:
    (city,) = platform.registry
    name = build.submit(platform).service_request_id
    update = SentUpdate(
        service_request_id=name,
        update_id="1",
        status="open",
        updated_at=build.NOON,
        description="I am Bo.",
        email="bo@mail.example",
    )
    receive_update(platform, city, update, principal=build.api_key(platform), now=build.NOON)
    make_dump(platform, city, utc_now())
    assert "I am Bo." in texts(platform)[0]
    options: dict[str, Any] = {"reason": "Asked.", "principal": SHELL, "now": utc_now(), "with_texts": True}
    list(erase_person(platform, city, Person(email="bo@mail.example"), **options))
    work(platform)
    assert ["I am Bo." in text for text in texts(platform)] == [False]


def test_other_changes_leave_the_dumps_as_they_are(platform: Platform) -> None:
    name = dumped(platform)
    (city,) = platform.registry
    give(platform, name, commands.Note(text="Seen.", public=True), commands.Assign(account="", reason="x"))
    give(platform, name, commands.Close(outcome=Outcome.FIXED))
    build.change(platform, name, visibility=Visibility.HELD)
    dispatch_all(platform)
    work(platform)
    assert len(find_dumps(platform, city.id)) == 1, "a request that was public is held now"
    make_dump(platform, city, utc_now() - timedelta(days=1))
    before = find_dumps(platform, city.id)
    give(platform, name, commands.Hide(reason="It was not public."))
    list(expire(platform, city, REPORTERS, now=utc_now()))
    erase_from_request(platform, city, name, [Erasable.REPORTER], now=utc_now())
    work(platform)
    assert find_dumps(platform, city.id) == before


def test_a_city_without_dumps_gets_none(platform: Platform) -> None:
    (city,) = platform.registry
    name = build.submit(platform).service_request_id
    hide(platform, name)
    work(platform)
    assert find_dumps(platform, city.id) == []
    dumps_folder(platform, city.id).mkdir(parents=True)
    assert renew_dumps(platform, city, utc_now()) is None


def test_many_changes_make_one_job(platform: Platform) -> None:
    for name in [build.submit(platform).service_request_id for _ in range(5)]:
        hide(platform, name)
        dispatch_all(platform)
    assert len(build.jobs(platform, Task.RENEW_DUMPS)) == 1


def test_while_another_process_makes_a_dump_the_renewal_is_tried_again(platform: Platform) -> None:
    (city,) = platform.registry
    dumped(platform)
    with (dumps_folder(platform, city.id) / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DumpRunning):
            renew_dumps(platform, city, utc_now())
    assert renew_dumps(platform, city, utc_now()) is not None


def test_if_no_dump_can_be_written_the_old_dumps_are_still_deleted(settings: Settings, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with skipping_without_root(), small_disk(disk, 2_000_000):
        small = build.platform(replace(settings, data_dir=str(disk), dump_days=3), build.city())
        ensure_synced(small)
        name = dumped(small)
        fill(disk / "ballast")
        hide(small, name)
        work(small)
        (city,) = small.registry
        assert find_dumps(small, city.id) == []
        assert list(dumps_folder(small, city.id).glob("requests-*")) == []
        small.close()
