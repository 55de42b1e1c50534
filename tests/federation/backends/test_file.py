"""Cases as files in a folder, and files as updates."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from open311.clock import utc_now
from open311.domain.case import RemoteUpdate
from open311.domain.requests import NamedAnswer
from open311.domain.results import Accepted, Failed, Retry
from open311.federation.backends.drops import ROWS
from open311.federation.backends.file import FileBackend, FileConfig
from open311.formats.writing.csv import csv_lines
from open311.plugins.backends import LookUpFailed
from tests.disks import fill, small_disk
from tests.federation.backends.office import CASE, KEY, UPDATE, Lines, context
from tests.web.test_unavailable import skipping_without_root

TEXTS = st.text(st.sampled_from('ab",;\né= '), min_size=1, max_size=12)
HEADER = "update_id,service_request_id,status,updated_datetime,description\n"


class Office:
    """A folder for files of updates, and the cursor that the server would keep."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder, self.later, self.cursor = folder / "updates", timedelta(), ""
        self.folder.mkdir()
        config = FileConfig(name="w", kind="file", folder=str(folder), updates=str(self.folder), **changes)
        self.context = context(now=self.now)
        self.backend = FileBackend(config, self.context)

    def now(self) -> datetime:
        return utc_now() + self.later

    def put(self, name: str, text: str | bytes) -> None:
        content = text if isinstance(text, bytes) else text.encode()
        with (self.folder / name).open("ab") as file:
            file.write(content)

    def pull(self) -> list[RemoteUpdate]:
        page = self.backend.updates(self.cursor)
        self.cursor = page.cursor
        return list(page.updates)

    def ids(self) -> list[str]:
        return [one.update_id for one in self.pull()]

    @property
    def log(self) -> list[str]:
        assert isinstance(self.context.log, Lines)
        return self.context.log.lines


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def drop(folder: Path, **changes: Any) -> FileBackend:
    return FileBackend(FileConfig(name="works", kind="file", folder=str(folder), **changes), context())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_case_is_a_file_with_one_row(tmp_path: Path) -> None:
    assert drop(tmp_path).send(CASE, KEY) == Accepted()
    [path] = tmp_path.iterdir()
    assert path.name == f"20260301T120000000-case-{KEY}.csv"
    assert path.stat().st_mode & 0o007 == 0
    with path.open(newline="", encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert (row["key"], row["reference"], row["lat"], row["address"]) == (
        KEY,
        "2026-0000012",
        "60.1718",
        "5 Mill Lane",
    )
    assert row["media_url"] == "https://photos.example/1.jpg"
    assert '"name":"Brick"' in row["attributes"]


def test_a_case_is_xml_with_the_names_of_georeport(tmp_path: Path) -> None:
    backend = drop(tmp_path, format="xml")
    backend.send(replace(CASE, description="<&\x00 \ud800"), KEY)
    backend.send_update(UPDATE, "key-2")
    case, update = (etree.parse(tmp_path / name).getroot() for name in files(tmp_path))
    assert case.findtext("request/service_request_id") == "2026-0000012"
    assert case.findtext("request/attributes/attribute/name") == "Brick"
    assert (case.tag, update.tag) == ("service_requests", "request_updates")
    assert update.findtext("request_update/status") == "fixed"


def test_a_second_try_replaces_the_file_of_the_first(tmp_path: Path) -> None:
    backend = drop(tmp_path)
    (tmp_path / f".20260301T120000000-case-{KEY}.csv.part").write_text("half of a try that died")
    for _ in range(2):
        backend.send(CASE, KEY)
    assert files(tmp_path) == [f"20260301T120000000-case-{KEY}.csv"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "＝1", "'=1"])
def test_no_text_in_a_file_of_a_case_is_a_formula(tmp_path: Path, text: str) -> None:
    answers = (NamedAnswer("A", text, text, text),)
    drop(tmp_path).send(replace(CASE, description=text, answers=answers), KEY)
    [path] = tmp_path.iterdir()
    with path.open(newline="", encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert row["description"] == f"'{text}"
    assert row["attributes"].startswith("[")


def test_a_case_is_tried_again_if_the_folder_is_missing_or_a_file_or_the_new_file_is_a_link(
    tmp_path: Path,
) -> None:
    backend = drop(tmp_path / "missing")
    for result in (backend.send(CASE, KEY), backend.send_update(UPDATE, KEY), backend.check()):
        assert isinstance(result, Retry)
        assert not result.is_uncertain
        assert str(tmp_path) not in result.cause
    (tmp_path / "file").write_text("")
    assert isinstance(drop(tmp_path / "file").send(CASE, KEY), Retry)
    (tmp_path / f".20260301T120000000-case-{KEY}.csv.part").symlink_to(tmp_path / "file")
    assert isinstance(drop(tmp_path).send(CASE, KEY), Retry), "a link is not followed"
    assert (tmp_path / "file").read_text() == ""


def test_a_case_for_a_full_disk_is_tried_again_and_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with skipping_without_root(), small_disk(disk, 2_000_000):
        fill(disk / "ballast")
        for result in (drop(disk).send(CASE, KEY), drop(disk).send_update(UPDATE, KEY)):
            assert isinstance(result, Retry)
            assert not result.is_uncertain
        assert files(disk) == ["ballast"]
        (disk / "ballast").unlink()
        assert drop(disk).send(CASE, KEY) == Accepted()


def test_a_key_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    assert isinstance(drop(tmp_path).send(CASE, "../x"), Failed)


# --- Updates


def test_rows_are_read_once_and_files_may_grow(office: Office) -> None:
    office.put("a.csv", HEADER + "u-1,R-1,fixed,2026-03-01T12:00:00Z,Filled.\n")
    [update] = office.pull()
    assert (update.update_id, update.remote_id, update.reference, update.status) == ("u-1", "R-1", "R-1", "fixed")
    assert update.description == "Filled."
    assert office.pull() == []
    office.put("a.csv", 'u-2,R-1,open,,"two\nlines, ""quoted"""\n')
    office.put("b.csv", HEADER.replace(",", ";") + "u-3;R-2;open;;x\n")
    found = office.pull()
    assert [one.update_id for one in found] == ["u-2", "u-3"]
    assert found[0].description == 'two\nlines, "quoted"'
    assert office.pull() == []


def test_a_row_without_its_end_waits_until_the_file_has_settled(office: Office) -> None:
    office.put("a.csv", HEADER + "u-1,R-1,open,,x\nu-2,R-2,op")
    assert office.ids() == ["u-1"]
    office.put("a.csv", "en,,y")
    assert office.ids() == []
    office.later = timedelta(minutes=2)
    assert office.ids() == ["u-2"]


def test_a_lost_cursor_reads_again_with_the_same_ids(office: Office) -> None:
    office.put("a.csv", HEADER + ",R-1,open,,x\n,R-1,open,,x\n")
    first = office.ids()
    assert len(set(first)) == 2
    for cursor in ("", "{", "[]", '{"a.csv": 1}', '{"a.csv": [9999, 1]}', '{"a.csv": ["x", 1]}'):
        office.cursor = cursor
        assert office.ids() == first


def test_a_replaced_file_is_read_from_its_beginning(office: Office) -> None:
    office.put("a.csv", HEADER + "u-1,R-1,open,,x\n")
    office.pull()
    (office.folder / "a.csv").unlink()
    office.put("a.csv", HEADER + "u-7,R-1,open,,x\nu-8,R-1,open,,x\n")
    assert office.ids() == ["u-7", "u-8"]


def test_a_long_file_comes_in_pages(office: Office) -> None:
    count = 2 * ROWS + 5
    office.put("a.csv", HEADER + "".join(f"u-{number},R,open,,x\n" for number in range(count)))
    office.put("b.csv", HEADER + "v-1,R,open,,x\n")
    found: list[str] = []
    while True:
        page = office.backend.updates(office.cursor)
        office.cursor = page.cursor
        found += [one.update_id for one in page.updates]
        if not page.is_more:
            break
    assert found == [f"u-{number}" for number in range(count)] + ["v-1"]


def test_a_file_that_has_been_read_is_moved_when_the_server_has_stored_it(tmp_path: Path) -> None:
    office = Office(tmp_path, when_read="move")
    office.put("a.csv", HEADER + "u-1,R-1,open,,x\n")
    office.put("wrong.csv", "name,age\n")
    assert office.ids() == ["u-1"]
    assert files(office.folder) == ["a.csv", "refused"]
    office.later = timedelta(minutes=2)
    assert office.ids() == []
    assert files(office.folder) == ["done", "refused"]
    assert office.cursor == "{}"
    office.put("a.csv", HEADER + "u-2,R-1,open,,x\n")
    assert (office.ids(), office.ids()) == (["u-2"], [])
    office.later = timedelta(minutes=4)
    office.ids()
    assert len(files(office.folder / "done")) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"name,age\n1,2\n",
        HEADER.encode("utf-16") + b"x",
        b"\0" * 100 + b"\n",
        b'"' + HEADER.encode(),
    ],
)
def test_a_file_without_updates_is_reported_once(office: Office, content: bytes) -> None:
    office.put("a.csv", content)
    office.put("b.csv", HEADER + "u-1,R-1,open,,x\n")
    assert office.ids() == ["u-1"]
    assert office.ids() == []
    assert len(office.log) == 1
    office.put("a.csv", b"more")
    office.pull()
    assert len(office.log) == 2


def test_a_row_that_cannot_be_read_has_a_fault_and_its_text(office: Office) -> None:
    office.put(
        "a.csv",
        HEADER + "u-1,R-1,open,soon,x\nu-2\n\nu-3,R-1,open,,\xe9t\xe9\n".encode("latin-1").decode("latin-1"),
    )
    office.put("b.csv", HEADER.encode() + "u-4,R-1,open,,été\n".encode("cp1252"))
    first, second, third, fourth = office.pull()
    assert ("is no time" in first.fault, "names no request" in second.fault) == (True, True)
    assert "soon" in first.description
    assert (third.description, fourth.description) == ("été", "été")


ROW = "{0},R-1,open,,x\n".format


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("u-2,R-1,open,," + "x" * 140_000 + "\n", "more than 131072 characters"),
        ('u-2,R-1,open,,"' + "x" * 140_000 + '"\n', "more than 131072 characters"),
        ('u-2,R-1,open,,"stray\n', "a quote that does not close"),
        ('u-2,R-1,"open,,stray\n', "a quote that does not close"),
    ],
)
@pytest.mark.parametrize("is_last", [False, True])
def test_a_row_that_is_no_csv_is_refused_alone_with_its_cause(
    office: Office, bad: str, why: str, is_last: bool
) -> None:
    office.put("a.csv", HEADER + ROW("u-1") + bad)
    if not is_last:
        office.put("a.csv", ROW("u-3") * 3 + 'u-4,R-1,open,,"a ""word"""\n' + ROW("u-5"))
    office.put("b.csv", HEADER + ROW("u-6"))
    found = office.pull()
    office.later = timedelta(minutes=2)
    found += office.pull()
    rest = [] if is_last else ["u-3", "u-3", "u-3", "u-4", "u-5"]
    assert sorted(one.update_id for one in found if not one.fault) == sorted(["u-1", *rest, "u-6"])
    [refused] = [one for one in found if one.fault]
    assert why in refused.fault
    assert refused.description.startswith("u-2")
    assert office.pull() == []
    office.put("a.csv", ROW("u-7") + 'u-8,R-1,open,,"quoted"\n')
    assert office.ids() == ["u-7", "u-8"]


def test_a_row_that_is_still_being_written_is_not_refused(office: Office) -> None:
    office.put("a.csv", HEADER + "u-1,R-1,open,," + "x" * 140_000)
    office.put("b.csv", HEADER + 'u-2,R-1,open,,"one\n')
    assert office.pull() == []
    office.put("b.csv", 'two"\n')
    assert [one.description for one in office.pull()] == ["one\ntwo"]
    office.put("a.csv", "x\n" + ROW("u-3"))
    refused, sound = office.pull()
    assert (bool(refused.fault), sound.update_id) == (True, "u-3")


def test_a_missing_folder_is_read_again_later(tmp_path: Path) -> None:
    config = FileConfig(name="w", kind="file", folder=str(tmp_path), updates=str(tmp_path / "missing"))
    backend = FileBackend(config, context())
    with pytest.raises(LookUpFailed) as caught:
        backend.updates("")
    assert isinstance(caught.value.result, Retry)
    assert drop(tmp_path).updates("").updates == ()


def test_links_and_hidden_files_are_not_read(office: Office, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(HEADER + "u-1,R-1,open,,x\n")
    (office.folder / "link.csv").symlink_to(outside)
    os.link(outside, office.folder / ".hidden.csv")
    assert office.ids() == []


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6), st.data())
def test_a_file_that_grows_by_any_pieces_is_read_as_a_whole_one(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    whole = csv_lines([HEADER.strip().split(","), *(("", "R-1", one, "", two) for one, two in rows)])
    office, found = Office(tmp_path_factory.mktemp("any")), []
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        office.put("a.csv", whole[:size])
        whole = whole[size:]
        found += office.pull()
    assert [(one.status, one.description) for one in found] == [(one.strip(), two.strip()) for one, two in rows]
