"""The change feed over HTTP: its items, its cursor, long polling, and the requests that it never shows."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy import text
from werkzeug.test import TestResponse

from open311.clock import utc_now
from open311.domain.requests import Status, Visibility
from open311.operations.platform import Platform
from open311.operations.reading.follow_changes import Position, mark_changes, read_position, write_position
from open311.operations.upkeep.republish import republish
from open311.operations.upkeep.sync_catalogues import sync_catalogues
from open311.storage.queue import Task
from tests import build
from tests.checked_client import platform_of
from tests.conftest import CITY
from tests.waiting import settle, until

FEED = "/open311/v2/changes"
HOUR = timedelta(hours=1)

both_formats = pytest.mark.parametrize("format", ["json", "xml"])


def items(response: TestResponse) -> list[dict[str, Any]]:
    """The changes: id, status or None, and whether it was withdrawn."""
    assert response.status_code == 200, response.text
    if response.mimetype == "application/json":
        return [
            {"id": item["service_request_id"], "status": item.get("status"), "withdrawn": "withdrawn" in item}
            for item in response.json or ()
        ]
    root = etree.fromstring(response.data)
    assert root.tag == "changes"
    assert {child.tag for child in root} <= {"request"}
    return [
        {
            "id": item.findtext("service_request_id"),
            "status": item.findtext("status"),
            "withdrawn": item.findtext("withdrawn") == "true",
        }
        for item in root
    ]


def change(platform: Platform, service_request_id: str, **changes: Any) -> None:
    (jurisdiction,) = platform.registry
    build.change(platform, service_request_id, **changes, now=utc_now(), city=jurisdiction)


@both_formats
def test_the_feed_shows_each_change_once_in_the_form_of_the_list(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    build.store(platform, service_request_id="A", at=utc_now())
    build.store(platform, service_request_id="B", at=utc_now() - 1000 * HOUR)
    first = client.get(f"{FEED}.{format}")
    assert [item["id"] for item in items(first)] == ["A", "B"]
    assert first.headers["X-Caught-Up"] == "true"
    cursor = first.headers["X-Cursor"]
    again = client.get(f"{FEED}.{format}?cursor={cursor}")
    assert items(again) == []
    assert again.headers["X-Cursor"] == cursor
    change(platform, "A", status=Status.CLOSED)
    change(platform, "A", note="Done.")
    assert items(client.get(f"{FEED}.{format}?cursor={cursor}")) == [
        {"id": "A", "status": "closed", "withdrawn": False}
    ]


def test_an_item_of_the_feed_has_the_same_bytes_as_the_item_of_the_list(
    client: FlaskClient, platform: Platform
) -> None:
    build.store(platform, at=utc_now(), description='Größe "1" & <2>')
    for extra in ("", "?extensions=true"):
        assert client.get(f"{FEED}.json{extra}").data == client.get(f"/open311/v2/requests.json{extra}").data
        listed = client.get(f"/open311/v2/requests.xml{extra}").data
        assert client.get(f"{FEED}.xml{extra}").data == listed.replace(b"service_requests>", b"changes>")


@both_formats
def test_each_page_continues_where_the_last_one_ended(client: FlaskClient, platform: Platform, format: str) -> None:
    build.store_all(platform, ({"number": number} for number in range(1, 8)))
    for number in (9, 8):
        build.store_all(platform, [{"number": number}])
    found, url = [], f"{FEED}.{format}?limit=4&extensions=notes"
    for caught_up in ("false", "false", "true"):
        answer = client.get(url)
        found += [item["id"] for item in items(answer)]
        assert answer.headers["X-Caught-Up"] == caught_up
        (url,) = re.fullmatch(r'<(.*)>; rel="next"', answer.headers["Link"]).groups()
        assert "extensions=notes" in url
    assert found == ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9", "R8"], "the changes have the order of writing"


@both_formats
def test_a_hidden_request_is_a_tombstone_until_it_is_shown_again(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    build.store(platform, service_request_id="A", description="my secret")
    for hidden in (Visibility.PRIVATE, Visibility.UNLISTED):
        change(platform, "A", visibility=hidden)
        answer = client.get(f"{FEED}.{format}?extensions=true")
        assert items(answer) == [{"id": "A", "status": None, "withdrawn": True}]
        assert "secret" not in answer.text
        change(platform, "A", visibility=Visibility.PUBLIC)
        assert items(client.get(f"{FEED}.{format}")) == [{"id": "A", "status": "open", "withdrawn": False}]


@both_formats
def test_a_request_never_public_never_appears(client: FlaskClient, platform: Platform, format: str) -> None:
    build.store(platform, service_request_id="T", visibility=Visibility.UNLISTED)
    build.store(platform, service_request_id="P", visibility=Visibility.PRIVATE)
    change(platform, "T", visibility=Visibility.PRIVATE)
    change(platform, "P", visibility=Visibility.UNLISTED)
    answer = client.get(f"{FEED}.{format}")
    assert items(answer) == []
    assert answer.headers["X-Caught-Up"] == "true"


@pytest.mark.requirement("K10")
def test_a_department_reads_changes_of_its_requests_and_of_those_it_has_given_away(
    client: FlaskClient, platform: Platform
) -> None:
    for number, department in enumerate(("streets", "cleaning", "streets"), 1):
        build.store(platform, number=number, department=department)
    build.change(platform, "R3", department="cleaning", now=build.NOON + HOUR)
    found = {item["id"]: item["withdrawn"] for item in items(client.get(f"{FEED}.json?department=streets"))}
    assert found == {"R1": False, "R3": True}
    cursor, ids = "", []
    for _ in range(3):
        page = client.get(f"{FEED}.json?department=cleaning&page_size=1&cursor={cursor}")
        ids += [item["id"] for item in items(page)]
        cursor = page.headers["X-Cursor"]
    assert (ids, page.headers["X-Caught-Up"]) == (["R2", "R3"], "true")
    part = client.get(f"{FEED}.json?department=cleaning&page_size=1&wait=1")
    assert (items(part), part.headers["X-Caught-Up"]) == ([], "false"), "it answers at once: more changes follow"


def test_republishing_the_same_content_is_no_change(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="A")
    cursor = client.get(f"{FEED}.json").headers["X-Cursor"]
    with platform.database.transaction() as connection:
        connection.execute(text("UPDATE edition SET rendered_until = 0, finished_at = NULL"))
    assert republish(platform, CITY, utc_now()) == 1
    assert items(client.get(f"{FEED}.json?cursor={cursor}")) == []


def test_the_feed_waits_for_a_late_commit(client: FlaskClient, platform: Platform) -> None:
    """A slow transaction has the lower id. If the feed did not wait for it, readers would miss its change."""
    build.store(platform, service_request_id="slow")
    cursor = client.get(f"{FEED}.json").headers["X-Cursor"]
    with platform.database.transaction() as connection:
        connection.execute(text("UPDATE publication SET written_by = pg_current_xact_id()"))
        build.store(platform, service_request_id="quick")
        held = client.get(f"{FEED}.json?cursor={cursor}")
        assert items(held) == []
        assert held.headers["X-Caught-Up"] == "false"
        assert held.headers["X-Cursor"] == cursor
    answer = client.get(f"{FEED}.json?cursor={cursor}")
    assert [item["id"] for item in items(answer)] == ["slow", "quick"]
    assert answer.headers["X-Caught-Up"] == "true"


# --- The beginning of the feed


def test_the_parameter_since_begins_at_or_before_the_given_instant(client: FlaskClient, platform: Platform) -> None:
    now = utc_now()
    build.store(platform, service_request_id="old")
    settle(platform)
    assert mark_changes(platform, now - 2 * HOUR) == 1
    build.store(platform, service_request_id="new")
    settle(platform)
    assert mark_changes(platform, now - HOUR) == 1
    assert mark_changes(platform, now) == 0, "nothing was written meanwhile"

    def ids(since: Any) -> list[str]:
        answer = client.get(f"{FEED}.json", query_string={"since": since.isoformat()})
        assert "since" not in answer.headers["Link"]
        return [item["id"] for item in items(answer)]

    assert ids(now) == []
    assert ids(now - HOUR) == ids(now - 1.5 * HOUR) == ["new"]
    assert ids(now - 2 * HOUR) == ["old", "new"]
    build.store(platform, service_request_id="newest")
    assert ids(now) == ["newest"]


def test_old_marks_are_deleted(client: FlaskClient, platform: Platform) -> None:
    now = utc_now()
    build.store(platform, service_request_id="old")
    settle(platform)
    mark_changes(platform, now - 100 * 24 * HOUR)
    since = {"since": now.isoformat()}
    assert items(client.get(f"{FEED}.json", query_string=since)) == []
    mark_changes(platform, now - 2 * HOUR)
    assert items(client.get(f"{FEED}.json", query_string=since)) == []
    mark_changes(platform, now)
    with platform.database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM change_mark")).scalar_one() <= 2


# --- Cursors


@both_formats
@pytest.mark.parametrize(
    "query",
    [
        "cursor=garbage",
        "cursor=%C3%A9",
        "cursor=WzEsMiwzXQ",
        "cursor=eyJhIjoxfQ",
        "cursor=" + write_position("other.example", Position(1, 1)),
        "cursor=" + write_position(CITY, Position(-1, 1)),
        "cursor=" + write_position(CITY, Position(1, True)),
        "since=yesterday",
        "wait=soon",
        "wait=-1",
        "page_size=0",
        "limit=x",
        "extensions=secrets",
    ],
)
def test_an_unreadable_parameter_gets_400_and_the_error_names_it(
    client: FlaskClient, format: str, query: str
) -> None:
    answer = client.get(f"{FEED}.{format}?{query}")
    assert answer.status_code == 400
    assert re.search(r"(cursor|since|wait|page_size|extensions): ", answer.text)


@both_formats
def test_a_cursor_newer_than_the_restored_database_gets_410(client: FlaskClient, format: str) -> None:
    """The database was replaced by an older copy. A reader that continued would miss the changes since then."""
    cursor = write_position(CITY, Position(2**62, 5))
    answer = client.get(f"{FEED}.{format}?cursor={cursor}")
    assert answer.status_code == 410
    assert "start again without it" in answer.text


def test_reading_a_written_cursor_gives_the_same_position() -> None:
    position = Position(2**40, -(2**63))
    assert read_position(write_position(CITY, position), CITY) == position


def test_a_backup_from_another_server_is_republished(client: FlaskClient, platform: Platform) -> None:
    """The rows have the other server's transaction ids. The feed would never reach ids above this server's ids."""
    build.store(platform, service_request_id="A")
    with platform.database.transaction() as connection:
        connection.execute(text("UPDATE publication SET written_by = '9000000000000000'"))
    lost = client.get(f"{FEED}.json")
    assert items(lost) == []
    assert lost.headers["X-Caught-Up"] == "false"
    sync_catalogues(platform, utc_now())
    assert len(build.jobs(platform, Task.REPUBLISH)) == 1
    assert republish(platform, CITY, utc_now()) == 1
    assert [item["id"] for item in items(client.get(f"{FEED}.json"))] == ["A"]


def test_marks_in_another_servers_backup_are_not_used(client: FlaskClient, platform: Platform) -> None:
    """A mark is the transaction id that the feed had reached at an instant; it has no meaning on another server."""
    build.store(platform, service_request_id="A")
    mark_changes(platform, utc_now() - HOUR)
    with platform.database.transaction() as connection:
        connection.execute(text("UPDATE change_mark SET horizon = '9000000000000000'"))
    sync_catalogues(platform, utc_now())
    assert [item["id"] for item in items(client.get(f"{FEED}.json?since={utc_now():%Y-%m-%dT%H:%M:%SZ}"))] == ["A"]
    build.store(platform, service_request_id="B")
    assert mark_changes(platform, utc_now()) == 1, "marks are made again"


def test_each_city_has_its_own_feed(make_app: Callable[..., Flask]) -> None:
    a, b = build.city(id="a.example"), build.city(id="b.example")
    app = make_app(a, b)
    build.store(platform_of(make_app(a)), service_request_id="1")
    client = app.test_client()
    assert len(items(client.get(f"{FEED}.json?jurisdiction_id=a.example"))) == 1
    assert items(client.get(f"{FEED}.json?jurisdiction_id=b.example")) == []
    assert client.get(f"{FEED}.json").status_code == 400
    assert client.get(f"{FEED}.xml?jurisdiction_id=c.example").status_code == 404


# --- Waiting and caching


def test_waiting_ends_with_the_first_change(client: FlaskClient, platform: Platform) -> None:
    cursor = client.get(f"{FEED}.json").headers["X-Cursor"]
    found: list[TestResponse] = []
    thread = threading.Thread(target=lambda: found.append(client.get(f"{FEED}.json?cursor={cursor}&wait=25")))
    thread.start()
    until(platform.process.is_waiting.locked, "the feed to wait")
    build.store(platform, service_request_id="A")
    thread.join(timeout=20)
    assert [item["id"] for item in items(found[0])] == ["A"]
    assert not platform.process.is_waiting.locked()


def test_waiting_ends_after_its_time_without_a_change(client: FlaskClient, platform: Platform) -> None:
    answer = client.get(f"{FEED}.json?wait=0.01")
    assert items(answer) == []
    assert answer.headers["X-Caught-Up"] == "true"
    assert not platform.process.is_waiting.locked()


def test_only_one_caller_waits_and_others_are_answered_immediately(client: FlaskClient, platform: Platform) -> None:
    with platform.process.is_waiting:
        assert items(client.get(f"{FEED}.json?wait=25")) == []


def test_a_server_with_one_thread_never_waits(make_app: Callable[..., Flask]) -> None:
    client = make_app(build.city(), threads=1).test_client()
    assert items(client.get(f"{FEED}.json?wait=25")) == []


@both_formats
def test_a_feed_without_a_change_gets_304_and_with_a_change_200(
    client: FlaskClient, platform: Platform, format: str
) -> None:
    url = f"{FEED}.{format}"
    before = client.get(url)
    known = {"If-None-Match": before.headers["ETag"]}
    same = client.get(url, headers=known)
    assert same.status_code == 304
    assert same.headers["X-Cursor"] == before.headers["X-Cursor"]
    build.store(platform, service_request_id="A")
    after = client.get(url, headers=known)
    assert len(items(after)) == 1
    with platform.database.transaction() as connection:
        connection.execute(text("SELECT pg_current_xact_id()"))
        build.store(platform, service_request_id="B")
        held = client.get(url, headers={"If-None-Match": after.headers["ETag"]})
        assert held.status_code == 200, "the answer changed, because the reader is no longer caught up"
