"""What the public reads of texts with personal data, what waits for a review, and what staff decide about it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.events import Erasable, replay
from open311.domain.personal_data import Privacy, Treatment, Treatments
from open311.domain.requests import RequestRecord, Visibility
from open311.domain.services import Attribute, Datatype, Service
from open311.errors import Invalid
from open311.formats.reading import open_source
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.platform import Platform
from open311.operations.upkeep.republish import begin_edition, republish
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from tests import build
from tests.checked_client import platform_of

PHONE = "617-555-0143"
TYPED = f"Call {PHONE}, the hole at 1428 Elm is deep."
MASKED = "Call [phone number], the hole at 1428 Elm is deep."
QUESTIONS = (
    Attribute(code="WHERE", description="Where exactly?", public=True),
    Attribute(code="WHO", description="Who saw it?", datatype=Datatype.TEXT, public=False),
    Attribute(code="THREAT", description="Who is in danger?", review=True, public=True),
)
SERVICES = (
    replace(build.HOLE, attributes=QUESTIONS),
    build.TREE,
    Service(code="private", name="Private", department="desk", public=False),
    Service(code="open", name="Open", department="desk", privacy=Treatments(phone=Treatment.SHOW)),
    Service(code="careful", name="Careful", department="desk", privacy=Treatments(phone=Treatment.HOLD)),
    Service(code="reviewed", name="Reviewed", department="desk", review=True),
)
PRIVACY = Privacy(phone_region="US", own=("617-555-0100",))


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """A city that masks, holds or shows phone numbers, by service."""
    return make_app(build.city(services=SERVICES, privacy=PRIVACY))


@pytest.fixture
def town(app: Flask) -> Platform:
    return platform_of(app)


def sent(town: Platform, **fields: Any) -> RequestRecord:
    return build.load(town, service_request_id=build.submit(town, **fields).service_request_id)


def give(town: Platform, record: RequestRecord, *orders: Command) -> RequestRecord:
    (city,) = town.registry
    after = act(town, city, record.number, orders, principal=SHELL, now=utc_now())
    assert replay(after, build.history(town, after)) == after
    return after


def read(app: Flask, record: RequestRecord) -> dict[str, Any]:
    path = f"/open311/v2/requests/{record.service_request_id}.json?extensions=true"
    shown: dict[str, Any] = FlaskClient(app).get(path).json[0]
    return shown


def updates(app: Flask) -> list[str]:
    return [one["description"] for one in FlaskClient(app).get("/open311/v2/servicerequestupdates.json").json]


def kinds(town: Platform) -> list[tuple[int, list[str]]]:
    with town.database.reading() as connection:
        rows = connection.execute(text("SELECT request_id, kinds FROM personal_data ORDER BY request_id"))
        return [(row.request_id, row.kinds) for row in rows]


def test_public_answers_and_notes_are_masked_and_the_record_keeps_what_was_typed(
    app: Flask, town: Platform
) -> None:
    answers = (("WHERE", (f"ask {PHONE}",)), ("WHO", (f"a neighbour, {PHONE}",)))
    record = sent(town, description="A hole.", attributes=answers)
    give(town, record, commands.Note(text=f"We called {PHONE}.", public=True))
    shown = read(app, record)
    assert PHONE not in json.dumps(shown)
    assert shown["attributes"][0]["value"] == "ask [phone number]"
    assert shown["status_notes"] == shown["notes"][-1]["description"] == "We called [phone number]."
    assert updates(app) == ["We called [phone number]."]
    kept = build.load(town, number=record.number)
    assert kept.status_notes == f"We called {PHONE}."
    assert [answer.values for answer in kept.answers] == [(f"ask {PHONE}",), (f"a neighbour, {PHONE}",)]
    assert kinds(town) == [(record.number, ["phone"])]


def test_the_citys_own_numbers_and_other_digits_are_shown(app: Flask, town: Platform) -> None:
    typed = "Case 6175550143: your office, 617-555-0100, has not called back since 2026-02-01 10:30."
    record = sent(town, description=typed)
    assert read(app, record)["description"] == typed
    assert kinds(town) == []


def test_a_service_can_show_numbers_that_the_city_masks(app: Flask, town: Platform) -> None:
    record = sent(town, service_code="open", description=f"{TYPED} me@mail.example")
    assert read(app, record)["description"] == f"{TYPED} [e-mail address]"


@pytest.mark.parametrize(
    "fields",
    [
        {"service_code": "careful", "description": TYPED},
        {"service_code": "reviewed", "description": "A hole."},
        {"attributes": (("THREAT", ("The school",)),)},
    ],
)
def test_a_request_is_held_until_it_is_released(app: Flask, town: Platform, fields: dict[str, Any]) -> None:
    receipt = build.submit(town, **fields)
    assert receipt.is_held
    record = build.load(town, service_request_id=receipt.service_request_id)
    assert record.visibility is Visibility.HELD
    client = FlaskClient(app)
    assert client.get(f"/open311/v2/requests/{record.service_request_id}.json").status_code == 404
    assert client.get("/open311/v2/requests.json").json == []
    assert client.get("/open311/v2/changes.json").json == []
    give(town, record, commands.Release())
    assert PHONE not in json.dumps(read(app, record))


@pytest.mark.parametrize("code", ["careful", "reviewed"])
def test_a_request_of_a_test_key_is_not_held(town: Platform, code: str) -> None:
    key = build.api_key(town, is_test=True)
    receipt = build.submit(town, key=key, service_code=code, description=TYPED)
    assert not receipt.is_held
    assert build.load(town, service_request_id=receipt.service_request_id).visibility is Visibility.UNLISTED


def test_a_private_request_is_neither_masked_nor_held(town: Platform) -> None:
    receipt = build.submit(town, service_code="private", description=TYPED)
    assert (receipt.masked, receipt.is_held) == ((), False)
    assert kinds(town) == []


def test_staff_undo_a_false_hit_and_mask_it_again(app: Flask, town: Platform) -> None:
    record = sent(town, description=TYPED)
    give(town, record, commands.Note(text=f"Seen, see {PHONE}.", public=True))
    changed = read(app, record)["updated_datetime"]
    shown = give(town, record, commands.Unmask(text="(617) 555 0143", reason="It is the number of the sign."))
    assert read(app, record)["description"] == TYPED
    assert read(app, record)["updated_datetime"] >= changed
    assert updates(app) == [f"Seen, see {PHONE}."]
    assert kinds(town) == []
    [event] = [event for event in build.history(town, shown) if event.kind == "mask"]
    assert event.description == "phone shown"
    assert event.reason == "It is the number of the sign."
    assert "0143" not in json.dumps(event.data)
    again = give(town, record, commands.Unmask(text=PHONE, reason="Twice."))
    assert again.version == shown.version
    give(town, record, commands.Mask(text=PHONE))
    assert read(app, record)["description"] == MASKED
    assert updates(app) == ["Seen, see [phone number]."]


def test_unmask_of_one_number_leaves_another_number_masked(app: Flask, town: Platform) -> None:
    record = sent(town, description=f"{PHONE} or 617-555-0144")
    give(town, record, commands.Unmask(text=PHONE, reason="Ours."))
    assert read(app, record)["description"] == f"{PHONE} or [phone number]"


@pytest.mark.parametrize("typed", ["617-555-0199", "the hole", "", "x" * 4_000])
@pytest.mark.parametrize("kind", [commands.Unmask, commands.Mask])
def test_a_text_that_was_not_found_is_refused(town: Platform, kind: type[Any], typed: str) -> None:
    record = sent(town, description=TYPED)
    with pytest.raises(Invalid, match="text: is not among the personal data that were found in this request"):
        give(town, record, kind(text=typed, reason="x"))


def test_correct_removes_personal_data_that_was_not_found(app: Flask, town: Platform) -> None:
    record = sent(town, description="Ask Mr Smith in 4B.")
    give(town, record, commands.Correct(description="Ask in the house.", reason="A name."))
    assert read(app, record)["description"] == "Ask in the house."


def test_imported_texts_are_masked_and_not_held(app: Flask, town: Platform) -> None:
    (city,) = town.registry
    row = {
        "service_request_id": "F1",
        "service_code": "careful",
        "status": "closed",
        "status_notes": f"Called {PHONE}.",
        "description": TYPED,
        "address": "1428 Elm, me@mail.example",
        "requested_datetime": "2026-02-01T10:00:00Z",
        "updated_datetime": "2026-02-02T10:00:00Z",
        "lat": 60.17,
        "long": 24.94,
    }
    order = Import(jurisdiction=city, origin="file", now=build.NOON)
    with Processes(town, 1) as processes:
        list(processes.import_source(open_source(io.BytesIO(json.dumps([row]).encode())), order))
    shown = read(app, build.load(town, service_request_id="F1"))
    assert shown["description"] == MASKED
    assert shown["address"] == "1428 Elm, [e-mail address]"
    assert shown["status_notes"] == "Called [phone number]."


def test_a_changed_policy_renders_publications_and_updates_again(app: Flask, town: Platform) -> None:
    record = sent(town, description=TYPED)
    give(town, record, commands.Note(text=f"Called {PHONE}.", public=True))
    (city,) = town.registry
    for treatment, typed, note in (
        (Treatment.SHOW, TYPED, f"Called {PHONE}."),
        (Treatment.MASK, MASKED, "Called [phone number]."),
    ):
        changed = replace(city, privacy=replace(PRIVACY, phone=treatment))
        town.registry.renew(changed)
        with town.database.transaction() as connection:
            begin_edition(town, connection, changed, build.NOON)
        assert republish(town, city.id, build.NOON) == 1
        assert read(app, record)["description"] == typed
        assert updates(app) == [note]


def test_the_markers_are_in_the_language_of_the_city(make_app: Callable[..., Flask]) -> None:
    app = make_app(build.city(languages=("es", "en"), privacy=PRIVACY))
    record = sent(platform_of(app), description=TYPED)
    assert read(app, record)["description"].startswith("Call [teléfono], the hole")


def test_an_erasure_empties_the_list_of_personal_data(app: Flask, town: Platform) -> None:
    record = sent(town, description=TYPED)
    (city,) = town.registry
    erase_from_request(town, city, str(record.number), [Erasable.DESCRIPTION], now=utc_now())
    assert kinds(town) == []
