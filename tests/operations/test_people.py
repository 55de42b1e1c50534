"""The data that a city has about a person can be exported, and then be erased with a proof."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest

from open311.domain.access import SHELL, Role
from open311.domain.deliveries import Delivery, DeliveryState, Subject
from open311.domain.events import replay
from open311.domain.people import read_person
from open311.domain.requests import Reporter
from open311.domain.updates import SentUpdate
from open311.errors import Forbidden, Invalid
from open311.federation.backends.open311 import Open311Config
from open311.operations.desk.rendering import json_of
from open311.operations.people import erase_person as erasing
from open311.operations.people import export_person as exporting
from open311.operations.people.erase_person import ErasedPart, erase_person
from open311.operations.people.export_person import export_person
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.receive_update import receive_update
from open311.plugins import Destination, Secret
from open311.settings import Settings
from open311.storage import audit, counts, deliveries
from tests import build
from tests.stored import dump

JANE = {
    "email": "Jane@Mail.Example",
    "first_name": "Jane-first",
    "last_name": "Jane-last",
    "phone": "+1 555-0142",
    "device_id": "jane-device",
    "account_id": "jane-account",
}
BO = {name: value.replace("ane", "o").replace("0142", "0143") for name, value in JANE.items()}
TEXTS = ("Jane-description", "Jane-photo", "Jane-note", "Jane-comment", "Jane-answer")


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city with a back office that gets email addresses, and another city, which has the same people."""
    works = Open311Config(
        name="works",
        kind="open311",
        url="https://works.example/",
        api_key=Secret(env="WORKS_KEY"),
        shared=("email", "description"),
    )
    city = build.city(comments="public", backends=(works,), destinations=(Destination(backends=("works",)),))
    platform = build.platform(settings, city)
    ensure_synced(platform)
    yield platform
    platform.close()


def submit(platform: Platform, who: dict[str, str], **more: Any) -> str:
    fields: dict[str, Any] = {"reporter": Reporter(**who)} | more
    return build.submit(platform, **fields).service_request_id


def comment(platform: Platform, name: str, who: dict[str, str], text: str) -> None:
    (city,) = platform.registry
    values: dict[str, Any] = {field: value for field, value in who.items() if field != "device_id"}
    values |= {
        "service_request_id": name,
        "update_id": f"u{len(text)}",
        "status": "unchanged",
        "updated_at": build.NOON,
        "description": text,
        "media_urls": (f"https://photos.example/{text}.jpg",),
    }
    receive_update(platform, city, SentUpdate(**values), principal=build.api_key(platform), now=build.NOON)


def everything(platform: Platform) -> tuple[str, str]:
    """A request of Jane, and one of Bo on which Jane has commented."""
    own = submit(
        platform,
        JANE,
        description="Jane-description",
        media_urls=("https://photos.example/Jane-photo.jpg",),
        client_request_id="post-1",
    )
    build.change(platform, own, note="Jane-note")
    comment(platform, own, BO, "Bo-comment")
    others = submit(platform, BO, description="Bo-description")
    comment(platform, others, JANE, "Jane-comment")
    return own, others


def erase(platform: Platform, **more: Any) -> list[ErasedPart]:
    (city,) = platform.registry
    options: dict[str, Any] = {"reason": "A letter of 1 March.", "principal": SHELL, "now": build.NOON}
    who = {name: more.pop(name) for name in JANE if name in more} or {"email": JANE["email"]}
    return list(erase_person(platform, city, read_person(who), **options | more))


def rows_of(parts: list[ErasedPart]) -> Counter[str]:
    return sum((part.rows for part in parts), Counter())


def left(platform: Platform, *words: str) -> list[str]:
    text = dump(platform)
    return [word for word in words if word in text]


@pytest.mark.parametrize(
    "who",
    [
        {"email": "jane@MAIL.example"},
        {"phone": "001 (555) 01-42"},
        {"account_id": "jane-account"},
        {"email": "nobody@mail.example", "phone": "15550142"},
    ],
)
def test_a_person_is_erased_from_every_table_and_others_are_not(platform: Platform, who: dict[str, str]) -> None:
    everything(platform)
    assert left(platform, *JANE.values()) == list(JANE.values())
    parts = erase(platform, **who)
    assert rows_of(parts) == {"reporter": 1, "received_update": 1}
    assert left(platform, *JANE.values()) == []
    assert left(platform, *BO.values()) == list(BO.values())
    assert left(platform, *TEXTS[:4]) == list(TEXTS[:4]), "texts stay unless they are asked for"


def test_texts_are_erased_too_if_asked_for(platform: Platform) -> None:
    own, others = everything(platform)
    parts = erase(platform, with_texts=True)
    assert left(platform, *JANE.values(), *TEXTS, "Bo-comment") == []
    assert left(platform, "Bo-description", *BO.values()) == ["Bo-description", *BO.values()]
    assert parts[0].names == (own, others)
    assert rows_of(parts) == {
        "reporter": 1,
        "received_update": 1,
        "received_update.media_urls": 2,
        "request_event": 4,  # two comments, a note, and the reason of the routing
        "public_update": 3,
        "service_request": 1,
    }
    for name in (own, others):
        record = build.load(platform, service_request_id=name)
        assert replay(record, build.history(platform, record)) == record


def test_a_second_erasure_finds_nothing_and_is_recorded(platform: Platform) -> None:
    everything(platform)
    erase(platform, with_texts=True)
    before = build.load(platform, service_request_id=erase_names(platform)[0]).version
    parts = erase(platform, with_texts=True)
    assert [(part.numbers, part.rows, part.is_last) for part in parts] == [((), {}, True)]
    assert build.load(platform, service_request_id=erase_names(platform)[0]).version == before
    assert len(trail(platform)) == 2


def erase_names(platform: Platform) -> list[str]:
    with platform.database.reading() as connection:
        query = "SELECT service_request_id FROM service_request ORDER BY id"
        return list(connection.exec_driver_sql(query).scalars())


def trail(platform: Platform) -> list[audit.Entry]:
    """The audit trail, without the keys that were added for a test."""
    with platform.database.reading() as connection:
        return [entry for entry in audit.list_entries(connection) if entry.act != "key.add"]


def test_the_proof_says_what_was_erased_where_but_not_whose_data_it_was(platform: Platform) -> None:
    everything(platform)
    (part,) = erase(platform)
    (entry,) = trail(platform)
    assert (entry.act, entry.actor, entry.reason) == ("reporter.erase", "shell", "A letter of 1 March.")
    assert entry.subject == part.erasure
    assert entry.details == {
        "found_by": ["email"],
        "with_texts": False,
        "requests": list(part.numbers),
        "rows": {"reporter": 1, "received_update": 1},
        "systems": {},
        "photos_to_delete": 0,
    }


def test_a_dry_run_reports_the_same_and_changes_nothing(platform: Platform) -> None:
    everything(platform)
    before = dump(platform)
    tried = erase(platform, with_texts=True, is_dry_run=True)
    assert dump(platform) == before
    done = erase(platform, with_texts=True)
    assert [replace(part, erasure="") for part in tried] == [replace(part, erasure="") for part in done]


def test_an_erasure_changes_no_number_of_rows_and_no_stored_count(platform: Platform) -> None:
    everything(platform)
    tables = ("service_request", "publication", "received_update", "public_update")
    with platform.database.reading() as connection:
        before = [connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in tables]
        known = counts.stored_counts(connection)
    erase(platform, with_texts=True)
    with platform.database.reading() as connection:
        after = [connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in tables]
        assert (after, counts.stored_counts(connection)) == (before, known)


def test_many_requests_are_exported_and_erased_in_parts(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "AT_ONCE", 2)
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    for _ in range(5):
        submit(platform, JANE)
    assert [len(page) for page in export(platform)] == [2, 2, 1]
    parts = erase(platform)
    assert [len(part.numbers) for part in parts] == [2, 2, 1]
    assert {part.erasure for part in parts} == {entry.subject for entry in trail(platform) if entry.subject}
    assert left(platform, *JANE.values()) == []


def test_updates_that_come_in_during_an_erasure_are_erased_by_this_or_the_next_one(platform: Platform) -> None:
    names = [submit(platform, JANE) for _ in range(4)]
    start = Barrier(2)

    def send() -> None:
        start.wait()
        for name in names:
            comment(platform, name, JANE, "Late")

    sender = Thread(target=send)
    sender.start()
    start.wait()
    erase(platform)
    sender.join()
    erase(platform)
    assert left(platform, *JANE.values()) == []
    for name in names:
        record = build.load(platform, service_request_id=name)
        assert replay(record, build.history(platform, record)) == record


@pytest.mark.parametrize("wild", ["%", "_ane@mail.example", "jane@mail.%", "' OR 1=1 --", "jane@mail.example\x00"])
def test_wildcards_of_sql_find_no_person(platform: Platform, wild: str) -> None:
    submit(platform, BO)
    (part,) = erase(platform, email=wild)
    assert part.numbers == ()
    assert left(platform, *BO.values()) == list(BO.values())


@pytest.mark.parametrize(
    ("who", "fault"),
    [
        ({}, "email: is missing; send at least one of email, phone, device_id, account_id."),
        ({"email": "  "}, "email: is empty, which would fit everybody without one; send a value, or leave it out."),
        ({"device_id": ""}, "device_id: is empty, which would fit everybody"),
        ({"phone": "call me"}, "phone: has fewer than 5 digits; send the whole number."),
        ({"account_id": "a" * 501}, "account_id: has 501 characters; 500 are allowed."),
    ],
)
def test_a_faulty_name_of_a_person_is_refused_with_a_cure(who: dict[str, str], fault: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_person(who)
    assert "; ".join(str(one) for one in caught.value.problems).startswith(fault)


@pytest.mark.parametrize("reason", ["", "  ", "Mail of jane@mail.example.", "Call of 1-555-0142"])
def test_a_reason_is_required_and_must_not_name_the_person(platform: Platform, reason: str) -> None:
    submit(platform, JANE)
    with pytest.raises(Invalid, match="reason"):
        erase(platform, **JANE_SHORT, reason=reason)
    with pytest.raises(Invalid, match="reason"):
        export(platform, **JANE_SHORT, reason=reason)
    assert trail(platform) == []


def test_a_reason_may_have_a_number_that_is_also_a_short_id(platform: Platform) -> None:
    (part,) = erase(platform, account_id="7", reason="Letter of 7 March.")
    assert part.is_last


JANE_SHORT = {"email": JANE["email"], "phone": JANE["phone"]}


@pytest.mark.parametrize(("role", "departments"), [(Role.DISPATCHER, ()), (Role.ADMIN, ("streets",))])
def test_only_admins_for_all_departments_may_act_for_a_person(
    platform: Platform, role: Role, departments: tuple[str, ...]
) -> None:
    scope = replace(SHELL.scope, departments=frozenset(departments))
    caller = replace(SHELL, role=role, scope=scope)
    for act in (erase, export):
        with pytest.raises(Forbidden):
            act(platform, principal=caller)


def export(platform: Platform, **more: Any) -> list[Any]:
    (city,) = platform.registry
    options: dict[str, Any] = {"reason": "A letter of 1 March.", "principal": SHELL, "now": build.NOON}
    who = {name: more.pop(name) for name in JANE if name in more} or {"email": JANE["email"]}
    pages = export_person(platform, city, read_person(who), **options | more)
    return [json.loads(json_of(list(page.requests))) for page in pages]


def test_an_export_has_all_of_the_person_and_nothing_of_others(platform: Platform) -> None:
    own, others = everything(platform)
    (page,) = export(platform)
    text = json.dumps(page)
    assert [value for value in (*JANE.values(), *TEXTS[:4]) if value not in text] == []
    assert [value for value in (*BO.values(), "Bo-description") if value in text] == []
    assert [one["service_request_id"] for one in page] == [own, others]
    assert page[0]["report"]["email"] == JANE["email"]
    assert page[1]["report"] is None
    assert page[1]["updates"][0]["description"] == "Jane-comment"
    (entry,) = trail(platform)
    assert (entry.act, entry.details) == ("reporter.export", {"found_by": ["email"], "after": 0})


def test_the_report_names_the_systems_that_got_the_data(platform: Platform) -> None:
    own, others = everything(platform)
    numbers = [build.load(platform, service_request_id=name).number for name in (own, others)]
    with platform.database.transaction() as connection:
        deliveries.add(
            connection,
            [
                delivered(numbers[0], "works", DeliveryState.DONE),
                delivered(numbers[0], "old works", DeliveryState.UNCERTAIN),
                delivered(numbers[0], "other works", DeliveryState.WAITING),
                delivered(numbers[1], "works", DeliveryState.DONE),
            ],
        )
    (page,) = export(platform)
    known = [{"system": "works", "shared": ["email"]}, {"system": "old works", "shared": None}]
    assert [one["systems"] for one in page] == [known, []], "the data of others do not count"
    (part,) = erase(platform)
    assert [(one.number, one.system, one.shared) for one in part.systems] == [
        (numbers[0], "works", ("email",)),
        (numbers[0], "old works", None),
    ]
    assert trail(platform)[-1].details["systems"] == {"old works": 1, "works": 1}


def delivered(number: int, backend: str, state: DeliveryState) -> Delivery:
    return Delivery(
        jurisdiction_id="test.example",
        number=number,
        version=1,
        backend=backend,
        subject=Subject.CASE,
        key=f"{backend} {number}",
        created_at=build.NOON,
        due_at=build.NOON,
        state=state,
    )
