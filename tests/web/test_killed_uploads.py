"""Processes that are killed with -9 between an upload and its answer, or while they prepare a photo.

The process that is killed serves a real POST, or does the worker's work, with real files and a real database. It
kills itself before or after a call of one function. It is forked from a process that has imported everything,
because imports would cost more than the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from open311.clock import utc_now
from open311.operations.media.files import store_of
from open311.operations.media.sweeping import GRACE, sweep_photos
from open311.storage import media
from tests import build
from tests.photos import BASE, Sender, jpeg, prepare_all

KILLED = """
import json, os, signal, sys
from dataclasses import replace
from importlib import import_module
from open311.app import create_app
from open311.operations.media import arriving, files, preparing
from open311.operations.intake import submit_request
from open311.media import stores
from open311.settings import Settings
from tests import build
from tests.photos import Sender, jpeg, prepare_all
from tests.checked_client import platform_of

def run(media, what, place, when, count):
    module, _, name = place.rpartition(".")
    owner = eval(module)
    function = getattr(owner, name)
    left = int(count)

    def killing(*arguments, **keywords):
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **keywords)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    settings = replace(Settings.from_environ(), media=media)
    sender = Sender(create_app(settings, build.platform(settings, build.city())))
    setattr(owner, name, killing)
    if what == "post":
        sender.post(("media", jpeg("red")), ("media", jpeg("blue")))
    else:
        prepare_all(sender.platform)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            run(*json.loads(line))
        finally:
            os._exit(1)  # this process was not killed
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
REPOSITORY = Path(__file__).parents[2]

MakeApp = Callable[..., Flask]


@pytest.fixture
def sender(make_app: MakeApp, tmp_path: Path) -> Sender:
    """A server with a media store of its own."""
    return Sender(make_app(build.city(), media=str(tmp_path / "media")))


class Killed:
    """Starts processes that kill themselves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, sender: Sender, what: str, place: str, when: str, count: int = 1) -> None:
        """Run a process that kills itself before or after the call number `count` of a function."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = [sender.platform.settings.media, what, place, when, count]
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"{-signal.SIGKILL}\n"


@pytest.fixture(scope="module")
def killed(database_url: str) -> Iterator[Killed]:
    """A process that has imported everything and forks one process for each test."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "DATABASE_URL": database_url,
        "OPEN311_LOG_LEVEL": "error",
        "OPEN311_POST_RATE": "",
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], env=environment, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield Killed(process)
        process.communicate()


def check(sender: Sender, reports: int, photos: int) -> None:
    """Let the worker and the sweep run, and check that photos and files belong together.

    reports  how many requests there are
    photos   how many photos the requests have, all of which everybody can get
    """
    prepare_all(sender.platform)
    [city] = sender.platform.registry
    swept = sweep_photos(sender.platform, city, utc_now() + 2 * GRACE)
    prepare_all(sender.platform)
    found = sender.client.get(f"{BASE}/requests.json?extensions=true").json
    assert len(found) == reports
    shown = [url for one in found for url in one["extended_attributes"]["media_urls"]]
    assert len(shown) == photos
    for url in shown:
        assert sender.get(url.removeprefix("http://localhost")).status_code == 200
    with sender.platform.database.reading() as connection:
        claimed = {one.content_hash.hex() for one in media.load_page(connection, city.id, "", 100)}
        assert media.load_stale(connection, city.id, utc_now() + 2 * GRACE, 100) == []
    assert {stored.key.split("/")[2] for stored in store_of(sender.platform).keys("")} == claimed
    assert len(sender.files()) == 3 * len(claimed)
    assert swept.missing == 0


@pytest.mark.parametrize(
    ("place", "when", "count", "is_taken"),
    [
        ("arriving.claim", "after", 1, False),
        ("stores.os.fsync", "before", 1, False),
        ("stores.FolderStore.put", "after", 1, False),
        ("submit_request.insert_request", "after", 1, False),
        ("arriving.media.attach", "after", 1, False),
        ("submit_request._store_once", "after", 1, True),
        ("arriving._drop", "before", 1, True),
    ],
)
def test_a_server_that_is_killed_in_an_upload_leaves_whole_photos_or_none(
    sender: Sender, killed: Killed, place: str, when: str, count: int, is_taken: bool
) -> None:
    killed.run(sender, "post", place, when, count)
    check(sender, reports=int(is_taken), photos=2 * is_taken)


@pytest.mark.parametrize(
    ("place", "when", "count"),
    [
        ("preparing.prepare", "after", 2),
        ("stores.FolderStore.put", "after", 6),
        ("preparing.change_requests", "after", 1),
        ("preparing.delete_files", "before", 1),
    ],
)
def test_a_worker_that_is_killed_shows_each_photo_once(
    sender: Sender, killed: Killed, place: str, when: str, count: int
) -> None:
    sender.post(("media", jpeg("red")), ("media", jpeg("blue")))
    killed.run(sender, "work", place, when, count)
    check(sender, reports=1, photos=2)
