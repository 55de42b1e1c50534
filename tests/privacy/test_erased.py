"""After an erasure, nothing of the person is left in the database, in files or in dumps, and the counts stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.people import Person as Named
from open311.operations.media.files import store_of
from open311.operations.people.erase_person import erase_person
from open311.operations.upkeep.dumps import dumps_folder
from open311.storage import counts
from tests.photos import BASE
from tests.privacy.corpus import Town, plant, town
from tests.privacy.exits import crawl, unpacked
from tests.privacy.people import HIDDEN, SHOWN, Person, leaks
from tests.stored import dump
from tests.working import work

DOORS = (
    "form",
    "photos",
    "batch",
    "repeat",
    "blackbox",
    "held",
    "suspected",
    "withdrawn",
    "comment",
    "flood",
    "faces",
    "subscriber",
    "follower",
)
"""The doors of those who want to be erased. Two updates are on the request of `form`."""
ALL_COUNTS = ("service_request", "publication", "request_event", "received_update", "public_update", "delivery")


@pytest.fixture(scope="module")
def before(make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(make_database("erased"), tmp_path_factory.mktemp("erased")) as found:
        plant(found)
        yield found


def erase(place: Town, who: Person) -> int:
    """Erase a person with all texts, as `open311 reporters erase --email … --texts` does. Returns changed rows."""
    options: dict[str, Any] = {"reason": "Letter of 1 March.", "principal": SHELL, "now": utc_now()}
    parts = erase_person(place.platform, place.city, Named(email=who.email), with_texts=True, **options)
    return sum(part.rows.total() for part in parts)


def numbers(place: Town) -> dict[str, int]:
    with place.platform.database.reading() as connection:
        rows = {name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}") for name in ALL_COUNTS}
        return {name: found.scalar_one() for name, found in rows.items()}


def stored_counts(place: Town) -> counts.Counts:
    with place.platform.database.reading() as connection:
        return dict(counts.stored_counts(connection))


def test_nothing_about_erased_people_is_left_in_the_database_files_dumps_or_answers(before: Town) -> None:
    place = before
    people = [place.people[door] for door in DOORS]
    kept, counted = numbers(place), stored_counts(place)
    text = dump(place.platform)
    assert [who.door for who in people if who.email not in text] == [], "all of them are stored before"
    files = {stored.key for stored in store_of(place.platform).keys("")}
    assert all(erase(place, who) > 0 for who in people)
    work(place.platform)
    text = dump(place.platform)
    assert [found for who in people for found in own_leaks(text, who)] == []
    assert typed_texts(text) == []
    left = {stored.key for stored in store_of(place.platform).keys("")}
    assert len(left) < len(files)
    with place.platform.database.reading() as connection:
        hashes = connection.exec_driver_sql("SELECT encode(content_hash, 'hex') FROM media").scalars().all()
    assert [key for key in left if not any(one in key.replace("/", "") for one in hashes)] == []
    files_of_dumps = sorted(dumps_folder(place.platform, place.city.id).glob("requests-*"))
    assert len(files_of_dumps) > 4
    for path in files_of_dumps:
        content = unpacked(path.read_bytes()).decode("utf-8", "replace")
        assert typed_texts(content) == [], path.name
    public = "\n".join(one.content.decode("utf-8", "replace") for one in crawl(place))
    assert typed_texts(public) == []
    assert SHOWN in public, "the texts of others are still shown"
    assert numbers(place)["service_request"] == kept["service_request"]
    assert stored_counts(place) == counted
    with place.platform.database.snapshot() as connection:
        assert counts.corrections(connection) == {}


def own_leaks(text: str, who: Person) -> list[str]:
    """Personal data of this person, without the account and card numbers, which all share."""
    own = {*who.reporter.values(), *who.typed.values()} - {who.typed["iban"], who.typed["card"]}
    return [value for value in leaks(text, who) if value in own]


def typed_texts(text: str) -> list[str]:
    """Texts that these people or staff wrote into their reports. Addresses stay, because the work is done there."""
    return re.findall(f"(?:{SHOWN}|{HIDDEN})-(?:{'|'.join(DOORS)})-(?!address)", text)


def test_a_second_erasure_changes_nothing(before: Town) -> None:
    place = before
    for who in [place.people[door] for door in DOORS]:
        erase(place, who)
    kept, public = numbers(place), place.client.get(f"{BASE}/requests.json?extensions=true").json
    assert sum(erase(place, place.people[door]) for door in DOORS) == 0
    assert numbers(place) == kept
    assert place.client.get(f"{BASE}/requests.json?extensions=true").json == public
