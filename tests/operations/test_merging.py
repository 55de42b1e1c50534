"""Which requests can be merged, and what an unmerge brings back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.domain import commands
from open311.domain.access import SHELL, Principal, Role, Scope
from open311.domain.commands import Command
from open311.domain.events import Erasable, Unmerged, replay
from open311.domain.requests import Progress, RequestRecord, Status
from open311.domain.workflow import Outcome
from open311.errors import Conflict, Forbidden
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.operations.workflow.erase_request import erase_from_request
from tests import build


def give(platform: Platform, name: str, *orders: Command, principal: Principal = SHELL) -> RequestRecord:
    city, now = next(iter(platform.registry)), build.NOON + timedelta(hours=1)
    return act(platform, city, name, orders, principal=principal, now=now)


def report(platform: Platform, **fields: Any) -> str:
    return build.submit(platform, **fields).service_request_id


def shown(client: FlaskClient, name: str) -> dict[str, Any]:
    (item,) = client.get(f"/open311/v2/requests/{name}.json?extensions=true").json
    return dict(item)


def agent(*departments: str) -> Principal:
    return Principal(kind="staff", role=Role.AGENT, number=7, scope=Scope("city.example", frozenset(departments)))


def test_an_unmerge_restores_the_text_that_the_public_read_before(client: FlaskClient, platform: Platform) -> None:
    first, parent, child = report(platform), report(platform, lat="60.1900"), report(platform)
    give(platform, child, commands.Note(text="We come on Monday.", public=True))
    give(platform, child, commands.Merge(into=parent))
    assert shown(client, child)["extended_attributes"]["possible_duplicate_of"] == parent
    alone = give(platform, child, commands.Unmerge())
    item = shown(client, child)
    assert item["status_notes"] == "We come on Monday."
    assert item["extended_attributes"]["possible_duplicate_of"] == first, "the hint of the POST is back"
    texts = [note["description"] for note in item["notes"] if note["type"] == "note"]
    assert texts == [
        "We come on Monday.",
        f"We handle this together with {parent}, a report about the same thing.",
        "We handle this report by itself again.",
    ]
    feed = client.get(f"/open311/v2/requests.atom?service_request_id={child}").text
    assert child in feed
    assert parent not in feed
    assert replay(alone, build.history(platform, alone)) == alone


def test_after_an_unmerge_there_is_no_duplicate_and_no_text_if_there_was_none_before(
    client: FlaskClient, platform: Platform
) -> None:
    parent, child = report(platform, lat="60.1900"), report(platform)
    give(platform, child, commands.Merge(into=parent), commands.Unmerge())
    item = shown(client, child)
    assert item["status_notes"] is None
    assert item["extended_attributes"]["possible_duplicate_of"] is None


def test_an_unmerge_keeps_the_status_notes_of_an_imported_request(platform: Platform) -> None:
    parent, child = report(platform), build.store(platform, status_notes="Seen by the old system.")
    give(platform, child.service_request_id, commands.Merge(into=parent))
    assert give(platform, child.service_request_id, commands.Unmerge()).status_notes == "Seen by the old system."


def test_a_note_that_staff_wrote_on_a_merged_request_stays_after_the_unmerge(platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    give(platform, child, commands.Note(text="Old.", public=True), commands.Merge(into=parent))
    give(platform, child, commands.Note(text="It is another hole.", public=True))
    assert give(platform, child, commands.Unmerge()).status_notes == "It is another hole."


def test_an_erased_note_does_not_come_back(platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    give(platform, child, commands.Note(text="Jane Doe called.", public=True), commands.Merge(into=parent))
    city = next(iter(platform.registry))
    erase_from_request(platform, city, child, [Erasable.NOTES], now=build.NOON + timedelta(hours=1))
    assert give(platform, child, commands.Unmerge()).status_notes == ""


def test_an_unmerge_stored_by_an_earlier_release_changes_neither_status_notes_nor_possible_duplicate() -> None:
    before = build.record(build.city(), number=2, merged_into=1, status_notes="A", possible_duplicate_of="R1")
    after = Unmerged(at=build.NOON, old=1).apply(before)
    assert (after.merged_into, after.status_notes, after.possible_duplicate_of) == (0, "A", "R1")


def test_a_request_is_merged_only_into_one_that_the_account_may_read(platform: Platform) -> None:
    hole, tree = report(platform), report(platform)
    give(platform, tree, commands.Transfer(department="parks"))
    with pytest.raises(Forbidden, match="another department has the other request"):
        give(platform, hole, commands.Merge(into=tree), principal=agent("streets"))
    assert give(platform, hole, commands.Merge(into=tree), principal=agent("streets", "parks")).merged_into


def test_a_request_is_not_merged_into_a_closed_one(platform: Platform) -> None:
    closed, hole = report(platform), report(platform)
    give(platform, closed, commands.Close(outcome=Outcome.FIXED))
    with pytest.raises(Conflict, match="is closed; reopen it first, or close this one with the outcome duplicate"):
        give(platform, hole, commands.Merge(into=closed))
    assert build.load(platform, service_request_id=hole).status is Status.OPEN


def test_an_unmerge_opens_a_request_that_the_other_one_has_closed(platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    visit = build.NOON + timedelta(days=2)
    give(platform, child, commands.Acknowledge(), commands.Schedule(visit=visit))
    before = build.load(platform, service_request_id=child)
    give(platform, child, commands.Merge(into=parent))
    give(platform, parent, commands.Close(outcome=Outcome.FIXED, note="Filled."))
    alone = give(platform, child, commands.Unmerge())
    assert (alone.status, alone.outcome, alone.merged_into) == (Status.OPEN, "", 0)
    assert (alone.progress, alone.scheduled_at) == (Progress.SCHEDULED, visit)
    assert alone.status_notes == before.status_notes
    assert replay(alone, build.history(platform, alone)) == alone


def test_an_unmerge_brings_the_work_back_that_a_closing_and_a_reopening_have_ended(platform: Platform) -> None:
    parent, child = report(platform), report(platform)
    give(platform, child, commands.Start(), commands.Merge(into=parent))
    give(platform, parent, commands.Close(outcome=Outcome.FIXED))
    give(platform, parent, commands.Reopen(reason="Broken again."))
    assert give(platform, child, commands.Unmerge()).progress is Progress.IN_PROGRESS


def test_other_requests_show_no_id_of_a_hidden_request(client: FlaskClient, platform: Platform) -> None:
    """The child was merged, and the other report only arrived near the same place."""
    parent = report(platform)
    child, near = report(platform), report(platform)
    give(platform, child, commands.Merge(into=parent))
    assert parent in shown(client, child)["status_notes"]
    assert shown(client, near)["extended_attributes"]["possible_duplicate_of"] == parent
    give(platform, parent, commands.Hide(reason="A name."))
    for name in (child, near):
        path = f"/open311/v2/requests/{name}.json?extensions=true"
        assert parent not in client.get(path).text
    assert shown(client, child)["status_notes"].startswith("We handle this together with another report")
    give(platform, child, commands.Note(text="We are at it.", public=True))
    assert parent not in client.get(f"/open311/v2/requests/{child}.json?extensions=true").text
    window = "start_date=2026-03-01T00:00:00Z&end_date=2026-03-02T00:00:00Z"
    assert parent not in client.get(f"/open311/v2/servicerequestupdates.json?{window}").text
    give(platform, parent, commands.Show())
    for name in (child, near):
        assert shown(client, name)["extended_attributes"]["possible_duplicate_of"] == parent
