"""Erased parts of a request are removed from every table and public answer, and the history has the erasure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from open311.domain.events import Erasable, Erased, Event, kinds, replay
from open311.domain.requests import Reporter, RequestRecord, Status
from open311.errors import NotFound
from open311.operations.platform import Platform
from open311.operations.publishing import names_for
from open311.operations.workflow.apply import change_requests, load_request
from open311.operations.workflow.erase_request import erase_from_request
from open311.storage.history import load_events, load_notes
from tests import build
from tests.stored import dump

SECRETS = ("Jane-in-text", "Jane-in-note", "Jane-in-first-note", "jane-photo", "jane@example.org", "Jane-first")


@pytest.fixture
def closed_request(platform: Platform) -> str:
    """The id of a closed request with a reporter, a photo, and two notes."""
    receipt = build.submit(
        platform,
        description="Jane-in-text",
        media_urls=("https://photos.example/jane-photo.jpg",),
        reporter=Reporter(email="jane@example.org", first_name="Jane-first"),
    )
    for note, status in (("Jane-in-first-note", None), ("Jane-in-note", Status.CLOSED)):
        build.change(platform, receipt.service_request_id, note=note, status=status)
    return receipt.service_request_id


def erase(platform: Platform, service_request_id: str, *parts: Erasable) -> RequestRecord:
    (city,) = platform.registry
    return erase_from_request(platform, city, service_request_id, parts, now=build.NOON, actor="shell")


def test_an_erased_part_is_in_no_table(platform: Platform, closed_request: str) -> None:
    before = dump(platform)
    assert all(secret in before for secret in SECRETS)
    erase(platform, closed_request, *Erasable)
    after = dump(platform)
    assert [secret for secret in SECRETS if secret in after] == []


@pytest.mark.parametrize("kind", [kind for kind in kinds().values() if kind.has_text], ids=lambda kind: kind.kind)
def test_every_kind_of_event_with_a_text_keeps_the_text_until_it_is_erased(
    platform: Platform, closed_request: str, kind: type[Event]
) -> None:
    (city,) = platform.registry
    event = build.event(kind, note="Jane-in-text-of-event", reason="Jane-in-reason")
    with platform.database.transaction() as connection:
        before = load_request(connection, city, closed_request)
        change_requests(connection, [(before, [event])], names_for(connection, city))
        *_, stored = load_events(connection, city.id, before.number)
        assert stored.note == event.note
    erase(platform, closed_request, Erasable.NOTES)
    left = dump(platform)
    assert [text for text in (event.note, event.reason) if text in left] == []


def test_each_part_can_be_erased_separately(platform: Platform, closed_request: str) -> None:
    erase(platform, closed_request, Erasable.NOTES)
    after = dump(platform)
    assert [secret for secret in SECRETS if secret not in after] == ["Jane-in-note", "Jane-in-first-note"]


def test_the_history_names_the_erased_parts_and_can_be_replayed(platform: Platform, closed_request: str) -> None:
    record = erase(platform, closed_request, Erasable.NOTES, Erasable.DESCRIPTION)
    with platform.database.reading() as connection:
        history = load_events(connection, record.jurisdiction_id, record.number)
        notes = load_notes(connection, record.jurisdiction_id, [record.number])[record.number]
    erased = Erased(at=build.NOON, actor="shell", version=record.version, what=("description", "notes"))
    assert isinstance(history[-1], Erased)
    assert history[-1] == replace(erased, marks=history[-1].marks)
    assert len(history[-1].marks or ()) == 3, "the description and both notes"
    assert replay(record, history) == record
    assert [note.description for note in notes if note.type == "note"] == ["", ""], (
        "the erased notes are still in the history, without text"
    )


def test_other_parts_are_unchanged_when_a_part_is_erased(platform: Platform, closed_request: str) -> None:
    before = build.load(platform, service_request_id=closed_request)
    after = erase(platform, closed_request, Erasable.MEDIA)
    assert after == replace(before, media_urls=(), version=before.version + 1)


def test_a_part_can_be_erased_twice_and_the_history_has_both(platform: Platform, closed_request: str) -> None:
    erase(platform, closed_request, Erasable.REPORTER)
    record = erase(platform, closed_request, Erasable.REPORTER)
    with platform.database.reading() as connection:
        history = load_events(connection, record.jurisdiction_id, record.number)
    assert [event.kind for event in history][-2:] == ["erased", "erased"]


def test_the_error_for_an_unknown_request_names_it(platform: Platform) -> None:
    with pytest.raises(NotFound, match="'nope' is not a request here"):
        erase(platform, "nope", Erasable.NOTES)
