"""Events can be stored and read back, and each event changes a request as intended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from open311.domain import events
from open311.domain.events import Erased, Event, NoteAdded, StatusChanged, Transferred, apply_all, kinds, read_event
from open311.domain.requests import Status, Visibility
from tests import build

NOON = build.NOON


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.kind)
def test_every_kind_of_event_is_read_as_it_was_stored(kind: type[Event]) -> None:
    event = build.event(kind)
    data = json.loads(json.dumps(event.data))
    envelope = {name: getattr(event, name) for name in ("at", "actor", "cause", "version", "note", "reason")}
    read = read_event(event.kind, data, **envelope)
    assert read == event
    assert read.description == event.description


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.kind)
def test_a_text_is_never_in_the_data_and_is_refused_for_a_kind_without_text(kind: type[Event]) -> None:
    if not kind.has_text:
        with pytest.raises(TypeError, match="has no text; set has_text"):
            replace(build.event(kind), note="Call Jane at 555 0100")
        return
    event = replace(build.event(kind), note="Call Jane at 555 0100")
    assert "Jane" not in json.dumps(event.data)
    assert event.description == event.note, "erasing the note erases the whole description"


def test_each_kind_of_event_has_a_unique_name_and_is_imported_by_the_package() -> None:
    classes = [value for value in vars(events).values() if isinstance(value, type) and issubclass(value, Event)]
    assert len(kinds()) == len(classes) - 1, "import each kind of event in open311/domain/events/__init__.py"


def test_a_closed_request_keeps_its_closing_time() -> None:
    before = build.record(build.city(), number=1)
    day = timedelta(days=1)
    after = apply_all(
        before,
        [
            StatusChanged(at=NOON + day, old="open", new="closed"),
            NoteAdded(at=NOON + 2 * day, note="Filled."),
            Transferred(at=NOON + 3 * day, old="streets", new="port", name="Port"),
        ],
    )
    assert (after.status, after.status_notes, after.department) == (Status.CLOSED, "Filled.", "port")
    assert (after.updated_at, after.changed_at) == (NOON + day, NOON + 3 * day)


def test_only_public_and_unlisted_requests_can_be_shown() -> None:
    assert [one for one in Visibility if one.is_shown] == [Visibility.PUBLIC, Visibility.UNLISTED]


@pytest.mark.parametrize(
    ("what", "more", "takes_back"),
    [
        (("description",), {}, True),
        (("reporter",), {}, False),
        (("reporter",), {"marks": ("abc",)}, True),
        (("media",), {"cause": "retention"}, True),
    ],
)
def test_an_erasure_takes_back_what_the_public_could_read(
    what: tuple[str, ...], more: dict[str, Any], takes_back: bool
) -> None:
    assert Erased(at=build.NOON, what=what, **more).takes_back is takes_back
