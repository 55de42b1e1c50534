"""Personal data that come in by any door leave by no exit, but the rest of each public text does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.media.pictures import PLANTED, faults_of_rendition
from tests.photos import BASE
from tests.privacy.corpus import Town, plant, town
from tests.privacy.exits import FOR_STAFF, PUBLIC, Found, crawl, delivered, mailed, path_of, readable, texted, told
from tests.privacy.people import HIDDEN, SHOWN, Person, leaks

NOT_PUBLIC = {
    *("blackbox", "private", "held", "suspected", "flood", "withdrawn"),
    *("subscriber", "follower", "supporter"),
}
"""Doors whose texts no public list shows: some reports, an update, and people who send no text."""
DOORS_WITH_MAIL = {"form", "xml", "json", "photos", "private", "subscriber", "follower"}


@pytest.fixture(scope="module")
def planted_town(make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(make_database("planted"), tmp_path_factory.mktemp("planted")) as found:
        plant(found)
        yield found


@pytest.fixture(scope="module")
def answers(planted_town: Town) -> list[Found]:
    """What anybody reads by a GET of every route."""
    return list(crawl(planted_town))


def test_every_route_is_listed_as_public_or_for_staff(planted_town: Town) -> None:
    assert {path_of(rule) for rule in readable(planted_town.app)} == {*PUBLIC, *FOR_STAFF}


def test_no_public_answer_has_planted_data(planted_town: Town, answers: list[Found]) -> None:
    people = planted_town.people.values()
    found = {one.place: leaks(one.content, *people) + leaks(one.headers, *people) for one in answers}
    assert {place: values for place, values in found.items() if values} == {}
    assert [one.place for one in answers if PLANTED in one.content or one.status >= 500] == []


def test_only_the_link_of_the_reporter_shows_a_text_that_is_not_public(answers: list[Found]) -> None:
    hidden = [one.place for one in answers if HIDDEN.encode() in one.content]
    assert {place.partition("status/")[0] for place in hidden} == {f"GET {BASE}/", "GET /"}
    assert [one.place for one in answers if f"{HIDDEN}-flood".encode() in one.content] == []


def test_the_crawl_reads_many_paths_of_all_kinds(answers: list[Found]) -> None:
    read = Counter(one.place.split()[1].partition("?")[0] for one in answers if one.status == 200)
    assert len(read) > 140
    types = {one.media_type for one in answers if one.status == 200}
    assert types >= {"application/json", "text/xml", "text/csv", "application/atom+xml", "image/jpeg", "text/html"}
    [tile] = [one for one in answers if one.media_type == "application/vnd.mapbox-vector-tile"]
    assert b"potholes" in tile.content


def test_the_rest_of_each_public_text_is_shown(planted_town: Town, answers: list[Found]) -> None:
    body = b"\n".join(one.content for one in answers)
    missing = [
        door
        for door, who in planted_town.people.items()
        if door not in NOT_PUBLIC and f"{SHOWN}-{who.door}-".encode() not in body
    ]
    assert missing == []


def test_photos_have_no_metadata_in_any_size(answers: list[Found]) -> None:
    photos = [one for one in answers if one.media_type == "image/jpeg"]
    assert len(photos) == 18, "six public photos in three sizes"
    assert {one.place: faults for one in photos if (faults := faults_of_rendition(one.content))} == {}


def test_without_an_account_the_paths_of_staff_answer_401_without_data(planted_town: Town) -> None:
    found = list(crawl(planted_town, FOR_STAFF))
    assert {one.status for one in found} == {401}
    assert [one.place for one in found if leaks(one.content, *planted_town.people.values())] == []


def test_back_offices_and_the_operator_get_no_personal_data_and_no_typed_text_without_an_allow_list(
    planted_town: Town,
) -> None:
    sent = list(delivered(planted_town))
    kinds = Counter(one.place.split()[0] for one in sent)
    assert min(kinds[one] for one in ("webhook", "mail", "file")) >= 10
    assert kinds["neighbour"] == 2
    people = planted_town.people.values()
    found = {one.place: values for one in sent if (values := leaks(one.content, *people))}
    assert found == {}
    assert [one.place for one in sent if SHOWN.encode() in one.content or HIDDEN.encode() in one.content] == []


def test_people_get_no_mail_with_data_of_others(planted_town: Town) -> None:
    sent = list(mailed(planted_town))
    people = planted_town.people.values()
    assert len(sent) > len(DOORS_WITH_MAIL)
    assert {to.partition("@")[0] for to, _ in sent} >= DOORS_WITH_MAIL
    found = {(to, one.place): set(leaks(one.content, *people)) - {to} for to, one in sent}
    assert {place: values for place, values in found.items() if values} == {}
    assert [one.place for _, one in sent if HIDDEN.encode() in one.content] == []
    assert any(f"{SHOWN}-late-note".encode() in one.content for to, one in sent if to.startswith("follower@"))
    assert any(b"news about" in one.content for to, one in sent if to.startswith("subscriber@"))


def test_a_gateway_gets_the_number_of_a_reporter_and_nothing_that_anybody_has_typed(planted_town: Town) -> None:
    sent = list(texted(planted_town))
    people = planted_town.people
    numbers = {number for number, _ in sent}
    assert numbers >= {f"+{re.sub('[^0-9]', '', people[door].phone)}" for door in ("form", "batch", "private")}
    assert not numbers & {f"+{re.sub('[^0-9]', '', people[door].phone)}" for door in ("suspected", "tester")}
    assert {one.place: values for _, one in sent if (values := leaks(one.content, *people.values()))} == {}
    assert [one.place for _, one in sent if HIDDEN.encode() in one.content or SHOWN.encode() in one.content] == []


def test_subscribers_get_only_what_everybody_reads(planted_town: Town) -> None:
    sent = list(told(planted_town))
    assert len(sent) > 20
    people = planted_town.people.values()
    assert {one.place: values for one in sent if (values := leaks(one.content, *people))} == {}
    assert [one.place for one in sent if HIDDEN.encode() in one.content] == []
    assert any(SHOWN.encode() in one.content for one in sent)


def test_a_search_finds_no_request_by_planted_data(planted_town: Town) -> None:
    found = {}
    for who in planted_town.people.values():
        for value in (*who.reporter.values(), *who.typed.values()):
            for query in (f"q={quote(value)}", f"account_id={quote(value)}&q={quote(value)}"):
                answer = planted_town.client.get(f"{BASE}/requests.json?{query}")
                if answer.status_code == 200 and answer.json:
                    found[query] = [one["service_request_id"] for one in answer.json]
    assert found == {}


def test_no_line_of_the_log_has_planted_data(make_database: Callable[[str], str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.privacy", make_database("logged"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    printed = json.loads(done.stdout.splitlines()[-1])
    people = [Person(*one) for one in printed["people"]]
    lines = done.stderr.splitlines()
    assert len(lines) > 300
    assert Counter(json.loads(line)["level"] for line in lines)["error"] >= 3
    assert set(printed["statuses"]) >= {"400", "401", "403", "404", "500"}
    found = [line for line in lines if leaks(line, *people) or HIDDEN in line or SHOWN in line]
    assert found == []
